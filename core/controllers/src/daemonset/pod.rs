//! What a DaemonSet's pods are made of, and where they may run.
//!
//! Upstream: `pkg/controller/daemon/util/daemonset_util.go`, `NodeShouldRunDaemonPod` in
//! `pkg/controller/daemon/daemon_controller.go`.

use super::State;
use crate::history::REVISION_LABEL;
use k8s_openapi::Shared;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec,
    Toleration,
};
use naru_api::pods;
use naru_api::scheduling::{
    required_node_affinity_matches, taints, tolerations, untolerated_taint,
};

pub const TEMPLATE_GENERATION: &str = "pod-template-generation";
const TEMPLATE_GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// The template's generation, which older clusters told pods by.
pub fn template_generation(ds: &DaemonSet) -> Option<&String> {
    ds.metadata.annotations.as_ref()?.get(TEMPLATE_GENERATION_ANNOTATION)
}

/// The spec of the pods, but for the node: bearing what nodes in trouble have.
pub fn spec_of(ds: &DaemonSet) -> Shared<PodSpec> {
    let template = ds.spec.as_ref().and_then(|spec| spec.template.spec.clone());
    let mut spec = template.unwrap_or_default();
    add_tolerations(&mut spec);
    spec
}

/// Whether a pod should be on the node, and whether one that is there may stay.
pub fn should_run(spec: &PodSpec, node: &Node) -> (bool, bool) {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let wanted = spec.node_name.as_deref().unwrap_or_default();
    if !(wanted.is_empty() || wanted == name) || !required_node_affinity_matches(spec, node) {
        return (false, false);
    }
    let untolerated =
        |effects: &[&str]| untolerated_taint(taints(node), tolerations(spec), effects).is_some();
    if untolerated(&["NoSchedule", "NoExecute"]) {
        return (false, !untolerated(&["NoExecute"]));
    }
    (true, true)
}

impl State<'_> {
    /// The template of all pods, but for the node.
    pub(super) fn template(&self) -> PodTemplateSpec {
        let mut template = self.spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(REVISION_LABEL.to_owned(), self.hash.clone());
        if let Some(generation) = template_generation(self.ds) {
            labels.insert(TEMPLATE_GENERATION.to_owned(), generation.clone());
        }
        template.spec = Some(self.pod_spec.clone());
        template
    }
}

/// The node that the pod is on, or that it was made for.
pub fn target_node(pod: &Pod) -> String {
    let name = pods::node_name(pod);
    if !name.is_empty() {
        return name.to_owned();
    }
    let terms = pod
        .spec
        .as_deref()
        .and_then(naru_api::scheduling::required_node_affinity)
        .map(|selector| selector.node_selector_terms.as_slice());
    let fields =
        terms.unwrap_or_default().iter().flat_map(|term| term.match_fields.iter().flatten());
    let named = fields.filter(|field| field.key == "metadata.name");
    named.flat_map(|field| field.values.iter().flatten()).next().cloned().unwrap_or_default()
}

/// Lets the scheduler place the pod on this node and no other. What else the template asks of
/// nodes this node was chosen by.
pub fn set_node(template: &mut PodTemplateSpec, node: &str) {
    let by_name = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term =
        NodeSelectorTerm { match_fields: Some(vec![by_name]), ..NodeSelectorTerm::default() };
    let spec = template.spec.get_or_insert_default();
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    affinity.required_during_scheduling_ignored_during_execution =
        Some(NodeSelector { node_selector_terms: vec![term] });
}

/// Daemons run on nodes in trouble, too. Upstream: `AddOrUpdateDaemonPodTolerations`.
fn add_tolerations(spec: &mut PodSpec) {
    let mut taints = vec![
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    if spec.host_network == Some(true) {
        taints.push(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in taints {
        let toleration = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        let same = |old: &&mut Toleration| {
            old.key == toleration.key && old.effect == toleration.effect && {
                old.operator == toleration.operator && old.value == toleration.value
            }
        };
        match tolerations.iter_mut().find(same) {
            Some(old) => *old = toleration,
            None => tolerations.push(toleration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_made_for_one_node() {
        let mut template = PodTemplateSpec::default();
        set_node(&mut template, "n1");
        let pod = Pod { spec: template.spec, ..Pod::default() };
        assert_eq!(target_node(&pod), "n1");
    }

    #[test]
    fn only_daemons_on_the_hosts_network_start_before_the_network() {
        for (host_network, count) in [(None, 6), (Some(true), 7)] {
            let mut spec = PodSpec { host_network, ..PodSpec::default() };
            add_tolerations(&mut spec);
            add_tolerations(&mut spec);
            assert_eq!(spec.tolerations.unwrap().len(), count);
        }
    }
}
