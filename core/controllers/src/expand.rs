//! Tells of claims that ask for more than they have. To let volumes grow is their drivers' work.
//!
//! Upstream: `pkg/controller/volume/expand/expand_controller.go`.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use naru_api::quantity::Amount;
use naru_api::volumes::{claim_phase, claim_size, volume_name};
use naru_api::{Key, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};

/// The expand controller.
#[derive(Clone, Debug, Default)]
pub struct ExpandController;

fn wants_more(claim: &PersistentVolumeClaim) -> bool {
    let status = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    let has = status.and_then(|capacity| capacity.get("storage")).map_or(Amount::ZERO, Amount::of);
    claim_phase(claim) == "Bound" && claim_size(claim) > has
}

impl Controller for ExpandController {
    fn name(&self) -> &str {
        "persistentvolume-expander-controller"
    }

    fn event_source(&self) -> &str {
        "volume_expand"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<PersistentVolumeClaim>(), Watch::all::<PersistentVolume>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        if event.kind == WatchEventType::Deleted {
            return Vec::new();
        }
        let Some(claim) = event.object.get::<PersistentVolumeClaim>() else { return Vec::new() };
        let before = old.and_then(Object::get::<PersistentVolumeClaim>);
        let grown = before.is_none_or(|before| claim_size(before) < claim_size(claim));
        if grown && wants_more(claim) { vec![event.object.key()] } else { Vec::new() }
    }
}

impl Reconcile for ExpandController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let claim = context.cache.arc::<PersistentVolumeClaim>(key);
        let Some(claim) = claim.filter(|claim| wants_more(claim)) else {
            return Ok(Action::await_change());
        };
        let volume = Key::new("", volume_name(&claim));
        if context.cache.get::<PersistentVolume>(&volume).is_some() {
            let about = Object::new(PersistentVolumeClaim::clone(&claim));
            let text = "waiting for an external controller to expand this PVC";
            context.event(&about, EventType::Normal, "ExternalExpanding", text);
        }
        Ok(Action::await_change())
    }
}
