//! Rolls a Deployment's pod template out, one ReplicaSet for each revision.
//!
//! Upstream: `pkg/controller/deployment`. The files here are upstream's: [`sync`] for what all
//! strategies share, [`rolling`], [`recreate`], [`progress`], and [`util`] for what is computed.

mod progress;
mod recreate;
mod rolling;
mod sync;
mod util;

use crate::controller_ref::{Claimer, Orphans, concerned, resolve_controller};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use naru_api::labels::Selector;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use sync::Rollout;

/// The Deployment controller.
#[derive(Clone, Debug, Default)]
pub struct DeploymentController {
    orphans: Orphans,
}

impl Controller for DeploymentController {
    fn name(&self) -> &str {
        "deployment-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Deployment>(), Watch::all::<ReplicaSet>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let kind = event.object.kind();
        if kind == Deployment::kind() {
            vec![event.object.key()]
        } else if kind == ReplicaSet::kind() {
            self.orphans.observe(event, old);
            let (owner, mut keys) =
                concerned::<Deployment>(event, old, cache, |deployment, labels| {
                    let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
                    Selector::from_label_selector(selector)
                        .is_ok_and(|selector| selector.matches(labels))
                });
            keys.extend(owner);
            keys
        } else if kind == Pod::kind() && event.kind == WatchEventType::Deleted {
            map_deleted_pod(&event.object, cache)
        } else {
            Vec::new()
        }
    }
}

impl Reconcile for DeploymentController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&Deployment::kind(), key) else {
            return Ok(Action::await_change());
        };
        let Some(deployment) = object.get::<Deployment>() else {
            return Ok(Action::await_change());
        };
        let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
        let selector = crate::util::selector(selector)?;
        if selector.is_everything() {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            context.event(object, EventType::Warning, "SelectingAll", text);
            return Ok(Action::await_change());
        }
        let candidates = cache
            .controlled::<ReplicaSet>(object.uid())
            .chain(self.orphans.list::<ReplicaSet>(cache, &key.namespace));
        let owned = Claimer::new(object, &selector).claim_all(context, candidates)?;
        let sets = owned.into_iter().cloned().collect();
        Rollout::new(context, object, deployment.clone(), sets).sync()
    }
}

/// A Deployment that recreates goes on when the last of its old pods is gone.
fn map_deleted_pod(pod: &Object, cache: &Cache) -> Vec<Key> {
    let owner = resolve_controller::<ReplicaSet>(cache, pod.meta())
        .and_then(|key| cache.get::<ReplicaSet>(&key))
        .and_then(|rs| resolve_controller::<Deployment>(cache, &rs.metadata));
    let Some(key) = owner else { return Vec::new() };
    let recreates = cache.get::<Deployment>(&key).is_some_and(|d| !util::is_rolling_update(d));
    if recreates { vec![key] } else { Vec::new() }
}
