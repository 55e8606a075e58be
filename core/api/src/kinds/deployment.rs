//! Deployments.
//!
//! Upstream: `pkg/registry/apps/deployment/strategy.go`, `SetDefaults_Deployment`,
//! `ValidateDeploymentSpec`, `printDeployment`.

use super::typed::{Typed, keep};
use super::{cells, scale, workload};
use crate::podspec::validation::{self, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt, labels};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;

static KIND: Kind = Names::new("apps", "v1", "Deployment", "deployments", "deployment")
    .short(&["deploy"])
    .categories(&["all"])
    .subresources(&["scale", "status"])
    .kind(&Deployments);

impl Kube for Deployment {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct Deployments;

impl Typed for Deployments {
    type Object = Deployment;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Up-to-date").integer(),
        Column::new("Available").integer(),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ];

    fn default(&self, object: &mut Deployment) {
        let spec = object.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(10);
        spec.progress_deadline_seconds.get_or_insert(600);
        default_strategy(spec.strategy.get_or_insert_default());
        workload::default_template(&mut spec.template);
    }

    fn prepare_for_create(&self, object: &mut Deployment) {
        object.metadata.generation = Some(1);
        object.status = Some(DeploymentStatus::default());
    }

    fn prepare_for_update(&self, new: &mut Deployment, old: &Deployment, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            keep(&mut new.metadata.labels, &old.metadata.labels);
            return;
        }
        keep(&mut new.status, &old.status);
        // Annotations are copied to the replica sets, so they count too.
        if new.spec != old.spec || new.metadata.annotations != old.metadata.annotations {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, object: &Deployment) -> Vec<FieldError> {
        let none = DeploymentSpec::default();
        let spec = object.spec.as_ref().unwrap_or(&none);
        let path = Path::new("spec");
        let mut errors = Vec::new();
        not_negative(spec.replicas, &path.child("replicas"), &mut errors);
        let words = ("deployment", "invalid label selector");
        workload::validate_selector(&spec.selector, &spec.template, words, &path, &mut errors);
        let template = path.child("template");
        validation::template(&spec.template, &template, &mut errors);
        workload::validate_forever(&spec.template, "ReplicaSet", &template, &mut errors);
        validate_strategy(spec, &path.child("strategy"), &mut errors);
        not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
        let limit = path.child("revisionHistoryLimit");
        not_negative(spec.revision_history_limit, &limit, &mut errors);
        let field = path.child("progressDeadlineSeconds");
        not_negative(spec.progress_deadline_seconds, &field, &mut errors);
        if let Some(seconds) = spec.progress_deadline_seconds
            && seconds <= spec.min_ready_seconds.unwrap_or(0)
        {
            let detail = "must be greater than minReadySeconds";
            errors.push(FieldError::invalid_raw(field, seconds, detail));
        }
        errors
    }

    fn validate_update(
        &self,
        new: &Deployment,
        old: &Deployment,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new, old);
        }
        if new.spec == old.spec {
            return Vec::new();
        }
        let mut errors = Typed::validate(self, new);
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn scale(&self, object: &Deployment) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        let there = object.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
        let selector = scale::selector(&spec.selector);
        Some(scale::of(&object.metadata, spec.replicas, there, selector))
    }

    fn set_replicas(&self, object: &mut Deployment, replicas: i32) -> bool {
        object.spec.get_or_insert_default().replicas = Some(replicas);
        true
    }

    fn warnings(&self, object: &Deployment, old: Option<&Deployment>) -> Vec<String> {
        let mut warnings =
            if old.is_none() { workload::warn_name(&object.metadata) } else { Vec::new() };
        if let Some(spec) = &object.spec {
            let changed = old.is_none_or(|old| old.spec != object.spec);
            let path = Path::new("spec");
            let path = path.child("template");
            warnings.extend(workload::warn_template(&spec.template, changed, &path));
        }
        warnings
    }

    fn cells(&self, object: &Deployment, now: Time) -> Vec<Cell> {
        let none = (DeploymentSpec::default(), DeploymentStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let ready = status.ready_replicas.unwrap_or(0);
        let selector = labels::Selector::from_label_selector(Some(&spec.selector));
        let selector = selector.map_or("<invalid>".to_owned(), |selector| selector.to_string());
        let mut cells = vec![
            cells::name(&object.metadata),
            format!("{ready}/{}", spec.replicas.unwrap_or(0)).into(),
            status.updated_replicas.unwrap_or(0).into(),
            status.available_replicas.unwrap_or(0).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::template_cells(Some(&spec.template)));
        cells.push(selector.into());
        cells
    }
}

/// Upstream: `ValidateDeploymentStatusUpdate`.
fn validate_status(new: &Deployment, old: &Deployment) -> Vec<FieldError> {
    let none = DeploymentStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (replicas, updated) = (count(status.replicas), count(status.updated_replicas));
    let (ready, available) = (count(status.ready_replicas), count(status.available_replicas));
    let mut errors = Vec::new();
    workload::status_not_negative(
        &[
            ("observedGeneration", status.observed_generation.unwrap_or(0)),
            ("replicas", replicas.into()),
            ("updatedReplicas", updated.into()),
            ("readyReplicas", ready.into()),
            ("availableReplicas", available.into()),
            ("unavailableReplicas", count(status.unavailable_replicas).into()),
            ("terminatingReplicas", count(status.terminating_replicas).into()),
            ("collisionCount", count(status.collision_count).into()),
        ],
        &mut errors,
    );
    let counts =
        [("updatedReplicas", updated), ("readyReplicas", ready), ("availableReplicas", available)];
    let both = (available, ready);
    workload::status_within(replicas, &counts, both, "readyReplicas", &mut errors);
    let before = old.status.as_ref().and_then(|status| status.collision_count);
    workload::collisions_grow(status.collision_count, before, &mut errors);
    errors
}

fn default_strategy(strategy: &mut DeploymentStrategy) {
    crate::podspec::defaults::text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let quarter = || IntOrString::String("25%".to_owned());
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert_with(quarter);
        rolling.max_surge.get_or_insert_with(quarter);
    }
}

fn validate_strategy(spec: &DeploymentSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let Some(strategy) = &spec.strategy else { return };
    let field = path.child("rollingUpdate");
    match (strategy.type_.as_deref().unwrap_or_default(), &strategy.rolling_update) {
        ("Recreate", None) => {}
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden(field, detail));
        }
        ("RollingUpdate", Some(rolling)) => validate_rolling(rolling, &field, errors),
        ("RollingUpdate", None) => {
            let detail = "this should be defaulted and never be nil";
            errors.push(FieldError::required(field, detail));
        }
        _ => {
            let value = gofmt::dump("apps.DeploymentStrategy", strategy);
            let known = &["Recreate", "RollingUpdate"];
            errors.push(FieldError::not_supported_raw(path, value, known));
        }
    }
}

fn validate_rolling(
    rolling: &RollingUpdateDeployment,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let (Some(unavailable), Some(surge)) = (&rolling.max_unavailable, &rolling.max_surge) else {
        return;
    };
    let field = path.child("maxUnavailable");
    workload::validate_count(unavailable, &field, errors);
    workload::validate_count(surge, &path.child("maxSurge"), errors);
    let zero = |value: &IntOrString| workload::count_or_percentage(value) == 0;
    if zero(unavailable) && zero(surge) {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid_raw(field, gofmt::int_or_string(unavailable), detail));
    }
    workload::validate_percentage(unavailable, &field, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults() {
        let mut object: Deployment = serde_json::from_value(json!({"spec": {"selector": {},
            "template": {"spec": {"containers": []}}}}))
        .unwrap();
        Typed::default(&Deployments, &mut object);
        let spec = serde_json::to_value(object.spec).unwrap();
        assert_eq!(spec["replicas"], 1);
        assert_eq!(spec["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        assert_eq!(spec["template"]["spec"]["dnsPolicy"], "ClusterFirst");
    }

    #[test]
    fn a_missing_selector_is_two_errors() {
        let object: Deployment = serde_json::from_value(json!({"spec": {"replicas": 1,
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]}}}}))
        .unwrap();
        let mut object = object;
        Typed::default(&Deployments, &mut object);
        let errors = Typed::validate(&Deployments, &object);
        let texts: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        assert_eq!(
            texts,
            [
                "spec.selector: Required value",
                "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: \
                 `selector` does not match template `labels`"
            ]
        );
    }

    #[test]
    fn strategies() {
        let errors = |strategy: serde_json::Value| {
            let mut spec = DeploymentSpec {
                strategy: serde_json::from_value(strategy).unwrap(),
                ..DeploymentSpec::default()
            };
            default_strategy(spec.strategy.as_mut().unwrap());
            let mut errors = Vec::new();
            validate_strategy(&spec, &Path::new("spec").child("strategy"), &mut errors);
            errors.into_iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>()
        };
        assert_eq!(errors(json!({})), [""; 0]);
        assert_eq!(errors(json!({"type": "Recreate"})), [""; 0]);
        assert_eq!(errors(json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})).len(), 1);
        assert_eq!(
            errors(json!({"type": "Slow"})),
            ["spec.strategy: Unsupported value: apps.DeploymentStrategy{Type:\"Slow\", \
              RollingUpdate:(*apps.RollingUpdateDeployment)(nil)}: supported values: \
              \"Recreate\", \"RollingUpdate\""]
        );
        assert_eq!(
            errors(json!({"type": "Recreate", "rollingUpdate": {}})),
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` \
              is 'Recreate'"]
        );
    }
}
