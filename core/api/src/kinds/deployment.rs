//! Deployments.
//!
//! Upstream: `pkg/registry/apps/deployment/strategy.go`, `SetDefaults_Deployment`,
//! `ValidateDeploymentSpec`, `printDeployment`.

use super::typed::{Typed, keep};
use super::{cells, workload};
use crate::podspec::validation::not_negative;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt, intstr};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;

static KIND: Kind = Names::new("apps", "v1", "Deployment", "deployments", "deployment")
    .short(&["deploy"])
    .categories(&["all"])
    .subresources(&["status"])
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
        Column::new("Up-to-date"),
        Column::new("Available"),
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
        let spec = object.spec.clone().unwrap_or_default();
        let path = Path::new("spec");
        let mut errors = Vec::new();
        not_negative(spec.replicas, &path.child("replicas"), &mut errors);
        workload::validate(&spec.selector, &spec.template, "Deployment", &mut errors);
        validate_strategy(&spec, &path.child("strategy"), &mut errors);
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
        if !subresource.is_empty() || new.spec == old.spec {
            return Vec::new();
        }
        let mut errors = Typed::validate(self, new);
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn cells(&self, object: &Deployment, now: Time) -> Vec<Cell> {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        let ready = status.ready_replicas.unwrap_or(0);
        let mut cells = vec![
            cells::name(&object.metadata),
            format!("{ready}/{}", spec.replicas.unwrap_or(0)).into(),
            status.updated_replicas.unwrap_or(0).into(),
            status.available_replicas.unwrap_or(0).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::wide_cells(&spec.template, &spec.selector));
        cells
    }
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
        (other, _) => {
            errors.push(FieldError::not_supported(path, other, &["Recreate", "RollingUpdate"]));
        }
    }
}

fn validate_rolling(
    rolling: &RollingUpdateDeployment,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let zero = |value: &Option<IntOrString>| {
        value.as_ref().is_none_or(|value| intstr::scaled(value, 100, true) == Some(0))
    };
    let field = path.child("maxUnavailable");
    for (field, value) in
        [(field, &rolling.max_unavailable), (path.child("maxSurge"), &rolling.max_surge)]
    {
        if let Some(value) = value {
            validate_count(value, &field, errors);
        }
    }
    let Some(unavailable) = &rolling.max_unavailable else { return };
    if zero(&rolling.max_unavailable) && zero(&rolling.max_surge) {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid_raw(field, go_value(unavailable), detail));
    }
    if let IntOrString::String(text) = unavailable
        && intstr::percent(text).is_some_and(|percent| percent > 100)
    {
        let detail = "must not be greater than 100%";
        errors.push(FieldError::invalid_raw(field, go_value(unavailable), detail));
    }
}

fn validate_count(value: &IntOrString, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        IntOrString::Int(number) => not_negative(Some(*number), field, errors),
        IntOrString::String(text) if intstr::percent(text).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending \
                          '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.push(FieldError::invalid_raw(field, go_value(value), detail));
        }
        IntOrString::String(_) => {}
    }
}

/// As `%s` of Go's `IntOrString` prints it within an error.
fn go_value(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => {
            format!("intstr.IntOrString{{Type:0, IntVal:{number}, StrVal:\"\"}}")
        }
        IntOrString::String(text) => {
            format!("intstr.IntOrString{{Type:1, IntVal:0, StrVal:{}}}", gofmt::quote(text))
        }
    }
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
            errors(json!({"type": "Recreate", "rollingUpdate": {}})),
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` \
              is 'Recreate'"]
        );
    }
}
