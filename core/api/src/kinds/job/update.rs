//! What may change of a job.
//!
//! Upstream: `ValidateJobSpecUpdate` in `pkg/apis/batch/validation/validation.go`.

use super::{CONTROLLER_UID, JOB_NAME, validation};
use crate::kinds::workload;
use crate::{FieldError, gofmt};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Affinity, PodTemplateSpec};
use serde::Serialize;

type Errors = Vec<FieldError>;

const IMMUTABLE: &str = "field is immutable";

/// What is wrong with a job and with its change.
pub(super) fn job(new: &Job, old: &Job) -> Errors {
    let none = JobSpec::default();
    let spec = new.spec.as_ref().unwrap_or(&none);
    let before = old.spec.as_ref().unwrap_or(&none);
    let labels = workload::template_labels(&before.template);
    let ([_, uid], [_, name]) = (CONTROLLER_UID, JOB_NAME);
    // Jobs from before there were labels with prefixes do not have them.
    let prefixed = labels.is_some_and(|all| all.contains_key(uid) && all.contains_key(name));
    let mut errors = validation::job(new, prefixed);
    completions(spec, before, &mut errors);
    if spec.selector != before.selector {
        let value = spec.selector.as_ref().map_or("\"null\"".to_owned(), gofmt::label_selector);
        errors.push(FieldError::invalid_raw("spec.selector", value, IMMUTABLE));
    }
    template(spec, old, before, &mut errors);
    let text = |text: &Option<String>| text.as_deref().map_or(NULL.to_owned(), gofmt::quote);
    if spec.completion_mode != before.completion_mode {
        immutable("completionMode", text(&spec.completion_mode), &mut errors);
    }
    if spec.pod_failure_policy != before.pod_failure_policy {
        let value = struct_text("batch.PodFailurePolicy", &spec.pod_failure_policy);
        immutable("podFailurePolicy", value, &mut errors);
    }
    if spec.backoff_limit_per_index != before.backoff_limit_per_index {
        let value = spec.backoff_limit_per_index.map_or(NULL.to_owned(), |limit| limit.to_string());
        immutable("backoffLimitPerIndex", value, &mut errors);
    }
    if spec.managed_by != before.managed_by {
        immutable("managedBy", text(&spec.managed_by), &mut errors);
    }
    if spec.success_policy != before.success_policy {
        let value = struct_text("batch.SuccessPolicy", &spec.success_policy);
        immutable("successPolicy", value, &mut errors);
    }
    errors
}

/// What upstream shows of a pointer that leads nowhere.
const NULL: &str = "\"null\"";

fn immutable(field: &str, value: String, errors: &mut Errors) {
    errors.push(FieldError::invalid_raw(format!("spec.{field}"), value, IMMUTABLE));
}

fn struct_text<T: Serialize>(type_: &str, value: &Option<T>) -> String {
    value.as_ref().map_or(NULL.to_owned(), |value| gofmt::dump(type_, value))
}

/// The number of completions stays, except that an indexed job grows or shrinks together with its
/// parallelism.
fn completions(new: &JobSpec, old: &JobSpec, errors: &mut Errors) {
    if new.completions == old.completions {
        return;
    }
    let value = new.completions.map_or(NULL.to_owned(), |completions| completions.to_string());
    if !validation::is_indexed(new) {
        immutable("completions", value, errors);
    } else if new.completions.is_some() && new.completions != new.parallelism {
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.push(FieldError::invalid_raw("spec.completions", value, detail));
    }
}

/// The template stays, except for where pods are to run while the job has never been started.
fn template(spec: &JobSpec, old: &Job, before: &JobSpec, errors: &mut Errors) {
    if spec.template == before.template {
        return;
    }
    let started = old.status.as_ref().is_some_and(|status| status.start_time.is_some());
    let same = before.suspend == Some(true)
        && !started
        && spec.template == with_directives(&before.template, &spec.template);
    if !same {
        let value = gofmt::dump("core.PodTemplateSpec", &spec.template);
        immutable("template", value, errors);
    }
}

/// `old` with everything of `new` that says where pods are to run.
fn with_directives(old: &PodTemplateSpec, new: &PodTemplateSpec) -> PodTemplateSpec {
    let mut old = old.clone();
    let metadata = old.metadata.get_or_insert_default();
    let none = Default::default();
    let from = new.metadata.as_ref().unwrap_or(&none);
    metadata.labels.clone_from(&from.labels);
    metadata.annotations.clone_from(&from.annotations);
    if let (Some(old), Some(new)) = (&mut old.spec, &new.spec) {
        let node = new.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
        match (&mut old.affinity, &new.affinity) {
            (Some(affinity), _) => affinity.node_affinity = node,
            (none @ None, Some(_)) => {
                *none = Some(Affinity { node_affinity: node, ..Affinity::default() }.into());
            }
            (None, None) => {}
        }
        if new.affinity.is_none()
            && old.affinity.as_ref().is_some_and(|it| *it == Affinity::default())
        {
            old.affinity = None;
        }
        old.node_selector.clone_from(&new.node_selector);
        old.tolerations.clone_from(&new.tolerations);
        old.scheduling_gates.clone_from(&new.scheduling_gates);
    }
    old
}

#[cfg(test)]
mod tests {
    use super::super::tests::{job, texts};
    use serde_json::{Value, json};

    fn errors(old: Value, new: Value) -> Vec<String> {
        texts(super::job(&job(new), &job(old)))
    }

    fn pod(fields: Value) -> Value {
        let mut all =
            json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]});
        for (key, value) in fields.as_object().unwrap() {
            all[key] = value.clone();
        }
        json!({"spec": all})
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({}), json!({"parallelism": 5, "completions": 1}), ""),
            (
                json!({}),
                json!({"completions": 2}),
                "spec.completions: Invalid value: 2: field is immutable",
            ),
            (
                json!({"completions": 2, "completionMode": "Indexed", "parallelism": 2}),
                json!({"completions": 3, "completionMode": "Indexed", "parallelism": 3}),
                "",
            ),
            (
                json!({"completions": 2, "completionMode": "Indexed", "parallelism": 2}),
                json!({"completions": 3, "completionMode": "Indexed", "parallelism": 2}),
                "spec.completions: Invalid value: 3: can only be modified in tandem with \
                 spec.parallelism",
            ),
            (
                json!({"managedBy": "a.b/c"}),
                json!({}),
                "spec.managedBy: Invalid value: \"null\": field is immutable",
            ),
        ];
        for (old, new, message) in table {
            assert_eq!(errors(old.clone(), new.clone()).join("\n"), message, "{old} {new}");
        }
    }

    #[test]
    fn a_template_changes_only_before_the_start() {
        let selected = json!({"template": pod(json!({"nodeSelector": {"a": "b"}}))});
        let error = errors(json!({}), selected.clone());
        assert_eq!(error.len(), 1);
        assert!(error[0].starts_with("spec.template: Invalid value: core.PodTemplateSpec{Object"));
        assert!(error[0].ends_with(": field is immutable"));
        let suspended = |mut spec: Value| {
            spec["suspend"] = json!(true);
            spec
        };
        assert_eq!(errors(suspended(json!({})), suspended(selected)), [""; 0]);
        let other = json!({"template": pod(json!({"hostname": "x"}))});
        assert_eq!(errors(suspended(json!({})), suspended(other)).len(), 1);
    }
}
