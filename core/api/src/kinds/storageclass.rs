//! Storage classes.
//!
//! Upstream: `pkg/registry/storage/storageclass/strategy.go`, `SetDefaults_StorageClass`,
//! `ValidateStorageClass`, `printStorageClass`.

use super::typed::Typed;
use super::{cells, storage};
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names, nodelabels};
use k8s_openapi::api::core::v1::{TopologySelectorLabelRequirement, TopologySelectorTerm};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};

static KIND: Kind =
    Names::new(storage::GROUP, "v1", "StorageClass", "storageclasses", "storageclass")
        .short(&["sc"])
        .cluster_scoped()
        .kind(&StorageClassStrategy);

/// `true` on the class of claims that name none.
pub const DEFAULT_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";
const BETA_DEFAULT_ANNOTATION: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// Whether claims that name no class get this one.
///
/// Upstream: `IsDefaultAnnotation` in `pkg/apis/storage/util/helpers.go`.
pub fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.iter().flatten();
    annotations
        .filter(|(key, _)| matches!(key.as_str(), DEFAULT_ANNOTATION | BETA_DEFAULT_ANNOTATION))
        .any(|(_, value)| value == "true")
}

impl Kube for StorageClass {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct StorageClassStrategy;

impl Typed for StorageClassStrategy {
    type Object = StorageClass;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Provisioner"),
        Column::new("ReclaimPolicy"),
        Column::new("VolumeBindingMode"),
        Column::new("AllowVolumeExpansion"),
        Column::new("Age"),
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, class: &mut StorageClass) {
        class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
    }

    fn validate(&self, class: &StorageClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let provisioner = Path::new("provisioner");
        if class.provisioner.is_empty() {
            errors.push(FieldError::required(provisioner, ""));
        } else {
            let lower = class.provisioner.to_lowercase();
            all_invalid(names::qualified_name(&lower), &lower, &provisioner, &mut errors);
        }
        validate_parameters(class.parameters.as_ref(), &mut errors);
        const POLICIES: &[&str] = &["Delete", "Retain"];
        let policy = class.reclaim_policy.as_deref().unwrap_or_default();
        if !policy.is_empty() && !POLICIES.contains(&policy) {
            errors.push(FieldError::not_supported("reclaimPolicy", policy, POLICIES));
        }
        const MODES: &[&str] = &["Immediate", "WaitForFirstConsumer"];
        let mode = class.volume_binding_mode.as_deref().unwrap_or_default();
        if !MODES.contains(&mode) {
            errors.push(FieldError::not_supported("volumeBindingMode", mode, MODES));
        }
        validate_topologies(class.allowed_topologies.as_deref().unwrap_or_default(), &mut errors);
        errors
    }

    fn validate_update(&self, new: &StorageClass, old: &StorageClass, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        let parameters = |class: &StorageClass| class.parameters.clone().unwrap_or_default();
        let fields = [
            ("parameters", parameters(new) != parameters(old)),
            ("provisioner", new.provisioner != old.provisioner),
            ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy),
        ];
        for (field, _) in fields.into_iter().filter(|(_, changed)| *changed) {
            let detail = format!("updates to {field} are forbidden.");
            errors.push(FieldError::forbidden(field, &detail));
        }
        if new.volume_binding_mode != old.volume_binding_mode {
            let mode = new.volume_binding_mode.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid("volumeBindingMode", mode, "field is immutable"));
        }
        errors
    }

    fn warnings(&self, class: &StorageClass, _: Option<&StorageClass>) -> Vec<String> {
        let mut warnings = Vec::new();
        let topologies = Path::new("allowedTopologies");
        for (index, term) in class.allowed_topologies.iter().flatten().enumerate() {
            let term_path = topologies.index(index);
            let list = term_path.child("matchLabelExpressions");
            for (index, found) in term.match_label_expressions.iter().flatten().enumerate() {
                let item = list.index(index);
                let why = nodelabels::deprecation(&found.key);
                warnings.extend(why.map(|why| format!("{}: {why}", item.child("key"))));
            }
        }
        warnings
    }

    fn cells(&self, class: &StorageClass, now: Time) -> Vec<Cell> {
        let name = class.metadata.name.as_deref().unwrap_or_default();
        let mark = if is_default(class) { " (default)" } else { "" };
        vec![
            format!("{name}{mark}").into(),
            class.provisioner.as_str().into(),
            class.reclaim_policy.as_deref().unwrap_or("Delete").into(),
            class.volume_binding_mode.as_deref().unwrap_or("Immediate").into(),
            class.allow_volume_expansion.unwrap_or(false).into(),
            cells::age(&class.metadata, now),
        ]
    }
}

fn validate_parameters(
    parameters: Option<&BTreeMap<String, String>>,
    errors: &mut Vec<FieldError>,
) {
    const COUNT_MAX: usize = 512;
    const BYTES_MAX: usize = 256 * 1024;
    let Some(parameters) = parameters else { return };
    if parameters.len() > COUNT_MAX {
        errors.push(FieldError::too_long("parameters", COUNT_MAX));
        return;
    }
    if parameters.contains_key("") {
        errors.push(FieldError::invalid("parameters", "", "field can not be empty."));
    }
    let bytes: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > BYTES_MAX {
        errors.push(FieldError::too_long("parameters", BYTES_MAX));
    }
}

fn validate_topologies(terms: &[TopologySelectorTerm], errors: &mut Vec<FieldError>) {
    let path = Path::new("allowedTopologies");
    let mut seen: Vec<BTreeMap<&str, BTreeSet<&str>>> = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let item = path.index(index);
        let list = item.child("matchLabelExpressions");
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (index, found) in term.match_label_expressions.iter().flatten().enumerate() {
            let item = list.index(index);
            let values = validate_topology(found, &item, errors);
            if all.insert(&found.key, values).is_some() {
                errors.push(FieldError::duplicate(item.child("key"), &found.key));
            }
        }
        if seen.contains(&all) {
            errors.push(FieldError::duplicate(list, ""));
        }
        seen.push(all);
    }
}

/// Checks a label's values; answers with the set of them.
fn validate_topology<'a>(
    found: &'a TopologySelectorLabelRequirement,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) -> BTreeSet<&'a str> {
    let values = item.child("values");
    if found.values.is_empty() {
        errors.push(FieldError::required(values, ""));
    }
    let mut set = BTreeSet::new();
    for (index, value) in found.values.iter().enumerate() {
        if !set.insert(value.as_str()) {
            errors.push(FieldError::duplicate(values.index(index), value));
        }
    }
    all_invalid(names::qualified_name(&found.key), &found.key, &item.child("key"), errors);
    set
}
