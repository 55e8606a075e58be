//! Which kinds there are.
//!
//! Upstream: `pkg/api/legacyscheme`, and the order of discovery's groups.

use crate::{KindRef, Kube};
use std::collections::{BTreeMap, BTreeSet};

/// Every built-in kind, in the order in which discovery and `kubectl api-resources` tell them.
pub fn built_in() -> Vec<KindRef> {
    use k8s_openapi::api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet},
        coordination::v1::Lease,
        core::v1::{
            Binding, ConfigMap, Endpoints, Event, Namespace, Node, Pod, Secret, Service,
            ServiceAccount,
        },
        discovery::v1::EndpointSlice,
    };
    vec![
        Binding::kind(),
        ConfigMap::kind(),
        Endpoints::kind(),
        Event::kind(),
        Namespace::kind(),
        Node::kind(),
        Pod::kind(),
        Secret::kind(),
        ServiceAccount::kind(),
        Service::kind(),
        DaemonSet::kind(),
        Deployment::kind(),
        ReplicaSet::kind(),
        Lease::kind(),
        EndpointSlice::kind(),
    ]
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
