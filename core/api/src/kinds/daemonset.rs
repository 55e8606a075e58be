//! Daemon sets.
//!
//! Upstream: `pkg/registry/apps/daemonset/strategy.go`, `SetDefaults_DaemonSet`,
//! `ValidateDaemonSetSpec`, `printDaemonSet`.

use super::typed::{Typed, keep};
use super::{cells, workload};
use crate::podspec::validation::not_negative;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus, DaemonSetUpdateStrategy};
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
        Column::new("Desired"),
        Column::new("Current"),
        Column::new("Ready"),
        Column::new("Up-to-date"),
        Column::new("Available"),
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
    }

    fn prepare_for_update(&self, new: &mut DaemonSet, old: &DaemonSet, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            if new.spec != old.spec {
                new.metadata.generation = old.metadata.generation.map(|old| old + 1);
            }
        }
    }

    fn validate(&self, object: &DaemonSet) -> Vec<FieldError> {
        let spec = object.spec.clone().unwrap_or_default();
        let path = Path::new("spec");
        let mut errors = Vec::new();
        workload::validate(&spec.selector, &spec.template, "DaemonSet", &mut errors);
        not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), &mut errors);
        let strategy = spec.update_strategy.unwrap_or_default();
        let type_ = strategy.type_.as_deref().unwrap_or_default();
        if !matches!(type_, "RollingUpdate" | "OnDelete") {
            let field = path.child("updateStrategy");
            errors.push(FieldError::not_supported(field, type_, &["RollingUpdate", "OnDelete"]));
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
        if !subresource.is_empty() || new.spec == old.spec {
            return Vec::new();
        }
        let mut errors = Typed::validate(self, new);
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            workload::immutable_selector(&new.selector, &old.selector, &mut errors);
        }
        errors
    }

    fn cells(&self, object: &DaemonSet, now: Time) -> Vec<Cell> {
        let spec = object.spec.clone().unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
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
        cells.extend(workload::wide_cells(&spec.template, &spec.selector));
        cells
    }
}

fn default_strategy(strategy: &mut DaemonSetUpdateStrategy) {
    crate::podspec::defaults::text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}
