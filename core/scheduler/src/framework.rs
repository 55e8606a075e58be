//! The scheduling framework: the points at which plugins take part in a decision.
//!
//! Upstream: `pkg/scheduler/framework/interface.go`. What upstream's PreFilter and PreScore leave
//! in a `CycleState` for Filter and Score is here the value they return: a filter or a score
//! prepared for one pod.

use crate::nodes::{NodeInfo, Nodes, PodInfo};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::storage::v1::VolumeAttachment;
use naru_api::{ApiError, Object};
use naru_client::{Cache, Client};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The best score a plugin can give. Upstream: `MaxNodeScore`.
pub const SCORE_MAX: i64 = 100;

/// Why a pod cannot go to a node, or nowhere at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Reasons, counted by text in the message that the user sees.
    pub reasons: Vec<Cow<'static, str>>,
    /// Whether taking other pods away could help.
    pub resolvable: bool,
}

impl Rejection {
    /// Taking other pods away could help. Upstream: `Unschedulable`.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Rejection { reasons: vec![reason.into()], resolvable: true }
    }

    /// Taking other pods away cannot help. Upstream: `UnschedulableAndUnresolvable`.
    pub fn unresolvable(reason: impl Into<Cow<'static, str>>) -> Self {
        Rejection { reasons: vec![reason.into()], resolvable: false }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reasons.join(", "))
    }
}

/// What plugins see of the cluster during one decision.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Nodes and the pods on them.
    pub nodes: &'a Nodes,
    /// Everything else that is watched.
    pub cache: &'a Cache,
}

/// Something happened that may let a pod be scheduled which could not be.
#[derive(Clone, Copy, Debug)]
pub enum ClusterEvent<'a> {
    /// A node joined.
    NodeAdded(&'a Node),
    /// A node changed.
    NodeUpdated {
        /// Before.
        old: &'a Node,
        /// After.
        new: &'a Node,
    },
    /// A node is gone.
    NodeRemoved(&'a Node),
    /// A pod got a node.
    PodAssigned(&'a Pod),
    /// A pod with a node changed.
    PodUpdated {
        /// Before.
        old: &'a Pod,
        /// After.
        new: &'a Pod,
    },
    /// A pod with a node is gone.
    PodRemoved(&'a Pod),
    /// A claim, a volume, a storage class or what a CSI driver tells of itself is new or has
    /// changed.
    Storage {
        /// After.
        object: &'a Object,
        /// Before.
        old: Option<&'a Object>,
    },
    /// A disk is no longer attached to a node.
    AttachmentRemoved(&'a VolumeAttachment),
}

/// A plugin of the scheduler. Plugins keep nothing between decisions.
pub trait Plugin: fmt::Debug + Send + Sync {
    /// Its name: `NodeResourcesFit`.
    fn name(&self) -> &'static str;

    /// Whether the event may help a pod that this plugin has turned down. Upstream: the queueing
    /// hints of `EventsToRegister`.
    fn may_help(&self, _pod: &Pod, _event: ClusterEvent<'_>) -> bool {
        false
    }
}

/// Decides whether a pod may be tried at all.
pub trait PreEnqueue: Plugin {
    /// Why the pod may not be tried yet.
    fn pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection>;
}

/// Takes nodes out.
pub trait FilterPlugin: Plugin {
    /// Prepares the filter for one pod, or turns the pod down on every node.
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection>;
}

/// What a filter has to do for one pod.
#[derive(Default)]
pub struct Prepared<'a> {
    /// The only nodes that come into question; `None`: all.
    pub nodes: Option<BTreeSet<String>>,
    /// The test of one node; `None`: every node passes.
    pub filter: Option<Box<dyn Filter + 'a>>,
}

impl<'a> Prepared<'a> {
    /// Every node passes.
    pub fn skip() -> Self {
        Prepared::default()
    }

    /// This test is to be made.
    pub fn with(filter: impl Filter + 'a) -> Self {
        Prepared { nodes: None, filter: Some(Box::new(filter)) }
    }
}

/// The test whether one pod may go to a node.
pub trait Filter {
    /// Why the pod cannot go there.
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection>;

    /// Whether it looks at nothing but the pod and the node.
    fn is_local(&self) -> bool {
        false
    }

    /// What if this pod were on the node too?
    fn add_pod(&mut self, _pod: &PodInfo, _node: &NodeInfo) {}

    /// What if this pod were not on the node?
    fn remove_pod(&mut self, _pod: &PodInfo, _node: &NodeInfo) {}
}

/// Compares nodes.
pub trait ScorePlugin: Plugin {
    /// Prepares the comparison for one pod and the nodes that passed; `None`: they are all equal.
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        view: View<'a>,
        nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>>;
}

/// Gives nodes points for one pod.
pub trait Score {
    /// The points of a node; [`Score::normalize`] brings them into 0..=[`SCORE_MAX`].
    fn score(&self, node: &NodeInfo) -> i64;

    /// Adds the points of all nodes: one call for many, since there may be hundreds.
    fn scores(&self, nodes: &[&NodeInfo], points: &mut Vec<i64>) {
        points.extend(nodes.iter().map(|node| self.score(node)));
    }

    /// Whether [`Score::score`] looks at nothing but the pod and the node.
    fn is_local(&self) -> bool {
        false
    }

    /// Scales the points of all nodes.
    fn normalize(&self, _nodes: &[&NodeInfo], _scores: &mut [i64]) {}
}

/// Looks for another way when no node passes.
pub trait PostFilterPlugin: Plugin {
    /// What was found.
    fn post_filter(&self, attempt: &Attempt<'_>) -> PostFilter;
}

/// What a search for another way has come to.
#[derive(Clone, Debug, Default)]
pub struct PostFilter {
    /// Added to the message that the user sees; "" when there is nothing to say.
    pub message: String,
    /// What becomes of the node where room is being made for the pod.
    pub nomination: Nomination,
    /// The pods that have to go for it.
    pub victims: Vec<Arc<PodInfo>>,
}

/// What becomes of a pod's `status.nominatedNodeName`. Upstream: `NominatingInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Nomination {
    /// It stays as it is.
    #[default]
    Keep,
    /// No room is being made for the pod.
    Clear,
    /// Room is being made on this node.
    Node(Arc<str>),
}

/// A pod that could not be placed, and why.
pub struct Attempt<'a> {
    /// The pod.
    pub pod: &'a PodInfo,
    /// What the plugins saw.
    pub view: View<'a>,
    /// Why not.
    pub diagnosis: &'a Diagnosis,
}

/// Writes the decision down.
pub trait BindPlugin: Plugin {
    /// Binds the pod to the node.
    fn bind(&self, pod: &Pod, node: &str, client: &mut Client<'_>) -> Result<(), ApiError>;
}

/// Why no node takes a pod. Upstream: `Diagnosis` and `FitError`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// Nodes that were tried, the plugin that took each out, and why.
    pub rejected: Vec<(Arc<str>, &'static str, Rejection)>,
    /// Why the nodes that were not tried do not come into question.
    pub absent: Option<Rejection>,
    /// Why no node comes into question at all.
    pub pre_filter: String,
    /// What was found instead.
    pub post_filter: String,
    /// The plugins that took nodes out.
    pub plugins: BTreeSet<&'static str>,
}

impl fmt::Display for Diagnosis {
    /// `0/3 nodes are available: 1 Insufficient cpu, …. preemption: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0/{} nodes are available:", self.nodes)?;
        if self.pre_filter.is_empty() {
            let texts = self.counted_reasons();
            if !texts.is_empty() {
                write!(f, " {}.", texts.join(", "))?;
            }
        } else {
            write!(f, " {}.", self.pre_filter)?;
        }
        if !self.post_filter.is_empty() {
            write!(f, " {}", self.post_filter)?;
        }
        Ok(())
    }
}

impl Diagnosis {
    fn counted_reasons(&self) -> Vec<String> {
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for reason in self.rejected.iter().flat_map(|(_, _, rejection)| &rejection.reasons) {
            *counts.entry(reason).or_default() += 1;
        }
        let absent = self.nodes.saturating_sub(self.rejected.len());
        for reason in self.absent.iter().flat_map(|rejection| &rejection.reasons) {
            if absent > 0 {
                *counts.entry(reason).or_default() += absent;
            }
        }
        let mut texts: Vec<String> =
            counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        texts.sort();
        texts
    }
}

/// Scales points so that the best has [`SCORE_MAX`]; `reverse` turns them around first.
///
/// Upstream: `pkg/scheduler/framework/plugins/helper/normalize_score.go`.
pub fn normalize(scores: &mut [i64], reverse: bool) {
    let best = scores.iter().copied().max().unwrap_or(0);
    for score in scores.iter_mut() {
        let scaled = if best > 0 { SCORE_MAX * *score / best } else { 0 };
        *score = match (best, reverse) {
            (..=0, true) => SCORE_MAX,
            (..=0, false) => *score,
            (_, true) => SCORE_MAX - scaled,
            (_, false) => scaled,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_scaled() {
        let cases = [
            (vec![1, 2, 4], false, vec![25, 50, 100]),
            (vec![1, 2, 4], true, vec![75, 50, 0]),
            (vec![0, 0], false, vec![0, 0]),
            (vec![0, 0], true, vec![100, 100]),
        ];
        for (mut scores, reverse, expected) in cases {
            normalize(&mut scores, reverse);
            assert_eq!(scores, expected);
        }
    }

    #[test]
    fn reasons_are_counted_and_sorted_as_texts() {
        let rejected = |node: &str, rejection| (node.into(), "X", rejection);
        let mut diagnosis = Diagnosis {
            nodes: 13,
            rejected: vec![
                rejected("a", Rejection::new("Insufficient cpu")),
                rejected("b", Rejection::new("Insufficient cpu")),
                rejected("c", Rejection::unresolvable("node(s) were unschedulable")),
            ],
            ..Diagnosis::default()
        };
        let text = "0/13 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.";
        assert_eq!(diagnosis.to_string(), text);
        diagnosis.absent = Some(Rejection::unresolvable("away"));
        diagnosis.post_filter = "preemption: no.".to_owned();
        let text = "0/13 nodes are available: 1 node(s) were unschedulable, 10 away, \
                    2 Insufficient cpu. preemption: no.";
        assert_eq!(diagnosis.to_string(), text);
    }
}
