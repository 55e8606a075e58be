//! Daemon sets.
//!
//! Upstream: `pkg/registry/apps/daemonset/strategy.go`, `SetDefaults_DaemonSet`,
//! `ValidateDaemonSetSpec`, `printDaemonSet`.

use super::typed::{Typed, keep};
use super::{cells, workload};
use crate::podspec::validation::{self, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt, labels};
use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy, RollingUpdateDaemonSet,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;

static KIND: Kind = Names::new("apps", "v1", "DaemonSet", "daemonsets", "daemonset")
    .short(&["ds"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&DaemonSetStrategy);

impl Kube for DaemonSet {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct DaemonSetStrategy;

impl Typed for DaemonSetStrategy {
    type Object = DaemonSet;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Desired").integer(),
        Column::new("Current").integer(),
        Column::new("Ready").integer(),
        Column::new("Up-to-date").integer(),
        Column::new("Available").integer(),
        Column::new("Node Selector"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ];

    fn default(&self, object: &mut DaemonSet) {
        let spec = object.spec.get_or_insert_default();
        spec.revision_history_limit.get_or_insert(10);
        default_strategy(spec.update_strategy.get_or_insert_default());
        workload::default_template(&mut spec.template);
    }

    fn prepare_for_create(&self, object: &mut DaemonSet) {
        object.metadata.generation = Some(1);
        object.status = Some(DaemonSetStatus::default());
        let generation = template_generation(&object.metadata).max(1);
        set_template_generation(&mut object.metadata, generation);
    }

    fn prepare_for_update(&self, new: &mut DaemonSet, old: &DaemonSet, subresource: &str) {
        let mut generation = template_generation(&old.metadata);
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            if new.spec != old.spec {
                new.metadata.generation = old.metadata.generation.map(|old| old + 1);
            }
            if template(new) != template(old) {
                generation += 1;
            }
        }
        set_template_generation(&mut new.metadata, generation);
    }

    fn validate(&self, object: &DaemonSet) -> Vec<FieldError> {
        let none = DaemonSetSpec::default();
        let spec = object.spec.as_ref().unwrap_or(&none);
        let path = Path::new("spec");
        let mut errors = Vec::new();
        let field = path.child("selector");
        errors.extend(labels::validate_selector(&spec.selector, &field));
        let template = path.child("template");
        let missing = workload::is_missing(&spec.selector);
        let selector = Some(&spec.selector).filter(|_| !missing);
        if let Ok(selector) = labels::Selector::from_label_selector(selector) {
            workload::must_match(&selector, &spec.template, &template, &mut errors);
        }
        if !missing {
            workload::reject_empty(&spec.selector, "daemonset", &field, &mut errors);
        }
        validation::template(&spec.template, &template, &mut errors);
        workload::validate_forever(&spec.template, "DaemonSet", &template, &mut errors);
        not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
        if let Some(strategy) = &spec.update_strategy {
            validate_strategy(strategy, &path.child("updateStrategy"), &mut errors);
        }
        let limit = path.child("revisionHistoryLimit");
        not_negative(spec.revision_history_limit, &limit, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &DaemonSet,
        old: &DaemonSet,
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

    fn warnings(&self, object: &DaemonSet, old: Option<&DaemonSet>) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(spec) = &object.spec {
            let changed = old.is_none_or(|old| old.spec != object.spec);
            let path = Path::new("spec");
            let path = path.child("template");
            warnings.extend(workload::warn_template(&spec.template, changed, &path));
        }
        warnings
    }

    fn cells(&self, object: &DaemonSet, now: Time) -> Vec<Cell> {
        let none = (DaemonSetSpec::default(), DaemonSetStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let pod = spec.template.spec.as_ref();
        let mut cells = vec![
            cells::name(&object.metadata),
            status.desired_number_scheduled.into(),
            status.current_number_scheduled.into(),
            status.number_ready.into(),
            status.updated_number_scheduled.unwrap_or(0).into(),
            status.number_available.unwrap_or(0).into(),
            labels::format(pod.and_then(|pod| pod.node_selector.as_ref())).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::wide_cells(Some(&spec.template), Some(&spec.selector)));
        cells
    }
}

fn template(object: &DaemonSet) -> Option<&PodTemplateSpec> {
    object.spec.as_ref().map(|spec| &spec.template)
}

/// How often the template was changed: kept in an annotation since `apps/v1` has no field for it.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn template_generation(meta: &ObjectMeta) -> i64 {
    let text = meta.annotations.as_ref().and_then(|all| all.get(TEMPLATE_GENERATION));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn set_template_generation(meta: &mut ObjectMeta, generation: i64) {
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.to_string());
}

/// Upstream: `ValidateDaemonSetUpdateStrategy`.
fn validate_strategy(
    strategy: &DaemonSetUpdateStrategy,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let field = path.child("rollingUpdate");
    match (strategy.type_.as_deref().unwrap_or_default(), &strategy.rolling_update) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.push(FieldError::required(field, "")),
        ("RollingUpdate", Some(rolling)) => validate_rolling(rolling, &field, errors),
        _ => {
            let value = gofmt::dump("apps.DaemonSetUpdateStrategy", strategy);
            let known = &["RollingUpdate", "OnDelete"];
            errors.push(FieldError::not_supported_raw(path, value, known));
        }
    }
}

fn validate_rolling(
    rolling: &RollingUpdateDaemonSet,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let (Some(unavailable), Some(surge)) = (&rolling.max_unavailable, &rolling.max_surge) else {
        return;
    };
    let (field, surge_field) = (path.child("maxUnavailable"), path.child("maxSurge"));
    workload::validate_count(unavailable, &field, errors);
    workload::validate_count(surge, &surge_field, errors);
    workload::validate_percentage(unavailable, &field, errors);
    workload::validate_percentage(surge, &surge_field, errors);
    let some = |value: &IntOrString| workload::count_or_percentage(value) != 0;
    match (some(unavailable), some(surge)) {
        (true, true) => {
            let detail = "may not be set when maxUnavailable is non-zero";
            let value = gofmt::int_or_string(surge);
            errors.push(FieldError::invalid_raw(surge_field, value, detail));
        }
        (false, false) => {
            errors.push(FieldError::required(field, "cannot be 0 when maxSurge is 0"));
        }
        _ => {}
    }
}

/// Upstream: `ValidateDaemonSetStatusUpdate`.
fn validate_status(new: &DaemonSet, old: &DaemonSet) -> Vec<FieldError> {
    let none = DaemonSetStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let count = |count: Option<i32>| i64::from(count.unwrap_or(0));
    let mut errors = Vec::new();
    workload::status_not_negative(
        &[
            ("currentNumberScheduled", status.current_number_scheduled.into()),
            ("numberMisscheduled", status.number_misscheduled.into()),
            ("desiredNumberScheduled", status.desired_number_scheduled.into()),
            ("numberReady", status.number_ready.into()),
            ("observedGeneration", status.observed_generation.unwrap_or(0)),
            ("updatedNumberScheduled", count(status.updated_number_scheduled)),
            ("numberAvailable", count(status.number_available)),
            ("numberUnavailable", count(status.number_unavailable)),
            ("collisionCount", count(status.collision_count)),
        ],
        &mut errors,
    );
    let before = old.status.as_ref().and_then(|status| status.collision_count);
    workload::collisions_grow(status.collision_count, before, &mut errors);
    errors
}

fn default_strategy(strategy: &mut DaemonSetUpdateStrategy) {
    crate::podspec::defaults::text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn daemon_set(spec: Value) -> DaemonSet {
        let mut all = json!({"selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]}}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut object = serde_json::from_value(json!({ "spec": all })).unwrap();
        Typed::default(&DaemonSetStrategy, &mut object);
        object
    }

    #[test]
    fn messages_are_upstreams() {
        let rolling = |rolling: Value| json!({"updateStrategy": {"rollingUpdate": rolling}});
        let table = [
            (json!({}), vec![]),
            (
                rolling(json!({"maxUnavailable": 0})),
                vec![
                    "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 \
                     when maxSurge is 0",
                ],
            ),
            (
                rolling(json!({"maxSurge": "10%"})),
                vec![
                    "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: \
                     intstr.IntOrString{Type:1, IntVal:0, StrVal:\"10%\"}: may not be set when \
                     maxUnavailable is non-zero",
                ],
            ),
            (
                json!({"selector": {}}),
                vec![
                    "spec.template.metadata.labels: Invalid value: \
                     map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`",
                ],
            ),
        ];
        for (spec, messages) in table {
            let errors = Typed::validate(&DaemonSetStrategy, &daemon_set(spec.clone()));
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(texts, messages, "{spec}");
        }
    }

    #[test]
    fn the_template_has_a_generation_of_its_own() {
        let mut old = daemon_set(json!({}));
        DaemonSetStrategy.prepare_for_create(&mut old);
        assert_eq!(template_generation(&old.metadata), 1);
        let mut new = old.clone();
        new.metadata.annotations = None;
        new.spec.as_mut().unwrap().min_ready_seconds = Some(3);
        DaemonSetStrategy.prepare_for_update(&mut new, &old, "");
        assert_eq!((template_generation(&new.metadata), new.metadata.generation), (1, Some(2)));
        new.spec.as_mut().unwrap().template.metadata.get_or_insert_default().name =
            Some("x".into());
        DaemonSetStrategy.prepare_for_update(&mut new, &old, "");
        assert_eq!(template_generation(&new.metadata), 2);
    }
}
