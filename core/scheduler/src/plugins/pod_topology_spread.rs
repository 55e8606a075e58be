//! Spreads pods over zones and nodes.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread`.

use crate::framework::{
    ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, SCORE_MAX, Score, ScorePlugin,
    View,
};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{
    Node, Pod, ReplicationController, Service, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use naru_api::labels::{Labels, Selector};
use naru_api::scheduling::{
    required_node_affinity_matches, taints, tolerations, untolerated_taint,
};
use naru_api::{Key, pods};
use naru_client::Cache;
use std::collections::BTreeMap;

const REASON: &str = "node(s) didn't match pod topology spread constraints";
const REASON_LABEL: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";
const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The plugin.
#[derive(Debug)]
pub struct PodTopologySpread;

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    /// Upstream: `isSchedulableAfterPodChange` and `isSchedulableAfterNodeChange`.
    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        let constraints = constraints_of(pod, "DoNotSchedule");
        let counts = |other: &Pod| {
            other.metadata.namespace == pod.metadata.namespace
                && constraints.iter().any(|c| c.selects(other.metadata.labels.as_ref()))
        };
        let domains = |node: &Node| -> Option<Vec<String>> {
            let labels = node.metadata.labels.as_ref()?;
            constraints.iter().map(|c| labels.get(&c.key).cloned()).collect()
        };
        match event {
            ClusterEvent::NodeAdded(node) | ClusterEvent::NodeRemoved(node) => {
                domains(node).is_some()
            }
            ClusterEvent::NodeUpdated { old, new } => {
                let honored = constraints.iter().any(|c| c.honor_taints);
                domains(old) != domains(new) || (honored && taints(old) != taints(new))
            }
            ClusterEvent::PodAssigned(other) | ClusterEvent::PodRemoved(other) => counts(other),
            ClusterEvent::PodUpdated { old, new } => counts(old) != counts(new),
            ClusterEvent::Storage { .. } | ClusterEvent::AttachmentRemoved(_) => false,
        }
    }
}

/// One constraint, read.
#[derive(Clone, Debug)]
struct Constraint {
    key: String,
    max_skew: i64,
    min_domains: usize,
    /// All must select a pod for it to count.
    selectors: Vec<Selector>,
    honor_affinity: bool,
    honor_taints: bool,
}

impl Constraint {
    fn read(pod: &Pod, spec: &TopologySpreadConstraint) -> Option<Self> {
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let keys = spec.match_label_keys.iter().flatten();
        let same: Labels =
            keys.filter_map(|key| Some((key.clone(), labels.get(key)?.clone()))).collect();
        let selector = Selector::from_label_selector(spec.label_selector.as_ref()).ok()?;
        Some(Constraint {
            key: spec.topology_key.clone(),
            max_skew: i64::from(spec.max_skew),
            min_domains: usize::try_from(spec.min_domains.unwrap_or(1)).unwrap_or(1),
            selectors: vec![selector, Selector::from_map(&same)],
            honor_affinity: spec.node_affinity_policy.as_deref() != Some("Ignore"),
            honor_taints: spec.node_taints_policy.as_deref() == Some("Honor"),
        })
    }

    fn selects(&self, labels: Option<&Labels>) -> bool {
        self.selectors.iter().all(|selector| selector.matches(labels))
    }

    /// How many pods of the namespace on the node count: none when an empty selector selects them.
    fn count(&self, node: &NodeInfo, namespace: &str) -> i64 {
        if self.selectors.iter().all(Selector::is_everything) {
            return 0;
        }
        let counts = |pod: &&std::sync::Arc<PodInfo>| {
            pod.key.namespace == namespace
                && !pods::is_terminating(&pod.pod)
                && self.selects(pod.pod.metadata.labels.as_ref())
        };
        node.pods.iter().filter(counts).count() as i64
    }

    /// Whether the node belongs to the domains over which this constraint spreads.
    fn covers(&self, node: &NodeInfo, pod: &Pod) -> bool {
        let Some(spec) = &pod.spec else { return true };
        let effects = ["NoSchedule", "NoExecute"];
        (!self.honor_affinity || required_node_affinity_matches(spec, &node.node))
            && (!self.honor_taints
                || untolerated_taint(taints(&node.node), tolerations(spec), &effects).is_none())
    }
}

fn constraints_of(pod: &Pod, action: &str) -> Vec<Constraint> {
    let spec = pod.spec.as_ref();
    let all = spec.and_then(|spec| spec.topology_spread_constraints.as_deref());
    let wanted = all.unwrap_or_default().iter().filter(|c| c.when_unsatisfiable == action);
    wanted.filter_map(|constraint| Constraint::read(pod, constraint)).collect()
}

impl FilterPlugin for PodTopologySpread {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let constraints = constraints_of(&pod.pod, "DoNotSchedule");
        if constraints.is_empty() {
            return Ok(Prepared::skip());
        }
        let keys: Vec<String> = constraints.iter().map(|c| c.key.clone()).collect();
        let mut counts = vec![BTreeMap::<String, i64>::new(); constraints.len()];
        let has_all = |node: &&NodeInfo| keys.iter().all(|key| node.label(key).is_some());
        for node in view.nodes.all().iter().filter(has_all) {
            for (constraint, counts) in constraints.iter().zip(&mut counts) {
                if !constraint.covers(node, &pod.pod) {
                    continue;
                }
                let value = node.label(&constraint.key).unwrap_or_default().to_owned();
                *counts.entry(value).or_default() += constraint.count(node, &pod.key.namespace);
            }
        }
        Ok(Prepared::with(Spread { pod, constraints, counts }))
    }
}

struct Spread<'a> {
    pod: &'a PodInfo,
    constraints: Vec<Constraint>,
    /// For each constraint: pods by domain.
    counts: Vec<BTreeMap<String, i64>>,
}

impl Filter for Spread<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        for (constraint, counts) in self.constraints.iter().zip(&self.counts) {
            let Some(domain) = node.label(&constraint.key) else {
                return Err(Rejection::unresolvable(REASON_LABEL));
            };
            let itself = i64::from(constraint.selects(self.pod.pod.metadata.labels.as_ref()));
            let least = if counts.len() < constraint.min_domains {
                0
            } else {
                counts.values().copied().min().unwrap_or(0)
            };
            let here = counts.get(domain).copied().unwrap_or(0);
            if here + itself - least > constraint.max_skew {
                return Err(Rejection::new(REASON));
            }
        }
        Ok(())
    }

    fn add_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        self.change(pod, node, 1);
    }

    fn remove_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        self.change(pod, node, -1);
    }
}

impl Spread<'_> {
    fn change(&mut self, pod: &PodInfo, node: &NodeInfo, by: i64) {
        if pod.key.namespace != self.pod.key.namespace {
            return;
        }
        for (constraint, counts) in self.constraints.iter().zip(&mut self.counts) {
            let count = node.label(&constraint.key).and_then(|domain| counts.get_mut(domain));
            if let Some(count) = count
                && constraint.selects(pod.pod.metadata.labels.as_ref())
            {
                *count += by;
            }
        }
    }
}

impl ScorePlugin for PodTopologySpread {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        view: View<'a>,
        nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        let own = pod.pod.spec.as_ref()?.topology_spread_constraints.as_deref();
        let by_default = own.unwrap_or_default().is_empty();
        let constraints = if by_default {
            default_constraints(&pod.pod, view.cache)
        } else {
            constraints_of(&pod.pod, "ScheduleAnyway")
        };
        if constraints.is_empty() {
            return None;
        }
        let mut score = Evenness {
            pod,
            domains: vec![BTreeMap::new(); constraints.len()],
            weights: Vec::new(),
            need_all: !by_default,
            constraints,
        };
        score.find_domains(nodes);
        score.count(view);
        Some(Box::new(score))
    }
}

/// Prefers domains with fewer pods.
struct Evenness<'a> {
    pod: &'a PodInfo,
    constraints: Vec<Constraint>,
    /// For each constraint other than of single nodes: pods by domain.
    domains: Vec<BTreeMap<String, i64>>,
    weights: Vec<f64>,
    /// Nodes without all the labels are out of the question.
    need_all: bool,
}

impl Evenness<'_> {
    fn find_domains(&mut self, nodes: &[&NodeInfo]) {
        let considered: Vec<&&NodeInfo> =
            nodes.iter().filter(|node| !self.is_ignored(node)).collect();
        for (constraint, domains) in self.constraints.iter().zip(&mut self.domains) {
            let mut size = considered.len();
            if constraint.key != HOSTNAME {
                let values = considered.iter().filter_map(|node| node.label(&constraint.key));
                domains.extend(values.map(|value| (value.to_owned(), 0)));
                size = domains.len();
            }
            // Few domains make large differences: the logarithm evens that out. It is `libm`'s, so that
            // scores are the same natively and in wasm.
            self.weights.push(libm::log((size + 2) as f64));
        }
    }

    fn count(&mut self, view: View<'_>) {
        if self.constraints.iter().all(|constraint| constraint.key == HOSTNAME) {
            return;
        }
        for node in view.nodes.all() {
            if self.is_ignored(node) {
                continue;
            }
            for (constraint, domains) in self.constraints.iter().zip(&mut self.domains) {
                let domain = node.label(&constraint.key).and_then(|value| domains.get_mut(value));
                if let Some(count) = domain
                    && constraint.covers(node, &self.pod.pod)
                {
                    *count += constraint.count(node, &self.pod.key.namespace);
                }
            }
        }
    }

    fn is_ignored(&self, node: &NodeInfo) -> bool {
        self.need_all && self.constraints.iter().any(|c| node.label(&c.key).is_none())
    }
}

impl Score for Evenness<'_> {
    fn score(&self, node: &NodeInfo) -> i64 {
        if self.is_ignored(node) {
            return 0;
        }
        let mut score = 0.0;
        let parts = self.constraints.iter().zip(&self.domains).zip(&self.weights);
        for ((constraint, domains), weight) in parts {
            let Some(domain) = node.label(&constraint.key) else { continue };
            let count = if constraint.key == HOSTNAME {
                constraint.count(node, &self.pod.key.namespace)
            } else {
                domains.get(domain).copied().unwrap_or(0)
            };
            score += count as f64 * weight + (constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize(&self, nodes: &[&NodeInfo], scores: &mut [i64]) {
        let considered = nodes.iter().zip(scores.iter()).filter(|(node, _)| !self.is_ignored(node));
        let (mut least, mut most) = (i64::MAX, 0);
        for (_, score) in considered {
            least = least.min(*score);
            most = most.max(*score);
        }
        for (node, score) in nodes.iter().zip(scores.iter_mut()) {
            *score = match (self.is_ignored(node), most) {
                (true, _) => 0,
                (false, 0) => SCORE_MAX,
                (false, most) => SCORE_MAX * (most + least - *score) / most,
            };
        }
    }
}

/// What holds for pods without constraints of their own that a Service or their controller
/// selects.
fn default_constraints(pod: &Pod, cache: &Cache) -> Vec<Constraint> {
    let selectors = default_selectors(pod, cache);
    if selectors.is_empty() {
        return Vec::new();
    }
    let constraint = |key: &str, max_skew| Constraint {
        key: key.to_owned(),
        max_skew,
        min_domains: 1,
        selectors: selectors.clone(),
        honor_affinity: true,
        honor_taints: false,
    };
    vec![constraint(HOSTNAME, 3), constraint(ZONE, 5)]
}

fn default_selectors(pod: &Pod, cache: &Cache) -> Vec<Selector> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let labels = pod.metadata.labels.as_ref();
    let mut merged = Labels::new();
    for service in cache.list::<Service>(namespace) {
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let Some(selector) = selector.filter(|selector| !selector.is_empty()) else { continue };
        if Selector::from_map(selector).matches(labels) {
            merged.extend(selector.clone());
        }
    }
    let mut owners = pod.metadata.owner_references.iter().flatten();
    let controller = owners.find(|owner| owner.controller == Some(true));
    let of_controller = controller.and_then(|owner| selector_of(owner, namespace, cache));
    let of_services = Some(Selector::from_map(&merged));
    let all = of_services.into_iter().chain(of_controller);
    all.filter(|selector| !selector.is_everything()).collect()
}

/// What a pod's controller selects. Upstream: `DefaultSelector` in
/// `pkg/scheduler/framework/plugins/helper/spread.go`.
fn selector_of(owner: &OwnerReference, namespace: &str, cache: &Cache) -> Option<Selector> {
    let key = Key::new(namespace, owner.name.as_str());
    let selector = match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("v1", "ReplicationController") => {
            let spec = cache.get::<ReplicationController>(&key)?.spec.as_ref()?;
            return Some(Selector::from_map(spec.selector.as_ref()?));
        }
        ("apps/v1", "ReplicaSet") => &cache.get::<ReplicaSet>(&key)?.spec.as_ref()?.selector,
        ("apps/v1", "StatefulSet") => &cache.get::<StatefulSet>(&key)?.spec.as_ref()?.selector,
        _ => return None,
    };
    Selector::from_label_selector(Some(selector)).ok()
}
