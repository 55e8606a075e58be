//! `nodeSelector` and node affinity.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go`.

use crate::framework::{
    ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, Score, ScorePlugin, View,
    normalize,
};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::{Node, NodeSelectorTerm, Pod, PodSpec, PreferredSchedulingTerm};
use naru_api::scheduling::{required_node_affinity, required_node_affinity_matches, term_matches};
use std::collections::BTreeSet;

const REASON: &str = "node(s) didn't match Pod's node affinity/selector";

/// The plugin.
#[derive(Debug)]
pub struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        let Some(spec) = &pod.spec else { return false };
        let matches = |node: &Node| required_node_affinity_matches(spec, node);
        match event {
            ClusterEvent::NodeAdded(node) => matches(node),
            ClusterEvent::NodeUpdated { old, new } => !matches(old) && matches(new),
            _ => false,
        }
    }
}

impl FilterPlugin for NodeAffinity {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let Some(spec) = &pod.pod.spec else { return Ok(Prepared::skip()) };
        if spec.node_selector.is_none() && required_node_affinity(spec).is_none() {
            return Ok(Prepared::skip());
        }
        let nodes = named_nodes(spec);
        if nodes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(Rejection::unresolvable("pod affinity terms conflict"));
        }
        Ok(Prepared { nodes, filter: Some(Box::new(Matches(spec))) })
    }
}

struct Matches<'a>(&'a PodSpec);

impl Filter for Matches<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if required_node_affinity_matches(self.0, &node.node) {
            Ok(())
        } else {
            Err(Rejection::unresolvable(REASON))
        }
    }
}

/// The nodes that the required terms name, when every term names some: a DaemonSet's pods do.
fn named_nodes(spec: &PodSpec) -> Option<BTreeSet<String>> {
    let terms = &required_node_affinity(spec)?.node_selector_terms;
    let mut all = BTreeSet::new();
    for term in terms {
        all.extend(named_by(term)?);
    }
    (!terms.is_empty()).then_some(all)
}

fn named_by(term: &NodeSelectorTerm) -> Option<BTreeSet<String>> {
    let mut names: Option<BTreeSet<String>> = None;
    for field in term.match_fields.iter().flatten() {
        if field.key == "metadata.name" && field.operator == "In" {
            let these: BTreeSet<String> = field.values.iter().flatten().cloned().collect();
            names = Some(match names {
                Some(names) => names.intersection(&these).cloned().collect(),
                None => these,
            });
        }
    }
    names
}

impl ScorePlugin for NodeAffinity {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        _view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        let affinity = pod.pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution.as_deref()?;
        (!preferred.is_empty()).then(|| Box::new(Preferred(preferred)) as Box<dyn Score>)
    }
}

struct Preferred<'a>(&'a [PreferredSchedulingTerm]);

impl Score for Preferred<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn score(&self, node: &NodeInfo) -> i64 {
        let matching = self.0.iter().filter(|term| term_matches(&term.preference, &node.node));
        matching.map(|term| i64::from(term.weight)).sum()
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        normalize(scores, false);
    }
}
