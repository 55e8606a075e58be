//! What nodes and pods use, as their kubelets tell it.

use crate::Cluster;
use crate::view::{NodeUseView, UsageView};
use naru_node::NodeUsage;
use std::time::Duration;

/// Nodes told of at most.
const NODES_MAX: usize = 60;

impl Cluster {
    /// What the nodes use whose kubelets run.
    pub(super) fn usage(&self) -> UsageView {
        let now = self.now();
        let view = |name: &str, usage: NodeUsage| NodeUseView {
            name: name.to_owned(),
            cpu_micros: micros(usage.cpu),
            memory_bytes: usage.memory,
            pods: usage
                .pods
                .into_iter()
                .map(|pod| (pod.uid, micros(pod.cpu), pod.memory))
                .collect(),
        };
        let nodes = self.nodes.iter().filter_map(|node| Some(view(node.name(), node.usage(now)?)));
        UsageView { micros: now.as_micros(), nodes: nodes.take(NODES_MAX).collect() }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_uses_memory_and_its_node_more() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        cluster.exec("kubectl run web --image=nginx; sleep 10", Duration::from_secs(30));
        let pod = cluster.object("v1", "Pod", "default", "web").unwrap();
        let before = cluster.usage();
        assert_eq!(before.nodes.len(), 3);
        let node =
            before.nodes.iter().find(|it| it.pods.iter().any(|it| it.0 == pod.uid())).unwrap();
        let memory: u64 = node.pods.iter().map(|it| it.2).sum();
        assert!(memory > 0 && node.memory_bytes > memory, "{node:?}");
        cluster.advance(cluster.now() + Duration::from_secs(60), u64::MAX);
        let after = cluster.usage();
        let later = after.nodes.iter().find(|it| it.name == node.name).unwrap();
        assert!(later.cpu_micros > node.cpu_micros, "the node's own work goes on");
    }
}
