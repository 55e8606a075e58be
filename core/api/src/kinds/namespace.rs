//! Namespaces.
//!
//! Upstream: `pkg/registry/core/namespace/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Namespace;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Namespace", "namespaces", "namespace")
    .short(&["ns"])
    .cluster_scoped()
    .verbs(&["create", "delete", "get", "list", "patch", "update", "watch"])
    .subresources(&["finalize", "status"])
    .kind(&NamespaceStrategy);

impl Kube for Namespace {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NamespaceStrategy;

impl Strategy for NamespaceStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Namespace>(json)
    }
}
