//! `RuntimeClass`: the overhead of a pod's runtime, and the nodes that have it.
//!
//! Upstream: `plugin/pkg/admission/runtimeclass/admission.go`, `MergeTolerations` in
//! `pkg/util/tolerations/tolerations.go`.

use super::Admission;
use naru_api::k8s_openapi::api::core::v1::{Pod, PodSpec, Toleration};
use naru_api::k8s_openapi::api::node::v1::RuntimeClass;
use naru_api::resources::{self, List};
use naru_api::{Object, status::ApiResult};
use std::sync::Arc;

const DIFFERS: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    let Some(class) = class_of(admission, object)? else { return Ok(()) };
    let Some(spec) = object.edit::<Pod>().and_then(|pod| pod.spec.as_mut()) else { return Ok(()) };
    if let Some(overhead) = &class.overhead {
        if !is_empty(spec.overhead.as_ref())
            && !same(spec.overhead.as_ref(), overhead.pod_fixed.as_ref())
        {
            return Err(admission.forbidden(DIFFERS));
        }
        spec.overhead = overhead.pod_fixed.clone();
    }
    let Some(scheduling) = &class.scheduling else { return Ok(()) };
    for (key, wanted) in scheduling.node_selector.iter().flatten() {
        let selector = spec.node_selector.get_or_insert_default();
        if let Some(own) = selector.insert(key.clone(), wanted.clone())
            && own != *wanted
        {
            return Err(admission.forbidden(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; \
                 pod.spec.nodeSelector[{key}] = {own}"
            )));
        }
    }
    let own = spec.tolerations.take().unwrap_or_default();
    spec.tolerations = Some(merge(own, scheduling.tolerations.as_deref().unwrap_or_default()));
    Ok(())
}

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Some(spec) = spec_of(admission, object) else { return Ok(()) };
    let class = class_of(admission, object)?;
    match class.as_ref().and_then(|class| class.overhead.as_ref()) {
        Some(overhead) if same(spec.overhead.as_ref(), overhead.pod_fixed.as_ref()) => Ok(()),
        Some(_) => Err(admission.forbidden(DIFFERS)),
        None if spec.overhead.is_none() => Ok(()),
        None => Err(admission.forbidden(
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        )),
    }
}

fn spec_of<'a>(admission: &Admission<'_>, object: &'a Object) -> Option<&'a PodSpec> {
    object.get::<Pod>().filter(|_| admission.creates())?.spec.as_deref()
}

fn class_of(admission: &Admission<'_>, object: &Object) -> ApiResult<Option<Arc<RuntimeClass>>> {
    let spec = spec_of(admission, object);
    let Some(name) = spec.and_then(|spec| spec.runtime_class_name.as_deref()) else {
        return Ok(None);
    };
    match admission.find::<RuntimeClass>("", name) {
        Some(class) => Ok(Some(class)),
        None => {
            Err(admission.forbidden(format!("pod rejected: RuntimeClass \"{name}\" not found")))
        }
    }
}

fn is_empty(list: Option<&List>) -> bool {
    list.is_none_or(List::is_empty)
}

fn same(one: Option<&List>, other: Option<&List>) -> bool {
    resources::amounts(one) == resources::amounts(other)
}

/// Both lists, without what another toleration says too.
fn merge(mut all: Vec<Toleration>, more: &[Toleration]) -> Vec<Toleration> {
    all.extend_from_slice(more);
    let mut merged: Vec<Toleration> = Vec::new();
    let mut rest = all.into_iter();
    while let Some(one) = rest.next() {
        let said = merged.iter().any(|before| covers(before, &one));
        let will_be = rest.as_slice().iter().any(|after| *after != one && covers(after, &one));
        if !said && !will_be {
            merged.push(one);
        }
    }
    merged
}

/// Whether `one` tolerates all that `other` tolerates.
fn covers(one: &Toleration, other: &Toleration) -> bool {
    fn text(text: &Option<String>) -> &str {
        text.as_deref().unwrap_or_default()
    }
    if one == other {
        return true;
    }
    let exists = text(&one.operator) == "Exists";
    let every_key = text(&one.key).is_empty() && exists;
    if one.key != other.key && !every_key {
        return false;
    }
    if text(&one.effect) != text(&other.effect) && !text(&one.effect).is_empty() {
        return false;
    }
    if text(&one.effect) == "NoExecute"
        && let Some(seconds) = one.toleration_seconds
        && other.toleration_seconds.is_none_or(|other| other > seconds)
    {
        return false;
    }
    exists
        || matches!(text(&one.operator), "" | "Equal")
            && text(&other.operator) == "Equal"
            && one.value == other.value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn tolerations_are_merged() {
        let all = json!({"operator": "Exists"});
        let gpu = json!({"key": "gpu", "operator": "Exists"});
        let strict =
            json!({"key": "gpu", "operator": "Equal", "value": "a", "effect": "NoExecute"});
        let short = json!({"key": "a", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 10});
        let long = json!({"key": "a", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 20});
        let table = [
            (vec![&gpu], vec![&gpu], vec![&gpu]),
            (vec![&strict], vec![&gpu], vec![&gpu]),
            (vec![&gpu], vec![&all], vec![&all]),
            (vec![&short], vec![&long], vec![&long]),
            (vec![&strict], vec![&short], vec![&strict, &short]),
        ];
        let read = |list: Vec<&Value>| -> Vec<Toleration> {
            list.into_iter().map(|one| serde_json::from_value(one.clone()).unwrap()).collect()
        };
        for (one, other, merged) in table {
            assert_eq!(merge(read(one), &read(other)), read(merged));
        }
    }
}
