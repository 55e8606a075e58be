//! Lets pods go that a job kept and that no job counts any more.
//!
//! Upstream: `syncOrphanPod` in `pkg/controller/job/job_controller.go`.

use super::pods::{JobPod, has_finalizer};
use super::track::remove_finalizer;
use super::{finished_condition, is_managed_elsewhere};
use crate::controller_ref::{controller_of, resolve_controller};
use crate::util::key_of;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use std::time::Duration;

/// The part of the job controller that looks after pods without a job.
#[derive(Clone, Debug, Default)]
pub struct JobOrphanPods;

impl Controller for JobOrphanPods {
    fn name(&self) -> &str {
        "job-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Job>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let gone = event.kind == WatchEventType::Deleted;
        if let Some(job) = event.object.get::<Job>() {
            if !gone && finished_condition(job).is_none() {
                return Vec::new();
            }
            let pods = cache.controlled::<Pod>(event.object.uid());
            return pods.filter(|pod| has_finalizer(pod)).map(key_of).collect();
        }
        match event.object.get::<Pod>() {
            Some(pod) if !gone && has_finalizer(pod) && is_orphan(cache, pod) => vec![key_of(pod)],
            _ => Vec::new(),
        }
    }

    fn backoff(&self) -> (Duration, Duration) {
        super::API_BACKOFF
    }
}

impl Reconcile for JobOrphanPods {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        if let Some(pod) = cache.get::<Pod>(key)
            && is_orphan(cache, pod)
        {
            remove_finalizer(context, &JobPod::new(pod, ""))?;
        }
        Ok(Action::await_change())
    }
}

/// Whether no job will count the pod.
fn is_orphan(cache: &Cache, pod: &Pod) -> bool {
    let Some(owner) = controller_of(&pod.metadata) else { return true };
    let kind = Job::kind();
    if owner.kind != kind.kind || owner.api_version != kind.api_version() {
        return false;
    }
    let job =
        resolve_controller::<Job>(cache, &pod.metadata).and_then(|key| cache.get::<Job>(&key));
    job.is_none_or(|job| !is_managed_elsewhere(job) && finished_condition(job).is_some())
}
