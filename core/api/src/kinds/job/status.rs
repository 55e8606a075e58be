//! What a job's status may become.
//!
//! Upstream: `ValidateJobStatusUpdate`, `validateJobStatus` in
//! `pkg/apis/batch/validation/validation.go`; `getStatusValidationOptions` in
//! `pkg/registry/batch/job/strategy.go`. What is already wrong and does not change is let be.

use super::{has_condition, indexes, validation};
use crate::kinds::workload;
use crate::{FieldError, Path, gofmt};
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus, UncountedTerminatedPods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

const CONDITIONS: &str = "status.conditions";

/// What is wrong with the change of a job's status.
pub(super) fn update(new: &Job, old: &Job) -> Errors {
    let none = (JobSpec::default(), JobStatus::default());
    let change = Change {
        new,
        old,
        spec: new.spec.as_ref().unwrap_or(&none.0),
        status: new.status.as_ref().unwrap_or(&none.1),
        before: old.status.as_ref().unwrap_or(&none.1),
    };
    let mut errors = Vec::new();
    change.counts(&mut errors);
    change.uncounted(&mut errors);
    change.conditions(&mut errors);
    change.times(&mut errors);
    change.finished(&mut errors);
    change.indexes(&mut errors);
    change.success(&mut errors);
    change.terminal(&mut errors);
    errors
}

struct Change<'a> {
    new: &'a Job,
    old: &'a Job,
    spec: &'a JobSpec,
    status: &'a JobStatus,
    before: &'a JobStatus,
}

impl Change<'_> {
    /// Whether a condition is true now.
    fn is(&self, type_: &str) -> bool {
        has_condition(self.new, type_)
    }

    /// Whether a condition was true before.
    fn was(&self, type_: &str) -> bool {
        has_condition(self.old, type_)
    }

    /// Whether a condition became or ceased to be true.
    fn turned(&self, type_: &str) -> bool {
        self.is(type_) != self.was(type_)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finish_turned(&self) -> bool {
        self.is_finished() != (self.was("Complete") || self.was("Failed"))
    }

    fn counts(&self, errors: &mut Errors) {
        let status = self.status;
        let count = |count: Option<i32>| i64::from(count.unwrap_or(0));
        let counts = [
            ("active", count(status.active)),
            ("succeeded", count(status.succeeded)),
            ("failed", count(status.failed)),
            ("ready", count(status.ready)),
            ("terminating", count(status.terminating)),
        ];
        workload::status_not_negative(&counts, errors);
    }

    fn uncounted(&self, errors: &mut Errors) {
        let Some(uncounted) = &self.status.uncounted_terminated_pods else { return };
        let mut seen = BTreeSet::new();
        let status = Path::new("status");
        let path = status.child("uncountedTerminatedPods");
        let lists = [("succeeded", &uncounted.succeeded), ("failed", &uncounted.failed)];
        for (field, uids) in lists {
            let list = path.child(field);
            for (index, uid) in uids.iter().flatten().enumerate() {
                let item = list.index(index);
                if uid.is_empty() {
                    errors.push(FieldError::invalid(item, uid, "must not be empty"));
                } else if !seen.insert(uid) {
                    errors.push(FieldError::duplicate(item, uid));
                }
            }
        }
    }

    fn conditions(&self, errors: &mut Errors) {
        let mut refuse = |wrong: bool, detail: &str| {
            if wrong {
                errors.push(FieldError::invalid_hidden(CONDITIONS, detail));
            }
        };
        let (complete, failed) = (self.turned("Complete"), self.turned("Failed"));
        refuse(
            (complete || failed) && self.is("Complete") && self.is("Failed"),
            "cannot set Complete=True and Failed=true conditions",
        );
        refuse(
            (complete || self.turned("FailureTarget"))
                && self.is("Complete")
                && self.is("FailureTarget"),
            "cannot set Complete=True and FailureTarget=true conditions",
        );
    }

    fn times(&self, errors: &mut Errors) {
        let (started, completed) = (&self.status.start_time, &self.status.completion_time);
        let start_changed = *started != self.before.start_time;
        let completion_changed = *completed != self.before.completion_time;
        let field = "status.completionTime";
        let mut refuse = |detail: &str| {
            let value = completed.as_ref().map_or("\"null\"".to_owned(), go_time);
            errors.push(FieldError::invalid_raw(field, value, detail));
        };
        let relevant = self.turned("Complete") || completion_changed;
        if relevant && completed.is_some() && !self.is("Complete") {
            refuse("cannot set completionTime when there is no Complete=True condition");
        }
        if (start_changed || completion_changed)
            && let (Some(start), Some(end)) = (started, completed)
            && end < start
        {
            refuse("completionTime cannot be set before startTime");
        }
        if completed.is_some() && self.before.completion_time.is_some() && completion_changed {
            refuse("completionTime cannot be mutated");
        }
        if relevant && completed.is_none() && self.is("Complete") {
            let detail = "completionTime is required for Complete jobs";
            errors.push(FieldError::required(field, detail));
        }
        let suspended = self.spec.suspend == Some(true);
        // A job that goes on begins anew; v1.33 has learnt this in v1.33.6.
        let resumes = self.was("Suspended") && !self.is("Suspended");
        if self.before.start_time.is_some() && start_changed && !suspended && !resumes {
            let detail = "startTime cannot be removed for unsuspended job";
            errors.push(FieldError::required("status.startTime", detail));
        }
    }

    /// What must not be left over when a job has ended.
    fn finished(&self, errors: &mut Errors) {
        let (finished, turned) = (self.is_finished(), self.finish_turned());
        let hidden = |detail: &str| FieldError::invalid_hidden(CONDITIONS, detail);
        let failed_indexes_changed = self.status.failed_indexes != self.before.failed_indexes;
        if (self.turned("Failed") || failed_indexes_changed)
            && self.is("Failed")
            && !self.is("FailureTarget")
        {
            let detail =
                "cannot set Failed=True condition without the FailureTarget=true condition";
            errors.push(hidden(detail));
        }
        if (self.turned("Complete") || self.turned("SuccessCriteriaMet"))
            && self.is("Complete")
            && !self.is("SuccessCriteriaMet")
        {
            let detail =
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
            errors.push(hidden(detail));
        }
        let active = self.status.active.unwrap_or(0);
        if finished && active > 0 && (turned || self.status.active != self.before.active) {
            let detail = "active>0 is invalid for finished job";
            errors.push(FieldError::invalid_raw("status.active", active, detail));
        }
        let start_changed = self.status.start_time != self.before.start_time;
        let nothing_to_do = self.spec.suspend == Some(true) && self.spec.completions == Some(0);
        if finished
            && self.status.start_time.is_none()
            && (turned || start_changed)
            && !nothing_to_do
        {
            let detail = "startTime is required for finished job";
            errors.push(FieldError::required("status.startTime", detail));
        }
        self.left_over(finished, turned, errors);
    }

    fn left_over(&self, finished: bool, turned: bool, errors: &mut Errors) {
        let uncounted = &self.status.uncounted_terminated_pods;
        let some = |pods: &UncountedTerminatedPods| {
            pods.failed.iter().chain(&pods.succeeded).any(|uids| !uids.is_empty())
        };
        let changed = *uncounted != self.before.uncounted_terminated_pods;
        if finished
            && (turned || changed)
            && let Some(pods) = uncounted.as_ref().filter(|pods| some(pods))
        {
            let detail = "uncountedTerminatedPods needs to be empty for finished job";
            let value = gofmt::dump("batch.UncountedTerminatedPods", pods);
            let field = "status.uncountedTerminatedPods";
            errors.push(FieldError::invalid_raw(field, value, detail));
        }
        let terminating = self.status.terminating.unwrap_or(0);
        let changed = self.status.terminating != self.before.terminating;
        if finished && terminating > 0 && (turned || changed) {
            let detail = "terminating>0 is invalid for finished job";
            errors.push(FieldError::invalid_raw("status.terminating", terminating, detail));
        }
        let active = self.status.active.unwrap_or(0);
        let changed =
            self.status.ready != self.before.ready || self.status.active != self.before.active;
        if let Some(ready) = self.status.ready.filter(|ready| changed && *ready > active) {
            let detail = "cannot set more ready pods than active";
            errors.push(FieldError::invalid_raw("status.ready", ready, detail));
        }
    }

    fn indexes(&self, errors: &mut Errors) {
        const COMPLETED: &str = "status.completedIndexes";
        const FAILED: &str = "status.failedIndexes";
        let completed = self.status.completed_indexes.as_deref().unwrap_or_default();
        let failed = self.status.failed_indexes.as_deref();
        let completed_changed = self.status.completed_indexes != self.before.completed_indexes;
        let failed_changed = self.status.failed_indexes != self.before.failed_indexes;
        let per_index = self.spec.backoff_limit_per_index.is_some();
        let mut refuse = |field: &str, value: &str, detail: &str| {
            errors.push(FieldError::invalid(field, value, detail));
        };
        if let Some(completions) = self.spec.completions {
            if completed_changed && let Err(error) = indexes::count(completed, completions) {
                let detail = format!("error parsing completedIndexes: {error}");
                refuse(COMPLETED, completed, &detail);
            }
            if failed_changed
                && let Some(failed) = failed.filter(|_| per_index)
                && let Err(error) = indexes::count(failed, completions)
            {
                refuse(FAILED, failed, &format!("error parsing failedIndexes: {error}"));
            }
            if (completed_changed || failed_changed)
                && let Some(failed) = failed
                && let Some(detail) = indexes::overlap(completed, failed, completions)
            {
                refuse(FAILED, failed, &detail);
            }
        }
        if completed_changed && !completed.is_empty() && !validation::is_indexed(self.spec) {
            let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
            refuse(COMPLETED, completed, detail);
        }
        if let Some(failed) = failed.filter(|_| failed_changed && !per_index) {
            let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            refuse(FAILED, failed, detail);
        }
    }

    fn success(&self, errors: &mut Errors) {
        let met = self.is("SuccessCriteriaMet");
        let mut refuse = |wrong: bool, detail: &str| {
            if wrong {
                errors.push(FieldError::invalid_hidden(CONDITIONS, detail));
            }
        };
        refuse(
            met && self.is("Failed"),
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        );
        refuse(
            met && self.is("FailureTarget"),
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        );
        refuse(
            self.spec.success_policy.is_some() && !met && self.is("Complete"),
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        );
    }

    /// What has been counted stays counted, and what has ended stays ended.
    fn terminal(&self, errors: &mut Errors) {
        for type_ in ["Failed", "Complete", "FailureTarget"] {
            if self.was(type_) && !self.is(type_) {
                let detail = format!("cannot disable the terminal {type_}=True condition");
                errors.push(FieldError::invalid_hidden(CONDITIONS, &detail));
            }
        }
        let scales =
            validation::is_indexed(self.spec) && self.spec.completions == self.spec.parallelism;
        let counters = [
            ("failed", self.status.failed, self.before.failed, true),
            ("succeeded", self.status.succeeded, self.before.succeeded, !scales),
        ];
        for (field, now, before, grows) in counters {
            let now = now.unwrap_or(0);
            if grows && now < before.unwrap_or(0) {
                let detail = format!("cannot decrease the {field} counter");
                errors.push(FieldError::invalid_raw(format!("status.{field}"), now, &detail));
            }
        }
        let (met, had_met) = (self.is("SuccessCriteriaMet"), self.was("SuccessCriteriaMet"));
        if had_met && !met {
            let detail = "cannot disable the SuccessCriteriaMet=True condition";
            errors.push(FieldError::invalid_hidden(CONDITIONS, detail));
        }
        if self.was("Complete") && !had_met && met {
            let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true \
                          conditions";
            errors.push(FieldError::invalid_hidden(CONDITIONS, detail));
        }
    }
}

/// As Go writes a time.
fn go_time(time: &MetaTime) -> String {
    time.0.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, texts};
    use serde_json::{Value, json};

    fn errors(old: Value, new: Value) -> Vec<String> {
        let with = |status: Value| {
            let mut object = job(json!({"suspend": true}));
            object.status = serde_json::from_value(status).unwrap();
            object
        };
        texts(super::update(&with(new), &with(old)))
    }

    fn conditions(types: &[&str]) -> Value {
        types.iter().map(|type_| json!({"type": type_, "status": "True"})).collect()
    }

    #[test]
    fn a_job_ends_as_upstreams_controller_ends_it() {
        let running = json!({"active": 1, "startTime": "2025-06-02T00:00:00Z"});
        let done = json!({"succeeded": 1, "startTime": "2025-06-02T00:00:00Z",
            "completionTime": "2025-06-02T00:00:05Z",
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"])});
        assert_eq!(errors(running.clone(), done.clone()), [""; 0]);
        assert_eq!(
            errors(done, running),
            [
                "status.conditions: Invalid value: cannot disable the terminal Complete=True \
                 condition",
                "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
                "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True \
                 condition",
            ]
        );
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (
                json!({"active": -1}),
                vec!["status.active: Invalid value: -1: must be greater than or equal to 0"],
            ),
            (
                json!({"conditions": conditions(&["Complete"])}),
                vec![
                    "status.completionTime: Required value: completionTime is required for \
                     Complete jobs",
                    "status.conditions: Invalid value: cannot set Complete=True condition without \
                     the SuccessCriteriaMet=true condition",
                    "status.startTime: Required value: startTime is required for finished job",
                ],
            ),
            (
                json!({"completionTime": "2025-06-02T00:00:05Z"}),
                vec![
                    "status.completionTime: Invalid value: 2025-06-02 00:00:05 +0000 UTC: cannot \
                     set completionTime when there is no Complete=True condition",
                ],
            ),
            (
                json!({"completedIndexes": "0"}),
                vec![
                    "status.completedIndexes: Invalid value: \"0\": cannot set non-empty \
                     completedIndexes when non-indexed completion mode",
                ],
            ),
            (
                json!({"ready": 2, "active": 1}),
                vec!["status.ready: Invalid value: 2: cannot set more ready pods than active"],
            ),
        ];
        for (status, messages) in table {
            assert_eq!(errors(json!({}), status.clone()), messages, "{status}");
        }
    }
}
