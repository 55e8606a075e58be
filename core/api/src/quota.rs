//! What quotas count: which of their resources a kind's objects use up, how much, and in which
//! scopes. The API server charges quotas by this, and the quota controller recounts them.
//!
//! Upstream: `pkg/quota/v1/evaluator/core`, `apiserver/pkg/quota/v1/generic/evaluator.go`.

use crate::quantity::Amount;
use crate::resources::{self, Amounts, Side};
use crate::time::from_meta;
use crate::{Kind, Object, names, pods, qos};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, PodSpec, ResourceQuota,
    ScopedResourceSelectorRequirement, Service,
};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const COUNT: &str = "count/";
const REQUESTS: &str = "requests.";
const HUGE_PAGES: &str = "hugepages-";
const BY_CLASS: &str = ".storageclass.storage.k8s.io/";
const ONE: Amount = Amount::ONE;

const POD_RESOURCES: [&str; 10] = [
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "pods",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
/// What each container of a pod must state when a quota has it.
const MUST_STATE: [&str; 6] =
    ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];
const SERVICE_RESOURCES: [&str; 3] = ["services", "services.loadbalancers", "services.nodeports"];
const CLAIM_RESOURCES: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
/// Kinds whose number had a name before `count/`.
const OLD_COUNTS: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];

/// Kinds that are not stored, and events: no quota counts them.
pub fn is_ignored(kind: &Kind) -> bool {
    matches!(
        &*kind.plural,
        "bindings"
            | "componentstatuses"
            | "events"
            | "localsubjectaccessreviews"
            | "selfsubjectaccessreviews"
            | "selfsubjectreviews"
            | "selfsubjectrulesreviews"
            | "subjectaccessreviews"
            | "tokenreviews"
    )
}

/// Whether a quota's resource of this name is used up by objects of this kind.
pub fn counts(kind: &Kind, name: &str) -> bool {
    if let Some(counted) = name.strip_prefix(COUNT) {
        return counted == kind.group_resource();
    }
    match (&*kind.group, &*kind.plural) {
        ("", "pods") => {
            POD_RESOURCES.contains(&name)
                || name.starts_with(HUGE_PAGES)
                || name.strip_prefix(REQUESTS).is_some_and(|rest| rest.starts_with(HUGE_PAGES))
                || name.starts_with(REQUESTS) && !is_native(name)
        }
        ("", "services") => SERVICE_RESOURCES.contains(&name),
        ("", "persistentvolumeclaims") => {
            let own = name.split_once(BY_CLASS).map_or(name, |(_, own)| own);
            CLAIM_RESOURCES.contains(&own)
        }
        ("", plural) => plural == name && OLD_COUNTS.contains(&name),
        _ => false,
    }
}

/// A resource of Kubernetes' own: `cpu`, `kubernetes.io/…`.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// A resource that a node advertises: `nvidia.com/gpu`.
fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with(REQUESTS)
        && names::qualified_name(&format!("{REQUESTS}{name}")).is_empty()
}

/// What an object uses up, under every name by which quotas know it.
pub fn usage(object: &Object, now: Time) -> Amounts {
    let kind = object.kind();
    let mut usage = Amounts::from([(format!("{COUNT}{}", kind.group_resource()), ONE)]);
    if let Some(pod) = object.get::<Pod>() {
        add_pod(&mut usage, pod, now);
    } else if let Some(service) = object.get::<Service>() {
        add_service(&mut usage, service);
    } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        add_claim(&mut usage, claim);
    } else if kind.group.is_empty() && OLD_COUNTS.contains(&&*kind.plural) {
        usage.insert(kind.plural.to_string(), ONE);
    }
    usage
}

fn add_pod(usage: &mut Amounts, pod: &Pod, now: Time) {
    let Some(spec) = pod.spec.as_ref().filter(|_| uses_resources(pod, now)) else { return };
    let requests = resources::of_pod_with_overhead(spec, Side::Requests);
    let limits = resources::of_pod_with_overhead(spec, Side::Limits);
    usage.insert("pods".to_owned(), ONE);
    usage.extend(named(&requests, &limits));
}

/// Whether a pod still uses up more than its own object: it has not ended, nor should have.
///
/// Upstream: `QuotaV1Pod`.
pub fn uses_resources(pod: &Pod, now: Time) -> bool {
    let meta = &pod.metadata;
    let overdue = match (&meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
        (Some(ends), Some(grace)) => {
            now > from_meta(ends) + Duration::from_secs(u64::try_from(grace).unwrap_or(0))
        }
        _ => false,
    };
    !pods::is_terminal(pod) && !overdue
}

/// Requests and limits under the names by which quotas know them.
fn named(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::new();
    for (name, amount) in requests {
        let native = matches!(name.as_str(), "cpu" | "ephemeral-storage" | "memory")
            || name.starts_with(HUGE_PAGES);
        if native {
            usage.insert(name.clone(), *amount);
        }
        if native || is_extended(name) {
            usage.insert(format!("{REQUESTS}{name}"), *amount);
        }
    }
    for name in ["cpu", "ephemeral-storage", "memory"] {
        if let Some(amount) = limits.get(name) {
            usage.insert(format!("limits.{name}"), *amount);
        }
    }
    usage
}

fn add_service(usage: &mut Amounts, service: &Service) {
    let spec = service.spec.as_ref();
    let ports = || spec.into_iter().flat_map(|spec| spec.ports.iter().flatten());
    let (balancers, node_ports) = match spec.and_then(|spec| spec.type_.as_deref()) {
        Some("NodePort") => (0, ports().count()),
        Some("LoadBalancer")
            if spec.and_then(|spec| spec.allocate_load_balancer_node_ports) == Some(false) =>
        {
            (1, ports().filter(|port| port.node_port.unwrap_or(0) != 0).count())
        }
        Some("LoadBalancer") => (1, ports().count()),
        _ => (0, 0),
    };
    let units = |count: usize| Amount::from_units(i64::try_from(count).unwrap_or(i64::MAX));
    usage.insert("services".to_owned(), ONE);
    usage.insert("services.loadbalancers".to_owned(), units(balancers));
    usage.insert("services.nodeports".to_owned(), units(node_ports));
}

fn add_claim(usage: &mut Amounts, claim: &PersistentVolumeClaim) {
    let spec = claim.spec.as_ref();
    let annotations = claim.metadata.annotations.as_ref();
    let beta = annotations.and_then(|all| all.get("volume.beta.kubernetes.io/storage-class"));
    let named = spec.and_then(|spec| spec.storage_class_name.as_ref());
    let class = beta.or(named).filter(|class| !class.is_empty());
    let resources = spec.and_then(|spec| spec.resources.as_ref());
    let requested = resources.and_then(|resources| resources.requests.as_ref()?.get("storage"));
    let status = claim.status.as_ref();
    let allocated = status.and_then(|status| status.allocated_resources.as_ref()?.get("storage"));
    let storage = requested.map(|requested| {
        let requested = Amount::of(requested);
        allocated.map(Amount::of).filter(|allocated| *allocated > requested).unwrap_or(requested)
    });
    let mut add = |name: &str, amount: Amount| {
        usage.insert(name.to_owned(), amount);
        if let Some(class) = class {
            usage.insert(format!("{class}{BY_CLASS}{name}"), amount);
        }
    };
    add("persistentvolumeclaims", ONE);
    if let Some(storage) = storage {
        add("requests.storage", storage);
    }
}

/// What containers of a pod do not state and must, by these names of a quota's resources: of each
/// name the containers. `None`: nothing is missing.
///
/// Upstream: `podEvaluator.Constraints`.
pub fn unstated(pod: &PodSpec, names: &BTreeSet<&str>) -> Option<String> {
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let inits = pod.init_containers.iter().flatten();
    for container in pod.containers.iter().chain(inits) {
        let amounts = |side| resources::amounts(resources::of_container(container, side));
        let stated = named(&amounts(Side::Requests), &amounts(Side::Limits));
        let must = MUST_STATE.into_iter().filter(|name| names.contains(name));
        for name in must.filter(|name| !stated.contains_key(*name)) {
            missing.entry(name).or_default().insert(&container.name);
        }
    }
    let text = |(name, containers): (&str, BTreeSet<&str>)| {
        let containers: Vec<&str> = containers.into_iter().collect();
        format!("{name} for: {}", containers.join(","))
    };
    let texts: Vec<String> = missing.into_iter().map(text).collect();
    (!texts.is_empty()).then(|| format!("must specify {}", texts.join("; ")))
}

/// Whether a pod has a deadline, in the words of the scope `Terminating`.
pub fn is_terminating(pod: &PodSpec) -> bool {
    pod.active_deadline_seconds.is_some_and(|seconds| seconds >= 0)
}

/// Whether an object lies in all scopes of a quota. Only pods lie in any.
pub fn in_scopes(quota: &ResourceQuota, object: &Object) -> bool {
    let Some(spec) = &quota.spec else { return true };
    let pod = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
    let plain = spec.scopes.iter().flatten().map(|scope| (scope.as_str(), "Exists", None));
    let selectors = spec.scope_selector.iter();
    let selected = selectors
        .flat_map(|selector| selector.match_expressions.iter().flatten())
        .map(|one| (one.scope_name.as_str(), one.operator.as_str(), Some(one)));
    plain.chain(selected).all(|(scope, operator, requirement)| {
        pod.is_some_and(|pod| in_scope(pod, scope, operator, requirement))
    })
}

fn in_scope(
    pod: &PodSpec,
    scope: &str,
    operator: &str,
    requirement: Option<&ScopedResourceSelectorRequirement>,
) -> bool {
    let class = pod.priority_class_name.as_deref().unwrap_or_default();
    let values = requirement.and_then(|one| one.values.as_deref()).unwrap_or_default();
    let listed = values.iter().any(|value| value == class) && !class.is_empty();
    match (scope, operator) {
        ("Terminating", _) => is_terminating(pod),
        ("NotTerminating", _) => !is_terminating(pod),
        ("BestEffort", _) => qos::class(pod) == "BestEffort",
        ("NotBestEffort", _) => qos::class(pod) != "BestEffort",
        ("CrossNamespacePodAffinity", _) => reaches_other_namespaces(pod),
        ("PriorityClass", "Exists") => !class.is_empty(),
        ("PriorityClass", "DoesNotExist") => class.is_empty(),
        ("PriorityClass", "In") => listed,
        ("PriorityClass", "NotIn") => !listed,
        _ => false,
    }
}

/// Whether a pod wants to be near pods of other namespaces, or far from them.
fn reaches_other_namespaces(pod: &PodSpec) -> bool {
    let reaches = |term: &PodAffinityTerm| {
        term.namespaces.as_ref().is_some_and(|all| !all.is_empty())
            || term.namespace_selector.is_some()
    };
    let Some(affinity) = &pod.affinity else { return false };
    let near = affinity.pod_affinity.iter().any(|near| {
        let required = near.required_during_scheduling_ignored_during_execution.iter().flatten();
        let preferred = near.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        required.chain(preferred.map(|one| &one.pod_affinity_term)).any(reaches)
    });
    near || affinity.pod_anti_affinity.iter().any(|far| {
        let required = far.required_during_scheduling_ignored_during_execution.iter().flatten();
        let preferred = far.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        required.chain(preferred.map(|one| &one.pod_affinity_term)).any(reaches)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kube;
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::{Value, json};

    fn text(amounts: &Amounts) -> String {
        let one = |(name, amount): (&String, &Amount)| format!("{name}={amount}");
        amounts.iter().map(one).collect::<Vec<_>>().join(",")
    }

    fn object<K: Kube>(json: Value) -> Object {
        Object::new(serde_json::from_value::<K>(json).unwrap())
    }

    #[test]
    fn objects_use_up() {
        let pod = json!({"spec": {"containers": [{"name": "a", "resources": {
            "requests": {"cpu": "1", "nvidia.com/gpu": "1"}, "limits": {"memory": "1Gi"}}}]}});
        let mut ended = pod.clone();
        ended["status"] = json!({"phase": "Succeeded"});
        let service =
            json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]}});
        let claim = json!({"spec": {"storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}}}});
        let table = [
            (
                object::<Pod>(pod),
                "count/pods=1,cpu=1,limits.memory=1Gi,pods=1,requests.cpu=1,\
                 requests.nvidia.com/gpu=1",
            ),
            (object::<Pod>(ended), "count/pods=1"),
            (
                object::<Service>(service),
                "count/services=1,services=1,services.loadbalancers=1,services.nodeports=2",
            ),
            (
                object::<PersistentVolumeClaim>(claim),
                "count/persistentvolumeclaims=1,\
                 fast.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
                 fast.storageclass.storage.k8s.io/requests.storage=1Gi,\
                 persistentvolumeclaims=1,requests.storage=1Gi",
            ),
            (object::<ConfigMap>(json!({})), "configmaps=1,count/configmaps=1"),
            (
                object::<Deployment>(json!({"spec": {"selector": {}, "template": {}}})),
                "count/deployments.apps=1",
            ),
        ];
        for (object, expected) in table {
            let usage = usage(&object, Time::ZERO);
            assert_eq!(text(&usage), expected);
            assert!(usage.keys().all(|name| counts(&object.kind(), name)), "{expected}");
        }
    }

    #[test]
    fn kinds_count_their_own_resources_only() {
        let table = [
            ("limits.cpu", true, false),
            ("requests.nvidia.com/gpu", true, false),
            ("requests.storage", false, false),
            ("count/pods", true, false),
            ("count/configmaps", false, true),
            ("configmaps", false, true),
            ("count/pods.apps", false, false),
        ];
        for (name, pods, config_maps) in table {
            assert_eq!(counts(&Pod::kind(), name), pods, "{name}");
            assert_eq!(counts(&ConfigMap::kind(), name), config_maps, "{name}");
        }
    }

    #[test]
    fn scopes() {
        let best_effort = json!({"containers": [{"name": "a"}]});
        let urgent = json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}],
            "priorityClassName": "high", "activeDeadlineSeconds": 5});
        let class = |operator: &str, values: &[&str]| {
            json!({"scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": operator, "values": values}]}})
        };
        let table = [
            (json!({"scopes": ["BestEffort"]}), true, false),
            (json!({"scopes": ["NotBestEffort", "Terminating"]}), false, true),
            (json!({"scopes": ["NotTerminating"]}), true, false),
            (class("In", &["high"]), false, true),
            (class("NotIn", &["high"]), true, false),
            (class("Exists", &[]), false, true),
            (json!({}), true, true),
        ];
        for (spec, first, second) in table {
            let quota: ResourceQuota = serde_json::from_value(json!({ "spec": spec })).unwrap();
            let pods = [best_effort.clone(), urgent.clone()];
            let pods = pods.map(|spec| object::<Pod>(json!({ "spec": spec })));
            assert_eq!(pods.map(|pod| in_scopes(&quota, &pod)), [first, second], "{spec}");
        }
    }

    #[test]
    fn what_containers_must_state() {
        let spec: PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "b", "resources": {"requests": {"cpu": "1"}}},
            {"name": "a", "resources": {"limits": {"memory": "1Gi"}}}]}))
        .unwrap();
        let names = BTreeSet::from(["cpu", "limits.memory", "pods", "requests.memory"]);
        assert_eq!(
            unstated(&spec, &names).unwrap(),
            "must specify cpu for: a; limits.memory for: b; requests.memory for: a,b"
        );
        assert_eq!(unstated(&spec, &BTreeSet::from(["pods"])), None);
    }
}
