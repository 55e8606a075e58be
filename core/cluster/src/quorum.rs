//! The members of etcd, one beside each API server: who of them works, and whether they are most.
//!
//! All API servers share one store here. What a member alone would do is left out but for this:
//! without most of the members nothing is read and nothing is written.
//!
//! Upstream: the quorum of raft (`raft/quorum` of etcd).

use crate::Cluster;
use crate::agenda::Part;
use crate::controlplane::Presence;
use std::collections::BTreeMap;

/// The program of a member, and its container.
const ETCD: &str = "etcd";

/// The members by their machines.
pub type Members = BTreeMap<usize, Presence>;

impl Cluster {
    /// Finds out which members work, and lets the API server know whether these are enough.
    pub(crate) fn follow_etcd(&mut self) {
        let hosts = self.nodes.iter().enumerate().filter(|(_, node)| node.config().control_plane);
        let mut members = std::mem::take(&mut self.etcd_members);
        let known: BTreeMap<usize, bool> =
            hosts.map(|(index, node)| (index, node.runtime().runs(ETCD))).collect();
        members.retain(|index, _| known.contains_key(index));
        let mut changed = false;
        for (index, runs) in known {
            changed |= members.entry(index).or_insert(Presence::STARTED).follow(runs);
        }
        self.etcd_members = members;
        for index in self.etcd_members.keys().copied().collect::<Vec<_>>() {
            let lost = !self.has_quorum(index);
            let node = self.nodes.get_mut(index);
            if node.is_some_and(|node| node.set_etcd_lost(lost, &mut self.net, self.now)) {
                self.plan(Part::Node(u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
        if changed {
            // Who spoke to a member that is not one of most any more cannot renew anything.
            self.api.end_renewals();
        }
        let works = self.etcd_members.keys().any(|host| self.has_quorum(*host));
        self.api.set_etcd_lost(!works && !self.etcd_members.is_empty());
    }

    /// Whether the member on a machine reaches most members, itself among them.
    pub(crate) fn has_quorum(&self, host: usize) -> bool {
        let works = |index: usize| {
            let presence = self.etcd_members.get(&index);
            presence.is_none_or(|it| it.works()) && !self.damage.has_stopped(index)
        };
        let reached = |other: usize| {
            works(other) && (other == host || !self.damage.separates(Some(host), Some(other)))
        };
        let count = self.etcd_members.keys().filter(|other| reached(**other)).count();
        works(host) && (count * 2 > self.etcd_members.len() || self.etcd_members.is_empty())
    }
}
