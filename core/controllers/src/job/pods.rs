//! The pods of a job, and what the job reads of them.
//!
//! Upstream: `pkg/controller/job/job_controller.go` and `indexed_job_utils.go`.

use super::policies::judge_failure;
use super::{FINALIZER, INDEX};
use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::cmp::Reverse;

const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// A pod of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobPod<'c> {
    pub pod: &'c Pod,
    pub uid: &'c str,
    /// Its completion index, if it has a valid one.
    pub index: Option<i32>,
    /// It has the finalizer that keeps it until it is counted.
    pub tracked: bool,
}

impl<'c> JobPod<'c> {
    /// `owner` is the uid of the job, whose finalizer comes with the adoption.
    pub fn new(pod: &'c Pod, owner: &str) -> Self {
        let owners = pod.metadata.owner_references.iter().flatten();
        let adopted = !owners.into_iter().any(|reference| reference.uid == owner);
        JobPod {
            pod,
            uid: pod.metadata.uid.as_deref().unwrap_or_default(),
            index: completion_index(pod),
            tracked: adopted || has_finalizer(pod),
        }
    }

    pub fn name(&self) -> &'c str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    pub fn succeeded(&self) -> bool {
        pods::phase(self.pod) == "Succeeded"
    }

    /// Whether the pod counts as failed: a pod that is being deleted does too, unless the job
    /// waits for its end.
    pub fn failed(&self, spec: &JobSpec) -> bool {
        match pods::phase(self.pod) {
            "Failed" => true,
            "Succeeded" => false,
            _ => pods::is_terminating(self.pod) && !only_replaces_failed(spec),
        }
    }

    /// How often the index of the pod had failed when the pod was made.
    pub fn index_failures(&self) -> u32 {
        number(self.pod, FAILURES)
    }

    /// The same, with failures that the policy ignores.
    pub fn all_index_failures(&self) -> u32 {
        self.index_failures().saturating_add(number(self.pod, IGNORED_FAILURES))
    }

    /// Earlier stages first; of two that are alike, the younger.
    ///
    /// Upstream: `ActivePods` in `pkg/controller/controller_utils.go`.
    pub fn stage(&self) -> impl Ord + use<'c> {
        let pod = self.pod;
        let phase = match pods::phase(pod) {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let created = pod.metadata.creation_timestamp.as_ref().map_or(Time::ZERO, from_meta);
        let ready = pods::ready_since(pod).map(Reverse);
        let place = (!pods::node_name(pod).is_empty(), phase, pods::is_ready(pod));
        (place, ready, Reverse(restarts(pod)), Reverse(created), self.uid)
    }
}

/// The annotations that tell the replacement of a failed pod how often its index has failed.
pub(super) fn failure_annotations(
    spec: &JobSpec,
    replaced: Option<&JobPod<'_>>,
) -> Vec<(&'static str, String)> {
    let (mut counted, mut ignored) = (0, 0);
    if let Some(replaced) = replaced {
        counted = replaced.index_failures();
        ignored = number(replaced.pod, IGNORED_FAILURES);
        let counts = judge_failure(spec.pod_failure_policy.as_ref(), replaced.pod).counts();
        let count = if counts { &mut counted } else { &mut ignored };
        *count = count.saturating_add(1);
    }
    let mut annotations = vec![(FAILURES, counted.to_string())];
    if ignored > 0 {
        annotations.push((IGNORED_FAILURES, ignored.to_string()));
    }
    annotations
}

/// Whether the pod has the finalizer of jobs.
pub(super) fn has_finalizer(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|name| name == FINALIZER)
}

/// Whether pods are replaced only when they have failed, not yet while they are being deleted.
pub(super) fn only_replaces_failed(spec: &JobSpec) -> bool {
    spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
}

/// The restarts of all containers of a pod.
pub(super) fn restarts(pod: &Pod) -> i32 {
    let Some(status) = &pod.status else { return 0 };
    let lists = [&status.init_container_statuses, &status.container_statuses];
    let statuses = lists.into_iter().flatten().flatten();
    statuses.fold(0, |sum, status| sum.saturating_add(status.restart_count))
}

fn completion_index(pod: &Pod) -> Option<i32> {
    let text = pod.metadata.annotations.as_ref()?.get(INDEX)?;
    text.parse().ok().filter(|index| *index >= 0)
}

fn number(pod: &Pod, annotation: &str) -> u32 {
    let text = pod.metadata.annotations.as_ref().and_then(|all| all.get(annotation));
    text.and_then(|text| text.parse::<i32>().ok())
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(0)
}
