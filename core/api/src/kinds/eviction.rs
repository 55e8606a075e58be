//! The body of a request to evict a pod.
//!
//! Upstream: `pkg/registry/core/pod/storage/eviction.go`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::policy::v1::Eviction;
use naru_sim::Time;

/// It has no resource of its own; it is only ever sent to a pod.
static KIND: Kind =
    Names::new("policy", "v1", "Eviction", "evictions", "").verbs(&[]).kind(&Evictions);

impl Kube for Eviction {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct Evictions;

impl Typed for Evictions {
    type Object = Eviction;

    const COLUMNS: &'static [Column] = &[Column::new("Name"), Column::new("Age")];

    fn cells(&self, object: &Eviction, now: Time) -> Vec<Cell> {
        vec![cells::name(&object.metadata), cells::age(&object.metadata, now)]
    }
}
