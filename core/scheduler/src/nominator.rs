//! Pods for which room is being made on a node: nobody less important may take it meanwhile.
//!
//! Upstream: `pkg/scheduler/backend/queue/nominator.go`.

use crate::nodes::PodInfo;
use naru_api::Key;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The pods without a node that are to have one, by node.
#[derive(Clone, Debug, Default)]
pub struct Nominator {
    by_node: BTreeMap<Arc<str>, BTreeMap<Key, Arc<PodInfo>>>,
    nodes: BTreeMap<Key, Arc<str>>,
}

impl Nominator {
    /// The pod is to have this node.
    pub fn set(&mut self, info: Arc<PodInfo>, node: &str) {
        self.remove(&info.key);
        let node: Arc<str> = node.into();
        self.nodes.insert(info.key.clone(), Arc::clone(&node));
        self.by_node.entry(node).or_default().insert(info.key.clone(), info);
    }

    /// The pod is to have no node any more, or has got one.
    pub fn remove(&mut self, key: &Key) {
        let Some(node) = self.nodes.remove(key) else { return };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.remove(key);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }

    /// Whether room is being made for no pod.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The pods that are to have this node.
    pub fn on(&self, node: &str) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.by_node.get(node).into_iter().flat_map(BTreeMap::values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pod;

    #[test]
    fn a_pod_is_nominated_for_one_node() {
        let info = Arc::new(PodInfo::new(Arc::new(pod("a", "", "1"))));
        let mut nominator = Nominator::default();
        nominator.set(Arc::clone(&info), "n1");
        nominator.set(Arc::clone(&info), "n2");
        assert_eq!((nominator.on("n1").count(), nominator.on("n2").count()), (0, 1));
        nominator.remove(&info.key);
        assert!(nominator.by_node.is_empty() && nominator.nodes.is_empty());
    }
}
