//! Pod disruption budgets.
//!
//! Upstream: `pkg/registry/policy/poddisruptionbudget/strategy.go`,
//! `ValidatePodDisruptionBudgetSpec`, `printPodDisruptionBudget`.

use super::typed::{Typed, keep};
use super::{cells, workload};
use crate::{
    Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt, intstr, labels, names,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;

static KIND: Kind = Names::new(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "poddisruptionbudget",
)
.short(&["pdb"])
.subresources(&["status"])
.kind(&PodDisruptionBudgets);

impl Kube for PodDisruptionBudget {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PodDisruptionBudgets;

impl Typed for PodDisruptionBudgets {
    type Object = PodDisruptionBudget;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Min Available"),
        Column::new("Max Unavailable"),
        Column::new("Allowed Disruptions").integer(),
        Column::new("Age"),
    ];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn prepare_for_create(&self, object: &mut PodDisruptionBudget) {
        object.metadata.generation = Some(1);
        object.status = Some(PodDisruptionBudgetStatus::default());
    }

    fn prepare_for_update(
        &self,
        new: &mut PodDisruptionBudget,
        old: &PodDisruptionBudget,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, object: &PodDisruptionBudget) -> Vec<FieldError> {
        let Some(spec) = &object.spec else { return Vec::new() };
        let path = Path::new("spec");
        let mut errors = Vec::new();
        if spec.min_available.is_some() && spec.max_unavailable.is_some() {
            let detail = "minAvailable and maxUnavailable cannot be both set";
            let value = gofmt::dump("policy.PodDisruptionBudgetSpec", spec);
            errors.push(FieldError::invalid_raw(path, value, detail));
        }
        let counts =
            [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)];
        for (field, value) in counts {
            if let Some(value) = value {
                let field = path.child(field);
                workload::validate_count(value, &field, &mut errors);
                workload::validate_percentage(value, &field, &mut errors);
            }
        }
        if let Some(selector) = &spec.selector {
            errors.extend(labels::validate_selector(selector, &path.child("selector")));
        }
        const POLICIES: &[&str] = &["AlwaysAllow", "IfHealthyBudget"];
        if let Some(policy) = spec.unhealthy_pod_eviction_policy.as_deref()
            && !POLICIES.contains(&policy)
        {
            let field = path.child("unhealthyPodEvictionPolicy");
            errors.push(FieldError::not_supported(field, policy, POLICIES));
        }
        errors
    }

    fn validate_update(
        &self,
        new: &PodDisruptionBudget,
        _old: &PodDisruptionBudget,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource != "status" {
            return Typed::validate(self, new);
        }
        let mut errors = Vec::new();
        if let Some(status) = &new.status {
            let counts = [
                ("disruptionsAllowed", status.disruptions_allowed.into()),
                ("currentHealthy", status.current_healthy.into()),
                ("desiredHealthy", status.desired_healthy.into()),
                ("expectedPods", status.expected_pods.into()),
            ];
            workload::status_not_negative(&counts, &mut errors);
        }
        errors
    }

    fn cells(&self, object: &PodDisruptionBudget, now: Time) -> Vec<Cell> {
        let spec = object.spec.as_ref();
        let text = |value: Option<&IntOrString>| value.map_or("N/A".to_owned(), intstr::text);
        vec![
            cells::name(&object.metadata),
            text(spec.and_then(|spec| spec.min_available.as_ref())).into(),
            text(spec.and_then(|spec| spec.max_unavailable.as_ref())).into(),
            object.status.as_ref().map_or(0, |status| status.disruptions_allowed).into(),
            cells::age(&object.metadata, now),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_upstreams() {
        let errors = |spec| {
            let object = serde_json::from_value(json!({ "spec": spec })).unwrap();
            let errors = Typed::validate(&PodDisruptionBudgets, &object);
            errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>()
        };
        assert_eq!(errors(json!({"minAvailable": "50%"})), [""; 0]);
        assert_eq!(
            errors(json!({"minAvailable": "150%"})),
            ["spec.minAvailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, \
              StrVal:\"150%\"}: must not be greater than 100%"]
        );
        assert_eq!(
            errors(json!({"maxUnavailable": -1})),
            ["spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"]
        );
        let both = errors(json!({"minAvailable": 1, "maxUnavailable": 1}));
        assert!(both[0].starts_with("spec: Invalid value: policy.PodDisruptionBudgetSpec{Min"));
        assert!(both[0].ends_with("(nil)}: minAvailable and maxUnavailable cannot be both set"));
        assert_eq!(
            errors(json!({"unhealthyPodEvictionPolicy": "Never"})),
            ["spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \
              \"AlwaysAllow\", \"IfHealthyBudget\""]
        );
    }
}
