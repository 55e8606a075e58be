//! Runs the pods of jobs until enough of them have succeeded or too many have failed.
//!
//! Upstream: `pkg/controller/job`.

mod backoff;
mod indexes;
mod manage;
mod orphans;
mod pods;
mod policies;
mod sync;
mod track;

pub use orphans::JobOrphanPods;

use crate::controller_ref::{Claimer, Orphans, concerned};
use crate::expectations::Expectations;
use backoff::Backoff;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use naru_api::labels::Selector;
use naru_api::time::meta_time;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use pods::{JobPod, has_finalizer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use sync::Sync;

/// Changes of pods and of a job's status are gathered for so long. Upstream: `syncJobBatchPeriod`.
const BATCH_PERIOD: Duration = Duration::from_secs(1);
/// Upstream: `DefaultJobApiBackOff` and `MaxJobApiBackOff`.
const API_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Pods are kept by it until they are counted.
const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// The label and the annotation of a pod of an indexed job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The controller of jobs that name none.
const OWN_NAME: &str = "kubernetes.io/job-controller";

/// The job controller.
#[derive(Clone, Debug, Default)]
pub struct JobController {
    expectations: Expectations,
    /// Pods whose finalizers were removed, until that is seen.
    removing: BTreeMap<Key, BTreeSet<String>>,
    backoffs: BTreeMap<Key, Backoff>,
    orphans: Orphans,
}

impl Controller for JobController {
    fn name(&self) -> &str {
        "job-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Job>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == Job::kind() {
            return vec![event.object.key()];
        }
        if event.object.kind() == Pod::kind() {
            self.orphans.observe(event, old);
            return self.map_pod(event, old, cache);
        }
        Vec::new()
    }

    fn delay(&self, event: &WatchEvent, old: Option<&Object>) -> Duration {
        let same_spec =
            old.is_some_and(|old| old.meta().generation == event.object.meta().generation);
        let gone = event.kind == WatchEventType::Deleted;
        if event.object.kind() == Job::kind() && (gone || !same_spec) {
            return Duration::ZERO;
        }
        BATCH_PERIOD
    }

    fn backoff(&self) -> (Duration, Duration) {
        API_BACKOFF
    }
}

impl Reconcile for JobController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let found = cache.object(&Job::kind(), key);
        let Some((object, job)) = found.and_then(|object| Some((object, object.get::<Job>()?)))
        else {
            self.expectations.forget(key);
            self.removing.remove(key);
            self.backoffs.remove(key);
            return Ok(Action::await_change());
        };
        if is_managed_elsewhere(job) {
            return Ok(Action::await_change());
        }
        if finished_condition(job).is_some() {
            self.backoffs.remove(key);
            return Ok(Action::await_change());
        }
        let mode = job.spec.as_ref().and_then(|spec| spec.completion_mode.as_deref());
        if !matches!(mode, None | Some("NonIndexed" | "Indexed")) {
            let text = "Skipped Job sync because completion mode is unknown";
            context.event(object, EventType::Warning, "UnknownCompletionMode", text);
            return Ok(Action::await_change());
        }
        let Some(spec) = &job.spec else { return Ok(Action::await_change()) };
        let satisfied = self.expectations.satisfied(key, context.now);
        let selector = selector_of(job)?;
        let candidates = cache
            .controlled::<Pod>(object.uid())
            .chain(self.orphans.list::<Pod>(cache, &key.namespace));
        let claimed = Claimer::new(object, &selector)
            .with_finalizers(&[FINALIZER])
            .claim_all(context, candidates)?;
        let pods = claimed.into_iter().map(|pod| JobPod::new(pod, object.uid())).collect();
        let mut sync = Sync::new(key, object, spec, pods, context.now);
        sync.count(self.removing.get(key), self.backoffs.get(key));
        sync.judge();
        let failure = sync.act(self, context, satisfied);
        sync.finish(self, context)?;
        match failure {
            Some(error) => Err(error),
            None => Ok(sync.requeue.map_or(Action::await_change(), Action::requeue_after)),
        }
    }
}

impl JobController {
    fn map_pod(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let (owner, mut keys) = concerned::<Job>(event, old, cache, |job, labels| {
            selector_of(job).is_ok_and(|selector| selector.matches(labels))
        });
        if let Some(owner) = owner {
            self.expectations.observe(&owner, event, old);
            keys.push(owner);
        }
        let pod = &event.object;
        let tracked = pod.get::<Pod>().is_some_and(has_finalizer);
        if event.kind == WatchEventType::Deleted || !tracked {
            for key in &keys {
                self.finalizer_removed(key, pod.uid());
            }
        }
        keys
    }

    fn finalizer_removed(&mut self, key: &Key, uid: &str) {
        if let Some(uids) = self.removing.get_mut(key) {
            uids.remove(uid);
            if uids.is_empty() {
                self.removing.remove(key);
            }
        }
    }
}

/// The condition by which a job has ended.
pub(crate) fn finished_condition(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")
}

/// Whether somebody else looks after the job.
fn is_managed_elsewhere(job: &Job) -> bool {
    let manager = job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref());
    manager.is_some_and(|name| name != OWN_NAME)
}

fn selector_of(job: &Job) -> Result<Selector, Error> {
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    Selector::from_label_selector(selector)
        .map_err(|error| Error::Other(format!("couldn't convert Job selector: {error}")))
}

fn new_condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Time,
) -> JobCondition {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    JobCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_probe_time: Some(meta_time(now)),
        last_transition_time: Some(meta_time(now)),
        reason: some(reason),
        message: some(message),
    }
}
