//! Namespaces.
//!
//! Upstream: `pkg/registry/core/namespace/strategy.go`, `SetDefaults_Namespace`, `printNamespace`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, names};
use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "Namespace", "namespaces", "namespace")
    .short(&["ns"])
    .cluster_scoped()
    .verbs(&["create", "delete", "get", "list", "patch", "update", "watch"])
    .subresources(&["finalize", "status"])
    .kind(&NamespaceStrategy);

/// The finalizer in `spec.finalizers` that keeps a namespace until it is empty.
const FINALIZER: &str = "kubernetes";
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

impl Kube for Namespace {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NamespaceStrategy;

impl Typed for NamespaceStrategy {
    type Object = Namespace;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Status"), Column::new("Age")];

    const FIELDS: &'static [&'static str] = &["status.phase"];

    const RETURNS_DELETED: bool = true;

    fn default(&self, namespace: &mut Namespace) {
        let status = namespace.status.get_or_insert_default();
        status.phase.get_or_insert_with(|| "Active".to_owned());
        if let Some(name) = namespace.metadata.name.clone().filter(|name| !name.is_empty()) {
            let labels = namespace.metadata.labels.get_or_insert_default();
            labels.insert(NAME_LABEL.to_owned(), name);
        }
    }

    fn prepare_for_create(&self, namespace: &mut Namespace) {
        Typed::default(self, namespace);
        namespace.status = Some(NamespaceStatus {
            phase: Some("Active".to_owned()),
            ..NamespaceStatus::default()
        });
        let spec = namespace.spec.get_or_insert_default();
        let finalizers = spec.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|name| name == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
    }

    fn prepare_for_update(&self, new: &mut Namespace, old: &Namespace, subresource: &str) {
        match subresource {
            "status" => keep(&mut new.spec, &old.spec),
            "finalize" => keep(&mut new.status, &old.status),
            _ => {
                keep(&mut new.spec, &old.spec);
                keep(&mut new.status, &old.status);
            }
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::dns1123_label(name)
    }

    fn validate(&self, namespace: &Namespace) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for finalizer in finalizers(namespace) {
            validate_finalizer(finalizer, "spec.finalizers", &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Namespace, _: &Namespace, sub: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let deleted = new.metadata.deletion_timestamp.is_some();
        let phase = new.status.as_ref().and_then(|status| status.phase.as_deref());
        let phase = phase.unwrap_or_default();
        match sub {
            "status" if deleted && phase != "Terminating" => {
                let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
                errors.push(FieldError::invalid("status.Phase", phase, detail));
            }
            "status" if !deleted && phase != "Active" => {
                let detail = "may only be 'Active' if `deletionTimestamp` is empty";
                errors.push(FieldError::invalid("status.Phase", phase, detail));
            }
            "finalize" => {
                for (index, finalizer) in finalizers(new).iter().enumerate() {
                    let field = format!("spec.finalizers[{index}]");
                    validate_finalizer(finalizer, &field, &mut errors);
                }
            }
            _ => {}
        }
        errors
    }

    fn cells(&self, namespace: &Namespace, now: Time) -> Vec<Cell> {
        let status = namespace.status.as_ref();
        vec![
            cells::name(&namespace.metadata),
            cells::text(status.and_then(|status| status.phase.as_deref())),
            cells::age(&namespace.metadata, now),
        ]
    }

    fn field(&self, namespace: &Namespace, path: &str) -> Option<String> {
        (path == "status.phase").then(|| namespace.status.as_ref()?.phase.clone())?
    }
}

fn finalizers(namespace: &Namespace) -> &[String] {
    namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_deref()).unwrap_or_default()
}

fn validate_finalizer(name: &str, field: &str, errors: &mut Vec<FieldError>) {
    const STANDARD: [&str; 3] = [FINALIZER, "orphan", "foregroundDeletion"];
    let problems = names::qualified_name(name);
    errors.extend(problems.iter().map(|why| FieldError::invalid(field, name, why)));
    if !name.contains('/') && !STANDARD.contains(&name) {
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(field, name, detail));
    }
}
