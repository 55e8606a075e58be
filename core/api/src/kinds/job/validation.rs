//! What is wrong with a job.
//!
//! Upstream: `ValidateJob`, `validateJobSpec` in `pkg/apis/batch/validation/validation.go`.

use super::{CONTROLLER_UID, JOB_NAME, policies};
use crate::kinds::workload;
use crate::podspec::validation::{self, not_negative};
use crate::{FieldError, Path, gofmt, labels, names};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use std::collections::BTreeMap;

type Errors = Vec<FieldError>;

const PARALLELISM_MAX: i32 = 100_000;
const FAILED_INDEXES_MAX: i32 = 100_000;
const MANY_COMPLETIONS: i32 = 100_000;
/// Limits with [`MANY_COMPLETIONS`].
const PARALLELISM_MAX_OF_MANY: i32 = 10_000;
const FAILED_INDEXES_MAX_OF_MANY: i32 = 10_000;
const MANAGED_BY_MAX: usize = 63;

/// What is wrong with a job; `prefixed` when its pods must have the labels with prefixes.
pub(super) fn job(object: &Job, prefixed: bool) -> Errors {
    let none = JobSpec::default();
    let spec = object.spec.as_ref().unwrap_or(&none);
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let path = Path::new("spec");
    let mut errors = Vec::new();
    generated_selector(object, spec, prefixed, &mut errors);
    job_spec(spec, &path, &mut errors);
    selector(spec, &path, &mut errors);
    if is_indexed(spec)
        && let Some(completions) = spec.completions.filter(|completions| *completions > 0)
    {
        // The pods' host names end in their index.
        let hostname = format!("{name}-{}", completions - 1);
        if !names::dns1123_label(&hostname).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {hostname}");
            errors.push(FieldError::invalid("metadata.name", name, &detail));
        }
    }
    errors
}

pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

/// The labels and the selector that the strategy generates must be there.
fn generated_selector(object: &Job, spec: &JobSpec, prefixed: bool, errors: &mut Errors) {
    let Some(selector) = spec.selector.as_ref().filter(|_| spec.manual_selector != Some(true))
    else {
        return;
    };
    let meta = &object.metadata;
    let (uid, name) =
        (meta.uid.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    if uid.is_empty() {
        errors.push(FieldError::required("metadata.uid", ""));
    }
    let none = BTreeMap::new();
    let labels = workload::template_labels(&spec.template).unwrap_or(&none);
    let mut expected = BTreeMap::new();
    let ([old_uid, new_uid], [old_name, new_name]) = (CONTROLLER_UID, JOB_NAME);
    let old = [(old_uid, uid), (old_name, name)];
    let new = [(new_uid, uid), (new_name, name)];
    for (key, value) in old.into_iter().chain(new.into_iter().filter(|_| prefixed)) {
        let field = format!("spec.template.metadata.labels[{key}]");
        let detail = format!("must be '{value}'");
        match labels.get(key) {
            None => errors.push(FieldError::required(field, &detail)),
            Some(found) if found != value => {
                let labels = gofmt::string_map(Some(labels));
                errors.push(FieldError::invalid_raw(field, labels, &detail));
            }
            Some(_) => {}
        }
        expected.insert(key.to_owned(), value.to_owned());
    }
    if let Ok(read) = labels::Selector::from_label_selector(Some(selector))
        && !read.matches(Some(&expected))
    {
        let value = gofmt::label_selector(selector);
        let detail = "`selector` not auto-generated";
        errors.push(FieldError::invalid_raw("spec.selector", value, detail));
    }
}

fn selector(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("selector");
    match &spec.selector {
        None => errors.push(FieldError::required(field, "")),
        Some(selector) => errors.extend(labels::validate_selector(selector, &field)),
    }
    if let Ok(selector) = labels::Selector::from_label_selector(spec.selector.as_ref()) {
        workload::must_match(&selector, &spec.template, &path.child("template"), errors);
    }
}

/// What is wrong with a job's spec, in a job or in the template of one.
///
/// Upstream: `validateJobSpec`.
pub(in crate::kinds) fn job_spec(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    not_negative(spec.parallelism, &path.child("parallelism"), errors);
    not_negative(spec.completions, &path.child("completions"), errors);
    let field = path.child("activeDeadlineSeconds");
    validation::not_negative_long(spec.active_deadline_seconds, &field, errors);
    not_negative(spec.backoff_limit, &path.child("backoffLimit"), errors);
    let field = path.child("ttlSecondsAfterFinished");
    not_negative(spec.ttl_seconds_after_finished, &field, errors);
    let per_index = path.child("backoffLimitPerIndex");
    not_negative(spec.backoff_limit_per_index, &per_index, errors);
    not_negative(spec.max_failed_indexes, &path.child("maxFailedIndexes"), errors);
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        errors.push(FieldError::required(per_index, "when maxFailedIndexes is specified"));
    }
    if let Some(manager) = spec.managed_by.as_deref() {
        let field = path.child("managedBy");
        errors.extend(names::domain_prefixed_path(manager, &field));
        if manager.len() > MANAGED_BY_MAX {
            errors.push(FieldError::too_long(field, MANAGED_BY_MAX));
        }
    }
    completion_mode(spec, path, errors);
    if let Some(policy) = &spec.pod_failure_policy {
        policies::pod_failure(policy, spec, &path.child("podFailurePolicy"), errors);
    }
    if let Some(policy) = &spec.success_policy {
        let field = path.child("successPolicy");
        if is_indexed(spec) {
            policies::success(policy, spec, &field, errors);
        } else {
            let value = gofmt::dump("batch.SuccessPolicy", policy);
            errors.push(FieldError::invalid_raw(field, value, "requires indexed completion mode"));
        }
    }
    pod_replacement(spec, &path.child("podReplacementPolicy"), errors);
    let template = path.child("template");
    validation::template(&spec.template, &template, errors);
    restart_policy(spec, &template, errors);
}

fn completion_mode(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let mode = spec.completion_mode.as_deref().unwrap_or("NonIndexed");
    if !matches!(mode, "NonIndexed" | "Indexed") {
        let known = &["NonIndexed", "Indexed"];
        errors.push(FieldError::not_supported(path.child("completionMode"), mode, known));
    }
    if mode == "Indexed" {
        indexed(spec, path, errors);
    }
    if mode == "NonIndexed" {
        let fields = [
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                let detail = "requires indexed completion mode";
                errors.push(FieldError::invalid_raw(path.child(field), value, detail));
            }
        }
    }
}

fn indexed(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let failed = spec.max_failed_indexes;
    if spec.completions.is_none() {
        let detail = "when completion mode is Indexed";
        errors.push(FieldError::required(path.child("completions"), detail));
    }
    let why = " when completion mode is Indexed";
    at_most(PARALLELISM_MAX, why, spec.parallelism, &path.child("parallelism"), errors);
    let field = path.child("maxFailedIndexes");
    if let (Some(completions), Some(failed)) = (spec.completions, failed)
        && failed > completions
    {
        let detail = "must be less than or equal to completions";
        errors.push(FieldError::invalid_raw(field, failed, detail));
    }
    at_most(FAILED_INDEXES_MAX, "", failed, &field, errors);
    let many = spec.completions.is_some_and(|completions| completions > MANY_COMPLETIONS);
    if many && spec.backoff_limit_per_index.is_some() {
        if failed.is_none() {
            let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
            errors.push(FieldError::required(field, &detail));
        }
        let why = format!(
            " when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        let parallelism = path.child("parallelism");
        at_most(PARALLELISM_MAX_OF_MANY, &why, spec.parallelism, &parallelism, errors);
        at_most(FAILED_INDEXES_MAX_OF_MANY, &why, failed, &field, errors);
    }
}

fn at_most(max: i32, why: &str, value: Option<i32>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = value.filter(|value| *value > max) {
        let detail = format!("must be less than or equal to {max}{why}");
        errors.push(FieldError::invalid_raw(field, value, &detail));
    }
}

fn pod_replacement(spec: &JobSpec, field: &Path<'_>, errors: &mut Errors) {
    let known: &[&str] = match &spec.pod_failure_policy {
        Some(_) => &["Failed"],
        None => &["Failed", "TerminatingOrFailed"],
    };
    if let Some(policy) = spec.pod_replacement_policy.as_deref().filter(|it| !known.contains(it)) {
        errors.push(FieldError::not_supported(field, policy, known));
    }
}

/// The pods of a job end.
fn restart_policy(spec: &JobSpec, template: &Path<'_>, errors: &mut Errors) {
    let path = template.child("spec");
    let field = path.child("restartPolicy");
    let pod = spec.template.spec.as_ref();
    match pod.and_then(|pod| pod.restart_policy.as_deref()).unwrap_or_default() {
        "" | "Always" => {
            let detail = "valid values: \"OnFailure\", \"Never\"";
            errors.push(FieldError::required(field, detail));
        }
        "Never" => {}
        "OnFailure" => {
            if spec.pod_failure_policy.is_some() {
                let detail = "only \"Never\" is supported when podFailurePolicy is specified";
                errors.push(FieldError::invalid(field, "OnFailure", detail));
            }
        }
        other => errors.push(FieldError::not_supported(field, other, &["OnFailure", "Never"])),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, texts};
    use serde_json::{Value, json};

    fn errors(spec: Value) -> Vec<String> {
        texts(super::job(&job(spec), true))
    }

    #[test]
    fn messages_are_upstreams() {
        let pod = |policy: &str| {
            json!({"template": {"spec": {"restartPolicy": policy,
                "containers": [{"name": "a", "image": "b"}]}}})
        };
        let table = [
            (json!({}), vec![]),
            (
                pod("Always"),
                vec![
                    "spec.template.spec.restartPolicy: Required value: valid values: \
                     \"OnFailure\", \"Never\"",
                ],
            ),
            (
                json!({"completionMode": "Indexed", "parallelism": 2}),
                vec!["spec.completions: Required value: when completion mode is Indexed"],
            ),
            (
                json!({"completionMode": "Random"}),
                vec![
                    "spec.completionMode: Unsupported value: \"Random\": supported values: \
                     \"NonIndexed\", \"Indexed\"",
                ],
            ),
            (
                json!({"backoffLimit": -1}),
                vec!["spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"],
            ),
            (
                json!({"backoffLimitPerIndex": 1}),
                vec![
                    "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
                ],
            ),
            (
                json!({"managedBy": "me"}),
                vec![
                    "spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such \
                     as \"acme.io/foo\")",
                ],
            ),
            (
                json!({"successPolicy": {"rules": [{"succeededIndexes": "0"}]}}),
                vec![
                    "spec.successPolicy: Invalid value: batch.SuccessPolicy{Rules:\
                     []batch.SuccessPolicyRule{batch.SuccessPolicyRule{\
                     SucceededIndexes:(*string)(0xc000a5f0e0), SucceededCount:(*int32)(nil)}}}: \
                     requires indexed completion mode",
                ],
            ),
            (
                json!({"selector": {"matchLabels": {"a": "b"}}}),
                vec![
                    "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\
                     \"a\":\"b\", \"batch.kubernetes.io/controller-uid\":\"1-2\"}, \
                     MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: `selector` not \
                     auto-generated",
                    "spec.template.metadata.labels: Invalid value: map[string]string{\
                     \"batch.kubernetes.io/controller-uid\":\"1-2\", \
                     \"batch.kubernetes.io/job-name\":\"pi\", \"controller-uid\":\"1-2\", \
                     \"job-name\":\"pi\"}: `selector` does not match template `labels`",
                ],
            ),
        ];
        for (spec, messages) in table {
            assert_eq!(errors(spec.clone()), messages, "{spec}");
        }
    }
}
