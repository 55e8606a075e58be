//! `Priority`: the number behind a pod's priority class.
//!
//! Upstream: `plugin/pkg/admission/priority/admission.go`.

use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::k8s_openapi::api::scheduling::v1::PriorityClass;
use naru_api::{Object, status::ApiResult};
use std::sync::Arc;

const PREEMPTS: &str = "PreemptLowerPriority";

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    let Some(pod) = object.get::<Pod>().filter(|_| admission.subresource.is_empty()) else {
        return Ok(());
    };
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
    let name = spec.priority_class_name.as_deref().unwrap_or_default();
    let class = match name {
        "" => global_default(admission),
        name => match admission.find::<PriorityClass>("", name) {
            Some(class) => Some(class),
            None => {
                let why = format!("no PriorityClass with name {name} was found");
                return Err(admission.forbidden(why));
            }
        },
    };
    if name.is_empty() {
        spec.priority_class_name = class.as_ref().and_then(|class| class.metadata.name.clone());
    }
    let computed = class.as_ref().map_or(0, |class| class.value);
    if let Some(given) = spec.priority.filter(|given| *given != computed) {
        return Err(admission.forbidden(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {computed} from the given PriorityClass name"
        )));
    }
    spec.priority = Some(computed);
    let policy = match &class {
        Some(class) => class.preemption_policy.clone(),
        None => Some(PREEMPTS.to_owned()),
    };
    let Some(computed) = policy else { return Ok(()) };
    if let Some(given) = spec.preemption_policy.as_ref().filter(|given| **given != computed) {
        return Err(admission.forbidden(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {computed} from the given PriorityClass name"
        )));
    }
    spec.preemption_policy = Some(computed);
    Ok(())
}

/// The class of pods that name none; of several, the one with the lowest value.
fn global_default(admission: &Admission<'_>) -> Option<Arc<PriorityClass>> {
    let classes = admission.list::<PriorityClass>("").into_iter();
    classes.filter(|class| class.global_default == Some(true)).min_by_key(|class| class.value)
}

/// Only one class may be the default.
pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Some(class) = object.get::<PriorityClass>().filter(|_| admission.subresource.is_empty())
    else {
        return Ok(());
    };
    if class.global_default != Some(true) {
        return Ok(());
    }
    match global_default(admission) {
        Some(other)
            if matches!(admission.operation, Operation::Create)
                || other.metadata.name != class.metadata.name =>
        {
            let name = other.metadata.name.as_deref().unwrap_or_default();
            Err(admission.forbidden(format!(
                "PriorityClass {name} is already marked as default. Only one default can exist"
            )))
        }
        _ => Ok(()),
    }
}
