//! Services.
//!
//! Upstream: `pkg/registry/core/service/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Service", "services", "service")
    .short(&["svc"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&ServiceStrategy);

impl Kube for Service {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ServiceStrategy;

impl Strategy for ServiceStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Service>(json)
    }
}
