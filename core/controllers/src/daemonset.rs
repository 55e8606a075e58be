//! Keeps one pod of each DaemonSet on each node that may run it.
//!
//! Upstream: `pkg/controller/daemon`.

use crate::controller_ref::{Claimer, Orphans, controller_of, resolve_controller};
use crate::expectations::Expectations;
use crate::pod_control::{create_pod, delete_pod, is_namespace_terminating, slow_start_batch};
use crate::util::{key_of, keys_of, nonzero};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use k8s_openapi::api::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec,
    Toleration,
};
use naru_api::labels::Selector;
use naru_api::scheduling::{
    required_node_affinity_matches, taints, tolerations, untolerated_taint,
};
use naru_api::time::from_meta;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, intstr, names, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use std::collections::BTreeMap;

/// Creates and deletes at most so many pods in one reconcile. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 250;
const REVISION_HASH: &str = "controller-revision-hash";
const TEMPLATE_GENERATION: &str = "pod-template-generation";
const TEMPLATE_GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// The DaemonSet controller.
#[derive(Clone, Debug, Default)]
pub struct DaemonSetsController {
    expectations: Expectations,
    orphans: Orphans,
}

impl Controller for DaemonSetsController {
    fn name(&self) -> &str {
        "daemonset-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<DaemonSet>(), Watch::all::<Pod>(), Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let kind = event.object.kind();
        if kind == DaemonSet::kind() {
            if event.kind == WatchEventType::Deleted {
                self.expectations.forget(&event.object.key());
            }
            vec![event.object.key()]
        } else if kind == Pod::kind() {
            self.orphans.observe(event);
            self.map_pod(event, old, cache)
        } else if kind == Node::kind() && node_matters(event, old) {
            cache.list::<DaemonSet>("").map(key_of).collect()
        } else {
            Vec::new()
        }
    }
}

/// Heartbeats of a node do not matter.
fn node_matters(event: &WatchEvent, old: Option<&Object>) -> bool {
    let (Some(old), Some(new)) = (old.and_then(Object::get::<Node>), event.object.get::<Node>())
    else {
        return true;
    };
    event.kind == WatchEventType::Deleted
        || old.metadata.labels != new.metadata.labels
        || old.spec != new.spec
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
        let spec = ds.spec.clone().unwrap_or_default();
        let selector = Selector::from_label_selector(Some(&spec.selector))
            .map_err(|error| Error::Other(error.to_string()))?;
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
        let collisions = ds.status.as_ref().and_then(|status| status.collision_count);
        let hash = names::pod_template_hash(&spec.template, collisions)
            .map_err(|error| Error::Other(error.to_string()))?;
        let mut pod_spec = spec.template.spec.clone().unwrap_or_default();
        add_tolerations(&mut pod_spec);
        let state = State { object, ds, spec, pod_spec, hash, by_node: by_node(&owned) };
        let managed = self.manage(context, key, &state);
        update_status(context, &state)?;
        managed?;
        Ok(state.next_availability(context.now))
    }
}

/// A DaemonSet and what there is of it.
struct State<'a> {
    object: &'a Object,
    ds: &'a DaemonSet,
    spec: DaemonSetSpec,
    /// Of the pods, but for the node.
    pod_spec: PodSpec,
    /// Of the present template.
    hash: String,
    by_node: BTreeMap<String, Vec<&'a Pod>>,
}

fn by_node<'a>(owned: &[&'a Pod]) -> BTreeMap<String, Vec<&'a Pod>> {
    let mut by_node: BTreeMap<String, Vec<&Pod>> = BTreeMap::new();
    for pod in owned {
        by_node.entry(target_node(pod)).or_default().push(pod);
    }
    for pods in by_node.values_mut() {
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(from_meta));
    }
    by_node
}

/// The node that the pod is on, or that it was made for.
fn target_node(pod: &Pod) -> String {
    let name = pods::node_name(pod);
    if !name.is_empty() {
        return name.to_owned();
    }
    let terms = pod
        .spec
        .as_ref()
        .and_then(naru_api::scheduling::required_node_affinity)
        .map(|selector| selector.node_selector_terms.as_slice());
    let fields =
        terms.unwrap_or_default().iter().flat_map(|term| term.match_fields.iter().flatten());
    let named = fields.filter(|field| field.key == "metadata.name");
    named.flat_map(|field| field.values.iter().flatten()).next().cloned().unwrap_or_default()
}

impl DaemonSetsController {
    fn map_pod(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let pod = &event.object;
        let goes = event.kind == WatchEventType::Deleted || pod.meta().deletion_timestamp.is_some();
        let mut keys = Vec::new();
        if let Some(owner) = resolve_controller::<DaemonSet>(cache, pod.meta()) {
            if goes {
                self.expectations.deleted(&owner, pod.uid());
            } else if old.is_none() {
                self.expectations.created(&owner);
            }
            keys.push(owner);
        }
        if let Some(old) = old
            && old.controller() != pod.controller()
        {
            keys.extend(resolve_controller::<DaemonSet>(cache, old.meta()));
        }
        let changed = old.is_none_or(|old| old.meta().labels != pod.meta().labels);
        if controller_of(pod.meta()).is_none() && !goes && changed {
            keys.extend(keys_of::<DaemonSet>(cache, pod.namespace(), |ds| {
                let selector = ds.spec.as_ref().map(|spec| &spec.selector);
                Selector::from_label_selector(selector)
                    .is_ok_and(|selector| selector.matches(pod.meta().labels.as_ref()))
            }));
        }
        keys
    }

    fn manage(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        state: &State<'_>,
    ) -> Result<(), Error> {
        if !self.expectations.satisfied(key, context.now) {
            return Ok(());
        }
        let (create, delete) = plan(context, state);
        if create.is_empty() && delete.is_empty() {
            let outdated = state.outdated_to_delete(context);
            return self.carry_out(context, key, state, Vec::new(), outdated);
        }
        self.carry_out(context, key, state, create, delete)
    }

    fn carry_out(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        state: &State<'_>,
        mut create: Vec<String>,
        mut delete: Vec<&Pod>,
    ) -> Result<(), Error> {
        create.truncate(BURST_REPLICAS);
        delete.truncate(BURST_REPLICAS);
        if create.is_empty() && delete.is_empty() {
            return Ok(());
        }
        let uids = delete.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        self.expectations.expect(key, create.len(), uids, context.now);
        let mut nodes = create.iter();
        let (created, failure) = slow_start_batch(create.len(), || {
            let Some(node) = nodes.next() else { return Ok(()) };
            let template = state.template_for(node);
            match create_pod(context, state.object, &template) {
                Err(error) if is_namespace_terminating(&error) => Ok(()),
                other => other,
            }
        });
        for _ in created..create.len() {
            self.expectations.created(key);
        }
        let mut failure = failure.map(Error::from);
        for pod in delete {
            let Err(error) = delete_pod(context, state.object, pod) else { continue };
            self.expectations.deleted(key, pod.metadata.uid.as_deref().unwrap_or_default());
            if !matches!(&error, Error::Api(error) if error.is_not_found()) {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Nodes that need a pod, and pods that have to go.
fn plan<'a>(context: &mut Context<'_>, state: &State<'a>) -> (Vec<String>, Vec<&'a Pod>) {
    let cache = context.cache;
    let (mut create, mut delete) = (Vec::new(), Vec::new());
    for node in cache.list::<Node>("") {
        let name = node.metadata.name.clone().unwrap_or_default();
        let (should_run, may_stay) = state.should_run(node);
        let pods = state.by_node.get(&name).map(Vec::as_slice).unwrap_or_default();
        if !may_stay {
            delete.extend(pods.iter().filter(|pod| !pods::is_terminating(pod)));
            continue;
        }
        if pods.is_empty() && should_run {
            create.push(name);
            continue;
        }
        let mut running = Vec::new();
        for pod in pods.iter().filter(|pod| !pods::is_terminating(pod)) {
            if pods::is_terminal(pod) {
                tell_ended(context, state.object, pod, &name);
                delete.push(*pod);
            } else {
                running.push(*pod);
            }
        }
        // Only the oldest stays.
        delete.extend(running.into_iter().skip(1));
    }
    // Pods of nodes that are gone are the pod garbage collector's; those never bound are ours.
    for (name, pods) in &state.by_node {
        if cache.get::<Node>(&Key::new("", name)).is_none() {
            let unbound =
                |pod: &&&Pod| pods::node_name(pod).is_empty() && !pods::is_terminating(pod);
            delete.extend(pods.iter().filter(unbound));
        }
    }
    (create, delete)
}

fn tell_ended(context: &mut Context<'_>, object: &Object, pod: &Pod, node: &str) {
    let key = key_of(pod);
    let (kind, reason, state) = match pods::phase(pod) {
        "Failed" => (EventType::Warning, "FailedDaemonPod", "failed"),
        _ => (EventType::Normal, "SucceededDaemonPod", "succeeded"),
    };
    let tail = if state == "failed" { "will try to kill it" } else { "will try to delete it" };
    let text = format!("Found {state} daemon pod {key} on node {node}, {tail}");
    context.event(object, kind, reason, &text);
}

impl<'a> State<'a> {
    /// Whether a pod should be on the node, and whether one that is there may stay.
    fn should_run(&self, node: &Node) -> (bool, bool) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let spec = &self.pod_spec;
        let wanted = spec.node_name.as_deref().unwrap_or_default();
        if !(wanted.is_empty() || wanted == name) || !required_node_affinity_matches(spec, node) {
            return (false, false);
        }
        let untolerated = |effects: &[&str]| {
            untolerated_taint(taints(node), tolerations(spec), effects).is_some()
        };
        if untolerated(&["NoSchedule", "NoExecute"]) {
            return (false, !untolerated(&["NoExecute"]));
        }
        (true, true)
    }

    /// The pod for one node: bound to it by affinity, bearing what nodes in trouble have.
    fn template_for(&self, node: &str) -> PodTemplateSpec {
        let mut template = self.spec.template.clone();
        let annotations = self.ds.metadata.annotations.as_ref();
        let generation = annotations.and_then(|all| all.get(TEMPLATE_GENERATION_ANNOTATION));
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(REVISION_HASH.to_owned(), self.hash.clone());
        if let Some(generation) = generation {
            labels.insert(TEMPLATE_GENERATION.to_owned(), generation.clone());
        }
        let mut spec = self.pod_spec.clone();
        set_node(&mut spec, node);
        template.spec = Some(spec);
        template
    }

    fn is_updated(&self, pod: &Pod) -> bool {
        let labels = pod.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(REVISION_HASH)) == Some(&self.hash)
    }

    fn min_ready(&self) -> i32 {
        self.spec.min_ready_seconds.unwrap_or(0)
    }

    /// Pods of an older template that go now, for new ones to come: not more at once than
    /// `maxUnavailable` allows, those that do not work first.
    ///
    /// Upstream: `rollingUpdate` in `pkg/controller/daemon/update.go`.
    fn outdated_to_delete(&self, context: &Context<'_>) -> Vec<&'a Pod> {
        let strategy = self.spec.update_strategy.clone().unwrap_or_default();
        if strategy.type_.as_deref() == Some("OnDelete") {
            return Vec::new();
        }
        let now = context.now;
        let desired = context.cache.list::<Node>("").filter(|node| self.should_run(node).0).count();
        let max_unavailable = strategy
            .rolling_update
            .and_then(|rolling| rolling.max_unavailable)
            .and_then(|value| intstr::scaled(&value, desired as i32, true))
            .unwrap_or(1)
            .max(1);
        let available = |pod: &Pod| {
            !pods::is_terminating(pod) && pods::is_available(pod, self.min_ready(), now)
        };
        let (mut unavailable, mut broken, mut candidates) = (0, Vec::new(), Vec::new());
        for node in context.cache.list::<Node>("").filter(|node| self.should_run(node).0) {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let pods = self.by_node.get(name).map(Vec::as_slice).unwrap_or_default();
            match pods.first() {
                Some(pod) if pods.len() > 1 || pods::is_terminating(pod) => unavailable += 1,
                Some(pod) if self.is_updated(pod) => unavailable += i32::from(!available(pod)),
                Some(pod) if !available(pod) => {
                    unavailable += 1;
                    broken.push(*pod);
                }
                Some(pod) => candidates.push(*pod),
                None => unavailable += 1,
            }
        }
        let room = usize::try_from(max_unavailable - unavailable).unwrap_or(0);
        broken.extend(candidates.into_iter().take(room));
        broken
    }

    fn status(&self, cache: &Cache, now: Time) -> DaemonSetStatus {
        let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
        let (mut ready, mut updated, mut available) = (0, 0, 0);
        for node in cache.list::<Node>("") {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let pod = self.by_node.get(name).and_then(|pods| pods.first());
            if !self.should_run(node).0 {
                misscheduled += i32::from(pod.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = pod else { continue };
            current += 1;
            ready += i32::from(pods::is_ready(pod));
            available += i32::from(pods::is_available(pod, self.min_ready(), now));
            updated += i32::from(self.is_updated(pod));
        }
        DaemonSetStatus {
            observed_generation: self.ds.metadata.generation,
            desired_number_scheduled: desired,
            current_number_scheduled: current,
            number_misscheduled: misscheduled,
            number_ready: ready,
            updated_number_scheduled: nonzero(updated),
            number_available: nonzero(available),
            number_unavailable: nonzero(desired - available),
            ..self.ds.status.clone().unwrap_or_default()
        }
    }

    fn next_availability(&self, now: Time) -> Action {
        let pods = self.by_node.values().flatten();
        let next = pods
            .filter_map(|pod| pods::available_from(pod, self.min_ready()))
            .filter(|from| *from > now)
            .min();
        next.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now)))
    }
}

fn update_status(context: &mut Context<'_>, state: &State<'_>) -> Result<(), Error> {
    let status = state.status(context.cache, context.now);
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

/// Lets the scheduler place the pod on this node and no other.
fn set_node(spec: &mut PodSpec, node: &str) {
    let by_name = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    let required = &mut affinity.required_during_scheduling_ignored_during_execution;
    let terms = match required.take() {
        Some(selector) => selector.node_selector_terms,
        None => vec![NodeSelectorTerm::default()],
    };
    let named = |mut term: NodeSelectorTerm| {
        term.match_fields = Some(vec![by_name.clone()]);
        term
    };
    let node_selector_terms = terms.into_iter().map(named).collect();
    *required = Some(NodeSelector { node_selector_terms });
}

/// Daemons run on nodes in trouble, too. Upstream: `AddOrUpdateDaemonPodTolerations`.
fn add_tolerations(spec: &mut PodSpec) {
    let mut taints = vec![
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    if spec.host_network == Some(true) {
        taints.push(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in taints {
        let toleration = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_made_for_one_node() {
        let mut spec = PodSpec::default();
        set_node(&mut spec, "n1");
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        assert_eq!(target_node(&pod), "n1");
    }

    #[test]
    fn only_daemons_on_the_hosts_network_start_before_the_network() {
        for (host_network, count) in [(None, 6), (Some(true), 7)] {
            let mut spec = PodSpec { host_network, ..PodSpec::default() };
            add_tolerations(&mut spec);
            add_tolerations(&mut spec);
            assert_eq!(spec.tolerations.unwrap().len(), count);
        }
    }
}
