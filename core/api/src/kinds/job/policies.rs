//! When pods of a job fail for good, and when enough of them have succeeded.
//!
//! Upstream: `validatePodFailurePolicy`, `validateSuccessPolicy` in
//! `pkg/apis/batch/validation/validation.go`.

use super::indexes;
use crate::gofmt::quote_words;
use crate::podspec::validation::{all_invalid, not_negative};
use crate::{FieldError, Path, names};
use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
};
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

const FAILURE_RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
const SUCCESS_RULES_MAX: usize = 20;
const INDEXES_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with a `podFailurePolicy`.
pub(super) fn pod_failure(
    policy: &PodFailurePolicy,
    spec: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child("rules");
    if policy.rules.len() > FAILURE_RULES_MAX {
        errors.push(FieldError::too_many(list, policy.rules.len(), FAILURE_RULES_MAX as i64));
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        failure_rule(rule, spec, &list.index(index), errors);
    }
}

fn failure_rule(rule: &PodFailurePolicyRule, spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
    let field = path.child("action");
    match one_of(&rule.action, ACTIONS, &field, errors) {
        Some("FailIndex") if spec.backoff_limit_per_index.is_none() => {
            let detail = "requires the backoffLimitPerIndex to be set";
            errors.push(FieldError::invalid(field, &rule.action, detail));
        }
        _ => {}
    }
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(codes, spec, &path.child("onExitCodes"), errors);
    }
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    pod_conditions(conditions, &path.child("onPodConditions"), errors);
    let detail = match (&rule.on_exit_codes, conditions.is_empty()) {
        (Some(_), false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (None, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(FieldError::invalid_hidden(path, detail));
}

fn pod_conditions(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    list: &Path<'_>,
    errors: &mut Errors,
) {
    if patterns.len() > CONDITIONS_MAX {
        errors.push(FieldError::too_many(list, patterns.len(), CONDITIONS_MAX as i64));
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let item = list.index(index);
        let problems = names::qualified_name(&pattern.type_);
        all_invalid(problems, &pattern.type_, &item.child("type"), errors);
        one_of(&pattern.status, &["False", "True", "Unknown"], &item.child("status"), errors);
    }
}

fn exit_codes(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    spec: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    one_of(&codes.operator, &["In", "NotIn"], &path.child("operator"), errors);
    let pod = spec.template.spec.as_ref();
    let mut containers = pod
        .into_iter()
        .flat_map(|pod| pod.containers.iter().chain(pod.init_containers.iter().flatten()));
    if let Some(name) = &codes.container_name
        && !containers.any(|container| container.name == *name)
    {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.push(FieldError::invalid(path.child("containerName"), name, detail));
    }
    let list = path.child("values");
    let go_values = || {
        let texts: Vec<String> = codes.values.iter().map(i32::to_string).collect();
        format!("[]int32{{{}}}", texts.join(", "))
    };
    if codes.values.is_empty() {
        errors.push(FieldError::invalid_raw(list, go_values(), "at least one value is required"));
    } else if codes.values.len() > EXIT_CODES_MAX {
        errors.push(FieldError::too_many(list, codes.values.len(), EXIT_CODES_MAX as i64));
    }
    let mut seen = BTreeSet::new();
    for (index, code) in codes.values.iter().enumerate() {
        let item = list.index(index);
        if codes.operator == "In" && *code == 0 {
            errors.push(FieldError::invalid_raw(item, code, "must not be 0 for the In operator"));
        }
        if !seen.insert(code) {
            errors.push(FieldError::duplicate_raw(item, code));
        }
    }
    if !codes.values.is_sorted() {
        errors.push(FieldError::invalid_raw(list, go_values(), "must be ordered"));
    }
}

/// What is wrong with a `successPolicy` of an indexed job.
pub(super) fn success(
    policy: &SuccessPolicy,
    spec: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child("rules");
    if policy.rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(list, detail));
    }
    if policy.rules.len() > SUCCESS_RULES_MAX {
        errors.push(FieldError::too_many(list, policy.rules.len(), SUCCESS_RULES_MAX as i64));
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        let completions = spec.completions.unwrap_or(0);
        success_rule(rule, completions, &list.index(index), errors);
    }
}

fn success_rule(rule: &SuccessPolicyRule, completions: i32, path: &Path<'_>, errors: &mut Errors) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(path, detail));
    }
    let mut named = 0;
    if let Some(list) = &rule.succeeded_indexes {
        let field = path.child("succeededIndexes");
        if list.len() > INDEXES_BYTES_MAX {
            errors.push(FieldError::too_long(field, INDEXES_BYTES_MAX));
        }
        match indexes::count(list, completions) {
            Ok(count) => named = count,
            Err(error) => {
                let detail = format!("error parsing succeededIndexes: {error}");
                errors.push(FieldError::invalid(field, list, &detail));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let field = path.child("succeededCount");
    not_negative(Some(count), &field, errors);
    let mut at_most = |max: i32, what: &str| {
        if count > max {
            let detail = format!("must be less than or equal to {max} (the number of {what})");
            errors.push(FieldError::invalid_raw(field, count, &detail));
        }
    };
    at_most(completions, "specified completions");
    if rule.succeeded_indexes.is_some() {
        at_most(named, "indexes in the specified succeededIndexes field");
    }
}

/// A value that must be there and be one of a few; the value when it is.
fn one_of<'a>(
    value: &'a str,
    known: &[&str],
    field: &Path<'_>,
    errors: &mut Errors,
) -> Option<&'a str> {
    if value.is_empty() {
        let detail = format!("valid values: {}", quote_words(known));
        errors.push(FieldError::required(field, &detail));
        return None;
    }
    if !known.contains(&value) {
        errors.push(FieldError::not_supported(field, value, known));
        return None;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, texts};
    use super::super::validation;
    use serde_json::{Value, json};

    fn errors(spec: Value) -> Vec<String> {
        texts(validation::job(&job(spec), true))
    }

    #[test]
    fn failure_rules() {
        let rule = |rule: Value| json!({"podFailurePolicy": {"rules": [rule]}});
        let codes = |codes: Value| rule(json!({"action": "FailJob", "onExitCodes": codes}));
        let table = [
            (codes(json!({"operator": "In", "values": [1, 2]})), vec![]),
            (
                rule(json!({"action": ""})),
                vec![
                    "spec.podFailurePolicy.rules[0].action: Required value: valid values: \
                     [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
                    "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes \
                     and OnPodConditions is required",
                ],
            ),
            (
                rule(json!({"action": "FailIndex", "onPodConditions": [{"type": "A"}]})),
                vec![
                    "spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires \
                     the backoffLimitPerIndex to be set",
                ],
            ),
            (
                codes(json!({"operator": "In", "values": [2, 1, 1, 0], "containerName": "x"})),
                vec![
                    "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \
                     \"x\": must be one of the container or initContainer names in the pod template",
                    "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 1",
                    "spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Invalid value: 0: must \
                     not be 0 for the In operator",
                    "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: \
                     []int32{2, 1, 1, 0}: must be ordered",
                ],
            ),
        ];
        for (spec, messages) in table {
            assert_eq!(errors(spec.clone()), messages, "{spec}");
        }
    }

    #[test]
    fn success_rules() {
        let rule = |rule: Value| {
            json!({"completionMode": "Indexed", "completions": 3,
                "successPolicy": {"rules": [rule]}})
        };
        let table = [
            (rule(json!({"succeededIndexes": "0-1"})), vec![]),
            (
                rule(json!({})),
                vec![
                    "spec.successPolicy.rules[0]: Required value: at least one of succeededCount \
                     or succeededIndexes must be specified",
                ],
            ),
            (
                rule(json!({"succeededIndexes": "0-3"})),
                vec![
                    "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-3\": error \
                     parsing succeededIndexes: too large index: \"3\"",
                ],
            ),
            (
                rule(json!({"succeededIndexes": "0", "succeededCount": 4})),
                vec![
                    "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less \
                     than or equal to 3 (the number of specified completions)",
                    "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less \
                     than or equal to 1 (the number of indexes in the specified succeededIndexes \
                     field)",
                ],
            ),
        ];
        for (spec, messages) in table {
            assert_eq!(errors(spec.clone()), messages, "{spec}");
        }
    }
}
