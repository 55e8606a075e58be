//! Which kinds there are.
//!
//! Upstream: `pkg/api/legacyscheme`, and the order of discovery's groups.

use crate::kinds::metrics::{NodeMetrics, PodMetrics};
use crate::{KindRef, Kube};
use std::collections::{BTreeMap, BTreeSet};

/// Every built-in kind: the groups by their priority in discovery, the kinds of a group by their
/// resources' names.
///
/// Upstream: `DefaultGenericAPIServicePriorities` in `pkg/controlplane/apiserver/aggregator.go`
/// and `apiServicePriorities` in `cmd/kube-apiserver/app/aggregator.go`.
pub fn built_in() -> Vec<KindRef> {
    [core(), aggregation(), workloads(), access(), network(), extension(), machinery()].concat()
}

fn core() -> Vec<KindRef> {
    use k8s_openapi::api::core::v1::*;
    vec![
        Binding::kind(),
        ComponentStatus::kind(),
        ConfigMap::kind(),
        Endpoints::kind(),
        Event::kind(),
        LimitRange::kind(),
        Namespace::kind(),
        Node::kind(),
        PersistentVolumeClaim::kind(),
        PersistentVolume::kind(),
        Pod::kind(),
        PodTemplate::kind(),
        ReplicationController::kind(),
        ResourceQuota::kind(),
        Secret::kind(),
        ServiceAccount::kind(),
        Service::kind(),
    ]
}

/// `apiregistration.k8s.io`, which tells of all others and comes first.
fn aggregation() -> Vec<KindRef> {
    use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
    vec![APIService::kind()]
}

/// `apps`, `events.k8s.io`.
fn workloads() -> Vec<KindRef> {
    use k8s_openapi::api::{apps::v1::*, events::v1::Event};
    vec![
        ControllerRevision::kind(),
        DaemonSet::kind(),
        Deployment::kind(),
        ReplicaSet::kind(),
        StatefulSet::kind(),
        Event::kind(),
    ]
}

/// `authentication.k8s.io`, `authorization.k8s.io`, `autoscaling`, `batch`, `certificates.k8s.io`.
fn access() -> Vec<KindRef> {
    use k8s_openapi::api::{
        authentication::v1::*, authorization::v1::*, autoscaling, batch::v1::*,
        certificates::v1::CertificateSigningRequest,
    };
    vec![
        SelfSubjectReview::kind(),
        TokenReview::kind(),
        LocalSubjectAccessReview::kind(),
        SelfSubjectAccessReview::kind(),
        SelfSubjectRulesReview::kind(),
        SubjectAccessReview::kind(),
        autoscaling::v2::HorizontalPodAutoscaler::kind(),
        autoscaling::v1::HorizontalPodAutoscaler::kind(),
        CronJob::kind(),
        Job::kind(),
        CertificateSigningRequest::kind(),
    ]
}

/// `networking.k8s.io`, `policy`, `rbac.authorization.k8s.io`, `storage.k8s.io`.
fn network() -> Vec<KindRef> {
    use k8s_openapi::api::{
        networking::v1::*, policy::v1::PodDisruptionBudget, rbac::v1::*, storage::v1::*,
    };
    vec![
        IngressClass::kind(),
        Ingress::kind(),
        IPAddress::kind(),
        NetworkPolicy::kind(),
        ServiceCIDR::kind(),
        PodDisruptionBudget::kind(),
        ClusterRoleBinding::kind(),
        ClusterRole::kind(),
        RoleBinding::kind(),
        Role::kind(),
        CSIDriver::kind(),
        CSINode::kind(),
        CSIStorageCapacity::kind(),
        StorageClass::kind(),
        VolumeAttachment::kind(),
    ]
}

/// `admissionregistration.k8s.io`, `apiextensions.k8s.io`.
fn extension() -> Vec<KindRef> {
    use k8s_openapi::api::admissionregistration::v1::*;
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    vec![
        MutatingWebhookConfiguration::kind(),
        ValidatingAdmissionPolicy::kind(),
        ValidatingAdmissionPolicyBinding::kind(),
        ValidatingWebhookConfiguration::kind(),
        CustomResourceDefinition::kind(),
    ]
}

/// `scheduling.k8s.io`, `coordination.k8s.io`, `node.k8s.io`, `discovery.k8s.io`,
/// `flowcontrol.apiserver.k8s.io`.
fn machinery() -> Vec<KindRef> {
    use k8s_openapi::api::{
        coordination::v1::Lease, discovery::v1::EndpointSlice, flowcontrol::v1::*,
        node::v1::RuntimeClass, scheduling::v1::PriorityClass,
    };
    vec![
        PriorityClass::kind(),
        Lease::kind(),
        RuntimeClass::kind(),
        EndpointSlice::kind(),
        FlowSchema::kind(),
        PriorityLevelConfiguration::kind(),
    ]
}

/// The kinds of `metrics.k8s.io`, which a metrics server adds.
pub fn metrics() -> Vec<KindRef> {
    vec![NodeMetrics::kind(), PodMetrics::kind()]
}

/// The kind of a path: `/apis/GROUP/VERSION/…/PLURAL`.
pub fn by_path(kinds: &[KindRef], group: &str, version: &str, plural: &str) -> Option<KindRef> {
    let same =
        |kind: &&KindRef| kind.group == group && kind.version == version && kind.plural == plural;
    kinds.iter().find(same).cloned()
}

/// One version of each kind whose objects are stored: those that whoever goes through all kinds
/// must look at, and no object twice.
pub fn one_version_each(kinds: &[KindRef]) -> Vec<KindRef> {
    let mut chosen: BTreeMap<KindRef, (usize, &KindRef)> = BTreeMap::new();
    for (place, kind) in kinds.iter().enumerate() {
        match kind.strategy.storage_kind() {
            None => drop(chosen.insert(kind.clone(), (place, kind))),
            // Nobody may be able to ask for the version that is stored.
            Some(stored) => drop(chosen.entry(stored).or_insert((place, kind))),
        }
    }
    let mut chosen: Vec<_> = chosen.into_values().collect();
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, kind)| kind.clone()).collect()
}

/// The preferred version of each kind: the first one that is told.
///
/// Upstream: `ServerPreferredResources`.
pub fn preferred(kinds: &[KindRef]) -> Vec<KindRef> {
    let mut seen = BTreeSet::new();
    kinds.iter().filter(|kind| seen.insert((*kind).clone())).cloned().collect()
}

/// The kind of a resource name, `pods`, in a group.
pub fn by_resource(kinds: &[KindRef], group: &str, plural: &str) -> Option<KindRef> {
    kinds.iter().find(|kind| kind.group == group && kind.plural == plural).cloned()
}

/// The kind of `apiVersion` and `kind` in a manifest.
pub fn by_kind(kinds: &[KindRef], api_version: &str, name: &str) -> Option<KindRef> {
    kinds.iter().find(|kind| kind.kind == name && kind.api_version() == api_version).cloned()
}
