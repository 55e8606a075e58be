//! Cron jobs.
//!
//! Upstream: `pkg/registry/batch/cronjob/strategy.go`, `SetDefaults_CronJob`,
//! `validateCronJobSpec`, `printCronJob`.

use super::typed::{Typed, keep};
use super::{cells, job, workload};
use crate::cron::Schedule;
use crate::podspec::defaults::text;
use crate::podspec::validation::{not_negative, not_negative_long};
use crate::{
    Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, duration, gofmt, timezone,
};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, JobSpec, JobTemplateSpec};
use naru_sim::Time;

static KIND: Kind = Names::new("batch", "v1", "CronJob", "cronjobs", "cronjob")
    .short(&["cj"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&CronJobs);

/// Jobs are named after their cron job and the minute: eleven more characters.
const NAME_MAX: usize = 52;

impl Kube for CronJob {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CronJobs;

impl Typed for CronJobs {
    type Object = CronJob;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Schedule"),
        Column::new("Timezone"),
        Column::new("Suspend").boolean(),
        Column::new("Active").integer(),
        Column::new("Last Schedule"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ];

    fn default(&self, object: &mut CronJob) {
        let spec = object.spec.get_or_insert_default();
        text(&mut spec.concurrency_policy, "Allow");
        spec.suspend.get_or_insert(false);
        spec.successful_jobs_history_limit.get_or_insert(3);
        spec.failed_jobs_history_limit.get_or_insert(1);
        let template = &mut spec.job_template.spec.get_or_insert_default().template;
        workload::default_template(template);
    }

    fn prepare_for_create(&self, object: &mut CronJob) {
        object.metadata.generation = Some(1);
        object.status = Some(CronJobStatus::default());
    }

    fn prepare_for_update(&self, new: &mut CronJob, old: &CronJob, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, object: &CronJob) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &object.spec {
            validate_spec(spec, None, &mut errors);
        }
        let name = object.metadata.name.as_deref().unwrap_or_default();
        if name.len() > NAME_MAX {
            let detail = format!("must be no more than {NAME_MAX} characters");
            errors.push(FieldError::invalid("metadata.name", name, &detail));
        }
        errors
    }

    fn validate_update(&self, new: &CronJob, old: &CronJob, subresource: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = new.spec.as_ref().filter(|_| subresource != "status") {
            validate_spec(spec, old.spec.as_ref(), &mut errors);
        }
        errors
    }

    fn warnings(&self, object: &CronJob, old: Option<&CronJob>) -> Vec<String> {
        let mut warnings =
            if old.is_none() { workload::warn_name(&object.metadata) } else { Vec::new() };
        let Some(spec) = &object.spec else { return warnings };
        let changed = old.is_none_or(|old| old.spec != object.spec);
        if let Some(spec) = spec.job_template.spec.as_ref().filter(|_| changed) {
            let path = Path::new("spec");
            let path = path.child("jobTemplate");
            warnings.extend(job::spec_warnings(spec, &path.child("spec")));
        }
        if old.is_some() && spec.schedule.contains("TZ") {
            // The path is upstream's own slip.
            warnings.push(
                "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
                 https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more \
                 details"
                    .to_owned(),
            );
        }
        warnings
    }

    fn cells(&self, object: &CronJob, now: Time) -> Vec<Cell> {
        let none = (CronJobSpec::default(), CronJobStatus::default(), JobSpec::default());
        let spec = object.spec.as_ref().unwrap_or(&none.0);
        let status = object.status.as_ref().unwrap_or(&none.1);
        let job = spec.job_template.spec.as_ref().unwrap_or(&none.2);
        let last = status.last_schedule_time.as_ref();
        let suspend = match spec.suspend {
            Some(true) => "True",
            Some(false) => "False",
            None => "<unset>",
        };
        let mut cells = vec![
            cells::name(&object.metadata),
            spec.schedule.as_str().into(),
            spec.time_zone.as_deref().unwrap_or("<none>").into(),
            suspend.into(),
            status.active.as_ref().map_or(0, Vec::len).into(),
            last.map_or("<none>".to_owned(), |last| duration::since(Some(last), now)).into(),
            cells::age(&object.metadata, now),
        ];
        cells.extend(workload::wide_cells(Some(&job.template), job.selector.as_ref()));
        cells
    }
}

/// `old` is the spec before an update.
fn validate_spec(spec: &CronJobSpec, old: Option<&CronJobSpec>, errors: &mut Vec<FieldError>) {
    let path = Path::new("spec");
    let field = path.child("schedule");
    if spec.schedule.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else {
        let had_zone = old.is_some_and(|old| old.schedule.contains("TZ"));
        validate_schedule(spec, had_zone, &field, errors);
    }
    let field = path.child("startingDeadlineSeconds");
    not_negative_long(spec.starting_deadline_seconds, &field, errors);
    if let Some(zone) = &spec.time_zone
        && old.is_none_or(|old| old.time_zone.as_ref() != Some(zone))
    {
        validate_time_zone(zone, &path.child("timeZone"), errors);
    }
    let field = path.child("concurrencyPolicy");
    const POLICIES: &[&str] = &["Allow", "Forbid", "Replace"];
    crate::podspec::validation::one_of(
        spec.concurrency_policy.as_deref(),
        POLICIES,
        &field,
        errors,
    );
    validate_template(&spec.job_template, &path.child("jobTemplate"), errors);
    let limits = [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ];
    for (field, limit) in limits {
        not_negative(limit, &path.child(field), errors);
    }
}

fn validate_schedule(
    spec: &CronJobSpec,
    had_zone: bool,
    field: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let schedule = spec.schedule.as_str();
    let mut refuse = |detail: &str| errors.push(FieldError::invalid(field, schedule, detail));
    if let Err(error) = schedule.parse::<Schedule>() {
        refuse(&error.to_string());
    }
    if !schedule.contains("TZ") {
        return;
    }
    if !had_zone {
        refuse("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if spec.time_zone.is_some() {
        refuse("cannot use both timeZone field and TZ or CRON_TZ in schedule");
    }
}

fn validate_time_zone(zone: &str, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    let mut refuse = |detail: &str| errors.push(FieldError::invalid(field, zone, detail));
    if zone.is_empty() {
        return refuse("timeZone must be nil or non-empty string");
    }
    let good = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-+".contains(&b);
        (1..=14).contains(&part.len())
            && part.bytes().all(allowed)
            && !part.starts_with('-')
            && !matches!(part, "." | "..")
    };
    let unknown = format!("unknown time zone {zone}");
    if !zone.split('/').all(good) {
        return refuse(&unknown);
    }
    if zone.eq_ignore_ascii_case("Local") {
        refuse(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    }
    if zone != "Local" && timezone::find(zone).is_none() {
        refuse(&unknown);
    }
}

/// Upstream: `ValidateJobTemplateSpec`.
fn validate_template(template: &JobTemplateSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let none = JobSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&none);
    let path = path.child("spec");
    job::job_spec(spec, &path, errors);
    if let Some(selector) = &spec.selector {
        let value = gofmt::label_selector(selector);
        let detail = "`selector` will be auto-generated";
        errors.push(FieldError::invalid_raw(path.child("selector"), value, detail));
    }
    if spec.manual_selector == Some(true) {
        let field = path.child("manualSelector");
        errors.push(FieldError::not_supported_raw(field, true, &["nil", "false"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn cron_job(spec: Value) -> CronJob {
        let mut all = json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template":
            {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}}}});
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let meta = json!({"name": "backup"});
        let mut object = serde_json::from_value(json!({"metadata": meta, "spec": all})).unwrap();
        Typed::default(&CronJobs, &mut object);
        object
    }

    #[test]
    fn defaults() {
        let spec = serde_json::to_value(cron_job(json!({})).spec).unwrap();
        let wanted = json!({"concurrencyPolicy": "Allow", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1});
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(&spec[key], value, "{key}");
        }
        // The job's own defaults are filled in when a job is made.
        assert_eq!(spec["jobTemplate"]["spec"].get("backoffLimit"), None);
        assert_eq!(spec["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"], "ClusterFirst");
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({}), vec![]),
            (json!({"schedule": ""}), vec!["spec.schedule: Required value"]),
            (
                json!({"schedule": "* * * *"}),
                vec![
                    "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, found \
                     4: [* * * *]",
                ],
            ),
            (
                json!({"schedule": "TZ=UTC 0 0 * * *"}),
                vec![
                    "spec.schedule: Invalid value: \"TZ=UTC 0 0 * * *\": cannot use TZ or CRON_TZ \
                     in schedule, use timeZone field instead",
                ],
            ),
            (
                json!({"timeZone": "Asia/Soul"}),
                vec!["spec.timeZone: Invalid value: \"Asia/Soul\": unknown time zone Asia/Soul"],
            ),
            (
                json!({"timeZone": "local"}),
                vec![
                    "spec.timeZone: Invalid value: \"local\": timeZone must be an explicit time \
                     zone as defined in https://www.iana.org/time-zones",
                    "spec.timeZone: Invalid value: \"local\": unknown time zone local",
                ],
            ),
            (json!({"timeZone": "Asia/Seoul"}), vec![]),
            (
                json!({"concurrencyPolicy": "Never", "failedJobsHistoryLimit": -1}),
                vec![
                    "spec.concurrencyPolicy: Unsupported value: \"Never\": supported values: \
                     \"Allow\", \"Forbid\", \"Replace\"",
                    "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or \
                     equal to 0",
                ],
            ),
            (
                json!({"jobTemplate": {"spec": {"manualSelector": true, "template":
                    {"spec": {"containers": [{"name": "a", "image": "b"}]}}}}}),
                vec![
                    "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid \
                     values: \"OnFailure\", \"Never\"",
                    "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported \
                     values: \"nil\", \"false\"",
                ],
            ),
        ];
        for (spec, messages) in table {
            let errors = Typed::validate(&CronJobs, &cron_job(spec.clone()));
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(texts, messages, "{spec}");
        }
    }

    #[test]
    fn names_leave_room_for_the_jobs() {
        let mut object = cron_job(json!({}));
        object.metadata.name = Some("x".repeat(53));
        let errors = Typed::validate(&CronJobs, &object);
        assert!(errors[0].message.ends_with("must be no more than 52 characters"));
    }
}
