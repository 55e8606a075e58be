//! Namespaces.
//!
//! Upstream: `pkg/registry/core/namespace/strategy.go`, `SetDefaults_Namespace`, `printNamespace`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, Kind, KindRef, Kube, Names, names};
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

    const RETURNS_DELETED: bool = true;

    const FIELDS: &'static [&'static str] = &["status.phase"];

    fn default(&self, namespace: &mut Namespace) {
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
