//! Ends pods when the node is about to run out of memory.
//!
//! Upstream: `synchronize` in `pkg/kubelet/eviction/eviction_manager.go`, and `helpers.go`.

use super::Kubelet;
use super::eviction::REASON;
use super::pod_workers::{NodeWorld, PodWorker};
use super::resource_metrics;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Taint};
use naru_api::quantity::Amount;
use naru_api::resources::{Side, amounts, of_container, of_pod};
use naru_api::scheduling::{tolerates, tolerations};
use naru_api::{Key, qos};
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// What has to be free. Upstream: `DefaultEvictionHard`.
const THRESHOLD_BYTES: u64 = 100 << 20;
/// How long a node tells of pressure after there was none. Upstream:
/// `evictionPressureTransitionPeriod`.
const TRANSITION: Duration = Duration::from_secs(300);
/// Pods from this priority on are critical. Upstream: `SystemCriticalPriority`.
pub(super) const CRITICAL: i32 = 2_000_000_000;

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
        let offenders = offenders(worker, world.runtime);
        context.recorder.annotate(annotations(&offenders));
        worker.evict(message(&offenders, available), true, context, world);
        let key = worker.key.clone();
        self.pressure.evicting.push(key);
    }
}

impl Kubelet {
    /// Why a pod may not come while the node is short of memory. Upstream: `Admit`.
    pub(super) fn eviction_refusal(&self, pod: &Pod, now: Time) -> Option<(String, String)> {
        let spec = pod.spec.as_ref().filter(|_| self.pressure.holds(now))?;
        let taint = Taint {
            key: "node.kubernetes.io/memory-pressure".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        let is_taken = spec.priority.is_some_and(|priority| priority >= CRITICAL)
            || qos::class(spec) != "BestEffort"
            || tolerations(spec).iter().any(|toleration| tolerates(toleration, &taint));
        let message = "The node had condition: [MemoryPressure]. ";
        (!is_taken).then(|| (REASON.to_owned(), message.to_owned()))
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

/// A container that uses more than it asked for.
struct Offender {
    name: String,
    used: String,
    request: String,
}

fn offenders(worker: &PodWorker, runtime: &Runtime) -> Vec<Offender> {
    let offender = |container: &Container| {
        let used = i64::try_from(usage(worker, &container.name, runtime)).unwrap_or(i64::MAX);
        let requests = amounts(of_container(container, Side::Requests));
        let request = requests.get("memory").copied().unwrap_or(Amount::ZERO);
        (used > request.value()).then(|| Offender {
            name: container.name.clone(),
            used: Amount::from_bytes(used).to_string(),
            request: request.to_string(),
        })
    };
    spec(worker).iter().flat_map(|spec| &spec.containers).filter_map(offender).collect()
}

/// Upstream: `evictionMessage`.
fn message(offenders: &[Offender], available: u64) -> String {
    let threshold = Amount::from_bytes(i64::try_from(THRESHOLD_BYTES).unwrap_or(i64::MAX));
    let mut message = format!(
        "The node was low on resource: memory. Threshold quantity: {threshold}, available: {}Ki. ",
        available >> 10
    );
    for Offender { name, used, request } in offenders {
        let _ = write!(
            message,
            "Container {name} was using {used}, request is {request}, has larger consumption of \
             memory. "
        );
    }
    message
}

/// What the event says of it for programs. Upstream: `evictionMessage`.
fn annotations(offenders: &[Offender]) -> BTreeMap<String, String> {
    let joined =
        |part: fn(&Offender) -> &str| offenders.iter().map(part).collect::<Vec<&str>>().join(",");
    let pairs = [
        ("offending_containers", joined(|offender| &offender.name)),
        ("offending_containers_usage", joined(|offender| &offender.used)),
        ("starved_resource", "memory".to_owned()),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}
