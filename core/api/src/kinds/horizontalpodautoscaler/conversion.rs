//! Between `autoscaling/v1` and `v2`. What v1 has no field for travels in annotations.
//!
//! Upstream: `pkg/apis/autoscaling/v1/conversion.go`, `pkg/apis/autoscaling/annotations.go`.

use super::{DEFAULT_CPU_UTILIZATION, cpu_utilization};
use crate::{decode, encode};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingRules, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerCondition, MetricSpec,
    MetricStatus, MetricValueStatus, ResourceMetricStatus,
};
use k8s_openapi::api::autoscaling::{v1, v2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// These are dropped from what a client sends and made anew.
const ALL: [&str; 6] = [
    METRICS,
    CURRENT_METRICS,
    CONDITIONS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

/// An object of v1 as one of v2.
pub(super) fn to_v2(object: &v1::HorizontalPodAutoscaler) -> v2::HorizontalPodAutoscaler {
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let mut metadata = object.metadata.clone();
    let annotation = |name: &str| -> Option<Value> {
        serde_json::from_str(object.metadata.annotations.as_ref()?.get(name)?).ok()
    };
    let mut metrics: Vec<MetricSpec> =
        annotation(METRICS).map(|list| metrics_from_v1(list, SPEC)).unwrap_or_default();
    metrics.extend(spec.target_cpu_utilization_percentage.map(cpu_utilization));
    if metrics.is_empty() {
        metrics.push(cpu_utilization(DEFAULT_CPU_UTILIZATION));
    }
    let measured = status.current_cpu_utilization_percentage.map(|percent| MetricStatus {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricStatus {
            name: "cpu".to_owned(),
            current: MetricValueStatus {
                average_utilization: Some(percent),
                ..MetricValueStatus::default()
            },
        }),
        ..MetricStatus::default()
    });
    let current_metrics = match annotation(CURRENT_METRICS) {
        Some(list) => Some(metrics_from_v1(list, STATUS)),
        None => measured.map(|metric| vec![metric]),
    };
    let conditions: Option<Vec<HorizontalPodAutoscalerCondition>> =
        annotation(CONDITIONS).and_then(from_json);
    let behavior = annotation(BEHAVIOR).and_then(|value| {
        let behavior: HorizontalPodAutoscalerBehavior = from_json(lower_keys(value))?;
        (behavior != HorizontalPodAutoscalerBehavior::default()).then_some(behavior)
    });
    drop_annotations(&mut metadata.annotations);
    v2::HorizontalPodAutoscaler {
        metadata,
        spec: Some(v2::HorizontalPodAutoscalerSpec {
            max_replicas: spec.max_replicas,
            min_replicas: spec.min_replicas,
            scale_target_ref: v2::CrossVersionObjectReference {
                api_version: spec.scale_target_ref.api_version,
                kind: spec.scale_target_ref.kind,
                name: spec.scale_target_ref.name,
            },
            metrics: Some(metrics),
            behavior,
        }),
        status: Some(v2::HorizontalPodAutoscalerStatus {
            conditions,
            current_metrics,
            current_replicas: Some(status.current_replicas),
            desired_replicas: status.desired_replicas,
            last_scale_time: status.last_scale_time,
            observed_generation: status.observed_generation,
        }),
    }
}

/// An object of v2 as one of v1.
pub(super) fn to_v1(object: &v2::HorizontalPodAutoscaler) -> v1::HorizontalPodAutoscaler {
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let mut metadata = object.metadata.clone();
    drop_annotations(&mut metadata.annotations);
    let mut annotate = |name: &str, text: String| {
        metadata.annotations.get_or_insert_default().insert(name.to_owned(), text);
    };
    let metrics = spec.metrics.unwrap_or_default();
    let others: Vec<&MetricSpec> =
        metrics.iter().filter(|metric| cpu_percent(metric).is_none()).collect();
    if !others.is_empty() {
        annotate(METRICS, metrics_to_v1(&others, SPEC));
    }
    let current = status.current_metrics.unwrap_or_default();
    if !current.is_empty() {
        annotate(CURRENT_METRICS, metrics_to_v1(&current.iter().collect::<Vec<_>>(), STATUS));
    }
    if let Some(behavior) = &spec.behavior {
        let (up, down) = (rules_text(&behavior.scale_up), rules_text(&behavior.scale_down));
        annotate(BEHAVIOR, format!("{{\"ScaleUp\":{up},\"ScaleDown\":{down}}}"));
    }
    let conditions = status.conditions.unwrap_or_default();
    if !conditions.is_empty() {
        let texts: Vec<String> = conditions.iter().map(condition_text).collect();
        annotate(CONDITIONS, format!("[{}]", texts.join(",")));
    }
    let mut used = current.iter().filter_map(|metric| {
        let resource = metric.resource.as_ref().filter(|resource| resource.name == "cpu")?;
        resource.current.average_utilization
    });
    v1::HorizontalPodAutoscaler {
        metadata,
        spec: Some(v1::HorizontalPodAutoscalerSpec {
            max_replicas: spec.max_replicas,
            min_replicas: spec.min_replicas,
            scale_target_ref: v1::CrossVersionObjectReference {
                api_version: spec.scale_target_ref.api_version,
                kind: spec.scale_target_ref.kind,
                name: spec.scale_target_ref.name,
            },
            target_cpu_utilization_percentage: metrics.iter().find_map(cpu_percent),
        }),
        status: Some(v1::HorizontalPodAutoscalerStatus {
            current_cpu_utilization_percentage: used.next_back(),
            current_replicas: status.current_replicas.unwrap_or(0),
            desired_replicas: status.desired_replicas,
            last_scale_time: status.last_scale_time,
            observed_generation: status.observed_generation,
        }),
    }
}

/// The percentage of a metric for which v1 has a field.
fn cpu_percent(metric: &MetricSpec) -> Option<i32> {
    let resource = metric.resource.as_ref().filter(|_| metric.type_ == "Resource")?;
    resource.target.average_utilization.filter(|_| resource.name == "cpu")
}

fn drop_annotations(annotations: &mut Option<BTreeMap<String, String>>) {
    if let Some(annotations) = annotations {
        annotations.retain(|name, _| !ALL.contains(&name.as_str()));
    }
    if annotations.as_ref().is_some_and(|annotations| annotations.is_empty()) {
        *annotations = None;
    }
}

/// A field of a metric: its name in v1, its path in v2, and whether v1 always writes it.
type Field = (&'static str, &'static [&'static str], bool);
/// The sources of metrics in v1's order, with their fields in v1's order.
type Sources = &'static [(&'static str, &'static [Field])];

const SPEC: Sources = &[
    (
        "object",
        &[
            ("target", &["describedObject"], true),
            ("metricName", &["metric", "name"], true),
            ("targetValue", &["target", "value"], true),
            ("selector", &["metric", "selector"], false),
            ("averageValue", &["target", "averageValue"], false),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"], true),
            ("targetAverageValue", &["target", "averageValue"], true),
            ("selector", &["metric", "selector"], false),
        ],
    ),
    (
        "resource",
        &[
            ("name", &["name"], true),
            ("targetAverageUtilization", &["target", "averageUtilization"], false),
            ("targetAverageValue", &["target", "averageValue"], false),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"], true),
            ("targetAverageUtilization", &["target", "averageUtilization"], false),
            ("targetAverageValue", &["target", "averageValue"], false),
            ("container", &["container"], true),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"], true),
            ("metricSelector", &["metric", "selector"], false),
            ("targetValue", &["target", "value"], false),
            ("targetAverageValue", &["target", "averageValue"], false),
        ],
    ),
];

const STATUS: Sources = &[
    (
        "object",
        &[
            ("target", &["describedObject"], true),
            ("metricName", &["metric", "name"], true),
            ("currentValue", &["current", "value"], true),
            ("selector", &["metric", "selector"], false),
            ("averageValue", &["current", "averageValue"], false),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"], true),
            ("currentAverageValue", &["current", "averageValue"], true),
            ("selector", &["metric", "selector"], false),
        ],
    ),
    (
        "resource",
        &[
            ("name", &["name"], true),
            ("currentAverageUtilization", &["current", "averageUtilization"], false),
            ("currentAverageValue", &["current", "averageValue"], true),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"], true),
            ("currentAverageUtilization", &["current", "averageUtilization"], false),
            ("currentAverageValue", &["current", "averageValue"], true),
            ("container", &["container"], true),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"], true),
            ("metricSelector", &["metric", "selector"], false),
            ("currentValue", &["current", "value"], true),
            ("currentAverageValue", &["current", "averageValue"], false),
        ],
    ),
];

/// Metrics as v1 writes them, its fields in its order.
fn metrics_to_v1<M: Serialize>(metrics: &[&M], sources: Sources) -> String {
    let texts: Vec<String> = metrics
        .iter()
        .map(|metric| {
            let json = encode::to_value(metric).unwrap_or_default();
            let mut fields = vec![format!("\"type\":{}", json.get("type").unwrap_or(&Value::Null))];
            for (source, of) in sources {
                if let Some(json) = json.get(source) {
                    fields.push(format!("\"{source}\":{}", source_text(json, of)));
                }
            }
            format!("{{{}}}", fields.join(","))
        })
        .collect();
    format!("[{}]", texts.join(","))
}

fn source_text(json: &Value, fields: &[Field]) -> String {
    let text = |(name, path, always): &Field| {
        let found = path.iter().try_fold(json, |json, step| json.get(step));
        // A quantity that v1 always writes is zero when v2 does not have it.
        let value = match found {
            Some(value) if *name == "target" => reference_text(value),
            Some(value) => value.to_string(),
            None => always.then(|| "\"0\"".to_owned())?,
        };
        Some(format!("\"{name}\":{value}"))
    };
    let fields: Vec<String> = fields.iter().filter_map(text).collect();
    format!("{{{}}}", fields.join(","))
}

fn reference_text(json: &Value) -> String {
    let field = |name: &str| Some(format!("\"{name}\":{}", json.get(name)?));
    let fields: Vec<String> =
        ["kind", "name", "apiVersion"].into_iter().filter_map(field).collect();
    format!("{{{}}}", fields.join(","))
}

/// Metrics that v1 wrote.
fn metrics_from_v1<M: DeserializeOwned>(list: Value, sources: Sources) -> Vec<M> {
    let Value::Array(items) = list else { return Vec::new() };
    items.iter().filter_map(|item| from_json(metric_from_v1(item, sources))).collect()
}

fn metric_from_v1(item: &Value, sources: Sources) -> Value {
    let mut metric = Map::new();
    metric.insert("type".to_owned(), item.get("type").cloned().unwrap_or_default());
    for (source, fields) in sources {
        let Some(old) = item.get(source) else { continue };
        let mut new = json!({});
        for (name, path, _) in *fields {
            if let Some(value) = old.get(name) {
                put(&mut new, path, value.clone());
            }
        }
        if let Some(type_) = target_type(source, old) {
            put(&mut new, &["target", "type"], type_.into());
        }
        metric.insert((*source).to_owned(), new);
    }
    Value::Object(metric)
}

/// v1 does not say what a target is measured in, its fields tell.
fn target_type(source: &str, old: &Value) -> Option<&'static str> {
    let has = |name: &str| old.get(name).is_some_and(|value| !value.is_null());
    Some(match source {
        _ if has("currentValue") || has("currentAverageValue") => return None,
        "external" if has("targetValue") => "Value",
        "object" if !has("averageValue") => "Value",
        "resource" | "containerResource" if has("targetAverageUtilization") => "Utilization",
        _ => "AverageValue",
    })
}

fn put(json: &mut Value, path: &[&str], value: Value) {
    match path {
        [] => *json = value,
        [first, rest @ ..] => {
            if !json.is_object() {
                *json = json!({});
            }
            if let Value::Object(map) = json {
                put(map.entry(*first).or_insert(Value::Null), rest, value);
            }
        }
    }
}

/// Upstream writes the internal type here, which has no names for JSON.
fn rules_text(rules: &Option<HPAScalingRules>) -> String {
    let Some(rules) = rules else { return "null".to_owned() };
    let number = |number: Option<i32>| number.map_or("null".to_owned(), |n| n.to_string());
    let policy = |policy: &v2::HPAScalingPolicy| {
        format!(
            "{{\"Type\":{},\"Value\":{},\"PeriodSeconds\":{}}}",
            json!(policy.type_),
            policy.value,
            policy.period_seconds
        )
    };
    let policies = match &rules.policies {
        None => "null".to_owned(),
        Some(all) => format!("[{}]", all.iter().map(policy).collect::<Vec<_>>().join(",")),
    };
    format!(
        "{{\"StabilizationWindowSeconds\":{},\"SelectPolicy\":{},\"Policies\":{policies},\
         \"Tolerance\":{}}}",
        number(rules.stabilization_window_seconds),
        json!(rules.select_policy),
        json!(rules.tolerance.as_ref().map(|tolerance| &tolerance.0)),
    )
}

/// `{"ScaleUp": …}` as `{"scaleUp": …}`, all the way down.
fn lower_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let mut chars = key.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                (first.into_iter().chain(chars).collect::<String>(), lower_keys(value))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(lower_keys).collect(),
        other => other,
    }
}

fn condition_text(condition: &HorizontalPodAutoscalerCondition) -> String {
    let json = encode::to_value(condition).unwrap_or_default();
    let field = |name: &str| Some(format!("\"{name}\":{}", json.get(name)?));
    let names = ["type", "status", "lastTransitionTime", "reason", "message"];
    let fields: Vec<String> = names.into_iter().filter_map(field).collect();
    format!("{{{}}}", fields.join(","))
}

fn from_json<T: DeserializeOwned>(json: Value) -> Option<T> {
    decode::from_value(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(spec: Value, status: Value) -> v1::HorizontalPodAutoscaler {
        let object: v2::HorizontalPodAutoscaler =
            serde_json::from_value(json!({"spec": spec, "status": status})).unwrap();
        let old = to_v1(&object);
        assert_eq!(to_v2(&old), object, "nothing is lost");
        old
    }

    #[test]
    fn cpu_has_a_field_of_its_own() {
        let old = round_trip(
            json!({"maxReplicas": 3, "minReplicas": 1,
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 50}}}]}),
            json!({"currentReplicas": 1, "desiredReplicas": 2}),
        );
        assert_eq!(old.spec.unwrap().target_cpu_utilization_percentage, Some(50));
        assert_eq!(old.metadata.annotations, None);
    }

    #[test]
    fn the_rest_is_in_annotations() {
        let old = round_trip(
            json!({"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "metrics": [
                    {"type": "Pods", "pods": {"metric": {"name": "rps"},
                        "target": {"type": "AverageValue", "averageValue": "1k"}}},
                    {"type": "External", "external": {"metric": {"name": "q"},
                        "target": {"type": "Value", "value": "30"}}}],
                "behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}),
            json!({"currentReplicas": 1, "desiredReplicas": 2,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "current": {"averageUtilization": 12, "averageValue": "12m"}}}],
                "conditions": [{"type": "AbleToScale", "status": "True", "reason": "R"}]}),
        );
        let annotations = old.metadata.annotations.unwrap();
        assert_eq!(
            annotations[METRICS],
            r#"[{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"1k"}},{"type":"External","external":{"metricName":"q","targetValue":"30"}}]"#
        );
        assert_eq!(
            annotations[CURRENT_METRICS],
            r#"[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":12,"currentAverageValue":"12m"}}]"#
        );
        assert_eq!(
            annotations[BEHAVIOR],
            r#"{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Disabled","Policies":null,"Tolerance":null}}"#
        );
        assert_eq!(
            annotations[CONDITIONS],
            r#"[{"type":"AbleToScale","status":"True","reason":"R"}]"#
        );
        assert_eq!(old.status.unwrap().current_cpu_utilization_percentage, Some(12));
    }

    #[test]
    fn without_metrics_it_is_cpu_at_80_per_cent() {
        let old: v1::HorizontalPodAutoscaler = serde_json::from_value(json!({"spec":
            {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}))
        .unwrap();
        let metrics = to_v2(&old).spec.unwrap().metrics.unwrap();
        assert_eq!(metrics, [cpu_utilization(80)]);
    }
}
