//! Ends pods that use up more of the node's disk than they may.
//!
//! Upstream: `localStorageEviction` in `pkg/kubelet/eviction/eviction_manager.go`.

use super::pod_workers::{Failure, NodeWorld, PodWorker};
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::time::Duration;

/// How often is looked. Upstream: `monitoringInterval`.
const INTERVAL: Duration = Duration::from_secs(10);

impl PodWorker {
    /// Looks whether a volume holds more than its limit, every ten seconds.
    pub(super) fn check_limits(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        self.limits_at = None;
        if self.is_terminal() || !self.volumes.have_limits() {
            return;
        }
        let now = context.now;
        let interval = INTERVAL.as_micros() as u64;
        let past = now.as_micros() % interval;
        self.limits_at = Some(Time::from_micros(now.as_micros() + interval - past));
        if past != 0 {
            return;
        }
        let Some((volume, limit)) = self.volumes.over_limit(&world.runtime.volumes) else { return };
        let message =
            format!("Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{limit}\". ");
        context.event(&self.object, EventType::Warning, "Evicted", &message);
        self.failed = Some(Failure { reason: "Evicted", message });
        self.begin_termination(context, world);
        self.hurry(now);
    }
}
