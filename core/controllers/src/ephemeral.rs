//! Makes the claims of pods whose volumes say what claim they want.
//!
//! Upstream: `pkg/controller/volume/ephemeral/controller.go`.

use crate::controller_ref::new_controller_ref;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod};
use naru_api::volumes::{is_claim_for_pod, not_for_pod};
use naru_api::{Key, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

/// The ephemeral volume controller.
#[derive(Clone, Debug, Default)]
pub struct EphemeralVolumeController;

/// The volumes of a pod that come with a claim: names and templates.
fn templates(pod: &Pod) -> impl Iterator<Item = (&str, &PersistentVolumeClaimTemplate)> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| {
        let template = volume.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
        Some((volume.name.as_str(), template))
    })
}

impl Controller for EphemeralVolumeController {
    fn name(&self) -> &str {
        "ephemeral-volume-controller"
    }

    fn event_source(&self) -> &str {
        "ephemeral_volume"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Pod>(), Watch::all::<PersistentVolumeClaim>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let gone = event.kind == WatchEventType::Deleted;
        if let Some(pod) = event.object.get::<Pod>() {
            let wants = !gone && !pods::is_terminating(pod) && templates(pod).next().is_some();
            return if wants { vec![event.object.key()] } else { Vec::new() };
        }
        // A claim that was deleted is made again.
        match event.object.controller().filter(|owner| gone && owner.kind == "Pod") {
            Some(owner) => vec![Key::new(event.object.namespace(), owner.name.as_str())],
            None => Vec::new(),
        }
    }
}

impl Reconcile for EphemeralVolumeController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(pod) = context.cache.arc::<Pod>(key) else { return Ok(Action::await_change()) };
        if pods::is_terminating(&pod) {
            return Ok(Action::await_change());
        }
        for (volume, template) in templates(&pod) {
            let name = format!("{}-{volume}", key.name);
            let found =
                context.cache.get::<PersistentVolumeClaim>(&Key::new(&*key.namespace, &*name));
            match found {
                Some(claim) if is_claim_for_pod(claim, &pod) => {}
                Some(claim) => return Err(Error::Other(not_for_pod(claim, &pod))),
                None => {
                    context.client.create(claim_of(&pod, name, template))?;
                }
            }
        }
        Ok(Action::await_change())
    }
}

/// The claim of a volume: it goes with its pod.
fn claim_of(
    pod: &Pod,
    name: String,
    template: &PersistentVolumeClaimTemplate,
) -> PersistentVolumeClaim {
    let meta = template.metadata.clone().unwrap_or_default();
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = Some(name);
    claim.metadata.namespace.clone_from(&pod.metadata.namespace);
    claim.metadata.annotations = meta.annotations;
    claim.metadata.labels = meta.labels;
    claim.metadata.owner_references = Some(vec![new_controller_ref(&Object::new(pod.clone()))]);
    claim.spec = Some(template.spec.clone());
    claim
}
