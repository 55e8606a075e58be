//! Where containers see volumes.
//!
//! Upstream: `ValidateVolumeMounts`, `ValidateVolumeDevices`.

use super::volumes::{has_backsteps, relative_path};
use super::{Errors, known_or_none, required};
use crate::{FieldError, Path};
use k8s_openapi::api::core::v1::{Container, Volume, VolumeDevice, VolumeMount};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with `volumeMounts` and `volumeDevices` of a container.
pub(super) fn validate(
    container: &Container,
    volumes: &BTreeMap<&str, &Volume>,
    item: &Path<'_>,
    errors: &mut Errors,
) {
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    let devices = container.volume_devices.as_deref().unwrap_or_default();
    let list = item.child("volumeMounts");
    let mut seen = BTreeSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let item = list.index(index);
        let (name, path) = (item.child("name"), item.child("mountPath"));
        required(&mount.name, &name, errors);
        if !volumes.contains_key(mount.name.as_str()) {
            errors.push(FieldError::not_found(name, &mount.name));
        }
        required(&mount.mount_path, &path, errors);
        if !seen.insert(&mount.mount_path) {
            errors.push(FieldError::invalid(path, &mount.mount_path, "must be unique"));
        }
        if devices.iter().any(|device| device.name == mount.name) {
            let detail = "must not already exist in volumeDevices";
            errors.push(FieldError::invalid(name, &mount.name, detail));
        }
        if devices.iter().any(|device| device.device_path == mount.mount_path) {
            let detail = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid(path, &mount.mount_path, detail));
        }
        parts(mount, container, &list, &item, errors);
    }
    self::devices(devices, mounts, volumes, &item.child("volumeDevices"), errors);
}

/// What of a volume is seen, and how. Upstream gives most of these the path of the list.
fn parts(
    mount: &VolumeMount,
    container: &Container,
    list: &Path<'_>,
    item: &Path<'_>,
    errors: &mut Errors,
) {
    let sub_path = mount.sub_path.as_deref().unwrap_or_default();
    relative_path(sub_path, &list.child("subPath"), errors);
    if let Some(expression) = mount.sub_path_expr.as_deref().filter(|text| !text.is_empty()) {
        if !sub_path.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(item.child("subPathExpr"), expression, detail));
        }
        relative_path(expression, &list.child("subPathExpr"), errors);
    }
    let propagation = mount.mount_propagation.as_deref();
    let field = list.child("mountPropagation");
    const MODES: &[&str] = &["Bidirectional", "HostToContainer", "None"];
    known_or_none(propagation, MODES, &field, errors);
    let context = container.security_context.as_ref();
    let privileged = context.and_then(|context| context.privileged) == Some(true);
    if propagation == Some("Bidirectional") && !privileged {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(FieldError::forbidden(field, detail));
    }
    let field = list.child("recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                let detail = "may only be specified when readOnly is true";
                errors.push(FieldError::forbidden(field, detail));
            }
            if propagation.is_some_and(|mode| mode != "None") {
                let detail = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(field, detail));
            }
        }
        Some(other) => {
            let known = &["Disabled", "Enabled", "IfPossible"];
            errors.push(FieldError::not_supported(field, other, known));
        }
    }
}

fn devices(
    devices: &[VolumeDevice],
    mounts: &[VolumeMount],
    volumes: &BTreeMap<&str, &Volume>,
    list: &Path<'_>,
    errors: &mut Errors,
) {
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in devices.iter().enumerate() {
        let item = list.index(index);
        let (name, path) = (item.child("name"), item.child("devicePath"));
        let invalid_name = |why: &str| FieldError::invalid(name, &device.name, why);
        let invalid_path = |why: &str| FieldError::invalid(path, &device.device_path, why);
        required(&device.name, &name, errors);
        if names.contains(&device.name) {
            errors.push(invalid_name("must be unique"));
        }
        match volumes.get(device.name.as_str()) {
            None => errors.push(FieldError::not_found(name, &device.name)),
            Some(volume)
                if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() =>
            {
                errors.push(invalid_name(
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for \
                     block mode",
                ));
            }
            Some(_) => {}
        }
        required(&device.device_path, &path, errors);
        if paths.contains(&device.device_path) {
            errors.push(invalid_path("must be unique"));
        }
        if has_backsteps(&device.device_path) {
            errors.push(invalid_path("can not contain backsteps ('..')"));
        } else {
            paths.insert(&device.device_path);
        }
        if mounts.iter().any(|mount| mount.name == device.name) {
            errors.push(invalid_name("must not already exist in volumeMounts"));
        }
        if mounts.iter().any(|mount| mount.mount_path == device.device_path) {
            errors.push(invalid_path("must not already exist as a path in volumeMounts"));
        }
        if !device.name.is_empty() {
            names.insert(&device.name);
        }
    }
}
