//! Why a pod went where it went: kept for every decision.

use crate::cycle::{Outcome, Points};
use naru_api::Key;
use naru_sim::{CauseId, Time};
use std::collections::VecDeque;
use std::sync::Arc;

/// Decisions kept.
pub const DECISIONS_MAX: usize = 1_000;
/// Nodes told of in one decision; the rest is left out.
pub const DECISION_NODES_MAX: usize = 32;

/// One decision of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pod.
    pub pod: Key,
    /// When.
    pub at: Time,
    /// The cause that stands for the decision.
    pub cause: CauseId,
    /// Nodes that were taken out: the node, the plugin, why.
    pub filtered: Vec<(Arc<str>, &'static str, String)>,
    /// The points of the nodes that were left; empty when only one was left.
    pub scores: Points,
    /// The node that won.
    pub chosen: Option<Arc<str>>,
    /// Why there is none, as the user is told; "" when there is one.
    pub message: String,
}

/// The latest decisions, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Decisions(VecDeque<Decision>);

impl Decisions {
    /// All that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.0.iter()
    }

    /// The latest about a pod.
    pub fn about(&self, pod: &Key) -> Option<&Decision> {
        self.0.iter().rev().find(|decision| decision.pod == *pod)
    }

    /// Keeps a decision, for which it takes the scores.
    pub(crate) fn keep(&mut self, pod: Key, at: Time, cause: CauseId, outcome: &mut Outcome) {
        let rejected = outcome.diagnosis.rejected.iter().take(DECISION_NODES_MAX);
        if self.0.len() == DECISIONS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Decision {
            pod,
            at,
            cause,
            filtered: rejected
                .map(|(node, plugin, why)| (Arc::clone(node), *plugin, why.to_string()))
                .collect(),
            scores: std::mem::take(&mut outcome.scores),
            chosen: outcome.chosen.clone(),
            message: match outcome.chosen {
                Some(_) => String::new(),
                None => outcome.diagnosis.to_string(),
            },
        });
    }
}
