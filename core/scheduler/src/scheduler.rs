//! The scheduler as a control loop: watches in, decisions out.
//!
//! Upstream: `pkg/scheduler/scheduler.go`, `eventhandlers.go` and `schedule_one.go`.

use crate::cycle::{self, Outcome, Workspace};
use crate::decision::Decisions;
use crate::framework::{Attempt, ClusterEvent, Nomination, PostFilter, View};
use crate::nodes::{Nodes, PodInfo};
use crate::plugins;
use crate::queue::{QueuedPod, SchedulingQueue};
use crate::waiting::{self, WaitingPods};
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{
    Namespace, Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod,
    ReplicationController, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::{
    CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment,
};
use naru_api::request::{DeleteOptions, Patch};
use naru_api::time::{meta_time, rfc3339};
use naru_api::{Key, KindRef, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{
    Action, Cache, Context, Controller, Error, EventRecorder, EventStyle, EventType, Reconcile,
    Watch,
};
use naru_sim::Time;
use serde_json::json;
use std::any::Any;
use std::sync::Arc;

/// Messages of events are cut to this many bytes. Upstream: `NoteLengthLimit`.
const NOTE_BYTES_MAX: usize = 1024;

/// A scheduler.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Pods ask for it by this name: `default-scheduler`.
    name: String,
    actor: Arc<str>,
    nodes: Nodes,
    queue: SchedulingQueue,
    waiting: WaitingPods,
    /// Where the next attempt starts to look.
    start: usize,
    room: Workspace,
    binding: EventRecorder,
    scheduling: EventRecorder,
    preempting: EventRecorder,
    decisions: Decisions,
    /// When a reconcile is planned for.
    planned: Option<Time>,
}

impl Scheduler {
    /// The name of the scheduler of pods that ask for none.
    pub const DEFAULT_NAME: &'static str = "default-scheduler";

    /// A scheduler that pods ask for by `name`, running on `host`.
    pub fn new(name: &str, host: &str) -> Self {
        let recorder = |action| {
            let instance = Some(format!("{name}-{host}"));
            EventRecorder::new(name, instance, EventStyle::EventsV1 { action })
        };
        Scheduler {
            name: name.to_owned(),
            actor: "kube-scheduler".into(),
            nodes: Nodes::default(),
            queue: SchedulingQueue::default(),
            waiting: WaitingPods::default(),
            start: 0,
            room: Workspace::default(),
            binding: recorder("Binding"),
            scheduling: recorder("Scheduling"),
            preempting: recorder("Preempting"),
            decisions: Decisions::default(),
            planned: None,
        }
    }

    /// Its latest decisions.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// How many pods wait to be tried, pause after an attempt, and wait for something to happen.
    pub fn queue_lengths(&self) -> (usize, usize, usize) {
        self.queue.lengths()
    }

    fn see_node(&mut self, event: &WatchEvent, old: Option<&Object>) {
        let Some(node) = event.object.arc::<Node>() else { return };
        if event.kind == WatchEventType::Deleted {
            self.nodes.remove_node(event.object.name());
            self.queue.react(ClusterEvent::NodeRemoved(&node), event.cause);
            return;
        }
        self.nodes.set_node(Arc::clone(&node));
        let happened = match old.and_then(Object::get::<Node>) {
            Some(old) => ClusterEvent::NodeUpdated { old, new: &node },
            None => ClusterEvent::NodeAdded(&node),
        };
        self.queue.react(happened, event.cause);
    }

    fn see_pod(&mut self, event: &WatchEvent, old: Option<&Object>) {
        let Some(pod) = event.object.arc::<Pod>() else { return };
        let key = event.object.key();
        if event.kind == WatchEventType::Deleted || pods::is_terminal(&pod) {
            self.queue.remove(&key);
            self.waiting.remove(&key);
            self.nodes.nominator.remove(&key);
            if self.nodes.is_placed(&key) {
                self.nodes.remove_pod(&key);
                self.queue.react(ClusterEvent::PodRemoved(&pod), event.cause);
            }
        } else if !pods::node_name(&pod).is_empty() {
            self.queue.remove(&key);
            self.nodes.set_pod(Arc::clone(&pod));
            let happened = match old.and_then(Object::get::<Pod>) {
                Some(old) if !pods::node_name(old).is_empty() => {
                    ClusterEvent::PodUpdated { old, new: &pod }
                }
                _ => ClusterEvent::PodAssigned(&pod),
            };
            self.queue.react(happened, event.cause);
        } else if self.is_responsible(&pod) && !self.nodes.is_placed(&key) {
            let info = Arc::new(PodInfo::new(pod));
            self.see_nomination(&info, old.and_then(Object::get::<Pod>));
            self.queue.set(info, event.cause);
        }
    }

    /// Takes over who is to have which node. A nomination of which the API server does not know
    /// yet is left alone. Upstream: `nominator.updateNominatedPod`.
    fn see_nomination(&mut self, info: &Arc<PodInfo>, old: Option<&Pod>) {
        let nominator = &mut self.nodes.nominator;
        match nominated_node(&info.pod) {
            Some(node) => nominator.set(Arc::clone(info), node),
            None if old.and_then(nominated_node).is_some() => nominator.remove(&info.key),
            None => {}
        }
    }

    fn is_responsible(&self, pod: &Pod) -> bool {
        let wanted = pod.spec.as_ref().and_then(|spec| spec.scheduler_name.as_deref());
        wanted.unwrap_or(Self::DEFAULT_NAME) == self.name
    }

    fn schedule_one(&mut self, context: &mut Context<'_>, queued: QueuedPod) {
        let info = Arc::clone(&queued.info);
        let subject = format!("pods/{}", info.key).into();
        let causes = context.client.api().causes();
        let cause = causes.record(context.now, queued.cause, &self.actor, "schedule", subject);
        context.client.set_cause(cause);
        if pods::is_terminating(&info.pod) {
            let text = format!("skip schedule deleting pod: {}", info.key);
            self.tell_failure(context, &info, &text);
            return;
        }
        let view = View { nodes: &self.nodes, cache: context.cache };
        let room = &mut self.room;
        let mut outcome = cycle::schedule(&info, view, self.start, context.rng, room);
        self.start = outcome.next_start;
        match outcome.chosen.clone() {
            Some(node) => {
                self.decisions.keep(info.key.clone(), context.now, cause, &mut outcome);
                self.bind(context, queued, &node);
            }
            None => {
                let found = self.post_filter(context, &info, &outcome);
                outcome.diagnosis.post_filter.clone_from(&found.message);
                self.decisions.keep(info.key.clone(), context.now, cause, &mut outcome);
                self.turn_down(context, queued, &outcome, found);
            }
        }
    }

    /// Has the pod's volumes bound, and then the pod.
    fn bind(&mut self, context: &mut Context<'_>, queued: QueuedPod, node: &str) {
        self.nodes.assume(Arc::clone(&queued.info), node);
        let (cache, client) = (context.cache, &mut context.client);
        match waiting::bind_volumes(&queued.info, node, cache, client) {
            Ok(true) => self.bind_pod(context, queued, node),
            Ok(false) => self.waiting.add(queued, node, context.now),
            Err(why) => self.fail_volumes(context, queued, &why),
        }
    }

    /// Goes on with a pod whose volumes are bound, or will not be. Tells whether there was one.
    fn go_on_waiting(&mut self, context: &mut Context<'_>) -> bool {
        let Some((pod, result)) = self.waiting.take_done(context.now, context.cache) else {
            return false;
        };
        match result {
            Ok(()) => self.bind_pod(context, pod.queued, &pod.node),
            Err(why) => self.fail_volumes(context, pod.queued, &why),
        }
        true
    }

    fn fail_volumes(&mut self, context: &mut Context<'_>, queued: QueuedPod, why: &str) {
        let text = format!("running PreBind plugin \"VolumeBinding\": binding volumes: {why}");
        self.fail_binding(context, queued, &text);
    }

    /// A pod that had a node does not get it: what it would have taken is free again.
    fn fail_binding(&mut self, context: &mut Context<'_>, mut queued: QueuedPod, text: &str) {
        self.nodes.forget(&queued.info.key);
        let freed = Arc::clone(&queued.info.pod);
        self.queue.react(ClusterEvent::PodRemoved(&freed), queued.cause);
        queued.failed = true;
        self.fail(context, queued, "SchedulerError", text, Nomination::Clear);
    }

    fn bind_pod(&mut self, context: &mut Context<'_>, queued: QueuedPod, node: &str) {
        let info = Arc::clone(&queued.info);
        match plugins::BIND.bind(&info.pod, node, &mut context.client) {
            Ok(()) => {
                let text = format!("Successfully assigned {} to {node}", info.key);
                let about = reference(&info);
                let (client, rng) = (&mut context.client, &mut *context.rng);
                let kind = EventType::Normal;
                self.binding.record_about(client, rng, about, kind, "Scheduled", &text);
            }
            Err(error) if error.is_not_found() => self.nodes.forget(&info.key),
            Err(error) => {
                let text = format!("running Bind plugin {:?}: {error}", plugins::BIND.name());
                self.fail_binding(context, queued, &text);
            }
        }
    }

    fn post_filter(&self, context: &Context<'_>, info: &PodInfo, outcome: &Outcome) -> PostFilter {
        if self.nodes.is_empty() {
            return PostFilter::default();
        }
        let view = View { nodes: &self.nodes, cache: context.cache };
        let diagnosis = &outcome.diagnosis;
        plugins::POST_FILTER.post_filter(&Attempt { pod: info, view, diagnosis })
    }

    fn turn_down(
        &mut self,
        context: &mut Context<'_>,
        mut queued: QueuedPod,
        outcome: &Outcome,
        found: PostFilter,
    ) {
        if let Nomination::Node(node) = &found.nomination {
            for victim in &found.victims {
                self.preempt(context, &queued.info, victim, node);
            }
            self.withdraw_lesser(context, &queued.info, node);
        }
        queued.rejectors.clone_from(&outcome.diagnosis.plugins);
        // Without nodes no plugin has turned the pod down, and no event is known to help it.
        queued.failed = self.nodes.is_empty();
        let (text, nomination) = if self.nodes.is_empty() {
            ("no nodes available to schedule pods".to_owned(), Nomination::Clear)
        } else {
            (outcome.diagnosis.to_string(), found.nomination)
        };
        self.fail(context, queued, "Unschedulable", &text, nomination);
    }

    /// Less important pods for which room was made on the node may not fit any more: they look for
    /// another. Upstream: `getLowerPriorityNominatedPods`.
    fn withdraw_lesser(&mut self, context: &mut Context<'_>, preemptor: &PodInfo, node: &str) {
        let nominated = self.nodes.nominator.on(node);
        let lesser = nominated.filter(|other| other.priority() < preemptor.priority());
        let keys: Vec<Key> = lesser.map(|other| other.key.clone()).collect();
        for Key { namespace, name } in keys {
            let patch = Patch::Strategic(json!({"status": {"nominatedNodeName": null}}));
            // Upstream too goes on when this cannot be written.
            let _ = context.client.patch::<Pod>(&namespace, &name, "status", patch);
        }
    }

    /// Takes a pod away to make room.
    fn preempt(
        &mut self,
        context: &mut Context<'_>,
        preemptor: &PodInfo,
        victim: &PodInfo,
        node: &str,
    ) {
        if pods::is_terminating(&victim.pod) {
            return;
        }
        let (namespace, name) = (&victim.key.namespace, &victim.key.name);
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "lastTransitionTime": rfc3339(Some(&meta_time(context.now))),
            "reason": "PreemptionByScheduler",
            "message": format!("{}: preempting to accommodate a higher priority pod", self.name),
        });
        let patch = json!({"status": {"conditions": [condition]}});
        let told = context.client.patch::<Pod>(namespace, name, "status", Patch::Strategic(patch));
        let gone = told
            .and_then(|_| context.client.delete::<Pod>(namespace, name, DeleteOptions::default()));
        if gone.is_ok() {
            let uid = preemptor.pod.metadata.uid.as_deref().unwrap_or_default();
            let text = format!("Preempted by pod {uid} on node {node}");
            let about = reference(victim);
            let (client, rng) = (&mut context.client, &mut *context.rng);
            let kind = EventType::Normal;
            self.preempting.relate(reference(preemptor));
            self.preempting.record_about(client, rng, about, kind, "Preempted", &text);
        }
    }

    /// Tells that the pod could not be scheduled, and lets it wait.
    fn fail(
        &mut self,
        context: &mut Context<'_>,
        queued: QueuedPod,
        reason: &str,
        text: &str,
        nomination: Nomination,
    ) {
        let info = Arc::clone(&queued.info);
        self.queue.add_unschedulable(queued, context.now);
        match &nomination {
            Nomination::Keep => {}
            Nomination::Clear => self.nodes.nominator.remove(&info.key),
            Nomination::Node(node) => self.nodes.nominator.set(Arc::clone(&info), node),
        }
        self.tell_failure(context, &info, text);
        let Some(patch) = failure_patch(&info.pod, reason, text, &nomination, context.now) else {
            return;
        };
        let (namespace, name) = (&info.key.namespace, &info.key.name);
        // A condition that cannot be written is written at the next attempt, as upstream does.
        let _ = context.client.patch::<Pod>(namespace, name, "status", Patch::Strategic(patch));
    }

    fn tell_failure(&mut self, context: &mut Context<'_>, info: &PodInfo, text: &str) {
        let about = reference(info);
        let (client, rng) = (&mut context.client, &mut *context.rng);
        let (kind, text) = (EventType::Warning, truncated(text));
        self.scheduling.record_about(client, rng, about, kind, "FailedScheduling", &text);
    }

    /// When there is work: now if it is past.
    fn next_due(&self) -> Option<Time> {
        [self.queue.next_due(), self.waiting.next_due()].into_iter().flatten().min()
    }

    fn wake() -> Key {
        Key::new("", "queue")
    }
}

impl Controller for Scheduler {
    fn name(&self) -> &str {
        &self.actor
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<Pod>(),
            Watch::all::<Node>(),
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<PersistentVolume>(),
            Watch::all::<StorageClass>(),
            Watch::all::<CSINode>(),
            Watch::all::<CSIDriver>(),
            Watch::all::<CSIStorageCapacity>(),
            Watch::all::<VolumeAttachment>(),
            // For the default spreading, and for terms that select namespaces.
            Watch::all::<Service>(),
            Watch::all::<ReplicationController>(),
            Watch::all::<ReplicaSet>(),
            Watch::all::<StatefulSet>(),
            Watch::all::<Namespace>(),
            // For preemption.
            Watch::all::<PodDisruptionBudget>(),
        ]
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let kind = event.object.kind();
        if kind == Pod::kind() {
            self.see_pod(event, old);
        } else if kind == Node::kind() {
            self.see_node(event, old);
        } else if is_storage(&kind) {
            self.queue.react(ClusterEvent::Storage { object: &event.object, old }, event.cause);
        } else if let Some(attachment) = event.object.get::<VolumeAttachment>() {
            if event.kind != WatchEventType::Deleted {
                return Vec::new();
            }
            self.queue.react(ClusterEvent::AttachmentRemoved(attachment), event.cause);
        } else {
            return Vec::new();
        }
        match (self.next_due(), self.planned) {
            (Some(due), Some(planned)) if planned <= due => Vec::new(),
            (Some(_), _) => vec![Self::wake()],
            (None, _) => Vec::new(),
        }
    }
}

impl Reconcile for Scheduler {
    fn reconcile(
        &mut self,
        _key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let now = context.now;
        if !self.go_on_waiting(context)
            && let Some(queued) = self.queue.pop(now)
        {
            self.schedule_one(context, queued);
        }
        self.planned = self.planned.filter(|planned| *planned > now);
        let Some(due) = self.next_due().map(|due| due.max(now)) else {
            return Ok(Action::await_change());
        };
        if self.planned.is_some_and(|planned| planned <= due) {
            return Ok(Action::await_change());
        }
        self.planned = Some(due);
        Ok(Action::requeue_after(due.since(now)))
    }
}

/// Whether a change of the kind may help a pod with volumes.
fn is_storage(kind: &KindRef) -> bool {
    let kinds = [
        PersistentVolumeClaim::kind(),
        PersistentVolume::kind(),
        StorageClass::kind(),
        CSINode::kind(),
        CSIDriver::kind(),
        CSIStorageCapacity::kind(),
    ];
    kinds.contains(kind)
}

/// The node where room is being made for the pod.
fn nominated_node(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.nominated_node_name.as_deref().filter(|name| !name.is_empty())
}

/// What an event about the pod refers to.
fn reference(info: &PodInfo) -> ObjectReference {
    let meta = &info.pod.metadata;
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    }
}

/// The change of the pod's status that tells of the failure, unless it says so already.
fn failure_patch(
    pod: &Pod,
    reason: &str,
    text: &str,
    nomination: &Nomination,
    now: Time,
) -> Option<serde_json::Value> {
    let old = pods::condition(pod, "PodScheduled");
    let same = old.is_some_and(|old| {
        old.status == "False"
            && old.reason.as_deref() == Some(reason)
            && old.message.as_deref() == Some(text)
    });
    let before = nominated_node(pod);
    let nominated = match nomination {
        Nomination::Keep => before,
        Nomination::Clear => None,
        Nomination::Node(node) => Some(&**node),
    };
    if same && nominated == before {
        return None;
    }
    let since = old
        .filter(|old| old.status == "False")
        .and_then(|old| old.last_transition_time.clone())
        .unwrap_or_else(|| meta_time(now));
    let condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": null,
        "lastTransitionTime": rfc3339(Some(&since)),
        "reason": reason,
        "message": text,
    });
    let mut status = json!({"conditions": [condition]});
    if nominated != before {
        status["nominatedNodeName"] = json!(nominated);
    }
    Some(json!({"status": status}))
}

/// Long messages are cut, with dots at the end.
fn truncated(text: &str) -> String {
    const SUFFIX: &str = " ...";
    if text.len() <= NOTE_BYTES_MAX {
        return text.to_owned();
    }
    let mut end = NOTE_BYTES_MAX - SUFFIX.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{SUFFIX}", text.get(..end).unwrap_or_default())
}
