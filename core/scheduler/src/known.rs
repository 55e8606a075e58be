//! What is known of nodes from pods that were like the next one.
//!
//! Most pods ask for the same as another did a moment ago, and most nodes are as they were then.
//! What a plugin says that looks at nothing but the pod and the node need not be asked again.
//!
//! Upstream has the same thought in `pkg/scheduler/framework/runtime/batch.go` (KEP-5598).

use crate::framework::Score;
use crate::nodes::{NodeInfo, PodInfo};

/// Kinds of pods that are remembered.
const KINDS_MAX: usize = 4;
/// Plugins whose points are remembered, for each kind.
const PLUGINS_MAX: usize = 4;

/// The kinds of pods that came last, the latest first.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<OfKind>);

/// What is known of nodes for one kind of pods, by the nodes' places.
#[derive(Clone, Debug)]
pub struct OfKind {
    like: Box<PodInfo>,
    /// The node as it passed the filters.
    passed: Vec<u64>,
    /// The node as it was given points.
    scored: Vec<u64>,
    points: Vec<[i64; PLUGINS_MAX]>,
}

impl Known {
    /// What is known for pods like this one, of so many nodes.
    pub fn of(&mut self, pod: &PodInfo, nodes: usize) -> Option<&mut OfKind> {
        match self.0.iter().position(|kind| is_like(&kind.like, pod)) {
            Some(0) => {}
            Some(place) => {
                let kind = self.0.remove(place);
                self.0.insert(0, kind);
            }
            None => {
                self.0.truncate(KINDS_MAX - 1);
                let like = Box::new(pod.clone());
                let kind = OfKind { like, passed: vec![], scored: vec![], points: vec![] };
                self.0.insert(0, kind);
            }
        }
        let kind = self.0.first_mut()?;
        kind.passed.resize(nodes, 0);
        kind.scored.resize(nodes, 0);
        kind.points.resize(nodes, [0; PLUGINS_MAX]);
        Some(kind)
    }
}

impl OfKind {
    /// Whether the node at a place has passed as it is now.
    pub fn has_passed(&self, place: usize, version: u64) -> bool {
        self.passed.get(place) == Some(&version)
    }

    /// The node at a place has passed.
    pub fn pass(&mut self, place: usize, version: u64) {
        if let Some(passed) = self.passed.get_mut(place) {
            *passed = version;
        }
    }

    /// Finds out the points of nodes that are not as they were.
    pub fn score(&mut self, nodes: &[(usize, u64, &NodeInfo)], plugins: &[&dyn Score]) {
        for (place, version, node) in nodes {
            let (Some(scored), Some(points)) =
                (self.scored.get_mut(*place), self.points.get_mut(*place))
            else {
                continue;
            };
            if *scored != *version {
                *scored = *version;
                for (points, plugin) in points.iter_mut().zip(plugins) {
                    *points = plugin.score(node);
                }
            }
        }
    }

    /// Adds the points of all nodes by the plugin of this number.
    pub fn points(&self, nodes: &[(usize, u64, &NodeInfo)], plugin: usize, all: &mut Vec<i64>) {
        let of = |place: &usize| self.points.get(*place)?.get(plugin).copied();
        all.extend(nodes.iter().map(|(place, ..)| of(place).unwrap_or_default()));
    }

    /// How many plugins there is room for.
    pub const PLUGINS_MAX: usize = PLUGINS_MAX;
}

/// Whether two pods are the same to plugins that look at nothing but the pod and the node.
fn is_like(one: &PodInfo, other: &PodInfo) -> bool {
    let (Some(a), Some(b)) = (&one.pod.spec, &other.pod.spec) else { return false };
    one.requests == other.requests
        && one.counted == other.counted
        && one.ports == other.ports
        && a.node_name == b.node_name
        && a.node_selector == b.node_selector
        && a.tolerations == b.tolerations
        && a.affinity == b.affinity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pod;
    use std::sync::Arc;

    #[test]
    fn what_is_known_is_known_of_like_pods_and_of_the_node_as_it_was() {
        let mut known = Known::default();
        let info = |name, cpu| PodInfo::new(Arc::new(pod(name, "", cpu)));
        known.of(&info("a", "1"), 2).unwrap().pass(1, 7);
        let has = |known: &mut Known, cpu, place, version| {
            known.of(&info("b", cpu), 2).unwrap().has_passed(place, version)
        };
        assert!(has(&mut known, "1", 1, 7));
        assert!(!has(&mut known, "1", 1, 8));
        assert!(!has(&mut known, "1", 0, 7));
        assert!(!has(&mut known, "2", 1, 7));
        assert!(has(&mut known, "1", 1, 7), "two kinds are remembered at once");
    }
}
