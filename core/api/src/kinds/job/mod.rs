//! Jobs.
//!
//! Upstream: `pkg/registry/batch/job/strategy.go`, `SetDefaults_Job`, `printJob`.

mod indexes;
mod policies;
mod status;
mod update;
mod validation;

pub(super) use validation::job_spec;

use super::typed::{Typed, keep};
use super::{cells, workload};
use crate::podspec::defaults::text;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, duration};
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use naru_sim::Time;
use std::time::Duration;

static KIND: Kind = Names::new("batch", "v1", "Job", "jobs", "job")
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&Jobs);

/// The labels of a job's pods; those without a prefix are from before there were prefixes.
const CONTROLLER_UID: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const JOB_NAME: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

impl Kube for Job {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct Jobs;

impl Typed for Jobs {
    type Object = Job;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Completions"),
        Column::new("Duration"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ];

    const FIELDS: &'static [&'static str] = &["status.successful"];

    // As it was before there was a garbage collector.
    const ORPHANS_DEPENDENTS: bool = true;

    // Upstream: `deleteOptionWarnings` in `pkg/registry/batch/job/storage`.
    const DELETION_WARNING: Option<&'static str> = Some(
        "child pods are preserved by default when jobs are deleted; set \
         propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress \
         this warning",
    );

    fn default(&self, object: &mut Job) {
        let spec = object.spec.get_or_insert_default();
        default_spec(spec);
        let labels = workload::template_labels(&spec.template);
        let own = &mut object.metadata.labels;
        if labels.is_some() && own.as_ref().is_none_or(|own| own.is_empty()) {
            *own = labels.cloned();
        }
    }

    fn prepare_for_create(&self, object: &mut Job) {
        generate_selector(object);
        object.metadata.generation = Some(1);
        object.status = Some(JobStatus::default());
    }

    fn prepare_for_update(&self, new: &mut Job, old: &Job, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, object: &Job) -> Vec<FieldError> {
        validation::job(object, true)
    }

    fn validate_update(&self, new: &Job, old: &Job, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status::update(new, old);
        }
        if new.spec == old.spec {
            return Vec::new();
        }
        update::job(new, old)
    }

    fn warnings(&self, object: &Job, old: Option<&Job>) -> Vec<String> {
        let mut warnings =
            if old.is_none() { workload::warn_name(&object.metadata) } else { Vec::new() };
        let changed = old.is_none_or(|old| old.spec != object.spec);
        if let Some(spec) = object.spec.as_ref().filter(|_| changed) {
            warnings.extend(spec_warnings(spec, &Path::new("spec")));
        }
        warnings
    }

    fn cells(&self, object: &Job, now: Time) -> Vec<Cell> {
        let none = (JobSpec::default(), JobStatus::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let succeeded = status.succeeded.unwrap_or(0);
        let completions = match (spec.completions, spec.parallelism.unwrap_or(0)) {
            (Some(completions), _) => format!("{succeeded}/{completions}"),
            (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
            (None, _) => format!("{succeeded}/1"),
        };
        let mut cells = vec![
            cells::name(&object.metadata),
            status_of(object).into(),
            completions.into(),
            how_long(status, now).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::wide_cells(Some(&spec.template), spec.selector.as_ref()));
        cells
    }

    fn field(&self, object: &Job, path: &str) -> Option<String> {
        let succeeded = object.status.as_ref().and_then(|status| status.succeeded).unwrap_or(0);
        (path == "status.successful").then(|| succeeded.to_string())
    }
}

/// Defaults of a job's spec, except for its labels.
fn default_spec(spec: &mut JobSpec) {
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 };
    spec.backoff_limit.get_or_insert(limit);
    text(&mut spec.completion_mode, "NonIndexed");
    spec.suspend.get_or_insert(false);
    let rules = spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules);
    for pattern in rules.flat_map(|rule| rule.on_pod_conditions.iter_mut().flatten()) {
        if pattern.status.is_empty() {
            pattern.status = "True".to_owned();
        }
    }
    let replace = if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    text(&mut spec.pod_replacement_policy, replace);
    spec.manual_selector.get_or_insert(false);
    workload::default_template(&mut spec.template);
}

/// Labels the pods with the job's uid and name, and selects them by its uid, unless the selector is
/// the user's own. Labels that are there already are left for the validation to refuse.
fn generate_selector(object: &mut Job) {
    let name = object.metadata.name.clone().unwrap_or_default();
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let spec = object.spec.get_or_insert_default();
    if spec.manual_selector == Some(true) {
        return;
    }
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (keys, value) in [(JOB_NAME, &name), (CONTROLLER_UID, &uid)] {
        for key in keys {
            labels.entry(key.to_owned()).or_insert_with(|| value.clone());
        }
    }
    let selected = spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    let [_, key] = CONTROLLER_UID;
    selected.entry(key.to_owned()).or_insert(uid);
}

/// What a client is told of a job's spec at `path`.
///
/// Upstream: `WarningsForJobSpec` in `pkg/api/job/warnings.go`.
pub(super) fn spec_warnings(spec: &JobSpec, path: &Path<'_>) -> Vec<String> {
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    let many = spec.completions.unwrap_or(0) > 100_000 && spec.parallelism.unwrap_or(0) > 10_000;
    let mut warnings = Vec::new();
    if indexed && many {
        warnings.push(format!(
            "{path}: In Indexed Jobs with a number of completions higher than 10^5 and a \
             parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes \
             when a big number of indexes fail"
        ));
    }
    warnings.extend(workload::warn_template(&spec.template, true, &path.child("template")));
    warnings
}

/// Whether a condition of the job is true.
fn has_condition(object: &Job, type_: &str) -> bool {
    let conditions = object.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == type_ && c.status == "True"))
}

fn status_of(object: &Job) -> &'static str {
    match () {
        () if has_condition(object, "Complete") => "Complete",
        () if has_condition(object, "Failed") => "Failed",
        () if object.metadata.deletion_timestamp.is_some() => "Terminating",
        () if has_condition(object, "Suspended") => "Suspended",
        () if has_condition(object, "FailureTarget") => "FailureTarget",
        () => "Running",
    }
}

fn how_long(status: &JobStatus, now: Time) -> String {
    let micros = |time: &MetaTime| time.0.as_microsecond();
    let Some(start) = &status.start_time else { return String::new() };
    let end = status.completion_time.as_ref().map_or(now.unix_micros(), micros);
    let micros = u64::try_from(end.saturating_sub(micros(start))).unwrap_or(0);
    duration::human(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A job as it is before it is validated.
    pub(super) fn job(spec: Value) -> Job {
        let mut all = json!({"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "a", "image": "b"}]}}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let meta = json!({"name": "pi", "uid": "1-2"});
        let mut object = serde_json::from_value(json!({"metadata": meta, "spec": all})).unwrap();
        Typed::default(&Jobs, &mut object);
        Jobs.prepare_for_create(&mut object);
        object
    }

    pub(super) fn texts(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn defaults() {
        let spec = serde_json::to_value(job(json!({})).spec).unwrap();
        let wanted = json!({"completions": 1, "parallelism": 1, "backoffLimit": 6,
            "completionMode": "NonIndexed", "suspend": false, "manualSelector": false,
            "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "1-2"}}});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(&spec[key], value, "{key}");
        }
        assert_eq!(
            spec["template"]["metadata"]["labels"],
            json!({"batch.kubernetes.io/controller-uid": "1-2", "controller-uid": "1-2",
                "batch.kubernetes.io/job-name": "pi", "job-name": "pi"})
        );
        let parallel = job(json!({"parallelism": 3})).spec.unwrap();
        assert_eq!((parallel.completions, parallel.parallelism), (None, Some(3)));
    }

    #[test]
    fn rows() {
        let row = |spec: Value, status: Value| {
            let mut object = job(spec);
            object.status = serde_json::from_value(status).unwrap();
            let cells = Typed::cells(&Jobs, &object, Time::from_secs(100));
            assert_eq!(cells.len(), Jobs::COLUMNS.len());
            let text = |cell: &Cell| match cell {
                Cell::Text(text) => text.clone(),
                other => format!("{other:?}"),
            };
            cells.iter().skip(1).take(3).map(text).collect::<Vec<_>>().join(" ")
        };
        let done = json!([{"type": "Complete", "status": "True"}]);
        assert_eq!(row(json!({}), json!({})), "Running 0/1 ");
        assert_eq!(
            row(json!({"parallelism": 3}), json!({"startTime": "2025-06-02T00:01:00Z"})),
            "Running 0/1 of 3 40s"
        );
        assert_eq!(
            row(
                json!({"completions": 2}),
                json!({"startTime": "2025-06-02T00:00:00Z", "succeeded": 2, "conditions": done,
                    "completionTime": "2025-06-02T00:00:07Z"})
            ),
            "Complete 2/2 7s"
        );
    }
}
