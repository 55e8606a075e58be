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

/// The place of an event among those of its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

impl<E> Queue<E> {
    /// An empty queue.
    pub fn new() -> Self {
        Queue { heap: BinaryHeap::new(), pushed: 0 }
    }

    /// Plans `event` for the moment `at`.
    pub fn push(&mut self, at: Time, event: E) {
        let place = self.new_place();
        self.put(at, place, event);
    }

    /// The place of an event that would be pushed now.
    pub fn new_place(&mut self) -> Place {
        self.pushed += 1;
        Place(self.pushed)
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// When the next event is due, and its place among those of its moment.
    pub fn next_place(&self) -> Option<(Time, Place)> {
        self.heap.peek().map(|entry| (entry.at, Place(entry.order)))
    }

    /// Takes the next event if it is due at `now` or earlier.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, E)> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// Takes out the events that `wanted` selects, earliest first.
    pub fn take_where(&mut self, wanted: impl Fn(&E) -> bool) -> Vec<(Time, Place, E)> {
        let all = std::mem::take(&mut self.heap).into_vec();
        let (mut taken, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|entry| wanted(&entry.event));
        self.heap = BinaryHeap::from(rest);
        taken.sort_unstable_by_key(|entry| (entry.at, entry.order));
        taken.into_iter().map(|entry| (entry.at, Place(entry.order), entry.event)).collect()
    }

    /// Plans `event` for the moment `at`, in this place among those of that moment.
    pub fn put(&mut self, at: Time, place: Place, event: E) {
        self.heap.push(Entry { at, order: place.0, event });
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

    #[test]
    fn events_taken_out_can_be_put_back_for_another_moment() {
        let mut queue = Queue::new();
        for (at, event) in [(3, "x"), (1, "a"), (2, "b"), (2, "y"), (2, "c")] {
            queue.push(Time::from_secs(at), event);
        }
        let taken = queue.take_where(|event| matches!(*event, "x" | "y"));
        let events: Vec<&str> = taken.iter().map(|(_, _, event)| *event).collect();
        assert_eq!((events, queue.len()), (vec!["y", "x"], 3));
        for (_, place, event) in taken {
            queue.put(Time::from_secs(2), place, event);
        }
        let order: Vec<&str> =
            std::iter::from_fn(|| queue.pop_due(Time::from_secs(9))).map(|it| it.1).collect();
        assert_eq!(order, ["a", "x", "b", "y", "c"]);
    }
}
