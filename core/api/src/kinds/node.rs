//! Nodes.
//!
//! Upstream: `pkg/registry/core/node/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Node", "nodes", "node")
    .short(&["no"])
    .cluster_scoped()
    .subresources(&["status"])
    .kind(&NodeStrategy);

impl Kube for Node {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NodeStrategy;

impl Strategy for NodeStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Node>(json)
    }
}
