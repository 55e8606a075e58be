//! What makes validating admission policies and their bindings valid.
//!
//! Upstream: `pkg/apis/admissionregistration/validation/validation.go`.

use super::validation::{
    Errors, Rule, conditions, failure_policy, match_policy, one_of, required_one_of, rule,
};
use crate::cel::RESERVED;
use crate::gofmt::quote_all;
use crate::podspec::validation::all_invalid;
use crate::{FieldError, Path, labels, names};
use k8s_openapi::api::admissionregistration::v1::{
    AuditAnnotation, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation, Variable,
};
use std::collections::BTreeSet;

const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];
const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const ANNOTATIONS_MAX: usize = 20;
const EXPRESSION_BYTES_MAX: usize = 5 * 1024;

/// What is wrong with the spec of the policy of this name.
pub(in crate::kinds) fn policy(name: &str, spec: &ValidatingAdmissionPolicySpec) -> Errors {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    failure_policy(spec.failure_policy.as_deref(), &path.child("failurePolicy"), &mut errors);
    if let Some(kind) = &spec.param_kind {
        param_kind(kind, &path.child("paramKind"), &mut errors);
    }
    let field = path.child("matchConstraints");
    match &spec.match_constraints {
        None => errors.push(FieldError::required(field, "")),
        Some(found) => {
            resources(found, &field, &mut errors);
            if found.resource_rules.iter().flatten().next().is_none() {
                errors.push(FieldError::required(field.child("resourceRules"), ""));
            }
        }
    }
    let matching = spec.match_conditions.as_deref().unwrap_or_default();
    conditions(matching, &path.child("matchConditions"), &mut errors);
    let list = path.child("variables");
    for (index, found) in spec.variables.iter().flatten().enumerate() {
        variable(found, &list.index(index), &mut errors);
    }
    let validations = spec.validations.as_deref().unwrap_or_default();
    let annotations = spec.audit_annotations.as_deref().unwrap_or_default();
    let (of_validations, of_annotations) =
        (path.child("validations"), path.child("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.push(FieldError::required(of_validations, detail));
        errors.push(FieldError::required(of_annotations, detail));
        return errors;
    }
    for (index, found) in validations.iter().enumerate() {
        validation(found, &of_validations.index(index), &mut errors);
    }
    audit_annotations(name, annotations, &of_annotations, &mut errors);
    errors
}

/// What is wrong with the spec of a binding.
pub(in crate::kinds) fn binding(spec: &ValidatingAdmissionPolicyBindingSpec) -> Errors {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let field = path.child("policyName");
    match spec.policy_name.as_deref().unwrap_or_default() {
        "" => errors.push(FieldError::required(field, "")),
        name => all_invalid(names::dns1123_subdomain(name), name, &field, &mut errors),
    }
    if let Some(found) = &spec.param_ref {
        param_ref(found, &path.child("paramRef"), &mut errors);
    }
    if let Some(found) = &spec.match_resources {
        // Upstream's own spelling.
        resources(found, &path.child("matchResouces"), &mut errors);
    }
    let actions = spec.validation_actions.as_deref().unwrap_or_default();
    validation_actions(actions, &path.child("validationActions"), &mut errors);
    errors
}

fn param_kind(kind: &ParamKind, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("apiVersion");
    let api_version = kind.api_version.as_deref().unwrap_or_default();
    let parts: Vec<&str> = api_version.split('/').collect();
    match parts.as_slice() {
        [""] => errors.push(FieldError::required(field, "")),
        [version] | ["", version] if version.is_empty() => {
            errors.push(FieldError::invalid(field, api_version, "version must be specified"));
        }
        [version] => label(version, &field, errors),
        [group, version] => {
            let problems = names::dns1123_subdomain(group);
            if !group.is_empty() && !problems.is_empty() {
                errors.push(FieldError::invalid(field, group, &problems.join(",")));
            }
            match *version {
                "" => {
                    let detail = "version must be specified";
                    errors.push(FieldError::invalid(field, api_version, detail));
                }
                version => label(version, &field, errors),
            }
        }
        _ => {
            let detail = format!("unexpected GroupVersion string: {api_version}");
            errors.push(FieldError::invalid(field, api_version, &detail));
        }
    }
    let field = path.child("kind");
    let name = kind.kind.as_deref().unwrap_or_default();
    let problems = names::dns1035_label(&name.to_lowercase());
    if name.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !problems.is_empty() {
        let detail = problems.join(",");
        let detail = format!("may have mixed case, but should otherwise match: {detail}");
        errors.push(FieldError::invalid(field, name, &detail));
    }
}

fn label(version: &str, field: &Path<'_>, errors: &mut Errors) {
    let problems = names::dns1035_label(version);
    if !problems.is_empty() {
        errors.push(FieldError::invalid(field, version, &problems.join(",")));
    }
}

/// Upstream: `validateMatchResources`.
fn resources(found: &MatchResources, path: &Path<'_>, errors: &mut Errors) {
    match_policy(found.match_policy.as_deref(), &path.child("matchPolicy"), errors);
    for (selector, name) in [
        (&found.namespace_selector, "namespaceSelector"),
        (&found.object_selector, "objectSelector"),
    ] {
        let field = path.child(name);
        match selector {
            None => errors.push(FieldError::required(field, "")),
            Some(selector) => errors.extend(labels::validate_selector(selector, &field)),
        }
    }
    for (rules, name) in [
        (&found.resource_rules, "resourceRules"),
        (&found.exclude_resource_rules, "excludeResourceRules"),
    ] {
        let list = path.child(name);
        for (index, rule) in rules.iter().flatten().enumerate() {
            named_rule(rule, &list.index(index), errors);
        }
    }
}

fn named_rule(found: &NamedRuleWithOperations, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("resourceNames");
    let mut seen = BTreeSet::new();
    for (index, name) in found.resource_names.iter().flatten().enumerate() {
        let field = list.index(index);
        all_invalid(names::path_segment(name), name, &field, errors);
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(field, name));
        }
    }
    let of = Rule {
        groups: found.api_groups.as_deref().unwrap_or_default(),
        versions: found.api_versions.as_deref().unwrap_or_default(),
        operations: found.operations.as_deref().unwrap_or_default(),
        resources: found.resources.as_deref().unwrap_or_default(),
        scope: found.scope.as_deref(),
    };
    rule(&of, path, errors);
}

fn variable(found: &Variable, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("name");
    if found.name.trim().is_empty() {
        errors.push(FieldError::required(field, "name is not specified"));
    } else if !is_identifier(&found.name) {
        let detail = "name is not a valid CEL identifier";
        errors.push(FieldError::invalid(field, &found.name, detail));
    }
    if found.expression.trim().is_empty() {
        let field = path.child("expression");
        errors.push(FieldError::required(field, "expression is not specified"));
    }
}

fn is_identifier(name: &str) -> bool {
    let letter = |char: char| char.is_ascii_alphabetic() || char == '_';
    name.starts_with(letter)
        && name.chars().all(|char| letter(char) || char.is_ascii_digit())
        && !RESERVED.contains(&name)
}

fn validation(found: &Validation, path: &Path<'_>, errors: &mut Errors) {
    if found.expression.trim().is_empty() {
        let field = path.child("expression");
        errors.push(FieldError::required(field, "expression is not specified"));
    }
    if let Some(text) = found.message_expression.as_deref().filter(|text| !text.is_empty())
        && text.trim().is_empty()
    {
        let field = path.child("messageExpression");
        errors.push(FieldError::invalid(field, text, "must be non-empty if specified"));
    }
    let message = found.message.as_deref().unwrap_or_default();
    let field = path.child("message");
    if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid(field, message, "message must be non-empty if specified"));
    } else if message.trim().contains(['\n', '\r']) {
        errors.push(FieldError::invalid(field, message, "message must not contain line breaks"));
    }
    one_of(found.reason.as_deref(), &REASONS, &path.child("reason"), errors);
}

fn audit_annotations(
    policy: &str,
    annotations: &[AuditAnnotation],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if annotations.len() > ANNOTATIONS_MAX {
        let detail = format!("must not have more than {ANNOTATIONS_MAX} auditAnnotations");
        errors.push(FieldError::invalid_hidden(path, &detail));
    }
    let mut seen = BTreeSet::new();
    for (index, annotation) in annotations.iter().enumerate() {
        let item = path.index(index);
        let field = item.child("key");
        if policy.is_empty() {
            let detail = "requires metadata.name be non-empty";
            errors.push(FieldError::invalid(field, &annotation.key, detail));
        } else {
            let key = format!("{policy}/{}", annotation.key);
            all_invalid(names::qualified_name(&key), &key, &field, errors);
        }
        let expression = annotation.value_expression.trim();
        let of_value = item.child("valueExpression");
        if expression.is_empty() {
            errors.push(FieldError::required(of_value, "valueExpression is not specified"));
        } else if expression.len() > EXPRESSION_BYTES_MAX {
            let detail = format!("must not exceed {EXPRESSION_BYTES_MAX} bytes in length");
            errors.push(FieldError::required(of_value, &detail));
        }
        if !seen.insert(&annotation.key) {
            errors.push(FieldError::duplicate(field, &annotation.key));
        }
    }
}

fn param_ref(found: &ParamRef, path: &Path<'_>, errors: &mut Errors) {
    let name = found.name.as_deref().unwrap_or_default();
    let exclusive = "name and selector are mutually exclusive";
    if !name.is_empty() {
        let field = path.child("name");
        all_invalid(names::path_segment(name), name, &field, errors);
        if found.selector.is_some() {
            errors.push(FieldError::forbidden(field, exclusive));
        }
    }
    match &found.selector {
        Some(selector) => {
            let field = path.child("selector");
            errors.extend(labels::validate_selector(selector, &field));
            if !name.is_empty() {
                errors.push(FieldError::forbidden(field, exclusive));
            }
        }
        None if name.is_empty() => {
            let detail = "one of name or selector must be specified";
            errors.push(FieldError::required(path, detail));
        }
        None => {}
    }
    let action = found.parameter_not_found_action.as_deref().filter(|action| !action.is_empty());
    let field = path.child("parameterNotFoundAction");
    required_one_of(action, &["Deny", "Allow"], &field, errors);
}

fn validation_actions(actions: &[String], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, action) in actions.iter().enumerate() {
        let field = path.index(index);
        one_of(Some(action), &ACTIONS, &field, errors);
        if !seen.insert(action.as_str()) {
            errors.push(FieldError::duplicate(field, action));
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let all = format!("[]admissionregistration.ValidationAction{{{}}}", quote_all(actions));
        let detail = "must not contain both Deny and Warn (repeating the same validation failure \
                      information in the API response and headers serves no purpose)";
        errors.push(FieldError::invalid_raw(path, all, detail));
    }
    if seen.is_empty() {
        let detail = "at least one validation action is required";
        errors.push(FieldError::required(path, detail));
    }
}
