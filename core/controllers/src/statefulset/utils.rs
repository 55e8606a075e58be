//! Names, ordinals and the pods of a StatefulSet.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_utils.go`.

use crate::history::REVISION_LABEL;
use crate::pod_control::pod_from_template;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use naru_api::{Object, pods};
use naru_sim::Time;
use std::ops::Range;

const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The name of the set that a pod's name tells, and its number; "" and `None` for other names.
pub fn parent_and_ordinal(pod: &Pod) -> (&str, Option<i32>) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    match name.rsplit_once('-') {
        Some((parent, digits))
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (parent, digits.parse().ok())
        }
        _ => ("", None),
    }
}

/// The number in a pod's name.
pub fn ordinal(pod: &Pod) -> Option<i32> {
    parent_and_ordinal(pod).1
}

/// How many pods are wanted.
pub fn replicas(spec: &StatefulSetSpec) -> i32 {
    spec.replicas.unwrap_or(1)
}

/// The number of the first pod.
pub fn start_ordinal(spec: &StatefulSetSpec) -> i32 {
    spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0)
}

/// The numbers of the pods that are wanted.
pub fn ordinals(spec: &StatefulSetSpec) -> Range<i32> {
    let start = start_ordinal(spec);
    start..start.saturating_add(replicas(spec))
}

/// Whether the pod is one of those that are wanted.
pub fn is_in_range(spec: &StatefulSetSpec, pod: &Pod) -> bool {
    ordinal(pod).is_some_and(|ordinal| ordinals(spec).contains(&ordinal))
}

/// Pods may come and go all at once.
pub fn allows_burst(spec: &StatefulSetSpec) -> bool {
    spec.pod_management_policy.as_deref() == Some("Parallel")
}

/// Of pods below this ordinal the old ones stay during a rollout.
pub fn partition(spec: &StatefulSetSpec) -> Option<i32> {
    let rolling = spec.update_strategy.as_ref()?.rolling_update.as_ref()?;
    Some(rolling.partition.unwrap_or(0))
}

/// Whether the update strategy is this one.
pub fn strategy_is(spec: &StatefulSetSpec, type_: &str) -> bool {
    let strategy = spec.update_strategy.as_ref();
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some(type_)
}

/// The API server has it.
pub fn is_created(pod: &Pod) -> bool {
    !pods::phase(pod).is_empty()
}

pub fn is_running_and_ready(pod: &Pod) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod)
}

pub fn is_running_and_available(spec: &StatefulSetSpec, pod: &Pod, now: Time) -> bool {
    pods::is_available(pod, spec.min_ready_seconds.unwrap_or(0), now)
}

pub fn is_healthy(pod: &Pod) -> bool {
    is_running_and_ready(pod) && !pods::is_terminating(pod)
}

/// The name of the revision that the pod was made of.
pub fn revision_of(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(REVISION_LABEL)).map_or("", String::as_str)
}

/// The pod with this number, not yet stored.
pub fn new_pod(
    object: &Object,
    spec: &StatefulSetSpec,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i32,
) -> Pod {
    let mut pod = pod_from_template(object, template);
    pod.metadata.name = Some(format!("{}-{ordinal}", object.name()));
    set_identity(object, &mut pod);
    let pod_spec = pod.spec.get_or_insert_default();
    pod_spec.hostname = pod.metadata.name.clone();
    pod_spec.subdomain = spec.service_name.clone().filter(|name| !name.is_empty());
    set_storage(object, spec, &mut pod);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION_LABEL.to_owned(), revision.to_owned());
    pod
}

/// Whether the pod bears what tells it from the others.
pub fn identity_matches(object: &Object, pod: &Pod) -> bool {
    let (parent, ordinal) = parent_and_ordinal(pod);
    let labels = pod.metadata.labels.as_ref();
    let told = labels.and_then(|labels| labels.get(POD_NAME_LABEL));
    let name = ordinal.map(|ordinal| format!("{parent}-{ordinal}"));
    parent == object.name()
        && pod.metadata.namespace.as_deref() == Some(object.namespace())
        && name == pod.metadata.name
        && told == pod.metadata.name.as_ref()
}

/// Gives the pod what tells it from the others.
pub fn set_identity(object: &Object, pod: &mut Pod) {
    let Some(ordinal) = ordinal(pod) else { return };
    let name = format!("{}-{ordinal}", object.name());
    pod.metadata.name = Some(name.clone());
    pod.metadata.namespace = Some(object.namespace().to_owned());
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME_LABEL.to_owned(), name);
    labels.insert(POD_INDEX_LABEL.to_owned(), ordinal.to_string());
}

/// The claims of the pod, each with the name of its template.
pub fn claims_of<'a>(
    object: &'a Object,
    spec: &'a StatefulSetSpec,
    pod: &Pod,
) -> impl Iterator<Item = (&'a str, PersistentVolumeClaim)> {
    let ordinal = ordinal(pod).unwrap_or(-1);
    spec.volume_claim_templates.iter().flatten().map(move |template| {
        let name = template.metadata.name.as_deref().unwrap_or_default();
        let mut claim = template.clone();
        claim.metadata.name = Some(format!("{name}-{}-{ordinal}", object.name()));
        claim.metadata.namespace = Some(object.namespace().to_owned());
        let labels = claim.metadata.labels.get_or_insert_default();
        for (key, value) in spec.selector.match_labels.iter().flatten() {
            labels.insert(key.clone(), value.clone());
        }
        (name, claim)
    })
}

/// Whether the pod has a volume for each of its claims.
pub fn storage_matches(object: &Object, spec: &StatefulSetSpec, pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    ordinal(pod).is_some()
        && claims_of(object, spec, pod).all(|(name, claim)| {
            let volume = volumes.iter().find(|volume| volume.name == name);
            let source = volume.and_then(|volume| volume.persistent_volume_claim.as_ref());
            source.map(|source| &source.claim_name) == claim.metadata.name.as_ref()
        })
}

/// Gives the pod a volume for each of its claims, in place of volumes of the same name.
pub fn set_storage(object: &Object, spec: &StatefulSetSpec, pod: &mut Pod) {
    let mut volumes: Vec<Volume> = claims_of(object, spec, pod)
        .map(|(name, claim)| Volume {
            name: name.to_owned(),
            persistent_volume_claim: Some(
                PersistentVolumeClaimVolumeSource {
                    claim_name: claim.metadata.name.unwrap_or_default(),
                    read_only: None,
                }
                .into(),
            ),
            ..Volume::default()
        })
        .collect();
    let pod_spec = pod.spec.get_or_insert_default();
    for volume in pod_spec.volumes.take().into_iter().flatten() {
        if !volumes.iter().any(|claimed| claimed.name == volume.name) {
            volumes.push(volume);
        }
    }
    pod_spec.volumes = (!volumes.is_empty()).then_some(volumes);
}

/// Whether a missing pod with this number is made of the revision before the newest.
pub fn keeps_old_revision(set: &StatefulSet, spec: &StatefulSetSpec, ordinal: i32) -> bool {
    let start = start_ordinal(spec);
    match partition(spec) {
        Some(partition) => ordinal < start.saturating_add(partition),
        None => {
            let current = set.status.as_ref().and_then(|status| status.current_replicas);
            strategy_is(spec, "RollingUpdate")
                && ordinal < start.saturating_add(current.unwrap_or(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_set_and_the_number() {
        let table = [
            ("web-0", "web", Some(0)),
            ("my-web-12", "my-web", Some(12)),
            ("web-01", "web", Some(1)),
            ("web-", "", None),
            ("web", "", None),
            ("web-x", "", None),
            ("web-+1", "", None),
            ("web-99999999999", "web", None),
        ];
        for (name, parent, ordinal) in table {
            let mut pod = Pod::default();
            pod.metadata.name = Some(name.to_owned());
            assert_eq!(parent_and_ordinal(&pod), (parent, ordinal), "{name}");
        }
    }

    #[test]
    fn missing_pods_below_the_partition_are_of_the_old_revision() {
        let set: StatefulSet = serde_json::from_value(serde_json::json!({
            "status": {"replicas": 3, "currentReplicas": 2}}))
        .unwrap();
        let spec = |strategy: serde_json::Value| -> StatefulSetSpec {
            serde_json::from_value(serde_json::json!({"ordinals": {"start": 5},
                "serviceName": "", "selector": {}, "template": {}, "updateStrategy": strategy}))
            .unwrap()
        };
        let rolling =
            serde_json::json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        let plain = serde_json::json!({"type": "RollingUpdate"});
        let on_delete = serde_json::json!({"type": "OnDelete"});
        let table = [
            (&rolling, 5, true),
            (&rolling, 6, false),
            (&plain, 6, true),
            (&plain, 7, false),
            (&on_delete, 5, false),
        ];
        for (strategy, ordinal, old) in table {
            let spec = spec(strategy.clone());
            assert_eq!(keeps_old_revision(&set, &spec, ordinal), old, "{strategy} {ordinal}");
        }
    }
}
