//! Replication controllers: what replica sets were before there were deployments.
//!
//! Upstream: `pkg/registry/core/replicationcontroller/strategy.go`,
//! `SetDefaults_ReplicationController`, `ValidateReplicationControllerSpec`,
//! `printReplicationController`.

use super::typed::{Typed, keep};
use super::{cells, scale, workload};
use crate::podspec::validation::{self, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::{
    ReplicationController, ReplicationControllerSpec, ReplicationControllerStatus,
};
use naru_sim::Time;

static KIND: Kind = Names::new(
    "",
    "v1",
    "ReplicationController",
    "replicationcontrollers",
    "replicationcontroller",
)
.short(&["rc"])
.categories(&["all"])
.subresources(&["scale", "status"])
.kind(&ReplicationControllers);

impl Kube for ReplicationController {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ReplicationControllers;

impl Typed for ReplicationControllers {
    type Object = ReplicationController;

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

    // As it was before there was a garbage collector.
    const ORPHANS_DEPENDENTS: bool = true;

    fn default(&self, object: &mut ReplicationController) {
        let spec = object.spec.get_or_insert_default();
        let labels = spec.template.as_ref().and_then(workload::template_labels).cloned();
        if labels.is_some() {
            if spec.selector.as_ref().is_none_or(|selector| selector.is_empty()) {
                spec.selector.clone_from(&labels);
            }
            let own = &mut object.metadata.labels;
            if own.as_ref().is_none_or(|own| own.is_empty()) {
                *own = labels;
            }
        }
        spec.replicas.get_or_insert(1);
        if let Some(template) = &mut spec.template {
            workload::default_template(template);
        }
    }

    fn prepare_for_create(&self, object: &mut ReplicationController) {
        object.metadata.generation = Some(1);
        object.status = Some(ReplicationControllerStatus::default());
    }

    fn prepare_for_update(
        &self,
        new: &mut ReplicationController,
        old: &ReplicationController,
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

    fn validate(&self, object: &ReplicationController) -> Vec<FieldError> {
        let none = ReplicationControllerSpec::default();
        let spec = object.spec.as_ref().unwrap_or(&none);
        let path = Path::new("spec");
        let mut errors = Vec::new();
        not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
        let selects = spec.selector.as_ref().is_some_and(|selector| !selector.is_empty());
        if !selects {
            errors.push(FieldError::required(path.child("selector"), ""));
        }
        not_negative(spec.replicas, &path.child("replicas"), &mut errors);
        let field = path.child("template");
        let Some(template) = &spec.template else {
            errors.push(FieldError::required(field, ""));
            return errors;
        };
        if let Some(selector) = spec.selector.as_ref().filter(|_| selects) {
            let selector = labels::Selector::from_map(selector);
            workload::must_match(&selector, template, &field, &mut errors);
        }
        validation::template(template, &field, &mut errors);
        workload::validate_forever(template, "ReplicationController", &field, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &ReplicationController,
        old: &ReplicationController,
        subresource: &str,
    ) -> Vec<FieldError> {
        match subresource {
            "status" => validate_status(new),
            _ if new.spec == old.spec => Vec::new(),
            _ => Typed::validate(self, new),
        }
    }

    fn scale(&self, object: &ReplicationController) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        let there = object.status.as_ref().map_or(0, |status| status.replicas);
        let selector = spec.selector.as_ref().map(labels::Selector::from_map);
        let selector = selector.map(|selector| selector.to_string()).unwrap_or_default();
        Some(scale::of(&object.metadata, spec.replicas, there, selector))
    }

    fn set_replicas(&self, object: &mut ReplicationController, replicas: i32) -> bool {
        object.spec.get_or_insert_default().replicas = Some(replicas);
        true
    }

    fn warnings(
        &self,
        object: &ReplicationController,
        old: Option<&ReplicationController>,
    ) -> Vec<String> {
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

    fn cells(&self, object: &ReplicationController, now: Time) -> Vec<Cell> {
        let none = (ReplicationControllerSpec::default(), ReplicationControllerStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let mut cells = vec![
            cells::name(&object.metadata),
            spec.replicas.unwrap_or(0).into(),
            status.replicas.into(),
            status.ready_replicas.unwrap_or(0).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::template_cells(spec.template.as_ref()));
        cells.push(labels::format(spec.selector.as_ref()).into());
        cells
    }

    fn field(&self, object: &ReplicationController, path: &str) -> Option<String> {
        let replicas = object.status.as_ref().map_or(0, |status| status.replicas);
        (path == "status.replicas").then(|| replicas.to_string())
    }
}

/// Upstream: `ValidateReplicationControllerStatus`.
fn validate_status(object: &ReplicationController) -> Vec<FieldError> {
    let none = ReplicationControllerStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (ready, available) = (count(status.ready_replicas), count(status.available_replicas));
    let counts = [
        ("fullyLabeledReplicas", count(status.fully_labeled_replicas)),
        ("readyReplicas", ready),
        ("availableReplicas", available),
    ];
    let mut all = vec![("replicas", i64::from(status.replicas))];
    all.extend(counts.iter().map(|(field, count)| (*field, i64::from(*count))));
    all.push(("observedGeneration", status.observed_generation.unwrap_or(0)));
    let mut errors = Vec::new();
    workload::status_not_negative(&all, &mut errors);
    let both = (available, ready);
    workload::status_within(status.replicas, &counts, both, "readyReplicas", &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_of_the_template_are_the_default() {
        let mut object: ReplicationController = serde_json::from_value(json!({"spec": {
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]}}}}))
        .unwrap();
        Typed::default(&ReplicationControllers, &mut object);
        let labels = Some([("app".to_owned(), "web".to_owned())].into());
        assert_eq!(object.metadata.labels, labels);
        assert_eq!(object.spec.as_ref().unwrap().selector, labels);
        assert_eq!(Typed::validate(&ReplicationControllers, &object), []);
        let scale = Typed::scale(&ReplicationControllers, &object).unwrap();
        assert_eq!(scale.status.unwrap().selector.as_deref(), Some("app=web"));
    }

    #[test]
    fn messages_are_upstreams() {
        let errors = |spec| {
            let mut object = serde_json::from_value(json!({ "spec": spec })).unwrap();
            Typed::default(&ReplicationControllers, &mut object);
            let errors = Typed::validate(&ReplicationControllers, &object);
            errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>()
        };
        assert_eq!(
            errors(json!({"replicas": -1})),
            [
                "spec.selector: Required value",
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.template: Required value",
            ]
        );
        let template = json!({"metadata": {"labels": {"app": "web"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}});
        assert_eq!(
            errors(json!({"selector": {"app": "db"}, "template": template})),
            [
                "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: \
                 `selector` does not match template `labels`",
                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \
                 \"Always\"",
            ]
        );
    }
}
