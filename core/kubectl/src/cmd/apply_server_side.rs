//! `kubectl apply --server-side`.
//!
//! Upstream: `applyOneObject`, `saveLastApplyAnnotationIfNecessary` and `migrateToSSAIfNecessary`
//! in `kubectl/pkg/cmd/apply/apply.go`; `client-go/util/csaupgrade`.

use super::apply::LAST_APPLIED;
use crate::builder::Manifest;
use crate::context::{Context, DryRun};
use crate::failure::{Failure, Result};
use naru_api::managed::{FieldSet, Managers, Operation, PathElement};
use naru_api::request::Patch;
use naru_api::{KindRef, Object};
use serde_json::{Value, json};

/// In whose name the annotation of earlier applies is kept.
const KEEPER: &str = "kubectl-last-applied";

/// How often a migration that somebody else gets in the way of is tried.
const MIGRATIONS_MAX: usize = 5;

const CONFLICT: &str = "\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// Applies a manifest: the object after it.
pub(super) fn apply(cx: &mut Context<'_>, manifest: Manifest, dry_run: DryRun) -> Result<Value> {
    let Manifest { kind, namespace, name, source: _, object } = manifest;
    let place = Place { kind: &kind, namespace: &namespace, name: &name, dry_run };
    // `diff` only looks.
    let migrates = cx.invocation.command().name() != "diff";
    let force = cx.flags().is("force-conflicts");
    let patch = Patch::Apply { fields: object, force };
    let mut applied = place.patch(cx, patch.clone()).map_err(|failure| match failure {
        Failure::Api(error) if error.is_conflict() => {
            Failure::Message(format!("{error}\n{CONFLICT}"))
        }
        failure => failure,
    })?;
    if !migrates {
        return Ok(applied.to_json().unwrap_or_default());
    }
    match place.keep_annotation(cx, &applied) {
        Err(why) => cx.err_line(&format!(
            "Warning: failed to migrate {LAST_APPLIED} for Server-Side Apply. This is non-fatal and \
             will be retried next time you apply. Error: {}",
            said(&why)
        )),
        Ok(kept) => {
            applied = kept.unwrap_or(applied);
            match place.migrate(cx, &applied) {
                Err(why) => cx.err_line(&format!(
                    "Warning: server rejected managed fields migration to Server-Side Apply. This \
                     is non-fatal and will be retried next time you apply. Error: {}",
                    said(&why)
                )),
                Ok(false) => {}
                // Fields that were given up can go now.
                Ok(true) => match place.patch(cx, patch) {
                    Ok(object) => applied = object,
                    Err(why) => cx.err_line(&format!(
                        "Warning: failed to re-apply configuration after performing Server-Side \
                         Apply migration. This is non-fatal and will be retried next time you \
                         apply. Error: {}",
                        said(&why)
                    )),
                },
            }
        }
    }
    if applied.meta().deletion_timestamp.is_some() {
        cx.err_line(&format!(
            "Warning: Detected changes to resource {name} which is currently being deleted."
        ));
    }
    Ok(applied.to_json().unwrap_or_default())
}

/// What went wrong, in the API server's words where it was the one to say so.
fn said(failure: &Failure) -> String {
    match failure {
        Failure::Api(error) => error.to_string(),
        other => other.report().0.trim_end().to_owned(),
    }
}

struct Place<'a> {
    kind: &'a KindRef,
    namespace: &'a str,
    name: &'a str,
    dry_run: DryRun,
}

impl Place<'_> {
    fn patch(&self, cx: &mut Context<'_>, patch: Patch) -> Result<Object> {
        cx.patch(self.kind, self.namespace, self.name, patch, self.dry_run)
    }

    /// Keeps the annotation of earlier applies, which would go with its owner.
    fn keep_annotation(&self, cx: &mut Context<'_>, object: &Object) -> Result<Option<Object>> {
        let annotations = object.meta().annotations.as_ref();
        let Some(text) = annotations.and_then(|annotations| annotations.get(LAST_APPLIED)) else {
            return Ok(None);
        };
        let kept = owners(&object.managers(), Operation::Apply).next().is_some();
        if &*cx.field_manager() != "kubectl" || kept {
            return Ok(None);
        }
        let mut metadata = json!({"name": self.name, "annotations": {LAST_APPLIED: text}});
        if self.kind.namespaced {
            metadata["namespace"] = Value::from(self.namespace);
        }
        let fields = json!({"apiVersion": self.kind.api_version(), "kind": &*self.kind.kind,
            "metadata": metadata});
        let patch = Patch::Apply { fields, force: false };
        let (kind, namespace) = (self.kind, self.namespace);
        cx.patch_as(KEEPER, kind, namespace, self.name, patch, self.dry_run).map(Some)
    }

    /// Makes what kubectl owned by updates its own by apply: whether there was something to do.
    fn migrate(&self, cx: &mut Context<'_>, object: &Object) -> Result<bool> {
        let before = owners(&object.managers(), Operation::Update).collect::<Vec<_>>();
        let manager = cx.field_manager();
        let mut object = object.clone();
        for attempt in 1.. {
            let mut managers = Managers::clone(&object.managers());
            for name in &before {
                managers.upgrade(name, &manager);
            }
            if managers == *object.managers() {
                return Ok(false);
            }
            let version = object.meta().resource_version.clone();
            let operations = json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": managers.encode()},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ]);
            match self.patch(cx, Patch::Json(operations)) {
                Ok(_) => return Ok(true),
                Err(Failure::Api(error)) if error.is_conflict() && attempt < MIGRATIONS_MAX => {
                    object = cx.get(self.kind, self.namespace, self.name)?;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(false)
    }
}

/// Who owns the annotation of earlier applies.
fn owners(managers: &Managers, operation: Operation) -> impl Iterator<Item = String> {
    let path = ["metadata", "annotations", LAST_APPLIED].map(PathElement::field);
    let owns = |fields: &FieldSet| fields.has(&path);
    let all: Vec<String> = managers
        .iter()
        .filter(|(manager, owned)| manager.operation == operation && owns(&owned.fields))
        .map(|(manager, _)| manager.name.to_string())
        .collect();
    all.into_iter()
}
