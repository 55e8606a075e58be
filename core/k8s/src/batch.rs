//! Jobs, whose specs have templates of pods.

use crate::api::batch::v1::{CronJobStatus, JobStatus, PodFailurePolicy, SuccessPolicy};
use crate::api::core::v1::PodTemplateSpec;
use crate::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

kind! {
    /// `CronJob`.
    CronJob, "batch", "batch/v1", "cronjobs" {
        metadata: req ObjectMeta = "metadata",
        spec: opt CronJobSpec = "spec",
        status: opt CronJobStatus = "status",
    }
}

fields! {
    /// `CronJobSpec`.
    CronJobSpec () {
        concurrency_policy: opt String = "concurrencyPolicy",
        failed_jobs_history_limit: opt i32 = "failedJobsHistoryLimit",
        job_template: req JobTemplateSpec = "jobTemplate",
        schedule: req String = "schedule",
        starting_deadline_seconds: opt i64 = "startingDeadlineSeconds",
        successful_jobs_history_limit: opt i32 = "successfulJobsHistoryLimit",
        suspend: opt bool = "suspend",
        time_zone: opt String = "timeZone",
    }
}

kind! {
    /// `Job`.
    Job, "batch", "batch/v1", "jobs" {
        metadata: req ObjectMeta = "metadata",
        spec: opt JobSpec = "spec",
        status: opt JobStatus = "status",
    }
}

fields! {
    /// `JobSpec`.
    JobSpec () {
        active_deadline_seconds: opt i64 = "activeDeadlineSeconds",
        backoff_limit: opt i32 = "backoffLimit",
        backoff_limit_per_index: opt i32 = "backoffLimitPerIndex",
        completion_mode: opt String = "completionMode",
        completions: opt i32 = "completions",
        managed_by: opt String = "managedBy",
        manual_selector: opt bool = "manualSelector",
        max_failed_indexes: opt i32 = "maxFailedIndexes",
        parallelism: opt i32 = "parallelism",
        pod_failure_policy: opt PodFailurePolicy = "podFailurePolicy",
        pod_replacement_policy: opt String = "podReplacementPolicy",
        selector: opt LabelSelector = "selector",
        success_policy: opt SuccessPolicy = "successPolicy",
        suspend: opt bool = "suspend",
        template: req PodTemplateSpec = "template",
        ttl_seconds_after_finished: opt i32 = "ttlSecondsAfterFinished",
    }
}

fields! {
    /// `JobTemplateSpec`.
    JobTemplateSpec () {
        metadata: opt ObjectMeta = "metadata",
        spec: opt JobSpec = "spec",
    }
}
