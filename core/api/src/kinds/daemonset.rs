//! Daemon sets.
//!
//! Upstream: `pkg/registry/apps/daemonset/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::apps::v1::DaemonSet;
use serde_json::Value;

static KIND: Kind = Names::new("apps", "v1", "DaemonSet", "daemonsets", "daemonset")
    .short(&["ds"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&DaemonSetStrategy);

impl Kube for DaemonSet {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct DaemonSetStrategy;

impl Strategy for DaemonSetStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<DaemonSet>(json)
    }
}
