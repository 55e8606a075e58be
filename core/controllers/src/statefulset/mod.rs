//! Keeps pods with names of their own, one after the other, each with its storage.
//!
//! Upstream: `pkg/controller/statefulset`. The files here are upstream's: [`control`] for what is
//! done in which order, [`pod_control`] for pods and their events, [`utils`] for what a pod is
//! made of; [`claims`] for whom the claims belong to.

mod claims;
mod control;
mod pod_control;
mod utils;

use crate::controller_ref::{Claimer, Orphans, concerned};
use crate::util;
use control::Control;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use naru_api::labels::Selector;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

/// The StatefulSet controller.
#[derive(Clone, Debug, Default)]
pub struct StatefulSetController {
    orphans: Orphans,
    orphan_revisions: Orphans,
}

impl Controller for StatefulSetController {
    fn name(&self) -> &str {
        "statefulset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<StatefulSet>(),
            Watch::all::<Pod>(),
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<ControllerRevision>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let kind = event.object.kind();
        if kind == StatefulSet::kind() {
            vec![event.object.key()]
        } else if kind == Pod::kind() {
            self.orphans.observe(event, old);
            let (owner, mut keys) = concerned::<StatefulSet>(event, old, cache, |set, labels| {
                selector_of(set).is_ok_and(|selector| selector.matches(labels))
            });
            keys.extend(owner);
            keys
        } else {
            if kind == ControllerRevision::kind() {
                self.orphan_revisions.observe(event, old);
            }
            // What becomes of revisions and claims is seen when a pod or the set changes.
            Vec::new()
        }
    }
}

impl Reconcile for StatefulSetController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&StatefulSet::kind(), key) else {
            return Ok(Action::await_change());
        };
        let Some(set) = object.get::<StatefulSet>() else { return Ok(Action::await_change()) };
        let Ok(selector) = selector_of(set) else { return Ok(Action::await_change()) };
        let selected =
            |revision: &&ControllerRevision| selector.matches(revision.metadata.labels.as_ref());
        let orphans = self.orphan_revisions.list(cache, &key.namespace).filter(selected);
        let adopted = Claimer::new(object, &selector).claim_all(context, orphans)?;
        let owned = cache.controlled::<ControllerRevision>(object.uid()).filter(selected);
        let revisions = owned.chain(adopted).collect();

        let candidates = cache
            .controlled::<Pod>(object.uid())
            .chain(self.orphans.list::<Pod>(cache, &key.namespace));
        let of_the_set = |pod: &Pod| utils::parent_and_ordinal(pod).0 == object.name();
        let pods = Claimer::new(object, &selector).claim_those(context, candidates, of_the_set)?;
        Control::new(context, object, set, pods).update(revisions)
    }
}

fn selector_of(set: &StatefulSet) -> Result<Selector, Error> {
    let selector = set.spec.as_ref().map(|spec| &spec.selector);
    util::selector(selector)
}
