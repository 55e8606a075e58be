//! What is wrong with a pod, its spec or a template.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, one file here for each of its subjects.

mod annotations;
mod containers;
mod env;
mod handlers;
mod mounts;
mod network;
mod os;
mod resources;
mod scheduling;
mod security;
mod update;
mod volumes;

#[cfg(test)]
mod tests;

pub(crate) use os::visit;
pub(crate) use scheduling::toleration;
pub use update::update;

use crate::quantity::Amount;
use crate::{FieldError, Path, labels, names};
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

type Errors = Vec<FieldError>;

/// Of numbers below zero.
pub(crate) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// What the parts of a spec need to know of the rest of it.
struct Scope<'a> {
    spec: &'a PodSpec,
    /// The pod's name; `None` when the spec is a template's.
    pod: Option<&'a str>,
    /// The volumes that are good, by name.
    volumes: BTreeMap<&'a str, &'a Volume>,
}

impl Scope<'_> {
    /// Whether the pod's users are the node's.
    fn host_users(&self) -> bool {
        self.spec.host_users != Some(false)
    }
}

/// What is wrong with a new pod, apart from its metadata.
///
/// Upstream: `ValidatePodCreate`.
pub fn create(pod: &Pod) -> Errors {
    let none = PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&none);
    let path = Path::new("spec");
    let mut errors = metadata_and_spec(pod);
    if spec.ephemeral_containers.as_ref().is_some_and(|all| !all.is_empty()) {
        let field = path.child("ephemeralContainers");
        errors.push(FieldError::forbidden(field, "cannot be set on create"));
    }
    let node = spec.node_name.as_deref().unwrap_or_default();
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    if gated && !node.is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden(path.child("nodeName"), detail));
    }
    annotations::match_fields(pod.metadata.annotations.as_ref(), spec, &path, &mut errors);
    errors
}

/// What is wrong with a pod, new or old, apart from its metadata that all objects have.
///
/// Upstream: `validatePodMetadataAndSpec`.
pub fn metadata_and_spec(pod: &Pod) -> Errors {
    let none = PodSpec::default();
    let spec = pod.spec.as_deref().unwrap_or(&none);
    let mut errors = Vec::new();
    let metadata = Path::new("metadata");
    let field = metadata.child("annotations");
    annotations::validate(pod.metadata.annotations.as_ref(), spec, &field, &mut errors);
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let path = Path::new("spec");
    pod_spec(spec, Some(name), &path, &mut errors);
    volumes::tokens_need_an_account(spec, &path.child("volumes"), &mut errors);
    containers::images_are_trimmed(spec, &path, &mut errors);
    errors
}

/// What is wrong with a template at `path`.
///
/// Upstream: `ValidatePodTemplateSpec`.
pub fn template(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    template_metadata(template, path, errors);
    let none = PodSpec::default();
    let spec = template.spec.as_deref().unwrap_or(&none);
    let spec_path = path.child("spec");
    pod_spec(spec, None, &spec_path, errors);
    let annotations = template.metadata.as_ref().and_then(|meta| meta.annotations.as_ref());
    annotations::match_fields(annotations, spec, &spec_path, errors);
    if spec.ephemeral_containers.as_ref().is_some_and(|all| !all.is_empty()) {
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(spec_path.child("ephemeralContainers"), detail));
    }
}

/// What is wrong with the labels and annotations of a template at `path`.
pub fn template_metadata(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(meta) = &template.metadata else { return };
    errors.extend(labels::validate(meta.labels.as_ref(), path.child("labels")));
    let field = path.child("annotations");
    errors.extend(labels::validate_annotations(meta.annotations.as_ref(), field));
    let none = PodSpec::default();
    let spec = template.spec.as_deref().unwrap_or(&none);
    annotations::validate(meta.annotations.as_ref(), spec, &field, errors);
}

/// What is wrong with the spec of the pod of this name, or of a template.
///
/// Upstream: `ValidatePodSpec`.
fn pod_spec(spec: &PodSpec, pod: Option<&str>, path: &Path<'_>, errors: &mut Errors) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.push(FieldError::required(path.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volumes::validate(spec, pod, &path.child("volumes"), errors);
    let scope = Scope { spec, pod, volumes };
    containers::validate(&scope, path, errors);
    network::host_ports_match(&scope, path, errors);
    const RESTART: &[&str] = &["Always", "OnFailure", "Never"];
    const DNS: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec.restart_policy.as_deref(), RESTART, &path.child("restartPolicy"), errors);
    one_of(spec.dns_policy.as_deref(), DNS, &path.child("dnsPolicy"), errors);
    errors.extend(labels::validate(spec.node_selector.as_ref(), path.child("nodeSelector")));
    security::pod(spec, path, errors);
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(affinity, &path.child("affinity"), errors);
    }
    network::dns_config(spec, &path.child("dnsConfig"), errors);
    scheduling::gates(spec, path, errors);
    scheduling::topology_spread(spec, &path.child("topologySpreadConstraints"), errors);
    os::windows_host_process(spec, path, errors);
    security::host_users(spec, path, errors);
    spec_names(spec, path, errors);
    if let Some(seconds) = spec.active_deadline_seconds {
        let range = 1..=i64::from(i32::MAX);
        in_range(seconds, range, &path.child("activeDeadlineSeconds"), errors);
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    scheduling::tolerations(tolerations, &path.child("tolerations"), errors);
    network::host_aliases(spec, &path.child("hostAliases"), errors);
    spec_classes(spec, path, errors);
    if let Some(overhead) = &spec.overhead {
        resources::overhead(overhead, &path.child("overhead"), errors);
    }
    os::validate(spec, path, errors);
}

type NameCheck = fn(&str) -> Vec<String>;

fn spec_names(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let fields: [(&str, Option<&String>, NameCheck); 4] = [
        ("serviceAccountName", spec.service_account_name.as_ref(), names::dns1123_subdomain),
        ("nodeName", spec.node_name.as_ref(), names::dns1123_subdomain),
        ("hostname", spec.hostname.as_ref(), names::dns1123_label),
        ("subdomain", spec.subdomain.as_ref(), names::dns1123_label),
    ];
    for (field, value, check) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            all_invalid(check(value), value, &path.child(field), errors);
        }
    }
}

fn spec_classes(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if let Some(name) = spec.priority_class_name.as_deref().filter(|name| !name.is_empty()) {
        let problems = names::dns1123_subdomain(name);
        all_invalid(problems, name, &path.child("priorityClassName"), errors);
    }
    if let Some(name) = spec.runtime_class_name.as_deref() {
        let problems = names::dns1123_subdomain(name);
        all_invalid(problems, name, &path.child("runtimeClassName"), errors);
    }
    if spec.preemption_policy.is_some() {
        const POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];
        let field = path.child("preemptionPolicy");
        one_of(spec.preemption_policy.as_deref(), POLICIES, &field, errors);
    }
}

/// What is wrong with a port given by number or name.
pub(crate) fn port_or_name(port: &IntOrString, field: &Path<'_>, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => port_number(*number, field, errors),
        IntOrString::String(name) => all_invalid(names::port_name(name), name, field, errors),
    }
}

/// What is wrong with a port number.
pub(crate) fn port_number(number: i32, field: &Path<'_>, errors: &mut Errors) {
    let invalid = |problem: String| FieldError::invalid_raw(field, number, &problem);
    errors.extend(names::port_number(number).into_iter().map(invalid));
}

/// A value that must be there and be one of a few.
pub(crate) fn one_of(value: Option<&str>, known: &[&str], field: &Path<'_>, errors: &mut Errors) {
    match value.unwrap_or_default() {
        "" => errors.push(FieldError::required(field, "")),
        value => known_or_none(Some(value), known, field, errors),
    }
}

/// A value that may be missing and else must be one of a few.
fn known_or_none(value: Option<&str>, known: &[&str], field: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = value.filter(|value| !known.contains(value)) {
        errors.push(FieldError::not_supported(field, value, known));
    }
}

/// A text that must be there.
fn required(value: &str, field: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
}

/// A number within bounds.
fn in_range(
    number: i64,
    range: std::ops::RangeInclusive<i64>,
    field: &Path<'_>,
    errors: &mut Errors,
) {
    if !range.contains(&number) {
        let detail = format!("must be between {} and {}, inclusive", range.start(), range.end());
        errors.push(FieldError::invalid_raw(field, number, &detail));
    }
}

/// A number that must not be negative.
pub(crate) fn not_negative(number: Option<i32>, field: &Path<'_>, errors: &mut Errors) {
    not_negative_long(number.map(i64::from), field, errors);
}

/// A number of 64 bits that must not be negative.
pub(crate) fn not_negative_long(number: Option<i64>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = number.filter(|number| *number < 0) {
        errors.push(FieldError::invalid_raw(field, number, NOT_NEGATIVE));
    }
}

/// A quantity that must not be negative.
pub(crate) fn not_negative_quantity(amount: Amount, field: &Path<'_>, errors: &mut Errors) {
    if amount < Amount::ZERO {
        errors.push(FieldError::invalid(field, &amount.to_string(), NOT_NEGATIVE));
    }
}

/// Every problem of a value as an error.
pub(crate) fn all_invalid(
    problems: Vec<String>,
    value: &str,
    field: &Path<'_>,
    errors: &mut Errors,
) {
    errors.extend(problems.iter().map(|problem| FieldError::invalid(field, value, problem)));
}
