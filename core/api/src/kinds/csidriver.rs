//! CSI drivers.
//!
//! Upstream: `pkg/registry/storage/csidriver/strategy.go`, `SetDefaults_CSIDriver`,
//! `ValidateCSIDriver`, `printCSIDriver`.

use super::typed::Typed;
use super::{cells, storage};
use crate::gofmt::quote_all;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use k8s_openapi::api::storage::v1::{CSIDriver, TokenRequest};
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind = Names::new(storage::GROUP, "v1", "CSIDriver", "csidrivers", "csidriver")
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

    fn validate(&self, driver: &CSIDriver) -> Vec<FieldError> {
        let spec = &driver.spec;
        let path = Path::new("spec");
        let mut errors = Vec::new();
        const POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
        let policy = spec.fs_group_policy.as_deref().unwrap_or_default();
        if !POLICIES.contains(&policy) {
            let field = path.child("fsGroupPolicy");
            errors.push(FieldError::not_supported(field, policy, POLICIES));
        }
        let requests = spec.token_requests.as_deref().unwrap_or_default();
        validate_tokens(requests, &path.child("tokenRequests"), &mut errors);
        const MODES: &[&str] = &["Persistent", "Ephemeral"];
        let modes = spec.volume_lifecycle_modes.iter().flatten();
        for mode in modes.filter(|mode| !MODES.contains(&mode.as_str())) {
            let field = path.child("volumeLifecycleModes");
            errors.push(FieldError::not_supported(field, mode, MODES));
        }
        errors
    }

    fn validate_update(&self, new: &CSIDriver, old: &CSIDriver, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        let detail = "field is immutable";
        if new.spec.attach_required != old.spec.attach_required {
            let value = new.spec.attach_required.unwrap_or(true);
            // The field has another name in this message only.
            errors.push(FieldError::invalid_raw("spec.attachedRequired", value, detail));
        }
        if new.spec.volume_lifecycle_modes != old.spec.volume_lifecycle_modes {
            let modes = new.spec.volume_lifecycle_modes.as_deref().unwrap_or_default();
            let value = format!("[]storage.VolumeLifecycleMode{{{}}}", quote_all(modes));
            errors.push(FieldError::invalid_raw("spec.volumeLifecycleModes", value, detail));
        }
        errors
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

/// Each audience once, and none for less than ten minutes.
fn validate_tokens(requests: &[TokenRequest], list: &Path<'_>, errors: &mut Vec<FieldError>) {
    const SECONDS_MIN: i64 = 10 * 60;
    const SECONDS_MAX: i64 = 1 << 32;
    let mut audiences = BTreeSet::new();
    for (index, request) in requests.iter().enumerate() {
        let item = list.index(index);
        if !audiences.insert(&request.audience) {
            errors.push(FieldError::duplicate(item.child("audience"), &request.audience));
            continue;
        }
        let field = item.child("expirationSeconds");
        let detail = match request.expiration_seconds {
            Some(seconds) if seconds < SECONDS_MIN => {
                "may not specify a duration less than 10 minutes"
            }
            Some(seconds) if seconds > SECONDS_MAX => {
                "may not specify a duration larger than 2^32 seconds"
            }
            _ => continue,
        };
        let seconds = request.expiration_seconds.unwrap_or(0);
        errors.push(FieldError::invalid_raw(field, seconds, detail));
    }
}
