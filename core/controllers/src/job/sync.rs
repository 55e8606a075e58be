//! One look at a job: what its pods say, whether it has ended, what is to be done.
//!
//! Upstream: `syncJob` in `pkg/controller/job/job_controller.go`.

use super::backoff::Backoff;
use super::indexes::Intervals;
use super::pods::{JobPod, restarts};
use super::policies::{Verdict, judge_failure, judge_success};
use super::{JobController, new_condition};
use crate::util::nonzero;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use naru_api::time::{from_meta, meta_time};
use naru_api::{Key, Object, pods};
use naru_client::{Context, Error, EventType};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is known of a job while it is looked at.
pub(super) struct Sync<'c> {
    pub key: &'c Key,
    pub object: &'c Object,
    pub spec: &'c JobSpec,
    /// What the status becomes.
    pub status: JobStatus,
    pub now: Time,
    pub pods: Vec<JobPod<'c>>,
    pub active: Vec<JobPod<'c>>,
    pub ready: i32,
    pub terminating: i32,
    pub succeeded: i32,
    pub failed: i32,
    /// Indexes that were completed before, and those that are now.
    pub previous: Intervals,
    pub completed: Intervals,
    pub failed_indexes: Option<Intervals>,
    /// Failed pods that are kept until their index has a new pod.
    pub replaced: BTreeMap<i32, JobPod<'c>>,
    /// The condition by which the job ends now.
    pub finished: Option<JobCondition>,
    /// Pods whose finalizers were removed already.
    pub removing: BTreeSet<String>,
    /// Pods that the status has counted already.
    pub counted_succeeded: BTreeSet<String>,
    pub counted_failed: BTreeSet<String>,
    pub backoff: Backoff,
    /// The revision of the job that the next status follows.
    pub revision: Option<String>,
    pub requeue: Option<Duration>,
}

impl<'c> Sync<'c> {
    pub fn new(
        key: &'c Key,
        object: &'c Object,
        spec: &'c JobSpec,
        pods: Vec<JobPod<'c>>,
        now: Time,
    ) -> Self {
        let active: Vec<_> = pods.iter().copied().filter(|p| pods::is_active(p.pod)).collect();
        let job = object.get::<Job>();
        let mut status = job.and_then(|job| job.status.clone()).unwrap_or_default();
        let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
        let uids = |list: &Option<Vec<String>>| list.iter().flatten().cloned().collect();
        Sync {
            counted_succeeded: uids(&uncounted.succeeded),
            counted_failed: uids(&uncounted.failed),
            key,
            object,
            spec,
            status,
            now,
            ready: active.iter().filter(|p| pods::is_ready(p.pod)).count() as i32,
            terminating: pods.iter().filter(|p| is_going(p.pod)).count() as i32,
            active,
            pods,
            succeeded: 0,
            failed: 0,
            previous: Intervals::default(),
            completed: Intervals::default(),
            failed_indexes: None,
            replaced: BTreeMap::new(),
            finished: None,
            removing: BTreeSet::new(),
            backoff: Backoff::default(),
            revision: object.meta().resource_version.clone(),
            requeue: None,
        }
    }

    pub fn is_indexed(&self) -> bool {
        self.spec.completion_mode.as_deref() == Some("Indexed")
    }

    pub fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    /// The index of a pod if it is one that the job has.
    pub fn valid_index(&self, pod: &JobPod<'_>) -> Option<i32> {
        pod.index.filter(|index| *index < self.spec.completions.unwrap_or(0))
    }

    /// Whether the pod waits to be counted.
    pub fn awaits_counting(&self, pod: &JobPod<'_>) -> bool {
        pod.tracked && !self.removing.contains(pod.uid)
    }

    /// Looks at the job again after a while.
    pub fn requeue_after(&mut self, delay: Duration) {
        self.requeue = Some(self.requeue.map_or(delay, |other| other.min(delay)));
    }

    /// Counts the pods that have ended.
    pub fn count(&mut self, removing: Option<&BTreeSet<String>>, backoff: Option<&Backoff>) {
        self.removing = removing.cloned().unwrap_or_default();
        let valid = |pod: &&JobPod<'c>| {
            self.awaits_counting(pod) && (!self.is_indexed() || self.valid_index(pod).is_some())
        };
        let new = self.pods.iter().filter(valid);
        let succeeded: Vec<&Pod> = new
            .clone()
            .filter(|pod| pod.succeeded() && !self.counted_succeeded.contains(pod.uid))
            .map(|pod| pod.pod)
            .collect();
        let failed: Vec<&Pod> = new
            .filter(|pod| pod.failed(self.spec) && !self.counted_failed.contains(pod.uid))
            .map(|pod| pod.pod)
            .collect();
        let policy = self.spec.pod_failure_policy.as_ref();
        let counting = failed.iter().filter(|pod| judge_failure(policy, pod).counts()).count();
        let total = |known: Option<i32>, counted: &BTreeSet<String>, new: usize| {
            known.unwrap_or(0).saturating_add((counted.len() + new) as i32)
        };
        let (done, lost) = (&self.counted_succeeded, &self.counted_failed);
        let totals = (
            total(self.status.succeeded, done, succeeded.len()),
            total(self.status.failed, lost, counting),
        );
        self.backoff = backoff.copied().unwrap_or_default().after(&succeeded, &failed);
        (self.succeeded, self.failed) = totals;
        if self.status.start_time.is_none() && !self.is_suspended() {
            self.status.start_time = Some(meta_time(self.now));
        }
    }

    /// Finds out whether the job has ended.
    pub fn judge(&mut self) {
        self.finished = self.condition("SuccessCriteriaMet").cloned();
        if self.finished.is_none() {
            self.finished = self.decided_failure();
        }
        if self.finished.is_none() {
            self.finished = self.limit_failure();
        }
        if self.is_indexed() {
            self.judge_indexes();
        }
    }

    /// A condition of the job that is true.
    pub fn condition(&self, type_: &str) -> Option<&JobCondition> {
        let conditions = self.status.conditions.iter().flatten();
        conditions.into_iter().find(|c| c.type_ == type_ && c.status == "True")
    }

    /// The failure that was decided earlier, or that the failure policy decides.
    fn decided_failure(&self) -> Option<JobCondition> {
        if let Some(target) = self.condition("FailureTarget") {
            return Some(failed_for(target, self.now));
        }
        let policy = self.spec.pod_failure_policy.as_ref()?;
        let failed = self.pods.iter().filter(|pod| pod.failed(self.spec));
        failed.map(|pod| judge_failure(Some(policy), pod.pod)).find_map(|verdict| match verdict {
            Verdict::FailJob(why) => {
                Some(new_condition("FailureTarget", "True", "PodFailurePolicy", &why, self.now))
            }
            _ => None,
        })
    }

    fn limit_failure(&mut self) -> Option<JobCondition> {
        let limit = self.spec.backoff_limit.unwrap_or(6);
        if self.failed > limit || self.restarts_exceed(limit) {
            let message = "Job has reached the specified backoff limit";
            return Some(self.failure("BackoffLimitExceeded", message));
        }
        let deadline = self.spec.active_deadline_seconds.filter(|_| !self.is_suspended())?;
        let deadline = Duration::from_secs(u64::try_from(deadline).unwrap_or(0));
        let active = self.now.since(from_meta(self.status.start_time.as_ref()?));
        if active >= deadline {
            let message = "Job was active longer than specified deadline";
            return Some(self.failure("DeadlineExceeded", message));
        }
        self.requeue_after(deadline - active);
        None
    }

    /// Whether containers that are restarted in their pods have used up the limit.
    fn restarts_exceed(&self, limit: i32) -> bool {
        let template = self.spec.template.spec.as_ref();
        if template.and_then(|spec| spec.restart_policy.as_deref()) != Some("OnFailure") {
            return false;
        }
        let alive = self.pods.iter().filter(|p| !pods::is_terminal(p.pod));
        let restarts = alive.fold(0_i32, |sum, p| sum.saturating_add(restarts(p.pod)));
        restarts >= limit.max(1)
    }

    fn failure(&self, reason: &str, message: &str) -> JobCondition {
        new_condition("FailureTarget", "True", reason, message, self.now)
    }

    fn judge_indexes(&mut self) {
        let completions = self.spec.completions.unwrap_or(0);
        let known = self.status.completed_indexes.as_deref().unwrap_or_default();
        self.previous = Intervals::parse(known, completions);
        let tracked = |pod: &&JobPod<'c>| pod.tracked;
        let succeeded = self.pods.iter().filter(tracked).filter(|pod| pod.succeeded());
        let new: BTreeSet<i32> = succeeded.filter_map(|pod| self.valid_index(pod)).collect();
        self.completed = self.previous.merge(&Intervals::of(new));
        self.succeeded = self.completed.total();
        if let Some(limit) = self.spec.backoff_limit_per_index {
            self.judge_failed_indexes(completions, u32::try_from(limit).unwrap_or(0));
        }
        if self.finished.is_none()
            && let Some(message) =
                judge_success(self.spec.success_policy.as_ref(), completions, &self.completed)
        {
            let (type_, reason) = ("SuccessCriteriaMet", "SuccessPolicy");
            self.finished = Some(new_condition(type_, "True", reason, &message, self.now));
        }
    }

    fn judge_failed_indexes(&mut self, completions: i32, limit: u32) {
        let known = self.status.failed_indexes.as_deref().unwrap_or_default();
        let new: BTreeSet<i32> = self
            .pods
            .iter()
            .filter(|pod| pod.tracked && self.fails_index(pod, limit))
            .filter_map(|pod| self.valid_index(pod))
            .collect();
        let failed = Intervals::parse(known, completions).merge(&Intervals::of(new));
        if self.finished.is_none() {
            let (lost, done) = (failed.total(), self.completed.total());
            if self.spec.max_failed_indexes.is_some_and(|max| lost > max) {
                let message = "Job has exceeded the specified maximal number of failed indexes";
                self.finished = Some(self.failure("MaxFailedIndexesExceeded", message));
            } else if lost > 0 && lost + done >= completions {
                self.finished = Some(self.failure("FailedIndexes", "Job has failed indexes"));
            }
        }
        self.replaced = self.pods_to_replace(&failed);
        self.failed_indexes = Some(failed);
    }

    fn fails_index(&self, pod: &JobPod<'_>, limit: u32) -> bool {
        pod.failed(self.spec)
            && match judge_failure(self.spec.pod_failure_policy.as_ref(), pod.pod) {
                Verdict::FailIndex => true,
                Verdict::Ignore => false,
                Verdict::Count | Verdict::FailJob(_) => pod.index_failures() >= limit,
            }
    }

    /// Failed pods of indexes that need another one: they are kept until it is there, since it
    /// takes over their count of failures.
    fn pods_to_replace(&self, failed: &Intervals) -> BTreeMap<i32, JobPod<'c>> {
        let active: BTreeSet<i32> = self.active.iter().filter_map(|pod| pod.index).collect();
        let mut kept: BTreeMap<i32, JobPod<'c>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| self.awaits_counting(pod)) {
            let Some(index) = self.valid_index(pod).filter(|_| pod.failed(self.spec)) else {
                continue;
            };
            if self.completed.has(index) || failed.has(index) || active.contains(&index) {
                continue;
            }
            let rank =
                |pod: &JobPod<'_>| (pod.all_index_failures(), super::backoff::finished_at(pod.pod));
            let later = kept.get(&index).is_none_or(|other| {
                let ((failures, end), (other_failures, other_end)) = (rank(pod), rank(other));
                other_failures <= failures && end >= other_end
            });
            if later {
                kept.insert(index, *pod);
            }
        }
        kept
    }

    /// Makes and deletes pods, and sets the counts of the status. Answers what failed.
    pub fn act(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        satisfied: bool,
    ) -> Option<Error> {
        let (active, failure) = if self.finished.is_some() {
            self.delete_active(controller, context, satisfied)
        } else {
            self.manage_or_wait(controller, context, satisfied)
        };
        self.status.active = nonzero(active);
        failure
    }

    /// The pods of a job that has ended go.
    fn delete_active(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        satisfied: bool,
    ) -> (i32, Option<Error>) {
        let active = self.active.len() as i32;
        let (deleted, failure) = self.delete_pods(controller, context, &self.active.clone());
        if deleted != active || !satisfied {
            // Not all that is to go is known.
            self.finished = None;
        }
        (active - deleted, failure)
    }

    fn manage_or_wait(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        satisfied: bool,
    ) -> (i32, Option<Error>) {
        let manages = satisfied && self.object.meta().deletion_timestamp.is_none();
        let (active, failure) = match manages {
            true => self.manage(controller, context),
            false => (self.active.len() as i32, None),
        };
        let enough = match self.spec.completions {
            None => self.succeeded > 0,
            Some(completions) => self.succeeded >= completions,
        };
        if enough && active == 0 {
            let (type_, reason) = ("SuccessCriteriaMet", "CompletionsReached");
            let message = "Reached expected number of succeeded pods";
            self.finished = Some(new_condition(type_, "True", reason, message, self.now));
        } else if manages {
            self.tell_suspension(context);
        }
        (active, failure)
    }

    fn tell_suspension(&mut self, context: &mut Context<'_>) {
        let (status, reason, message, event) = match self.is_suspended() {
            true => ("True", "JobSuspended", "Job suspended", "Suspended"),
            false => ("False", "JobResumed", "Job resumed", "Resumed"),
        };
        let condition = new_condition("Suspended", status, reason, message, self.now);
        if !self.ensure_condition(condition) {
            return;
        }
        context.event(self.object, EventType::Normal, event, message);
        if !self.is_suspended() {
            self.status.start_time = Some(meta_time(self.now));
        }
    }

    /// Sets a condition; one that is false is not added. Answers whether anything changed.
    pub fn ensure_condition(&mut self, condition: JobCondition) -> bool {
        let conditions = self.status.conditions.get_or_insert_default();
        match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
            Some(old) => {
                let said =
                    |c: &JobCondition| (c.status.clone(), c.reason.clone(), c.message.clone());
                let changed = said(old) != said(&condition);
                if changed {
                    *old = condition;
                }
                changed
            }
            None if condition.status == "False" => false,
            None => {
                conditions.push(condition);
                true
            }
        }
    }
}

/// The condition `Failed` of a job that was to fail.
pub(super) fn failed_for(target: &JobCondition, now: Time) -> JobCondition {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    new_condition("Failed", "True", &text(&target.reason), &text(&target.message), now)
}

/// Whether the pod is being deleted and has not ended yet.
pub(super) fn is_going(pod: &Pod) -> bool {
    pods::is_terminating(pod) && !pods::is_terminal(pod)
}
