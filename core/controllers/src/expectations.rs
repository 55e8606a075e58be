//! What a controller has asked for and not seen yet.
//!
//! A controller's cache lags behind the API server. Without a note of the pods that it has just
//! created, a ReplicaSet whose cache shows none of them yet would create them again.
//!
//! Upstream: `UIDTrackingControllerExpectations` in `pkg/controller/controller_utils.go`.

use crate::controller_ref::goes;
use naru_api::{Key, Object, WatchEvent};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Creations and deletions that each owner still waits to see.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    by_owner: BTreeMap<Key, Expected>,
}

#[derive(Clone, Debug)]
struct Expected {
    creations: usize,
    /// Uids of the pods whose deletion was asked for.
    deletions: BTreeSet<String>,
    since: Time,
}

impl Expectations {
    /// After this time the controller stops waiting and looks again.
    /// Upstream: `ExpectationsTimeout`.
    pub const TIMEOUT: Duration = Duration::from_secs(5 * 60);

    /// The owner will create this many pods.
    pub fn expect_creations(&mut self, owner: &Key, count: usize, now: Time) {
        self.expect(owner, count, BTreeSet::new(), now);
    }

    /// The owner will delete the pods with these uids.
    pub fn expect_deletions(&mut self, owner: &Key, uids: BTreeSet<String>, now: Time) {
        self.expect(owner, 0, uids, now);
    }

    /// The owner will create and delete pods.
    pub fn expect(
        &mut self,
        owner: &Key,
        creations: usize,
        deletions: BTreeSet<String>,
        now: Time,
    ) {
        self.by_owner.insert(owner.clone(), Expected { creations, deletions, since: now });
    }

    /// A pod of the owner was seen for the first time, or could not be created.
    pub fn created(&mut self, owner: &Key) {
        if let Some(expected) = self.by_owner.get_mut(owner) {
            expected.creations = expected.creations.saturating_sub(1);
        }
    }

    /// A pod of the owner was seen going, or could not be deleted.
    pub fn deleted(&mut self, owner: &Key, uid: &str) {
        if let Some(expected) = self.by_owner.get_mut(owner) {
            expected.deletions.remove(uid);
        }
    }

    /// Takes over what was seen of a pod of the owner.
    pub fn observe(&mut self, owner: &Key, event: &WatchEvent, old: Option<&Object>) {
        if goes(event) {
            self.deleted(owner, event.object.uid());
        } else if old.is_none() {
            self.created(owner);
        }
    }

    /// The owner is gone.
    pub fn forget(&mut self, owner: &Key) {
        self.by_owner.remove(owner);
    }

    /// Whether the owner has seen all it asked for, or has waited for too long.
    pub fn satisfied(&self, owner: &Key, now: Time) -> bool {
        let Some(expected) = self.by_owner.get(owner) else { return true };
        let seen = expected.creations == 0 && expected.deletions.is_empty();
        seen || now.since(expected.since) > Self::TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_all_that_was_asked_for() {
        let (owner, now) = (Key::new("default", "web"), Time::from_secs(1));
        let mut expectations = Expectations::default();
        assert!(expectations.satisfied(&owner, now));

        expectations.expect_creations(&owner, 2, now);
        expectations.created(&owner);
        assert!(!expectations.satisfied(&owner, now));
        expectations.created(&owner);
        expectations.created(&owner);
        assert!(expectations.satisfied(&owner, now));

        expectations.expect_deletions(&owner, ["u1".to_owned()].into(), now);
        expectations.deleted(&owner, "u2");
        assert!(!expectations.satisfied(&owner, now));
        expectations.deleted(&owner, "u1");
        assert!(expectations.satisfied(&owner, now));
    }

    #[test]
    fn does_not_wait_for_ever() {
        let (owner, now) = (Key::new("default", "web"), Time::from_secs(1));
        let mut expectations = Expectations::default();
        expectations.expect_creations(&owner, 1, now);
        assert!(!expectations.satisfied(&owner, now + Expectations::TIMEOUT));
        let later = now + Expectations::TIMEOUT + Duration::from_micros(1);
        assert!(expectations.satisfied(&owner, later));
    }
}
