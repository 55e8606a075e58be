//! Endpoints.
//!
//! Upstream: `pkg/registry/core/endpoint/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Endpoints", "endpoints", "endpoints")
    .short(&["ep"])
    .kind(&EndpointsStrategy);

impl Kube for Endpoints {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointsStrategy;

impl Strategy for EndpointsStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Endpoints>(json)
    }
}
