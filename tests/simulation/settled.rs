//! Laws of a cluster that is mended and has come to rest.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::{Key, Kube, Object, pods};
use naru_cluster::Cluster;
use std::collections::{BTreeMap, BTreeSet};

/// Says what is not as it should be.
pub fn check(cluster: &mut Cluster) -> Result<(), String> {
    let all = everything(cluster);
    let mut broken = Vec::new();
    for object in &all {
        broken.extend(replicas(object).err());
    }
    broken.extend(orphans(&all));
    broken.extend(pods_at_rest(&all));
    broken.extend(lost_endpoints(&all));
    broken.extend(volumes(&all));
    if !cluster.faults().is_empty() {
        broken.push(format!("still broken: {:?}", cluster.faults()));
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

fn everything(cluster: &mut Cluster) -> Vec<Object> {
    let kinds = cluster.kinds();
    kinds
        .iter()
        .filter(|kind| kind.verbs.contains(&"list"))
        .flat_map(|kind| cluster.objects(&kind.api_version(), &kind.kind, "", ""))
        .collect()
}

/// What was asked for is there.
fn replicas(object: &Object) -> Result<(), String> {
    let name = format!("{} {}", object.kind().kind, object.key());
    let equal = |what: &str, is: Option<i32>, wanted: i32| match is.unwrap_or(0) == wanted {
        true => Ok(()),
        false => Err(format!("{name}: {what} is {}, not {wanted}", is.unwrap_or(0))),
    };
    if let Some(it) = object.get::<Deployment>() {
        let wanted = it.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = it.status.clone().unwrap_or_default();
        equal("replicas", status.replicas, wanted)?;
        equal("readyReplicas", status.ready_replicas, wanted)?;
        equal("updatedReplicas", status.updated_replicas, wanted)?;
    } else if let Some(it) = object.get::<ReplicaSet>() {
        let wanted = it.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = it.status.clone().unwrap_or_default();
        equal("replicas", Some(status.replicas), wanted)?;
        equal("readyReplicas", status.ready_replicas, wanted)?;
    } else if let Some(it) = object.get::<StatefulSet>() {
        let wanted = it.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = it.status.clone().unwrap_or_default();
        equal("replicas", Some(status.replicas), wanted)?;
        equal("readyReplicas", status.ready_replicas, wanted)?;
    } else if let Some(it) = object.get::<DaemonSet>() {
        let status = it.status.clone().unwrap_or_default();
        equal("numberReady", Some(status.number_ready), status.desired_number_scheduled)?;
        equal("updated", status.updated_number_scheduled, status.desired_number_scheduled)?;
        equal("numberMisscheduled", Some(status.number_misscheduled), 0)?;
    } else if let Some(it) = object.get::<Job>() {
        let conditions = it.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let mut ends = conditions.filter(|it| ["Complete", "Failed"].contains(&&*it.type_));
        if !ends.any(|it| it.status == "True") {
            return Err(format!("{name}: has not ended"));
        }
    } else if let Some(it) = object.get::<Node>() {
        let conditions = it.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let mut ready = conditions.filter(|it| it.type_ == "Ready");
        if !ready.any(|it| it.status == "True") {
            return Err(format!("{name}: not ready"));
        }
        let taints = it.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        let lost = taints.filter(|taint| taint.key.starts_with("node.kubernetes.io/")).count();
        equal("taints", i32::try_from(lost).ok(), 0)?;
    }
    Ok(())
}

/// Objects whose owners are gone.
fn orphans(all: &[Object]) -> Vec<String> {
    let uids: BTreeSet<&str> = all.iter().map(Object::uid).collect();
    let mut orphans = Vec::new();
    for object in all {
        for owner in object.meta().owner_references.iter().flatten() {
            if !uids.contains(owner.uid.as_str()) {
                let (kind, key) = (object.kind().kind.to_string(), object.key());
                orphans.push(format!("{kind} {key}: its {} {} is gone", owner.kind, owner.name));
            }
        }
    }
    orphans
}

/// No pod is on its way, and no two have one address.
fn pods_at_rest(all: &[Object]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut addresses: BTreeMap<String, String> = BTreeMap::new();
    for object in all.iter().filter(|object| object.kind() == Pod::kind()) {
        let Some(pod) = object.get::<Pod>() else { continue };
        let name = object.key().to_string();
        if pods::is_terminating(pod) {
            broken.push(format!("Pod {name}: still terminating"));
        } else if object.controller().is_some() && !pods::is_terminal(pod) && !pods::is_ready(pod) {
            // One that nobody controls may have an image that is not to be had.
            broken.push(format!("Pod {name}: {} and not ready", pods::phase(pod)));
        }
        let hosts = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
        let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
        if let Some(ip) = ip.filter(|_| !hosts && !pods::is_terminal(pod))
            && let Some(other) = addresses.insert(ip.clone(), name.clone())
        {
            broken.push(format!("Pod {name}: has the address {ip} of {other}"));
        }
    }
    broken
}

/// Volumes and claims belong to each other, and no volume is left that nobody claims.
fn volumes(all: &[Object]) -> Vec<String> {
    let mut broken = Vec::new();
    let there: BTreeMap<Key, &Object> = all
        .iter()
        .filter(|object| object.get::<PersistentVolumeClaim>().is_some())
        .map(|object| (object.key(), object))
        .collect();
    let mut claimed = BTreeMap::new();
    for object in all {
        let Some(volume) = object.get::<PersistentVolume>() else { continue };
        let name = object.name();
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        let key = claim.map(|claim| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            Key::new(text(&claim.namespace), text(&claim.name))
        });
        let uid = claim.and_then(|claim| claim.uid.as_deref());
        let found = key.as_ref().and_then(|key| there.get(key));
        if phase != Some("Bound") || found.is_none_or(|found| Some(found.uid()) != uid) {
            broken.push(format!("PersistentVolume {name}: {phase:?}, for {key:?}"));
        }
        if let Some(key) = key {
            claimed.insert(key, name);
        }
    }
    for (key, object) in there {
        let spec = object.get::<PersistentVolumeClaim>().and_then(|claim| claim.spec.as_ref());
        let named = spec.and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
        if named != claimed.get(&key).copied().unwrap_or_default() {
            broken.push(format!("PersistentVolumeClaim {key}: has {named}, not its volume"));
        }
    }
    broken
}

/// Endpoints that lead to nobody.
fn lost_endpoints(all: &[Object]) -> Vec<String> {
    let uids: BTreeSet<&str> = all.iter().map(Object::uid).collect();
    let slices = all.iter().filter_map(|object| Some((object, object.get::<EndpointSlice>()?)));
    let mut lost = Vec::new();
    for (object, slice) in slices {
        for target in slice.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref()) {
            if !target.uid.as_deref().is_some_and(|uid| uids.contains(uid)) {
                let name = target.name.as_deref().unwrap_or_default();
                lost.push(format!("EndpointSlice {}: its {name} is gone", object.key()));
            }
        }
    }
    lost
}
