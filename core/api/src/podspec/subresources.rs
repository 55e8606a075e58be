//! What the subresources `ephemeralcontainers` and `resize` change of a pod, and what they may not.
//!
//! Upstream: `podEphemeralContainersStrategy` and `podResizeStrategy` in
//! `pkg/registry/core/pod/strategy.go`, `ValidatePodEphemeralContainersUpdate` and
//! `ValidatePodResize` in `pkg/apis/core/validation/validation.go`.

use crate::quantity::Amount;
use crate::resources::List;
use crate::{FieldError, Path, gofmt, qos};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

const MIRROR: &str = "kubernetes.io/config.mirror";

/// Leaves of an update what these subresources may change, and takes the rest from `old`.
pub fn keep(new: &mut Pod, old: &Pod, subresource: &str) {
    let mut spec = old.spec.clone().unwrap_or_default();
    let wanted = new.spec.take().unwrap_or_default().into_inner();
    if subresource == "ephemeralcontainers" {
        spec.ephemeral_containers = wanted.ephemeral_containers;
    } else if same_order(&wanted, &spec) {
        take_resources(&mut spec.containers, wanted.containers);
        if let Some(inits) = &mut spec.init_containers {
            take_resources(inits, wanted.init_containers.unwrap_or_default());
        }
    } else {
        // The validation will tell.
        spec = wanted.into();
    }
    new.spec = Some(spec);
    new.status.clone_from(&old.status);
    let (meta, before) = (&mut new.metadata, &old.metadata);
    meta.labels.clone_from(&before.labels);
    meta.annotations.clone_from(&before.annotations);
    meta.finalizers.clone_from(&before.finalizers);
    meta.owner_references.clone_from(&before.owner_references);
    if new.spec != old.spec {
        new.metadata.generation = before.generation.map(|generation| generation + 1);
    }
}

fn take_resources(containers: &mut [Container], wanted: Vec<Container>) {
    for (container, wanted) in containers.iter_mut().zip(wanted) {
        container.resources = wanted.resources;
        container.resize_policy = wanted.resize_policy;
    }
}

fn inits(spec: &PodSpec) -> &[Container] {
    spec.init_containers.as_deref().unwrap_or_default()
}

fn same_order(new: &PodSpec, old: &PodSpec) -> bool {
    let names = |containers: &[Container]| -> Vec<String> {
        containers.iter().map(|container| container.name.clone()).collect()
    };
    names(&new.containers) == names(&old.containers) && names(inits(new)) == names(inits(old))
}

fn is_mirror(pod: &Pod) -> bool {
    pod.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR))
}

/// Containers for debugging come; none of them changes or goes.
pub fn validate_ephemeral_containers(new: &PodSpec, old: &Pod) -> Vec<FieldError> {
    if is_mirror(old) {
        let detail = "static pods do not support ephemeral containers";
        return vec![FieldError::forbidden("", detail)];
    }
    let mut errors = Vec::new();
    let had = old.spec.iter().flat_map(|spec| spec.ephemeral_containers.iter().flatten());
    for old in had {
        let mut all = new.ephemeral_containers.iter().flatten();
        let what = match all.find(|container| container.name == old.name) {
            None => "removed\n".to_owned(),
            Some(new) if new != old => {
                format!("changed\n{}", gofmt::diff("core.EphemeralContainer", old, new))
            }
            Some(_) => continue,
        };
        let detail = format!("existing ephemeral containers \"{}\" may not be {what}", old.name);
        errors.push(FieldError::forbidden("spec.ephemeralContainers", &detail));
    }
    errors
}

/// What a pod asks for changes; what kind of pod it is does not.
pub fn validate_resize(new: &PodSpec, old: &Pod) -> Vec<FieldError> {
    let none = PodSpec::default();
    let before = old.spec.as_deref().unwrap_or(&none);
    let refused = if is_mirror(old) {
        Some("static pods cannot be resized")
    } else if before.os.as_ref().is_some_and(|os| os.name == "windows") {
        Some("windows pods cannot be resized")
    } else {
        None
    };
    if let Some(detail) = refused {
        return vec![FieldError::forbidden("", detail)];
    }
    let path = Path::new("spec");
    let mut errors = Vec::new();
    if qos::class(before) != qos::class(new) {
        let class = old.status.as_ref().and_then(|status| status.qos_class.as_deref());
        let detail = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(path, class.unwrap_or_default(), detail));
    }
    if !node_resizes(old) {
        let detail = "Pod running on node without support for resize";
        errors.push(FieldError::forbidden(path, detail));
    }
    if !same_order(new, before) {
        order(&new.containers, &before.containers, &path.child("containers"), &mut errors);
        order(inits(new), inits(before), &path.child("initContainers"), &mut errors);
        return errors;
    }
    let pairs = || inits(new).iter().zip(inits(before)).enumerate();
    for (index, (new, old)) in pairs().filter(|(_, (_, old))| is_sidecar(old)) {
        resize(new, old, &path.child("initContainers").index(index), &mut errors);
    }
    for (index, (new, old)) in new.containers.iter().zip(&before.containers).enumerate() {
        resize(new, old, &path.child("containers").index(index), &mut errors);
    }
    for (new, old) in new.containers.iter().zip(&before.containers) {
        if !same_but_for_compute(new, old) {
            let detail = "only cpu and memory resources are mutable";
            errors.push(FieldError::forbidden(path, detail));
        }
    }
    for (_, (new, old)) in pairs() {
        let detail = match is_sidecar(old) {
            true if same_but_for_compute(new, old) => continue,
            true => "only cpu and memory resources for sidecar containers are mutable",
            false if new.resources == old.resources => continue,
            false => "resources for non-sidecar init containers are immutable",
        };
        errors.push(FieldError::forbidden(path, detail));
    }
    errors
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether the node tells what its containers were given: only then can it give them something
/// else.
fn node_resizes(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut running =
        statuses.filter(|one| one.state.as_ref().is_some_and(|state| state.running.is_some()));
    running.next().is_none_or(|first| first.resources.is_some())
}

fn order(new: &[Container], old: &[Container], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if new.len() != old.len() {
        let detail = format!("{} may not be added or removed on resize", last(path));
        return errors.push(FieldError::forbidden(path, &detail));
    }
    for (index, (new, old)) in new.iter().zip(old).enumerate() {
        if new.name != old.name {
            let detail = format!("{} may not be renamed or reordered on resize", last(path));
            errors.push(FieldError::forbidden(path.index(index).child("name"), &detail));
        }
    }
}

/// `containers` of `spec.containers`.
fn last(path: &Path<'_>) -> String {
    path.to_string().rsplit('.').next().unwrap_or_default().to_owned()
}

fn lists(container: &Container) -> (List, List) {
    let resources = container.resources.clone().unwrap_or_default().into_inner();
    (resources.requests.unwrap_or_default(), resources.limits.unwrap_or_default())
}

fn resize(new: &Container, old: &Container, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    let path = item.child("resources");
    let ((requests, limits), (old_requests, old_limits)) = (lists(new), lists(old));
    let removed = |new: &List, old: &List| old.keys().any(|name| !new.contains_key(name));
    if removed(&requests, &old_requests) {
        let detail = "resource requests cannot be removed";
        errors.push(FieldError::forbidden(path.child("requests"), detail));
    }
    if removed(&limits, &old_limits) {
        let detail = "resource limits cannot be removed";
        errors.push(FieldError::forbidden(path.child("limits"), detail));
    }
    let mut policies = new.resize_policy.iter().flatten();
    let policy = policies.find(|policy| policy.resource_name == "memory");
    if policy.is_some_and(|policy| policy.restart_policy == "RestartContainer") {
        return;
    }
    let what = match (limits.get("memory"), old_limits.get("memory")) {
        (Some(new), Some(old)) if Amount::of(new) < Amount::of(old) => "decreased",
        // Without a limit all memory was allowed.
        (Some(_), None) => "added",
        _ => return,
    };
    let limits = path.child("limits");
    let detail = format!("memory limits cannot be {what} unless resizePolicy is RestartContainer");
    errors.push(FieldError::forbidden(limits.key("memory"), &detail));
}

/// Whether two containers differ in CPU and memory alone.
fn same_but_for_compute(new: &Container, old: &Container) -> bool {
    let rest = |container: &Container| {
        let (mut requests, mut limits) = lists(container);
        for list in [&mut requests, &mut limits] {
            list.remove("cpu");
            list.remove("memory");
        }
        (requests, limits)
    };
    rest(new) == rest(old) && new.resize_policy == old.resize_policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(spec: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"generation": 1}, "spec": spec})).unwrap()
    }

    fn told(new: Value, old: Value) -> Vec<String> {
        let (mut new, old) = (pod(new), pod(old));
        keep(&mut new, &old, "resize");
        let errors = validate_resize(new.spec.as_ref().unwrap(), &old);
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn a_resize_changes_compute_resources_only() {
        let one = |resources: Value| json!({"containers": [{"name": "a", "resources": resources}]});
        let old =
            one(json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}));
        let table = [
            (
                one(
                    json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "3Gi"}}),
                ),
                vec![],
            ),
            (
                one(
                    json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
                ),
                vec![
                    "spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot \
                     be decreased unless resizePolicy is RestartContainer",
                ],
            ),
            (
                one(json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}})),
                vec![
                    "spec.containers[0].resources.requests: Forbidden: resource requests cannot be \
                     removed",
                ],
            ),
            (
                one(json!({"requests": {"cpu": "1", "memory": "1Gi", "example.com/a": "1"},
                    "limits": {"memory": "2Gi", "example.com/a": "1"}})),
                vec!["spec: Forbidden: only cpu and memory resources are mutable"],
            ),
            (
                json!({"containers": [{"name": "b"}]}),
                vec![
                    "spec: Invalid value: \"\": Pod QOS Class may not change as a result of resizing",
                    "spec.containers[0].name: Forbidden: containers may not be renamed or reordered \
                     on resize",
                ],
            ),
        ];
        for (new, texts) in table {
            assert_eq!(told(new, old.clone()), texts);
        }
    }

    #[test]
    fn ephemeral_containers_only_come() {
        let old = pod(json!({"containers": [{"name": "a", "image": "b"}],
            "ephemeralContainers": [{"name": "d", "image": "busybox"}]}));
        let mut new = pod(json!({"containers": [{"name": "x"}], "ephemeralContainers": [
            {"name": "d", "image": "alpine"}, {"name": "e", "image": "busybox"}]}));
        keep(&mut new, &old, "ephemeralcontainers");
        let spec = new.spec.as_ref().unwrap();
        assert_eq!((spec.containers[0].name.as_str(), new.metadata.generation), ("a", Some(2)));
        let told = validate_ephemeral_containers(spec, &old);
        let text = "Forbidden: existing ephemeral containers \"d\" may not be changed\n";
        assert_eq!(told.len(), 1);
        assert!(told[0].message.starts_with(text));
        let none = PodSpec::default();
        let told = validate_ephemeral_containers(&none, &old);
        assert!(told[0].message.ends_with("\"d\" may not be removed\n"));
    }
}
