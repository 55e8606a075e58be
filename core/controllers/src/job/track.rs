//! Counts pods that have ended, exactly once: a pod is kept by a finalizer until the job's status
//! names it as uncounted, and counted when the finalizer is gone.
//!
//! Upstream: `trackJobStatusAndRemoveFinalizers` in `pkg/controller/job/job_controller.go`.

use super::pods::JobPod;
use super::policies::judge_failure;
use super::sync::{Sync, failed_for};
use super::{FINALIZER, JobController, new_condition};
use crate::util::nonzero;
use k8s_openapi::api::batch::v1::{Job, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use naru_api::request::Patch;
use naru_client::{Context, Error, EventType};
use serde_json::json;
use std::collections::BTreeSet;

/// Pods that one status names as uncounted at most. Upstream: `MaxUncountedPods`.
const UNCOUNTED_MAX: usize = 500;

impl<'c> Sync<'c> {
    /// Writes the status, lets the counted pods go, and ends the job when all are counted.
    pub fn finish(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        if self.is_indexed() {
            self.pods.sort_by_key(|pod| pod.index);
        }
        self.status.ready = Some(self.ready);
        self.status.terminating = Some(self.terminating);
        let mut waiting: BTreeSet<&'c str> =
            self.pods.iter().filter(|pod| self.awaits_counting(pod)).map(|pod| pod.uid).collect();
        self.count_untracked(&waiting);
        let (counted, all) = self.name_uncounted();
        if self.is_indexed() {
            self.status.succeeded = nonzero(self.completed.total());
            let text = self.completed.to_string();
            self.status.completed_indexes = (!text.is_empty()).then_some(text);
            self.status.failed_indexes = self.failed_indexes.as_ref().map(ToString::to_string);
        }
        self.announce_end();
        if self.has_news() {
            self.write(context, "adding uncounted pods to status")?;
            controller.backoffs.insert(self.key.clone(), self.backoff);
        }
        let failure = self.release(controller, context, &counted, &mut waiting);
        let changed = self.count_untracked(&waiting);
        if let Some(error) = failure {
            if changed {
                self.write(context, "removing uncounted pods from status")?;
            }
            return Err(error);
        }
        let ended = all && self.end();
        if changed || ended {
            self.write(context, "removing uncounted pods from status")?;
        }
        if ended {
            self.tell_end(context);
        }
        Ok(())
    }

    /// Names pods that have ended as uncounted. Answers which may go now, and whether these are
    /// all.
    fn name_uncounted(&mut self) -> (Vec<JobPod<'c>>, bool) {
        let uncounted = self.status.uncounted_terminated_pods.take();
        let UncountedTerminatedPods { succeeded, failed } = uncounted.unwrap_or_default();
        let (mut succeeded, mut failed) =
            (succeeded.unwrap_or_default(), failed.unwrap_or_default());
        let (mut counted, mut new_indexes, mut all) = (Vec::new(), 0, true);
        for pod in &self.pods {
            if !self.awaits_counting(pod) || !self.may_go(pod) {
                continue;
            }
            counted.push(*pod);
            if pod.succeeded() && !self.counted_failed.contains(pod.uid) {
                if self.is_indexed() {
                    let index = self.valid_index(pod);
                    new_indexes +=
                        usize::from(index.is_some_and(|index| !self.previous.has(index)));
                } else if !self.counted_succeeded.contains(pod.uid) {
                    succeeded.push(pod.uid.to_owned());
                }
            } else if self.counts_as_failed(pod) {
                failed.push(pod.uid.to_owned());
            }
            if new_indexes + succeeded.len() + failed.len() >= UNCOUNTED_MAX {
                all = false;
                break;
            }
        }
        let some = |uids: Vec<String>| (!uids.is_empty()).then_some(uids);
        self.status.uncounted_terminated_pods =
            Some(UncountedTerminatedPods { succeeded: some(succeeded), failed: some(failed) });
        (counted, all)
    }

    /// Whether the pod need not be kept any longer.
    fn may_go(&self, pod: &JobPod<'c>) -> bool {
        let job_goes = self.object.meta().deletion_timestamp.is_some();
        if job_goes || self.finished.is_some() || pod.succeeded() {
            return true;
        }
        let kept = pod.index.and_then(|index| self.replaced.get(&index));
        pod.failed(self.spec) && kept.is_none_or(|kept| kept.uid != pod.uid)
    }

    /// Whether the pod adds to the failures. When the job has failed, all pods that have not ended
    /// do.
    fn counts_as_failed(&self, pod: &JobPod<'c>) -> bool {
        let lost = self.finished.as_ref().is_some_and(|c| c.type_ != "SuccessCriteriaMet");
        let known = self.counted_failed.contains(pod.uid);
        let valid = !self.is_indexed() || self.valid_index(pod).is_some();
        (pod.failed(self.spec) || lost)
            && !known
            && valid
            && judge_failure(self.spec.pod_failure_policy.as_ref(), pod.pod).counts()
    }

    /// Adds pods that are not kept any more to the counts. Answers whether there were any.
    fn count_untracked(&mut self, waiting: &BTreeSet<&str>) -> bool {
        let uncounted = self.status.uncounted_terminated_pods.get_or_insert_default();
        let counts = [
            (&mut uncounted.succeeded, &mut self.status.succeeded),
            (&mut uncounted.failed, &mut self.status.failed),
        ];
        let mut changed = false;
        for (list, count) in counts {
            let Some(uids) = list else { continue };
            let before = uids.len();
            uids.retain(|uid| waiting.contains(uid.as_str()));
            let gone = before - uids.len();
            if gone > 0 {
                *count = Some(count.unwrap_or(0).saturating_add(gone as i32));
                changed = true;
            }
            if uids.is_empty() {
                *list = None;
            }
        }
        changed
    }

    /// Tells beforehand how the job is going to end.
    fn announce_end(&mut self) {
        let Some(finished) = self.finished.take() else { return };
        let next = match finished.type_.as_str() {
            "FailureTarget" => failed_for(&finished, self.now),
            "SuccessCriteriaMet" => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let (reason, message) = (text(&finished.reason), text(&finished.message));
                new_condition("Complete", "True", &reason, &message, self.now)
            }
            _ => {
                self.finished = Some(finished);
                return;
            }
        };
        if self.condition(&finished.type_).is_none() {
            self.status.conditions.get_or_insert_default().push(finished);
        }
        self.finished = Some(next);
    }

    /// Whether the status differs from the one that is stored. That a job has started is told with
    /// the next news.
    fn has_news(&self) -> bool {
        let Some(old) = self.object.get::<Job>().and_then(|job| job.status.as_ref()) else {
            return true;
        };
        let mut new = self.status.clone();
        new.start_time.clone_from(&old.start_time);
        if old.uncounted_terminated_pods.is_none()
            && new.uncounted_terminated_pods == Some(UncountedTerminatedPods::default())
        {
            new.uncounted_terminated_pods = None;
        }
        new != *old
    }

    fn write(&mut self, context: &mut Context<'_>, doing: &str) -> Result<(), Error> {
        let Some(job) = self.object.get::<Job>() else { return Ok(()) };
        let mut job = job.clone();
        job.metadata.resource_version.clone_from(&self.revision);
        job.status = Some(self.status.clone());
        match context.client.update_status(job) {
            Ok(written) => {
                self.revision.clone_from(&written.metadata.resource_version);
                Ok(())
            }
            Err(error) => Err(Error::Other(format!("tracking status: {doing}: {error}"))),
        }
    }

    /// Takes the finalizer off pods that are counted.
    fn release(
        &self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        counted: &[JobPod<'c>],
        waiting: &mut BTreeSet<&'c str>,
    ) -> Option<Error> {
        let mut failure = None;
        for pod in counted {
            match remove_finalizer(context, pod) {
                Ok(()) => {
                    waiting.remove(pod.uid);
                    let removing = controller.removing.entry(self.key.clone()).or_default();
                    removing.insert(pod.uid.to_owned());
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure
    }

    /// Ends the job if nothing is left to count. Answers whether it has ended.
    fn end(&mut self) -> bool {
        let Some(finished) = self.finished.clone() else { return false };
        let none = UncountedTerminatedPods::default();
        let uncounted = self.status.uncounted_terminated_pods.as_ref();
        if uncounted.is_some_and(|uncounted| *uncounted != none) || self.terminating > 0 {
            return false;
        }
        if finished.type_ == "Complete" {
            self.status.completion_time.clone_from(&finished.last_transition_time);
        }
        self.ensure_condition(finished);
        true
    }

    fn tell_end(&self, context: &mut Context<'_>) {
        let Some(finished) = &self.finished else { return };
        if finished.type_ != "Complete" {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (reason, message) = (text(&finished.reason), text(&finished.message));
            context.event(self.object, EventType::Warning, &reason, &message);
            return;
        }
        let succeeded = self.status.succeeded.unwrap_or(0);
        if self.spec.completions.is_some_and(|wanted| succeeded > wanted) {
            let text = "Too many succeeded pods running after completion count reached";
            context.event(self.object, EventType::Warning, "TooManySucceededPods", text);
        }
        context.event(self.object, EventType::Normal, "Completed", "Job completed");
    }
}

/// Takes the finalizer of jobs off a pod; a pod that is gone has none.
pub(super) fn remove_finalizer(context: &mut Context<'_>, pod: &JobPod<'_>) -> Result<(), Error> {
    if !pod.tracked {
        return Ok(());
    }
    let namespace = pod.pod.metadata.namespace.as_deref().unwrap_or_default();
    let list = json!({"$deleteFromPrimitiveList/finalizers": [FINALIZER]});
    let patch = Patch::Strategic(json!({ "metadata": list }));
    match context.client.patch::<Pod>(namespace, pod.name(), "", patch) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}
