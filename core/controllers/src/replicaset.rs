//! Keeps as many pods as each ReplicaSet asks for, and, for it is the same work, each
//! ReplicationController.
//!
//! Upstream: `pkg/controller/replicaset/replica_set.go`.

use crate::controller_ref::{Claimer, Orphans, concerned};
use crate::expectations::Expectations;
use crate::pod_control::{create_pod, delete_pod, is_namespace_terminating, slow_start_batch};
use crate::util::{self, next_availability, nonzero};
use crate::victims;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use naru_api::labels::Selector;
use naru_api::time::meta_time;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use std::fmt;
use std::marker::PhantomData;

/// Creates and deletes at most so many pods in one reconcile. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 500;

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// A kind that keeps a number of pods of one template.
pub trait Replicator: Kube + Clone + fmt::Debug {
    /// The controller's name.
    const CONTROLLER: &'static str;

    /// `spec.replicas`
    fn replicas(&self) -> Option<i32>;

    /// `spec.minReadySeconds`
    fn min_ready_seconds(&self) -> Option<i32>;

    /// `spec.template`
    fn template(&self) -> Option<&PodTemplateSpec>;

    /// Selects the pods.
    fn selector(&self) -> Result<Selector, Error>;

    /// The status, in the words of a ReplicaSet.
    fn status(&self) -> ReplicaSetStatus;

    /// Takes over a status.
    fn set_status(&mut self, status: ReplicaSetStatus);
}

impl Replicator for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";

    fn replicas(&self) -> Option<i32> {
        self.spec.as_ref()?.replicas
    }

    fn min_ready_seconds(&self) -> Option<i32> {
        self.spec.as_ref()?.min_ready_seconds
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn selector(&self) -> Result<Selector, Error> {
        let selector = self.spec.as_ref().map(|spec| &spec.selector);
        util::selector(selector)
    }

    fn status(&self) -> ReplicaSetStatus {
        self.status.clone().unwrap_or_default()
    }

    fn set_status(&mut self, status: ReplicaSetStatus) {
        self.status = Some(status);
    }
}

/// The controller of one kind that keeps a number of pods.
#[derive(Clone, Debug)]
pub struct Replication<K> {
    expectations: Expectations,
    orphans: Orphans,
    kind: PhantomData<K>,
}

/// The ReplicaSet controller.
pub type ReplicaSetController = Replication<ReplicaSet>;

impl<K> Default for Replication<K> {
    fn default() -> Self {
        Replication {
            expectations: Expectations::default(),
            orphans: Orphans::default(),
            kind: PhantomData,
        }
    }
}

impl<K: Replicator> Controller for Replication<K> {
    fn name(&self) -> &str {
        K::CONTROLLER
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<K>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == K::kind() {
            if event.kind == WatchEventType::Deleted {
                self.expectations.forget(&event.object.key());
            }
            return vec![event.object.key()];
        }
        if event.object.kind() == Pod::kind() {
            self.orphans.observe(event, old);
            return self.map_pod(event, old, cache);
        }
        Vec::new()
    }
}

impl<K: Replicator> Reconcile for Replication<K> {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&K::kind(), key) else {
            self.expectations.forget(key);
            return Ok(Action::await_change());
        };
        let Some(rs) = object.get::<K>() else { return Ok(Action::await_change()) };
        let Ok(selector) = rs.selector() else { return Ok(Action::await_change()) };
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
        Ok(next_availability(&owned, min_ready_seconds(rs), context.now))
    }
}

impl<K: Replicator> Replication<K> {
    fn map_pod(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let (owner, mut keys) = concerned::<K>(event, old, cache, |rs, labels| {
            rs.selector().is_ok_and(|selector| selector.matches(labels))
        });
        if let Some(owner) = owner {
            self.expectations.observe(&owner, event, old);
            keys.push(owner);
        }
        keys
    }

    fn manage_replicas(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        object: &Object,
        rs: &K,
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
        rs: &K,
        missing: usize,
    ) -> Result<(), Error> {
        let template = rs.template().cloned().unwrap_or_default();
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
        let related = related_pods::<K>(context.cache, object);
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

/// The pods of all ReplicaSets of the same Deployment. A ReplicaSet of nobody has none, as
/// upstream.
fn related_pods<'a, K: Replicator>(
    cache: &'a Cache,
    object: &'a Object,
) -> impl Iterator<Item = &'a Pod> {
    let siblings = object.controller().map(|owner| cache.controlled::<K>(&owner.uid));
    let uids = siblings.into_iter().flatten().filter_map(|rs| rs.metadata().uid.as_deref());
    uids.flat_map(|uid| cache.controlled::<Pod>(uid))
}

fn replicas<K: Replicator>(rs: &K) -> usize {
    usize::try_from(rs.replicas().unwrap_or(1)).unwrap_or(0)
}

fn min_ready_seconds<K: Replicator>(rs: &K) -> i32 {
    rs.min_ready_seconds().unwrap_or(0)
}

fn calculate_status<K: Replicator>(
    rs: &K,
    owned: &[&Pod],
    failure: Option<&Error>,
    now: Time,
) -> ReplicaSetStatus {
    let template = rs.template().and_then(|template| template.metadata.as_ref());
    let none = Default::default();
    let labels = template.and_then(|meta| meta.labels.as_ref()).unwrap_or(&none);
    let full = Selector::from_map(labels);
    let count = |test: &dyn Fn(&Pod) -> bool| owned.iter().filter(|pod| test(pod)).count() as i32;
    let mut conditions = rs.status().conditions.unwrap_or_default();
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
        observed_generation: rs.metadata().generation,
        conditions: (!conditions.is_empty()).then_some(conditions),
        terminating_replicas: None,
    }
}

fn update_status<K: Replicator>(
    context: &mut Context<'_>,
    rs: &K,
    status: ReplicaSetStatus,
) -> Result<(), Error> {
    if rs.status() == status {
        return Ok(());
    }
    let mut changed = rs.clone();
    changed.set_status(status);
    match context.client.update_status(changed) {
        // Deleted meanwhile.
        Err(error) if error.is_not_found() => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}
