//! Persistent volume claims.
//!
//! Upstream: `pkg/registry/core/persistentvolumeclaim/strategy.go`,
//! `SetDefaults_PersistentVolumeClaim`, `ValidatePersistentVolumeClaim`,
//! `printPersistentVolumeClaim`.

use super::typed::{Typed, keep};
use super::{cells, storage};
use crate::gofmt::quote;
use crate::podspec::defaults::text;
use crate::podspec::validation::all_invalid;
use crate::quantity::Amount;
use crate::volumes::BETA_CLASS;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels, names};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus,
    TypedLocalObjectReference, TypedObjectReference,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
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
        let spec = claim.spec.get_or_insert_default();
        drop_disabled(spec, None);
        if spec.data_source_ref.is_none() {
            // What was never a source of data was accepted once, and still is.
            spec.data_source.take_if(|source| !is_known_source(source));
        }
        normalize_sources(spec);
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
            let spec = new.spec.get_or_insert_default();
            drop_disabled(spec, old.spec.as_ref());
            normalize_sources(spec);
        }
    }

    fn validate(&self, claim: &PersistentVolumeClaim) -> Vec<FieldError> {
        let spec = claim.spec.clone().unwrap_or_default();
        validate_spec(&spec, &Path::new("spec"))
    }

    fn validate_update(
        &self,
        new: &PersistentVolumeClaim,
        old: &PersistentVolumeClaim,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new);
        }
        let mut errors = Typed::validate(self, new);
        errors.extend(validate_change(new, old));
        errors
    }

    fn warnings(
        &self,
        claim: &PersistentVolumeClaim,
        _: Option<&PersistentVolumeClaim>,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        if beta_class(claim).is_some() {
            warnings.push(format!(
                "metadata.annotations[{BETA_CLASS}]: deprecated since v1.8; use \"storageClassName\" \
                 attribute instead"
            ));
        }
        let resources = claim.spec.as_ref().and_then(|spec| spec.resources.clone());
        let resources = resources.unwrap_or_default();
        for (field, list) in [("requests", resources.requests), ("limits", resources.limits)] {
            let storage = list.as_ref().and_then(|list| list.get("storage"));
            let amount = storage.map(Amount::of);
            if let Some(amount) = amount.filter(|amount| amount.milli_value() % 1000 != 0) {
                let text = quote(&amount.to_string());
                warnings.push(format!(
                    "spec.resources.{field}[storage]: fractional byte value {text} is invalid, must \
                     be an integer"
                ));
            }
        }
        warnings
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
        let class = beta_class(claim).or(spec.storage_class_name.as_ref());
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

fn beta_class(claim: &PersistentVolumeClaim) -> Option<&String> {
    claim.metadata.annotations.as_ref()?.get(BETA_CLASS)
}

/// Drops what only features would keep that are off: sources in other namespaces, and classes of
/// attributes.
///
/// Upstream: `DropDisabledFields` in `pkg/api/persistentvolumeclaim/util.go`.
fn drop_disabled(spec: &mut PersistentVolumeClaimSpec, old: Option<&PersistentVolumeClaimSpec>) {
    if old.is_none_or(|old| old.volume_attributes_class_name.is_none()) {
        spec.volume_attributes_class_name = None;
    }
    let elsewhere = |source: &mut TypedObjectReference| {
        source.namespace.as_ref().is_some_and(|namespace| !namespace.is_empty())
    };
    spec.data_source_ref.take_if(elsewhere);
}

/// Upstream: `dataSourceIsPvcOrSnapshot`.
fn is_known_source(source: &TypedLocalObjectReference) -> bool {
    match source.api_group.as_deref().unwrap_or_default() {
        "" => source.kind == "PersistentVolumeClaim",
        "snapshot.storage.k8s.io" => source.kind == "VolumeSnapshot",
        _ => false,
    }
}

/// `dataSource` and `dataSourceRef` say the same.
///
/// Upstream: `NormalizeDataSources`.
fn normalize_sources(spec: &mut PersistentVolumeClaimSpec) {
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(source), None) => {
            spec.data_source_ref = Some(TypedObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
                namespace: None,
            });
        }
        (None, Some(source)) if source.namespace.as_deref().unwrap_or_default().is_empty() => {
            spec.data_source = Some(TypedLocalObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
            });
        }
        _ => {}
    }
}

/// What is wrong with the spec of a claim, or of a template of one.
///
/// Upstream: `ValidatePersistentVolumeClaimSpec`.
pub fn validate_spec(spec: &PersistentVolumeClaimSpec, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    let missing = "at least 1 access mode is required";
    if modes.is_empty() {
        errors.push(FieldError::required(path.child("accessModes"), missing));
    }
    if let Some(selector) = &spec.selector {
        errors.extend(labels::validate_selector(selector, &path.child("selector")));
    }
    if !modes.is_empty() {
        storage::access_modes(modes, missing, &path.child("accessModes"), &mut errors);
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
        Some(_) => {}
    }
    let class = spec.storage_class_name.as_deref();
    storage::class_name(class, &path.child("storageClassName"), &mut errors);
    storage::volume_mode(spec.volume_mode.as_deref(), &path.child("volumeMode"), &mut errors);
    validate_sources(spec, path, &mut errors);
    errors
}

fn validate_sources(
    spec: &PersistentVolumeClaimSpec,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let source = spec.data_source.as_ref();
    let reference = spec.data_source_ref.as_ref();
    let parts = [
        ("dataSource", source.map(|s| (&s.api_group, &s.kind, &s.name))),
        ("dataSourceRef", reference.map(|s| (&s.api_group, &s.kind, &s.name))),
    ];
    for (field, part) in &parts {
        let Some((group, kind, name)) = part else { continue };
        let field = path.child(field);
        for (child, value) in [("name", name), ("kind", kind)] {
            if value.is_empty() {
                errors.push(FieldError::required(field.child(child), ""));
            }
        }
        match group.as_deref().unwrap_or_default() {
            "" if *kind != "PersistentVolumeClaim" => {
                let detail =
                    "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
                errors.push(FieldError::invalid(field, kind, detail));
            }
            "" => {}
            group => {
                all_invalid(
                    names::dns1123_subdomain(group),
                    group,
                    &field.child("apiGroup"),
                    errors,
                );
            }
        }
    }
    if let [(_, Some(source)), (_, Some(reference))] = parts
        && source != reference
    {
        // Upstream shows the path itself; a pointer's address is another one each time.
        let value = "field.Path{name:\"dataSource\", index:\"\", \
                     parent:(*field.Path)(0xc000a5f0e0)}";
        errors.push(FieldError::invalid_raw(path, value, "must match dataSourceRef"));
    }
}

fn validate_status(claim: &PersistentVolumeClaim) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let capacity = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    let path = Path::new("status");
    let field = path.child("capacity");
    for (name, quantity) in capacity.into_iter().flatten() {
        let value = Amount::of(quantity).value();
        if value < 0 {
            let detail = "must be a valid resource quantity";
            errors.push(FieldError::invalid_raw(field.key(name), value, detail));
        }
    }
    errors
}

/// A claim keeps its spec: it may be bound once, get a class once, and grow when it is bound.
fn validate_change(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> Vec<FieldError> {
    const CLASSES_OFF: &str =
        "update is forbidden when the VolumeAttributesClass feature gate is disabled";
    let mut errors = Vec::new();
    let is = new.spec.clone().unwrap_or_default();
    let mut was = old.spec.clone().unwrap_or_default();
    normalize_sources(&mut was);
    let mut same = is.clone();
    if was.volume_name.as_deref().unwrap_or_default().is_empty() {
        was.volume_name.clone_from(&is.volume_name);
    }
    if beta_class(new) != beta_class(old) && was.storage_class_name.is_some() {
        let value = beta_class(new).map_or("", String::as_str);
        let field = Path::new("metadata");
        let field = field.child("annotations");
        errors.push(FieldError::invalid(field.child(BETA_CLASS), value, "field is immutable"));
    }
    let from_nothing = was.storage_class_name.is_none()
        && beta_class(old).is_none_or(|class| is.storage_class_name.as_ref() == Some(class));
    if from_nothing && is.storage_class_name.is_some() {
        same.storage_class_name = None;
    }
    let status = new.status.clone().unwrap_or_default();
    let bound = status.phase.as_deref() == Some("Bound");
    let storage = |spec: &PersistentVolumeClaimSpec| {
        spec.resources.as_ref()?.requests.as_ref()?.get("storage").cloned()
    };
    let (asked, had) = (storage(&is), storage(&was));
    if bound && let Some(requests) = same.resources.as_mut().and_then(|r| r.requests.as_mut()) {
        requests.extend(had.iter().map(|had| ("storage".to_owned(), had.clone())));
    }
    if same != was {
        let detail = "spec is immutable after creation except resources.requests and \
                      volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
    let amount = |quantity: Option<&Quantity>| quantity.map_or(Amount::ZERO, Amount::of);
    let capacity = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    let (asked, had) = (amount(asked.as_ref()), amount(had.as_ref()));
    if asked < had && asked <= amount(capacity) {
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden("spec.resources.requests.storage", detail));
    }
    if is.volume_mode != was.volume_mode {
        let mode = is.volume_mode.as_deref().unwrap_or_default();
        errors.push(FieldError::invalid("volumeMode", mode, "field is immutable"));
    }
    if is.volume_attributes_class_name != was.volume_attributes_class_name {
        errors.push(FieldError::forbidden("spec.volumeAttributesClassName", CLASSES_OFF));
    }
    errors
}
