//! What is wrong with a horizontal pod autoscaler.
//!
//! Upstream: `pkg/apis/autoscaling/validation/validation.go`.

use crate::kinds::workload;
use crate::podspec::validation::{all_invalid, not_negative_quantity};
use crate::quantity::Amount;
use crate::{FieldError, Path, names, resourcenames};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
    MetricIdentifier, MetricSpec, MetricTarget,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

type Errors = Vec<FieldError>;

const PERIOD_SECONDS_MAX: i32 = 1800;
const WINDOW_SECONDS_MAX: i32 = 3600;

/// What is wrong with the spec, which wants at least `least` pods.
pub(super) fn spec(object: &HorizontalPodAutoscaler, least: i32) -> Errors {
    let Some(spec) = &object.spec else { return Vec::new() };
    let path = Path::new("spec");
    let mut errors = Vec::new();
    if let Some(min) = spec.min_replicas.filter(|min| *min < least) {
        let detail = format!("must be greater than or equal to {least}");
        errors.push(FieldError::invalid_raw(path.child("minReplicas"), min, &detail));
    }
    let (max, field) = (spec.max_replicas, path.child("maxReplicas"));
    if max < 1 {
        errors.push(FieldError::invalid_raw(field, max, "must be greater than 0"));
    }
    if spec.min_replicas.is_some_and(|min| max < min) {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid_raw(field, max, detail));
    }
    reference(&spec.scale_target_ref, &path.child("scaleTargetRef"), &mut errors);
    let list = path.child("metrics");
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    for (index, metric) in metrics.iter().enumerate() {
        self::metric(metric, &list.index(index), &mut errors);
    }
    let wakes = |metric: &MetricSpec| matches!(metric.type_.as_str(), "Object" | "External");
    if spec.min_replicas == Some(0) && !metrics.iter().any(wakes) {
        let detail = "must specify at least one Object or External metric to support scaling to \
                      zero replicas";
        errors.push(FieldError::forbidden(list, detail));
    }
    if let Some(behavior) = &spec.behavior {
        let path = path.child("behavior");
        let both = [("scaleUp", &behavior.scale_up), ("scaleDown", &behavior.scale_down)];
        for (field, rules) in both {
            if let Some(rules) = rules {
                self::rules(rules, &path.child(field), &mut errors);
            }
        }
    }
    errors
}

/// What is wrong with the status.
pub(super) fn status(object: &HorizontalPodAutoscaler) -> Errors {
    let mut errors = Vec::new();
    if let Some(status) = &object.status {
        let counts = [
            ("currentReplicas", status.current_replicas.unwrap_or(0).into()),
            ("desiredReplicas", status.desired_replicas.into()),
        ];
        workload::status_not_negative(&counts, &mut errors);
    }
    errors
}

fn reference(reference: &CrossVersionObjectReference, path: &Path<'_>, errors: &mut Errors) {
    for (field, value) in [("kind", &reference.kind), ("name", &reference.name)] {
        segment(value, "", &path.child(field), errors);
    }
}

/// A name that goes into a path and must be there.
fn segment(value: &str, missing: &str, field: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(field, missing));
    } else {
        all_invalid(names::path_segment(value), value, field, errors);
    }
}

fn metric(spec: &MetricSpec, path: &Path<'_>, errors: &mut Errors) {
    const TYPES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
    let field = path.child("type");
    if spec.type_.is_empty() {
        errors.push(FieldError::required(field, "must specify a metric source type"));
    }
    if !TYPES.contains(&spec.type_.as_str()) {
        errors.push(FieldError::not_supported(field, &spec.type_, TYPES));
    }
    let present: Vec<&str> = [
        ("object", spec.object.is_some()),
        ("external", spec.external.is_some()),
        ("pods", spec.pods.is_some()),
        ("resource", spec.resource.is_some()),
        ("containerResource", spec.container_resource.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
    .collect();
    // Only the first source is looked into.
    if let Some(first) = present.first() {
        source(spec, first, &path.child(first), errors);
    }
    let expected = match spec.type_.as_str() {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        other => {
            errors.push(FieldError::not_supported(field, other, TYPES));
            ""
        }
    };
    if !expected.is_empty() && !present.contains(&expected) {
        let detail = "must populate information for the given metric source";
        errors.push(FieldError::required(path.child(expected), detail));
    }
    if present.len() != 1 {
        for other in present.into_iter().filter(|name| *name != expected) {
            let detail = "must populate the given metric source only";
            errors.push(FieldError::forbidden(path.child(other), detail));
        }
    }
}

fn source(spec: &MetricSpec, which: &str, path: &Path<'_>, errors: &mut Errors) {
    let target = path.child("target");
    let average = target.child("averageValue");
    if let Some(source) = spec.object.as_ref().filter(|_| which == "object") {
        reference(&source.described_object, &path.child("describedObject"), errors);
        identifier(&source.metric, &path.child("metric"), errors);
        self::target(&source.target, &target, errors);
        if source.target.value.is_none() && source.target.average_value.is_none() {
            let detail = "must set either a target value or averageValue";
            errors.push(FieldError::required(average, detail));
        }
    } else if let Some(source) = spec.external.as_ref().filter(|_| which == "external") {
        identifier(&source.metric, &path.child("metric"), errors);
        self::target(&source.target, &target, errors);
        match (&source.target.value, &source.target.average_value) {
            (None, None) => {
                let detail = "must set either a target value for metric or a per-pod target";
                errors.push(FieldError::required(average, detail));
            }
            (Some(_), Some(_)) => {
                let detail = "may not set both a target value for metric and a per-pod target";
                errors.push(FieldError::forbidden(target.child("value"), detail));
            }
            _ => {}
        }
    } else if let Some(source) = spec.pods.as_ref().filter(|_| which == "pods") {
        identifier(&source.metric, &path.child("metric"), errors);
        self::target(&source.target, &target, errors);
        if source.target.average_value.is_none() {
            let detail = "must specify a positive target averageValue";
            errors.push(FieldError::required(average, detail));
        }
    } else if let Some(source) = spec.resource.as_ref().filter(|_| which == "resource") {
        if source.name.is_empty() {
            let detail = "must specify a resource name";
            errors.push(FieldError::required(path.child("name"), detail));
        }
        resource_target(&source.target, &target, errors);
    } else if let Some(source) = &spec.container_resource {
        let field = path.child("name");
        if source.name.is_empty() {
            errors.push(FieldError::required(field, "must specify a resource name"));
        } else {
            errors.extend(resourcenames::validate_container(&source.name, &field));
        }
        let field = path.child("container");
        if source.container.is_empty() {
            errors.push(FieldError::required(field, "must specify a container"));
        } else {
            let problems = names::dns1123_label(&source.container);
            all_invalid(problems, &source.container, &field, errors);
        }
        resource_target(&source.target, &target, errors);
    }
}

fn resource_target(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    self::target(target, path, errors);
    match (&target.average_utilization, &target.average_value) {
        (None, None) => {
            let detail = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(path.child("averageUtilization"), detail));
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(path.child("averageValue"), detail));
        }
        _ => {}
    }
}

fn target(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("type");
    if target.type_.is_empty() {
        errors.push(FieldError::required(field, "must specify a metric target type"));
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(field, &target.type_, detail));
    }
    let mut positive = |field: &str, quantity: &Option<Quantity>| {
        if let Some(amount) = quantity.as_ref().map(Amount::of).filter(|it| *it <= Amount::ZERO) {
            errors.push(FieldError::invalid_raw(path.child(field), amount, "must be positive"));
        }
    };
    positive("value", &target.value);
    positive("averageValue", &target.average_value);
    if let Some(percent) = target.average_utilization.filter(|percent| *percent < 1) {
        let field = path.child("averageUtilization");
        errors.push(FieldError::invalid_raw(field, percent, "must be greater than 0"));
    }
}

fn identifier(metric: &MetricIdentifier, path: &Path<'_>, errors: &mut Errors) {
    segment(&metric.name, "must specify a metric name", &path.child("name"), errors);
}

fn rules(rules: &HPAScalingRules, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("stabilizationWindowSeconds");
    match rules.stabilization_window_seconds {
        Some(window) if window < 0 => {
            let detail = "must be greater than or equal to zero";
            errors.push(FieldError::invalid_raw(field, window, detail));
        }
        Some(window) if window > WINDOW_SECONDS_MAX => {
            let detail = format!("must be less than or equal to {WINDOW_SECONDS_MAX}");
            errors.push(FieldError::invalid_raw(field, window, &detail));
        }
        _ => {}
    }
    const POLICIES: &[&str] = &["Disabled", "Max", "Min"];
    if let Some(policy) = rules.select_policy.as_deref().filter(|it| !POLICIES.contains(it)) {
        let field = path.child("selectPolicy");
        errors.push(FieldError::not_supported(field, policy, POLICIES));
    }
    let list = path.child("policies");
    let policies = rules.policies.as_deref().unwrap_or_default();
    if policies.is_empty() {
        errors.push(FieldError::required(list, "must specify at least one Policy"));
    }
    for (index, policy) in policies.iter().enumerate() {
        self::policy(policy, &list.index(index), errors);
    }
    if let Some(tolerance) = &rules.tolerance {
        not_negative_quantity(Amount::of(tolerance), &path.child("tolerance"), errors);
    }
}

fn policy(policy: &HPAScalingPolicy, path: &Path<'_>, errors: &mut Errors) {
    if !matches!(policy.type_.as_str(), "Pods" | "Percent") {
        let known = &["Percent", "Pods"];
        errors.push(FieldError::not_supported(path.child("type"), &policy.type_, known));
    }
    if policy.value <= 0 {
        let field = path.child("value");
        errors.push(FieldError::invalid_raw(field, policy.value, "must be greater than zero"));
    }
    let (field, seconds) = (path.child("periodSeconds"), policy.period_seconds);
    if seconds <= 0 {
        errors.push(FieldError::invalid_raw(field, seconds, "must be greater than zero"));
    }
    if seconds > PERIOD_SECONDS_MAX {
        let detail = format!("must be less than or equal to {PERIOD_SECONDS_MAX}");
        errors.push(FieldError::invalid_raw(field, seconds, &detail));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Autoscalers, Typed};
    use serde_json::{Value, json};

    fn errors(spec: Value) -> Vec<String> {
        let mut all = json!({"maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut object = serde_json::from_value(json!({ "spec": all })).unwrap();
        Typed::default(&Autoscalers, &mut object);
        let errors = Typed::validate(&Autoscalers, &object);
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn messages_are_upstreams() {
        let cpu = |target: Value| json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]});
        let table = [
            (json!({}), vec![]),
            (
                json!({"minReplicas": 0}),
                vec![
                    "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
                    "spec.metrics: Forbidden: must specify at least one Object or External metric \
                     to support scaling to zero replicas",
                ],
            ),
            (
                json!({"maxReplicas": 0}),
                vec![
                    "spec.maxReplicas: Invalid value: 0: must be greater than 0",
                    "spec.maxReplicas: Invalid value: 0: must be greater than or equal to \
                     `minReplicas`",
                ],
            ),
            (
                json!({"scaleTargetRef": {"kind": "", "name": "a/b"}}),
                vec![
                    "spec.scaleTargetRef.kind: Required value",
                    "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'",
                ],
            ),
            (
                cpu(json!({"type": "Utilization"})),
                vec![
                    "spec.metrics[0].resource.target.averageUtilization: Required value: must set \
                     either a target raw value or a target utilization",
                ],
            ),
            (
                cpu(json!({"type": "Utilization", "averageUtilization": 0, "averageValue": "-1"})),
                vec![
                    "spec.metrics[0].resource.target.averageValue: Invalid value: -1: must be \
                     positive",
                    "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must \
                     be greater than 0",
                    "spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a \
                     target raw value and a target utilization",
                ],
            ),
            (
                json!({"metrics": [{"type": "Pods", "object": {"metric": {"name": "m"},
                    "describedObject": {"kind": "Service", "name": "s"},
                    "target": {"type": "Value", "value": "1"}}}]}),
                vec![
                    "spec.metrics[0].pods: Required value: must populate information for the \
                     given metric source",
                ],
            ),
            (
                json!({"behavior": {"scaleUp": {"policies": [], "selectPolicy": "All",
                    "stabilizationWindowSeconds": 3601}}}),
                vec![
                    "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must \
                     be less than or equal to 3600",
                    "spec.behavior.scaleUp.selectPolicy: Unsupported value: \"All\": supported \
                     values: \"Disabled\", \"Max\", \"Min\"",
                    "spec.behavior.scaleUp.policies: Required value: must specify at least one \
                     Policy",
                ],
            ),
        ];
        for (spec, messages) in table {
            assert_eq!(errors(spec.clone()), messages, "{spec}");
        }
    }
}
