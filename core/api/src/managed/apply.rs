//! Server-side apply.
//!
//! Upstream: `structured-merge-diff/merge/update.go`, and the managers around it in
//! `apimachinery/pkg/util/managedfields/internal`.

use super::managers::{Manager, Managers, Operation, Owned, Scope, empty, stripped};
use super::set::{FieldSet, Path, Shown};
use super::walk;
use crate::names;
use crate::{ApiError, gofmt::quote};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Who owned the fields of an object that was made before fields were tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// The manager whose objects were applied by the client before, perhaps.
const KUBECTL: &str = "kubectl";

/// Where `kubectl apply` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who.
    pub manager: Manager,
    /// Which field.
    pub path: Path,
}

/// What an apply gives.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object after it; `None` when it is as it was.
    pub object: Option<Value>,
    /// Who owns its fields now.
    pub managers: Managers,
}

/// Applies `config` to `live` (`None`: there is no such object yet) in the name of `manager`.
///
/// Both must be of the kind of the scope, `live` as Go's encoder writes it; `config` must have no doubles in its sets.
pub fn apply(
    scope: &Scope<'_>,
    live: Option<&Value>,
    managers: &Managers,
    config: &Value,
    manager: Manager,
    force: bool,
    now: Timestamp,
) -> Result<Applied, Vec<Conflict>> {
    let (live, managers) = match live {
        Some(live) => (live.clone(), tracked(scope, managers, live, now)),
        None => (empty(scope), managers.clone()),
    };
    let applied = lay_over(scope, &live, &managers, config, &manager, force, now);
    let applied = match applied {
        Err(conflicts) if &*manager.name == KUBECTL => {
            let allowed = of_client_side_apply(scope, &live);
            let real: Vec<Conflict> =
                conflicts.iter().filter(|conflict| !allowed.has(&conflict.path)).cloned().collect();
            if !real.is_empty() {
                return Err(real);
            }
            lay_over(scope, &live, &managers, config, &manager, true, now)?
        }
        applied => applied?,
    };
    Ok(if &*manager.name == KUBECTL { note_last_applied(applied, &live, config) } else { applied })
}

/// The managers, or one for all fields there are if fields were not tracked before.
fn tracked(scope: &Scope<'_>, managers: &Managers, live: &Value, now: Timestamp) -> Managers {
    if !managers.is_empty() {
        return managers.clone();
    }
    let before = Manager::new(BEFORE_FIRST_APPLY, "", Operation::Update, "");
    let mut managers = Managers::default();
    managers.update(scope, before, &empty(scope), live, now);
    managers
}

fn lay_over(
    scope: &Scope<'_>,
    live: &Value,
    managers: &Managers,
    config: &Value,
    manager: &Manager,
    force: bool,
    now: Timestamp,
) -> Result<Applied, Vec<Conflict>> {
    let mut managers = managers.clone();
    let merged = walk::merge(scope.node, live, config);
    let last = managers.0.get(manager).cloned();
    let fields = walk::fields_of(scope.node, config).recursive_difference(&scope.reset);
    let owned = Owned {
        fields: Arc::new(fields),
        api_version: Arc::clone(&scope.api_version),
        time: last.as_ref().and_then(|last| last.time),
    };
    managers.0.insert(manager.clone(), owned);
    let merged = match last {
        Some(last) if !last.fields.is_empty() => prune(scope, merged, &managers, &last.fields),
        _ => merged,
    };
    managers.lose(scope, Some(manager), live, &merged, force).map_err(|conflicts| {
        let each = |(manager, fields): (Manager, FieldSet)| {
            let conflict = move |path| Conflict { manager: manager.clone(), path };
            fields.paths().into_iter().map(conflict)
        };
        conflicts.into_iter().flat_map(each).collect::<Vec<_>>()
    })?;
    let same = super::element::compare(live, &merged).is_eq();
    if let Some(owned) = managers.0.get_mut(manager) {
        owned.fields = Arc::new(stripped(&owned.fields));
        if !same {
            owned.time = Some(now);
        }
        if owned.fields.is_empty() {
            managers.0.remove(manager);
        }
    }
    Ok(Applied { object: (!same).then_some(merged), managers })
}

/// Removes what the manager applied last time and not this time, and what nobody else owns.
fn prune(scope: &Scope<'_>, merged: Value, managers: &Managers, last: &FieldSet) -> Value {
    let node = scope.node;
    let named = |set: &FieldSet| set.with_named_fields(node);
    let last = named(last);
    let pruned = walk::remove(node, &merged, &last);
    // What others own, or the manager still does, comes back.
    let mut owned = FieldSet::default();
    managers.0.values().for_each(|manager| owned.unite(&manager.fields));
    let all = named(&walk::fields_of(node, &merged));
    let mut kept = named(&walk::fields_of(node, &pruned));
    kept.unite(&named(&owned));
    let pruned = walk::remove(node, &merged, &all.difference(&kept));
    // So does what the manager did not own.
    let kept = named(&walk::fields_of(node, &pruned));
    walk::remove(node, &merged, &all.difference(&kept).intersection(&last))
}

/// The fields that still are as `kubectl apply` set them by itself.
fn of_client_side_apply(scope: &Scope<'_>, live: &Value) -> FieldSet {
    let text = live["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap_or_default();
    let Ok(last) = crate::json::parse(text.as_bytes()) else { return FieldSet::default() };
    if last["apiVersion"].as_str() != Some(&*scope.api_version) {
        return FieldSet::default();
    }
    let fields = walk::fields_of(scope.node, &last);
    let differ = walk::compare(scope.node, &last, live);
    fields.difference(&differ.modified).difference(&differ.added).difference(&differ.removed)
}

/// Keeps the annotation of `kubectl apply` up to date, where there is one.
fn note_last_applied(mut applied: Applied, live: &Value, config: &Value) -> Applied {
    let object = applied.object.as_ref().unwrap_or(live);
    let has = object["metadata"]["annotations"][LAST_APPLIED].as_str();
    if has.is_none_or(str::is_empty) {
        return applied;
    }
    let mut config = config.clone();
    if let Some(annotations) = config.pointer_mut("/metadata/annotations")
        && let Some(annotations) = annotations.as_object_mut()
    {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{}\n", crate::json::to_go_text(&config));
    if has == Some(text.as_str()) {
        return applied;
    }
    let mut object = object.clone();
    if let Some(annotations) = object.pointer_mut("/metadata/annotations")
        && let Some(annotations) = annotations.as_object_mut()
    {
        annotations.insert(LAST_APPLIED.to_owned(), Value::from(text));
        let bytes =
            |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
        if annotations.iter().map(bytes).sum::<usize>() > names::ANNOTATIONS_BYTES_MAX {
            annotations.remove(LAST_APPLIED);
        }
    }
    applied.object = Some(object);
    applied
}

/// The answer to a configuration that does not fit its schema.
///
/// Upstream: `failed to create typed patch object`, `ValidationErrors`.
pub fn misfit(scope: &Scope<'_>, config: &Value, problems: &[String]) -> String {
    let meta = |field: &str| config["metadata"][field].as_str().unwrap_or_default();
    let version = &scope.api_version;
    let slash = if version.contains('/') { "" } else { "/" };
    let problems = match problems {
        [one] => one.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    format!(
        "failed to create typed patch object ({}/{}; {slash}{version}, Kind={}): {problems}",
        meta("namespace"),
        meta("name"),
        scope.kind,
    )
}

/// The answer to an apply that was refused.
///
/// Upstream: `NewConflictError`, `errors.NewApplyConflict`.
pub fn refused(conflicts: &[Conflict]) -> ApiError {
    let message = match conflicts {
        [one] => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            shown(&one.manager),
            Shown(&one.path)
        ),
        several => {
            let mut lines = Vec::new();
            let mut last = None;
            for conflict in several {
                if last != Some(&conflict.manager) {
                    lines.push(format!("conflicts with {}:", shown(&conflict.manager)));
                    last = Some(&conflict.manager);
                }
                lines.push(format!("- {}", Shown(&conflict.path)));
            }
            format!("Apply failed with {} conflicts: {}", several.len(), lines.join("\n"))
        }
    };
    let causes = conflicts.iter().map(|conflict| {
        let text = format!("conflict with {}", shown(&conflict.manager));
        ("FieldManagerConflict", text, Shown(&conflict.path).to_string())
    });
    ApiError::new(409, "Conflict", message).with_causes(causes)
}

/// `"kubelet" with subresource "status" using v1`.
fn shown(manager: &Manager) -> String {
    let mut text = quote(&manager.name);
    if !manager.subresource.is_empty() {
        text.push_str(&format!(" with subresource {}", quote(&manager.subresource)));
    }
    if manager.operation == Operation::Update {
        text.push_str(&format!(" using {}", manager.api_version));
    }
    text
}
