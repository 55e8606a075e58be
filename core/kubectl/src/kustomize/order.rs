//! The order in which objects are printed.
//!
//! Upstream: `sigs.k8s.io/kustomize/api/internal/builtins/SortOrderTransformer.go` (legacy).

use super::Resource;

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// What others need comes first, and what looks at others last.
pub(super) fn sort(resources: &mut [Resource]) {
    resources.sort_by_cached_key(|resource| {
        let kind = resource.kind();
        let place = match FIRST.iter().position(|first| *first == kind) {
            Some(place) => place,
            None => FIRST.len() + LAST.iter().position(|last| *last == kind).map_or(0, |at| at + 1),
        };
        let (group, version) = resource.group_version();
        let id = [group, version, kind, resource.namespace(), resource.name()].map(str::to_owned);
        let [group, version, kind, namespace, name] = id;
        (place, kind, group, version, namespace, name)
    });
}
