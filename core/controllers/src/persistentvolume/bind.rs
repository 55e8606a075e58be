//! Writing a binding down, on both sides, and taking it back.
//!
//! Upstream: `bind`, `unbindVolume`, `updateClaimStatus` and `updateVolumePhase` in
//! `pv_controller.go`, `GetBindVolumeToClaim`.

use super::about;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use naru_api::volumes::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, annotation, claim_phase, is_bound_to, volume_name,
    volume_phase,
};
use naru_client::{Context, Error, EventType, object_reference};
use std::sync::Arc;

/// Binds the two, the volume first. Whatever fails is finished by the next sync.
pub(super) fn bind(
    volume: &Arc<PersistentVolume>,
    claim: &Arc<PersistentVolumeClaim>,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    let volume = bind_volume_to_claim(volume, claim, context)?;
    let volume = set_volume_phase(&volume, "Bound", context)?;
    let claim = bind_claim_to_volume(claim, &volume, context)?;
    set_claim_phase(&claim, "Bound", Some(&volume), context)?;
    Ok(())
}

fn bind_volume_to_claim(
    volume: &Arc<PersistentVolume>,
    claim: &PersistentVolumeClaim,
    context: &mut Context<'_>,
) -> Result<Arc<PersistentVolume>, Error> {
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let complete =
        is_bound_to(volume, claim) && reference.is_some_and(|r| r.uid == claim.metadata.uid);
    if complete {
        return Ok(Arc::clone(volume));
    }
    let mut bound = PersistentVolume::clone(volume);
    if !is_bound_to(volume, claim) {
        let annotations = bound.metadata.annotations.get_or_insert_default();
        annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
    }
    let reference = object_reference(&about(claim), None);
    bound.spec.get_or_insert_default().claim_ref = Some(reference);
    Ok(context.client.update(bound)?)
}

fn bind_claim_to_volume(
    claim: &Arc<PersistentVolumeClaim>,
    volume: &PersistentVolume,
    context: &mut Context<'_>,
) -> Result<Arc<PersistentVolumeClaim>, Error> {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let named = volume_name(claim) == name;
    if named && annotation(&claim.metadata, BIND_COMPLETED).is_some() {
        return Ok(Arc::clone(claim));
    }
    let mut bound = PersistentVolumeClaim::clone(claim);
    let annotations = bound.metadata.annotations.get_or_insert_default();
    annotations.insert(BIND_COMPLETED.to_owned(), "yes".to_owned());
    if !named {
        annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
        bound.spec.get_or_insert_default().volume_name = Some(name.to_owned());
    }
    Ok(context.client.update(bound)?)
}

/// Writes a claim's phase, and with a volume what it got.
pub(super) fn set_claim_phase(
    claim: &Arc<PersistentVolumeClaim>,
    phase: &str,
    volume: Option<&PersistentVolume>,
    context: &mut Context<'_>,
) -> Result<Arc<PersistentVolumeClaim>, Error> {
    let before = claim_phase(claim);
    let mut changed = PersistentVolumeClaim::clone(claim);
    let status = changed.status.get_or_insert_default();
    status.phase = Some(phase.to_owned());
    match volume.and_then(|volume| volume.spec.as_ref()) {
        None => (status.access_modes, status.capacity) = (None, None),
        Some(volume) => {
            status.access_modes.clone_from(&volume.access_modes);
            // A claim that is bound already may be growing: then others write what it has.
            let got = volume.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
            if let (Some(got), true) = (got, before != "Bound" || status.capacity.is_none()) {
                status.capacity = Some([("storage".to_owned(), got.clone())].into_iter().collect());
            }
        }
    }
    if changed.status == claim.status {
        return Ok(Arc::clone(claim));
    }
    Ok(context.client.update_status(changed)?)
}

/// Writes a claim's phase and tells of it, unless it has that phase already.
pub(super) fn set_claim_phase_with_event(
    claim: &Arc<PersistentVolumeClaim>,
    phase: &str,
    reason: &str,
    message: &str,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    if claim_phase(claim) == phase {
        return Ok(());
    }
    let claim = set_claim_phase(claim, phase, None, context)?;
    context.event(&about(&*claim), EventType::Warning, reason, message);
    Ok(())
}

/// Writes a volume's phase.
pub(super) fn set_volume_phase(
    volume: &Arc<PersistentVolume>,
    phase: &str,
    context: &mut Context<'_>,
) -> Result<Arc<PersistentVolume>, Error> {
    write_volume_phase(volume, phase, "", context)
}

/// Writes a volume's phase and why, and tells of it, unless it has that phase already.
pub(super) fn set_volume_phase_with_event(
    volume: &Arc<PersistentVolume>,
    phase: &str,
    reason: &str,
    message: &str,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    if volume_phase(volume) == phase {
        return Ok(());
    }
    let volume = write_volume_phase(volume, phase, message, context)?;
    context.event(&about(&*volume), EventType::Warning, reason, message);
    Ok(())
}

fn write_volume_phase(
    volume: &Arc<PersistentVolume>,
    phase: &str,
    message: &str,
    context: &mut Context<'_>,
) -> Result<Arc<PersistentVolume>, Error> {
    if volume_phase(volume) == phase {
        return Ok(Arc::clone(volume));
    }
    let mut changed = PersistentVolume::clone(volume);
    let status = changed.status.get_or_insert_default();
    status.phase = Some(phase.to_owned());
    status.message = Some(message.to_owned()).filter(|message| !message.is_empty());
    Ok(context.client.update_status(changed)?)
}

/// Takes the binding back; what a person wrote stays, but for the uid.
pub(super) fn unbind_volume(
    volume: &PersistentVolume,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    let mut free = volume.clone();
    let spec = free.spec.get_or_insert_default();
    let annotations = free.metadata.annotations.get_or_insert_default();
    if annotations.remove(BOUND_BY_CONTROLLER).is_some() {
        spec.claim_ref = None;
    } else if let Some(reference) = &mut spec.claim_ref {
        reference.uid = None;
    }
    if annotations.is_empty() {
        free.metadata.annotations = None;
    }
    let free = context.client.update(free)?;
    set_volume_phase(&free, "Available", context)?;
    Ok(())
}
