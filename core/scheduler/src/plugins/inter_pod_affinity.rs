//! Pods that want to be near others, or far from them.
//!
//! Upstream: `pkg/scheduler/framework/plugins/interpodaffinity`.

use crate::affinity::{PodAffinity, Term};
use crate::framework::{
    ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, SCORE_MAX, Score, ScorePlugin,
    View,
};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use naru_api::Key;
use naru_api::labels::Labels;
use naru_client::Cache;
use std::collections::BTreeMap;

const REASON_AFFINITY: &str = "node(s) didn't match pod affinity rules";
const REASON_ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";
const REASON_EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// What a running pod's required affinity is worth to the pods it wants near it.
/// Upstream: `HardPodAffinityWeight`.
const HARD_WEIGHT: i64 = 1;

/// The plugin.
#[derive(Debug)]
pub struct InterPodAffinity;

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    /// Upstream: `isSchedulableAfterPodChange` and `isSchedulableAfterNodeChange`.
    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        let wants = PodAffinity::of(pod).unwrap_or_default();
        let near = |other: &Pod| {
            !wants.required.is_empty() && wants.required.iter().all(|term| term.may_select(other))
        };
        match event {
            ClusterEvent::NodeAdded(node) => {
                let has = |term: &Term| label(node, term).is_some();
                wants.required.is_empty() || wants.required.iter().any(has)
            }
            ClusterEvent::NodeUpdated { old, new } => {
                let changes = |term: &&Term| label(old, term) != label(new, term);
                let mut near = wants.required.iter().filter(changes);
                let mut far = wants.required_anti.iter().filter(changes);
                near.any(|term| label(new, term).is_some())
                    || far.any(|term| label(old, term).is_some())
            }
            ClusterEvent::PodAssigned(other) => near(other),
            ClusterEvent::PodUpdated { old, new } => {
                let leaves = |term: &Term| term.may_select(old) && !term.may_select(new);
                (!near(old) && near(new)) || wants.required_anti.iter().any(leaves)
            }
            ClusterEvent::PodRemoved(gone) => {
                let theirs = PodAffinity::of(gone).unwrap_or_default().required_anti;
                wants.required_anti.iter().any(|term| term.may_select(gone))
                    || theirs.iter().any(|term| term.may_select(pod))
            }
            ClusterEvent::NodeRemoved(_)
            | ClusterEvent::Storage { .. }
            | ClusterEvent::AttachmentRemoved(_) => false,
        }
    }
}

/// The domain of a term to which the node belongs.
fn label<'a>(node: &'a Node, term: &Term) -> Option<&'a String> {
    node.metadata.labels.as_ref()?.get(&term.topology_key)
}

/// Something counted by topology domain: label and its value.
#[derive(Clone, Debug, Default)]
struct Domains(BTreeMap<String, BTreeMap<String, i64>>);

impl Domains {
    fn add(&mut self, node: &NodeInfo, key: &str, amount: i64) {
        let Some(value) = node.label(key) else { return };
        let by_value = self.0.entry(key.to_owned()).or_default();
        *by_value.entry(value.to_owned()).or_default() += amount;
    }

    fn get(&self, node: &NodeInfo, key: &str) -> i64 {
        let by_value = node.label(key).and_then(|value| self.0.get(key)?.get(value));
        by_value.copied().unwrap_or(0)
    }

    fn any_on(&self, node: &NodeInfo) -> bool {
        self.0.keys().any(|key| self.get(node, key) > 0)
    }

    fn sum_on(&self, node: &NodeInfo) -> i64 {
        self.0.keys().map(|key| self.get(node, key)).sum()
    }

    fn is_zero(&self) -> bool {
        self.0.values().flat_map(BTreeMap::values).all(|count| *count == 0)
    }
}

fn namespace_labels<'a>(cache: &'a Cache, namespace: &str) -> Option<&'a Labels> {
    cache.get::<Namespace>(&Key::new("", namespace))?.metadata.labels.as_ref()
}

impl FilterPlugin for InterPodAffinity {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let mut filter = Rules::new(pod, view);
        for (other, node) in view.nodes.required_anti_affinity() {
            filter.count_existing(other, node, 1);
        }
        let wants = filter.wants;
        if wants.is_some_and(|wants| !wants.required.is_empty() || !wants.required_anti.is_empty())
        {
            for node in view.nodes.all() {
                for other in &node.pods {
                    filter.count_wanted(other, node, 1);
                }
            }
        } else if filter.existing.is_zero() {
            return Ok(Prepared::skip());
        }
        Ok(Prepared::with(filter))
    }
}

struct Rules<'a> {
    pod: &'a PodInfo,
    cache: &'a Cache,
    own_labels: Option<&'a Labels>,
    wants: Option<&'a PodAffinity>,
    /// Domains which running pods keep this one out of.
    existing: Domains,
    /// Pods near which this one must be.
    near: Domains,
    /// Pods near which it must not be.
    far: Domains,
}

impl<'a> Rules<'a> {
    fn new(pod: &'a PodInfo, view: View<'a>) -> Self {
        Rules {
            pod,
            cache: view.cache,
            own_labels: namespace_labels(view.cache, &pod.key.namespace),
            wants: pod.affinity.as_deref(),
            existing: Domains::default(),
            near: Domains::default(),
            far: Domains::default(),
        }
    }

    fn count_existing(&mut self, other: &PodInfo, node: &NodeInfo, by: i64) {
        for term in other.affinity.iter().flat_map(|affinity| &affinity.required_anti) {
            if term.selects(&self.pod.pod, self.own_labels) {
                self.existing.add(node, &term.topology_key, by);
            }
        }
    }

    fn count_wanted(&mut self, other: &PodInfo, node: &NodeInfo, by: i64) {
        let Some(wants) = self.wants else { return };
        let labels = namespace_labels(self.cache, &other.key.namespace);
        let selects = |term: &Term| term.selects(&other.pod, labels);
        if !wants.required.is_empty() && wants.required.iter().all(selects) {
            for term in &wants.required {
                self.near.add(node, &term.topology_key, by);
            }
        }
        for term in wants.required_anti.iter().filter(|term| selects(term)) {
            self.far.add(node, &term.topology_key, by);
        }
    }

    fn is_near(&self, node: &NodeInfo, required: &[Term]) -> bool {
        let labelled = required.iter().all(|term| node.label(&term.topology_key).is_some());
        let near = required.iter().all(|term| self.near.get(node, &term.topology_key) > 0);
        // The first of a group that wants to be together has nobody to be near.
        let first = || {
            self.near.is_zero()
                && required.iter().all(|term| term.selects(&self.pod.pod, self.own_labels))
        };
        labelled && (near || first())
    }
}

impl Filter for Rules<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if let Some(wants) = self.wants {
            if !self.is_near(node, &wants.required) {
                return Err(Rejection::unresolvable(REASON_AFFINITY));
            }
            let far = |term: &Term| self.far.get(node, &term.topology_key) == 0;
            if !wants.required_anti.iter().all(far) {
                return Err(Rejection::new(REASON_ANTI_AFFINITY));
            }
        }
        if self.existing.any_on(node) {
            return Err(Rejection::new(REASON_EXISTING));
        }
        Ok(())
    }

    fn add_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        self.count_existing(pod, node, 1);
        self.count_wanted(pod, node, 1);
    }

    fn remove_pod(&mut self, pod: &PodInfo, node: &NodeInfo) {
        self.count_existing(pod, node, -1);
        self.count_wanted(pod, node, -1);
    }
}

impl ScorePlugin for InterPodAffinity {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        let wants = pod.affinity.as_ref().filter(|affinity| !affinity.preferred.is_empty());
        if wants.is_none() && !view.nodes.any_affinity() {
            return None;
        }
        let own_labels = namespace_labels(view.cache, &pod.key.namespace);
        let mut liked = Domains::default();
        for (other, node) in view.nodes.affinity() {
            let Some(affinity) = &other.affinity else { continue };
            let hard = affinity.required.iter().map(|term| (HARD_WEIGHT, term));
            let soft = affinity.preferred.iter().map(|(weight, term)| (*weight, term));
            for (weight, term) in hard.chain(soft) {
                if term.selects(&pod.pod, own_labels) {
                    liked.add(node, &term.topology_key, weight);
                }
            }
        }
        if let Some(wants) = wants {
            for node in view.nodes.all() {
                for other in &node.pods {
                    let labels = namespace_labels(view.cache, &other.key.namespace);
                    for (weight, term) in &wants.preferred {
                        if term.selects(&other.pod, labels) {
                            liked.add(node, &term.topology_key, *weight);
                        }
                    }
                }
            }
        }
        (!liked.is_zero()).then(|| Box::new(Liked(liked)) as Box<dyn Score>)
    }
}

struct Liked(Domains);

impl Score for Liked {
    fn score(&self, node: &NodeInfo) -> i64 {
        self.0.sum_on(node)
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        let least = scores.iter().copied().min().unwrap_or(0);
        let range = scores.iter().copied().max().unwrap_or(0) - least;
        for score in scores {
            // By fractions, as upstream does it: they come out below what is exact at times.
            let share = (*score - least) as f64 / range.max(1) as f64;
            *score = (SCORE_MAX as f64 * share) as i64;
        }
    }
}
