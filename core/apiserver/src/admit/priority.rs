//! `Priority`: the number behind a pod's priority class.
//!
//! Upstream: `plugin/pkg/admission/priority/admission.go`.

use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::{Object, status::ApiResult};

/// The classes that every cluster has.
const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    if !admission.subresource.is_empty() {
        return Ok(());
    }
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    match admission.operation {
        Operation::Create => create(admission, object),
        Operation::Update(old) => {
            let old = old.get::<Pod>().and_then(|pod| pod.spec.as_ref());
            let priority = old.and_then(|spec| spec.priority);
            let policy = old.and_then(|spec| spec.preemption_policy.clone());
            let lacks = pod.spec.as_ref().is_some_and(|spec| {
                spec.priority.is_none() && priority.is_some()
                    || spec.preemption_policy.is_none() && policy.is_some()
            });
            if lacks && let Some(spec) = object.edit::<Pod>().and_then(|pod| pod.spec.as_mut()) {
                spec.priority = spec.priority.or(priority);
                spec.preemption_policy = spec.preemption_policy.take().or(policy);
            }
            Ok(())
        }
        Operation::Delete => Ok(()),
    }
}

fn create(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    let Some(pod) = object.edit::<Pod>() else { return Ok(()) };
    let spec = pod.spec.get_or_insert_default();
    let class = spec.priority_class_name.as_deref().unwrap_or_default();
    let computed = match SYSTEM_CLASSES.iter().find(|(name, _)| *name == class) {
        Some((_, priority)) => *priority,
        None if class.is_empty() => 0,
        None => {
            return Err(
                admission.forbidden(format!("no PriorityClass with name {class} was found"))
            );
        }
    };
    if let Some(given) = spec.priority.filter(|given| *given != computed) {
        return Err(admission.forbidden(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {computed} from the given PriorityClass name"
        )));
    }
    spec.priority = Some(computed);
    spec.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
    Ok(())
}
