//! Endpoint slices.
//!
//! Upstream: `pkg/registry/discovery/endpointslice/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

static KIND: Kind =
    Names::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice")
        .kind(&EndpointSliceStrategy);

impl Kube for EndpointSlice {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointSliceStrategy;

impl Strategy for EndpointSliceStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<EndpointSlice>(json)
    }
}
