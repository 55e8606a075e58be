//! Keeps one pod of each DaemonSet on each node that may run it.
//!
//! Upstream: `pkg/controller/daemon`. [`manage`] makes and deletes pods, [`update`] rolls a new
//! template out, [`revisions`] keeps the old ones, [`pod`] is what a pod is made of.

mod manage;
mod pod;
mod revisions;
mod update;

use crate::controller_ref::{Claimer, Orphans, concerned};
use crate::expectations::Expectations;
use crate::history::REVISION_LABEL;
use crate::util::{self, key_of, next_availability, nonzero};
use k8s_openapi::Shared;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use manage::FailedPods;
use naru_api::labels::Selector;
use naru_api::time::from_meta;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use std::collections::BTreeMap;

/// The DaemonSet controller.
#[derive(Clone, Debug, Default)]
pub struct DaemonSetsController {
    expectations: Expectations,
    orphans: Orphans,
    orphan_revisions: Orphans,
    failed: FailedPods,
}

impl Controller for DaemonSetsController {
    fn name(&self) -> &str {
        "daemonset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<DaemonSet>(),
            Watch::all::<ControllerRevision>(),
            Watch::all::<Pod>(),
            Watch::all::<Node>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let kind = event.object.kind();
        if kind == DaemonSet::kind() {
            if event.kind == WatchEventType::Deleted {
                self.expectations.forget(&event.object.key());
            }
            vec![event.object.key()]
        } else if kind == Pod::kind() {
            self.orphans.observe(event, old);
            let (owner, mut keys) = concerned::<DaemonSet>(event, old, cache, selects);
            if let Some(owner) = owner {
                self.expectations.observe(&owner, event, old);
                keys.push(owner);
            }
            keys
        } else if kind == ControllerRevision::kind() {
            self.orphan_revisions.observe(event, old);
            let (owner, mut keys) = concerned::<DaemonSet>(event, old, cache, selects);
            // Its maker knows of a new one.
            keys.extend(owner.filter(|_| event.kind != WatchEventType::Added));
            keys
        } else if kind == Node::kind() {
            map_node(event, old, cache)
        } else {
            Vec::new()
        }
    }
}

fn selector_of(ds: &DaemonSet) -> Result<Selector, Error> {
    let selector = ds.spec.as_ref().map(|spec| &spec.selector);
    util::selector(selector)
}

fn selects(ds: &DaemonSet, labels: Option<&BTreeMap<String, String>>) -> bool {
    selector_of(ds).is_ok_and(|selector| selector.matches(labels))
}

/// A node concerns the DaemonSets that want a pod on it now, or want none there any more. What
/// becomes of a node that is gone is told by its pods.
fn map_node(event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
    let Some(node) = event.object.get::<Node>().filter(|_| event.kind != WatchEventType::Deleted)
    else {
        return Vec::new();
    };
    let old = old.and_then(Object::get::<Node>);
    let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
    let matters = old.is_none_or(|old| {
        old.metadata.labels != node.metadata.labels || taints(old) != taints(node)
    });
    let concerns = |ds: &&DaemonSet| {
        let spec = pod::spec_of(ds);
        let (wanted, may_stay) = pod::should_run(&spec, node);
        let wanted_before = old.is_some_and(|old| pod::should_run(&spec, old).0);
        (wanted && !wanted_before) || !may_stay
    };
    let sets = cache.list::<DaemonSet>("").filter(|_| matters);
    sets.filter(concerns).map(key_of).collect()
}

impl Reconcile for DaemonSetsController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&DaemonSet::kind(), key) else {
            self.expectations.forget(key);
            return Ok(Action::await_change());
        };
        let Some(ds) = object.get::<DaemonSet>() else { return Ok(Action::await_change()) };
        let selector = selector_of(ds)?;
        if selector.is_everything() {
            let text = "This daemon set is selecting all pods. A non-empty selector is required.";
            context.event(object, EventType::Warning, "SelectingAll", text);
            return Ok(Action::await_change());
        }
        if object.meta().deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let candidates = cache
            .controlled::<Pod>(object.uid())
            .chain(self.orphans.list::<Pod>(cache, &key.namespace));
        let owned = Claimer::new(object, &selector).claim_all(context, candidates)?;
        let revisions = cache
            .controlled::<ControllerRevision>(object.uid())
            .chain(self.orphan_revisions.list::<ControllerRevision>(cache, &key.namespace));
        let revisions = Claimer::new(object, &selector).claim_all(context, revisions)?;
        let (hash, old) = revisions::construct(context, object, ds, &revisions, &owned)?;
        let state = State::new(object, ds, hash, &owned);

        if !self.expectations.satisfied(key, context.now) {
            update_status(context, &state, false)?;
            return Ok(state.look_again(context.now));
        }
        let managed = self.update(context, key, &state);
        let cleaned = managed
            .and_then(|delay| revisions::clean_up(context, &state, &owned, old).map(|()| delay));
        update_status(context, &state, true)?;
        let action = state.look_again(context.now);
        Ok(cleaned?.map_or(action, Action::requeue_after))
    }
}

/// A DaemonSet and what there is of it.
struct State<'a> {
    object: &'a Object,
    ds: &'a DaemonSet,
    spec: DaemonSetSpec,
    /// Of the pods, but for the node.
    pod_spec: Shared<PodSpec>,
    /// Of the present template.
    hash: String,
    /// The scheduled first, then the oldest.
    by_node: BTreeMap<String, Vec<&'a Pod>>,
}

impl<'a> State<'a> {
    fn new(object: &'a Object, ds: &'a DaemonSet, hash: String, owned: &[&'a Pod]) -> Self {
        let mut by_node: BTreeMap<String, Vec<&Pod>> = BTreeMap::new();
        // Pods that have ended and are going are no more ours to look after.
        let gone = |pod: &Pod| pods::is_terminal(pod) && pods::is_terminating(pod);
        for pod in owned.iter().filter(|pod| !gone(pod)) {
            by_node.entry(pod::target_node(pod)).or_default().push(pod);
        }
        for pods in by_node.values_mut() {
            pods.sort_by_key(|pod| {
                let created = pod.metadata.creation_timestamp.as_ref().map(from_meta);
                (pods::node_name(pod).is_empty(), created, pod.metadata.name.as_deref())
            });
        }
        let spec = ds.spec.clone().unwrap_or_default();
        State { object, ds, spec, pod_spec: pod::spec_of(ds), hash, by_node }
    }

    fn should_run(&self, node: &Node) -> (bool, bool) {
        pod::should_run(&self.pod_spec, node)
    }

    fn pods_on(&self, node: &str) -> &[&'a Pod] {
        self.by_node.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pod was made of the present template.
    fn is_updated(&self, pod: &Pod) -> bool {
        let generation = pod::template_generation(self.ds);
        self.has_hash(pod)
            || generation.is_some() && label(pod, pod::TEMPLATE_GENERATION) == generation
    }

    fn has_hash(&self, pod: &Pod) -> bool {
        label(pod, REVISION_LABEL) == Some(&self.hash)
    }

    fn is_available(&self, pod: &Pod, now: Time) -> bool {
        pods::is_available(pod, self.min_ready(), now)
    }

    fn min_ready(&self) -> i32 {
        self.spec.min_ready_seconds.unwrap_or(0)
    }

    fn look_again(&self, now: Time) -> Action {
        next_availability(self.by_node.values().flatten(), self.min_ready(), now)
    }

    fn status(&self, cache: &Cache, now: Time, processed: bool) -> DaemonSetStatus {
        let before = self.ds.status.clone().unwrap_or_default();
        let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
        let (mut ready, mut updated, mut available) = (0, 0, 0);
        for node in cache.list::<Node>("") {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let pod = self.pods_on(name).first();
            if !self.should_run(node).0 {
                misscheduled += i32::from(pod.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = pod else { continue };
            current += 1;
            if pods::is_ready(pod) {
                ready += 1;
                available += i32::from(self.is_available(pod, now));
            }
            updated += i32::from(self.is_updated(pod));
        }
        let generation = if processed { self.ds.metadata.generation } else { None };
        DaemonSetStatus {
            observed_generation: generation.or(before.observed_generation),
            desired_number_scheduled: desired,
            current_number_scheduled: current,
            number_misscheduled: misscheduled,
            number_ready: ready,
            updated_number_scheduled: nonzero(updated),
            number_available: nonzero(available),
            number_unavailable: nonzero(desired - available),
            ..before
        }
    }
}

fn label<'p>(pod: &'p Pod, name: &str) -> Option<&'p String> {
    pod.metadata.labels.as_ref()?.get(name)
}

/// Writes the status. That a generation was seen is told only once it was `processed`.
fn update_status(
    context: &mut Context<'_>,
    state: &State<'_>,
    processed: bool,
) -> Result<(), Error> {
    let status = state.status(context.cache, context.now, processed);
    if state.ds.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut changed = state.ds.clone();
    changed.status = Some(status);
    match context.client.update_status(changed) {
        Err(error) if error.is_not_found() => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}
