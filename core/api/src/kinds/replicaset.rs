//! Replica sets.
//!
//! Upstream: `pkg/registry/apps/replicaset/strategy.go`, `SetDefaults_ReplicaSet`,
//! `ValidateReplicaSetSpec`, `printReplicaSet`.

use super::typed::{Typed, keep};
use super::{cells, scale, workload};
use crate::podspec::validation::{self, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec, ReplicaSetStatus};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use naru_sim::Time;

static KIND: Kind = Names::new("apps", "v1", "ReplicaSet", "replicasets", "replicaset")
    .short(&["rs"])
    .categories(&["all"])
    .subresources(&["scale", "status"])
    .kind(&ReplicaSetStrategy);

impl Kube for ReplicaSet {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ReplicaSetStrategy;

impl Typed for ReplicaSetStrategy {
    type Object = ReplicaSet;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Desired").integer(),
        Column::new("Current").integer(),
        Column::new("Ready").integer(),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ];

    const FIELDS: &'static [&'static str] = &["status.replicas"];

    fn default(&self, object: &mut ReplicaSet) {
        let spec = object.spec.get_or_insert_default();
        spec.replicas.get_or_insert(1);
        workload::default_template(spec.template.get_or_insert_default());
    }

    fn prepare_for_create(&self, object: &mut ReplicaSet) {
        object.metadata.generation = Some(1);
        object.status = Some(ReplicaSetStatus::default());
    }

    fn prepare_for_update(&self, new: &mut ReplicaSet, old: &ReplicaSet, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            if new.spec != old.spec {
                new.metadata.generation = old.metadata.generation.map(|old| old + 1);
            }
        }
    }

    fn validate(&self, object: &ReplicaSet) -> Vec<FieldError> {
        let none = (ReplicaSetSpec::default(), PodTemplateSpec::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let template = spec.template.as_ref().unwrap_or(&none.1);
        let path = Path::new("spec");
        let mut errors = Vec::new();
        not_negative(spec.replicas, &path.child("replicas"), &mut errors);
        not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
        // Upstream says "deployment" of a replica set too.
        let words = ("deployment", "invalid label selector");
        workload::validate_selector(&spec.selector, template, words, &path, &mut errors);
        let path = path.child("template");
        validation::template(template, &path, &mut errors);
        workload::validate_forever(template, "ReplicaSet", &path, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &ReplicaSet,
        old: &ReplicaSet,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new);
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

    fn scale(&self, object: &ReplicaSet) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        let there = object.status.as_ref().map_or(0, |status| status.replicas);
        let selector = scale::selector(&spec.selector);
        Some(scale::of(&object.metadata, spec.replicas, there, selector))
    }

    fn set_replicas(&self, object: &mut ReplicaSet, replicas: i32) -> bool {
        object.spec.get_or_insert_default().replicas = Some(replicas);
        true
    }

    fn warnings(&self, object: &ReplicaSet, old: Option<&ReplicaSet>) -> Vec<String> {
        let mut warnings =
            if old.is_none() { workload::warn_name(&object.metadata) } else { Vec::new() };
        if let Some(template) = object.spec.as_ref().and_then(|spec| spec.template.as_ref()) {
            let changed = old.is_none_or(|old| old.spec != object.spec);
            let path = Path::new("spec");
            let path = path.child("template");
            warnings.extend(workload::warn_template(template, changed, &path));
        }
        warnings
    }

    fn cells(&self, object: &ReplicaSet, now: Time) -> Vec<Cell> {
        let none = (ReplicaSetSpec::default(), ReplicaSetStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let mut cells = vec![
            cells::name(&object.metadata),
            spec.replicas.unwrap_or(0).into(),
            status.replicas.into(),
            status.ready_replicas.unwrap_or(0).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::wide_cells(spec.template.as_ref(), Some(&spec.selector)));
        cells
    }

    fn field(&self, object: &ReplicaSet, path: &str) -> Option<String> {
        let status = object.status.as_ref().filter(|_| path == "status.replicas")?;
        Some(status.replicas.to_string())
    }
}

/// Upstream: `ValidateReplicaSetStatus`.
fn validate_status(object: &ReplicaSet) -> Vec<FieldError> {
    let none = ReplicaSetStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let count = |count: Option<i32>| count.unwrap_or(0);
    let labeled = count(status.fully_labeled_replicas);
    let (ready, available) = (count(status.ready_replicas), count(status.available_replicas));
    let mut errors = Vec::new();
    workload::status_not_negative(
        &[
            ("replicas", status.replicas.into()),
            ("fullyLabeledReplicas", labeled.into()),
            ("readyReplicas", ready.into()),
            ("availableReplicas", available.into()),
            ("observedGeneration", status.observed_generation.unwrap_or(0)),
            ("terminatingReplicas", count(status.terminating_replicas).into()),
        ],
        &mut errors,
    );
    let counts = [
        ("fullyLabeledReplicas", labeled),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ];
    let both = (available, ready);
    workload::status_within(status.replicas, &counts, both, "readyReplicas", &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn replica_set(spec: Value) -> ReplicaSet {
        let mut object = serde_json::from_value(json!({ "spec": spec })).unwrap();
        Typed::default(&ReplicaSetStrategy, &mut object);
        object
    }

    #[test]
    fn messages_are_upstreams() {
        let template = json!({"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "b"}]}});
        let table = [
            (
                json!({"selector": {"matchLabels": {"app": "db"}}, "template": template}),
                "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: \
                 `selector` does not match template `labels`",
            ),
            (
                json!({"replicas": -1, "selector": {"matchLabels": {"app": "web"}}, "template": template}),
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ),
        ];
        for (spec, message) in table {
            let errors = Typed::validate(&ReplicaSetStrategy, &replica_set(spec));
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(texts, [message]);
        }
    }

    #[test]
    fn a_changed_spec_is_a_new_generation() {
        let mut old = replica_set(json!({"replicas": 1, "selector": {}}));
        ReplicaSetStrategy.prepare_for_create(&mut old);
        let mut new = old.clone();
        new.spec.as_mut().unwrap().replicas = Some(2);
        ReplicaSetStrategy.prepare_for_update(&mut new, &old, "");
        assert_eq!(new.metadata.generation, Some(2));
        ReplicaSetStrategy.prepare_for_update(&mut new, &old, "status");
        assert_eq!(new.spec, old.spec);
    }
}
