//! The event queue: what happens next.

use crate::Time;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events ordered by time; events of one moment come in the order in which they were pushed.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    pushed: u64,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    at: Time,
    order: u64,
    event: E,
}

impl<E> Queue<E> {
    /// An empty queue.
    pub fn new() -> Self {
        Queue { heap: BinaryHeap::new(), pushed: 0 }
    }

    /// Plans `event` for the moment `at`.
    pub fn push(&mut self, at: Time, event: E) {
        let order = self.pushed;
        self.pushed += 1;
        self.heap.push(Entry { at, order, event });
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes the next event if it is due at `now` or earlier.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, E)> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// How many events are waiting.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

// The heap is a max-heap; the greatest entry must be the earliest.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_first_come_first_served() {
        let mut queue = Queue::new();
        queue.push(Time::from_secs(2), "c");
        queue.push(Time::from_secs(1), "a");
        queue.push(Time::from_secs(1), "b");
        let mut seen = Vec::new();
        while let Some((_, event)) = queue.pop_due(Time::from_secs(1)) {
            seen.push(event);
        }
        assert_eq!(seen, ["a", "b"]);
        assert_eq!(queue.next_due(), Some(Time::from_secs(2)));
    }
}
