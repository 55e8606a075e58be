//! Labels of nodes that are deprecated, and selectors of nodes.
//!
//! Upstream: `pkg/api/node/util.go`, `ValidateNodeSelector` in
//! `pkg/apis/core/validation/validation.go`.

use crate::podspec::validation::all_invalid;
use crate::{FieldError, Path, names};
use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Why a label of nodes should not be used any more; `None` for all others.
pub fn deprecation(label: &str) -> Option<&'static str> {
    Some(match label {
        "beta.kubernetes.io/arch" => "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os" => "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"
        }
        "failure-domain.beta.kubernetes.io/zone" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"
        }
        "beta.kubernetes.io/instance-type" => {
            "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"
        }
        "app.kubernetes.io/created-by" => "deprecated since v1.9",
        "scheduler.alpha.kubernetes.io/preferAvoidPods" => {
            "deprecated since v1.22; use Taints and Tolerations instead"
        }
        "node-role.kubernetes.io/master" => "use \"node-role.kubernetes.io/control-plane\" instead",
        _ => return None,
    })
}

/// The deprecated labels that a term of a node selector names.
///
/// Upstream: `GetWarningsForNodeSelectorTerm`.
pub fn term_warnings(term: &NodeSelectorTerm, path: &Path<'_>) -> Vec<String> {
    let list = path.child("matchExpressions");
    let keys = term.match_expressions.iter().flatten().map(|expression| expression.key.as_str());
    keys.enumerate().filter_map(|(index, key)| key_warning(key, &list.index(index))).collect()
}

/// The deprecated labels that a selector of nodes names.
///
/// Upstream: `GetWarningsForNodeSelector`.
pub fn selector_warnings(selector: &LabelSelector, path: &Path<'_>) -> Vec<String> {
    let list = path.child("matchExpressions");
    let expressions = selector.match_expressions.iter().flatten();
    let keys = expressions.map(|expression| expression.key.as_str()).enumerate();
    let mut warnings: Vec<String> =
        keys.filter_map(|(index, key)| key_warning(key, &list.index(index))).collect();
    let labels = path.child("matchLabels");
    for key in selector.match_labels.iter().flatten().map(|(key, _)| key) {
        warnings.extend(deprecation(key).map(|why| format!("{}: {why}", labels.child(key))));
    }
    warnings
}

fn key_warning(key: &str, item: &Path<'_>) -> Option<String> {
    deprecation(key).map(|why| format!("{}: {key} is {why}", item.child("key")))
}

/// What is wrong with a selector of nodes.
pub fn validate_selector(selector: &NodeSelector, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let terms = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.push(FieldError::required(terms, "must have at least one node selector term"));
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        errors.extend(validate_term(term, &terms.index(index)));
    }
    errors
}

/// What is wrong with a term of a node selector.
pub fn validate_term(term: &NodeSelectorTerm, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let list = path.child("matchExpressions");
    for (index, expression) in term.match_expressions.iter().flatten().enumerate() {
        validate_expression(expression, &list.index(index), &mut errors);
    }
    let list = path.child("matchFields");
    for (index, expression) in term.match_fields.iter().flatten().enumerate() {
        validate_field(expression, &list.index(index), &mut errors);
    }
    errors
}

fn validate_expression(
    expression: &NodeSelectorRequirement,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let values = expression.values.as_deref().unwrap_or_default();
    let list = item.child("values");
    match (expression.operator.as_str(), values) {
        ("In" | "NotIn", []) => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(list, detail));
        }
        ("Exists" | "DoesNotExist", [_, ..]) => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(list, detail));
        }
        ("Gt" | "Lt", [_]) => {}
        ("Gt" | "Lt", _) => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(list, detail));
        }
        ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
        (operator, _) => errors.push(unknown_operator(operator, item)),
    }
    let key = &expression.key;
    all_invalid(names::qualified_name(key), key, &item.child("key"), errors);
    for (index, value) in values.iter().enumerate() {
        all_invalid(names::label_value(value), value, &list.index(index), errors);
    }
}

/// Upstream: `ValidateNodeFieldSelectorRequirement`.
fn validate_field(
    expression: &NodeSelectorRequirement,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let values = expression.values.as_deref().unwrap_or_default();
    let list = item.child("values");
    match expression.operator.as_str() {
        "In" | "NotIn" if values.len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field \
                          selector";
            errors.push(FieldError::required(list, detail));
        }
        "In" | "NotIn" => {}
        operator => errors.push(unknown_operator(operator, item)),
    }
    if expression.key != "metadata.name" {
        let detail = "not a valid field selector key";
        errors.push(FieldError::invalid(item.child("key"), &expression.key, detail));
        return;
    }
    for (index, value) in values.iter().enumerate() {
        all_invalid(names::dns1123_subdomain(value), value, &list.index(index), errors);
    }
}

fn unknown_operator(operator: &str, item: &Path<'_>) -> FieldError {
    FieldError::invalid(item.child("operator"), operator, "not a valid selector operator")
}
