//! The plugins, one file each, and the default profile: which of them run, in which order, with
//! which weight.
//!
//! Upstream: `pkg/scheduler/apis/config/v1/default_plugins.go`.

mod default_binder;
mod default_preemption;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_balanced_allocation;
mod node_resources_fit;
mod node_unschedulable;
mod node_volume_limits;
mod pod_topology_spread;
mod scheduling_gates;
mod taint_toleration;
pub mod volume_binding;
mod volume_restrictions;
mod volume_zone;

use crate::framework::{
    BindPlugin, ClusterEvent, FilterPlugin, Plugin, PostFilterPlugin, PreEnqueue, Rejection,
    ScorePlugin,
};
use default_binder::DefaultBinder;
use default_preemption::DefaultPreemption;
use image_locality::ImageLocality;
use inter_pod_affinity::InterPodAffinity;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use naru_api::Object;
use naru_api::volumes::pod_claims;
use node_affinity::NodeAffinity;
use node_name::NodeName;
use node_ports::NodePorts;
use node_resources_balanced_allocation::NodeResourcesBalancedAllocation;
use node_resources_fit::NodeResourcesFit;
use node_unschedulable::NodeUnschedulable;
use node_volume_limits::NodeVolumeLimits;
use pod_topology_spread::PodTopologySpread;
use scheduling_gates::SchedulingGates;
use std::collections::BTreeSet;
use taint_toleration::TaintToleration;
use volume_binding::VolumeBinding;
use volume_restrictions::VolumeRestrictions;
use volume_zone::VolumeZone;

/// Filters, in the order in which they run.
pub static FILTERS: &[&dyn FilterPlugin] = &[
    &NodeUnschedulable,
    &NodeName,
    &TaintToleration,
    &NodeAffinity,
    &NodePorts,
    &NodeResourcesFit,
    &VolumeRestrictions,
    &NodeVolumeLimits,
    &VolumeBinding,
    &VolumeZone,
    &PodTopologySpread,
    &InterPodAffinity,
];

/// Scores, with their weights.
pub static SCORES: &[(&dyn ScorePlugin, i64)] = &[
    (&TaintToleration, 3),
    (&NodeAffinity, 2),
    (&NodeResourcesFit, 1),
    (&PodTopologySpread, 2),
    (&InterPodAffinity, 2),
    (&NodeResourcesBalancedAllocation, 1),
    (&ImageLocality, 1),
];

/// What looks for another way when no node passes.
pub static POST_FILTER: &dyn PostFilterPlugin = &DefaultPreemption;

/// What binds.
pub static BIND: &dyn BindPlugin = &DefaultBinder;

static PRE_ENQUEUE: &[&dyn PreEnqueue] = &[&SchedulingGates];

/// Whether the object is a claim of which the pod makes a volume.
fn is_claim_of(pod: &Pod, object: &Object) -> bool {
    object.get::<PersistentVolumeClaim>().is_some()
        && pod.metadata.namespace.as_deref() == Some(object.namespace())
        && pod_claims(pod).any(|claim| claim.name == object.name())
}

/// Why the pod may not be tried yet.
pub fn pre_enqueue(pod: &Pod) -> Result<(), Rejection> {
    PRE_ENQUEUE.iter().try_for_each(|plugin| plugin.pre_enqueue(pod))
}

/// Whether an event may help a pod that these plugins have turned down.
pub fn may_help(rejectors: &BTreeSet<&'static str>, pod: &Pod, event: ClusterEvent<'_>) -> bool {
    let filters = FILTERS.iter().map(|plugin| *plugin as &dyn Plugin);
    filters
        .filter(|plugin| rejectors.contains(plugin.name()))
        .any(|plugin| plugin.may_help(pod, event))
}
