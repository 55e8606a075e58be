//! One decision: from a pod to a node, or to why there is none.
//!
//! Upstream: `schedulePod` and what it calls in `pkg/scheduler/schedule_one.go`, and
//! `pkg/scheduler/framework/runtime`.

use crate::decision::DECISION_NODES_MAX;
use crate::framework::{Diagnosis, Filter, Rejection, Score, View};
use crate::known::{Known, OfKind};
use crate::nodes::{NodeInfo, PodInfo};
use crate::nominator::Nominator;
use crate::plugins::{FILTERS, SCORES};
use naru_sim::Rng;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Below this many nodes all are tried. Upstream: `minFeasibleNodesToFind`.
const FEASIBLE_MIN: usize = 100;
/// At least this share of the nodes is tried, in percent.
/// Upstream: `minFeasibleNodesPercentageToFind`.
const FEASIBLE_PERCENT_MIN: usize = 5;

/// What became of one attempt.
pub struct Outcome {
    /// The node that won.
    pub chosen: Option<Arc<str>>,
    /// Nodes that were tried and taken out.
    pub diagnosis: Diagnosis,
    /// Points of the best nodes; empty when only one was left.
    pub scores: Points,
    /// Where the next attempt starts.
    pub next_start: usize,
}

/// The points of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeScores {
    /// The node.
    pub node: Arc<str>,
    /// Points by plugin, times its weight.
    pub plugins: Vec<(&'static str, i64)>,
    /// Their sum.
    pub total: i64,
}

/// The points of several nodes, the best first, in as few pieces as can be: many decisions are
/// kept, and few are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    plugins: Vec<&'static str>,
    /// Each node with its sum.
    nodes: Vec<(Arc<str>, i64)>,
    /// Those of one node after the other, by plugin.
    points: Vec<i64>,
}

impl Points {
    /// Node by node.
    pub fn nodes(&self) -> Vec<NodeScores> {
        let count = self.plugins.len();
        let row = |(index, (node, total)): (usize, &(Arc<str>, i64))| {
            let points = self.points.iter().skip(index * count).copied();
            NodeScores {
                node: Arc::clone(node),
                plugins: self.plugins.iter().copied().zip(points).collect(),
                total: *total,
            }
        };
        self.nodes.iter().enumerate().map(row).collect()
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Room in which decisions are worked out, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    plugins: Vec<&'static str>,
    /// The points of every node by one plugin after the other.
    points: Vec<i64>,
    totals: Vec<i64>,
    order: Vec<(Reverse<i64>, usize)>,
    known: Known,
}

/// The points of all nodes that passed, by plugin.
struct Scores<'a> {
    nodes: &'a [&'a NodeInfo],
    room: &'a mut Workspace,
}

impl Scores<'_> {
    /// The best nodes, the best first, at most so many.
    fn best(&mut self, max: usize) -> Points {
        let Workspace { plugins, points, totals, order, .. } = &mut *self.room;
        order.clear();
        for (index, total) in totals.iter().enumerate() {
            let place = (Reverse(*total), index);
            // Most are no better than the last of those that are among the best so far.
            if order.len() < max || order.last().is_some_and(|last| place < *last) {
                let at = order.partition_point(|better| *better < place);
                order.truncate(max.saturating_sub(1));
                order.insert(at, place);
            }
        }
        let rows = points.chunks_exact(self.nodes.len().max(1));
        let mut best = Points {
            plugins: plugins.clone(),
            nodes: Vec::with_capacity(order.len()),
            points: Vec::with_capacity(order.len() * plugins.len()),
        };
        for (Reverse(total), index) in order.iter() {
            let Some(node) = self.nodes.get(*index) else { continue };
            best.nodes.push((Arc::clone(&node.name), *total));
            let of_plugin = |row: &[i64]| row.get(*index).copied().unwrap_or_default();
            best.points.extend(rows.clone().map(of_plugin));
        }
        best
    }

    /// One of the nodes with the most points, at random.
    fn select_host(&self, rng: &mut Rng) -> Option<Arc<str>> {
        let totals = &self.room.totals;
        let best = totals.iter().max()?;
        let ties = || (0..).zip(totals).filter(|(_, total)| *total == best);
        let chosen = usize::try_from(rng.below(ties().count() as u64)).unwrap_or(0);
        let (index, _): (usize, _) = ties().nth(chosen)?;
        self.nodes.get(index).map(|node| Arc::clone(&node.name))
    }
}

/// The filters of all plugins, prepared for one pod.
pub struct PreparedFilters<'a> {
    filters: Vec<(&'static str, Box<dyn Filter + 'a>)>,
    nodes: Option<BTreeSet<String>>,
    /// The plugins that name nodes.
    naming: BTreeSet<&'static str>,
    failed: Option<(&'static str, Rejection)>,
}

impl<'a> PreparedFilters<'a> {
    /// Prepares the filters, unless a plugin turns the pod down everywhere.
    pub fn new(pod: &'a PodInfo, view: View<'a>) -> Result<Self, Rejection> {
        let mut prepared = Self::prepare(pod, view);
        match prepared.failed.take() {
            Some((_, rejection)) => Err(rejection),
            None => Ok(prepared),
        }
    }

    /// The first plugin that takes the node out, and why.
    pub fn check(&self, node: &NodeInfo) -> Result<(), (&'static str, Rejection)> {
        self.filters
            .iter()
            .try_for_each(|(name, filter)| filter.filter(node).map_err(|why| (*name, why)))
    }

    /// Whether any of them looks at more than the pod and the node.
    fn any_wide(&self) -> bool {
        self.filters.iter().any(|(_, filter)| !filter.is_local())
    }

    /// The same for a node that is known to pass those that look at nothing else.
    fn check_wide(&self, node: &NodeInfo) -> Result<(), (&'static str, Rejection)> {
        let wide = self.filters.iter().filter(|(_, filter)| !filter.is_local());
        { wide }.try_for_each(|(name, filter)| filter.filter(node).map_err(|why| (*name, why)))
    }

    /// The same, with those in mind for which room is being made on the node and which are not less
    /// important. They may not come after all, so that the pod must fit without them too.
    ///
    /// Upstream: `RunFilterPluginsWithNominatedPods`.
    pub fn check_among_nominated(
        &mut self,
        pod: &PodInfo,
        node: &NodeInfo,
        nominator: &Nominator,
    ) -> Result<(), (&'static str, Rejection)> {
        let nominated = nominator.on(&node.name);
        let before =
            |other: &&Arc<PodInfo>| other.priority() >= pod.priority() && other.key != pod.key;
        let nominated: Vec<&Arc<PodInfo>> = nominated.filter(before).collect();
        if nominated.is_empty() {
            return self.check(node);
        }
        let mut full = node.clone();
        for other in &nominated {
            full.add_pod(Arc::clone(other));
            self.add_pod(other, &full);
        }
        let result = self.check(&full);
        for other in nominated {
            full.remove_pod(other);
            self.remove_pod(other, &full);
        }
        result?;
        self.check(node)
    }

    /// What if this pod were on the node too?
    pub fn add_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        for (_, filter) in &mut self.filters {
            filter.add_pod(pod, node);
        }
    }

    /// What if this pod were not on the node?
    pub fn remove_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        for (_, filter) in &mut self.filters {
            filter.remove_pod(pod, node);
        }
    }

    fn prepare(pod: &'a PodInfo, view: View<'a>) -> Self {
        let mut all = PreparedFilters {
            filters: Vec::new(),
            nodes: None,
            naming: BTreeSet::new(),
            failed: None,
        };
        for plugin in FILTERS {
            match plugin.pre_filter(pod, view) {
                Ok(prepared) => {
                    if let Some(names) = prepared.nodes {
                        all.naming.insert(plugin.name());
                        all.nodes = Some(match all.nodes.take() {
                            Some(nodes) => nodes.intersection(&names).cloned().collect(),
                            None => names,
                        });
                    }
                    all.filters.extend(prepared.filter.map(|filter| (plugin.name(), filter)));
                }
                Err(rejection) => {
                    all.failed = Some((plugin.name(), rejection));
                    break;
                }
            }
        }
        all
    }
}

/// Decides where a pod goes. `start` is where the last attempt has stopped looking, so that all
/// nodes have their turn in large clusters.
pub fn schedule(
    pod: &PodInfo,
    view: View<'_>,
    start: usize,
    rng: &mut Rng,
    room: &mut Workspace,
) -> Outcome {
    let mut outcome = Outcome {
        chosen: None,
        diagnosis: Diagnosis { nodes: view.nodes.len(), ..Diagnosis::default() },
        scores: Points::default(),
        next_start: start,
    };
    let mut filters = PreparedFilters::prepare(pod, view);
    if let Some((plugin, rejection)) = filters.failed.take() {
        outcome.diagnosis.pre_filter = rejection.to_string();
        outcome.diagnosis.absent = Some(rejection);
        outcome.diagnosis.plugins.insert(plugin);
        return outcome;
    }
    let mut known = std::mem::take(&mut room.known);
    let mut of_kind = match filters.nodes {
        None => known.of(pod, view.nodes.len()),
        Some(_) => None,
    };
    let (feasible, places) =
        find_feasible(&mut filters, pod, view, &mut outcome, of_kind.as_deref_mut());
    match feasible.as_slice() {
        [] => {}
        [only] => outcome.chosen = Some(Arc::clone(&only.name)),
        several => {
            let of_kind = of_kind.map(|of_kind| (of_kind, places));
            let mut scores = score(pod, view, several, of_kind, room);
            outcome.chosen = scores.select_host(rng);
            outcome.scores = scores.best(DECISION_NODES_MAX);
        }
    }
    room.known = known;
    outcome
}

fn find_feasible<'a>(
    filters: &mut PreparedFilters<'_>,
    pod: &PodInfo,
    view: View<'a>,
    outcome: &mut Outcome,
    mut known: Option<&mut OfKind>,
) -> (Vec<&'a NodeInfo>, Vec<usize>) {
    let nominator = &view.nodes.nominator;
    // A node nominated by preemption is tried first.
    let status = pod.pod.status.as_ref();
    let nominated = status.and_then(|status| status.nominated_node_name.as_deref());
    if let Some(node) = nominated.and_then(|name| view.nodes.get(name))
        && filters.check_among_nominated(pod, node, nominator).is_ok()
    {
        return (vec![node], Vec::new());
    }
    let listed: Option<Vec<&NodeInfo>> = filters
        .nodes
        .as_ref()
        .map(|names| names.iter().filter_map(|name| view.nodes.get(name)).collect());
    if listed.is_some() {
        outcome.diagnosis.plugins.extend(&filters.naming);
        let names: Vec<&str> = filters.naming.iter().copied().collect();
        let reason = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
        outcome.diagnosis.absent = Some(Rejection::unresolvable(reason));
    }
    let count = listed.as_ref().map_or(view.nodes.len(), Vec::len);
    let enough = feasible_to_find(count);
    let (mut feasible, mut places) = (Vec::with_capacity(enough), Vec::with_capacity(enough));
    let (mut tried, any_wide) = (0, filters.any_wide());
    let start = outcome.next_start.checked_rem(count).unwrap_or(0);
    for index in (start..count).chain(0..start) {
        if feasible.len() == enough {
            break;
        }
        let node = match &listed {
            Some(listed) => listed.get(index).copied(),
            None => view.nodes.all().get(index),
        };
        let Some(node) = node else { continue };
        tried += 1;
        let alone = nominator.is_empty() || nominator.on(&node.name).next().is_none();
        let version = view.nodes.version(index);
        let known = known.as_deref_mut().filter(|_| alone);
        let checked = match known {
            Some(known) if known.has_passed(index, version) => match any_wide {
                true => filters.check_wide(node),
                false => Ok(()),
            },
            Some(known) => {
                let checked = filters.check(node);
                if checked.is_ok() {
                    known.pass(index, version);
                }
                checked
            }
            None => filters.check_among_nominated(pod, node, nominator),
        };
        match checked {
            Ok(()) => {
                feasible.push(node);
                places.push(index);
            }
            Err((plugin, rejection)) => {
                outcome.diagnosis.plugins.insert(plugin);
                outcome.diagnosis.rejected.push((Arc::clone(&node.name), plugin, rejection));
            }
        }
    }
    if listed.is_none() && count > 0 {
        outcome.next_start = (outcome.next_start + tried) % count;
    }
    (feasible, places)
}

/// How many nodes that pass are enough to choose from.
fn feasible_to_find(nodes: usize) -> usize {
    if nodes < FEASIBLE_MIN {
        return nodes;
    }
    let percent = 50_usize.saturating_sub(nodes / 125).max(FEASIBLE_PERCENT_MIN);
    (nodes * percent / 100).max(FEASIBLE_MIN)
}

fn score<'a>(
    pod: &PodInfo,
    view: View<'_>,
    nodes: &'a [&'a NodeInfo],
    known: Option<(&mut OfKind, Vec<usize>)>,
    room: &'a mut Workspace,
) -> Scores<'a> {
    room.plugins.clear();
    room.points.clear();
    room.totals.clear();
    room.totals.resize(nodes.len(), 0);
    let scorers: Vec<(&'static str, i64, Box<dyn Score + '_>)> = SCORES
        .iter()
        .filter_map(|(plugin, weight)| {
            Some((plugin.name(), *weight, plugin.pre_score(pod, view, nodes)?))
        })
        .collect();
    let known = known.map(|(known, places)| {
        let of =
            |(place, node): (&usize, &&'a NodeInfo)| (*place, view.nodes.version(*place), *node);
        let rows: Vec<(usize, u64, &NodeInfo)> = places.iter().zip(nodes).map(of).collect();
        let local = scorers.iter().filter(|(.., scorer)| scorer.is_local());
        let local: Vec<&dyn Score> =
            local.map(|(.., scorer)| &**scorer).take(OfKind::PLUGINS_MAX).collect();
        known.score(&rows, &local);
        (known, rows, local.len())
    });
    let mut number = 0;
    for (name, weight, scorer) in &scorers {
        let begin = room.points.len();
        match &known {
            Some((known, rows, count)) if scorer.is_local() && number < *count => {
                known.points(rows, number, &mut room.points);
                number += 1;
            }
            _ => scorer.scores(nodes, &mut room.points),
        }
        let points = room.points.get_mut(begin..).unwrap_or_default();
        scorer.normalize(nodes, points);
        for (total, points) in room.totals.iter_mut().zip(points) {
            *points *= weight;
            *total += *points;
        }
        room.plugins.push(name);
    }
    Scores { nodes, room }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Nodes;
    use crate::testing::{node, pod};
    use k8s_openapi::api::core::v1::{
        Affinity, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint,
    };
    use naru_client::Cache;

    fn tainted(mut node: Node) -> Node {
        node.spec.get_or_insert_default().taints = Some(vec![Taint {
            key: "node-role.kubernetes.io/control-plane".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        }]);
        node
    }

    fn three_nodes() -> Nodes {
        let mut nodes = Nodes::default();
        nodes.set_node(Arc::new(tainted(node("control-plane", "4"))));
        nodes.set_node(Arc::new(node("worker", "4")));
        nodes.set_node(Arc::new(node("worker2", "4")));
        nodes
    }

    fn decide(nodes: &Nodes, pod: Pod) -> Outcome {
        let cache = Cache::default();
        let info = PodInfo::new(Arc::new(pod));
        let room = &mut Workspace::default();
        schedule(&info, View { nodes, cache: &cache }, 0, &mut Rng::new(1), room)
    }

    fn named(mut pod: Pod, name: &str) -> Pod {
        let requirement = NodeSelectorRequirement {
            key: "metadata.name".to_owned(),
            operator: "In".to_owned(),
            values: Some(vec![name.to_owned()]),
        };
        let term =
            NodeSelectorTerm { match_fields: Some(vec![requirement]), match_expressions: None };
        let affinity: &mut Affinity =
            pod.spec.get_or_insert_default().affinity.get_or_insert_default();
        affinity
            .node_affinity
            .get_or_insert_default()
            .required_during_scheduling_ignored_during_execution =
            Some(NodeSelector { node_selector_terms: vec![term] });
        pod
    }

    #[test]
    fn the_emptier_node_wins() {
        let mut nodes = three_nodes();
        nodes.set_pod(Arc::new(pod("a", "worker", "2")));
        let outcome = decide(&nodes, pod("b", "", "1"));
        assert_eq!(outcome.chosen.as_deref(), Some("worker2"));
        assert_eq!(outcome.scores.len(), 2);
        assert_eq!(outcome.diagnosis.rejected.len(), 1);
    }

    #[test]
    fn tells_why_no_node_takes_the_pod() {
        let mut nodes = three_nodes();
        let cases = [
            (
                pod("big", "", "5"),
                "0/3 nodes are available: 1 node(s) had untolerated taint \
                 {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu.",
            ),
            (
                named(pod("ds", "", "5"), "worker"),
                "0/3 nodes are available: 1 Insufficient cpu, \
                 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
            ),
        ];
        for (pod, expected) in cases {
            assert_eq!(decide(&nodes, pod).diagnosis.to_string(), expected);
        }
        nodes.remove_node("worker");
        nodes.remove_node("worker2");
        assert_eq!(
            decide(&nodes, pod("a", "", "1")).diagnosis.to_string(),
            "0/1 nodes are available: 1 node(s) had untolerated taint \
             {node-role.kubernetes.io/control-plane: }."
        );
    }

    #[test]
    fn large_clusters_are_sampled_in_turn() {
        for (nodes, expected) in [(3, 3), (99, 99), (100, 100), (1000, 420), (5000, 500)] {
            assert_eq!(feasible_to_find(nodes), expected);
        }
        let mut nodes = Nodes::default();
        for index in 0..150 {
            nodes.set_node(Arc::new(node(&format!("n{index}"), "4")));
        }
        let outcome = decide(&nodes, pod("a", "", "1"));
        assert_eq!((outcome.scores.len(), outcome.next_start), (DECISION_NODES_MAX, 100));
    }

    #[test]
    fn ties_are_broken_by_the_seed() {
        let nodes = three_nodes();
        let cache = Cache::default();
        let info = PodInfo::new(Arc::new(pod("a", "", "1")));
        let mut winners = BTreeSet::new();
        let (mut rng, mut room) = (Rng::new(1), Workspace::default());
        for _ in 0..50 {
            let view = View { nodes: &nodes, cache: &cache };
            winners.extend(schedule(&info, view, 0, &mut rng, &mut room).chosen);
        }
        assert_eq!(winners.len(), 2);
    }
}
