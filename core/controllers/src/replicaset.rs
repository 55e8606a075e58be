//! Keeps as many pods as each ReplicaSet asks for.
//!
//! Upstream: `pkg/controller/replicaset/replica_set.go`.

use crate::controller_ref::{Claimer, Orphans, controller_of, resolve_controller};
use crate::expectations::Expectations;
use crate::pod_control::{create_pod, delete_pod, is_namespace_terminating, slow_start_batch};
use crate::util::{keys_of, nonzero};
use crate::victims;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use naru_api::labels::Selector;
use naru_api::time::meta_time;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;

/// Creates and deletes at most so many pods in one reconcile. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 500;

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The ReplicaSet controller.
#[derive(Clone, Debug, Default)]
pub struct ReplicaSetController {
    expectations: Expectations,
    orphans: Orphans,
}

impl Controller for ReplicaSetController {
    fn name(&self) -> &str {
        "replicaset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<ReplicaSet>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == ReplicaSet::kind() {
            if event.kind == WatchEventType::Deleted {
                self.expectations.forget(&event.object.key());
            }
            return vec![event.object.key()];
        }
        if event.object.kind() == Pod::kind() {
            self.orphans.observe(event);
            return self.map_pod(event, old, cache);
        }
        Vec::new()
    }
}

impl Reconcile for ReplicaSetController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&ReplicaSet::kind(), key) else {
            self.expectations.forget(key);
            return Ok(Action::await_change());
        };
        let Some(rs) = object.get::<ReplicaSet>() else { return Ok(Action::await_change()) };
        let Ok(selector) = selector_of(rs) else { return Ok(Action::await_change()) };
        let needs_sync = self.expectations.satisfied(key, context.now);

        let candidates = cache
            .controlled::<Pod>(object.uid())
            .chain(self.orphans.list::<Pod>(cache, &key.namespace))
            .filter(|pod| pods::is_active(pod));
        let owned = Claimer::new(object, &selector).claim_all(context, candidates)?;

        let managed = if needs_sync && object.meta().deletion_timestamp.is_none() {
            self.manage_replicas(context, key, object, rs, &owned)
        } else {
            Ok(())
        };
        let status = calculate_status(rs, &owned, managed.as_ref().err(), context.now);
        update_status(context, rs, status)?;
        managed?;
        Ok(next_availability(rs, &owned, context.now))
    }
}

impl ReplicaSetController {
    fn map_pod(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let pod = &event.object;
        let owner = resolve_controller::<ReplicaSet>(cache, pod.meta());
        let goes = event.kind == WatchEventType::Deleted || pod.meta().deletion_timestamp.is_some();
        let mut keys = Vec::new();
        if let Some(owner) = &owner {
            if goes {
                self.expectations.deleted(owner, pod.uid());
            } else if old.is_none() {
                self.expectations.created(owner);
            }
            keys.push(owner.clone());
        }
        // A pod that changed hands concerns the former owner too.
        if let Some(old) = old
            && old.controller() != pod.controller()
        {
            keys.extend(resolve_controller::<ReplicaSet>(cache, old.meta()));
        }
        if controller_of(pod.meta()).is_none() && !goes && old.is_none_or(|old| news(old, pod)) {
            keys.extend(keys_of::<ReplicaSet>(cache, pod.namespace(), |rs| {
                selector_of(rs).is_ok_and(|selector| selector.matches(pod.meta().labels.as_ref()))
            }));
        }
        keys
    }

    fn manage_replicas(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        object: &Object,
        rs: &ReplicaSet,
        owned: &[&Pod],
    ) -> Result<(), Error> {
        let wanted = replicas(rs);
        if owned.len() < wanted {
            self.create(context, key, object, rs, wanted - owned.len())
        } else {
            self.delete(context, key, object, owned, owned.len() - wanted)
        }
    }

    fn create(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        object: &Object,
        rs: &ReplicaSet,
        missing: usize,
    ) -> Result<(), Error> {
        let template = rs.spec.as_ref().and_then(|spec| spec.template.clone()).unwrap_or_default();
        let count = missing.min(BURST_REPLICAS);
        self.expectations.expect_creations(key, count, context.now);
        let (created, failure) =
            slow_start_batch(count, || match create_pod(context, object, &template) {
                // The pod counts as made: more attempts would fail alike.
                Err(error) if is_namespace_terminating(&error) => Ok(()),
                other => other,
            });
        for _ in created..count {
            self.expectations.created(key);
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn delete(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        object: &Object,
        owned: &[&Pod],
        surplus: usize,
    ) -> Result<(), Error> {
        let count = surplus.min(BURST_REPLICAS);
        if count == 0 {
            return Ok(());
        }
        let related = related_pods(context.cache, object);
        let mut victims = victims::in_order(owned, related, context.now);
        victims.truncate(count);
        let uids = victims.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        self.expectations.expect_deletions(key, uids, context.now);
        let mut failure = None;
        for pod in victims {
            let Err(error) = delete_pod(context, object, pod) else { continue };
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            self.expectations.deleted(key, uid);
            if !matches!(&error, Error::Api(error) if error.is_not_found()) {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The pods of all ReplicaSets with the same owner, a Deployment, or of this one.
fn related_pods<'a>(cache: &'a Cache, object: &'a Object) -> impl Iterator<Item = &'a Pod> {
    let siblings = object.controller().map(|owner| cache.controlled::<ReplicaSet>(&owner.uid));
    let uids = siblings
        .into_iter()
        .flatten()
        .filter_map(|rs| rs.metadata.uid.as_deref())
        .filter(|uid| *uid != object.uid())
        .chain([object.uid()]);
    uids.flat_map(|uid| cache.controlled::<Pod>(uid))
}

/// Whether an orphan's change may make someone adopt it.
fn news(old: &Object, pod: &Object) -> bool {
    old.meta().labels != pod.meta().labels || old.controller() != pod.controller()
}

fn selector_of(rs: &ReplicaSet) -> Result<Selector, Error> {
    let selector = rs.spec.as_ref().map(|spec| &spec.selector);
    Selector::from_label_selector(selector).map_err(|error| Error::Other(error.to_string()))
}

fn replicas(rs: &ReplicaSet) -> usize {
    let replicas = rs.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    usize::try_from(replicas).unwrap_or(0)
}

fn min_ready_seconds(rs: &ReplicaSet) -> i32 {
    rs.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0)
}

fn calculate_status(
    rs: &ReplicaSet,
    owned: &[&Pod],
    failure: Option<&Error>,
    now: Time,
) -> ReplicaSetStatus {
    let spec = rs.spec.clone().unwrap_or_default();
    let template = spec.template.and_then(|template| template.metadata).unwrap_or_default();
    let full = Selector::from_map(&template.labels.unwrap_or_default());
    let count = |test: &dyn Fn(&Pod) -> bool| owned.iter().filter(|pod| test(pod)).count() as i32;
    let mut conditions =
        rs.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let failed_before = conditions.iter().any(|condition| condition.type_ == REPLICA_FAILURE);
    match failure {
        Some(error) if !failed_before => {
            let few = owned.len() < replicas(rs);
            let reason = if few { "FailedCreate" } else { "FailedDelete" };
            conditions.push(ReplicaSetCondition {
                type_: REPLICA_FAILURE.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(meta_time(now)),
                reason: Some(reason.to_owned()),
                message: Some(error.to_string()),
            });
        }
        None => conditions.retain(|condition| condition.type_ != REPLICA_FAILURE),
        Some(_) => {}
    }
    let min_ready = min_ready_seconds(rs);
    ReplicaSetStatus {
        replicas: owned.len() as i32,
        fully_labeled_replicas: nonzero(count(&|pod| full.matches(pod.metadata.labels.as_ref()))),
        ready_replicas: nonzero(count(&pods::is_ready)),
        available_replicas: nonzero(count(&|pod| pods::is_available(pod, min_ready, now))),
        observed_generation: rs.metadata.generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
        terminating_replicas: None,
    }
}

fn update_status(
    context: &mut Context<'_>,
    rs: &ReplicaSet,
    status: ReplicaSetStatus,
) -> Result<(), Error> {
    if rs.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut changed = rs.clone();
    changed.status = Some(status);
    match context.client.update_status(changed) {
        // Deleted meanwhile.
        Err(error) if error.is_not_found() => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}

/// A pod becomes available by the mere passing of time.
fn next_availability(rs: &ReplicaSet, owned: &[&Pod], now: Time) -> Action {
    let min_ready = min_ready_seconds(rs);
    let next = owned
        .iter()
        .filter_map(|pod| pods::available_from(pod, min_ready))
        .filter(|from| *from > now)
        .min();
    next.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now)))
}
