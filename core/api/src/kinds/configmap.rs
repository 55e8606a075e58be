//! Config maps.
//!
//! Upstream: `pkg/registry/core/configmap/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "ConfigMap", "configmaps", "configmap")
    .short(&["cm"])
    .kind(&ConfigMapStrategy);

impl Kube for ConfigMap {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ConfigMapStrategy;

impl Strategy for ConfigMapStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<ConfigMap>(json)
    }
}
