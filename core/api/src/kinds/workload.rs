//! What the kinds that make pods from a template have in common.
//!
//! Upstream: `pkg/apis/apps/validation/validation.go`.

use super::cells;
use crate::podspec::validation;
use crate::{Cell, FieldError, Path, gofmt, intstr, labels, names};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

type Errors = Vec<FieldError>;

const MISMATCH: &str = "`selector` does not match template `labels`";

/// Defaults of a template.
pub(crate) fn default_template(template: &mut PodTemplateSpec) {
    template.spec.get_or_insert_default().amend(crate::podspec::defaults::set_pod_spec);
}

/// What is wrong with the selector of a deployment, replica set or stateful set, and with a
/// template that does not match it. `who` is the kind in the message of the empty selector,
/// `invalid` what upstream says of one that cannot be read.
pub(crate) fn validate_selector(
    selector: &LabelSelector,
    template: &PodTemplateSpec,
    (who, invalid): (&str, &str),
    spec: &Path<'_>,
    errors: &mut Errors,
) {
    let field = spec.child("selector");
    if is_missing(selector) {
        errors.push(FieldError::required(field, ""));
    } else {
        errors.extend(labels::validate_selector(selector, &field));
        reject_empty(selector, who, &field, errors);
    }
    match labels::Selector::from_label_selector(Some(selector).filter(|it| !is_missing(it))) {
        Err(_) => {
            errors.push(FieldError::invalid_raw(field, gofmt::label_selector(selector), invalid));
        }
        Ok(selector) if selector.is_everything() => {}
        Ok(selector) => must_match(&selector, template, &spec.child("template"), errors),
    }
}

/// A selector that chooses nothing in particular is refused.
pub(crate) fn reject_empty(
    selector: &LabelSelector,
    who: &str,
    field: &Path<'_>,
    errors: &mut Errors,
) {
    let labels = selector.match_labels.as_ref().map_or(0, |labels| labels.len());
    let expressions = selector.match_expressions.as_ref().map_or(0, Vec::len);
    if labels + expressions == 0 {
        let detail = format!("empty selector is invalid for {who}");
        errors.push(FieldError::invalid_raw(field, gofmt::label_selector(selector), &detail));
    }
}

/// Whether the object names no selector at all; what was decoded does not tell that from `{}`.
pub(crate) fn is_missing(selector: &LabelSelector) -> bool {
    selector.match_labels.is_none() && selector.match_expressions.is_none()
}

/// The labels of a template must be those that its owner selects.
pub(crate) fn must_match(
    selector: &labels::Selector,
    template: &PodTemplateSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let labels = template_labels(template);
    if !selector.matches(labels) {
        let metadata = path.child("metadata");
        let field = metadata.child("labels");
        errors.push(FieldError::invalid_raw(field, gofmt::string_map(labels), MISMATCH));
    }
}

/// The labels of the pods of a template.
pub(crate) fn template_labels(template: &PodTemplateSpec) -> Option<&labels::Labels> {
    template.metadata.as_ref().and_then(|meta| meta.labels.as_ref())
}

/// Pods of these kinds run until they are deleted.
pub(crate) fn validate_forever(
    template: &PodTemplateSpec,
    kind: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let none = PodSpec::default();
    let spec = template.spec.as_deref().unwrap_or(&none);
    let path = path.child("spec");
    let policy = spec.restart_policy.as_deref().unwrap_or_default();
    if policy != "Always" {
        let field = path.child("restartPolicy");
        errors.push(FieldError::not_supported(field, policy, &["Always"]));
    }
    if spec.active_deadline_seconds.is_some() {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(FieldError::forbidden(path.child("activeDeadlineSeconds"), &detail));
    }
}

/// A selector may not change.
pub(crate) fn immutable_selector(new: &LabelSelector, old: &LabelSelector, errors: &mut Errors) {
    if new != old {
        let value = gofmt::label_selector(new);
        errors.push(FieldError::invalid_raw("spec.selector", value, "field is immutable"));
    }
}

/// A count of pods as a number or as a percentage.
///
/// Upstream: `ValidatePositiveIntOrPercent`.
pub(crate) fn validate_count(value: &IntOrString, field: &Path<'_>, errors: &mut Errors) {
    match value {
        IntOrString::Int(number) => validation::not_negative(Some(*number), field, errors),
        IntOrString::String(text) if intstr::percent(text).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending \
                          '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.push(FieldError::invalid_raw(field, gofmt::int_or_string(value), detail));
        }
        IntOrString::String(_) => {}
    }
}

/// Not more than all of them.
///
/// Upstream: `IsNotMoreThan100Percent`.
pub(crate) fn validate_percentage(value: &IntOrString, field: &Path<'_>, errors: &mut Errors) {
    if let IntOrString::String(text) = value
        && intstr::percent(text).is_some_and(|percent| percent > 100)
    {
        let detail = "must not be greater than 100%";
        errors.push(FieldError::invalid_raw(field, gofmt::int_or_string(value), detail));
    }
}

/// The number, or the number before the `%`; of other texts what can be read as a number.
///
/// Upstream: `getIntOrPercentValue`.
pub(crate) fn count_or_percentage(value: &IntOrString) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            intstr::percent(text).or_else(|| text.parse().ok()).unwrap_or(0)
        }
    }
}

/// No count of a status is negative.
pub(crate) fn status_not_negative(counts: &[(&str, i64)], errors: &mut Errors) {
    let status = Path::new("status");
    for (field, count) in counts.iter().filter(|(_, count)| *count < 0) {
        let detail = validation::NOT_NEGATIVE;
        errors.push(FieldError::invalid_raw(status.child(field), count, detail));
    }
}

/// There are never more pods of a sort than there are pods; and no more available than ready.
pub(crate) fn status_within(
    replicas: i32,
    counts: &[(&str, i32)],
    (available, ready): (i32, i32),
    ready_name: &str,
    errors: &mut Errors,
) {
    let status = Path::new("status");
    for (field, count) in counts.iter().filter(|(_, count)| *count > replicas) {
        let detail = "cannot be greater than status.replicas";
        errors.push(FieldError::invalid_raw(status.child(field), count, detail));
    }
    if available > ready {
        let detail = format!("cannot be greater than {ready_name}");
        errors.push(FieldError::invalid_raw("status.availableReplicas", available, &detail));
    }
}

/// A count of collisions only grows.
pub(crate) fn collisions_grow(new: Option<i32>, old: Option<i32>, errors: &mut Errors) {
    if old.is_some_and(|old| new.is_none_or(|new| new < old)) {
        let detail = "cannot be decremented";
        let value = new.unwrap_or(0);
        errors.push(FieldError::invalid_raw("status.collisionCount", value, detail));
    }
}

/// The warning for a name that pods cannot take over whole.
pub(crate) fn warn_name(meta: &ObjectMeta) -> Vec<String> {
    let problems = names::dns1123_label(meta.name.as_deref().unwrap_or_default());
    if problems.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising \
         behavior; a DNS label is recommended: [{}]",
        problems.join(" ")
    )]
}

/// What is unwise in a template at `path`, of an object that is new or has changed.
pub(crate) fn warn_template(
    template: &PodTemplateSpec,
    changed: bool,
    path: &Path<'_>,
) -> Vec<String> {
    if changed { crate::podspec::warnings::template(template, path) } else { Vec::new() }
}

/// The cells of `Containers`, `Images` and `Selector`.
pub(crate) fn wide_cells(
    template: Option<&PodTemplateSpec>,
    selector: Option<&LabelSelector>,
) -> impl Iterator<Item = Cell> {
    let selector = labels::format_selector(selector).into();
    template_cells(template).into_iter().chain([selector])
}

/// The cells of `Containers` and `Images`.
pub(crate) fn template_cells(template: Option<&PodTemplateSpec>) -> [Cell; 2] {
    let spec = template.and_then(|template| template.spec.as_ref());
    cells::containers(spec.map(|spec| spec.containers.as_slice()).unwrap_or_default())
}
