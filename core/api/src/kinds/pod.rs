//! Pods.
//!
//! Upstream: `pkg/registry/core/pod/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Pod", "pods", "pod")
    .short(&["po"])
    .categories(&["all"])
    .subresources(&["attach", "binding", "exec", "log", "status"])
    .kind(&PodStrategy);

impl Kube for Pod {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PodStrategy;

impl Strategy for PodStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Pod>(json)
    }
}
