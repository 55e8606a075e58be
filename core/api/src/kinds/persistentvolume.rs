//! Persistent volumes.
//!
//! Upstream: `pkg/registry/core/persistentvolume/strategy.go`, `SetDefaults_PersistentVolume`,
//! `ValidatePersistentVolume`, `printPersistentVolume`.

use super::typed::{Typed, keep};
use super::{cells, storage};
use crate::gofmt::quote;
use crate::podspec::defaults::text;
use crate::podspec::validation::all_invalid;
use crate::quantity::{self, Amount};
use crate::time::meta_time;
use crate::volumes::{self, BETA_CLASS};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, UserInfo};
use crate::{names, nodelabels};
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, HostPathVolumeSource, NFSVolumeSource, PersistentVolume,
    PersistentVolumeSpec, PersistentVolumeStatus, SecretReference, VolumeNodeAffinity,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_sim::Time;
use std::collections::BTreeMap;

static KIND: Kind =
    Names::new("", "v1", "PersistentVolume", "persistentvolumes", "persistentvolume")
        .short(&["pv"])
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&PersistentVolumeStrategy);

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
        if let Some(source) = &mut spec.host_path {
            source.type_.get_or_insert_default();
        }
        if let Some(source) = &mut spec.iscsi {
            text(&mut source.iscsi_interface, "default");
        }
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

    fn validate(&self, volume: &PersistentVolume) -> Vec<FieldError> {
        let spec = volume.spec.clone().unwrap_or_default();
        let path = Path::new("spec");
        let mut errors = Vec::new();
        let modes = spec.access_modes.as_deref().unwrap_or_default();
        storage::access_modes(modes, "", &path.child("accessModes"), &mut errors);
        validate_capacity(spec.capacity.as_ref(), &path.child("capacity"), &mut errors);
        const POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];
        let policy = spec.persistent_volume_reclaim_policy.as_deref().unwrap_or_default();
        let field = path.child("persistentVolumeReclaimPolicy");
        if !POLICIES.contains(&policy) {
            errors.push(FieldError::not_supported(field, policy, POLICIES));
        }
        if let Some(affinity) = &spec.node_affinity {
            validate_affinity(affinity, &path.child("nodeAffinity"), &mut errors);
        }
        validate_source(&spec, &path, &mut errors);
        let root = spec.host_path.as_ref().is_some_and(|source| is_root(&source.path));
        if root && policy == "Recycle" {
            let detail = "may not be 'recycle' for a hostPath mount of '/'";
            errors.push(FieldError::forbidden(field, detail));
        }
        let class = spec.storage_class_name.as_deref();
        storage::class_name(class, &path.child("storageClassName"), &mut errors);
        storage::volume_mode(spec.volume_mode.as_deref(), &path.child("volumeMode"), &mut errors);
        validate_mount_options(volume, &spec, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &PersistentVolume,
        old: &PersistentVolume,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return Vec::new();
        }
        let mut errors = Typed::validate(self, new);
        let (is, was) =
            (new.spec.clone().unwrap_or_default(), old.spec.clone().unwrap_or_default());
        if source_of(&is) != source_of(&was) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            errors.push(FieldError::forbidden("spec.persistentvolumesource", detail));
        }
        if is.volume_mode != was.volume_mode {
            let mode = is.volume_mode.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid("volumeMode", mode, "field is immutable"));
        }
        if was.node_affinity.is_some() && is.node_affinity != was.node_affinity {
            let detail = "field is immutable, except for updating from beta label to GA";
            errors.push(FieldError::invalid_raw("nodeAffinity", go_affinity(&is), detail));
        }
        if is.volume_attributes_class_name != was.volume_attributes_class_name {
            let detail =
                "update is forbidden when the VolumeAttributesClass feature gate is disabled";
            errors.push(FieldError::forbidden("spec.volumeAttributesClassName", detail));
        }
        errors
    }

    fn warnings(&self, volume: &PersistentVolume, _: Option<&PersistentVolume>) -> Vec<String> {
        volume.spec.as_ref().map(|spec| warnings(volume, spec)).unwrap_or_default()
    }

    fn cells(&self, volume: &PersistentVolume, now: Time) -> Vec<Cell> {
        let spec = volume.spec.clone().unwrap_or_default();
        let status = volume.status.clone().unwrap_or_default();
        let capacity = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
        let claim = spec.claim_ref.map(|claim| {
            format!("{}/{}", claim.namespace.unwrap_or_default(), claim.name.unwrap_or_default())
        });
        vec![
            cells::name(&volume.metadata),
            capacity.map_or("0", |quantity| quantity.0.as_str()).into(),
            cells::access_modes(spec.access_modes.as_ref()),
            cells::text(spec.persistent_volume_reclaim_policy.as_deref()),
            cells::phase(&volume.metadata, status.phase.as_deref()),
            cells::text(claim.as_deref()),
            cells::text(Some(volumes::volume_class(volume))),
            cells::or_unset(spec.volume_attributes_class_name.as_deref()),
            cells::text(status.reason.as_deref()),
            cells::age(&volume.metadata, now),
            cells::or_unset(spec.volume_mode.as_deref()),
        ]
    }
}

fn validate_capacity(
    capacity: Option<&BTreeMap<String, Quantity>>,
    field: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let empty = BTreeMap::new();
    let capacity = capacity.unwrap_or(&empty);
    if capacity.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    if !capacity.contains_key("storage") || capacity.len() > 1 {
        let value = match capacity.len() {
            0 => "core.ResourceList(nil)".to_owned(),
            _ => {
                let entries = capacity.iter();
                let entries =
                    entries.map(|(k, v)| format!("{}:{}", quote(k), quantity::go_syntax(v)));
                format!("core.ResourceList{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        };
        errors.push(FieldError::not_supported_raw(field, value, &["storage"]));
    }
    for (name, quantity) in capacity {
        let field = field.key(name);
        let amount = Amount::of(quantity);
        if amount.value() < 0 {
            let detail = "must be a valid resource quantity";
            errors.push(FieldError::invalid_raw(field, amount.value(), detail));
        }
        if amount <= Amount::ZERO {
            let detail = "must be greater than zero";
            errors.push(FieldError::invalid(field, &amount.to_string(), detail));
        }
    }
}

fn validate_affinity(affinity: &VolumeNodeAffinity, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let field = path.child("required");
    match &affinity.required {
        Some(selector) => errors.extend(nodelabels::validate_selector(selector, &field)),
        None => {
            let detail = "must specify required node constraints";
            errors.push(FieldError::required(field, detail));
        }
    }
}

/// The sources of a volume that are set, in the order in which upstream looks at them.
fn sources(spec: &PersistentVolumeSpec) -> Vec<&'static str> {
    let all = [
        ("hostPath", spec.host_path.is_some()),
        ("gcePersistentDisk", spec.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", spec.aws_elastic_block_store.is_some()),
        ("glusterfs", spec.glusterfs.is_some()),
        ("flocker", spec.flocker.is_some()),
        ("nfs", spec.nfs.is_some()),
        ("rbd", spec.rbd.is_some()),
        ("quobyte", spec.quobyte.is_some()),
        ("cephFS", spec.cephfs.is_some()),
        ("iscsi", spec.iscsi.is_some()),
        ("cinder", spec.cinder.is_some()),
        ("fc", spec.fc.is_some()),
        ("flexVolume", spec.flex_volume.is_some()),
        ("azureFile", spec.azure_file.is_some()),
        ("vsphereVolume", spec.vsphere_volume.is_some()),
        ("photonPersistentDisk", spec.photon_persistent_disk.is_some()),
        ("portworxVolume", spec.portworx_volume.is_some()),
        ("azureDisk", spec.azure_disk.is_some()),
        ("scaleIO", spec.scale_io.is_some()),
        ("local", spec.local.is_some()),
        ("storageos", spec.storageos.is_some()),
        ("csi", spec.csi.is_some()),
    ];
    all.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

/// The sources of clouds and of clusters of disks are not looked into: only that there is one.
fn validate_source(spec: &PersistentVolumeSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let sources = sources(spec);
    let Some((first, others)) = sources.split_first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    let item = path.child(first);
    match *first {
        "hostPath" => spec.host_path.iter().for_each(|source| host_path(source, &item, errors)),
        "nfs" => spec.nfs.iter().for_each(|source| nfs(source, &item, errors)),
        "local" => local(spec, &item, path, errors),
        "csi" => spec.csi.iter().for_each(|source| csi(source, &item, errors)),
        _ => {}
    }
    for name in others {
        let detail = "may not specify more than 1 volume type";
        errors.push(FieldError::forbidden(path.child(name), detail));
    }
}

fn host_path(source: &HostPathVolumeSource, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &[
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    if source.path.is_empty() {
        errors.push(FieldError::required(item.child("path"), ""));
        return;
    }
    no_backsteps(&source.path, &item.child("path"), errors);
    if let Some(type_) = source.type_.as_deref().filter(|type_| !TYPES.contains(type_)) {
        errors.push(FieldError::not_supported(item.child("type"), type_, TYPES));
    }
}

fn nfs(source: &NFSVolumeSource, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    if source.server.is_empty() {
        errors.push(FieldError::required(item.child("server"), ""));
    }
    if source.path.is_empty() {
        errors.push(FieldError::required(item.child("path"), ""));
    }
    if !source.path.starts_with('/') {
        let detail = "must be an absolute path";
        errors.push(FieldError::invalid(item.child("path"), &source.path, detail));
    }
}

fn local(
    spec: &PersistentVolumeSpec,
    item: &Path<'_>,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let source = spec.local.as_ref().map_or("", |source| source.path.as_str());
    if source.is_empty() {
        errors.push(FieldError::required(item.child("path"), ""));
    } else {
        no_backsteps(source, &item.child("path"), errors);
    }
    if spec.node_affinity.is_none() {
        let detail = "Local volume requires node affinity";
        errors.push(FieldError::required(path.child("nodeAffinity"), detail));
    }
}

fn csi(source: &CSIPersistentVolumeSource, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    storage::driver_name(&source.driver, &item.child("driver"), errors);
    if source.volume_handle.is_empty() {
        errors.push(FieldError::required(item.child("volumeHandle"), ""));
    }
    let secrets = [
        ("controllerPublishSecretRef", &source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &source.controller_expand_secret_ref),
        ("nodePublishSecretRef", &source.node_publish_secret_ref),
        ("nodeExpandSecretRef", &source.node_expand_secret_ref),
    ];
    for (field, secret) in secrets {
        if let Some(secret) = secret {
            secret_reference(secret, &item.child(field), errors);
        }
    }
}

/// Upstream: `validatePVSecretReference`.
fn secret_reference(secret: &SecretReference, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    type Check = fn(&str) -> Vec<String>;
    let parts: [(&str, &Option<String>, Check); 2] = [
        ("name", &secret.name, names::dns1123_subdomain),
        ("namespace", &secret.namespace, names::dns1123_label),
    ];
    for (field, value, check) in parts {
        let field = item.child(field);
        match value.as_deref().unwrap_or_default() {
            "" => errors.push(FieldError::required(field, "")),
            value => all_invalid(check(value), value, &field, errors),
        }
    }
}

fn no_backsteps(path: &str, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    if path.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(field, path, "must not contain '..'"));
    }
}

fn is_root(path: &str) -> bool {
    let clean: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    path.starts_with('/') && clean.is_empty()
}

/// Upstream: `checkMountOption` in `pkg/volume/validation/pv_validation.go`.
fn validate_mount_options(
    volume: &PersistentVolume,
    spec: &PersistentVolumeSpec,
    errors: &mut Vec<FieldError>,
) {
    const ANNOTATION: &str = "volume.beta.kubernetes.io/mount-options";
    const UNABLE: [&str; 9] = [
        "hostPath",
        "flocker",
        "fc",
        "flexVolume",
        "portworxVolume",
        "scaleIO",
        "local",
        "storageos",
        "csi",
    ];
    let given =
        volume.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(ANNOTATION));
    if given && sources(spec).iter().all(|source| UNABLE.contains(source)) {
        let metadata = Path::new("metadata");
        let annotations = metadata.child("annotations");
        let detail = "may not specify mount options for this volume type";
        errors.push(FieldError::forbidden(annotations.child(ANNOTATION), detail));
    }
}

/// What is wrong with a volume that a volume attachment holds itself.
pub(super) fn validate_inline(spec: &PersistentVolumeSpec, path: &Path<'_>) -> Vec<FieldError> {
    const CONTEXT: &str = "in the context of inline volumes";
    let mut errors = Vec::new();
    let not = "may not be specified in the context of inline volumes";
    if spec.claim_ref.is_some() {
        errors.push(FieldError::forbidden(path.child("claimRef"), not));
    }
    if spec.capacity.as_ref().is_some_and(|capacity| !capacity.is_empty()) {
        errors.push(FieldError::forbidden(path.child("capacity"), not));
    }
    if spec.csi.is_none() {
        let detail = format!("has to be specified {CONTEXT}");
        errors.push(FieldError::required(path.child("csi"), &detail));
    }
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    storage::access_modes(modes, "", &path.child("accessModes"), &mut errors);
    let policy = spec.persistent_volume_reclaim_policy.as_deref().unwrap_or_default();
    if !matches!(policy, "" | "Retain") {
        let detail = format!("may only be Retain {CONTEXT}");
        errors.push(FieldError::forbidden(path.child("persistentVolumeReclaimPolicy"), &detail));
    }
    if spec.node_affinity.is_some() {
        errors.push(FieldError::forbidden(path.child("nodeAffinity"), not));
    }
    validate_source(spec, path, &mut errors);
    if spec.storage_class_name.as_ref().is_some_and(|class| !class.is_empty()) {
        errors.push(FieldError::forbidden(path.child("storageClassName"), not));
    }
    if spec.volume_mode.as_ref().is_some_and(|mode| mode != "Filesystem") {
        let detail = format!("may not specify volumeMode other than Filesystem {CONTEXT}");
        errors.push(FieldError::forbidden(path.child("volumeMode"), &detail));
    }
    errors
}

/// Only the source, without what a driver may be given later.
fn source_of(spec: &PersistentVolumeSpec) -> PersistentVolumeSpec {
    let mut source = PersistentVolumeSpec {
        access_modes: None,
        capacity: None,
        claim_ref: None,
        mount_options: None,
        node_affinity: None,
        persistent_volume_reclaim_policy: None,
        storage_class_name: None,
        volume_attributes_class_name: None,
        volume_mode: None,
        ..spec.clone()
    };
    if let Some(csi) = &mut source.csi {
        csi.controller_expand_secret_ref = None;
    }
    source
}

fn go_affinity(spec: &PersistentVolumeSpec) -> String {
    // A pointer's address is another one each time.
    let pointer = |affinity: &VolumeNodeAffinity| match affinity.required {
        Some(_) => "core.VolumeNodeAffinity{Required:(*core.NodeSelector)(0xc000a5f0e0)}",
        None => "core.VolumeNodeAffinity{Required:(*core.NodeSelector)(nil)}",
    };
    spec.node_affinity.as_ref().map_or("\"null\"", pointer).to_owned()
}

/// Upstream: `warningsForPersistentVolumeSpecAndMeta` in `pkg/api/persistentvolume/util.go`.
fn warnings(volume: &PersistentVolume, spec: &PersistentVolumeSpec) -> Vec<String> {
    let annotation =
        |key: &str| volume.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    let mut warnings = Vec::new();
    for (key, instead) in [
        (BETA_CLASS, "use \"storageClassName\" attribute instead"),
        ("volume.beta.kubernetes.io/mount-options", "use \"mountOptions\" attribute instead"),
    ] {
        if annotation(key) {
            let since = if key == BETA_CLASS { "v1.8" } else { "v1.31" };
            warnings
                .push(format!("metadata.annotations[{key}]: deprecated since {since}; {instead}"));
        }
    }
    if spec.persistent_volume_reclaim_policy.as_deref() == Some("Recycle") {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. \
             Instead, the recommended approach is to use dynamic provisioning."
                .to_owned(),
        );
    }
    let path = Path::new("spec");
    let affinity = path.child("nodeAffinity");
    let required = affinity.child("required");
    let list = required.child("nodeSelectorTerms");
    let selector = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    let terms = selector.map(|selector| selector.node_selector_terms.as_slice());
    for (index, term) in terms.unwrap_or_default().iter().enumerate() {
        warnings.extend(nodelabels::term_warnings(term, &list.index(index)));
    }
    for (field, set, since, until) in [
        ("cephfs", spec.cephfs.is_some(), "v1.28", "v1.31"),
        ("photonPersistentDisk", spec.photon_persistent_disk.is_some(), "v1.11", "v1.16"),
        ("scaleIO", spec.scale_io.is_some(), "v1.16", "v1.22"),
        ("storageOS", spec.storageos.is_some(), "v1.22", "v1.25"),
        ("glusterfs", spec.glusterfs.is_some(), "v1.25", "v1.26"),
        ("rbd", spec.rbd.is_some(), "v1.28", "v1.31"),
    ] {
        if set {
            warnings
                .push(format!("spec.{field}: deprecated in {since}, non-functional in {until}+"));
        }
    }
    warnings
}
