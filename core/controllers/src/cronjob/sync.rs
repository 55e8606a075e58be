//! One look at a cron job: its old jobs, and the one that is due.
//!
//! Upstream: `syncCronJob` and `cleanupFinishedJobs` in
//! `pkg/controller/cronjob/cronjob_controllerv2.go`.

use super::times::Clock;
use crate::controller_ref::new_controller_ref;
use crate::job::finished_condition;
use crate::pod_control::is_namespace_terminating;
use crate::util::key_of;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::cron::Schedule;
use naru_api::gofmt::quote;
use naru_api::request::{DeleteOptions, Propagation};
use naru_api::time::{meta_time, rfc1123z};
use naru_api::{ApiError, Key, Object, timezone};
use naru_client::{Action, Context, Error, EventType, object_reference};
use naru_sim::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// What is known of a cron job while it is looked at.
pub(super) struct Sync<'c> {
    object: &'c Object,
    spec: &'c CronJobSpec,
    /// A copy, whose status changes.
    cron: CronJob,
    now: Time,
    changed: bool,
}

impl<'c> Sync<'c> {
    pub fn new(object: &'c Object, now: Time) -> Option<Self> {
        let cron = object.get::<CronJob>()?;
        let spec = cron.spec.as_ref()?;
        Some(Sync { object, spec, cron: cron.clone(), now, changed: false })
    }

    /// Deletes the oldest of the jobs that have ended, of each kind those above its limit.
    pub fn clean_up(&mut self, context: &mut Context<'_>) {
        let limits = [
            ("Complete", self.spec.successful_jobs_history_limit),
            ("Failed", self.spec.failed_jobs_history_limit),
        ];
        for (end, limit) in limits {
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
            let mut jobs: Vec<&Job> = self
                .jobs(context)
                .filter(|job| finished_condition(job).is_some_and(|c| c.type_ == end))
                .collect();
            jobs.sort_by_key(|job| {
                let start = job.status.as_ref().and_then(|status| status.start_time.clone());
                (start.is_none(), start, job.metadata.name.clone())
            });
            let surplus = jobs.len().saturating_sub(limit);
            for job in jobs.into_iter().take(surplus) {
                self.delete_job(context, job);
            }
        }
    }

    /// Looks after the jobs there are, and makes the one that is due.
    pub fn run(&mut self, context: &mut Context<'_>) -> Result<Action, Error> {
        self.follow_jobs(context)?;
        self.forget_missing(context)?;
        if self.object.meta().deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let Some((schedule, zone)) = self.schedule(context) else {
            return Ok(Action::await_change());
        };
        let clock = Clock { schedule: &schedule, zone: &zone, now: self.now };
        let missed = match clock.missed(&self.cron, true) {
            Ok(missed) => missed,
            Err(error) => {
                let text = format!("invalid schedule: {} : {error}", self.spec.schedule);
                context.event(self.object, EventType::Warning, "InvalidSchedule", &text);
                return Ok(Action::await_change());
            }
        };
        if let Some(due) = missed.latest {
            if missed.too_many() {
                let text = "too many missed start times. Set or decrease \
                            .spec.startingDeadlineSeconds or check clock skew";
                context.event(self.object, EventType::Warning, "TooManyMissedTimes", text);
            }
            if self.may_start(context, due)? {
                self.start(context, due)?;
            }
        }
        Ok(wait_for(clock.until_next(&self.cron)))
    }

    /// Waits for the next time, whatever was missed.
    pub fn wait(&self) -> Action {
        let zone = timezone::find(self.spec.time_zone.as_deref().unwrap_or_default());
        let (Ok(schedule), Some(zone)) = (self.spec.schedule.parse::<Schedule>(), zone) else {
            return Action::await_change();
        };
        let clock = Clock { schedule: &schedule, zone: &zone, now: self.now };
        wait_for(clock.until_next(&self.cron))
    }

    /// Writes the status if it has changed.
    pub fn write(self, context: &mut Context<'_>) -> Result<(), Error> {
        if self.changed {
            context.client.update_status(self.cron)?;
        }
        Ok(())
    }

    fn jobs<'x>(&self, context: &Context<'x>) -> impl Iterator<Item = &'x Job> + use<'x> {
        context.cache.controlled::<Job>(self.object.uid())
    }

    fn is_active(&self, uid: &str) -> bool {
        let active = self.cron.status.as_ref().and_then(|status| status.active.as_ref());
        active.into_iter().flatten().any(|job| job.uid.as_deref() == Some(uid))
    }

    fn forget(&mut self, uid: &str) {
        let status = self.cron.status.get_or_insert_default();
        if let Some(active) = &mut status.active {
            active.retain(|job| job.uid.as_deref() != Some(uid));
            if active.is_empty() {
                status.active = None;
            }
        }
        self.changed = true;
    }

    /// Notes which of the jobs have ended.
    fn follow_jobs(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let jobs: Vec<&Job> = self.jobs(context).collect();
        for job in jobs {
            let uid = job.metadata.uid.as_deref().unwrap_or_default();
            let name = job.metadata.name.as_deref().unwrap_or_default();
            let Some(end) = finished_condition(job) else {
                if !self.is_active(uid) {
                    self.wonder(context, uid, name)?;
                }
                continue;
            };
            if self.is_active(uid) {
                self.forget(uid);
                let text = format!("Saw completed job: {name}, condition: {}", end.type_);
                context.event(self.object, EventType::Normal, "SawCompletedJob", &text);
            }
            let done = job.status.as_ref().and_then(|status| status.completion_time.clone());
            let status = self.cron.status.get_or_insert_default();
            if end.type_ == "Complete" && done > status.last_successful_time {
                status.last_successful_time = done;
                self.changed = true;
            }
        }
        Ok(())
    }

    /// A job runs that this cron job does not know; or its status is old.
    fn wonder(&mut self, context: &mut Context<'_>, uid: &str, name: &str) -> Result<(), Error> {
        let key = self.object.key();
        let fresh = context.client.get::<CronJob>(&key.namespace, &key.name)?;
        let stale = std::mem::replace(&mut self.cron, (*fresh).clone());
        if self.is_active(uid) {
            return Ok(());
        }
        self.cron = stale;
        let text = format!("Saw a job that the controller did not create or forgot: {name}");
        context.event(self.object, EventType::Warning, "UnexpectedJob", &text);
        Ok(())
    }

    /// Forgets active jobs that are gone.
    fn forget_missing(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let known: BTreeSet<&str> =
            self.jobs(context).filter_map(|job| job.metadata.uid.as_deref()).collect();
        let active = self.cron.status.as_ref().and_then(|status| status.active.clone());
        for job in active.into_iter().flatten() {
            let text = |text: Option<String>| text.unwrap_or_default();
            let (namespace, name, uid) = (text(job.namespace), text(job.name), text(job.uid));
            if known.contains(uid.as_str()) {
                continue;
            }
            match context.client.get::<Job>(&namespace, &name) {
                Err(error) if error.is_not_found() => {
                    let text = format!("Active job went missing: {name}");
                    context.event(self.object, EventType::Normal, "MissingJob", &text);
                    self.forget(&uid);
                }
                found => drop(found?),
            }
        }
        Ok(())
    }

    /// The schedule and its clocks; `None` when no job is to be started.
    fn schedule(&self, context: &mut Context<'_>) -> Option<(Schedule, TimeZone)> {
        let mut warn = |reason: &str, text: String| {
            context.event(self.object, EventType::Warning, reason, &text);
        };
        let name = self.spec.time_zone.as_deref().unwrap_or_default();
        let Some(zone) = timezone::find(name) else {
            let quoted = quote(name);
            let text = format!("invalid timeZone: {quoted}: unknown time zone {name}");
            warn("UnknownTimeZone", text);
            return None;
        };
        if self.spec.suspend == Some(true) {
            return None;
        }
        let schedule = &self.spec.schedule;
        if schedule.contains("TZ") {
            let text = format!(
                "CRON_TZ or TZ used in schedule {} is not officially supported, see \
                 https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more \
                 details",
                quote(schedule)
            );
            warn("UnsupportedSchedule", text);
        }
        match schedule.parse() {
            Ok(parsed) => Some((parsed, zone)),
            Err(error) => {
                let text = format!("unparseable schedule: {} : {error}", quote(schedule));
                warn("UnparseableSchedule", text);
                None
            }
        }
    }

    /// Whether the job of this time may be started; deletes the ones before it if it replaces
    /// them.
    fn may_start(&mut self, context: &mut Context<'_>, due: Time) -> Result<bool, Error> {
        let deadline = self.spec.starting_deadline_seconds.and_then(|s| u64::try_from(s).ok());
        if deadline.is_some_and(|seconds| due + Duration::from_secs(seconds) < self.now) {
            let at = rfc1123z(&meta_time(due));
            let text = format!("Missed scheduled time to start a job: {at}");
            context.event(self.object, EventType::Warning, "MissSchedule", &text);
            return Ok(false);
        }
        let status = self.cron.status.clone().unwrap_or_default();
        let active = status.active.unwrap_or_default();
        let name = self.job_name(due);
        if active.iter().any(|job| job.name.as_ref() == Some(&name))
            || status.last_schedule_time == Some(meta_time(due))
        {
            return Ok(false);
        }
        match self.spec.concurrency_policy.as_deref() {
            Some("Forbid") if !active.is_empty() => {
                let text = "Not starting job because prior execution is running and concurrency \
                            policy is Forbid";
                context.event(self.object, EventType::Normal, "JobAlreadyActive", text);
                Ok(false)
            }
            Some("Replace") => {
                for job in active {
                    let key =
                        Key::new(job.namespace.unwrap_or_default(), job.name.unwrap_or_default());
                    self.replace(context, &key)?;
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn replace(&mut self, context: &mut Context<'_>, key: &Key) -> Result<(), Error> {
        let job = context.client.get::<Job>(&key.namespace, &key.name).inspect_err(|error| {
            let text = format!("Get job: {error}");
            context.event(self.object, EventType::Warning, "FailedGet", &text);
        })?;
        match self.delete_job(context, &job) {
            true => Ok(()),
            false => Err(Error::Other(format!("could not replace job {key}"))),
        }
    }

    fn delete_job(&mut self, context: &mut Context<'_>, job: &Job) -> bool {
        let key = key_of(job);
        let propagation = Some(Propagation::Background);
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        if let Err(error) = context.client.delete::<Job>(&key.namespace, &key.name, options) {
            let text = format!("Deleted job: {error}");
            context.event(self.object, EventType::Warning, "FailedDelete", &text);
            return false;
        }
        self.forget(job.metadata.uid.as_deref().unwrap_or_default());
        let text = format!("Deleted job {}", key.name);
        context.event(self.object, EventType::Normal, "SuccessfulDelete", &text);
        true
    }

    /// Makes the job of this time, and notes it.
    fn start(&mut self, context: &mut Context<'_>, due: Time) -> Result<(), Error> {
        let Some(job) = self.make(context, due)? else { return Ok(()) };
        let job = Object::new((*job).clone());
        let status = self.cron.status.get_or_insert_default();
        status.active.get_or_insert_default().push(object_reference(&job, None));
        status.last_schedule_time = Some(meta_time(due));
        self.changed = true;
        Ok(())
    }

    /// The job of this time; `None` if somebody else has made it or it is known.
    fn make(&self, context: &mut Context<'_>, due: Time) -> Result<Option<Arc<Job>>, Error> {
        let job = self.job(due);
        let key = key_of(&job);
        match context.client.create(job) {
            Ok(job) => {
                let text = format!("Created job {}", key.name);
                context.event(self.object, EventType::Normal, "SuccessfulCreate", &text);
                Ok(Some(job))
            }
            Err(error) if error.is_already_exists() => {
                let job = context.client.get::<Job>(&key.namespace, &key.name)?;
                let owner = crate::controller_ref::controller_of(&job.metadata);
                let ours = owner.is_some_and(|owner| owner.uid == self.object.uid());
                let uid = job.metadata.uid.clone().unwrap_or_default();
                Ok(Some(job).filter(|_| ours && !self.is_active(&uid)))
            }
            Err(error) => {
                self.tell_refusal(context, &error);
                Err(error.into())
            }
        }
    }

    fn tell_refusal(&self, context: &mut Context<'_>, error: &ApiError) {
        if !is_namespace_terminating(error) {
            let text = format!("Error creating job: {error}");
            context.event(self.object, EventType::Warning, "FailedCreate", &text);
        }
    }

    /// The same time has always the same job, so that none is made twice.
    fn job_name(&self, due: Time) -> String {
        let minutes = due.unix_micros().div_euclid(60_000_000);
        format!("{}-{minutes}", self.object.name())
    }

    fn job(&self, due: Time) -> Job {
        let template = self.spec.job_template.clone();
        let meta = template.metadata.unwrap_or_default();
        let mut annotations = meta.annotations.unwrap_or_default();
        let zone = self.spec.time_zone.as_deref().unwrap_or_default();
        let zone = timezone::find(zone).unwrap_or(TimeZone::UTC);
        annotations.insert(SCHEDULED_AT.to_owned(), timezone::rfc3339(&meta_time(due), &zone));
        Job {
            metadata: ObjectMeta {
                name: Some(self.job_name(due)),
                namespace: Some(self.object.namespace().to_owned()),
                labels: meta.labels,
                annotations: Some(annotations),
                owner_references: Some(vec![new_controller_ref(self.object)]),
                ..ObjectMeta::default()
            },
            spec: template.spec,
            status: None,
        }
    }
}

fn wait_for(delay: Option<Duration>) -> Action {
    delay.map_or(Action::await_change(), Action::requeue_after)
}
