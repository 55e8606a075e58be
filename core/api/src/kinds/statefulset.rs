//! Stateful sets.
//!
//! Upstream: `pkg/registry/apps/statefulset/strategy.go`, `SetDefaults_StatefulSet`,
//! `ValidateStatefulSetSpec`, `printStatefulSet`.

use super::typed::{Typed, keep};
use super::{cells, scale, workload};
use crate::podspec::defaults::{canonical, text};
use crate::podspec::validation::{self, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt, names};
use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use naru_sim::Time;

static KIND: Kind = Names::new("apps", "v1", "StatefulSet", "statefulsets", "statefulset")
    .short(&["sts"])
    .categories(&["all"])
    .subresources(&["scale", "status"])
    .kind(&StatefulSets);

impl Kube for StatefulSet {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct StatefulSets;

impl Typed for StatefulSets {
    type Object = StatefulSet;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
    ];

    fn default(&self, object: &mut StatefulSet) {
        let spec = object.spec.get_or_insert_default();
        text(&mut spec.pod_management_policy, "OrderedReady");
        let strategy = spec.update_strategy.get_or_insert_default();
        if strategy.type_.as_deref().unwrap_or_default().is_empty() {
            text(&mut strategy.type_, "RollingUpdate");
            strategy.rolling_update.get_or_insert_default();
        }
        if strategy.type_.as_deref() == Some("RollingUpdate")
            && let Some(rolling) = &mut strategy.rolling_update
        {
            rolling.partition.get_or_insert(0);
        }
        let policy = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
        text(&mut policy.when_deleted, "Retain");
        text(&mut policy.when_scaled, "Retain");
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(10);
        workload::default_template(&mut spec.template);
        spec.volume_claim_templates.iter_mut().flatten().for_each(default_claim);
    }

    fn prepare_for_create(&self, object: &mut StatefulSet) {
        object.metadata.generation = Some(1);
        let none = Some(0);
        object.status =
            Some(StatefulSetStatus { available_replicas: none, ..StatefulSetStatus::default() });
        drop_max_unavailable(object);
    }

    fn prepare_for_update(&self, new: &mut StatefulSet, old: &StatefulSet, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        drop_max_unavailable(new);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::dns1123_label(name)
    }

    fn validate(&self, object: &StatefulSet) -> Vec<FieldError> {
        let none = StatefulSetSpec::default();
        let mut errors = Vec::new();
        validate_spec(object.spec.as_ref().unwrap_or(&none), true, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &StatefulSet,
        old: &StatefulSet,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new, old);
        }
        let mut errors = Vec::new();
        if let (Some(new), Some(old)) = (&new.spec, &old.spec)
            && new != old
        {
            validate_spec(new, false, &mut errors);
            if !is_allowed_change(new, old) {
                errors.push(FieldError::forbidden("spec", ONLY));
            }
        }
        errors
    }

    fn warnings(&self, object: &StatefulSet, old: Option<&StatefulSet>) -> Vec<String> {
        let Some(spec) = &object.spec else { return Vec::new() };
        let changed = old.is_none_or(|old| old.spec != object.spec);
        let path = Path::new("spec");
        let mut warnings =
            workload::warn_template(&spec.template, changed, &path.child("template"));
        if spec.revision_history_limit.is_some_and(|limit| limit < 0) {
            warnings.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a \
                 value >= 0 is recommended"
                    .to_owned(),
            );
        }
        warnings
    }

    fn scale(&self, object: &StatefulSet) -> Option<Scale> {
        let spec = object.spec.as_ref()?;
        let there = object.status.as_ref().map_or(0, |status| status.replicas);
        let selector = scale::selector(&spec.selector);
        Some(scale::of(&object.metadata, spec.replicas, there, selector))
    }

    fn set_replicas(&self, object: &mut StatefulSet, replicas: i32) -> bool {
        object.spec.get_or_insert_default().replicas = Some(replicas);
        true
    }

    fn cells(&self, object: &StatefulSet, now: Time) -> Vec<Cell> {
        let none = (StatefulSetSpec::default(), StatefulSetStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let ready = status.ready_replicas.unwrap_or(0);
        let mut cells = vec![
            cells::name(&object.metadata),
            format!("{ready}/{}", spec.replicas.unwrap_or(0)).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::template_cells(Some(&spec.template)));
        cells
    }
}

const ONLY: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                    'template', 'updateStrategy', 'revisionHistoryLimit', \
                    'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/// Upstream: `SetDefaults_PersistentVolumeClaim`.
fn default_claim(claim: &mut PersistentVolumeClaim) {
    text(&mut claim.status.get_or_insert_default().phase, "Pending");
    let spec = claim.spec.get_or_insert_default();
    text(&mut spec.volume_mode, "Filesystem");
    if let Some(resources) = &mut spec.resources {
        canonical(&mut resources.limits);
        canonical(&mut resources.requests);
    }
}

/// The feature gate `MaxUnavailableStatefulSet` is off.
fn drop_max_unavailable(object: &mut StatefulSet) {
    let strategy = object.spec.as_mut().and_then(|spec| spec.update_strategy.as_mut());
    if let Some(rolling) = strategy.and_then(|strategy| strategy.rolling_update.as_mut()) {
        rolling.max_unavailable = None;
    }
}

fn validate_spec(spec: &StatefulSetSpec, created: bool, errors: &mut Vec<FieldError>) {
    let path = Path::new("spec");
    let field = path.child("podManagementPolicy");
    match spec.pod_management_policy.as_deref().unwrap_or_default() {
        "" => errors.push(FieldError::required(field, "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let detail = "must be 'OrderedReady' or 'Parallel'";
            errors.push(FieldError::invalid(field, other, detail));
        }
    }
    validate_strategy(spec.update_strategy.as_ref(), &path.child("updateStrategy"), errors);
    if let Some(policy) = &spec.persistent_volume_claim_retention_policy {
        let list = path.child("persistentVolumeClaimRetentionPolicy");
        let fields = [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)];
        for (field, value) in fields {
            let value = value.as_deref().unwrap_or_default();
            if !matches!(value, "Retain" | "Delete") {
                let known = &["Retain", "Delete"];
                errors.push(FieldError::not_supported(list.child(field), value, known));
            }
        }
    }
    not_negative(spec.replicas, &path.child("replicas"), errors);
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
    not_negative(start, &path.child("ordinals.start"), errors);
    if let Some(service) = spec.service_name.as_deref().filter(|name| created && !name.is_empty()) {
        let field = path.child("serviceName");
        validation::all_invalid(names::dns1123_label(service), service, &field, errors);
    }
    workload::validate_selector(&spec.selector, &spec.template, ("statefulset", ""), &path, errors);
    let template = path.child("template");
    // Upstream leaves the pods' spec unchecked here; what is wrong shows when pods are made.
    validation::template_metadata(&spec.template, &template, errors);
    workload::validate_forever(&spec.template, "StatefulSet", &template, errors);
}

fn validate_strategy(
    strategy: Option<&StatefulSetUpdateStrategy>,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let none = StatefulSetUpdateStrategy::default();
    let strategy = strategy.unwrap_or(&none);
    let rolling = strategy.rolling_update.as_ref();
    let field = path.child("rollingUpdate");
    match strategy.type_.as_deref().unwrap_or_default() {
        "" => errors.push(FieldError::required(path, "")),
        "OnDelete" => {
            if let Some(rolling) = rolling {
                let detail = "only allowed for updateStrategy 'RollingUpdate'";
                let value = gofmt::dump("apps.RollingUpdateStatefulSetStrategy", rolling);
                errors.push(FieldError::invalid_raw(field, value, detail));
            }
        }
        "RollingUpdate" => {
            if let Some(rolling) = rolling {
                not_negative(rolling.partition, &field.child("partition"), errors);
            }
        }
        _ => {
            let value = gofmt::dump("apps.StatefulSetUpdateStrategy", strategy);
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid_raw(path, value, detail));
        }
    }
}

/// Whether nothing changed but what may.
fn is_allowed_change(new: &StatefulSetSpec, old: &StatefulSetSpec) -> bool {
    let rest = |spec: &StatefulSetSpec| StatefulSetSpec {
        replicas: None,
        template: Default::default(),
        update_strategy: None,
        min_ready_seconds: None,
        ordinals: None,
        revision_history_limit: None,
        persistent_volume_claim_retention_policy: None,
        ..spec.clone()
    };
    rest(new) == rest(old)
}

/// Upstream: `ValidateStatefulSetStatusUpdate`.
fn validate_status(new: &StatefulSet, old: &StatefulSet) -> Vec<FieldError> {
    let none = StatefulSetStatus::default();
    let status = new.status.as_ref().unwrap_or(&none);
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (ready, available) = (count(status.ready_replicas), count(status.available_replicas));
    let counts = [
        ("readyReplicas", ready),
        ("currentReplicas", count(status.current_replicas)),
        ("updatedReplicas", count(status.updated_replicas)),
        ("availableReplicas", available),
    ];
    let mut all = vec![("replicas", i64::from(status.replicas))];
    all.extend(counts.iter().map(|(field, count)| (*field, i64::from(*count))));
    all.push(("observedGeneration", status.observed_generation.unwrap_or(0)));
    all.push(("collisionCount", count(status.collision_count).into()));
    let mut errors = Vec::new();
    workload::status_not_negative(&all, &mut errors);
    let both = (available, ready);
    workload::status_within(status.replicas, &counts, both, "status.readyReplicas", &mut errors);
    let before = old.status.as_ref().and_then(|status| status.collision_count);
    workload::collisions_grow(status.collision_count, before, &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn stateful_set(spec: Value) -> StatefulSet {
        let mut all = json!({"serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]}}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut object = serde_json::from_value(json!({ "spec": all })).unwrap();
        Typed::default(&StatefulSets, &mut object);
        object
    }

    fn texts(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn defaults() {
        let claim =
            json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}});
        let object = stateful_set(json!({"volumeClaimTemplates": [claim]}));
        let spec = serde_json::to_value(object.spec).unwrap();
        assert_eq!(spec["podManagementPolicy"], "OrderedReady");
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
        assert_eq!(spec["updateStrategy"], strategy);
        let policy = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], policy);
        let claim = &spec["volumeClaimTemplates"][0];
        assert_eq!(claim["spec"]["volumeMode"], "Filesystem");
        assert_eq!(
            (&claim["kind"], &claim["status"]["phase"]),
            (&json!("PersistentVolumeClaim"), &json!("Pending"))
        );
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({}), vec![]),
            (
                json!({"podManagementPolicy": "Random"}),
                vec![
                    "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' \
                     or 'Parallel'",
                ],
            ),
            (
                json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}),
                vec![
                    "spec.updateStrategy.rollingUpdate: Invalid value: \
                     apps.RollingUpdateStatefulSetStrategy{Partition:1, \
                     MaxUnavailable:(*intstr.IntOrString)(nil)}: only allowed for updateStrategy \
                     'RollingUpdate'",
                ],
            ),
            (
                json!({"ordinals": {"start": -1}}),
                vec!["spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"],
            ),
            (
                json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep"}}),
                vec![
                    "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \
                     \"Keep\": supported values: \"Retain\", \"Delete\"",
                ],
            ),
            (
                json!({"template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [], "restartPolicy": "Never"}}}),
                vec![
                    "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported \
                     values: \"Always\"",
                ],
            ),
        ];
        for (spec, messages) in table {
            let errors = Typed::validate(&StatefulSets, &stateful_set(spec.clone()));
            assert_eq!(texts(errors), messages, "{spec}");
        }
    }

    #[test]
    fn most_of_a_spec_does_not_change() {
        let old = stateful_set(json!({}));
        let update =
            |spec| texts(Typed::validate_update(&StatefulSets, &stateful_set(spec), &old, ""));
        assert_eq!(update(json!({"replicas": 3, "minReadySeconds": 1})), [""; 0]);
        let message = format!("spec: Forbidden: {ONLY}");
        assert_eq!(update(json!({"serviceName": "db"})), [message]);
    }
}
