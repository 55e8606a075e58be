//! CSI nodes: the drivers of a node.
//!
//! Upstream: `pkg/registry/storage/csinode/strategy.go`, `ValidateCSINode`, `printCSINode`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::storage::v1::CSINode;
use naru_sim::Time;

static KIND: Kind = Names::new("storage.k8s.io", "v1", "CSINode", "csinodes", "csinode")
    .cluster_scoped()
    .kind(&CSINodeStrategy);

impl Kube for CSINode {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CSINodeStrategy;

impl Typed for CSINodeStrategy {
    type Object = CSINode;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Drivers").integer(), Column::new("Age")];

    const RETURNS_DELETED: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn cells(&self, node: &CSINode, now: Time) -> Vec<Cell> {
        let age = cells::age(&node.metadata, now);
        vec![cells::name(&node.metadata), node.spec.drivers.len().into(), age]
    }
}
