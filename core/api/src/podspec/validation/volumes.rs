//! Volumes of all types.
//!
//! Upstream: `ValidateVolumes`, `validateVolumeSource`.

use super::{Errors, all_invalid, containers::go_texts, env, in_range, known_or_none};
use super::{not_negative_quantity, required};
use crate::quantity::Amount;
use crate::{FieldError, Path, labels, names};
use k8s_openapi::api::core::v1::{
    CSIVolumeSource, ClusterTrustBundleProjection, DownwardAPIVolumeFile, EphemeralVolumeSource,
    HostPathVolumeSource, KeyToPath, PersistentVolumeClaimSpec, PodSpec, ProjectedVolumeSource,
    Volume, VolumeProjection,
};
use std::collections::{BTreeMap, BTreeSet};

const ONE_TYPE: &str = "may not specify more than 1 volume type";
const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const CONFLICT: &str = "conflicting duplicate paths";
/// The fields of a pod that a file can show.
const FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Checks the volumes of a spec; answers with the good ones by name. The claims of a pod that has
/// a name are checked too.
pub(super) fn validate<'a>(
    spec: &'a PodSpec,
    pod: Option<&str>,
    list: &Path<'_>,
    errors: &mut Errors,
) -> BTreeMap<&'a str, &'a Volume> {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let pod = pod.filter(|name| !name.is_empty());
    let is_created = |claim: &str| {
        let volume = pod.and_then(|pod| claim.strip_prefix(pod)?.strip_prefix('-'));
        volumes.iter().any(|other| other.ephemeral.is_some() && Some(other.name.as_str()) == volume)
    };
    let mut good = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let item = list.index(index);
        let before = errors.len();
        source(volume, &item, errors);
        let field = item.child("name");
        if volume.ephemeral.is_some()
            && let Some(pod) = pod.filter(|_| !volume.name.is_empty())
        {
            let claim = format!("{pod}-{}", volume.name);
            for problem in names::dns1123_subdomain(&claim) {
                let detail = format!("PVC name \"{claim}\": {problem}");
                errors.push(FieldError::invalid(field, &volume.name, &detail));
            }
        }
        if volume.name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else {
            all_invalid(names::dns1123_label(&volume.name), &volume.name, &field, errors);
        }
        if good.contains_key(volume.name.as_str()) {
            errors.push(FieldError::duplicate(field, &volume.name));
        }
        if errors.len() == before {
            good.insert(volume.name.as_str(), volume);
        }
        if let Some(claim) = volume.persistent_volume_claim.as_ref().map(|claim| &claim.claim_name)
            && is_created(claim)
        {
            let source = item.child("persistentVolumeClaim");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errors.push(FieldError::invalid(source.child("claimName"), claim, detail));
        }
    }
    good
}

/// What is wrong with where a volume comes from. Only the first of several sources is looked into.
fn source(volume: &Volume, item: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    // In upstream's order.
    let sources: [(&str, bool, Check); 29] = [
        ("emptyDir", volume.empty_dir.is_some(), empty_dir),
        ("hostPath", volume.host_path.is_some(), host_path),
        ("gitRepo", volume.git_repo.is_some(), others),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some(), others),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some(), others),
        ("secret", volume.secret.is_some(), secret),
        ("nfs", volume.nfs.is_some(), nfs),
        ("iscsi", volume.iscsi.is_some(), others),
        ("glusterfs", volume.glusterfs.is_some(), others),
        ("flocker", volume.flocker.is_some(), others),
        ("persistentVolumeClaim", volume.persistent_volume_claim.is_some(), claim),
        ("rbd", volume.rbd.is_some(), others),
        ("cinder", volume.cinder.is_some(), others),
        ("cephfs", volume.cephfs.is_some(), others),
        ("quobyte", volume.quobyte.is_some(), others),
        ("downwardAPI", volume.downward_api.is_some(), downward_api),
        ("fc", volume.fc.is_some(), others),
        ("flexVolume", volume.flex_volume.is_some(), others),
        ("configMap", volume.config_map.is_some(), config_map),
        ("azureFile", volume.azure_file.is_some(), others),
        ("vsphereVolume", volume.vsphere_volume.is_some(), others),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some(), others),
        ("portworxVolume", volume.portworx_volume.is_some(), others),
        ("azureDisk", volume.azure_disk.is_some(), others),
        ("storageos", volume.storageos.is_some(), others),
        ("projected", volume.projected.is_some(), projected),
        ("scaleIO", volume.scale_io.is_some(), others),
        ("csi", volume.csi.is_some(), csi),
        ("ephemeral", volume.ephemeral.is_some(), ephemeral),
    ];
    for (name, _, check) in sources.into_iter().filter(|(_, set, _)| *set) {
        count += 1;
        // Upstream calls this one's fields by another name.
        let place = if name == "gcePersistentDisk" { "persistentDisk" } else { name };
        let path = item.child(place);
        if count == 1 {
            check(volume, &path, errors);
        } else {
            // Upstream's own slip of the pen.
            let name = if name == "downwardAPI" { "downwarAPI" } else { name };
            errors.push(FieldError::forbidden(item.child(name), ONE_TYPE));
        }
    }
    if count == 0 {
        errors.push(FieldError::required(item, "must specify a volume type"));
    }
}

type Check = fn(&Volume, &Path<'_>, &mut Errors);

fn empty_dir(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let limit = volume.empty_dir.as_ref().and_then(|source| source.size_limit.as_ref());
    if limit.is_some_and(|limit| Amount::of(limit) < Amount::ZERO) {
        let detail = "SizeLimit field must be a valid resource quantity";
        errors.push(FieldError::forbidden(path.child("sizeLimit"), detail));
    }
}

fn host_path(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(HostPathVolumeSource { path: host, type_ }) = volume.host_path.as_deref() else {
        return;
    };
    let field = path.child("path");
    if host.is_empty() {
        errors.push(FieldError::required(field, ""));
        return;
    }
    no_backsteps(host, &field, errors);
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
    known_or_none(type_.as_deref(), TYPES, &path.child("type"), errors);
}

fn secret(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(source) = &volume.secret else { return };
    required(source.secret_name.as_deref().unwrap_or_default(), &path.child("secretName"), errors);
    mode(source.default_mode, &path.child("defaultMode"), errors);
    items(source.items.as_deref(), &path.child("items"), errors);
}

fn config_map(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(source) = &volume.config_map else { return };
    required(&source.name, &path.child("name"), errors);
    mode(source.default_mode, &path.child("defaultMode"), errors);
    items(source.items.as_deref(), &path.child("items"), errors);
}

fn nfs(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(source) = &volume.nfs else { return };
    required(&source.server, &path.child("server"), errors);
    let field = path.child("path");
    required(&source.path, &field, errors);
    if !source.path.starts_with('/') {
        errors.push(FieldError::invalid(field, &source.path, "must be an absolute path"));
    }
}

fn claim(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(source) = &volume.persistent_volume_claim else { return };
    required(&source.claim_name, &path.child("claimName"), errors);
}

fn downward_api(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(source) = &volume.downward_api else { return };
    mode(source.default_mode, &path.child("defaultMode"), errors);
    for file in source.items.iter().flatten() {
        // Upstream gives files the path of the volume.
        downward_api_file(file, path, errors);
    }
}

fn downward_api_file(file: &DownwardAPIVolumeFile, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("path");
    required(&file.path, &field, errors);
    local_path(&file.path, &field, errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(reference), resource) => {
            env::object_field(reference, FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(FieldError::invalid(path, "resource", detail));
            }
        }
        (None, Some(reference)) => {
            env::resource_field(reference, true, &path.child("resourceFieldRef"), errors);
        }
        (None, None) => {
            let detail = "one of fieldRef and resourceFieldRef is required";
            errors.push(FieldError::required(path, detail));
        }
    }
    mode(file.mode, &path.child("mode"), errors);
}

fn projected(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(ProjectedVolumeSource { default_mode, sources }) = volume.projected.as_deref() else {
        return;
    };
    mode(*default_mode, &path.child("defaultMode"), errors);
    let list = path.child("sources");
    let mut paths = BTreeSet::new();
    for (index, source) in sources.iter().flatten().enumerate() {
        projection(source, path, &list.index(index), &mut paths, errors);
    }
}

fn projection<'a>(
    source: &'a VolumeProjection,
    volume: &Path<'_>,
    item: &Path<'_>,
    paths: &mut BTreeSet<&'a str>,
    errors: &mut Errors,
) {
    let mut count = 0;
    let mut keys = |name: &'a str, list: Option<&'a Vec<KeyToPath>>, which, errors: &mut Errors| {
        count += 1;
        let path = item.child(which);
        required(name, &path.child("name"), errors);
        let list_path = path.child("items");
        for (index, key) in list.into_iter().flatten().enumerate() {
            key_to_path(key, &list_path.index(index), errors);
            if !key.path.is_empty() && !paths.insert(&key.path) {
                errors.push(FieldError::invalid(volume, name, CONFLICT));
            }
        }
    };
    if let Some(secret) = &source.secret {
        keys(&secret.name, secret.items.as_ref(), "secret", errors);
    }
    if let Some(map) = &source.config_map {
        keys(&map.name, map.items.as_ref(), "configMap", errors);
    }
    if let Some(downward) = &source.downward_api {
        count += 1;
        let path = item.child("downwardAPI");
        for file in downward.items.iter().flatten() {
            downward_api_file(file, &path, errors);
            if !file.path.is_empty() && !paths.insert(&file.path) {
                errors.push(FieldError::invalid(volume, &file.path, CONFLICT));
            }
        }
    }
    if let Some(token) = &source.service_account_token {
        count += 1;
        let path = item.child("serviceAccountToken");
        let field = path.child("expirationSeconds");
        let seconds = token.expiration_seconds.unwrap_or(0);
        if seconds < 600 {
            let detail = "may not specify a duration less than 10 minutes";
            errors.push(FieldError::invalid_raw(field, seconds, detail));
        }
        if seconds > 1 << 32 {
            let detail = "may not specify a duration larger than 2^32 seconds";
            errors.push(FieldError::invalid_raw(field, seconds, detail));
        }
        // The path of this one names the volume.
        let field = volume.child("path");
        required(&token.path, &field, errors);
        local_path(&token.path, &field, errors);
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        count += 1;
        trust_bundle(bundle, &item.child("clusterTrustBundle"), errors);
        if !paths.insert(&bundle.path) {
            errors.push(FieldError::invalid(volume, &bundle.path, CONFLICT));
        }
    }
    if count > 1 {
        let detail = "may not specify more than 1 volume type per source";
        errors.push(FieldError::forbidden(item, detail));
    }
}

fn trust_bundle(bundle: &ClusterTrustBundleProjection, path: &Path<'_>, errors: &mut Errors) {
    match (&bundle.name, &bundle.signer_name) {
        (Some(_), Some(_)) => {
            let detail = "only one of name and signerName may be used";
            errors.push(FieldError::invalid_hidden(path, detail));
        }
        (Some(name), None) => {
            let field = path.child("name");
            if name.is_empty() {
                errors.push(FieldError::required(field, "must be a valid object name"));
            }
            for problem in names::dns1123_subdomain(name) {
                let detail = format!("not a valid clustertrustbundlename: {problem}");
                errors.push(FieldError::invalid(field, name, &detail));
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                let detail = "must be a valid signer name";
                errors.push(FieldError::required(path.child("signerName"), detail));
            }
            if let Some(selector) = &bundle.label_selector {
                let field = path.child("labelSelector");
                errors.extend(labels::validate_selector(selector, &field));
            }
        }
        (None, None) => {
            let detail = "either name or signerName must be specified";
            errors.push(FieldError::required(path, detail));
        }
    }
    let field = path.child("path");
    required(&bundle.path, &field, errors);
    local_path(&bundle.path, &field, errors);
}

fn csi(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(CSIVolumeSource { driver, node_publish_secret_ref, .. }) = volume.csi.as_deref()
    else {
        return;
    };
    let field = path.child("driver");
    const DRIVER_MAX: usize = 63;
    required(driver, &field, errors);
    if driver.len() > DRIVER_MAX {
        errors.push(FieldError::too_long(field, DRIVER_MAX));
    }
    all_invalid(names::dns1123_subdomain(&driver.to_lowercase()), driver, &field, errors);
    if let Some(secret) = node_publish_secret_ref {
        if secret.name.is_empty() {
            let reference = path.child("nodePublishSecretRef");
            errors.push(FieldError::required(reference.child("name"), ""));
        } else {
            let problems = names::dns1123_subdomain(&secret.name);
            all_invalid(problems, &secret.name, &path.child("name"), errors);
        }
    }
}

fn ephemeral(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let Some(EphemeralVolumeSource { volume_claim_template }) = volume.ephemeral.as_deref() else {
        return;
    };
    let path = path.child("volumeClaimTemplate");
    let Some(template) = volume_claim_template else {
        errors.push(FieldError::required(path, ""));
        return;
    };
    if let Some(meta) = &template.metadata {
        let metadata = path.child("metadata");
        let field = metadata.child("annotations");
        errors.extend(labels::validate_annotations(meta.annotations.as_ref(), field));
        errors.extend(labels::validate(meta.labels.as_ref(), metadata.child("labels")));
        let fields = [("name", &meta.name), ("namespace", &meta.namespace)];
        for (field, _) in fields.into_iter().filter(|(_, value)| value.is_some()) {
            errors.push(FieldError::forbidden(metadata.child(field), "cannot be set"));
        }
    }
    claim_spec(&template.spec, &path.child("spec"), errors);
}

/// What is wrong with what a claim asks for.
///
/// Upstream: `ValidatePersistentVolumeClaimSpec`.
fn claim_spec(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut Errors) {
    const MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let field = path.child("accessModes");
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        errors.push(FieldError::required(field, "at least 1 access mode is required"));
    }
    for mode in modes {
        known_or_none(Some(mode), MODES, &field, errors);
    }
    let single = modes.iter().any(|mode| mode == "ReadWriteOncePod");
    let known = |mode: &String| mode != "ReadWriteOncePod" && MODES.contains(&mode.as_str());
    if single && modes.iter().any(known) {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(field, detail));
    }
    let resources = path.child("resources");
    let field = resources.key("storage");
    let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    match requests.and_then(|requests| requests.get("storage")).map(Amount::of) {
        None => errors.push(FieldError::required(field, "")),
        Some(amount) if amount <= Amount::ZERO => {
            let detail = "must be greater than zero";
            errors.push(FieldError::invalid(field, &amount.to_string(), detail));
        }
        Some(amount) => not_negative_quantity(amount, &field, errors),
    }
    if let Some(class) = spec.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        let problems = names::dns1123_subdomain(class);
        all_invalid(problems, class, &path.child("storageClassName"), errors);
    }
    const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
    known_or_none(spec.volume_mode.as_deref(), VOLUME_MODES, &path.child("volumeMode"), errors);
}

/// The storage of clouds and appliances: what must be said of it is there.
fn others(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let mut needs = |fields: &[(&str, &str)]| {
        for (field, value) in fields {
            required(value, &path.child(field), errors);
        }
    };
    let listed = |list: &[String]| if list.is_empty() { "" } else { "some" };
    if let Some(it) = &volume.git_repo {
        needs(&[("repository", &it.repository)]);
        let directory = it.directory.as_deref().unwrap_or_default();
        relative_path(directory, &path.child("directory"), errors);
    } else if let Some(it) = &volume.gce_persistent_disk {
        needs(&[("pdName", &it.pd_name)]);
        partition(it.partition, &path.child("partition"), errors);
    } else if let Some(it) = &volume.aws_elastic_block_store {
        needs(&[("volumeID", &it.volume_id)]);
        partition(it.partition, &path.child("partition"), errors);
    } else if let Some(it) = &volume.iscsi {
        needs(&[("targetPortal", &it.target_portal), ("iqn", &it.iqn)]);
        let known = ["iqn", "eui", "naa"].iter().any(|form| it.iqn.starts_with(form));
        if !it.iqn.is_empty() && !known {
            let detail = "must be valid format starting with iqn, eui, or naa";
            errors.push(FieldError::invalid(path.child("iqn"), &it.iqn, detail));
        }
        in_range(it.lun.into(), 0..=255, &path.child("lun"), errors);
    } else if let Some(it) = &volume.glusterfs {
        needs(&[("endpoints", &it.endpoints), ("path", &it.path)]);
    } else if let Some(it) = &volume.flocker {
        if it.dataset_name.is_none() && it.dataset_uuid.is_none() {
            let detail = "one of datasetName and datasetUUID is required";
            errors.push(FieldError::required(path, detail));
        }
    } else if let Some(it) = &volume.rbd {
        needs(&[("monitors", listed(&it.monitors)), ("image", &it.image)]);
    } else if let Some(it) = &volume.cinder {
        needs(&[("volumeID", &it.volume_id)]);
    } else if let Some(it) = &volume.cephfs {
        needs(&[("monitors", listed(&it.monitors))]);
    } else if let Some(it) = &volume.quobyte {
        if it.registry.is_empty() {
            let detail = "must be a host:port pair or multiple pairs separated by commas";
            errors.push(FieldError::required(path.child("registry"), detail));
        }
        required(&it.volume, &path.child("volume"), errors);
    } else if let Some(it) = &volume.fc {
        let (names, ids) = (it.target_wwns.as_deref(), it.wwids.as_deref());
        fibre_channel(names.unwrap_or_default(), ids.unwrap_or_default(), it.lun, path, errors);
    } else if let Some(it) = &volume.flex_volume {
        needs(&[("driver", &it.driver)]);
    } else if let Some(it) = &volume.azure_file {
        needs(&[("secretName", &it.secret_name), ("shareName", &it.share_name)]);
    } else if let Some(it) = &volume.vsphere_volume {
        needs(&[("volumePath", &it.volume_path)]);
    } else if let Some(it) = &volume.photon_persistent_disk {
        needs(&[("pdID", &it.pd_id)]);
    } else if let Some(it) = &volume.portworx_volume {
        needs(&[("volumeID", &it.volume_id)]);
    } else if let Some(it) = &volume.azure_disk {
        needs(&[("diskName", &it.disk_name), ("diskURI", &it.disk_uri)]);
        let (start, form) = match it.kind.as_deref() {
            Some("Managed") => (
                "/subscriptions/",
                "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/\
                 disks/{disk-id}",
            ),
            _ => (
                "https://",
                "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
            ),
        };
        if !it.disk_uri.starts_with(start) {
            let field = path.child("diskURI");
            errors.push(FieldError::not_supported(field, &it.disk_uri, &[form]));
        }
    } else if let Some(it) = &volume.storageos {
        needs(&[("volumeName", it.volume_name.as_deref().unwrap_or_default())]);
    } else if let Some(it) = &volume.scale_io {
        let name = it.volume_name.as_deref().unwrap_or_default();
        needs(&[("gateway", &it.gateway), ("system", &it.system), ("volumeName", name)]);
    }
}

/// Zero is the whole disk, whatever the message says.
fn partition(number: Option<i32>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = number.filter(|number| !(0..=255).contains(number)) {
        let detail = "must be between 1 and 255, inclusive";
        errors.push(FieldError::invalid_raw(field, number, detail));
    }
}

fn fibre_channel(
    names: &[String],
    ids: &[String],
    lun: Option<i32>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let field = path.child("targetWWNs");
    match (names.is_empty(), ids.is_empty()) {
        (true, true) => {
            let detail = "must specify either targetWWNs or wwids, but not both";
            errors.push(FieldError::required(field, detail));
        }
        (false, false) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.push(FieldError::invalid_raw(field, go_texts(names), detail));
        }
        _ => {}
    }
    if names.is_empty() {
        return;
    }
    let field = path.child("lun");
    match lun {
        None => {
            let detail = "lun is required if targetWWNs is specified";
            errors.push(FieldError::required(field, detail));
        }
        Some(lun) => in_range(lun.into(), 0..=255, &field, errors),
    }
}

/// A pod without a service account has no token to mount.
pub(super) fn tokens_need_an_account(spec: &PodSpec, list: &Path<'_>, errors: &mut Errors) {
    if spec.service_account_name.as_ref().is_some_and(|name| !name.is_empty()) {
        return;
    }
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let item = list.index(index);
        let (projected, sources) = (item.child("projected"), volume.projected.as_ref());
        let list = projected.child("sources");
        let sources = sources.and_then(|source| source.sources.as_ref()).into_iter().flatten();
        for (index, source) in sources.enumerate() {
            if source.service_account_token.is_some() {
                let item = list.index(index);
                let detail = "must not be specified when serviceAccountName is not set";
                errors.push(FieldError::forbidden(item.child("serviceAccountToken"), detail));
            }
        }
    }
}

fn items(items: Option<&[KeyToPath]>, list: &Path<'_>, errors: &mut Errors) {
    for (index, key) in items.unwrap_or_default().iter().enumerate() {
        key_to_path(key, &list.index(index), errors);
    }
}

fn key_to_path(key: &KeyToPath, item: &Path<'_>, errors: &mut Errors) {
    required(&key.key, &item.child("key"), errors);
    let field = item.child("path");
    required(&key.path, &field, errors);
    local_path(&key.path, &field, errors);
    mode(key.mode, &item.child("mode"), errors);
}

fn mode(mode: Option<i32>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(FieldError::invalid_raw(field, mode, FILE_MODE));
    }
}

/// A path that stays where it is put.
///
/// Upstream: `validateLocalDescendingPath`.
pub(super) fn relative_path(path: &str, field: &Path<'_>, errors: &mut Errors) {
    if path.starts_with('/') {
        errors.push(FieldError::invalid(field, path, "must be a relative path"));
    }
    no_backsteps(path, field, errors);
}

/// The same, of a name that volumes do not use for themselves.
///
/// Upstream: `ValidateLocalNonReservedPath`.
fn local_path(path: &str, field: &Path<'_>, errors: &mut Errors) {
    relative_path(path, field, errors);
    if path.starts_with("..") && !path.starts_with("../") {
        errors.push(FieldError::invalid(field, path, "must not start with '..'"));
    }
}

fn no_backsteps(path: &str, field: &Path<'_>, errors: &mut Errors) {
    if has_backsteps(path) {
        errors.push(FieldError::invalid(field, path, "must not contain '..'"));
    }
}

/// Whether a path leads back out of where it is put.
pub(super) fn has_backsteps(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
