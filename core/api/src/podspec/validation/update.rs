//! What an update may change of a pod.
//!
//! Upstream: `ValidatePodUpdate`. What subresources may change is in [`crate::podspec::subresources`].

use super::{Errors, annotations, in_range, metadata_and_spec, scheduling};
use crate::{FieldError, Path, gofmt};
use k8s_openapi::api::core::v1::{
    Affinity, Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration,
};

const ONLY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
                    (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` \
                    (allow it to be set to 1 if it was previously negative)";

/// What is wrong with a pod and with its change.
pub fn update(new: &Pod, old: &Pod) -> Errors {
    let mut errors = metadata_and_spec(new);
    changed_annotations(new, old, &mut errors);
    let none = PodSpec::default();
    let (spec, before) =
        (new.spec.as_deref().unwrap_or(&none), old.spec.as_deref().unwrap_or(&none));
    let path = Path::new("spec");
    let (inits, had_inits) = (init_containers(spec), init_containers(before));
    let lists = [
        ("containers", spec.containers.as_slice(), before.containers.as_slice()),
        ("initContainers", inits, had_inits),
    ];
    for (field, containers, had) in lists {
        if containers.len() != had.len() {
            let detail = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(path.child(field), detail));
            return errors;
        }
    }
    if !deadline(spec, before, &path.child("activeDeadlineSeconds"), &mut errors) {
        return errors;
    }
    tolerations(spec, before, &path.child("tolerations"), &mut errors);
    scheduling_gates(spec, before, &path.child("schedulingGates"), &mut errors);
    if spec == before {
        return errors;
    }
    let mut munged = spec.clone();
    carry_over(&mut munged, before);
    if before.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        gated(&mut munged, before, &path, &mut errors);
    }
    if munged != *before {
        let diff = gofmt::diff("core.PodSpec", before, &munged);
        errors.push(FieldError::forbidden(path, &format!("{ONLY}\n{diff}")));
    }
    errors
}

fn init_containers(spec: &PodSpec) -> &[Container] {
    spec.init_containers.as_deref().unwrap_or_default()
}

fn changed_annotations(new: &Pod, old: &Pod, errors: &mut Errors) {
    let metadata = Path::new("metadata");
    let field = metadata.child("annotations");
    let (new, old) = (&new.metadata.annotations, &old.metadata.annotations);
    if new != old {
        annotations::update(new.as_ref(), old.as_ref(), &field, errors);
    }
}

/// A deadline can be set and brought forward. Answers whether to look further.
fn deadline(new: &PodSpec, old: &PodSpec, field: &Path<'_>, errors: &mut Errors) -> bool {
    let before = errors.len();
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(new), old) => {
            in_range(new, 0..=i64::from(i32::MAX), field, errors);
            if errors.len() == before && old.is_some_and(|old| old < new) {
                let detail = "must be less than or equal to previous value";
                errors.push(FieldError::invalid_raw(field, new, detail));
            }
            errors.len() == before
        }
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(field, "null", detail));
            true
        }
        (None, None) => true,
    }
}

/// Tolerations can be added; of those that are there only the time can change.
fn tolerations(new: &PodSpec, old: &PodSpec, field: &Path<'_>, errors: &mut Errors) {
    let have = new.tolerations.as_deref().unwrap_or_default();
    let stays = |old: &Toleration| {
        have.iter().any(|new| {
            let mut old = old.clone();
            old.toleration_seconds = new.toleration_seconds;
            old == *new
        })
    };
    if old.tolerations.iter().flatten().all(stays) {
        scheduling::tolerations(have, field, errors);
    } else {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden(field, detail));
    }
}

/// Gates only open.
fn scheduling_gates(new: &PodSpec, old: &PodSpec, list: &Path<'_>, errors: &mut Errors) {
    let had = old.scheduling_gates.as_deref().unwrap_or_default();
    for (index, gate) in new.scheduling_gates.iter().flatten().enumerate() {
        if !had.iter().any(|old| old.name == gate.name) {
            let item = list.index(index);
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
            errors.push(FieldError::forbidden(item.child("name"), &detail));
        }
    }
}

/// Puts back what may change, so that the rest can be compared.
fn carry_over(munged: &mut PodSpec, old: &PodSpec) {
    let images = |new: &mut [Container], old: &[Container]| {
        for (new, old) in new.iter_mut().zip(old) {
            new.image.clone_from(&old.image);
        }
    };
    images(&mut munged.containers, &old.containers);
    images(munged.init_containers.as_deref_mut().unwrap_or_default(), init_containers(old));
    munged.active_deadline_seconds = old.active_deadline_seconds;
    munged.scheduling_gates.clone_from(&old.scheduling_gates);
    munged.tolerations.clone_from(&old.tolerations);
    let was_negative = old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0);
    if was_negative && munged.termination_grace_period_seconds == Some(1) {
        munged.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
}

/// A pod behind gates may still be told more about where it has to run.
fn gated(munged: &mut PodSpec, old: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if munged.node_selector != old.node_selector {
        let new = munged.node_selector.as_ref();
        let mut had = old.node_selector.iter().flatten();
        if had.any(|(key, value)| new.and_then(|new| new.get(key)) != Some(value)) {
            let detail = "only additions to spec.nodeSelector are allowed (no mutations or \
                          deletions)";
            let value = gofmt::string_map(new);
            errors.push(FieldError::invalid_raw(path.child("nodeSelector"), value, detail));
        }
        munged.node_selector.clone_from(&old.node_selector);
    }
    let of = |spec: &PodSpec| spec.affinity.as_ref().and_then(|it| it.node_affinity.clone());
    let (new_node, old_node) = (of(munged), of(old));
    if new_node == old_node {
        return;
    }
    let affinity = path.child("affinity");
    let field = affinity.child("nodeAffinity");
    node_affinity(new_node.as_ref(), old_node.as_ref(), &field, errors);
    let affinity = munged.affinity.get_or_insert_default();
    affinity.node_affinity = old_node;
    if old.affinity.is_none() && *affinity == Affinity::default() {
        munged.affinity = None;
    }
}

fn node_affinity(
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    fn terms(affinity: Option<&NodeAffinity>) -> &[NodeSelectorTerm] {
        let required =
            affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
        required.map(|required| required.node_selector_terms.as_slice()).unwrap_or_default()
    }
    let (new, old) = (terms(new), terms(old));
    let path = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    let list = path.child("nodeSelectorTerms");
    if !old.is_empty() && old.len() != new.len() {
        let texts: Vec<String> =
            new.iter().map(|term| gofmt::dump("core.NodeSelectorTerm", term)).collect();
        let value = format!("[]core.NodeSelectorTerm{{{}}}", texts.join(", "));
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(FieldError::invalid_raw(list, value, detail));
        return;
    }
    for (index, (new, old)) in new.iter().zip(old).enumerate() {
        let kept = |new: &Option<Vec<_>>, old: &Option<Vec<_>>| {
            let new: &[_] = new.as_deref().unwrap_or_default();
            let old: &[_] = old.as_deref().unwrap_or_default();
            old.is_empty() && new.is_empty() || old.iter().all(|old| new.contains(old))
        };
        let empty = |term: &NodeSelectorTerm| *term == NodeSelectorTerm::default();
        let adds = kept(&new.match_expressions, &old.match_expressions)
            && kept(&new.match_fields, &old.match_fields);
        // A term that matched nothing must not begin to match.
        if !adds || (empty(old) && !empty(new)) {
            let value = gofmt::dump("core.NodeSelectorTerm", new);
            let detail = "only additions are allowed (no mutations or deletions)";
            errors.push(FieldError::invalid_raw(list.index(index), value, detail));
        }
    }
}
