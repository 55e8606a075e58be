//! CSI drivers.
//!
//! Upstream: `pkg/registry/storage/csidriver/strategy.go`, `SetDefaults_CSIDriver`,
//! `ValidateCSIDriver`, `printCSIDriver`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::storage::v1::CSIDriver;
use naru_sim::Time;

static KIND: Kind = Names::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers", "csidriver")
    .cluster_scoped()
    .kind(&CSIDriverStrategy);

impl Kube for CSIDriver {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CSIDriverStrategy;

impl Typed for CSIDriverStrategy {
    type Object = CSIDriver;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("AttachRequired").boolean(),
        Column::new("PodInfoOnMount").boolean(),
        Column::new("StorageCapacity").boolean(),
        Column::new("TokenRequests"),
        Column::new("RequiresRepublish").boolean(),
        Column::new("Modes"),
        Column::new("Age"),
    ];

    const RETURNS_DELETED: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, driver: &mut CSIDriver) {
        let spec = &mut driver.spec;
        spec.attach_required.get_or_insert(true);
        spec.pod_info_on_mount.get_or_insert(false);
        spec.storage_capacity.get_or_insert(false);
        spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".to_owned());
        if spec.volume_lifecycle_modes.as_ref().is_none_or(Vec::is_empty) {
            spec.volume_lifecycle_modes = Some(vec!["Persistent".to_owned()]);
        }
        spec.requires_republish.get_or_insert(false);
        spec.se_linux_mount.get_or_insert(false);
    }

    /// Drops what only the feature MutableCSINodeAllocatableCount, which is off, would keep.
    fn prepare_for_create(&self, driver: &mut CSIDriver) {
        driver.spec.node_allocatable_update_period_seconds = None;
    }

    fn prepare_for_update(&self, new: &mut CSIDriver, old: &CSIDriver, _: &str) {
        new.spec.node_allocatable_update_period_seconds = None;
        if new.spec != old.spec {
            new.metadata.generation = Some(old.metadata.generation.unwrap_or(0) + 1);
        }
    }

    fn cells(&self, driver: &CSIDriver, now: Time) -> Vec<Cell> {
        let spec = &driver.spec;
        let audiences = spec.token_requests.as_ref().map(|requests| {
            let audiences: Vec<&str> = requests.iter().map(|one| one.audience.as_str()).collect();
            audiences.join(",")
        });
        let modes = spec.volume_lifecycle_modes.as_deref().unwrap_or_default().join(",");
        vec![
            cells::name(&driver.metadata),
            spec.attach_required.unwrap_or(true).into(),
            spec.pod_info_on_mount.unwrap_or(false).into(),
            spec.storage_capacity.unwrap_or(false).into(),
            cells::or_unset(audiences.as_deref()),
            spec.requires_republish.unwrap_or(false).into(),
            cells::or_none(Some(&modes)),
            cells::age(&driver.metadata, now),
        ]
    }
}
