//! Persistent volume claims.
//!
//! Upstream: `pkg/registry/core/persistentvolumeclaim/strategy.go`,
//! `SetDefaults_PersistentVolumeClaim`, `ValidatePersistentVolumeClaim`,
//! `printPersistentVolumeClaim`.

use super::cells;
use super::persistentvolume::BETA_CLASS;
use super::typed::{Typed, keep};
use crate::podspec::defaults::text;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};
use naru_sim::Time;

static KIND: Kind = Names::new(
    "",
    "v1",
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    "persistentvolumeclaim",
)
.short(&["pvc"])
.subresources(&["status"])
.kind(&PersistentVolumeClaimStrategy);

impl Kube for PersistentVolumeClaim {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PersistentVolumeClaimStrategy;

impl Typed for PersistentVolumeClaimStrategy {
    type Object = PersistentVolumeClaim;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Volume"),
        Column::new("Capacity"),
        Column::new("Access Modes"),
        Column::new("StorageClass"),
        Column::new("VolumeAttributesClass"),
        Column::new("Age"),
        Column::wide("VolumeMode"),
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, claim: &mut PersistentVolumeClaim) {
        text(&mut claim.status.get_or_insert_default().phase, "Pending");
        let spec = claim.spec.get_or_insert_default();
        spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    }

    fn prepare_for_create(&self, claim: &mut PersistentVolumeClaim) {
        claim.status = Some(PersistentVolumeClaimStatus {
            phase: Some("Pending".to_owned()),
            ..PersistentVolumeClaimStatus::default()
        });
    }

    fn prepare_for_update(
        &self,
        new: &mut PersistentVolumeClaim,
        old: &PersistentVolumeClaim,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn cells(&self, claim: &PersistentVolumeClaim, now: Time) -> Vec<Cell> {
        let spec = claim.spec.clone().unwrap_or_default();
        let status = claim.status.clone().unwrap_or_default();
        let volume = spec.volume_name.unwrap_or_default();
        let bound = (!volume.is_empty()).then_some(&status);
        let capacity = bound.map(|status| {
            let storage = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
            storage.map_or("0", |quantity| quantity.0.as_str())
        });
        let class = claim.metadata.annotations.iter().flatten().find(|(key, _)| *key == BETA_CLASS);
        let class = class.map(|(_, class)| class).or(spec.storage_class_name.as_ref());
        vec![
            cells::name(&claim.metadata),
            cells::phase(&claim.metadata, status.phase.as_deref()),
            cells::text(Some(&volume)),
            cells::text(capacity),
            cells::access_modes(bound.and_then(|status| status.access_modes.as_ref())),
            cells::text(class.map(String::as_str)),
            cells::or_unset(spec.volume_attributes_class_name.as_deref()),
            cells::age(&claim.metadata, now),
            cells::or_unset(spec.volume_mode.as_deref()),
        ]
    }
}
