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
        self.causes.push_back(Cause { id, parent, at, actor: Arc::clone(actor), verb, subject });
        id
    }

    /// The cause named `id`, unless it is too old to be kept.
    pub fn get(&self, id: CauseId) -> Option<&Cause> {
        let first = self.causes.front()?.id.0;
        let index = usize::try_from(id.0.checked_sub(first)?).ok()?;
        self.causes.get(index)
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
