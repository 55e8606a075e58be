//! Making and deleting pods on behalf of an owner, with the events that tell of it.
//!
//! Upstream: `RealPodControl` and `slowStartBatch` in `pkg/controller`.

use crate::controller_ref::new_controller_ref;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::DeleteOptions;
use naru_api::{ApiError, Object, names};
use naru_client::{Context, Error, EventType};

/// Creates a pod from a template for `owner`, and writes the event of it.
pub fn create_pod(
    context: &mut Context<'_>,
    owner: &Object,
    template: &PodTemplateSpec,
) -> Result<(), ApiError> {
    create(context, owner, pod_from_template(owner, template))
}

/// Creates a pod from a template as [`create_pod`] does, with a name that begins with `prefix`.
pub fn create_pod_with_prefix(
    context: &mut Context<'_>,
    owner: &Object,
    template: &PodTemplateSpec,
    prefix: String,
) -> Result<(), ApiError> {
    let mut pod = pod_from_template(owner, template);
    pod.metadata.generate_name = Some(prefix);
    create(context, owner, pod)
}

fn create(context: &mut Context<'_>, owner: &Object, pod: Pod) -> Result<(), ApiError> {
    match context.client.create(pod) {
        Ok(pod) => {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let text = format!("Created pod: {name}");
            context.event(owner, EventType::Normal, "SuccessfulCreate", &text);
            Ok(())
        }
        Err(error) => {
            if !is_namespace_terminating(&error) {
                let text = format!("Error creating: {error}");
                context.event(owner, EventType::Warning, "FailedCreate", &text);
            }
            Err(error)
        }
    }
}

/// Deletes a pod of `owner`, and writes the event of it. That the pod is gone already is told by
/// the error alone.
pub fn delete_pod(context: &mut Context<'_>, owner: &Object, pod: &Pod) -> Result<(), Error> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    match context.client.delete::<Pod>(namespace, name, DeleteOptions::default()) {
        Ok(()) => {
            let text = format!("Deleted pod: {name}");
            context.event(owner, EventType::Normal, "SuccessfulDelete", &text);
            Ok(())
        }
        Err(error) if error.is_not_found() => Err(error.into()),
        Err(error) => {
            let text = format!("Error deleting: {error}");
            context.event(owner, EventType::Warning, "FailedDelete", &text);
            Err(Error::Other(format!("unable to delete pods: {error}")))
        }
    }
}

/// The pod that a template describes, not yet stored.
pub fn pod_from_template(owner: &Object, template: &PodTemplateSpec) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            namespace: Some(owner.namespace().to_owned()),
            generate_name: Some(name_prefix(owner.name())),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![new_controller_ref(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// The namespace goes: nothing can be created in it any more, and that is no failure.
pub fn is_namespace_terminating(error: &ApiError) -> bool {
    let causes = error.status().details.as_ref().and_then(|details| details.causes.as_ref());
    causes
        .into_iter()
        .flatten()
        .any(|cause| cause.reason.as_deref() == Some("NamespaceTerminating"))
}

/// Makes `count` attempts in batches of 1, 2, 4, …, and stops after the batch in which one fails,
/// so that a template which cannot work costs few requests. Returns the successes, and the first
/// error.
pub fn slow_start_batch<E>(
    count: usize,
    mut attempt: impl FnMut() -> Result<(), E>,
) -> (usize, Option<E>) {
    let (mut successes, mut left, mut batch) = (0, count, 1);
    while left > 0 {
        let mut failure = None;
        for _ in 0..batch.min(left) {
            match attempt() {
                Ok(()) => successes += 1,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if failure.is_some() {
            return (successes, failure);
        }
        left -= batch.min(left);
        batch *= 2;
    }
    (successes, None)
}

/// The owner's name and a dash, unless names may not begin so.
fn name_prefix(owner: &str) -> String {
    let prefix = format!("{owner}-");
    if names::dns1123_subdomain(&names::mask_trailing_dash(&prefix)).is_empty() {
        prefix
    } else {
        owner.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_double_and_stop_at_a_failure() {
        // (wanted, the attempt that fails first, attempts made, successes)
        let cases = [(5, usize::MAX, 5, 5), (10, 1, 1, 0), (10, 3, 3, 2), (10, 4, 7, 6)];
        for (count, fails, made, ok) in cases {
            let mut attempts = 0;
            let (successes, failure) = slow_start_batch(count, || {
                attempts += 1;
                if attempts == fails { Err("no") } else { Ok(()) }
            });
            assert_eq!((attempts, successes), (made, ok), "{count} {fails}");
            assert_eq!(failure.is_some(), fails != usize::MAX);
        }
    }
}
