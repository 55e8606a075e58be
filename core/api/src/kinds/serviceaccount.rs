//! Service accounts.
//!
//! Upstream: `pkg/registry/core/serviceaccount/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount")
    .short(&["sa"])
    .kind(&ServiceAccountStrategy);

impl Kube for ServiceAccount {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ServiceAccountStrategy;

impl Strategy for ServiceAccountStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<ServiceAccount>(json)
    }
}
