//! One worker for each pod: brings it step by step to what its spec asks for.
//!
//! A real worker blocks while an image comes or a process starts; here it remembers what it waits
//! for ([`Hold`]) and goes on when the time has come.
//!
//! Upstream: `pkg/kubelet/pod_workers.go`, `SyncPod` in `pkg/kubelet/kuberuntime`.

use super::calm::{Calm, Read};
use super::lifecycle::RunningHook;
use super::predicate::{self, Asked};
use super::probes::Flight;
use super::record::{ContainerRecord, Seen};
use super::resize::ResizePending;
use super::termination::{Ending, Unmounting};
use super::volumes::{self, PodVolumes, SetUpError};
use super::{node_status, pod_files};
use crate::runtime::{ContainerId, HostPort, Runtime, SandboxConfig, SandboxId};
use crate::{Disks, Image, ImageRef, NodeConfig, RegistryError};
use k8s_openapi::api::core::v1::{ContainerPort, Node, Pod, PodSpec, PodStatus};
use naru_api::{Key, Object};
use naru_client::{Context, EventType};
use naru_network::{Network, NsId};
use naru_sim::Time;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const SANDBOX_CHANGED: &str = "Pod sandbox changed, it will be killed and re-created.";
/// What a sandbox takes: namespaces, the pause container, the network plugin.
const SANDBOX_TIME: Duration = Duration::from_millis(350);
/// How long until the kubelet notices by itself that containers changed. Upstream: the PLEG's
/// `genericPlegRelistPeriod`.
pub(super) const RELIST_TIME: Duration = Duration::from_secs(1);
/// After a sync that failed the next one comes this much later, and up to half of it more.
/// Upstream: `backOffPeriod`, `workerBackOffPeriodJitterFactor`.
const FAILED_SYNC_TIME: Duration = Duration::from_secs(10);
/// The first delay after a volume could not be set up, doubled with every further one.
/// Upstream: `initialDurationBeforeRetry` and `maxDurationBeforeRetry` of
/// `pkg/util/goroutinemap/exponentialbackoff`.
pub(super) const MOUNT_DELAY: Duration = Duration::from_millis(500);
pub(super) const MOUNT_DELAY_MAX: Duration = Duration::from_secs(122);
/// How often volumes follow their objects, and up to half of it more. Upstream: `syncFrequency`.
const REFRESH_TIME: Duration = Duration::from_secs(60);
/// How long it takes until the node's own files are there once they are wanted.
const FILES_TIME: Duration = Duration::from_millis(1);

/// What is around the kubelet on its node.
pub struct NodeWorld<'a> {
    /// The container runtime.
    pub runtime: &'a mut Runtime,
    /// The network.
    pub network: &'a mut Network,
    /// Disks and file servers beyond the node.
    pub disks: &'a mut Disks,
    /// The node's own namespace.
    pub host: NsId,
    /// The node.
    pub config: &'a NodeConfig,
    /// Until when the node is pulling images: one comes after the other.
    /// Upstream: `serializeImagePulls`.
    pub pulling_until: &'a mut Time,
}

/// What a worker waits for.
#[derive(Clone, Debug)]
pub(super) enum Hold {
    Sandbox,
    Pull {
        record: usize,
        name: ImageRef,
        found: Result<Arc<Image>, RegistryError>,
        asked: Time,
        begun: Time,
    },
    Create {
        record: usize,
        name: ImageRef,
        image: Arc<Image>,
    },
    Start {
        record: usize,
        id: ContainerId,
    },
    PostStart {
        record: usize,
        id: ContainerId,
        flight: Flight,
    },
}

/// Why the whole pod has failed, whatever its containers say.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `DeadlineExceeded`, `Evicted`, ….
    pub reason: &'static str,
    /// More, for people.
    pub message: String,
    /// Whether the node ended the pod for the sake of others.
    pub disrupted: bool,
}

/// One pod on this node.
#[derive(Clone, Debug)]
pub struct PodWorker {
    /// Namespace and name.
    pub key: Key,
    /// The pod's uid.
    pub uid: String,
    /// The pod as it was seen last.
    pub object: Object,
    /// Its containers.
    pub containers: Vec<ContainerRecord>,
    /// Its sandbox.
    pub sandbox: Option<SandboxId>,
    /// Whether the sandbox has no network any more.
    pub sandbox_stopped: bool,
    /// Whether there was another sandbox before, of which nothing was told yet.
    sandbox_changed: bool,
    /// The sandbox before it, which is known as long as its containers may be asked for.
    last_sandbox: Option<SandboxId>,
    /// How many sandboxes there were before.
    attempt: u32,
    /// The sandbox has ended, and its containers do so too.
    pub(super) leaving: bool,
    /// Its address.
    pub ip: Option<Ipv4Addr>,
    /// Whether every init container is done.
    pub initialized: bool,
    /// When the kubelet saw the pod first.
    pub first_seen: Time,
    /// Why the whole pod has failed.
    pub failed: Option<Failure>,
    /// What it asked for when it came.
    pub(super) asked: Asked,
    /// Whether that counts as taken.
    pub(super) counts: bool,
    /// Why its containers do not get what the pod asks for now.
    pub resize_pending: Option<ResizePending>,
    /// The pod with the status that was written last.
    pub written: Option<Arc<Pod>>,
    /// How new the pod is with it.
    pub revision: u64,
    pub(super) volumes: PodVolumes,
    /// When it is looked next whether volumes hold too much.
    pub(super) limits_at: Option<Time>,
    /// Whether a disk has to be attached to the node before it can go on.
    pub(super) waits_for_disk: bool,
    /// When the volumes are compared with their objects next.
    refresh_at: Option<Time>,
    /// How long it waits before it tries again to set up volumes.
    mount_delay: Duration,
    /// Hooks that run before the end of their containers, and when to look at them next.
    pub(super) hooks: Vec<RunningHook>,
    pub(super) hooks_at: Option<Time>,
    pub(super) hold: Option<(Time, Hold)>,
    /// Containers that this sync will start, by their place in `containers`.
    pub(super) to_start: VecDeque<usize>,
    pub(super) sync_failed: bool,
    pub(super) sync_at: Option<Time>,
    wake_by: Option<Time>,
    /// It is to end, whatever it has done.
    pub(super) terminating: bool,
    /// Every container has stopped for good.
    pub(super) terminated: bool,
    /// It has ended, and has volumes still.
    pub(super) unmounting: Option<Unmounting>,
    /// Its containers were removed after it had ended.
    forgotten: bool,
    /// How it was when nothing was left to be done, if that is so.
    pub(super) calm: Option<Calm>,
    /// What its volumes were read from, when all of them could be.
    pub(super) read: Option<Read>,
}

impl PodWorker {
    /// A worker for a pod that nothing was done for.
    pub fn new(key: Key, object: Object, now: Time) -> Option<Self> {
        let spec = object.get::<Pod>()?.spec.as_ref()?;
        let containers = ContainerRecord::all(spec);
        let initialized = !containers.iter().any(|record| record.init);
        let asked = predicate::asked(spec);
        Some(PodWorker {
            key,
            uid: object.uid().to_owned(),
            containers,
            object,
            sandbox: None,
            sandbox_stopped: false,
            sandbox_changed: false,
            last_sandbox: None,
            attempt: 0,
            leaving: false,
            ip: None,
            initialized,
            first_seen: now,
            failed: None,
            asked,
            counts: false,
            resize_pending: None,
            written: None,
            revision: 0,
            volumes: PodVolumes::default(),
            limits_at: None,
            waits_for_disk: false,
            refresh_at: None,
            mount_delay: MOUNT_DELAY,
            hooks: Vec::new(),
            hooks_at: None,
            hold: None,
            to_start: VecDeque::new(),
            sync_failed: false,
            sync_at: Some(now),
            wake_by: None,
            terminating: false,
            terminated: false,
            unmounting: None,
            forgotten: false,
            calm: None,
            read: None,
        })
    }

    /// The status that was written last.
    pub fn written_status(&self) -> Option<&PodStatus> {
        self.written.as_ref()?.status.as_ref()
    }

    /// Whether every container has stopped for good.
    pub fn is_terminated(&self) -> bool {
        self.terminated
    }

    /// Whether all is over: the pod can be deleted from the API.
    pub fn is_over(&self) -> bool {
        self.terminated && self.unmounting.is_none()
    }

    /// Its volumes, if it has ended and drivers could not be told of it yet.
    pub fn unmounting(&self) -> Option<&Unmounting> {
        self.unmounting.as_ref()
    }

    /// Whether the pod is on its way to its end, so that what stopped stays so.
    pub fn is_terminal(&self) -> bool {
        self.terminating || self.terminated
    }

    /// The machine was switched off: every container has to be started again. What volumes hold
    /// is on the disk. Gives a sandbox that nobody needs to know any more.
    pub fn reboot(&mut self) -> Option<SandboxId> {
        self.sandbox_changed |= self.sandbox.is_some();
        let gone = self.part_with_sandbox();
        self.sandbox_stopped = false;
        (self.hold, self.hooks_at, self.written) = (None, None, None);
        self.hooks.clear();
        self.to_start.clear();
        for record in &mut self.containers {
            record.reboot();
        }
        self.sync_at = Some(Time::ZERO);
        gone
    }

    /// Its containers were removed from the node, and there is no more to be said of it.
    pub(super) fn forget_sandboxes(&mut self) {
        (self.sandbox, self.last_sandbox, self.forgotten) = (None, None, true);
    }

    /// Whether its containers were removed after it had ended.
    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    /// The number of a container, as the pod's status tells it, that was removed after its end.
    pub(crate) fn removed_container(&self, name: &str) -> Option<&str> {
        let status = self.written_status().filter(|_| self.forgotten)?;
        let lists = [&status.container_statuses, &status.init_container_statuses];
        let mut all = lists.into_iter().flatten().flatten();
        all.find(|status| status.name == name)?.container_id.as_deref()
    }

    /// Its sandboxes.
    pub fn sandboxes(&self) -> impl Iterator<Item = SandboxId> {
        self.sandbox.into_iter().chain(self.last_sandbox)
    }

    /// The sandbox is the one before from now on. Gives the one that was it until now.
    fn part_with_sandbox(&mut self) -> Option<SandboxId> {
        let old = self.sandbox.take()?;
        (self.leaving, self.ip) = (false, None);
        self.attempt += 1;
        self.initialized = !self.containers.iter().any(|record| record.init);
        self.last_sandbox.replace(old)
    }

    /// Ends the containers of a sandbox that has ended, before all begins anew in another one. Tells
    /// whether there is such a sandbox.
    ///
    /// Upstream: `PodSandboxChanged` in `pkg/kubelet/kuberuntime/util`, `SyncPod` in
    /// `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.
    fn leave_sandbox(
        &mut self,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> bool {
        let Some(old) = self.sandbox else { return false };
        if world.runtime.sandbox(old).is_some_and(|sandbox| sandbox.ready) {
            return false;
        }
        if !std::mem::replace(&mut self.leaving, true) {
            self.hold = None;
            self.to_start.clear();
            if spec.restart_policy.as_deref() != Some("Never") {
                context.event(&self.object, EventType::Normal, "SandboxChanged", SANDBOX_CHANGED);
            }
            self.stop_containers(context, world);
        }
        self.go_on_ending(world, context.now);
        if self.containers.iter().any(|record| record.is_running(world.runtime)) {
            return true;
        }
        world.runtime.stop_sandbox(world.network, old);
        for record in self.containers.iter_mut().filter(|record| record.init && !record.sidecar) {
            record.begin_anew();
        }
        if let Some(older) = self.part_with_sandbox() {
            world.runtime.remove_sandbox(world.network, older);
        }
        self.poke(context.now);
        false
    }

    /// The disks that it uses or is about to, as a node's status names them.
    pub fn disks_in_use(&self) -> Vec<String> {
        self.volumes.disks().collect()
    }

    /// Something changed that a sync should look at.
    pub fn poke(&mut self, now: Time) {
        self.sync_at = Some(self.sync_at.map_or(now, |at| at.min(now)));
    }

    /// The kubelet wants to look at the pod at this moment at the latest, if at all.
    pub fn wake_by(&mut self, at: Option<Time>) {
        self.wake_by = at;
    }

    /// When it wants to go on.
    pub fn next_due(&self) -> Option<Time> {
        if self.terminated {
            return self.unmounting.as_ref().map(|unmounting| unmounting.again);
        }
        let endings = self.next_ending();
        if self.terminating {
            return [endings, self.hooks_at].into_iter().flatten().min();
        }
        let hold = self.hold.as_ref().map(|(until, _)| *until);
        let sync = self.sync_at.filter(|_| hold.is_none());
        let dues =
            [hold, sync, endings, self.wake_by, self.refresh_at, self.hooks_at, self.limits_at];
        dues.into_iter().flatten().min()
    }

    /// When a container that is to end is told so, or killed.
    fn next_ending(&self) -> Option<Time> {
        self.containers.iter().filter_map(|record| record.ending.and_then(Ending::due)).min()
    }

    /// Whether it stands still until something happens or long enough that others should know
    /// how it is meanwhile.
    pub fn is_settled(&self, now: Time) -> bool {
        self.hold.as_ref().is_none_or(|(until, _)| until.since(now) >= RELIST_TIME)
    }

    /// Whether nothing is to be done for the pod before it, its containers or its volumes change.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        self.written.is_some()
            && !self.is_terminal()
            && !self.sync_failed
            && !self.waits_for_disk
            && self.sync_at.is_none()
            && self.hold.is_none()
            && self.hooks.is_empty()
            && self.to_start.is_empty()
            && self.resize_pending.is_none()
    }

    /// Whether it is time to look at its volumes, whose tokens and disks need nothing, and for
    /// nothing else.
    pub(super) fn is_only_to_refresh(&self, now: Time) -> bool {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let others = [self.next_ending(), self.wake_by, self.hooks_at, self.limits_at];
        is_due(self.refresh_at) && !others.into_iter().any(is_due) && self.volumes.are_fresh(now)
    }

    /// Looks at the volumes next time.
    pub(super) fn put_off_refresh(&mut self, context: &mut Context<'_>) {
        self.refresh_at = Some(context.now + jittered(REFRESH_TIME, context));
    }

    /// Goes on as far as it can now.
    pub fn sync(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let object = self.object.clone();
        let Some(pod) = object.get::<Pod>() else { return };
        let Some(spec) = &pod.spec else { return };
        let now = context.now;
        self.observe(world.runtime, now);
        if self.terminated {
            if self.unmounting.is_some() {
                self.unmount(world.runtime, now);
            }
            return;
        }
        self.go_on_pre_stop(context, world);
        if self.terminating {
            self.go_on_terminating(world, now);
            return;
        }
        if self.leave_sandbox(spec, context, world) {
            return;
        }
        self.go_on_ending(world, now);
        self.refresh_volumes(spec, context, world);
        while let Some((until, hold)) = self.hold.take() {
            if until > now {
                self.hold = Some((until, hold));
                return;
            }
            self.finish(hold, spec, context, world);
            self.start_next(spec, context, world);
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            self.sync_at = None;
            self.sync_failed = false;
            for record in &mut self.containers {
                record.shown = record.waiting.clone();
            }
            self.plan(spec, context, world);
            self.start_next(spec, context, world);
        }
        self.end_of_sync(context, now);
    }

    /// Notices runs that began or ended since the last look.
    fn observe(&mut self, runtime: &Runtime, now: Time) {
        let mut changed = false;
        for record in &mut self.containers {
            let seen = record.look(runtime);
            if seen == Seen::Ended && record.seen != Seen::Ended {
                changed = true;
                record.ending = None;
            }
            record.seen = seen;
        }
        if changed {
            self.poke(now);
        }
    }

    /// Nothing more can be done in this sync.
    fn end_of_sync(&mut self, context: &mut Context<'_>, now: Time) {
        if self.hold.is_none() && self.sync_failed && self.sync_at.is_none() {
            self.sync_at = Some(now + jittered(FAILED_SYNC_TIME, context));
        }
    }

    pub(super) fn hold(&mut self, until: Time, hold: Hold) {
        self.hold = Some((until, hold));
    }

    // ---- what to do ----

    /// What this sync has to do. Upstream: `computePodActions`.
    fn plan(&mut self, spec: &PodSpec, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        self.to_start.clear();
        let wanted = self.wanted(spec, world.runtime);
        if wanted.is_empty() {
            if self.is_done(spec, world.runtime) {
                self.begin_termination(context, world);
            }
            return;
        }
        if !self.set_up_volumes(spec, context, world) {
            return;
        }
        self.to_start.extend(wanted);
        if self.sandbox.is_none() {
            if std::mem::take(&mut self.sandbox_changed) {
                context.event(&self.object, EventType::Normal, "SandboxChanged", SANDBOX_CHANGED);
            }
            self.hold(context.now + SANDBOX_TIME, Hold::Sandbox);
        }
    }

    /// Sets up what is missing. Tells whether all is there.
    fn set_up_volumes(
        &mut self,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> bool {
        let now = context.now;
        let object = self.object.clone();
        let Some(pod) = object.get::<Pod>() else { return false };
        let node = context.cache.get::<Node>(&Key::new("", world.config.name.as_str()));
        let pod_ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let (client, config, disks) = (&mut context.client, world.config, &mut *world.disks);
        let mut sources = volumes::Sources { pod, pod_ip, config, node, client, disks, now };
        self.waits_for_disk = false;
        match self.volumes.set_up(spec, &mut sources, world.runtime) {
            Ok(()) => {
                if self.refresh_at.is_none() && self.volumes.follow_objects() {
                    self.refresh_at = Some(now + jittered(REFRESH_TIME, context));
                }
                true
            }
            Err(SetUpError::Failed(why)) => {
                context.event(&self.object, EventType::Warning, "FailedMount", &why);
                self.sync_at = Some(now + self.mount_delay);
                self.mount_delay = (self.mount_delay * 2).min(MOUNT_DELAY_MAX);
                false
            }
            Err(SetUpError::Unprocessed(why)) => {
                context.event(&self.object, EventType::Warning, "FailedMount", &why);
                self.sync_failed = true;
                false
            }
            Err(SetUpError::NoFilesYet) => {
                self.sync_at = Some(now + FILES_TIME);
                false
            }
            Err(SetUpError::NotAttached) => {
                self.waits_for_disk = true;
                false
            }
        }
    }

    fn refresh_volumes(
        &mut self,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        if self.refresh_at.is_none_or(|at| at > now) {
            return;
        }
        self.refresh_at = Some(now + jittered(REFRESH_TIME, context));
        let object = self.object.clone();
        let Some(pod) = object.get::<Pod>() else { return };
        let read = Read::now(&object, self.ip, context.client.api());
        let node = context.cache.get::<Node>(&Key::new("", world.config.name.as_str()));
        let pod_ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let (client, config, disks) = (&mut context.client, world.config, &mut *world.disks);
        let mut sources = volumes::Sources { pod, pod_ip, config, node, client, disks, now };
        let whole = self.volumes.refresh(spec, &mut sources, world.runtime);
        self.read = read.filter(|_| whole);
        let grown = self.volumes.expand(&mut sources);
        for name in grown {
            let text = format!(
                "MountVolume.NodeExpandVolume succeeded for volume \"{name}\" {}",
                world.config.name
            );
            context.event(&self.object, EventType::Normal, "FileSystemResizeSuccessful", &text);
        }
    }

    /// The containers that should be started now.
    fn wanted(&mut self, spec: &PodSpec, runtime: &Runtime) -> Vec<usize> {
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        let mut wanted = Vec::new();
        let all = self.containers.iter().enumerate();
        let ephemeral = all.clone().filter(|(_, record)| record.ephemeral);
        let news = ephemeral.filter(|(_, record)| record.look(runtime) == Seen::Nothing);
        let news: Vec<usize> = news.map(|(index, _)| index).collect();
        if !self.is_done(spec, runtime) && self.sandbox.is_some() {
            wanted.extend(news);
        }
        for (index, record) in all.filter(|(_, record)| !record.ephemeral) {
            let wants = match record.look(runtime) {
                Seen::Nothing => true,
                Seen::Running => false,
                Seen::Ended => {
                    let code = record.ended(runtime).map_or(0, |(_, code)| code);
                    record.restarts_after(policy, code)
                }
            };
            if wants {
                wanted.push(index);
            }
            if !record.init {
                continue;
            }
            let done = match record.look(runtime) {
                Seen::Nothing => false,
                Seen::Running => record.sidecar && record.started,
                Seen::Ended => record.ended(runtime).is_some_and(|(_, code)| code == 0),
            };
            if !done && !self.initialized {
                return wanted;
            }
        }
        self.initialized = true;
        // Init containers run once; sidecars go on.
        wanted.retain(|index| {
            self.containers.get(*index).is_some_and(|record| !record.init || record.sidecar)
        });
        wanted
    }

    /// Whether no container runs and none will.
    fn is_done(&self, spec: &PodSpec, runtime: &Runtime) -> bool {
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        let ended = |record: &ContainerRecord| {
            record.ended(runtime).is_some_and(|(_, code)| !record.restarts_after(policy, code))
        };
        let init_failed = self.containers.iter().any(|record| {
            record.init
                && !record.sidecar
                && ended(record)
                && record.ended(runtime).is_some_and(|(_, code)| code != 0)
        });
        init_failed || self.containers.iter().filter(|record| record.is_main()).all(ended)
    }

    fn start_next(&mut self, spec: &PodSpec, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        while self.hold.is_none() {
            let Some(record) = self.to_start.pop_front() else { return };
            self.begin_start(record, spec, context, world);
        }
    }

    fn finish(
        &mut self,
        hold: Hold,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        match hold {
            Hold::Sandbox => self.make_sandbox(spec, context, world),
            Hold::Pull { record, name, found, asked, begun } => {
                self.pulled(record, name, found, (asked, begun), context, world);
            }
            Hold::Create { record, name, image } => {
                self.create(record, name, image, spec, context, world);
            }
            Hold::Start { record, id } => self.start(record, id, context, world),
            Hold::PostStart { record, id, flight } => {
                self.go_on_post_start(record, id, flight, context, world);
            }
        }
    }

    fn make_sandbox(
        &mut self,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        // Upstream: `SyncPod` in `pkg/kubelet/kubelet.go`.
        if spec.host_network != Some(true) && !world.runtime.network_ready() {
            self.to_start.clear();
            self.sync_failed = true;
            let message = format!("network is not ready: {}", node_status::NO_NETWORK);
            context.event(&self.object, EventType::Warning, "NetworkNotReady", &message);
            return;
        }
        let hostname = pod_files::hostname(spec, &self.key.name, &world.config.name);
        let (namespace, domain) = (&self.key.namespace, &world.config.cluster_domain);
        let hostname = match pod_files::node_hostname(spec, &hostname, namespace, domain) {
            Ok(hostname) => hostname,
            Err(why) => {
                self.to_start.clear();
                self.sync_failed = true;
                let message = format!("Failed to create pod sandbox: {why}");
                context.event(&self.object, EventType::Warning, "FailedCreatePodSandBox", &message);
                return;
            }
        };
        let config = SandboxConfig {
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
            hostname,
            host_network: spec.host_network == Some(true),
            host_ipc: spec.host_ipc == Some(true),
            ports: host_ports(spec),
            attempt: self.attempt,
            made: context.now,
        };
        match world.runtime.run_sandbox(world.network, config) {
            Ok(id) => {
                self.sandbox = Some(id);
                self.ip = world.runtime.sandbox(id).map(|sandbox| sandbox.ip);
                self.sync_at = Some(context.now + RELIST_TIME);
            }
            Err(why) => {
                self.to_start.clear();
                self.sync_failed = true;
                let message = format!("Failed to create pod sandbox: {why}");
                context.event(&self.object, EventType::Warning, "FailedCreatePodSandBox", &message);
            }
        }
    }

    /// The container of this name; "" is the only one.
    pub fn record(&self, name: &str) -> Option<&ContainerRecord> {
        let main = || self.containers.iter().filter(|record| record.is_main());
        if name.is_empty() {
            return main().next();
        }
        self.containers.iter().find(|record| record.name == name)
    }
}

/// The time, and up to half of it more.
/// The ports of the node that are to lead to the pod.
fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let ports = spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
    let port = |port: &ContainerPort| {
        Some(HostPort {
            host: u16::try_from(port.host_port?).ok().filter(|number| *number > 0)?,
            container: u16::try_from(port.container_port).ok()?,
            protocol: port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase(),
        })
    };
    ports.filter_map(port).collect()
}

fn jittered(time: Duration, context: &mut Context<'_>) -> Duration {
    let millis = time.as_millis() as u64;
    time + Duration::from_millis(context.rng.below(millis / 2))
}
