//! Causes: why did this happen?

use crate::{Time, limits};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Names one entry of the [`CauseLog`]. Zero is "no cause": the cluster's own start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CauseId(pub u64);

impl CauseId {
    /// The start of the cluster, cause of everything that nothing else caused.
    pub const ROOT: CauseId = CauseId(0);
}

/// One thing that happened, and what made it happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its own number; later causes have greater numbers.
    pub id: CauseId,
    /// What caused it.
    pub parent: CauseId,
    /// When it happened.
    pub at: Time,
    /// Who did it: `kubectl`, `kube-scheduler`, `kubelet worker`.
    pub actor: Arc<str>,
    /// What was done: `create`, `watch`, `reconcile`, `start`.
    pub verb: &'static str,
    /// To what: `pods/default/web-0`, or a command line.
    pub subject: Arc<str>,
    /// What came of it, if it was a request.
    pub outcome: Option<Outcome>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// As whom the client asked: `system:serviceaccount:kube-system:replicaset-controller`.
    pub user: Arc<str>,
    /// The answer's HTTP status: 201, 409.
    pub code: u16,
}

/// The latest causes, oldest first, at most [`limits::CAUSES_MAX`].
#[derive(Clone, Debug, Default)]
pub struct CauseLog {
    causes: VecDeque<Cause>,
    last: u64,
}

impl CauseLog {
    /// Writes down that `actor` did `verb` to `subject` because of `parent`.
    pub fn record(
        &mut self,
        at: Time,
        parent: CauseId,
        actor: &Arc<str>,
        verb: &'static str,
        subject: Arc<str>,
    ) -> CauseId {
        self.last += 1;
        let id = CauseId(self.last);
        if self.causes.len() == limits::CAUSES_MAX {
            self.causes.pop_front();
        }
        let (actor, outcome) = (Arc::clone(actor), None);
        self.causes.push_back(Cause { id, parent, at, actor, verb, subject, outcome });
        id
    }

    /// Writes down what came of the request named `id`, unless it is too old to be kept.
    pub fn conclude(&mut self, id: CauseId, user: &Arc<str>, code: u16) {
        if let Some(cause) = self.index(id).and_then(|index| self.causes.get_mut(index)) {
            cause.outcome = Some(Outcome { user: Arc::clone(user), code });
        }
    }

    /// The cause named `id`, unless it is too old to be kept.
    pub fn get(&self, id: CauseId) -> Option<&Cause> {
        self.causes.get(self.index(id)?)
    }

    fn index(&self, id: CauseId) -> Option<usize> {
        let first = self.causes.front()?.id.0;
        usize::try_from(id.0.checked_sub(first)?).ok()
    }

    /// From `id` back to the first cause that is kept: the effect first.
    pub fn chain(&self, id: CauseId) -> impl Iterator<Item = &Cause> {
        std::iter::successors(self.get(id), |cause| self.get(cause.parent))
    }

    /// All causes that came after `after`, oldest first.
    pub fn after(&self, after: CauseId) -> impl Iterator<Item = &Cause> {
        let first = self.causes.front().map_or(0, |cause| cause.id.0);
        let skip = usize::try_from((after.0 + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.causes.iter().skip(skip)
    }

    /// The newest cause's name.
    pub fn last(&self) -> CauseId {
        CauseId(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_leads_back_to_the_command() {
        let mut log = CauseLog::default();
        let actor: Arc<str> = "kubectl".into();
        let first = log.record(Time::ZERO, CauseId::ROOT, &actor, "create", "pods/a".into());
        let second = log.record(Time::ZERO, first, &actor, "watch", "pods/a".into());
        let verbs: Vec<_> = log.chain(second).map(|cause| cause.verb).collect();
        assert_eq!(verbs, ["watch", "create"]);
        assert_eq!(log.after(first).count(), 1);
    }

    #[test]
    fn requests_have_an_outcome() {
        let mut log = CauseLog::default();
        let actor: Arc<str> = "kubectl".into();
        let id = log.record(Time::ZERO, CauseId::ROOT, &actor, "get", "pods/a".into());
        let other = log.record(Time::ZERO, id, &actor, "reconcile", "a".into());
        log.conclude(id, &"admin".into(), 404);
        log.conclude(CauseId(9), &"admin".into(), 200);
        let outcome = |id| log.get(id).and_then(|cause| cause.outcome.clone());
        assert_eq!(outcome(id), Some(Outcome { user: "admin".into(), code: 404 }));
        assert_eq!(outcome(other), None);
    }

    #[test]
    fn old_causes_are_dropped() {
        let mut log = CauseLog::default();
        let actor: Arc<str> = "a".into();
        for _ in 0..limits::CAUSES_MAX + 5 {
            log.record(Time::ZERO, CauseId::ROOT, &actor, "x", "y".into());
        }
        assert!(log.get(CauseId(5)).is_none());
        assert!(log.get(CauseId(6)).is_some());
        assert_eq!(log.after(CauseId(0)).count(), limits::CAUSES_MAX);
    }
}
