//! Leases.
//!
//! Upstream: `pkg/registry/coordination/lease/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

static KIND: Kind =
    Names::new("coordination.k8s.io", "v1", "Lease", "leases", "lease").kind(&LeaseStrategy);

impl Kube for Lease {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct LeaseStrategy;

impl Strategy for LeaseStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Lease>(json)
    }
}
