//! Ends pods when the node is about to run out of memory.
//!
//! Upstream: `synchronize` in `pkg/kubelet/eviction/eviction_manager.go`, and `helpers.go`.

use super::Kubelet;
use super::pod_workers::{Failure, NodeWorld, PodWorker};
use super::resource_metrics;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use naru_api::Key;
use naru_api::quantity::Amount;
use naru_api::resources::{Side, amounts, of_container, of_pod};
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

/// What has to be free. Upstream: `DefaultEvictionHard`.
const THRESHOLD_BYTES: u64 = 100 << 20;
/// How long a node tells of pressure after there was none. Upstream:
/// `evictionPressureTransitionPeriod`.
const TRANSITION: Duration = Duration::from_secs(300);
/// Pods from this priority on are critical. Upstream: `SystemCriticalPriority`.
const CRITICAL: i32 = 2_000_000_000;

/// Whether a node is short of memory, and whom it ends for that.
#[derive(Clone, Debug, Default)]
pub struct MemoryPressure {
    /// When it was short the last time.
    short_at: Option<Time>,
    /// Pods that are on their way out.
    pub evicting: Vec<Key>,
}

impl MemoryPressure {
    /// Whether the node tells of it.
    pub fn holds(&self, now: Time) -> bool {
        self.short_at.is_some_and(|at| now.since(at) < TRANSITION)
    }
}

impl Kubelet {
    /// Looks how much memory is left, and ends a pod if it is not enough.
    pub(super) fn relieve_memory(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let used = resource_metrics::memory_used(world.runtime);
        let available = world.config.memory_bytes.saturating_sub(used);
        if available >= THRESHOLD_BYTES {
            return;
        }
        self.pressure.short_at = Some(context.now);
        if !self.pressure.evicting.is_empty() {
            return;
        }
        self.node_event_of(
            context,
            EventType::Warning,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
        );
        let mut workers: Vec<&mut PodWorker> = self
            .workers
            .values_mut()
            .map(Box::as_mut)
            .filter(|worker| is_candidate(worker))
            .collect();
        workers.sort_by_cached_key(|worker| rank(worker, world.runtime));
        let Some(worker) = workers.into_iter().next() else { return };
        let message = message(worker, world.runtime, available);
        context.event(&worker.object, EventType::Warning, "Evicted", &message);
        worker.failed = Some(Failure { reason: "Evicted", message });
        worker.begin_termination(context, world);
        worker.hurry(context.now);
        let key = worker.key.clone();
        self.pressure.evicting.push(key);
    }
}

fn spec(worker: &PodWorker) -> Option<&PodSpec> {
    worker.object.get::<Pod>()?.spec.as_deref()
}

fn is_candidate(worker: &PodWorker) -> bool {
    let priority = spec(worker).and_then(|spec| spec.priority).unwrap_or(0);
    !worker.is_terminal() && priority < CRITICAL && !super::mirror::is_mirror(&worker.object)
}

/// The first is the one to go: who uses more than it asked for, of the lowest priority, and then
/// who uses the most beyond that. Upstream: `rankMemoryPressure`.
fn rank(worker: &PodWorker, runtime: &Runtime) -> (bool, i32, Reverse<i64>) {
    let used = worker.containers.iter().map(|record| usage(worker, &record.name, runtime));
    let used: u64 = used.sum();
    let used = i64::try_from(used).unwrap_or(i64::MAX);
    let asked = spec(worker).map(|spec| of_pod(spec, Side::Requests));
    let asked = asked.and_then(|asked| asked.get("memory").copied()).unwrap_or(Amount::ZERO);
    let beyond = used.saturating_sub(asked.value());
    let priority = spec(worker).and_then(|spec| spec.priority).unwrap_or(0);
    (beyond <= 0, priority, Reverse(beyond))
}

fn usage(worker: &PodWorker, container: &str, runtime: &Runtime) -> u64 {
    let id = worker.record(container).and_then(|record| record.id);
    let container = id.and_then(|id| runtime.container(id));
    container.filter(|container| container.is_running()).map_or(0, |c| c.memory_bytes())
}

/// Upstream: `evictionMessage`.
fn message(worker: &PodWorker, runtime: &Runtime, available: u64) -> String {
    let text =
        |bytes: u64| Amount::from_bytes(i64::try_from(bytes).unwrap_or(i64::MAX)).to_string();
    let mut message = format!(
        "The node was low on resource: memory. Threshold quantity: {}, available: {}Ki. ",
        text(THRESHOLD_BYTES),
        available >> 10
    );
    for container in spec(worker).iter().flat_map(|spec| &spec.containers) {
        let used = usage(worker, &container.name, runtime);
        let requests = amounts(of_container(container, Side::Requests));
        let request = requests.get("memory").copied().unwrap_or(Amount::ZERO);
        if i64::try_from(used).unwrap_or(i64::MAX) > request.value() {
            let (name, used) = (&container.name, text(used));
            let _ = write!(
                message,
                "Container {name} was using {used}, request is {request}, has larger consumption \
                 of memory. "
            );
        }
    }
    message
}
