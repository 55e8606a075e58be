//! Lets claims and volumes go that were deleted, as soon as nobody uses them.
//!
//! Upstream: `pkg/controller/volume/pvcprotection/pvc_protection_controller.go`,
//! `pkg/controller/volume/pvprotection/pv_protection_controller.go`.

use crate::util::key_of;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// Lets claims go that no pod on a node uses.
#[derive(Clone, Debug, Default)]
pub struct PvcProtectionController;

/// Lets volumes go that are bound to no claim.
#[derive(Clone, Debug, Default)]
pub struct PvProtectionController;

/// Whether the object waits for this finalizer.
fn waits<K: Kube>(object: &K, finalizer: &str) -> bool {
    let meta = object.metadata();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.iter().flatten().any(|name| name == finalizer)
}

fn release<K: Kube>(object: &K, finalizer: &str, context: &mut Context<'_>) -> Result<(), Error> {
    let mut object = object.clone();
    object.metadata_mut().finalizers.get_or_insert_default().retain(|name| name != finalizer);
    match context.client.update(object) {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// The claims of a pod's volumes, those among them that are made for the pod alone.
fn claims(pod: &Pod) -> impl Iterator<Item = String> + '_ {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(move |volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(source), _) => Some(source.claim_name.clone()),
        (None, Some(_)) if !pods::is_terminal(pod) => Some(format!("{name}-{}", volume.name)),
        _ => None,
    })
}

impl Controller for PvcProtectionController {
    fn name(&self) -> &str {
        "persistentvolumeclaim-protection-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<PersistentVolumeClaim>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        if let Some(claim) = event.object.get::<PersistentVolumeClaim>() {
            return waits(claim, CLAIM_FINALIZER).then(|| key_of(claim)).into_iter().collect();
        }
        let Some(pod) = event.object.get::<Pod>() else { return Vec::new() };
        if event.kind != WatchEventType::Deleted && !pods::is_terminal(pod) {
            return Vec::new();
        }
        claims(pod).map(|claim| Key::new(event.object.namespace(), claim)).collect()
    }
}

impl Reconcile for PvcProtectionController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(claim) = context.cache.arc::<PersistentVolumeClaim>(key) else {
            return Ok(Action::await_change());
        };
        // A pod that no node has yet will not be started with a claim that goes.
        let uses = |pod: &Pod| {
            !pods::node_name(pod).is_empty() && claims(pod).any(|claim| claim == key.name)
        };
        let used = context.cache.list::<Pod>(&key.namespace).any(uses);
        if waits(&*claim, CLAIM_FINALIZER) && !used {
            release(&*claim, CLAIM_FINALIZER, context)?;
        }
        Ok(Action::await_change())
    }
}

impl Controller for PvProtectionController {
    fn name(&self) -> &str {
        "persistentvolume-protection-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<PersistentVolume>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let volume = event.object.get::<PersistentVolume>();
        volume.filter(|volume| waits(*volume, VOLUME_FINALIZER)).map(key_of).into_iter().collect()
    }
}

impl Reconcile for PvProtectionController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(volume) = context.cache.arc::<PersistentVolume>(key) else {
            return Ok(Action::await_change());
        };
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        if waits(&*volume, VOLUME_FINALIZER) && phase != Some("Bound") {
            release(&*volume, VOLUME_FINALIZER, context)?;
        }
        Ok(Action::await_change())
    }
}
