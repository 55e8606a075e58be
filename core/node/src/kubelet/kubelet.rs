//! The kubelet: runs the pods that are bound to its node and tells how they are.
//!
//! Upstream: `pkg/kubelet/kubelet.go`.

use super::calm::Calm;
use super::config_file::{self, Manifest};
use super::eviction::EvictionManager;
use super::image_gc_manager::ImageGcManager;
use super::nodeinfomanager::NodeInfoManager;
use super::pod_workers::{Failure, NodeWorld, PodWorker};
use super::predicate::{self, Asked};
use super::probes::{Finding, ProbeManager};
use super::resize::Room;
use super::volumes::PodVolumes;
use super::{lease, mirror, node_status, resize, static_pods, status, sysctl};
use crate::NodeConfig;
use crate::runtime::{ContainerId, Runtime, SandboxId};
use k8s_openapi::api::core::v1::{Node, Pod, PodStatus, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::{DeleteOptions, Patch};
use naru_api::time::{from_meta, meta_time};
use naru_api::{ApiService, Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{
    Action, Cache, Context, Controller, Error, EventType, HeldLease, Reconcile, Watch,
    object_reference,
};
use naru_network::{Network, NsId};
use naru_sim::Time;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often an unchanged node reports. Upstream: `nodeStatusReportFrequency`.
const REPORT_INTERVAL: Duration = Duration::from_secs(300);
/// How often a node looks whether it has changed. Upstream: `nodeStatusUpdateFrequency`.
const UPDATE_INTERVAL: Duration = Duration::from_secs(10);
/// How soon it learns of a driver's socket. Upstream: `loopSleepDuration` of
/// `pkg/kubelet/pluginmanager/plugin_manager.go`.
const REGISTRATION_TIME: Duration = Duration::from_secs(1);
/// How often a node that is not ready looks at its runtime. Upstream: `updateRuntimeUp`.
const RUNTIME_INTERVAL: Duration = Duration::from_secs(5);

/// Most pods that are gone whose volumes are kept.
const LEFT_MAX: usize = 500;

/// Keys without a namespace are not pods but the kubelet's own duties.
const NODE: &str = "node";
pub(super) const LEASE: &str = "lease";
const STATIC_PODS: &str = "static-pods";

/// The kubelet of one node.
#[derive(Clone, Debug)]
pub struct Kubelet {
    config: Arc<NodeConfig>,
    pub(super) workers: BTreeMap<(Key, String), Box<PodWorker>>,
    /// What the pods ask for that are not on their way to their end.
    taken: Taken,
    probes: ProbeManager,
    /// What probes found and no sync has looked at yet.
    findings: BTreeMap<Key, Vec<Finding>>,
    static_pods: Vec<Pod>,
    /// Static pods whose manifests were moved away before anybody had seen them.
    withdrawn: Vec<Pod>,
    /// The manifests that static pods are made from; empty as long as nobody has seen them.
    manifests: Vec<Manifest>,
    lease: Option<HeldLease>,
    reported: Option<Time>,
    images_reported: u64,
    in_use_reported: Vec<String>,
    /// Volumes of pods that are gone of which drivers could not be told yet, by the pods' uids.
    left: BTreeMap<String, PodVolumes>,
    drivers: NodeInfoManager,
    pub(super) eviction: EvictionManager,
    pub(super) image_gc: ImageGcManager,
    /// Nothing of the node's status can have changed since then.
    resting: Option<Rest>,
    /// Counts what was heard of the node's own object, and the syncs of pods.
    heard: u64,
    syncs: u64,
}

/// A sum of what pods ask for, kept up as they come and go: there may be many of them.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// Wider than what is added, so that nothing is lost which is to be taken away again.
    sums: [i128; 3],
    pods: i64,
}

impl Taken {
    fn asked(&self) -> Asked {
        self.sums.map(|sum| i64::try_from(sum).unwrap_or(i64::MAX))
    }

    fn add(&mut self, asked: Asked) {
        self.pods += 1;
        self.sums.iter_mut().zip(asked).for_each(|(sum, more)| *sum += i128::from(more));
    }

    fn subtract(&mut self, asked: Asked) {
        self.pods -= 1;
        self.sums.iter_mut().zip(asked).for_each(|(sum, less)| *sum -= i128::from(less));
    }

    /// A worker's pod counts until it is on its way to its end.
    fn count(&mut self, worker: &mut PodWorker) {
        let counts = !worker.is_terminal();
        match (std::mem::replace(&mut worker.counts, counts), counts) {
            (false, true) => self.add(worker.asked),
            (true, false) => self.subtract(worker.asked),
            _ => {}
        }
    }
}

/// A pause between looks at the node's status.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// What was seen of everything that could change the status.
    seen: Stirred,
    /// The last look; others follow in steps of [`UPDATE_INTERVAL`].
    looked: Time,
    /// The next look.
    next: Time,
}

/// Counts of what happened on the node.
type Stirred = (u64, u64, u64, u64);

impl Kubelet {
    /// A kubelet that has seen nothing yet.
    pub fn new(config: Arc<NodeConfig>) -> Self {
        let static_pods =
            if config.control_plane { static_pods::control_plane(&config) } else { Vec::new() };
        Kubelet {
            eviction: EvictionManager::new(&config.kubelet),
            image_gc: ImageGcManager::default(),
            config,
            workers: BTreeMap::new(),
            taken: Taken::default(),
            probes: ProbeManager::default(),
            findings: BTreeMap::new(),
            static_pods,
            withdrawn: Vec::new(),
            manifests: Vec::new(),
            lease: None,
            reported: None,
            images_reported: 0,
            in_use_reported: Vec::new(),
            left: BTreeMap::new(),
            drivers: NodeInfoManager::default(),
            resting: None,
            heard: 0,
            syncs: 0,
        }
    }

    /// How its machine is.
    pub(crate) fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// The name of its node.
    pub(crate) fn node_name(&self) -> &str {
        &self.config.name
    }

    /// The worker of a pod; the latest of this name.
    pub fn worker(&self, namespace: &str, name: &str) -> Option<&PodWorker> {
        let key = Key::new(namespace, name);
        let mut found = self.workers.values().filter(|worker| worker.key == key);
        found.next_back().map(Box::as_ref)
    }

    /// The workers of all pods.
    pub(crate) fn workers(&self) -> impl Iterator<Item = &PodWorker> {
        self.workers.values().map(Box::as_ref)
    }

    /// The pod that a container belongs to.
    pub fn pod_of(&self, container: ContainerId) -> Option<Key> {
        let runs = |worker: &&PodWorker| worker.containers.iter().any(|r| r.id == Some(container));
        self.workers.values().map(Box::as_ref).find(runs).map(|worker| worker.key.clone())
    }

    /// Its probes.
    pub(super) fn probes(&self) -> &ProbeManager {
        &self.probes
    }

    /// When a probe is to be sent or given up next.
    pub fn next_probe(&self) -> Option<Time> {
        self.probes.next_due()
    }

    /// Sends probes that are due and takes in their answers; gives the pods to look at.
    pub fn run_probes(&mut self, world: &mut NodeWorld<'_>, now: Time) -> Vec<Key> {
        let mut keys = Vec::new();
        for finding in self.probes.advance(world, now) {
            keys.push(finding.key.clone());
            self.findings.entry(finding.key.clone()).or_default().push(finding);
        }
        keys
    }

    /// Whether etcd answers the programs of this node's control plane; tells whether that is new.
    /// Probes must have been caught up with.
    pub fn set_etcd_lost(&mut self, lost: bool) -> bool {
        self.probes.set_etcd_lost(lost)
    }

    /// Counts the probes that need not be sent and were due before `now`.
    pub fn catch_up(
        &mut self,
        runtime: &mut Runtime,
        network: &mut Network,
        host: NsId,
        now: Time,
    ) {
        self.probes.catch_up(runtime, network, host, now);
    }

    /// Looks whether the probes that are not sent still need not be.
    pub fn doubt_probes(&mut self, runtime: &Runtime, network: &Network, host: NsId) {
        self.probes.doubt(runtime, network, host);
    }

    /// The kubelet stops: nothing is taken for granted when it starts again.
    pub fn pause(&mut self, api: &mut dyn ApiService) {
        if let Some(lease) = &mut self.lease {
            lease.resume(api);
        }
        self.probes.doubt_all();
        self.resting = None;
    }

    /// It starts with this configuration, and knows nothing of what was before.
    pub fn configure(&mut self, config: Arc<NodeConfig>) {
        self.reset_eviction(&config);
        self.image_gc = ImageGcManager::default();
        self.config = config;
    }

    fn stirred(&self, runtime: &Runtime) -> Stirred {
        (runtime.activities(), runtime.images.changes(), self.heard, self.syncs)
    }

    /// How long until the next look at the node's status: until the next report where nothing but
    /// that can give a reason, and else `usual`.
    fn rest(&mut self, now: Time, usual: Duration, runtime: &Runtime) -> Duration {
        if self.eviction.is_troubled(now) || usual < UPDATE_INTERVAL || !self.left.is_empty() {
            return usual;
        }
        let report = self.reported.map_or(now, |at| at + REPORT_INTERVAL);
        let pause = report.since(now);
        let pause = self.images_due(now).map_or(pause, |due| due.min(pause));
        let steps = pause.as_secs().div_ceil(UPDATE_INTERVAL.as_secs()).max(1);
        let delay = UPDATE_INTERVAL * u32::try_from(steps).unwrap_or(1);
        self.resting = Some(Rest { seen: self.stirred(runtime), looked: now, next: now + delay });
        delay
    }

    /// The key of the look at the node's status and its moment, if something has happened on the
    /// node and no earlier look is planned.
    pub fn wakes_up(&mut self, runtime: &Runtime, now: Time) -> Option<(Time, Key)> {
        let stirred = self.stirred(runtime);
        let rest = self.resting.as_mut()?;
        if std::mem::replace(&mut rest.seen, stirred) == stirred {
            return None;
        }
        let steps = now.since(rest.looked).as_secs() / UPDATE_INTERVAL.as_secs() + 1;
        let mut at = rest.looked + UPDATE_INTERVAL * u32::try_from(steps).unwrap_or(u32::MAX);
        if self.drivers.are_others(runtime) {
            at = at.min(now + REGISTRATION_TIME);
        }
        (at < rest.next).then(|| {
            rest.next = at;
            (at, Key::new("", NODE))
        })
    }

    /// The machine was switched off: nothing of what ran is left. Gives the sandboxes that nobody
    /// needs to know any more.
    pub fn reboot(&mut self) -> Vec<SandboxId> {
        self.probes = ProbeManager::default();
        self.resting = None;
        self.findings.clear();
        self.lease = None;
        self.reported = None;
        let ended = self.workers.values().filter(|worker| worker.is_terminal());
        let mut gone: Vec<SandboxId> = ended.flat_map(|worker| worker.sandboxes()).collect();
        for worker in self.workers.values_mut().filter(|worker| worker.is_terminal()) {
            let volumes = std::mem::take(&mut worker.volumes);
            keep(&mut self.left, &worker.uid, volumes);
        }
        self.workers.retain(|_, worker| !worker.is_terminal());
        self.taken = Taken::default();
        for worker in self.workers.values_mut() {
            gone.extend(worker.reboot());
            self.taken.add(worker.asked);
            worker.counts = true;
        }
        gone
    }

    // ---- the node itself ----

    fn sync_node(
        &mut self,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        if self.resting.take_if(|rest| context.now >= rest.next).is_none() && self.resting.is_some()
        {
            // Planned before something has happened on the node, or for later.
            return Ok(Action::await_change());
        }
        self.drivers.sync(&mut context.client, &self.config.name, world.runtime)?;
        // Upstream: the reconciler's `cleanupMounts`.
        self.left.retain(|uid, volumes| volumes.tear_down(uid, world.runtime).is_err());
        let in_use = self.volumes_in_use();
        let ready = world.runtime.network_ready();
        let again = if ready { UPDATE_INTERVAL } else { RUNTIME_INTERVAL };
        self.rotate_logs(context.now, world);
        let again = self.evict(context, world)?.map_or(again, |delay| delay.min(again));
        self.collect_images(context, world);
        let images = world.runtime.images.changes();
        let short = self.eviction.conditions(context.now);
        let own = context.cache.get::<Node>(&Key::new("", self.config.name.as_str()));
        let turned =
            |node: &Node| node_status::is_ready(node) != ready || !node_status::tells(node, &short);
        let due = self.reported.is_none_or(|at| context.now.since(at) >= REPORT_INTERVAL)
            || own.is_some_and(turned);
        let same = images == self.images_reported && in_use == self.in_use_reported;
        if !due && same {
            return Ok(Action::requeue_after(self.rest(context.now, again, world.runtime)));
        }
        match context.client.get::<Node>("", &self.config.name) {
            Ok(node) => self.report(&node, context, world)?,
            Err(error) if error.is_not_found() => self.register(context, world)?,
            Err(error) => return Err(error.into()),
        }
        self.reported = Some(context.now);
        self.images_reported = images;
        self.in_use_reported = in_use;
        Ok(Action::requeue_after(again))
    }

    /// Ends pods where something is short; tells when those that are on their way out are to be
    /// looked at.
    fn evict(
        &mut self,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Option<Duration>, Error> {
        self.relieve(context, world);
        let mut next: Option<Duration> = None;
        for key in std::mem::take(&mut self.eviction.evicting) {
            let action = self.sync_pod(&key, context, world)?;
            next = [next, action.delay()].into_iter().flatten().min();
            let ends = |worker: &PodWorker| !worker.is_terminated();
            if self.worker(&key.namespace, &key.name).is_some_and(ends) {
                self.eviction.evicting.push(key);
            }
        }
        Ok(next)
    }

    /// Writes the node's status anew, and tells what of it has turned.
    fn report(
        &mut self,
        old: &Node,
        context: &mut Context<'_>,
        world: &NodeWorld<'_>,
    ) -> Result<(), Error> {
        let mut node = old.clone();
        let status = node.status.get_or_insert_default();
        let before = status.conditions.take().unwrap_or_default();
        let ready = world.runtime.network_ready();
        let short = self.eviction.conditions(context.now);
        let after = node_status::conditions(Some(&before), ready, &short, context.now);
        let turned = node_status::turned(&before, &after);
        status.conditions = Some(after);
        status.capacity = Some(node_status::capacity(&self.config));
        status.allocatable = Some(node_status::allocatable(&self.config));
        status.images = Some(node_status::container_images(&world.runtime.images));
        status.volumes_in_use = Some(self.volumes_in_use()).filter(|in_use| !in_use.is_empty());
        node.metadata.resource_version = None;
        context.client.update_status(node)?;
        if self.reported.is_none() {
            self.node_event(context, "Starting", "Starting kubelet.");
        }
        for what in turned {
            let message = format!("Node {} status is now: {what}", self.config.name);
            self.node_event(context, what, &message);
        }
        Ok(())
    }

    fn register(&mut self, context: &mut Context<'_>, world: &NodeWorld<'_>) -> Result<(), Error> {
        let node = node_status::initial_node(&self.config, world.runtime, context.now, context.rng);
        let status = node.status.clone();
        let mut created = Node::clone(&*context.client.create(node)?);
        // Creation drops the status; it is written on its own, as upstream does.
        created.status = status;
        created.metadata.resource_version = None;
        context.client.update_status(created)?;
        self.node_event(context, "Starting", "Starting kubelet.");
        for what in ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"] {
            let message = format!("Node {} status is now: {what}", self.config.name);
            self.node_event(context, what, &message);
        }
        let enforced = "Updated Node Allocatable limit across pods";
        self.node_event(context, "NodeAllocatableEnforced", enforced);
        if world.runtime.network_ready() {
            let message = format!("Node {} status is now: NodeReady", self.config.name);
            self.node_event(context, "NodeReady", &message);
        }
        Ok(())
    }

    /// An event about the node; its uid is the node's name, as upstream's is.
    fn node_event(&self, context: &mut Context<'_>, reason: &str, message: &str) {
        self.node_event_of(context, EventType::Normal, reason, message);
    }

    pub(super) fn node_event_of(
        &self,
        context: &mut Context<'_>,
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        let mut node = Node::default();
        node.metadata.name = Some(self.config.name.clone());
        node.metadata.uid = Some(self.config.name.clone());
        let about = object_reference(&Object::new(node), None);
        let Context { client, rng, recorder, .. } = context;
        recorder.record_about(client, rng, about, kind, reason, message);
    }

    fn renew_lease(&mut self, context: &mut Context<'_>) -> Result<Action, Error> {
        let node = context.cache.get::<Node>(&Key::new("", self.config.name.as_str()));
        let held = self.lease.take();
        let mut lease = lease::renew(&mut context.client, &self.config.name, node, held)?;
        let next = context.now + lease::RENEW_INTERVAL;
        let stands = lease.stand(context.client.api(), next, lease::RENEW_INTERVAL);
        self.lease = Some(lease);
        Ok(match stands {
            true => Action::await_change(),
            false => Action::requeue_after(lease::RENEW_INTERVAL),
        })
    }

    /// The key of the lease's renewal and its moment, if the API server has ceased to renew it.
    pub fn lease_due(&mut self, api: &mut dyn ApiService) -> Option<(Time, Key)> {
        let next = self.lease.as_mut()?.resume_if_over(api)?;
        Some((next.max(api.now()), Key::new("", LEASE)))
    }

    /// Makes the mirror pods that are not there.
    fn mirror_static_pods(&mut self, context: &mut Context<'_>) -> Result<Action, Error> {
        let node = context.cache.get::<Node>(&Key::new("", self.config.name.as_str()));
        for pod in &self.static_pods {
            let key = key_of(pod);
            if context.cache.get::<Pod>(&key).is_some() {
                continue;
            }
            match context.client.create(mirror::mirror_pod(pod, node, context.now)) {
                Err(error) if error.is_already_exists() => {}
                result => drop(result?),
            }
        }
        Ok(Action::await_change())
    }

    /// Runs the static pods although nobody can be told of them.
    fn run_static_pods(
        &mut self,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        let mut next = UPDATE_INTERVAL;
        for key in self.static_pods.iter().map(key_of).collect::<Vec<_>>() {
            let action = self.sync_pod(&key, context, world)?;
            next = action.delay().map_or(next, |delay| next.min(delay));
        }
        Ok(Action::requeue_after(next))
    }

    fn is_static(&self, key: &Key) -> bool {
        self.static_pods.iter().any(|pod| key_of(pod) == *key)
    }

    /// Whether a mirror pod is of a static pod as it is now, not of one that was there before.
    ///
    /// Upstream: `IsMirrorPodOf` in `pkg/kubelet/pod/mirror_client.go`.
    fn is_mirrored(&self, mirror: &Object) -> bool {
        let (key, uid) = (mirror.key(), mirror::worker_uid(mirror));
        self.static_pods.iter().any(|pod| key_of(pod) == key && mirror::hash_of(pod) == uid)
    }

    /// Makes the static pods those of these manifests; tells which pods are to be looked at.
    pub fn set_manifests(&mut self, manifests: Vec<Manifest>) -> BTreeSet<Key> {
        if manifests == self.manifests {
            return BTreeSet::new();
        }
        let before = std::mem::take(&mut self.static_pods);
        for manifest in &manifests {
            let pod = config_file::pod_of(manifest, &self.config);
            // Of two manifests of one pod the first counts.
            self.static_pods.extend(pod.filter(|pod| !self.is_static(&key_of(pod))));
        }
        self.withdrawn.clear();
        self.manifests = manifests;
        let gone = before.iter().filter(|pod| !self.static_pods.contains(pod));
        let new = self.static_pods.iter().filter(|pod| !before.contains(pod));
        gone.chain(new).map(key_of).collect()
    }

    /// A static pod as its mirror would be, but without a uid.
    fn unmirrored(&self, key: &Key, context: &Context<'_>) -> Option<Object> {
        let node = context.cache.get::<Node>(&Key::new("", self.config.name.as_str()));
        let pod = self.static_pods.iter().find(|pod| key_of(pod) == *key)?;
        Some(Object::new(mirror::mirror_pod(pod, node, context.now)))
    }

    /// Takes away the static pod of this component (`kube-scheduler`), as if its manifest were
    /// moved out of `/etc/kubernetes/manifests`, or puts it back. Tells the pod's key if that
    /// changed something.
    pub fn set_static_pod(&mut self, component: &str, wanted: bool) -> Option<Key> {
        let (from, to) = match wanted {
            true => (&mut self.withdrawn, &mut self.static_pods),
            false => (&mut self.static_pods, &mut self.withdrawn),
        };
        let index = from.iter().position(|pod| static_pods::component_of(pod) == component)?;
        let pod = from.remove(index);
        let key = key_of(&pod);
        to.push(pod);
        Some(key)
    }

    /// The pods that wait for a disk, when other disks are attached or told to be in use.
    fn map_attached(&self, node: &Node, old: Option<&Node>) -> Vec<Key> {
        let disks = |node: &Node| {
            let status = node.status.as_ref()?;
            Some((status.volumes_attached.clone(), status.volumes_in_use.clone()))
        };
        if old.and_then(disks) == disks(node) {
            return Vec::new();
        }
        let waiting = self.workers.values().filter(|worker| worker.waits_for_disk);
        waiting.map(|worker| worker.key.clone()).collect()
    }

    /// Tells that disks are in use which pods wait for. Upstream waits for the next report of the
    /// node's status; here too nothing is mounted before it is told.
    fn tell_disks(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let in_use = self.volumes_in_use();
        if in_use.iter().all(|disk| self.in_use_reported.contains(disk)) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({"status": {"volumesInUse": in_use}}));
        context.client.patch::<Node>("", &self.config.name, "status", patch)?;
        self.in_use_reported = in_use;
        Ok(())
    }

    /// The disks that pods use here or are about to.
    fn volumes_in_use(&self) -> Vec<String> {
        let all = self.workers().flat_map(PodWorker::disks_in_use);
        let all = all.chain(self.left.values().flat_map(PodVolumes::disks));
        all.collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// The manifests of the control plane as kubeadm writes them, by their paths: beside the folder
    /// where the kubelet looks lie those that were moved away.
    pub fn control_plane_manifests(&self) -> Vec<(String, Vec<u8>)> {
        let file = |folder: &str, pod: &Pod| {
            let path = format!("{folder}/{}.yaml", static_pods::component_of(pod));
            (path, static_pods::manifest(pod, &self.config))
        };
        let here = self.static_pods.iter().map(|pod| file(config_file::MANIFESTS, pod));
        here.chain(self.withdrawn.iter().map(|pod| file(config_file::AWAY, pod))).collect()
    }

    // ---- pods ----

    /// Whether probes have found something of a pod that no sync has looked at yet.
    pub(super) fn has_findings(&self, key: &Key) -> bool {
        self.findings.contains_key(key)
    }

    /// Somebody else has changed what the kubelet says of a pod, as the node controller does when
    /// it has heard nothing for too long: it is to be said again. Tells whether that is so.
    ///
    /// Upstream: `needsReconcile` in `pkg/kubelet/status/status_manager.go`.
    fn take_correction(&mut self, object: &Object, pod: &Pod) -> bool {
        let id = (object.key(), mirror::worker_uid(object).to_owned());
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        let Some(written) = worker.written_status() else { return false };
        let mut conditions = written.conditions.iter().flatten();
        let said = conditions.find(|it| it.type_ == "Ready").map(|it| it.status.as_str());
        let stands = pods::condition(pod, "Ready").map(|ready| ready.status.as_str());
        // What was there before the latest word comes back too, and is no correction.
        let corrected = stands != said && object.revision() > worker.revision;
        if corrected {
            worker.written = None;
        }
        corrected
    }

    fn sync_pod(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        let object = context.cache.object(&Pod::kind(), key).cloned();
        let stale =
            |object: &&Object| mirror::is_mirror(object.meta()) && !self.is_mirrored(object);
        if let Some(old) = object.as_ref().filter(stale) {
            return self.sync_replaced(key, old, context, world);
        }
        self.drop_workers(key, object.as_ref(), world);
        let object = match object {
            Some(object) => object,
            None => match (self.mirror_static_pods(context), self.unmirrored(key, context)) {
                // Static pods run without the API server: it is one of them.
                (Err(error), Some(object)) if is_unreachable(&error) => object,
                (done, _) => return done,
            },
        };
        self.sync_object(key, &object, context, world)
    }

    /// Ends a static pod whose manifest is gone or another now. Where nobody can be told of it, as its
    /// API server is what ended, the new one starts all the same.
    fn sync_replaced(
        &mut self,
        key: &Key,
        old: &Object,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        let id = (key.clone(), mirror::worker_uid(old).to_owned());
        if self.workers.get(&id).is_some_and(|worker| !worker.is_terminated()) {
            return self.sync_object(key, old, context, world);
        }
        self.drop_worker(&id, world);
        match (delete_at_once(key, old, context), self.unmirrored(key, context)) {
            (Err(error), Some(new)) if is_unreachable(&error) => {
                self.sync_object(key, &new, context, world)
            }
            (done, _) => done,
        }
    }

    fn sync_object(
        &mut self,
        key: &Key,
        object: &Object,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        let id = (key.clone(), mirror::worker_uid(object).to_owned());
        let done = self.sync_worker(&id, object, context, world);
        if let Some(worker) = self.workers.get_mut(&id) {
            self.taken.count(worker);
        }
        done
    }

    fn sync_worker(
        &mut self,
        id: &(Key, String),
        object: &Object,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<Action, Error> {
        let key = &id.0;
        let Some(pod) = object.get::<Pod>() else { return Ok(Action::await_change()) };
        let is_mirror = mirror::is_mirror(object.meta());
        let withdrawn = is_mirror && !self.is_mirrored(object);
        if !self.workers.contains_key(id) {
            let new = !pods::is_terminal(pod) && !pods::is_terminating(pod);
            if let Some(refusal) = self.refusal(pod, context).filter(|_| new && !is_mirror) {
                return reject(object, pod, refusal, context);
            }
            let worker = if pods::is_terminal(pod) && !pods::is_terminating(pod) {
                None
            } else {
                PodWorker::new(key.clone(), object.clone(), context.now)
            };
            let Some(worker) = worker else { return Ok(Action::await_change()) };
            self.workers.insert(id.clone(), Box::new(worker));
        }
        let room = self.room_beside(id, pod);
        let Some(worker) = self.workers.get_mut(id) else { return Ok(Action::await_change()) };
        worker.calm = None;
        if worker.object.uid() != object.uid() {
            // A new mirror of the same static pod has no status yet.
            worker.written = None;
        }
        worker.object = object.clone();
        worker.note_ephemeral_containers(context.now);
        match room {
            Some(room) if !worker.is_terminal() => worker.resize(room, context, world),
            _ => worker.resize_pending = None,
        }
        let deleted = pods::is_terminating(pod) && !is_mirror;
        if withdrawn || deleted || pods::is_terminal(pod) {
            worker.begin_termination(context, world);
            worker.shorten_grace(context.now);
        }
        if worker.waits_for_disk {
            worker.poke(context.now);
        }
        check_deadline(worker, pod, context, world);
        worker.check_limits(context, world);
        for finding in self.findings.remove(key).unwrap_or_default() {
            worker.take_finding(&finding, context, world);
        }
        worker.sync(context, world);
        self.probes.follow(worker, world.runtime);
        let (terminated, over) = (worker.is_terminated(), worker.is_over());
        let next = worker.next_due();
        if is_mirror && !withdrawn && terminated {
            // Its manifest was taken away and came back before it had ended: it starts anew.
            // Upstream: `waitingToStartStaticPodsByFullname` in `pkg/kubelet/pod_workers.go`.
            self.drop_worker(id, world);
            return Ok(Action::requeue_after(Duration::ZERO));
        }
        let written = write_status(worker, context, world);
        if withdrawn && terminated {
            self.drop_workers(key, None, world);
        }
        match written {
            Err(error) if is_unreachable(&error) => {
                let retry = context.now + UPDATE_INTERVAL;
                let next = next.map_or(retry, |at| at.min(retry));
                return Ok(Action::requeue_after(next.since(context.now)));
            }
            written => written?,
        }
        let over = over || (is_mirror && !withdrawn);
        if over && (withdrawn || pods::is_terminating(pod)) {
            return delete_at_once(key, object, context);
        }
        if let Some(worker) = self.workers.get_mut(id) {
            worker.calm = Calm::of(worker, world.runtime);
            if worker.volumes.await_disks() {
                self.tell_disks(context)?;
            }
        }
        Ok(match next {
            Some(at) => Action::requeue_after(at.since(context.now)),
            None => Action::await_change(),
        })
    }

    /// Why this node does not run a pod that is bound to it.
    fn refusal(&self, pod: &Pod, context: &Context<'_>) -> Option<(String, String)> {
        let node = context.cache.get::<Node>(&Key::new("", self.config.name.as_str()))?;
        self.eviction_refusal(pod, context.now)
            .or_else(|| sysctl::refusal(pod))
            .or_else(|| predicate::refusal(pod, node, self.taken.asked(), self.taken.pods))
    }

    /// What the node has and other pods have taken, if this one's containers are to get something
    /// else than they have.
    fn room_beside(&self, id: &(Key, String), pod: &Pod) -> Option<Room> {
        let spec = pod.spec.as_ref()?;
        self.workers.get(id).filter(|worker| worker.is_resized(spec))?;
        let others = self.workers.iter().filter(|(other, it)| *other != id && !it.is_terminal());
        let asked = others.filter_map(|(_, it)| it.object.get::<Pod>()?.spec.as_deref());
        let taken = asked.map(resize::requests).fold((0, 0), |sum: (i64, i64), more| {
            (sum.0.saturating_add(more.0), sum.1.saturating_add(more.1))
        });
        let memory = i64::try_from(self.config.memory_bytes).unwrap_or(i64::MAX);
        Some(Room { capacity: (i64::from(self.config.cpus) * 1_000, memory), taken })
    }

    /// Ends the workers of pods that are not in the API any more.
    fn drop_workers(&mut self, key: &Key, object: Option<&Object>, world: &mut NodeWorld<'_>) {
        if object.is_none() && self.is_static(key) {
            return;
        }
        let uid = object.map(mirror::worker_uid).unwrap_or_default();
        let of_key = self.workers.range((key.clone(), String::new())..).map(|(id, _)| id);
        let gone: Vec<(Key, String)> = of_key
            .take_while(|(other, _)| other == key)
            .filter(|(_, other_uid)| other_uid != uid)
            .cloned()
            .collect();
        for id in gone {
            self.drop_worker(&id, world);
        }
    }

    /// Forgets what runs a pod, and removes what is left of it.
    fn drop_worker(&mut self, id: &(Key, String), world: &mut NodeWorld<'_>) {
        let Some(mut worker) = self.workers.remove(id) else { return };
        if worker.counts {
            self.taken.subtract(worker.asked);
        }
        for run in worker.containers.iter().filter_map(|record| record.id) {
            self.probes.forget(run);
        }
        self.probes.forget_counts(&id.0);
        if let Some(volumes) = worker.remove(world) {
            keep(&mut self.left, &worker.uid, volumes);
        }
    }
}

/// Keeps volumes of a pod that is gone until drivers are told of it.
fn keep(left: &mut BTreeMap<String, PodVolumes>, uid: &str, volumes: PodVolumes) {
    if left.len() < LEFT_MAX {
        left.insert(uid.to_owned(), volumes);
    }
}

fn key_of(pod: &Pod) -> Key {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Key::new(text(&pod.metadata.namespace), text(&pod.metadata.name))
}

/// Says that a pod is not run here. Upstream: `rejectPod` in `pkg/kubelet/kubelet.go`.
fn reject(
    object: &Object,
    pod: &Pod,
    (reason, message): (String, String),
    context: &mut Context<'_>,
) -> Result<Action, Error> {
    context.event(object, EventType::Warning, &reason, &message);
    let status = PodStatus {
        phase: Some("Failed".to_owned()),
        message: Some(format!("Pod was rejected: {message}")),
        reason: Some(reason),
        qos_class: pod.status.as_ref().and_then(|status| status.qos_class.clone()),
        start_time: Some(meta_time(context.now)),
        ..PodStatus::default()
    };
    let written = Pod {
        metadata: ObjectMeta { resource_version: None, ..pod.metadata.clone() },
        spec: pod.spec.clone(),
        status: Some(status),
    };
    match context.client.update_status(written) {
        Err(error) if error.is_not_found() => {}
        result => drop(result?),
    }
    Ok(Action::await_change())
}

/// Takes a pod that has ended out of the API.
fn delete_at_once(key: &Key, object: &Object, context: &mut Context<'_>) -> Result<Action, Error> {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        uid: Some(object.uid().to_owned()),
        ..DeleteOptions::default()
    };
    match context.client.delete::<Pod>(&key.namespace, &key.name, options) {
        Err(error) if error.is_not_found() || error.is_conflict() => {}
        result => result?,
    }
    Ok(Action::await_change())
}

/// Ends a pod that runs longer than it may. Upstream: `pkg/kubelet/active_deadline.go`.
fn check_deadline(
    worker: &mut PodWorker,
    pod: &Pod,
    context: &mut Context<'_>,
    world: &mut NodeWorld<'_>,
) {
    const MESSAGE: &str = "Pod was active on the node longer than the specified deadline";
    worker.wake_by(None);
    let seconds = pod.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
    let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else { return };
    let start = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    let start = start.map_or(worker.first_seen, from_meta);
    let deadline = start + Duration::from_secs(seconds);
    if context.now < deadline {
        worker.wake_by(Some(deadline));
        return;
    }
    if worker.is_terminal() {
        return;
    }
    let (reason, message) = ("DeadlineExceeded", MESSAGE.to_owned());
    worker.failed = Some(Failure { reason, message, disrupted: false });
    context.event(&worker.object, EventType::Normal, "DeadlineExceeded", MESSAGE);
    worker.begin_termination(context, world);
}

/// Writes the pod's status if it is another than the one written last.
fn write_status(
    worker: &mut PodWorker,
    context: &mut Context<'_>,
    world: &NodeWorld<'_>,
) -> Result<(), Error> {
    let Some(pod) = worker.object.get::<Pod>() else { return Ok(()) };
    if worker.object.uid().is_empty() {
        // A static pod that has no mirror yet.
        return Ok(());
    }
    if worker.is_forgotten() {
        return Ok(());
    }
    if worker.written.is_some() && !worker.is_settled(context.now) {
        return Ok(());
    }
    let status = status::generate(worker, pod, world.runtime, world.config, context.now);
    if worker.written_status() == Some(&status) {
        return Ok(());
    }
    let written = Pod {
        metadata: ObjectMeta { resource_version: None, ..pod.metadata.clone() },
        spec: pod.spec.clone(),
        status: Some(status),
    };
    match context.client.update_status(written) {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(stored) => {
            worker.revision = revision(&stored);
            worker.written = Some(stored);
            Ok(())
        }
    }
}

/// How new a state of a pod is.
fn revision(pod: &Pod) -> u64 {
    pod.metadata.resource_version.as_ref().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether a pod's change is more than the kubelet's own: another status alone calls for nothing.
fn differs(old: &Pod, new: &Pod) -> bool {
    old.spec != new.spec
        || old.metadata.uid != new.metadata.uid
        || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        || old.metadata.deletion_grace_period_seconds != new.metadata.deletion_grace_period_seconds
        || old.metadata.labels != new.metadata.labels
        || old.metadata.annotations != new.metadata.annotations
        || pods::is_terminal(old) != pods::is_terminal(new)
}

impl Controller for Kubelet {
    fn name(&self) -> &str {
        "kubelet"
    }

    fn watches(&self) -> Vec<Watch> {
        let name = &self.config.name;
        vec![
            Watch::with_fields::<Pod>(format!("spec.nodeName={name}")),
            Watch::with_fields::<Node>(format!("metadata.name={name}")),
            Watch::all::<Service>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        if let Some(node) = event.object.get::<Node>() {
            self.heard += 1;
            let old = old.and_then(Object::get::<Node>);
            return self.map_attached(node, old);
        }
        let Some(pod) = event.object.get::<Pod>() else { return Vec::new() };
        let old = old.and_then(Object::get::<Pod>);
        if self.take_correction(&event.object, pod) {
            return vec![event.object.key()];
        }
        let same = old.is_some_and(|old| !differs(old, pod));
        if event.kind == WatchEventType::Modified && same {
            return Vec::new();
        }
        vec![event.object.key()]
    }

    fn initial(&self) -> Vec<Key> {
        [NODE, LEASE, STATIC_PODS].map(|duty| Key::new("", duty)).to_vec()
    }
}

impl<'w> Reconcile<NodeWorld<'w>> for Kubelet {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'w>,
    ) -> Result<Action, Error> {
        let done = match (key.namespace.as_str(), key.name.as_str()) {
            ("", NODE) => self.sync_node(context, world),
            ("", LEASE) => self.renew_lease(context),
            ("", STATIC_PODS) => match self.mirror_static_pods(context) {
                Err(error) if is_unreachable(&error) => self.run_static_pods(context, world),
                done => done,
            },
            _ => match self.put_off(key, context, world.runtime) {
                Some(action) => Ok(action),
                None => {
                    self.syncs += 1;
                    self.sync_pod(key, context, world)
                }
            },
        };
        match done {
            // The kubelet goes on by its own clock, however long nobody has answered.
            Err(error) if is_unreachable(&error) => Ok(Action::requeue_after(UPDATE_INTERVAL)),
            done => done,
        }
    }
}

fn is_unreachable(error: &Error) -> bool {
    matches!(error, Error::Api(error) if error.is_unreachable())
}
