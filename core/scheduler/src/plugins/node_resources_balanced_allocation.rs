//! Nodes on which CPU and memory are used in like shares are better.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`.

use crate::framework::{Plugin, SCORE_MAX, Score, ScorePlugin, View};
use crate::nodes::{NodeInfo, PodInfo};
use crate::resources::Resources;

/// The plugin.
#[derive(Debug)]
pub struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }
}

impl ScorePlugin for NodeResourcesBalancedAllocation {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        _view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        // A pod that asks for nothing changes no balance.
        let nothing = pod.requests.milli_cpu == 0 && pod.requests.memory == 0;
        (!nothing).then(|| Box::new(Balanced(&pod.requests)) as Box<dyn Score>)
    }
}

struct Balanced<'a>(&'a Resources);

impl Score for Balanced<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn score(&self, node: &NodeInfo) -> i64 {
        let (has, used, wanted) = (&node.allocatable, &node.requested, self.0);
        let cpu = share(has.milli_cpu, used.milli_cpu + wanted.milli_cpu);
        let memory = share(has.memory, used.memory + wanted.memory);
        let deviation = match (cpu, memory) {
            (Some(cpu), Some(memory)) => (cpu - memory).abs() / 2.0,
            _ => 0.0,
        };
        ((1.0 - deviation) * SCORE_MAX as f64) as i64
    }
}

/// The used share; `None` of a resource that the node does not have.
fn share(has: i64, used: i64) -> Option<f64> {
    (has > 0).then(|| (used as f64 / has as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::node;
    use std::sync::Arc;

    #[test]
    fn like_shares_are_best() {
        let info = NodeInfo::new(Arc::new(node("n1", "1")));
        let cases = [(500, 4 << 30, 100), (1000, 0, 50), (500, 0, 75)];
        for (milli_cpu, memory, expected) in cases {
            let wanted = Resources { milli_cpu, memory, ..Resources::default() };
            assert_eq!(Balanced(&wanted).score(&info), expected);
        }
    }
}
