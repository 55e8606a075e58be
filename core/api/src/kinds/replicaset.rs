//! Replica sets.
//!
//! Upstream: `pkg/registry/apps/replicaset/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;

static KIND: Kind = Names::new("apps", "v1", "ReplicaSet", "replicasets", "replicaset")
    .short(&["rs"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&ReplicaSetStrategy);

impl Kube for ReplicaSet {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ReplicaSetStrategy;

impl Strategy for ReplicaSetStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<ReplicaSet>(json)
    }
}
