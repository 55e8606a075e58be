//! Ends pods when the node is about to run out of something: memory, disk, processes.
//!
//! Upstream: `pkg/kubelet/eviction/eviction_manager.go`, and `helpers.go`.

mod local_storage;
mod message;
mod rank;
mod threshold;

pub use threshold::{Condition, Signal, Threshold};

use super::Kubelet;
use super::kubelet_config::KubeletConfiguration;
use super::pod_workers::{NodeWorld, PodWorker};
use crate::NodeConfig;
use k8s_openapi::api::core::v1::{Pod, PodSpec, Taint};
use local_storage::{Eviction, REASON};
use naru_api::scheduling::{tolerates, tolerations};
use naru_api::{Key, qos};
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use threshold::Observations;

/// Pods from this priority on are critical. Upstream: `SystemCriticalPriority`.
pub(super) const CRITICAL: i32 = 2_000_000_000;

/// What a node is short of, and whom it ends for that.
#[derive(Clone, Debug, Default)]
pub struct EvictionManager {
    /// What has to be left.
    thresholds: Vec<Threshold>,
    /// How long a node tells of pressure after there was none.
    transition: Duration,
    /// Since when less than that is left, by the thresholds' places.
    met_since: BTreeMap<usize, Time>,
    /// Those of them that were met for as long as they let be: of these more has to be there again.
    due: BTreeSet<usize>,
    /// When the node was short the last time.
    short_at: BTreeMap<Condition, Time>,
    /// Pods that are on their way out.
    pub evicting: Vec<Key>,
}

impl EvictionManager {
    /// A manager that has seen nothing yet.
    pub fn new(config: &KubeletConfiguration) -> Self {
        EvictionManager {
            // What cannot be read was not taken for a configuration.
            thresholds: Threshold::all(config).unwrap_or_default(),
            transition: config.eviction_pressure_transition_period,
            ..EvictionManager::default()
        }
    }

    /// What the node tells of.
    pub fn conditions(&self, now: Time) -> Vec<Condition> {
        let short = self.short_at.iter().filter(|(_, at)| now.since(**at) < self.transition);
        short.map(|(condition, _)| *condition).collect()
    }

    /// Whether it has to be looked at the node again soon, though nothing happens there.
    pub fn is_troubled(&self, now: Time) -> bool {
        !self.evicting.is_empty() || !self.met_since.is_empty() || !self.conditions(now).is_empty()
    }

    fn observe(&self, world: &NodeWorld<'_>) -> Observations {
        let pids = self.thresholds.iter().any(|it| it.signal == Signal::PidAvailable);
        Observations::of_node(world.runtime, world.config, pids)
    }

    /// Takes note of what is left; gives what calls for something to be done, the first first.
    ///
    /// Upstream: `thresholdsMet`, `thresholdsFirstObservedAt` and `thresholdsMetGracePeriod` in
    /// `synchronize`.
    fn note(&mut self, seen: &Observations, now: Time) -> Vec<Threshold> {
        let before = std::mem::take(&mut self.met_since);
        let due_before = std::mem::take(&mut self.due);
        let mut due = Vec::new();
        for (index, threshold) in self.thresholds.iter().enumerate() {
            if !threshold.is_met(seen, due_before.contains(&index)) {
                continue;
            }
            let since = before.get(&index).copied().unwrap_or(now);
            self.met_since.insert(index, since);
            self.short_at.insert(threshold.signal.condition(), now);
            if now.since(since) >= threshold.grace {
                self.due.insert(index);
                due.push(*threshold);
            }
        }
        due
    }

    fn is_any_met(&self, seen: &Observations) -> bool {
        self.thresholds.iter().any(|threshold| threshold.is_met(seen, true))
    }
}

impl Kubelet {
    /// Looks what is left, and if something is short gets it back: from what nobody needs, or else
    /// by ending a pod.
    ///
    /// Upstream: `synchronize`.
    pub(super) fn relieve(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let seen = self.eviction.observe(world);
        let met = self.eviction.note(&seen, context.now);
        let Some(first) = met.first().filter(|_| self.eviction.evicting.is_empty()) else { return };
        let resource = first.signal.resource();
        let message = format!("Attempting to reclaim {resource}");
        self.node_event_of(context, EventType::Warning, "EvictionThresholdMet", &message);
        if first.signal.condition() == Condition::Disk {
            self.delete_all_unused_containers(world);
            self.delete_unused_images(context.now, world);
            if !self.eviction.is_any_met(&self.eviction.observe(world)) {
                return;
            }
        }
        let mut workers: Vec<&mut PodWorker> = self
            .workers
            .values_mut()
            .map(Box::as_mut)
            .filter(|worker| is_candidate(worker))
            .collect();
        workers.sort_by_cached_key(|worker| rank::of(worker, first.signal, world.runtime));
        let Some(worker) = workers.into_iter().next() else { return };
        let said = message::of(worker, first, &seen, world.runtime);
        context.recorder.annotate(said.annotations);
        let grace = match first.grace.is_zero() {
            true => local_storage::AT_ONCE,
            false => world.config.kubelet.eviction_max_pod_grace_period,
        };
        let eviction = Eviction { message: said.message, disrupted: true, grace };
        worker.evict(eviction, context, world);
        let key = worker.key.clone();
        self.eviction.evicting.push(key);
    }

    /// Why a pod may not come while the node is short of something. Upstream: `Admit`.
    pub(super) fn eviction_refusal(&self, pod: &Pod, now: Time) -> Option<(String, String)> {
        let conditions = self.eviction.conditions(now);
        let spec = pod.spec.as_ref().filter(|_| !conditions.is_empty())?;
        let taint = Taint {
            key: "node.kubernetes.io/memory-pressure".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        let only_memory = conditions == [Condition::Memory];
        let is_taken = spec.priority.is_some_and(|priority| priority >= CRITICAL)
            || only_memory
                && (qos::class(spec) != "BestEffort"
                    || tolerations(spec).iter().any(|toleration| tolerates(toleration, &taint)));
        let names: Vec<&str> = conditions.into_iter().map(Condition::name).collect();
        let message = format!("The node had condition: [{}]. ", names.join(" "));
        (!is_taken).then(|| (REASON.to_owned(), message))
    }

    /// The kubelet has another configuration: it starts anew.
    pub(super) fn reset_eviction(&mut self, config: &NodeConfig) {
        let evicting = std::mem::take(&mut self.eviction.evicting);
        self.eviction = EvictionManager { evicting, ..EvictionManager::new(&config.kubelet) };
    }
}

fn spec(worker: &PodWorker) -> Option<&PodSpec> {
    worker.object.get::<Pod>()?.spec.as_deref()
}

fn is_candidate(worker: &PodWorker) -> bool {
    let priority = spec(worker).and_then(|spec| spec.priority).unwrap_or(0);
    !worker.is_terminal() && priority < CRITICAL && !super::mirror::is_mirror(worker.object.meta())
}
