//! Events.
//!
//! Upstream: `pkg/registry/core/event/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

static KIND: Kind =
    Names::new("", "v1", "Event", "events", "event").short(&["ev"]).kind(&EventStrategy);

impl Kube for Event {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EventStrategy;

impl Strategy for EventStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Event>(json)
    }
}
