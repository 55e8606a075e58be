//! Persistent volumes.
//!
//! Upstream: `pkg/registry/core/persistentvolume/strategy.go`, `SetDefaults_PersistentVolume`,
//! `ValidatePersistentVolume`, `printPersistentVolume`.

use super::cells;
use super::typed::{Typed, keep};
use crate::podspec::defaults::text;
use crate::time::meta_time;
use crate::{Cell, Column, Kind, KindRef, Kube, Names, UserInfo};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeStatus};
use naru_sim::Time;

static KIND: Kind =
    Names::new("", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume")
        .short(&["pv"])
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&PersistentVolumeStrategy);

/// Named the storage class before `spec.storageClassName` did.
pub(super) const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

impl Kube for PersistentVolume {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PersistentVolumeStrategy;

impl Typed for PersistentVolumeStrategy {
    type Object = PersistentVolume;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Capacity"),
        Column::new("Access Modes"),
        Column::new("Reclaim Policy"),
        Column::new("Status"),
        Column::new("Claim"),
        Column::new("StorageClass"),
        Column::new("VolumeAttributesClass"),
        Column::new("Reason"),
        Column::new("Age"),
        Column::wide("VolumeMode"),
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, volume: &mut PersistentVolume) {
        text(&mut volume.status.get_or_insert_default().phase, "Pending");
        let spec = volume.spec.get_or_insert_default();
        text(&mut spec.persistent_volume_reclaim_policy, "Retain");
        spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    }

    fn prepare_for_create(&self, volume: &mut PersistentVolume) {
        volume.status = Some(PersistentVolumeStatus {
            phase: Some("Pending".to_owned()),
            ..PersistentVolumeStatus::default()
        });
    }

    fn prepare_for_update(&self, new: &mut PersistentVolume, old: &PersistentVolume, sub: &str) {
        if sub == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    /// The moment of the last change of the phase.
    fn stamp(
        &self,
        new: &mut PersistentVolume,
        old: Option<&PersistentVolume>,
        _: &UserInfo,
        now: Time,
    ) {
        let status = new.status.get_or_insert_default();
        let before = old.and_then(|old| old.status.clone()).unwrap_or_default();
        let changed = status.phase != before.phase;
        let told = status.last_phase_transition_time.is_some()
            && status.last_phase_transition_time != before.last_phase_transition_time;
        if changed && !told {
            status.last_phase_transition_time = Some(meta_time(now));
        } else if !changed && !told {
            status.last_phase_transition_time = before.last_phase_transition_time;
        }
    }

    fn cells(&self, volume: &PersistentVolume, now: Time) -> Vec<Cell> {
        let spec = volume.spec.clone().unwrap_or_default();
        let status = volume.status.clone().unwrap_or_default();
        let capacity = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
        let claim = spec.claim_ref.map(|claim| {
            format!("{}/{}", claim.namespace.unwrap_or_default(), claim.name.unwrap_or_default())
        });
        let class =
            volume.metadata.annotations.iter().flatten().find(|(key, _)| *key == BETA_CLASS);
        let class = class.map(|(_, class)| class).or(spec.storage_class_name.as_ref());
        vec![
            cells::name(&volume.metadata),
            capacity.map_or("0", |quantity| quantity.0.as_str()).into(),
            cells::access_modes(spec.access_modes.as_ref()),
            cells::text(spec.persistent_volume_reclaim_policy.as_deref()),
            cells::phase(&volume.metadata, status.phase.as_deref()),
            cells::text(claim.as_deref()),
            cells::text(class.map(String::as_str)),
            cells::or_unset(spec.volume_attributes_class_name.as_deref()),
            cells::text(status.reason.as_deref()),
            cells::age(&volume.metadata, now),
            cells::or_unset(spec.volume_mode.as_deref()),
        ]
    }
}
