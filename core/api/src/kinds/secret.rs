//! Secrets.
//!
//! Upstream: `pkg/registry/core/secret/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Secret", "secrets", "secret").kind(&SecretStrategy);

impl Kube for Secret {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct SecretStrategy;

impl Strategy for SecretStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Secret>(json)
    }
}
