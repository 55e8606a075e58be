//! Whose turn it is: the one event queue of the cluster.

use naru_sim::{Queue, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A part of the machine that has turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The API server's own housekeeping.
    ApiServer,
    /// Packets on their way.
    Network,
    /// A process of the control plane, by its index.
    Control(u32),
    /// The network of the cloud.
    Cloud,
    /// A node, by its index.
    Node(u32),
    /// An API server's port on the network, by its index.
    SecurePort(u32),
    /// The learner's own machine.
    Workstation,
}

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The API server's watches have something for it.
    Deliver,
    /// It has planned work.
    Work,
}

/// Plans turns. A part has at most one delivery and one piece of work planned.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    queue: Queue<(Part, Turn)>,
    work: BTreeMap<Part, Time>,
    deliveries: BTreeSet<Part>,
}

impl Agenda {
    /// Plans work at the moment `at`, unless earlier work is planned.
    pub fn plan_work(&mut self, part: Part, at: Time) {
        if self.work.get(&part).is_none_or(|planned| at < *planned) {
            self.work.insert(part, at);
            self.queue.push(at, (part, Turn::Work));
        }
    }

    /// Plans a delivery at the moment `at`, unless one is planned.
    pub fn plan_delivery(&mut self, part: Part, at: Time) {
        if self.deliveries.insert(part) {
            self.queue.push(at, (part, Turn::Deliver));
        }
    }

    /// When the next turn is.
    pub fn next_due(&self) -> Option<Time> {
        self.queue.next_due()
    }

    /// Takes the next turn if it is due at `now` or earlier.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, Part, Turn)> {
        while let Some((at, (part, turn))) = self.queue.pop_due(now) {
            match turn {
                Turn::Deliver => {
                    self.deliveries.remove(&part);
                    return Some((at, part, turn));
                }
                // Work that was planned anew for an earlier moment leaves a stale entry behind.
                Turn::Work if self.work.get(&part) == Some(&at) => {
                    self.work.remove(&part);
                    return Some((at, part, turn));
                }
                Turn::Work => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_work_replaces_later_work() {
        let mut agenda = Agenda::default();
        agenda.plan_work(Part::Network, Time::from_secs(5));
        agenda.plan_work(Part::Network, Time::from_secs(2));
        agenda.plan_work(Part::Network, Time::from_secs(9));
        agenda.plan_delivery(Part::Node(1), Time::from_secs(3));
        agenda.plan_delivery(Part::Node(1), Time::from_secs(1));
        let mut seen = Vec::new();
        while let Some((at, part, _)) = agenda.pop_due(Time::from_secs(10)) {
            seen.push((at.as_secs(), part));
        }
        assert_eq!(seen, [(2, Part::Network), (3, Part::Node(1))]);
    }
}
