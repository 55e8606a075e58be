//! From a claim to the volume that it is bound to.
//!
//! Upstream: `createVolumeSpec` in
//! `pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go`.

use super::Sources;
use k8s_openapi::api::core::v1::{
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, Pod, Volume,
};
use naru_api::volumes::{
    PodClaim, claim_phase, is_claim_for_pod, not_for_pod, pod_claims, volume_modes, volume_name,
};

/// A persistent volume that a pod uses.
pub(super) struct Found {
    /// Its name.
    pub name: String,
    /// What it is.
    pub spec: PersistentVolumeSpec,
    /// Whether the pod may only read.
    pub read_only: bool,
    /// Whether only one pod may use it.
    pub exclusive: bool,
}

/// The claim that a volume of the pod refers to.
pub(super) fn claim_of<'a>(volume: &Volume, pod: &'a Pod) -> Option<PodClaim<'a>> {
    pod_claims(pod).find(|claim| claim.volume == volume.name)
}

/// The volume that a claim is bound to. The error is a part of an event's text.
pub(super) fn find(used: &PodClaim<'_>, sources: &mut Sources<'_, '_>) -> Result<Found, String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let claim = claim(&namespace, used, sources)
        .map_err(|why| format!("error processing PVC {namespace}/{}: {why}", used.name))?;
    let name = volume_name(&claim).to_owned();
    let volume = volume(&name, &claim, sources)
        .map_err(|why| format!("error processing PVC {namespace}/{}: {why}", used.name))?;
    let modes = volume_modes(&volume);
    Ok(Found {
        read_only: used.read_only || !modes.is_empty() && modes.iter().all(|m| m == "ReadOnlyMany"),
        exclusive: modes.iter().any(|mode| mode == "ReadWriteOncePod"),
        spec: volume.spec.clone().unwrap_or_default(),
        name,
    })
}

fn claim(
    namespace: &str,
    used: &PodClaim<'_>,
    sources: &mut Sources<'_, '_>,
) -> Result<std::sync::Arc<PersistentVolumeClaim>, String> {
    let claim = sources
        .client
        .get::<PersistentVolumeClaim>(namespace, &used.name)
        .map_err(|error| format!("failed to fetch PVC from API server: {}", error.message()))?;
    if used.ephemeral && !is_claim_for_pod(&claim, sources.pod) {
        return Err(not_for_pod(&claim, sources.pod));
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return Err("PVC is being deleted".to_owned());
    }
    if claim_phase(&claim) != "Bound" {
        return Err("PVC is not bound".to_owned());
    }
    if volume_name(&claim).is_empty() {
        return Err("PVC has empty pvc.Spec.VolumeName".to_owned());
    }
    Ok(claim)
}

fn volume(
    name: &str,
    claim: &PersistentVolumeClaim,
    sources: &mut Sources<'_, '_>,
) -> Result<std::sync::Arc<PersistentVolume>, String> {
    let volume = sources.client.get::<PersistentVolume>("", name).map_err(|error| {
        format!("failed to fetch PV {name} from API server: {}", error.message())
    })?;
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let Some(reference) = reference else {
        return Err(format!(
            "found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet \
             bound to the claim"
        ));
    };
    if reference.uid != claim.metadata.uid {
        return Err(format!(
            "found PV object {name} but its pv.Spec.ClaimRef.UID {} does not point to claim.UID {}",
            reference.uid.as_deref().unwrap_or_default(),
            claim.metadata.uid.as_deref().unwrap_or_default(),
        ));
    }
    Ok(volume)
}

/// Writes into a claim that the file system on its volume has grown with it; gives the volume's
/// name, if it has.
///
/// Upstream: `NodeExpandVolume` in `pkg/volume/util/operationexecutor`.
pub(super) fn expand(claim: &str, sources: &mut Sources<'_, '_>) -> Option<String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let found = sources.client.get::<PersistentVolumeClaim>(&namespace, claim).ok()?;
    let status = found.status.clone()?;
    let mut conditions = status.conditions.iter().flatten();
    if !conditions.any(|condition| condition.type_ == "FileSystemResizePending") {
        return None;
    }
    let name = volume_name(&found).to_owned();
    let volume = sources.client.get::<PersistentVolume>("", &name).ok()?;
    let mut grown = PersistentVolumeClaim::clone(&found);
    let status = grown.status.get_or_insert_default();
    status.capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.clone());
    status.conditions = None;
    sources.client.update_status(grown).ok()?;
    Some(name)
}
