//! Horizontal pod autoscalers, `autoscaling/v2`: the version that is stored.
//!
//! Upstream: `pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`,
//! `SetDefaults_HorizontalPodAutoscaler`, `printHorizontalPodAutoscaler`.

mod conversion;
mod metrics;
mod v1;
mod validation;

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus, MetricSpec, MetricTarget, ResourceMetricSource,
};
use naru_sim::Time;

static KIND: Kind = names("v2").kind(&Autoscalers);

impl Kube for HorizontalPodAutoscaler {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

/// The names of both versions.
const fn names(version: &'static str) -> Names {
    Names::new(
        "autoscaling",
        version,
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
    )
    .short(&["hpa"])
    .categories(&["all"])
    .subresources(&["status"])
}

struct Autoscalers;

impl Typed for Autoscalers {
    type Object = HorizontalPodAutoscaler;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Reference"),
        Column::new("Targets"),
        Column::new("MinPods"),
        Column::new("MaxPods"),
        Column::new("Replicas"),
        Column::new("Age"),
    ];

    fn default(&self, object: &mut HorizontalPodAutoscaler) {
        let spec = object.spec.get_or_insert_default();
        spec.min_replicas.get_or_insert(1);
        if spec.metrics.as_ref().is_none_or(|metrics| metrics.is_empty()) {
            spec.metrics = Some(vec![cpu_utilization(DEFAULT_CPU_UTILIZATION)]);
        }
        if let Some(behavior) = &mut spec.behavior {
            let up = [policy("Pods", 4), policy("Percent", 100)];
            default_rules(behavior.scale_up.get_or_insert_default(), Some(0), &up);
            let down = [policy("Percent", 100)];
            default_rules(behavior.scale_down.get_or_insert_default(), None, &down);
        }
    }

    fn prepare_for_create(&self, object: &mut HorizontalPodAutoscaler) {
        object.status = Some(HorizontalPodAutoscalerStatus::default());
        drop_tolerance(object);
    }

    fn prepare_for_update(
        &self,
        new: &mut HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            drop_tolerance(new);
        }
    }

    fn validate(&self, object: &HorizontalPodAutoscaler) -> Vec<FieldError> {
        validation::spec(object, 1)
    }

    fn validate_update(
        &self,
        new: &HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validation::status(new);
        }
        let had_none = old.spec.as_ref().is_some_and(|spec| spec.min_replicas == Some(0));
        validation::spec(new, if had_none { 0 } else { 1 })
    }

    fn cells(&self, object: &HorizontalPodAutoscaler, now: Time) -> Vec<Cell> {
        let none =
            (HorizontalPodAutoscalerSpec::default(), HorizontalPodAutoscalerStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let target = &spec.scale_target_ref;
        let current = status.current_metrics.as_deref().unwrap_or_default();
        vec![
            cells::name(&object.metadata),
            format!("{}/{}", target.kind, target.name).into(),
            metrics::format(spec.metrics.as_deref().unwrap_or_default(), current).into(),
            spec.min_replicas.map_or("<unset>".to_owned(), |min| min.to_string()).into(),
            spec.max_replicas.into(),
            status.current_replicas.unwrap_or(0).into(),
            cells::age(&object.metadata, now),
        ]
    }
}

/// Per cent of the requested CPU that is aimed at when nothing else is said.
const DEFAULT_CPU_UTILIZATION: i32 = 80;

/// The metric of the CPU that pods use, in per cent of what they request.
fn cpu_utilization(percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn policy(type_: &str, value: i32) -> HPAScalingPolicy {
    HPAScalingPolicy { type_: type_.to_owned(), value, period_seconds: 15 }
}

fn default_rules(rules: &mut HPAScalingRules, window: Option<i32>, policies: &[HPAScalingPolicy]) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    if rules.stabilization_window_seconds.is_none() {
        rules.stabilization_window_seconds = window;
    }
    rules.policies.get_or_insert_with(|| policies.to_vec());
}

/// The feature gate `HPAConfigurableTolerance` is off.
fn drop_tolerance(object: &mut HorizontalPodAutoscaler) {
    let behavior = object.spec.as_mut().and_then(|spec| spec.behavior.as_mut());
    if let Some(behavior) = behavior {
        let rules = [&mut behavior.scale_up, &mut behavior.scale_down];
        rules.into_iter().flatten().for_each(|rules| rules.tolerance = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults() {
        let mut object = serde_json::from_value(json!({"spec": {"maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}))
        .unwrap();
        Typed::default(&Autoscalers, &mut object);
        let spec = serde_json::to_value(object.spec).unwrap();
        assert_eq!(spec["minReplicas"], 1);
        assert_eq!(
            spec["metrics"],
            json!([{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}])
        );
        let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
        assert_eq!(
            spec["behavior"],
            json!({
                "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
                    "policies": [pods, percent]},
                "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
                    "policies": [percent]},
            })
        );
    }
}
