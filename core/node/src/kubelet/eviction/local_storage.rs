//! Ends pods that use up more of the node's disk than they may, by their own limits.
//!
//! Upstream: `localStorageEviction` in `pkg/kubelet/eviction/eviction_manager.go`.

use super::CRITICAL;
use crate::kubelet::pod_workers::{Failure, NodeWorld, PodWorker};
use crate::kubelet::stats;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::{Container, Pod};
use naru_api::quantity::Amount;
use naru_api::resources::{Side, of_pod_with_overhead};
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::time::Duration;

/// How often is looked. Upstream: `monitoringInterval`.
const INTERVAL: Duration = Duration::from_secs(10);
/// Why a pod has failed that was ended so.
pub(super) const REASON: &str = "Evicted";
/// What such a pod's containers are given. Upstream: `immediateEvictionGracePeriodSeconds`.
pub(super) const AT_ONCE: Duration = Duration::from_secs(1);
const STORAGE: &str = "ephemeral-storage";

/// How a pod is ended.
pub(super) struct Eviction {
    /// Why, for people.
    pub message: String,
    /// Whether it is for the sake of others.
    pub disrupted: bool,
    /// What its containers have for their end, at the most.
    pub grace: Duration,
}

impl PodWorker {
    /// Looks whether the pod or a volume holds more than its limit, every ten seconds.
    pub(in crate::kubelet) fn check_limits(
        &mut self,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        self.limits_at = None;
        if self.is_terminal() || !self.has_disk_limits() {
            return;
        }
        let now = context.now;
        let interval = INTERVAL.as_micros() as u64;
        let past = now.as_micros() % interval;
        self.limits_at = Some(Time::from_micros(now.as_micros() + interval - past));
        if past != 0 {
            return;
        }
        if let Some(message) = self.over_disk_limit(world.runtime) {
            self.evict(Eviction { message, disrupted: false, grace: AT_ONCE }, context, world);
        }
    }

    /// Ends the pod at once, and says why. Upstream: `evictPod`.
    pub(super) fn evict(
        &mut self,
        eviction: Eviction,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let Eviction { message, disrupted, grace } = eviction;
        context.event(&self.object, EventType::Warning, REASON, &message);
        self.failed = Some(Failure { reason: REASON, message, disrupted });
        self.begin_termination(context, world);
        self.give_no_more_than(grace, context.now);
    }

    fn has_disk_limits(&self) -> bool {
        let Some(spec) = self.object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else {
            return false;
        };
        let is_critical = spec.priority.is_some_and(|priority| priority >= CRITICAL);
        let limited = || spec.containers.iter().any(|container| disk_limit(container).is_some());
        !is_critical && (self.volumes.have_limits() || limited())
    }

    /// Which limit is exceeded. Upstream: `localStorageEviction`.
    fn over_disk_limit(&self, runtime: &Runtime) -> Option<String> {
        if let Some((volume, limit)) = self.volumes.over_limit(&runtime.volumes) {
            let text =
                format!("Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{limit}\". ");
            return Some(text);
        }
        let spec = self.object.get::<Pod>()?.spec.as_ref()?;
        let is_over =
            |bytes: u64, limit: &Amount| i64::try_from(bytes).unwrap_or(i64::MAX) > limit.value();
        let limits = of_pod_with_overhead(spec, Side::Limits);
        if let Some(limit) = limits.get(STORAGE)
            && is_over(stats::ephemeral_bytes(self, runtime), limit)
        {
            return Some(format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "
            ));
        }
        spec.containers.iter().find_map(|container| {
            let (name, limit) = (&container.name, disk_limit(container)?);
            let run = self.record(name).and_then(|record| runtime.container(record.id?))?;
            (run.is_running() && is_over(stats::container_bytes(run), &limit)).then(|| {
                format!("Container {name} exceeded its local ephemeral storage limit \"{limit}\". ")
            })
        })
    }
}

/// How much of the node's disk a container may take.
fn disk_limit(container: &Container) -> Option<Amount> {
    let limit = container.resources.as_ref()?.limits.as_ref()?.get(STORAGE).map(Amount::of);
    limit.filter(|limit| !limit.is_zero())
}
