//! The work queue of a controller.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/workqueue`.

use naru_api::Key;
use naru_sim::{CauseId, Queue, Time};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use std::time::Duration;

/// Keys to reconcile: each at most once at a time, with delays and exponential back-off.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    ready: VecDeque<Key>,
    /// What is in `ready`, with the cause that put it there. Nobody goes through it, nor through the
    /// others that are found by hash.
    waiting: FxHashMap<Key, CauseId>,
    delayed: Queue<(Key, CauseId)>,
    /// Keys whose changes are gathered before they are answered.
    batched: FxHashSet<Key>,
    failures: FxHashMap<Key, u32>,
    backoff_base: Duration,
    backoff_max: Duration,
}

impl Default for WorkQueue {
    fn default() -> Self {
        WorkQueue::new((WorkQueue::BACKOFF_BASE, WorkQueue::BACKOFF_MAX))
    }
}

impl WorkQueue {
    /// The first delay after a failure, doubled with every further one.
    /// Upstream: `DefaultTypedControllerRateLimiter`.
    pub const BACKOFF_BASE: Duration = Duration::from_millis(5);
    /// The longest delay after a failure.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(1000);

    /// An empty queue with the first and the longest delay after a failure.
    pub fn new((backoff_base, backoff_max): (Duration, Duration)) -> Self {
        WorkQueue {
            ready: VecDeque::new(),
            waiting: FxHashMap::default(),
            delayed: Queue::default(),
            batched: FxHashSet::default(),
            failures: FxHashMap::default(),
            backoff_base,
            backoff_max,
        }
    }

    /// Adds a key; a key that is waiting keeps its place and its cause.
    pub fn add(&mut self, key: Key, cause: CauseId) {
        if !self.waiting.contains_key(&key) {
            self.waiting.insert(key.clone(), cause);
            self.ready.push_back(key);
        }
    }

    /// Adds a key at the moment `at`.
    pub fn add_at(&mut self, at: Time, key: Key, cause: CauseId) {
        self.delayed.push(at, (key, cause));
    }

    /// Adds a key after a delay in which it is added but once.
    pub fn add_batched(&mut self, now: Time, delay: Duration, key: Key, cause: CauseId) {
        if delay.is_zero() {
            self.add(key, cause);
        } else if !self.waiting.contains_key(&key) && self.batched.insert(key.clone()) {
            self.add_at(now + delay, key, cause);
        }
    }

    /// Adds a key again after a failure, later each time.
    pub fn add_rate_limited(&mut self, now: Time, key: Key, cause: CauseId) {
        let failures = self.failures.entry(key.clone()).or_insert(0);
        let factor = 1_u32.checked_shl(*failures).unwrap_or(u32::MAX);
        *failures = failures.saturating_add(1).min(31);
        let delay = self.backoff_base.saturating_mul(factor).min(self.backoff_max);
        self.add_at(now + delay, key, cause);
    }

    /// Forgets the failures of a key.
    pub fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// The key that [`WorkQueue::pop`] gives next.
    pub fn peek(&mut self, now: Time) -> Option<&Key> {
        while let Some((_, (key, cause))) = self.delayed.pop_due(now) {
            self.batched.remove(&key);
            self.add(key, cause);
        }
        self.ready.front()
    }

    /// The next key, and why it is there.
    pub fn pop(&mut self, now: Time) -> Option<(Key, CauseId)> {
        self.peek(now)?;
        let key = self.ready.pop_front()?;
        let cause = self.waiting.remove(&key).unwrap_or_default();
        Some((key, cause))
    }

    /// When there is work: now if `Some(Time::ZERO)`.
    pub fn next_due(&self) -> Option<Time> {
        if self.ready.is_empty() { self.delayed.next_due() } else { Some(Time::ZERO) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    #[test]
    fn a_key_waits_once() {
        let mut queue = WorkQueue::default();
        queue.add(key("a"), CauseId(1));
        queue.add(key("b"), CauseId(2));
        queue.add(key("a"), CauseId(3));
        let mut seen = Vec::new();
        while let Some((key, cause)) = queue.pop(Time::ZERO) {
            seen.push((key.name, cause.0));
        }
        assert_eq!(seen, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    #[test]
    fn changes_are_gathered() {
        let mut queue = WorkQueue::default();
        let second = Duration::from_secs(1);
        for millis in [0, 300, 900] {
            queue.add_batched(Time::from_millis(millis), second, key("a"), CauseId(millis));
        }
        assert!(queue.pop(Time::from_millis(999)).is_none());
        assert_eq!(queue.pop(Time::from_secs(1)), Some((key("a"), CauseId(0))));
        assert_eq!(queue.next_due(), None);
        queue.add_batched(Time::from_secs(2), second, key("a"), CauseId(4));
        assert_eq!(queue.next_due(), Some(Time::from_secs(3)));
    }

    #[test]
    fn failures_back_off_and_are_forgotten() {
        let mut queue = WorkQueue::default();
        for expected_millis in [5, 10, 20] {
            queue.add_rate_limited(Time::ZERO, key("a"), CauseId::ROOT);
            assert_eq!(queue.next_due(), Some(Time::from_millis(expected_millis)));
            assert!(queue.pop(Time::from_millis(expected_millis - 1)).is_none());
            assert!(queue.pop(Time::from_millis(expected_millis)).is_some());
        }
        queue.forget(&key("a"));
        queue.add_rate_limited(Time::ZERO, key("a"), CauseId::ROOT);
        assert_eq!(queue.next_due(), Some(Time::from_millis(5)));
    }
}
