//! Pods that wait to be scheduled.
//!
//! Upstream: `pkg/scheduler/backend/queue/scheduling_queue.go`.

use crate::framework::ClusterEvent;
use crate::nodes::PodInfo;
use crate::plugins;
use naru_api::Key;
use naru_api::time::from_meta;
use naru_sim::{CauseId, Time};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A pod that waits.
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub info: Arc<PodInfo>,
    /// How often it was tried.
    pub attempts: u32,
    /// Plugins that turned it down last time.
    pub rejectors: BTreeSet<&'static str>,
    /// The last attempt failed by an error, or for want of any node, not by a plugin's decision.
    pub failed: bool,
    /// What made the pod ready to be tried.
    pub cause: CauseId,
    /// Since when it waits in its place.
    since: Time,
}

/// Where a pod waits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// To be tried next.
    Active(ActiveOrder),
    /// To be tried after a pause.
    Backoff(BackoffOrder),
    /// Until something happens that may help.
    Unschedulable,
    /// Until its gates are taken away.
    Gated,
}

/// Greater priority first, then who waits longer. Upstream: `PrioritySort`.
type ActiveOrder = (Reverse<i32>, Time, u64);

/// The second in which the pause ends first, and within it as if they were to be tried next.
/// Upstream: `lessBackoffCompletedWithPriority` and `alignToWindow`.
type BackoffOrder = (Time, ActiveOrder);

/// The scheduling queue.
#[derive(Clone, Debug, Default)]
pub struct SchedulingQueue {
    /// Nobody goes through it.
    pods: FxHashMap<Key, (QueuedPod, Place)>,
    active: BTreeMap<ActiveOrder, Key>,
    /// By the end of the pause.
    backoff: BTreeMap<BackoffOrder, Key>,
    /// The same of pods whose last attempt failed by an error.
    errors: BTreeMap<BackoffOrder, Key>,
    /// By the beginning of the wait.
    unschedulable: BTreeSet<(Time, Key)>,
    order: u64,
}

impl SchedulingQueue {
    /// The first pause after a failed attempt, doubled with every further one.
    /// Upstream: `DefaultPodInitialBackoffDuration`.
    pub const BACKOFF_INITIAL: Duration = Duration::from_secs(1);
    /// The longest pause. Upstream: `DefaultPodMaxBackoffDuration`.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
    /// After this time a pod is tried again whatever happens.
    /// Upstream: `DefaultPodMaxInUnschedulablePodsDuration`.
    pub const UNSCHEDULABLE_MAX: Duration = Duration::from_secs(5 * 60);
    /// How often it is looked for such pods. Upstream: `flushUnschedulablePodsLeftover` in `Run`.
    const LEFTOVER_PERIOD: Duration = Duration::from_secs(30);

    /// Adds a pod without a node, or takes over its new state.
    pub fn set(&mut self, info: Arc<PodInfo>, cause: CauseId) {
        let key = info.key.clone();
        let Some((mut queued, place)) = self.take(&key) else {
            let queued = QueuedPod {
                attempts: 0,
                rejectors: BTreeSet::new(),
                failed: false,
                cause,
                since: created(&info),
                info,
            };
            return self.activate_or_gate(queued);
        };
        let helps = scheduling_relevant(&queued.info, &info);
        queued.info = info;
        match place {
            Place::Gated => {
                queued.cause = cause;
                self.activate_or_gate(queued);
            }
            Place::Unschedulable if helps => {
                queued.cause = cause;
                self.pause(queued);
            }
            Place::Active(_) => self.activate_or_gate(queued),
            place => self.put(queued, place),
        }
    }

    /// Forgets a pod.
    pub fn remove(&mut self, key: &Key) {
        self.take(key);
    }

    /// The next pod to try.
    ///
    /// When nothing else is to be done, a pod's pause is cut short, unless its last attempt failed
    /// by an error. Upstream: feature gate `SchedulerPopFromBackoffQ`.
    pub fn pop(&mut self, now: Time) -> Option<QueuedPod> {
        self.flush(now);
        let key = match self.active.first_key_value() {
            Some((_, key)) => key.clone(),
            None => self.backoff.first_key_value()?.1.clone(),
        };
        let (mut queued, _) = self.take(&key)?;
        queued.attempts = queued.attempts.saturating_add(1);
        Some(queued)
    }

    /// Puts a pod back that could not be placed.
    pub fn add_unschedulable(&mut self, mut queued: QueuedPod, now: Time) {
        queued.since = now;
        if queued.failed || queued.rejectors.is_empty() {
            self.pause(queued);
        } else {
            self.put(queued, Place::Unschedulable);
        }
    }

    /// Something happened: the pods it may help are tried again, after their pause.
    pub fn react(&mut self, event: ClusterEvent<'_>, cause: CauseId) {
        let helped: Vec<Key> = self
            .unschedulable()
            .filter(|queued| plugins::may_help(&queued.rejectors, &queued.info.pod, event))
            .map(|queued| queued.info.key.clone())
            .collect();
        for key in helped {
            let Some((mut queued, _)) = self.take(&key) else { continue };
            queued.cause = cause;
            self.pause(queued);
        }
    }

    /// When there is work: now if it is past.
    pub fn next_due(&self) -> Option<Time> {
        if !self.active.is_empty() {
            return Some(Time::ZERO);
        }
        if !self.backoff.is_empty() {
            return Some(Time::ZERO);
        }
        let paused = self.errors.first_key_value().map(|((until, _), _)| *until);
        let waiting = self.unschedulable.first().map(|(since, _)| leftover_at(*since));
        paused.into_iter().chain(waiting).min()
    }

    /// How many pods wait to be tried, pause, and wait for something to happen.
    pub fn lengths(&self) -> (usize, usize, usize) {
        let (active, backoff) = (self.active.len(), self.backoff.len() + self.errors.len());
        (active, backoff, self.pods.len().saturating_sub(active + backoff))
    }

    /// Ends pauses that are over, and waits that were too long.
    fn flush(&mut self, now: Time) {
        loop {
            let first = [&self.backoff, &self.errors].map(BTreeMap::first_key_value);
            let ended = first.into_iter().flatten().filter(|((until, _), _)| *until <= now).min();
            let Some(key) = ended.map(|(_, key)| key.clone()) else { break };
            let Some((queued, _)) = self.take(&key) else { break };
            self.activate(queued);
        }
        let overdue = |since: Time| leftover_at(since) <= now;
        while let Some((_, key)) = self.unschedulable.first().filter(|w| overdue(w.0)).cloned() {
            let Some((queued, _)) = self.take(&key) else { break };
            self.activate(queued);
        }
    }

    fn unschedulable(&self) -> impl Iterator<Item = &QueuedPod> {
        let pods = self.unschedulable.iter().filter_map(|(_, key)| self.pods.get(key));
        pods.map(|(queued, _)| queued)
    }

    fn activate_or_gate(&mut self, queued: QueuedPod) {
        if plugins::pre_enqueue(&queued.info.pod).is_err() {
            self.put(queued, Place::Gated);
        } else {
            self.activate(queued);
        }
    }

    fn activate(&mut self, queued: QueuedPod) {
        let order = self.order_of(&queued);
        self.put(queued, Place::Active(order));
    }

    fn pause(&mut self, queued: QueuedPod) {
        let until = queued.since + backoff(queued.attempts);
        let order = (Time::from_secs(until.as_secs()), self.order_of(&queued));
        self.put(queued, Place::Backoff(order));
    }

    fn order_of(&mut self, queued: &QueuedPod) -> ActiveOrder {
        self.order += 1;
        (Reverse(queued.info.priority()), queued.since, self.order)
    }

    fn put(&mut self, queued: QueuedPod, place: Place) {
        let key = queued.info.key.clone();
        match &place {
            Place::Active(order) => {
                self.active.insert(*order, key.clone());
            }
            Place::Backoff(order) => {
                self.paused(queued.failed).insert(*order, key.clone());
            }
            Place::Unschedulable => {
                self.unschedulable.insert((queued.since, key.clone()));
            }
            Place::Gated => {}
        }
        self.pods.insert(key, (queued, place));
    }

    fn paused(&mut self, failed: bool) -> &mut BTreeMap<BackoffOrder, Key> {
        if failed { &mut self.errors } else { &mut self.backoff }
    }

    fn take(&mut self, key: &Key) -> Option<(QueuedPod, Place)> {
        let (queued, place) = self.pods.remove(key)?;
        match &place {
            Place::Active(order) => {
                self.active.remove(order);
            }
            Place::Backoff(order) => {
                self.paused(queued.failed).remove(order);
            }
            Place::Unschedulable => {
                self.unschedulable.remove(&(queued.since, key.clone()));
            }
            Place::Gated => {}
        }
        Some((queued, place))
    }
}

/// Whether a change of a pod can let it be scheduled: not one of its status.
fn scheduling_relevant(old: &PodInfo, new: &PodInfo) -> bool {
    old.pod.spec != new.pod.spec || old.pod.metadata.labels != new.pod.metadata.labels
}

fn created(info: &PodInfo) -> Time {
    info.pod.metadata.creation_timestamp.as_ref().map_or(Time::ZERO, from_meta)
}

/// When a pod that waits since then is tried again whatever happens: at the first look after its
/// time.
fn leftover_at(since: Time) -> Time {
    let period = SchedulingQueue::LEFTOVER_PERIOD.as_secs();
    let end = since + SchedulingQueue::UNSCHEDULABLE_MAX;
    Time::from_secs((end.as_secs() / period + 1).saturating_mul(period))
}

/// The pause after so many attempts.
fn backoff(attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    SchedulingQueue::BACKOFF_INITIAL.saturating_mul(factor).min(SchedulingQueue::BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod, with_priority};

    fn info(name: &str) -> Arc<PodInfo> {
        Arc::new(PodInfo::new(Arc::new(pod(name, "", "100m"))))
    }

    fn pop(queue: &mut SchedulingQueue, secs: u64) -> Option<QueuedPod> {
        queue.pop(Time::from_secs(secs))
    }

    #[test]
    fn pauses_double_up_to_ten_seconds() {
        for (attempts, secs) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (400, 10)] {
            assert_eq!(backoff(attempts), Duration::from_secs(secs));
        }
    }

    #[test]
    fn greater_priority_first_then_who_came_first() {
        let mut queue = SchedulingQueue::default();
        queue.set(info("a"), CauseId::ROOT);
        queue.set(info("b"), CauseId::ROOT);
        let urgent = PodInfo::new(Arc::new(with_priority(pod("c", "", "1"), 5)));
        queue.set(Arc::new(urgent), CauseId::ROOT);
        let order: Vec<String> =
            std::iter::from_fn(|| Some(pop(&mut queue, 0)?.info.key.name.clone())).collect();
        assert_eq!(order, ["c", "a", "b"]);
    }

    #[test]
    fn an_unschedulable_pod_waits_for_what_may_help() {
        let mut queue = SchedulingQueue::default();
        queue.set(info("a"), CauseId::ROOT);
        let mut queued = pop(&mut queue, 0).unwrap();
        queued.rejectors.insert("NodeResourcesFit");
        queue.add_unschedulable(queued, Time::ZERO);
        assert!(pop(&mut queue, 60).is_none());

        queue.react(ClusterEvent::NodeAdded(&node("small", "10m")), CauseId::ROOT);
        assert!(pop(&mut queue, 60).is_none());
        queue.react(ClusterEvent::NodeAdded(&node("big", "4")), CauseId(7));
        assert_eq!(pop(&mut queue, 60).map(|queued| queued.cause), Some(CauseId(7)));
    }

    #[test]
    fn who_waits_for_five_minutes_is_tried_at_the_next_look() {
        let mut queue = SchedulingQueue::default();
        queue.set(info("a"), CauseId::ROOT);
        let mut queued = pop(&mut queue, 0).unwrap();
        queued.rejectors.insert("NodeResourcesFit");
        queue.add_unschedulable(queued, Time::ZERO);
        assert_eq!(queue.next_due(), Some(Time::from_secs(330)));
        assert!(pop(&mut queue, 329).is_none());
        assert!(pop(&mut queue, 330).is_some());
    }

    #[test]
    fn pauses_that_end_in_one_second_end_by_priority() {
        let mut queue = SchedulingQueue::default();
        let urgent = Arc::new(PodInfo::new(Arc::new(with_priority(pod("b", "", "1"), 5))));
        for (millis, info) in [(100, info("a")), (900, urgent)] {
            queue.set(info, CauseId::ROOT);
            let mut queued = pop(&mut queue, 0).unwrap();
            queued.rejectors.insert("NodeName");
            queue.add_unschedulable(queued, Time::from_millis(millis));
        }
        for queued in [take(&mut queue, "a"), take(&mut queue, "b")] {
            queue.pause(queued);
        }
        let first = pop(&mut queue, 0).unwrap();
        assert_eq!(first.info.key.name, "b");
    }

    fn take(queue: &mut SchedulingQueue, name: &str) -> QueuedPod {
        queue.take(&Key::new("default", name)).unwrap().0
    }

    #[test]
    fn errors_pause_in_full() {
        let mut queue = SchedulingQueue::default();
        queue.set(info("a"), CauseId::ROOT);
        let mut queued = pop(&mut queue, 0).unwrap();
        queued.failed = true;
        queue.add_unschedulable(queued, Time::ZERO);
        assert_eq!(queue.next_due(), Some(Time::from_secs(1)));
        assert!(queue.pop(Time::from_millis(999)).is_none());
        assert!(pop(&mut queue, 1).is_some());
    }
}
