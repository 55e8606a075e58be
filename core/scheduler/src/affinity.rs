//! Terms of affinity between pods, read once for each pod.
//!
//! Upstream: `AffinityTerm` in `pkg/scheduler/framework/types.go`.

use k8s_openapi::api::core::v1::{Pod, PodAffinityTerm, WeightedPodAffinityTerm};
use naru_api::labels::{Labels, Selector};
use std::collections::BTreeSet;

/// What a pod wants of the pods around it.
#[derive(Clone, Debug, Default)]
pub struct PodAffinity {
    /// Must be near pods that these select.
    pub required: Vec<Term>,
    /// Must not be near pods that these select.
    pub required_anti: Vec<Term>,
    /// Would like to be near; negative weights: would like not to be.
    pub preferred: Vec<(i64, Term)>,
}

/// Selects pods in a topology domain.
#[derive(Clone, Debug)]
pub struct Term {
    namespaces: BTreeSet<String>,
    namespace_selector: Selector,
    selects_namespaces: bool,
    selector: Selector,
    /// The node label whose value names the domain.
    pub topology_key: String,
}

impl PodAffinity {
    /// What the pod wants; `None` when it wants nothing.
    pub fn of(pod: &Pod) -> Option<Self> {
        let affinity = pod.spec.as_ref()?.affinity.as_ref()?;
        let mut all = PodAffinity::default();
        if let Some(near) = &affinity.pod_affinity {
            all.required = required(pod, &near.required_during_scheduling_ignored_during_execution);
            let list = &near.preferred_during_scheduling_ignored_during_execution;
            all.preferred.extend(preferred(pod, list, 1));
        }
        if let Some(far) = &affinity.pod_anti_affinity {
            all.required_anti =
                required(pod, &far.required_during_scheduling_ignored_during_execution);
            let list = &far.preferred_during_scheduling_ignored_during_execution;
            all.preferred.extend(preferred(pod, list, -1));
        }
        let nothing =
            all.required.is_empty() && all.required_anti.is_empty() && all.preferred.is_empty();
        (!nothing).then_some(all)
    }
}

impl Term {
    /// Whether the term selects this pod, which lives in a namespace with these labels.
    pub fn selects(&self, pod: &Pod, namespace_labels: Option<&Labels>) -> bool {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        (self.namespaces.contains(namespace) || self.namespace_selector.matches(namespace_labels))
            && self.selector.matches(pod.metadata.labels.as_ref())
    }

    /// Whether the term selects this pod, as far as can be told without its namespace's labels.
    pub fn may_select(&self, pod: &Pod) -> bool {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        (self.namespaces.contains(namespace) || self.selects_namespaces)
            && self.selector.matches(pod.metadata.labels.as_ref())
    }

    fn new(pod: &Pod, term: &PodAffinityTerm) -> Option<Self> {
        let mut namespaces: BTreeSet<String> = term.namespaces.iter().flatten().cloned().collect();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.extend(pod.metadata.namespace.clone());
        }
        Some(Term {
            namespaces,
            selects_namespaces: term.namespace_selector.is_some(),
            namespace_selector: Selector::from_label_selector(term.namespace_selector.as_ref())
                .ok()?,
            selector: Selector::from_label_selector(term.label_selector.as_ref()).ok()?,
            topology_key: term.topology_key.clone(),
        })
    }
}

fn required(pod: &Pod, terms: &Option<Vec<PodAffinityTerm>>) -> Vec<Term> {
    terms.iter().flatten().filter_map(|term| Term::new(pod, term)).collect()
}

fn preferred(
    pod: &Pod,
    terms: &Option<Vec<WeightedPodAffinityTerm>>,
    sign: i64,
) -> impl Iterator<Item = (i64, Term)> {
    terms.iter().flatten().filter_map(move |weighted| {
        let term = Term::new(pod, &weighted.pod_affinity_term)?;
        Some((sign * i64::from(weighted.weight), term))
    })
}
