//! CSI storage capacities.
//!
//! Upstream: `pkg/registry/storage/csistoragecapacity/strategy.go`, `ValidateCSIStorageCapacity`,
//! `printCSIStorageCapacity`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::storage::v1::CSIStorageCapacity;
use naru_sim::Time;

static KIND: Kind = Names::new(
    "storage.k8s.io",
    "v1",
    "CSIStorageCapacity",
    "csistoragecapacities",
    "csistoragecapacity",
)
.kind(&CSIStorageCapacityStrategy);

impl Kube for CSIStorageCapacity {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CSIStorageCapacityStrategy;

impl Typed for CSIStorageCapacityStrategy {
    type Object = CSIStorageCapacity;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("StorageClassName"), Column::new("Capacity")];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn cells(&self, capacity: &CSIStorageCapacity, _: Time) -> Vec<Cell> {
        vec![
            cells::name(&capacity.metadata),
            capacity.storage_class_name.as_str().into(),
            cells::or_unset(capacity.capacity.as_ref().map(|quantity| quantity.0.as_str())),
        ]
    }
}
