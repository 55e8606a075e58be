//! Where a pod may run: affinity, tolerations, spreading, gates.
//!
//! Upstream: `validateAffinity`, `ValidateTolerations`, `validateTopologySpreadConstraints`,
//! `validateSchedulingGates`, `validateReadinessGates`.

use super::{Errors, all_invalid, known_or_none};
use crate::{FieldError, Path, labels, names};
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec,
    Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NO_SELECTOR: &str = "must not be specified when labelSelector is not set";

/// What is wrong with `affinity`.
pub(super) fn affinity(affinity: &Affinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(node) = &affinity.node_affinity {
        node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pods) = &affinity.pod_affinity {
        let required = pods.required_during_scheduling_ignored_during_execution.as_deref();
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.as_deref();
        pod_affinity(required, preferred, &path.child("podAffinity"), errors);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let required = pods.required_during_scheduling_ignored_during_execution.as_deref();
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.as_deref();
        pod_affinity(required, preferred, &path.child("podAntiAffinity"), errors);
    }
}

fn node_affinity(affinity: &NodeAffinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = path.child(REQUIRED);
        let list = path.child("nodeSelectorTerms");
        if required.node_selector_terms.is_empty() {
            errors.push(FieldError::required(list, "must have at least one node selector term"));
        }
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            node_term(term, true, &list.index(index), errors);
        }
    }
    let preferred = affinity.preferred_during_scheduling_ignored_during_execution.as_deref();
    let list = path.child(PREFERRED);
    for (index, term) in preferred.unwrap_or_default().iter().enumerate() {
        let item = list.index(index);
        weight(term.weight, &item, errors);
        // What is only preferred may have values that no label can have.
        node_term(&term.preference, false, &item.child("preference"), errors);
    }
}

fn weight(weight: i32, item: &Path<'_>, errors: &mut Errors) {
    if !(1..=100).contains(&weight) {
        let field = item.child("weight");
        errors.push(FieldError::invalid_raw(field, weight, "must be in the range 1-100"));
    }
}

fn node_term(term: &NodeSelectorTerm, check_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("matchExpressions");
    for (index, requirement) in term.match_expressions.iter().flatten().enumerate() {
        node_label(requirement, check_values, &list.index(index), errors);
    }
    let list = path.child("matchFields");
    for (index, requirement) in term.match_fields.iter().flatten().enumerate() {
        node_field(requirement, &list.index(index), errors);
    }
}

fn node_label(
    requirement: &NodeSelectorRequirement,
    check_values: bool,
    item: &Path<'_>,
    errors: &mut Errors,
) {
    let values = requirement.values.as_deref().unwrap_or_default();
    let field = item.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(field, detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(field, detail));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(field, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(item.child("operator"), other, detail));
        }
    }
    let key = &requirement.key;
    all_invalid(names::qualified_name(key), key, &item.child("key"), errors);
    for (index, value) in values.iter().enumerate().filter(|_| check_values) {
        all_invalid(names::label_value(value), value, &field.index(index), errors);
    }
}

fn node_field(requirement: &NodeSelectorRequirement, item: &Path<'_>, errors: &mut Errors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    let field = item.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.len() != 1 => {
            let detail =
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(FieldError::required(field, detail));
        }
        "In" | "NotIn" => {}
        other => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(item.child("operator"), other, detail));
        }
    }
    if requirement.key != "metadata.name" {
        let detail = "not a valid field selector key";
        errors.push(FieldError::invalid(item.child("key"), &requirement.key, detail));
        return;
    }
    for (index, value) in values.iter().enumerate() {
        all_invalid(names::dns1123_subdomain(value), value, &field.index(index), errors);
    }
}

fn pod_affinity(
    required: Option<&[PodAffinityTerm]>,
    preferred: Option<&[WeightedPodAffinityTerm]>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child(REQUIRED);
    for (index, term) in required.unwrap_or_default().iter().enumerate() {
        pod_term(term, &list.index(index), errors);
    }
    let list = path.child(PREFERRED);
    for (index, term) in preferred.unwrap_or_default().iter().enumerate() {
        let item = list.index(index);
        weight(term.weight, &item, errors);
        pod_term(&term.pod_affinity_term, &item.child("podAffinityTerm"), errors);
    }
}

fn pod_term(term: &PodAffinityTerm, item: &Path<'_>, errors: &mut Errors) {
    let selectors =
        [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)];
    for (field, selector) in selectors {
        if let Some(selector) = selector {
            errors.extend(labels::validate_selector(selector, &item.child(field)));
        }
    }
    for namespace in term.namespaces.iter().flatten() {
        let problems = names::dns1123_label(namespace);
        all_invalid(problems, namespace, &item.child("namespace"), errors);
    }
    let matching = term.match_label_keys.as_deref().unwrap_or_default();
    let mismatching = term.mismatch_label_keys.as_deref().unwrap_or_default();
    for (field, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)] {
        let list = item.child(field);
        if !keys.is_empty() && term.label_selector.is_none() {
            errors.push(FieldError::forbidden(list, NO_SELECTOR));
            continue;
        }
        for (index, key) in keys.iter().enumerate() {
            all_invalid(names::qualified_name(key), key, &list.index(index), errors);
        }
    }
    let list = item.child("matchLabelKeys");
    for (index, key) in matching.iter().enumerate().filter(|(_, key)| mismatching.contains(key)) {
        let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
        errors.push(FieldError::invalid(list.index(index), key, detail));
    }
    let (field, key) = (item.child("topologyKey"), &term.topology_key);
    if key.is_empty() {
        errors.push(FieldError::required(field, "can not be empty"));
    }
    all_invalid(names::qualified_name(key), key, &field, errors);
}

/// What is wrong with `topologySpreadConstraints`.
pub(super) fn topology_spread(spec: &PodSpec, list: &Path<'_>, errors: &mut Errors) {
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    for (index, constraint) in constraints.iter().enumerate() {
        let rest = constraints.get(index + 1..).unwrap_or_default();
        spread(constraint, rest, &list.index(index), errors);
    }
}

fn spread(
    constraint: &TopologySpreadConstraint,
    rest: &[TopologySpreadConstraint],
    item: &Path<'_>,
    errors: &mut Errors,
) {
    positive(constraint.max_skew, &item.child("maxSkew"), errors);
    if constraint.topology_key.is_empty() {
        errors.push(FieldError::required(item.child("topologyKey"), "can not be empty"));
    }
    let action = constraint.when_unsatisfiable.as_str();
    const ACTIONS: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];
    known_or_none(Some(action), ACTIONS, &item.child("whenUnsatisfiable"), errors);
    let same = |other: &TopologySpreadConstraint| {
        (&other.topology_key, &other.when_unsatisfiable)
            == (&constraint.topology_key, &constraint.when_unsatisfiable)
    };
    if rest.iter().any(same) {
        let field = item.child("{topologyKey, whenUnsatisfiable}");
        let text = format!("{{{}, {action}}}", constraint.topology_key);
        errors.push(FieldError::duplicate(field, &text));
    }
    if let Some(domains) = constraint.min_domains {
        let field = item.child("minDomains");
        positive(domains, &field, errors);
        if action != "DoNotSchedule" {
            let detail =
                format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
            errors.push(FieldError::invalid_raw(field, domains, &detail));
        }
    }
    let policies = [
        ("nodeAffinityPolicy", &constraint.node_affinity_policy),
        ("nodeTaintsPolicy", &constraint.node_taints_policy),
    ];
    for (field, policy) in policies {
        known_or_none(policy.as_deref(), &["Honor", "Ignore"], &item.child(field), errors);
    }
    let keys = constraint.match_label_keys.as_deref().unwrap_or_default();
    let selector = constraint.label_selector.as_ref();
    match_label_keys(keys, selector, &item.child("matchLabelKeys"), errors);
    if let Some(selector) = selector {
        errors.extend(labels::validate_selector(selector, &item.child("labelSelector")));
    }
}

fn match_label_keys(
    keys: &[String],
    selector: Option<&LabelSelector>,
    list: &Path<'_>,
    errors: &mut Errors,
) {
    if !keys.is_empty() && selector.is_none() {
        errors.push(FieldError::forbidden(list, NO_SELECTOR));
    }
    let selects = |key: &String| {
        let Some(selector) = selector else { return false };
        selector.match_labels.as_ref().is_some_and(|labels| labels.contains_key(key))
            || selector.match_expressions.iter().flatten().any(|other| other.key == *key)
    };
    for (index, key) in keys.iter().enumerate() {
        let item = list.index(index);
        all_invalid(names::qualified_name(key), key, &item, errors);
        if selects(key) {
            let detail = "exists in both matchLabelKeys and labelSelector";
            errors.push(FieldError::invalid(item, key, detail));
        }
    }
}

fn positive(number: i32, field: &Path<'_>, errors: &mut Errors) {
    if number <= 0 {
        errors.push(FieldError::invalid_raw(field, number, "must be greater than zero"));
    }
}

/// What is wrong with the gates: of readiness, of scheduling.
pub(super) fn gates(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let item = list.index(index);
        let problems = names::qualified_name(&gate.condition_type);
        all_invalid(problems, &gate.condition_type, &item.child("conditionType"), errors);
    }
    let list = path.child("schedulingGates");
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let item = list.index(index);
        all_invalid(names::qualified_name(&gate.name), &gate.name, &item, errors);
        if !seen.insert(&gate.name) {
            errors.push(FieldError::duplicate(item, &gate.name));
        }
    }
}

/// What is wrong with `tolerations`.
pub(super) fn tolerations(tolerations: &[Toleration], list: &Path<'_>, errors: &mut Errors) {
    for (index, toleration) in tolerations.iter().enumerate() {
        self::toleration(toleration, &list.index(index), errors);
    }
}

/// What is wrong with a toleration.
pub(crate) fn toleration(toleration: &Toleration, item: &Path<'_>, errors: &mut Errors) {
    let key = toleration.key.as_deref().unwrap_or_default();
    let operator = toleration.operator.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !key.is_empty() {
        all_invalid(names::qualified_name(key), key, &item.child("key"), errors);
    }
    if key.is_empty() && operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values \
                      and all keys\"";
        errors.push(FieldError::invalid(item.child("operator"), operator, detail));
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(item.child("effect"), effect, detail));
    }
    match operator {
        "Equal" | "" => {
            let problems = names::label_value(value);
            if let Some(problem) = (!problems.is_empty()).then(|| problems.join(";")) {
                errors.push(FieldError::invalid(item.child("operator"), value, &problem));
            }
        }
        "Exists" if !value.is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(item.child("operator"), value, detail));
        }
        "Exists" => {}
        other => {
            let known = &["Equal", "Exists"];
            errors.push(FieldError::not_supported(item.child("operator"), other, known));
        }
    }
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        errors.push(FieldError::not_supported(item.child("effect"), effect, EFFECTS));
    }
}
