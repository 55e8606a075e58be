//! What the kinds that make pods from a template have in common.
//!
//! Upstream: `pkg/apis/apps/validation/validation.go`, `ValidatePodTemplateSpec`.

use super::cells;
use crate::podspec::validation::{self, one_of};
use crate::{Cell, FieldError, Path, labels};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Defaults of a template.
pub(crate) fn default_template(template: &mut PodTemplateSpec) {
    crate::podspec::defaults::set_pod_spec(template.spec.get_or_insert_default());
}

/// What is wrong with a selector that must not be empty, and with a template that it must match.
pub(crate) fn validate(
    selector: &LabelSelector,
    template: &PodTemplateSpec,
    kind: &str,
    errors: &mut Vec<FieldError>,
) {
    let path = Path::new("spec");
    let field = path.child("selector");
    let labels = selector.match_labels.as_ref().map_or(0, |labels| labels.len());
    let expressions = selector.match_expressions.as_ref().map_or(0, Vec::len);
    if labels + expressions == 0 {
        // Upstream says "deployment" of a ReplicaSet too.
        let who = if kind == "DaemonSet" { "daemonset" } else { "deployment" };
        let value = "v1.LabelSelector{MatchLabels:map[string]string(nil), \
                     MatchExpressions:[]v1.LabelSelectorRequirement(nil)}";
        let detail = format!("empty selector is invalid for {who}");
        errors.push(FieldError::invalid_raw(field, value, &detail));
    }
    errors.extend(labels::validate(selector.match_labels.as_ref(), field.child("matchLabels")));
    let template_path = path.child("template");
    match labels::Selector::from_label_selector(Some(selector)) {
        Err(_) => {
            let value = "v1.LabelSelector";
            errors.push(FieldError::invalid_raw(field, value, "invalid label selector"));
        }
        Ok(selector) => validate_template(&selector, template, kind, &template_path, errors),
    }
}

fn validate_template(
    selector: &labels::Selector,
    template: &PodTemplateSpec,
    kind: &str,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let metadata = path.child("metadata");
    if !selector.is_everything() && !selector.matches(labels) {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid_raw(metadata.child("labels"), go_map(labels), detail));
    }
    errors.extend(labels::validate(labels, path.child("labels")));
    let spec = template.spec.clone().unwrap_or_default();
    let spec_path = path.child("spec");
    errors.extend(validation::pod_spec(&spec, &spec_path));
    validate_forever(&spec, kind, &spec_path, errors);
}

/// Pods of these kinds run until they are deleted.
fn validate_forever(spec: &PodSpec, kind: &str, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let policy = spec.restart_policy.as_deref().filter(|policy| !policy.is_empty());
    if policy.is_some() {
        one_of(policy, &["Always"], &path.child("restartPolicy"), errors);
    }
    if spec.active_deadline_seconds.is_some() {
        let kind = if kind == "DaemonSet" { kind } else { "ReplicaSet" };
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(FieldError::forbidden(path.child("activeDeadlineSeconds"), &detail));
    }
}

/// A selector may not change.
pub(crate) fn immutable_selector(
    new: &LabelSelector,
    old: &LabelSelector,
    errors: &mut Vec<FieldError>,
) {
    if new != old {
        let labels = go_map_typed(new.match_labels.as_ref());
        let value = format!(
            "&v1.LabelSelector{{MatchLabels:{labels}, \
             MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"
        );
        errors.push(FieldError::invalid_raw("spec.selector", value, "field is immutable"));
    }
}

/// The cells of `Containers`, `Images` and `Selector`.
pub(crate) fn wide_cells(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
) -> impl Iterator<Item = Cell> {
    let containers = template.spec.as_ref().map(|spec| spec.containers.as_slice());
    let selector = labels::format_selector(Some(selector)).into();
    cells::containers(containers.unwrap_or_default()).into_iter().chain([selector])
}

/// Labels as Go's `%#v` writes them.
fn go_map(labels: Option<&labels::Labels>) -> String {
    go_map_typed(labels)
}

fn go_map_typed(labels: Option<&labels::Labels>) -> String {
    let Some(labels) = labels else { return "map[string]string(nil)".to_owned() };
    let pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
    format!("map[string]string{{{}}}", pairs.join(", "))
}
