//! The pod's claims must be bound to volumes that reach the node, or be able to get some there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumebinding` (`volume_binding.go`, `binder.go`).
//! What upstream does in Reserve and PreBind is [`decide`] and [`progress`]; the waiting between
//! them is the scheduler's.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use crate::plugins::is_claim_of;
use k8s_openapi::api::core::v1::{
    Node, PersistentVolume, PersistentVolumeClaim, Pod, TopologySelectorTerm,
};
use k8s_openapi::api::storage::v1::{CSIDriver, CSIStorageCapacity, StorageClass};
use naru_api::labels::Selector;
use naru_api::quantity::Amount;
use naru_api::volumes::{
    self, NO_PROVISIONER, SELECTED_NODE, Search, annotation, claim_class, claim_size,
};
use naru_api::{Key, Object};
use naru_client::Cache;

const REASON_NODE_CONFLICT: &str = "node(s) had volume node affinity conflict";
const REASON_BIND_CONFLICT: &str = "node(s) didn't find available persistent volumes to bind";
const REASON_NO_SPACE: &str = "node(s) did not have enough free storage";
const REASON_NO_VOLUME: &str =
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
const REASON_IMMEDIATE: &str = "pod has unbound immediate PersistentVolumeClaims";

/// The plugin.
#[derive(Debug)]
pub struct VolumeBinding;

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.metadata.labels != new.metadata.labels,
            ClusterEvent::Storage { object, old } => storage_helps(pod, object, old),
            _ => false,
        }
    }
}

fn storage_helps(pod: &Pod, object: &Object, old: Option<&Object>) -> bool {
    if object.get::<PersistentVolumeClaim>().is_some() {
        return is_claim_of(pod, object);
    }
    if let Some(class) = object.get::<StorageClass>() {
        let before = old.and_then(Object::get::<StorageClass>);
        return before.is_none_or(|before| before.allowed_topologies != class.allowed_topologies);
    }
    true
}

/// The claims of a pod, by what has to be done for them.
#[derive(Default)]
struct Claims<'a> {
    bound: Vec<&'a PersistentVolumeClaim>,
    /// Unbound, and waiting for the pod to have a node.
    delayed: Vec<&'a PersistentVolumeClaim>,
    /// Whether one is unbound that will be bound without the scheduler.
    immediate: bool,
}

impl<'a> Claims<'a> {
    /// Upstream: `podHasPVCs` and `GetPodVolumeClaims`.
    fn of(pod: &Pod, cache: &'a Cache) -> Result<Self, String> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let mut claims = Claims::default();
        for used in volumes::pod_claims(pod) {
            let key = Key::new(namespace, used.name.as_str());
            let claim = cache.get::<PersistentVolumeClaim>(&key);
            let claim = usable(claim, &used, pod)?;
            let class = cache.get::<StorageClass>(&Key::new("", claim_class(claim)));
            if volumes::is_fully_bound(claim) {
                claims.bound.push(claim);
            } else if class.is_some_and(volumes::waits_for_consumer)
                && volumes::volume_name(claim).is_empty()
            {
                claims.delayed.push(claim);
            } else {
                claims.immediate = true;
            }
        }
        claims.delayed.sort_by_key(|claim| claim_size(claim));
        Ok(claims)
    }

    fn is_empty(&self) -> bool {
        self.bound.is_empty() && self.delayed.is_empty() && !self.immediate
    }
}

/// Why a claim is of no use to the pod.
fn usable<'a>(
    claim: Option<&'a PersistentVolumeClaim>,
    used: &volumes::PodClaim<'_>,
    pod: &Pod,
) -> Result<&'a PersistentVolumeClaim, String> {
    let name = &used.name;
    let Some(claim) = claim else {
        return Err(if used.ephemeral {
            format!(
                "waiting for ephemeral volume controller to create the persistentvolumeclaim \
                 \"{name}\""
            )
        } else {
            format!("persistentvolumeclaim \"{name}\" not found")
        });
    };
    if volumes::claim_phase(claim) == "Lost" {
        let volume = volumes::volume_name(claim);
        return Err(format!(
            "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
        ));
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
    }
    if used.ephemeral && !volumes::is_claim_for_pod(claim, pod) {
        return Err(volumes::not_for_pod(claim, pod));
    }
    Ok(claim)
}

impl FilterPlugin for VolumeBinding {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        if pod.claims.is_empty() {
            return Ok(Prepared::skip());
        }
        let claims = Claims::of(&pod.pod, view.cache).map_err(Rejection::unresolvable)?;
        if claims.immediate {
            return Err(Rejection::unresolvable(REASON_IMMEDIATE));
        }
        if claims.is_empty() {
            return Ok(Prepared::skip());
        }
        Ok(Prepared::with(Reach { claims, cache: view.cache }))
    }
}

struct Reach<'a> {
    claims: Claims<'a>,
    cache: &'a Cache,
}

impl Filter for Reach<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let mut reasons = Vec::new();
        let (mut conflict, mut missing) = (false, false);
        for claim in &self.claims.bound {
            let key = Key::new("", volumes::volume_name(claim));
            match self.cache.get::<PersistentVolume>(&key) {
                Some(volume) => conflict |= !volumes::reaches(volume, &node.node),
                None => missing = true,
            }
        }
        if conflict {
            reasons.push(REASON_NODE_CONFLICT.into());
        }
        if let Err(reason) = find(&self.claims.delayed, &node.node, self.cache) {
            reasons.push(reason.into());
        }
        if missing {
            reasons.push(REASON_NO_VOLUME.into());
        }
        if reasons.is_empty() { Ok(()) } else { Err(Rejection { reasons, resolvable: false }) }
    }
}

/// What is to be written so that a pod's claims are bound.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Volumes to keep for claims.
    pub bindings: Vec<(PersistentVolume, PersistentVolumeClaim)>,
    /// Claims for which a volume is to be made.
    pub provisions: Vec<PersistentVolumeClaim>,
}

impl Decision {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.provisions.is_empty()
    }
}

/// What is to be done for a pod's claims so that they can be used on the node.
pub fn decide(pod: &Pod, node: &Node, cache: &Cache) -> Result<Decision, String> {
    let claims = Claims::of(pod, cache)?;
    find(&claims.delayed, node, cache).map_err(str::to_owned)
}

/// Finds a volume for each claim, or that one can be made. Upstream: `findMatchingVolumes` and
/// `checkVolumeProvisions`.
fn find(
    claims: &[&PersistentVolumeClaim],
    node: &Node,
    cache: &Cache,
) -> Result<Decision, &'static str> {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let mut decision = Decision::default();
    let mut taken = Vec::new();
    for claim in claims {
        match annotation(&claim.metadata, SELECTED_NODE) {
            Some(selected) if selected != name => return Err(REASON_BIND_CONFLICT),
            Some(_) => {}
            None => {
                let search = Search { node: Some(node), delayed: true, taken: &taken };
                let all = cache.list::<PersistentVolume>("");
                if let Some(volume) = volumes::find_matching_volume(claim, all, search) {
                    taken.push(volume.metadata.name.clone().unwrap_or_default());
                    let claim = PersistentVolumeClaim::clone(claim);
                    decision.bindings.push((volume.clone(), claim));
                    continue;
                }
            }
        }
        can_be_made(claim, node, cache)?;
        decision.provisions.push(PersistentVolumeClaim::clone(claim));
    }
    Ok(decision)
}

fn can_be_made(
    claim: &PersistentVolumeClaim,
    node: &Node,
    cache: &Cache,
) -> Result<(), &'static str> {
    let class = cache.get::<StorageClass>(&Key::new("", claim_class(claim)));
    let Some(class) = class.filter(|class| class.provisioner != NO_PROVISIONER) else {
        return Err(REASON_BIND_CONFLICT);
    };
    let terms = class.allowed_topologies.as_deref().unwrap_or_default();
    if !terms.is_empty() && !terms.iter().any(|term| topology_matches(term, node)) {
        return Err(REASON_BIND_CONFLICT);
    }
    if has_space(claim, class, node, cache) { Ok(()) } else { Err(REASON_NO_SPACE) }
}

/// Upstream: `MatchTopologySelectorTerms`; an empty term matches nothing.
fn topology_matches(term: &TopologySelectorTerm, node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let expressions = term.match_label_expressions.as_deref().unwrap_or_default();
    let matches = |key: &str, values: &[String]| {
        labels.and_then(|labels| labels.get(key)).is_some_and(|value| values.contains(value))
    };
    !expressions.is_empty() && expressions.iter().all(|e| matches(&e.key, &e.values))
}

/// A driver that tells how much room it has must have told of enough. Upstream:
/// `hasEnoughCapacity`.
fn has_space(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: &Node,
    cache: &Cache,
) -> bool {
    let driver = cache.get::<CSIDriver>(&Key::new("", class.provisioner.as_str()));
    if driver.is_none_or(|driver| driver.spec.storage_capacity != Some(true)) {
        return true;
    }
    let name = class.metadata.name.as_deref().unwrap_or_default();
    cache.list::<CSIStorageCapacity>("").any(|told| {
        let selector = Selector::from_label_selector(told.node_topology.as_ref());
        let limit = told.maximum_volume_size.as_ref().or(told.capacity.as_ref());
        told.storage_class_name == name
            && limit.is_some_and(|limit| Amount::of(limit) >= claim_size(claim))
            && selector.is_ok_and(|selector| selector.matches(node.metadata.labels.as_ref()))
    })
}

/// How far the binding of a pod's claims has come: `Ok(true)` when all are bound.
///
/// Upstream: `checkBindings`.
pub fn progress(pod: &Pod, node: &Node, cache: &Cache) -> Result<bool, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let node_name = node.metadata.name.as_deref().unwrap_or_default();
    let mut all = true;
    for used in volumes::pod_claims(pod) {
        let name = &used.name;
        let key = Key::new(namespace, name.as_str());
        let Some(claim) = cache.get::<PersistentVolumeClaim>(&key) else {
            return Err(format!("failed to get pvc: persistentvolumeclaim \"{name}\" not found"));
        };
        if !volumes::is_fully_bound(claim) {
            let has_volume = cache
                .list::<PersistentVolume>("")
                .any(|volume| volumes::is_bound_to(volume, claim));
            let selected = annotation(&claim.metadata, SELECTED_NODE);
            if !has_volume && selected != Some(node_name) {
                return Err(format!("provisioning failed for PVC \"{name}\""));
            }
            all = false;
            continue;
        }
        let volume_name = volumes::volume_name(claim);
        let volume = cache.get::<PersistentVolume>(&Key::new("", volume_name));
        if volume.is_some_and(|volume| !volumes::reaches(volume, node)) {
            return Err(format!(
                "pv \"{volume_name}\" node affinity doesn't match node \"{node_name}\": no matching \
                 NodeSelectorTerms"
            ));
        }
        all &= volume.is_some();
    }
    Ok(all)
}
