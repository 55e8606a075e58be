//! How much nodes and pods use: what two looks at what they have used tell.

use naru_cluster::view::UsageView;
use std::collections::BTreeMap;

/// Two looks that are closer to one another say too little, in microseconds.
const APART_MIN: u64 = 900_000;

/// What is used at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    /// Thousandths of a CPU.
    pub cpu_millis: f64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

/// What nodes and pods use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// By a node's name.
    pub nodes: BTreeMap<String, Use>,
    /// By a pod's uid.
    pub pods: BTreeMap<String, Use>,
    last: Option<UsageView>,
}

impl Usage {
    /// Takes in what was used up to a moment. Tells whether something is known now.
    pub fn take(&mut self, view: UsageView) -> bool {
        let before = self.last.as_ref().filter(|last| last.micros < view.micros);
        let Some(before) = before else {
            *self = Usage { last: Some(view), ..Usage::default() };
            return false;
        };
        let passed = view.micros - before.micros;
        if passed < APART_MIN {
            return false;
        }
        let rate = |now: u64, then: u64| 1000.0 * now.saturating_sub(then) as f64 / passed as f64;
        let (mut nodes, mut pods) = (BTreeMap::new(), BTreeMap::new());
        for node in &view.nodes {
            let Some(then) = before.nodes.iter().find(|it| it.name == node.name) else { continue };
            let cpu_millis = rate(node.cpu_micros, then.cpu_micros);
            let used = Use { cpu_millis, memory_bytes: node.memory_bytes };
            nodes.insert(node.name.clone(), used);
            let then: BTreeMap<&str, u64> =
                then.pods.iter().map(|(uid, cpu, _)| (uid.as_str(), *cpu)).collect();
            for (uid, cpu, memory) in &node.pods {
                let cpu_millis = rate(*cpu, then.get(uid.as_str()).copied().unwrap_or(0).min(*cpu));
                pods.insert(uid.clone(), Use { cpu_millis, memory_bytes: *memory });
            }
        }
        *self = Usage { nodes, pods, last: Some(view) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_cluster::view::NodeUseView;

    #[test]
    fn rates_come_from_two_looks() {
        let look = |micros: u64, cpu_micros: u64, pod: u64| UsageView {
            micros,
            nodes: vec![NodeUseView {
                name: "a".to_owned(),
                cpu_micros,
                memory_bytes: 7,
                pods: vec![("p".to_owned(), pod, 3)],
            }],
        };
        let mut usage = Usage::default();
        assert!(!usage.take(look(1_000_000, 0, 0)));
        assert!(!usage.take(look(1_500_000, 9, 9)), "too close");
        assert!(usage.take(look(3_000_000, 500_000, 100_000)));
        assert_eq!(usage.nodes["a"], Use { cpu_millis: 250.0, memory_bytes: 7 });
        assert_eq!(usage.pods["p"], Use { cpu_millis: 50.0, memory_bytes: 3 });
        assert!(!usage.take(look(2_000_000, 0, 0)), "somebody went back in time");
        assert!(usage.nodes.is_empty());
    }
}
