//! What becomes of a volume.
//!
//! Upstream: `syncVolume`, `reclaimVolume` and `deleteVolumeOperation` in `pv_controller.go`,
//! `pkg/volume/hostpath/host_path.go` (`hostPathDeleter`).

use super::bind::{set_volume_phase, set_volume_phase_with_event, unbind_volume};
use super::{DeleteBackoff, PersistentVolumeBinderController, about, claim_key, until_resync};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use naru_api::request::DeleteOptions;
use naru_api::volumes::{PROVISIONED_BY, annotation, same_volume_mode, volume_name, volume_phase};
use naru_client::{Action, Context, Error, EventType};
use std::sync::Arc;

impl PersistentVolumeBinderController {
    /// Brings a volume's phase to what it is bound to, and reclaims it when its claim is gone.
    pub(super) fn sync_volume(
        &mut self,
        volume: &Arc<PersistentVolume>,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        let uid = reference.and_then(|reference| reference.uid.as_deref()).unwrap_or_default();
        if uid.is_empty() {
            self.recycling.remove(name);
            set_volume_phase(volume, "Available", context)?;
            return Ok(Action::await_change());
        }
        let Some(claim) = claim_of(volume, uid, context)? else {
            return self.release(volume, context);
        };
        if volume_name(&claim).is_empty() {
            if !same_volume_mode(volume, &claim) {
                tell_of_modes(volume, &claim, context);
            }
            // The sync of the claim finishes the binding.
            return Ok(Action::await_change());
        }
        if volume_name(&claim) == name {
            set_volume_phase(volume, "Bound", context)?;
            return Ok(Action::await_change());
        }
        // The claim has another volume.
        if annotation(&volume.metadata, PROVISIONED_BY).is_some() && policy(volume) == "Delete" {
            return self.release(volume, context);
        }
        unbind_volume(volume, context)?;
        Ok(Action::await_change())
    }

    fn release(
        &mut self,
        volume: &Arc<PersistentVolume>,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let mut volume = Arc::clone(volume);
        if !matches!(volume_phase(&volume), "Released" | "Failed") {
            volume = set_volume_phase(&volume, "Released", context)?;
        }
        match policy(&volume) {
            "Recycle" => self.recycle(&volume, context),
            "Delete" => self.delete(&volume, context),
            _ => Ok(Action::await_change()),
        }
    }

    fn delete(
        &mut self,
        volume: &Arc<PersistentVolume>,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let before = self.deleting.get(name).copied();
        if before.is_some_and(|before| before.until > context.now) {
            return Ok(until_resync(context.now));
        }
        match delete_data(volume) {
            Ok(Deleted::ByOthers) => Ok(Action::await_change()),
            Ok(Deleted::Here) => {
                self.deleting.remove(name);
                let options = DeleteOptions::default();
                match context.client.delete::<PersistentVolume>("", name, options) {
                    Err(error) if !error.is_not_found() => Err(error.into()),
                    _ => Ok(Action::await_change()),
                }
            }
            Err(why) => {
                let next = DeleteBackoff::next(before, context.now);
                self.deleting.insert(name.to_owned(), next);
                set_volume_phase_with_event(volume, "Failed", "VolumeFailedDelete", &why, context)?;
                Ok(until_resync(context.now))
            }
        }
    }
}

/// Who has seen to what is on a volume.
enum Deleted {
    Here,
    ByOthers,
}

/// Deletes what is on a volume. A directory of the control plane's own machine is all that the
/// controller can reach, and there only what is temporary.
fn delete_data(volume: &PersistentVolume) -> Result<Deleted, String> {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    match annotation(&volume.metadata, PROVISIONED_BY) {
        Some(maker) if !maker.starts_with("kubernetes.io/") => return Ok(Deleted::ByOthers),
        _ => {}
    }
    let path = volume.spec.as_ref().and_then(|spec| spec.host_path.as_ref());
    let Some(path) = path.map(|source| source.path.as_str()) else {
        return Err(format!(
            "error getting deleter volume plugin for volume \"{name}\": \
             no deletable volume plugin matched"
        ));
    };
    if path.strip_prefix("/tmp/").is_some_and(|rest| !rest.is_empty()) {
        Ok(Deleted::Here)
    } else {
        Err(format!("host_path deleter only supports /tmp/.+ but received provided {path}"))
    }
}

pub(super) fn policy(volume: &PersistentVolume) -> &str {
    let spec = volume.spec.as_ref();
    spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref()).unwrap_or_default()
}

/// The claim that the volume is bound to, if it is still the same one. One that the cache does not
/// know (yet) is asked for.
fn claim_of(
    volume: &PersistentVolume,
    uid: &str,
    context: &mut Context<'_>,
) -> Result<Option<Arc<PersistentVolumeClaim>>, Error> {
    let Some(key) = claim_key(volume) else { return Ok(None) };
    let same = |claim: &Arc<PersistentVolumeClaim>| claim.metadata.uid.as_deref() == Some(uid);
    if let Some(claim) = context.cache.arc::<PersistentVolumeClaim>(&key).filter(same) {
        return Ok(Some(claim));
    }
    match context.client.get::<PersistentVolumeClaim>(&key.namespace, &key.name) {
        Ok(claim) => Ok(Some(claim).filter(same)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn tell_of_modes(
    volume: &PersistentVolume,
    claim: &PersistentVolumeClaim,
    context: &mut Context<'_>,
) {
    let (reason, claim_name) = ("VolumeMismatch", claim.metadata.name.clone().unwrap_or_default());
    let volume_name = volume.metadata.name.clone().unwrap_or_default();
    let text = format!(
        "Cannot bind PersistentVolume to requested PersistentVolumeClaim \"{claim_name}\" due to \
         incompatible volumeMode."
    );
    context.event(&about(volume), EventType::Warning, reason, &text);
    let text = format!(
        "Cannot bind PersistentVolume \"{volume_name}\" to requested PersistentVolumeClaim \
         \"{claim_name}\" due to incompatible volumeMode."
    );
    context.event(&about(claim), EventType::Warning, reason, &text);
}
