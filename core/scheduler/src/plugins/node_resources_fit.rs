//! The node must have what the pod asks for; the emptier node is better.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/fit.go` and `least_allocated.go`.

use crate::framework::{
    ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, SCORE_MAX, Score, ScorePlugin,
    View,
};
use crate::nodes::{NodeInfo, PodInfo};
use crate::resources::Resources;
use k8s_openapi::api::core::v1::{Node, Pod};
use std::borrow::Cow;
use std::sync::Arc;

/// The plugin.
#[derive(Debug)]
pub struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        let empty = |node: &Node| NodeInfo::new(Arc::new(node.clone()));
        let fits = |node: &NodeInfo| missing(&Resources::of_pod(pod, 0, 0), node).is_empty();
        match event {
            ClusterEvent::NodeAdded(node) => fits(&empty(node)),
            ClusterEvent::NodeUpdated { old, new } => {
                let (old, new) = (empty(old), empty(new));
                fits(&new) && grew(&old, &new)
            }
            ClusterEvent::PodRemoved(_) => true,
            ClusterEvent::PodUpdated { old, new } => {
                Resources::of_pod(old, 0, 0) != Resources::of_pod(new, 0, 0)
            }
            ClusterEvent::NodeRemoved(_)
            | ClusterEvent::PodAssigned(_)
            | ClusterEvent::Storage { .. }
            | ClusterEvent::AttachmentRemoved(_) => false,
        }
    }
}

fn grew(old: &NodeInfo, new: &NodeInfo) -> bool {
    let (before, after) = (&old.allocatable, &new.allocatable);
    new.pods_max > old.pods_max
        || after.milli_cpu > before.milli_cpu
        || after.memory > before.memory
        || after.ephemeral_storage > before.ephemeral_storage
        || after.other.iter().any(|(name, amount)| before.other.get(name).unwrap_or(&0) < amount)
}

impl FilterPlugin for NodeResourcesFit {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        Ok(Prepared::with(Fits(&pod.requests)))
    }
}

struct Fits<'a>(&'a Resources);

impl Filter for Fits<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let reasons = missing(self.0, node);
        if reasons.is_empty() { Ok(()) } else { Err(Rejection { reasons, resolvable: true }) }
    }
}

/// What the node has too little of.
fn missing(wanted: &Resources, node: &NodeInfo) -> Vec<Cow<'static, str>> {
    let mut reasons = Vec::new();
    if node.pods.len() as i64 + 1 > node.pods_max {
        reasons.push(Cow::Borrowed("Too many pods"));
    }
    if wanted.is_zero() {
        return reasons;
    }
    let (has, used) = (&node.allocatable, &node.requested);
    let amounts = [
        ("Insufficient cpu", wanted.milli_cpu, has.milli_cpu - used.milli_cpu),
        ("Insufficient memory", wanted.memory, has.memory - used.memory),
        (
            "Insufficient ephemeral-storage",
            wanted.ephemeral_storage,
            has.ephemeral_storage - used.ephemeral_storage,
        ),
    ];
    for (reason, wanted, free) in amounts {
        if wanted > 0 && wanted > free {
            reasons.push(Cow::Borrowed(reason));
        }
    }
    for (name, wanted) in &wanted.other {
        let free = has.other.get(name).unwrap_or(&0) - used.other.get(name).unwrap_or(&0);
        if *wanted > 0 && *wanted > free {
            reasons.push(Cow::Owned(format!("Insufficient {name}")));
        }
    }
    reasons
}

impl ScorePlugin for NodeResourcesFit {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        _view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        Some(Box::new(LeastAllocated(pod.counted)))
    }
}

/// The mean of the free shares of CPU and memory.
struct LeastAllocated((i64, i64));

impl Score for LeastAllocated {
    fn is_local(&self) -> bool {
        true
    }

    fn score(&self, node: &NodeInfo) -> i64 {
        let (cpu, memory) = (node.allocatable.milli_cpu, node.allocatable.memory);
        let free_cpu = || free_share(cpu, node.counted.0 + self.0.0);
        let free_memory = || free_share(memory, node.counted.1 + self.0.1);
        match (cpu > 0, memory > 0) {
            (true, true) => (free_cpu() + free_memory()) / 2,
            (true, false) => free_cpu(),
            (false, true) => free_memory(),
            (false, false) => 0,
        }
    }
}

fn free_share(has: i64, wanted: i64) -> i64 {
    if wanted > has {
        return 0;
    }
    (has - wanted).saturating_mul(SCORE_MAX) / has
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod};

    #[test]
    fn tells_all_that_is_missing() {
        let mut info = NodeInfo::new(Arc::new(node("n1", "1")));
        let wanted =
            |cpu_milli, memory| Resources { milli_cpu: cpu_milli, memory, ..Resources::default() };
        assert!(missing(&wanted(1000, 1 << 30), &info).is_empty());
        let text = ["Insufficient cpu", "Insufficient memory"];
        assert_eq!(missing(&wanted(1001, 9 << 30), &info), text);
        info.add_pod(Arc::new(PodInfo::new(Arc::new(pod("a", "n1", "1")))));
        assert_eq!(missing(&wanted(1, 0), &info), ["Insufficient cpu"]);
        assert!(missing(&Resources::default(), &info).is_empty());
        info.pods_max = 1;
        assert_eq!(missing(&Resources::default(), &info), ["Too many pods"]);
    }

    #[test]
    fn the_emptier_node_is_better() {
        let info = NodeInfo::new(Arc::new(node("n1", "1")));
        assert_eq!(LeastAllocated((0, 0)).score(&info), 100);
        assert_eq!(LeastAllocated((500, 4 << 30)).score(&info), 50);
        assert_eq!(LeastAllocated((2000, 8 << 30)).score(&info), 0);
    }
}
