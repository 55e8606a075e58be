//! Works out how many pods of each PodDisruptionBudget may be disrupted.
//!
//! Upstream: `pkg/controller/disruption/disruption.go`.

mod expected;
mod stale;

pub use stale::StalePodDisruptions;

use crate::util::{self, key_of, keys_of};
use expected::expected_pods;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};
use naru_api::labels::{Selector, go_label_selector};
use naru_api::time::{from_meta, meta_time};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A pod whose eviction was allowed has to be going by then. Upstream: `DeletionTimeout`.
const DELETION_TIMEOUT: Duration = Duration::from_secs(120);
const ALLOWED: &str = "DisruptionAllowed";

/// The disruption controller.
#[derive(Clone, Debug, Default)]
pub struct DisruptionController {
    /// Pods that more than one budget covers, by the budget that counts.
    contested: BTreeMap<Key, BTreeSet<Key>>,
}

impl Controller for DisruptionController {
    fn name(&self) -> &str {
        "disruption-controller"
    }

    fn event_source(&self) -> &str {
        "controllermanager"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<PodDisruptionBudget>(),
            Watch::all::<Pod>(),
            Watch::all::<ReplicationController>(),
            Watch::all::<Deployment>(),
            Watch::all::<ReplicaSet>(),
            Watch::all::<StatefulSet>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let key = event.object.key();
        if event.object.kind() == PodDisruptionBudget::kind() {
            return vec![key];
        }
        if event.object.kind() != Pod::kind() {
            return Vec::new();
        }
        let labels = event.object.meta().labels.as_ref();
        let mut budgets = keys_of::<PodDisruptionBudget>(cache, &key.namespace, |budget| {
            selector_of(budget).is_ok_and(|selector| selector.matches(labels))
        });
        if budgets.len() > 1
            && event.kind != WatchEventType::Deleted
            && let Some(first) = budgets.first()
        {
            self.contested.entry(first.clone()).or_default().insert(key);
        }
        budgets.truncate(1);
        budgets
    }
}

impl Reconcile for DisruptionController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        self.tell_contested(context, key);
        let cache = context.cache;
        let found = cache.object(&PodDisruptionBudget::kind(), key);
        let Some((object, budget)) = found.and_then(|o| Some((o, o.get::<PodDisruptionBudget>()?)))
        else {
            return Ok(Action::await_change());
        };
        match sync(context, object, budget) {
            Err(Error::Api(error)) if error.is_conflict() => Err(error.into()),
            Err(error) => fail_safe(context, budget, &error),
            done => done,
        }
    }
}

impl DisruptionController {
    fn tell_contested(&mut self, context: &mut Context<'_>, budget: &Key) {
        let cache = context.cache;
        for key in self.contested.remove(budget).into_iter().flatten() {
            let Some(pod) = cache.object(&Pod::kind(), &key) else { continue };
            let text = format!(
                "Pod \"{}\"/\"{}\" matches multiple PodDisruptionBudgets.  Chose \"{}\" \
                 arbitrarily.",
                key.namespace, key.name, budget.name
            );
            context.event(pod, EventType::Warning, "MultiplePodDisruptionBudgets", &text);
        }
    }
}

fn sync(
    context: &mut Context<'_>,
    object: &Object,
    budget: &PodDisruptionBudget,
) -> Result<Action, Error> {
    let cache = context.cache;
    let selector = selector_of(budget).inspect_err(|error| {
        let text = format!("Failed to get pods: {error}");
        context.event(object, EventType::Warning, "NoPods", &text);
    })?;
    let covered: Vec<&Pod> = cache
        .list::<Pod>(object.namespace())
        .filter(|pod| selector.matches(pod.metadata.labels.as_ref()))
        .collect();
    if covered.is_empty() {
        context.event(object, EventType::Normal, "NoPods", "No matching pods found");
    }
    let expected = expected_pods(context, budget, &covered).inspect_err(|error| {
        let text = format!("Failed to calculate the number of expected pods: {error}");
        context.event(object, EventType::Warning, "CalculateExpectedPodCountFailed", &text);
    })?;
    if expected.unmanaged {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let text = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. \
             As a result, the status of the PDB cannot be calculated correctly, which may result \
             in undefined behavior. To account for these pods please set \".spec.minAvailable\" \
             field of the PDB to an integer value.",
            selector.map_or("nil".to_owned(), go_label_selector)
        );
        context.event(object, EventType::Warning, "UnmanagedPods", &text);
    }
    let (disrupted, recheck) = still_expected_to_go(context, budget, &covered);
    let now = context.now;
    let healthy = covered.iter().filter(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let goes = disrupted.get(name).is_some_and(|at| from_meta(at) + DELETION_TIMEOUT > now);
        !pods::is_terminating(pod) && !goes && pods::is_ready(pod)
    });
    let healthy = healthy.count() as i32;
    let allowed = match expected.total > 0 {
        true => (healthy - expected.desired).max(0),
        false => 0,
    };
    let old = budget.status.clone().unwrap_or_default();
    let mut status = PodDisruptionBudgetStatus {
        current_healthy: healthy,
        desired_healthy: expected.desired,
        expected_pods: expected.total,
        disruptions_allowed: allowed,
        disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
        observed_generation: budget.metadata.generation,
        conditions: old.conditions.clone(),
    };
    let (state, reason) = match allowed > 0 {
        true => ("True", "SufficientPods"),
        false => ("False", "InsufficientPods"),
    };
    set_condition(&mut status, state, reason, "", now);
    write(context, budget, status)?;
    Ok(recheck.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now))))
}

/// Of the pods whose eviction was allowed, those that are still there and not going yet; and when
/// that is too long.
fn still_expected_to_go(
    context: &mut Context<'_>,
    budget: &PodDisruptionBudget,
    covered: &[&Pod],
) -> (BTreeMap<String, MetaTime>, Option<Time>) {
    let known = budget.status.as_ref().and_then(|status| status.disrupted_pods.as_ref());
    let (mut kept, mut recheck) = (BTreeMap::new(), None);
    let Some(known) = known else { return (kept, recheck) };
    let cache = context.cache;
    for pod in covered.iter().filter(|pod| !pods::is_terminating(pod)) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let Some(at) = known.get(&name) else { continue };
        let until = from_meta(at) + DELETION_TIMEOUT;
        if until >= context.now {
            recheck = Some(recheck.map_or(until, |other: Time| other.min(until)));
            kept.insert(name, at.clone());
        } else if let Some(pod) = cache.object(&Pod::kind(), &key_of(*pod)) {
            // Upstream writes the namespace twice.
            let namespace = budget.metadata.namespace.as_deref().unwrap_or_default();
            let text = format!(
                "Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
            );
            context.event(pod, EventType::Warning, "NotDeleted", &text);
        }
    }
    (kept, recheck)
}

/// What cannot be worked out must not be evicted.
fn fail_safe(
    context: &mut Context<'_>,
    budget: &PodDisruptionBudget,
    error: &Error,
) -> Result<Action, Error> {
    let mut status = budget.status.clone().unwrap_or_default();
    status.disruptions_allowed = 0;
    set_condition(&mut status, "False", "SyncFailed", &error.to_string(), context.now);
    write(context, budget, status)?;
    Ok(Action::await_change())
}

fn set_condition(
    status: &mut PodDisruptionBudgetStatus,
    state: &str,
    reason: &str,
    message: &str,
    now: Time,
) {
    let observed_generation = status.observed_generation;
    let conditions = status.conditions.get_or_insert_default();
    let mut condition = Condition {
        type_: ALLOWED.to_owned(),
        status: state.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation,
        last_transition_time: meta_time(now),
    };
    match conditions.iter_mut().find(|old| old.type_ == ALLOWED) {
        Some(old) => {
            if old.status == condition.status {
                condition.last_transition_time.clone_from(&old.last_transition_time);
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
}

fn write(
    context: &mut Context<'_>,
    budget: &PodDisruptionBudget,
    status: PodDisruptionBudgetStatus,
) -> Result<(), Error> {
    if budget.status.as_ref() != Some(&status) {
        let changed = PodDisruptionBudget { status: Some(status), ..budget.clone() };
        context.client.update_status(changed)?;
    }
    Ok(())
}

/// Without a selector a budget covers nothing; an empty one covers everything.
fn selector_of(budget: &PodDisruptionBudget) -> Result<Selector, Error> {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    util::selector(selector)
}
