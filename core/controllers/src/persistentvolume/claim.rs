//! What becomes of a claim.
//!
//! Upstream: `syncClaim`, `syncUnboundClaim`, `syncBoundClaim` and `provisionClaim` in
//! `pv_controller.go`.

use super::bind::{bind, set_claim_phase, set_claim_phase_with_event};
use super::{about, until_resync};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_api::volumes::{
    self, BETA_STORAGE_PROVISIONER, BIND_COMPLETED, BOUND_BY_CONTROLLER, DEFAULT_CLASS_MARKS,
    SELECTED_NODE, STORAGE_PROVISIONER, Search, annotation, claim_class, volume_name,
};
use naru_api::{Key, csi_translation, pods};
use naru_client::{Action, Context, Error, EventType};
use std::sync::Arc;

type Claim = Arc<PersistentVolumeClaim>;

/// Brings a claim nearer to being bound.
pub(super) fn sync(claim: &Claim, context: &mut Context<'_>) -> Result<Action, Error> {
    if annotation(&claim.metadata, BIND_COMPLETED).is_some() {
        sync_bound(claim, context)
    } else if volume_name(claim).is_empty() {
        sync_unbound(claim, context)
    } else {
        sync_prebound(claim, context)
    }
}

/// The claim takes any volume.
fn sync_unbound(claim: &Claim, context: &mut Context<'_>) -> Result<Action, Error> {
    let class = context.cache.get::<StorageClass>(&Key::new("", claim_class(claim)));
    let delayed = class.is_some_and(volumes::waits_for_consumer);
    let search = Search { delayed, ..Search::default() };
    let all = context.cache.list::<PersistentVolume>("");
    if let Some(found) = volumes::find_matching_volume(claim, all, search) {
        let key = Key::new("", found.metadata.name.clone().unwrap_or_default());
        if let Some(found) = context.cache.arc::<PersistentVolume>(&key) {
            bind(&found, claim, context)?;
        }
        return Ok(Action::await_change());
    }
    if assign_default_class(claim, context)? {
        return Ok(Action::await_change());
    }
    if delayed && annotation(&claim.metadata, SELECTED_NODE).is_none() {
        tell_what_it_waits_for(claim, context);
    } else if !claim_class(claim).is_empty() {
        provision(claim, context)?;
        return Ok(until_resync(context.now));
    } else {
        let text = "no persistent volumes available for this claim and no storage class is set";
        context.event(&about(&**claim), EventType::Normal, "FailedBinding", text);
    }
    set_claim_phase(claim, "Pending", None, context)?;
    Ok(until_resync(context.now))
}

/// The claim names its volume.
fn sync_prebound(claim: &Claim, context: &mut Context<'_>) -> Result<Action, Error> {
    let name = volume_name(claim);
    let Some(volume) = context.cache.arc::<PersistentVolume>(&Key::new("", name)) else {
        set_claim_phase(claim, "Pending", None, context)?;
        return Ok(until_resync(context.now));
    };
    let is_claimed = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
    if volumes::is_bound_to(&volume, claim) {
        bind(&volume, claim, context)?;
        return Ok(Action::await_change());
    }
    if !is_claimed {
        match mismatch(&volume, claim) {
            None => {
                bind(&volume, claim, context)?;
                return Ok(Action::await_change());
            }
            Some(why) => {
                let text = format!("Cannot bind to requested volume \"{name}\": {why}");
                context.event(&about(&**claim), EventType::Warning, "VolumeMismatch", &text);
            }
        }
    } else if annotation(&claim.metadata, BOUND_BY_CONTROLLER).is_none() {
        let text = format!("volume \"{name}\" already bound to a different claim.");
        context.event(&about(&**claim), EventType::Warning, "FailedBinding", &text);
    }
    set_claim_phase(claim, "Pending", None, context)?;
    Ok(until_resync(context.now))
}

/// Why a volume cannot be bound to the claim that names it. Upstream: `checkVolumeSatisfyClaim`.
fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<&'static str> {
    if volumes::volume_size(volume) < volumes::claim_size(claim) {
        Some("requested PV is too small")
    } else if volumes::volume_class(volume) != claim_class(claim) {
        Some("storageClassName does not match")
    } else if !volumes::same_volume_mode(volume, claim) {
        Some("incompatible volumeMode")
    } else if !volumes::has_modes(volume, claim) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

/// The claim was bound once.
fn sync_bound(claim: &Claim, context: &mut Context<'_>) -> Result<Action, Error> {
    let lost = |reason: &str, text: &str, context: &mut Context<'_>| {
        set_claim_phase_with_event(claim, "Lost", reason, text, context)
    };
    let name = volume_name(claim);
    let volume = context.cache.arc::<PersistentVolume>(&Key::new("", name));
    match volume {
        _ if name.is_empty() => {
            let text = "Bound claim has lost reference to PersistentVolume. \
                        Data on the volume is lost!";
            lost("ClaimLost", text, context)?;
        }
        None => {
            let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            lost("ClaimLost", text, context)?;
        }
        Some(volume) => {
            let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
            let same = reference.is_none_or(|r| r.uid.is_none() || r.uid == claim.metadata.uid);
            if same {
                bind(&volume, claim, context)?;
            } else {
                let text = "Two claims are bound to the same volume, \
                            this one is bound incorrectly";
                lost("ClaimMisbound", text, context)?;
            }
        }
    }
    Ok(Action::await_change())
}

/// A claim without a class gets the default one, as soon as there is one.
fn assign_default_class(claim: &Claim, context: &mut Context<'_>) -> Result<bool, Error> {
    let named = claim.spec.as_ref().is_some_and(|spec| spec.storage_class_name.is_some());
    if named || annotation(&claim.metadata, volumes::BETA_CLASS).is_some() {
        return Ok(false);
    }
    let classes = context.cache.list::<StorageClass>("").map(|class| &class.metadata);
    let Some(name) = volumes::newest_marked(classes, &DEFAULT_CLASS_MARKS) else {
        return Ok(false);
    };
    let mut classed = PersistentVolumeClaim::clone(claim);
    classed.spec.get_or_insert_default().storage_class_name = Some(name);
    context.client.update(classed)?;
    Ok(true)
}

/// Upstream: `emitEventForUnboundDelayBindingClaim`.
fn tell_what_it_waits_for(claim: &Claim, context: &mut Context<'_>) {
    let key = crate::util::key_of(&**claim);
    let waiting = |pod: &&Pod| {
        !pods::is_terminal(pod)
            && pods::node_name(pod).is_empty()
            && volumes::pod_claims(pod).any(|used| used.name == key.name)
    };
    let names: Vec<&str> = context
        .cache
        .list::<Pod>(&key.namespace)
        .filter(waiting)
        .filter_map(|pod| pod.metadata.name.as_deref())
        .collect();
    let (reason, text) = match names.as_slice() {
        [] => {
            let text = "waiting for first consumer to be created before binding".to_owned();
            ("WaitForFirstConsumer", text)
        }
        [pod] => ("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
        pods => {
            ("WaitForPodScheduled", format!("waiting for pods {} to be scheduled", pods.join(",")))
        }
    };
    context.event(&about(&**claim), EventType::Normal, reason, &text);
}

/// Asks the provisioner of the claim's class for a volume. None of those that v1.33 has in itself
/// is left: they are outside of the cluster's own programs, or moved there.
fn provision(claim: &Claim, context: &mut Context<'_>) -> Result<(), Error> {
    let object = about(&**claim);
    let name = claim_class(claim);
    let Some(class) = context.cache.get::<StorageClass>(&Key::new("", name)) else {
        let text = format!("storageclass.storage.k8s.io \"{name}\" not found");
        context.event(&object, EventType::Warning, "ProvisioningFailed", &text);
        return Ok(());
    };
    let asked = class.provisioner.as_str();
    let provisioner = match csi_translation::migrated(asked) {
        Some(driver) => driver,
        None if asked.starts_with("kubernetes.io/") => {
            let text = format!("no volume plugin matched name: {asked}");
            context.event(&object, EventType::Warning, "ProvisioningFailed", &text);
            return Ok(());
        }
        None => asked,
    }
    .to_owned();
    set_provisioner(claim, &provisioner, context)?;
    let text = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or \
         manually by the system administrator. If volume creation is delayed, please verify that \
         the provisioner is running and correctly registered."
    );
    context.event(&object, EventType::Normal, "ExternalProvisioning", &text);
    Ok(())
}

fn set_provisioner(claim: &Claim, name: &str, context: &mut Context<'_>) -> Result<(), Error> {
    let names = [BETA_STORAGE_PROVISIONER, STORAGE_PROVISIONER];
    if names.iter().all(|key| annotation(&claim.metadata, key) == Some(name)) {
        return Ok(());
    }
    let mut asked = PersistentVolumeClaim::clone(claim);
    let annotations = asked.metadata.annotations.get_or_insert_default();
    annotations.extend(names.map(|key| (key.to_owned(), name.to_owned())));
    context.client.update(asked)?;
    Ok(())
}
