//! One worker for each pod: brings it step by step to what its spec asks for.
//!
//! A real worker blocks while an image comes or a process starts; here it remembers what it waits
//! for ([`Hold`]) and goes on when the time has come.
//!
//! Upstream: `pkg/kubelet/pod_workers.go`, `SyncPod` in `pkg/kubelet/kuberuntime`.

use super::env::{self, Sources};
use super::pod_files;
use super::probes::{Finding, ProbeKind};
use super::record::{ContainerRecord, Seen, Waiting};
use super::volumes::{self, PodVolumes, SetUpError};
use crate::image_store::pull_error;
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, Runtime, SandboxConfig, SandboxId,
};
use crate::{Image, ImageRef, NodeConfig, RegistryError, go_duration};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};
use naru_api::{Key, Object};
use naru_client::{Context, EventType, object_reference};
use naru_network::Network;
use naru_shell::Signal;
use naru_sim::Time;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// What a sandbox takes: namespaces, the pause container, the network plugin.
const SANDBOX_TIME: Duration = Duration::from_millis(350);
/// What making a container takes.
const CREATE_TIME: Duration = Duration::from_millis(60);
/// What starting one takes.
const START_TIME: Duration = Duration::from_millis(50);
/// How long until the kubelet notices by itself that containers changed. Upstream: the PLEG's
/// `genericPlegRelistPeriod`.
const RELIST_TIME: Duration = Duration::from_secs(1);
/// After a sync that failed the next one comes this much later, and up to half of it more.
/// Upstream: `backOffPeriod`, `workerBackOffPeriodJitterFactor`.
const FAILED_SYNC_TIME: Duration = Duration::from_secs(10);
/// The first delay after a volume could not be set up, doubled with every further one.
/// Upstream: `initialDurationBeforeRetry` and `maxDurationBeforeRetry` of
/// `pkg/util/goroutinemap/exponentialbackoff`.
const MOUNT_DELAY: Duration = Duration::from_millis(500);
const MOUNT_DELAY_MAX: Duration = Duration::from_secs(122);
/// How often volumes follow their objects, and up to half of it more. Upstream: `syncFrequency`.
const REFRESH_TIME: Duration = Duration::from_secs(60);
/// A pod's grace period when nobody says. Upstream: `DefaultTerminationGracePeriodSeconds`.
const GRACE_SECONDS: i64 = 30;

/// What is around the kubelet on its node.
pub struct NodeWorld<'a> {
    /// The container runtime.
    pub runtime: &'a mut Runtime,
    /// The network.
    pub network: &'a mut Network,
    /// The node.
    pub config: &'a NodeConfig,
    /// Until when the node is pulling images: one comes after the other.
    /// Upstream: `serializeImagePulls`.
    pub pulling_until: &'a mut Time,
}

/// What a worker waits for.
#[derive(Clone, Debug)]
enum Hold {
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
}

/// The end of a pod.
#[derive(Clone, Copy, Debug)]
struct Termination {
    kill_at: Time,
    killed: bool,
}

/// Why the whole pod has failed, whatever its containers say.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `DeadlineExceeded`, `Evicted`, ….
    pub reason: &'static str,
    /// More, for people.
    pub message: String,
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
    /// Its address.
    pub ip: Option<Ipv4Addr>,
    /// Whether every init container is done.
    pub initialized: bool,
    /// When the kubelet saw the pod first.
    pub first_seen: Time,
    /// Why the whole pod has failed.
    pub failed: Option<Failure>,
    /// The status that was written last.
    pub written: Option<PodStatus>,
    volumes: PodVolumes,
    /// When the volumes are compared with their objects next.
    refresh_at: Option<Time>,
    /// How long it waits before it tries again to set up volumes.
    mount_delay: Duration,
    hold: Option<(Time, Hold)>,
    /// Containers that this sync will start, by their place in `containers`.
    to_start: VecDeque<usize>,
    sync_failed: bool,
    sync_at: Option<Time>,
    wake_by: Option<Time>,
    termination: Option<Termination>,
    /// Every container has stopped for good.
    terminated: bool,
}

impl PodWorker {
    /// A worker for a pod that nothing was done for.
    pub fn new(key: Key, object: Object, now: Time) -> Option<Self> {
        let spec = object.get::<Pod>()?.spec.as_ref()?;
        let containers = ContainerRecord::all(spec);
        let initialized = !containers.iter().any(|record| record.init);
        Some(PodWorker {
            key,
            uid: object.uid().to_owned(),
            containers,
            object,
            sandbox: None,
            sandbox_stopped: false,
            ip: None,
            initialized,
            first_seen: now,
            failed: None,
            written: None,
            volumes: PodVolumes::default(),
            refresh_at: None,
            mount_delay: MOUNT_DELAY,
            hold: None,
            to_start: VecDeque::new(),
            sync_failed: false,
            sync_at: Some(now),
            wake_by: None,
            termination: None,
            terminated: false,
        })
    }

    /// Whether all is over: the pod can be deleted from the API.
    pub fn is_terminated(&self) -> bool {
        self.terminated
    }

    /// Whether the pod is on its way to its end, so that what stopped stays so.
    pub fn is_terminal(&self) -> bool {
        self.termination.is_some() || self.terminated
    }

    /// Something changed that a sync should look at.
    pub fn poke(&mut self, now: Time) {
        self.sync_at = Some(self.sync_at.map_or(now, |at| at.min(now)));
    }

    /// The kubelet wants to look at the pod at this moment at the latest.
    pub fn wake_by(&mut self, at: Time) {
        self.wake_by = Some(at);
    }

    /// When it wants to go on.
    pub fn next_due(&self) -> Option<Time> {
        let hold = self.hold.as_ref().map(|(until, _)| *until);
        let sync = self.sync_at.filter(|_| hold.is_none());
        let killing = self.termination.filter(|end| !end.killed && !self.terminated);
        let killing = killing.map(|end| end.kill_at);
        let kills = self.containers.iter().filter_map(|record| record.kill_at).min();
        let wake_by = self.wake_by.filter(|_| self.termination.is_none());
        let refresh = self.refresh_at.filter(|_| self.termination.is_none());
        [hold, sync, killing, kills, wake_by, refresh].into_iter().flatten().min()
    }

    /// Whether it stands still until something happens or long enough that others should know
    /// how it is meanwhile.
    pub fn is_settled(&self, now: Time) -> bool {
        self.hold.as_ref().is_none_or(|(until, _)| until.since(now) >= RELIST_TIME)
    }

    /// Goes on as far as it can now.
    pub fn sync(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let object = self.object.clone();
        let Some(pod) = object.get::<Pod>() else { return };
        let Some(spec) = &pod.spec else { return };
        let now = context.now;
        self.observe(world.runtime, now);
        if self.terminated {
            return;
        }
        if self.termination.is_some() {
            self.go_on_terminating(world, now);
            return;
        }
        self.kill_overdue(world, now);
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
                record.kill_at = None;
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

    fn hold(&mut self, until: Time, hold: Hold) {
        self.hold = Some((until, hold));
    }

    // ---- what to do ----

    /// What this sync has to do. Upstream: `computePodActions`.
    fn plan(&mut self, spec: &PodSpec, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        self.to_start.clear();
        let wanted = self.wanted(spec, world.runtime);
        if wanted.is_empty() {
            if self.is_done(spec, world.runtime) {
                self.begin_termination(context, world, "", None);
            }
            return;
        }
        if !self.set_up_volumes(spec, context, world) {
            return;
        }
        self.to_start.extend(wanted);
        if self.sandbox.is_none() {
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
        let pod_ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let client = &mut context.client;
        let mut sources = volumes::Sources { pod, pod_ip, config: world.config, client, now };
        match self.volumes.set_up(spec, &mut sources, world.runtime) {
            Ok(()) => {
                if self.refresh_at.is_none() && self.volumes.follow_objects() {
                    self.refresh_at = Some(now + jittered(REFRESH_TIME, context));
                }
                true
            }
            Err(SetUpError(why)) => {
                context.event(&self.object, EventType::Warning, "FailedMount", &why);
                self.sync_at = Some(now + self.mount_delay);
                self.mount_delay = (self.mount_delay * 2).min(MOUNT_DELAY_MAX);
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
        let pod_ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let client = &mut context.client;
        let mut sources = volumes::Sources { pod, pod_ip, config: world.config, client, now };
        self.volumes.refresh(spec, &mut sources, world.runtime);
    }

    /// The containers that should be started now.
    fn wanted(&mut self, spec: &PodSpec, runtime: &Runtime) -> Vec<usize> {
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        let mut wanted = Vec::new();
        for (index, record) in self.containers.iter().enumerate() {
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
        init_failed || self.containers.iter().filter(|record| !record.init).all(ended)
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
        }
    }

    // ---- sandbox ----

    fn make_sandbox(
        &mut self,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let config = SandboxConfig {
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
            hostname: pod_files::hostname(spec, &self.key.name, &world.config.name),
            host_network: spec.host_network == Some(true),
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

    // ---- one container ----

    /// Begins with a container: after a back-off its image, and so on.
    fn begin_start(
        &mut self,
        index: usize,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let Some(record) = self.containers.get_mut(index) else { return };
        let Some(container) = record.spec(spec) else { return };
        let now = context.now;
        if let Some((finished, _)) = record.ended(world.runtime) {
            if record.crash.waits_since(finished, now) {
                let delay = go_duration::millis(record.crash.delay());
                let pod = full_name(&self.key, &self.uid);
                record.waiting = Some(Waiting {
                    reason: "CrashLoopBackOff",
                    message: format!(
                        "back-off {delay} restarting failed container={} pod={pod}",
                        record.name
                    ),
                });
                let message =
                    format!("Back-off restarting failed container {} in pod {pod}", record.name);
                self.sync_failed = true;
                self.event(index, context, EventType::Warning, "BackOff", &message);
                return;
            }
            record.crash.next(finished);
        }
        let image = container.image.clone().unwrap_or_default();
        self.begin_image(index, &image, container, context, world);
    }

    /// Makes sure that the image is here. Upstream: `EnsureImageExists`.
    fn begin_image(
        &mut self,
        index: usize,
        image: &str,
        container: &Container,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        let name = match ImageRef::parse(image) {
            Ok(name) => name,
            Err(why) => {
                let why = format!("couldn't parse image name \"{image}\": {why}");
                let message = format!("Failed to apply default image tag \"{image}\": {why}");
                self.event(index, context, EventType::Warning, "InspectFailed", &message);
                self.fail_start(index, "InvalidImageName", message, context);
                return;
            }
        };
        let present = world.runtime.images.get(&name);
        let pull = match container.image_pull_policy.as_deref() {
            Some("Never") => false,
            Some("Always") => true,
            _ => present.is_none(),
        };
        if let (false, Some(found)) = (pull, present) {
            let message = format!("Container image \"{image}\" already present on machine");
            self.event(index, context, EventType::Normal, "Pulled", &message);
            self.hold(now + CREATE_TIME, Hold::Create { record: index, name, image: found });
            return;
        }
        if !pull {
            let message =
                format!("Container image \"{image}\" is not present with pull policy of Never");
            self.event(index, context, EventType::Warning, "ErrImageNeverPull", &message);
            self.fail_start(index, "ErrImageNeverPull", message, context);
            return;
        }
        let Some(record) = self.containers.get(index) else { return };
        if record.pull.waits_since_update(now) {
            let mut message = format!("Back-off pulling image \"{image}\"");
            let before = record.pull_error.clone();
            self.event(index, context, EventType::Normal, "BackOff", &message);
            if let Some(before) = before {
                message = format!("{message}: {before}");
            }
            self.fail_start(index, "ImagePullBackOff", message, context);
            return;
        }
        let message = format!("Pulling image \"{image}\"");
        self.event(index, context, EventType::Normal, "Pulling", &message);
        self.begin_pull(index, name, context, world);
    }

    fn begin_pull(
        &mut self,
        index: usize,
        name: ImageRef,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let asked = context.now;
        let begun = asked.max(*world.pulling_until);
        let found = Image::find(&name);
        let images = &mut world.runtime.images;
        let time = match &found {
            Ok(image) => images.begin_pull(image, world.config.image_bytes_per_second, context.rng),
            Err(_) => images.resolve_time(context.rng),
        };
        let until = begun + time;
        *world.pulling_until = until;
        self.hold(until, Hold::Pull { record: index, name, found, asked, begun });
    }

    fn pulled(
        &mut self,
        index: usize,
        name: ImageRef,
        found: Result<Arc<Image>, RegistryError>,
        (asked, begun): (Time, Time),
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        let image_text = self.image_text(index);
        match found {
            Ok(image) => {
                world.runtime.images.add(&name, Arc::clone(&image));
                let message = format!(
                    "Successfully pulled image \"{image_text}\" in {} ({} including waiting). \
                     Image size: {} bytes.",
                    go_duration::millis(now.since(begun)),
                    go_duration::millis(now.since(asked)),
                    image.bytes()
                );
                self.event(index, context, EventType::Normal, "Pulled", &message);
                self.hold(now + CREATE_TIME, Hold::Create { record: index, name, image });
            }
            Err(error) => {
                let why = pull_error(&name, &error);
                let message = format!("Failed to pull image \"{image_text}\": {why}");
                self.event(index, context, EventType::Warning, "Failed", &message);
                if let Some(record) = self.containers.get_mut(index) {
                    record.pull.next(now);
                    record.pull_error = Some(format!("ErrImagePull: {why}"));
                }
                self.fail_start(index, "ErrImagePull", why, context);
            }
        }
    }

    fn create(
        &mut self,
        index: usize,
        name: ImageRef,
        image: Arc<Image>,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let Some(sandbox) = self.sandbox else { return };
        let Some(container) = self.containers.get(index).and_then(|record| record.spec(spec))
        else {
            return;
        };
        let config = match self.container_config(container, name, image, spec, context, world) {
            Ok(config) => config,
            Err(why) => {
                let message = format!("Error: {why}");
                self.event(index, context, EventType::Warning, "Failed", &message);
                self.wait_for(index, "CreateContainerConfigError", why);
                return;
            }
        };
        match world.runtime.create_container(sandbox, config) {
            Ok(id) => {
                self.new_run(index, id, world.runtime);
                let message = format!("Created container: {}", container.name);
                self.event(index, context, EventType::Normal, "Created", &message);
                self.hold(context.now + START_TIME, Hold::Start { record: index, id });
            }
            Err(why) => {
                let message = format!("Error: {why}");
                self.event(index, context, EventType::Warning, "Failed", &message);
                self.wait_for(index, "CreateContainerError", why);
            }
        }
    }

    /// A new run takes the place of the last one, which is kept; the one before that goes.
    fn new_run(&mut self, index: usize, id: ContainerId, runtime: &mut Runtime) {
        let Some(record) = self.containers.get_mut(index) else { return };
        if let Some(last) = record.id.replace(id) {
            record.restarts = record.restarts.saturating_add(1);
            if let Some(oldest) = record.previous.replace(last) {
                runtime.remove_container(oldest);
            }
        }
        record.seen = Seen::Nothing;
        record.kill_at = None;
        let spec = self.object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        if let Some(container) = spec.and_then(|spec| record.spec(spec)) {
            record.ready = container.readiness_probe.is_none();
            record.started = container.startup_probe.is_none();
        }
    }

    fn start(
        &mut self,
        index: usize,
        id: ContainerId,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        let name = self.containers.get(index).map(|record| record.name.clone()).unwrap_or_default();
        match world.runtime.start_container(id, now, context.client.cause()) {
            Ok(()) => {
                if let Some(record) = self.containers.get_mut(index) {
                    (record.waiting, record.shown) = (None, None);
                    record.seen = Seen::Running;
                }
                let message = format!("Started container {name}");
                self.event(index, context, EventType::Normal, "Started", &message);
            }
            Err(why) => {
                let message = format!("Error: {why}");
                self.event(index, context, EventType::Warning, "Failed", &message);
                if let Some(record) = self.containers.get_mut(index) {
                    (record.waiting, record.shown) = (None, None);
                    record.seen = Seen::Ended;
                }
                self.sync_failed = true;
                self.sync_at = Some(now + RELIST_TIME);
            }
        }
    }

    fn container_config(
        &self,
        container: &Container,
        name: ImageRef,
        image: Arc<Image>,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<ContainerConfig, String> {
        let pod = self.object.get::<Pod>().ok_or("not a pod")?;
        let pod_ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let host_ip = world.config.internal_ip.to_string();
        let mut sources = Sources {
            pod,
            pod_ip: &pod_ip,
            host_ip: &host_ip,
            cache: context.cache,
            client: &mut context.client,
        };
        let own = env::environment(container, &mut sources)?;
        let argv = env::command_line(container, &image.entrypoint, &image.cmd, &own);
        if argv.is_empty() {
            return Err("no command specified".to_owned());
        }
        let mut env = image.env.clone();
        env.extend(own);
        let (namespace, domain) = (&self.key.namespace, &world.config.cluster_domain);
        let hostname = pod_files::hostname(spec, &self.key.name, &world.config.name);
        let hosts = pod_files::hosts(spec, &hostname, namespace, &pod_ip, domain);
        let resolv_conf = pod_files::resolv_conf(spec, namespace, world.config);
        let termination = termination_path(container);
        let (mounts, of_volumes) =
            self.volumes.mounts(container, &env, &mut world.runtime.volumes)?;
        let mut files = vec![
            ("/etc/hosts".to_owned(), hosts.into_bytes()),
            ("/etc/hostname".to_owned(), format!("{hostname}\n").into_bytes()),
            ("/etc/resolv.conf".to_owned(), resolv_conf.into_bytes()),
            (termination.to_owned(), Vec::new()),
        ];
        files.extend(of_volumes);
        let user = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
        let own_user = container.security_context.as_ref().and_then(|c| c.run_as_user);
        let pod_user = spec.security_context.as_ref().and_then(|c| c.run_as_user);
        Ok(ContainerConfig {
            name: container.name.clone(),
            image,
            image_name: name.to_string(),
            argv,
            env,
            cwd: container.working_dir.clone().unwrap_or_default(),
            uid: user(own_user.or(pod_user)),
            tty: container.tty == Some(true),
            stdin: container.stdin == Some(true),
            files,
            mounts,
        })
    }

    fn image_text(&self, index: usize) -> String {
        let spec = self.object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        let record = self.containers.get(index);
        let container = record.zip(spec).and_then(|(record, spec)| record.spec(spec));
        container.and_then(|container| container.image.clone()).unwrap_or_default()
    }

    /// The container does not run, for this reason; says so in an event too.
    fn fail_start(
        &mut self,
        index: usize,
        reason: &'static str,
        message: String,
        context: &mut Context<'_>,
    ) {
        self.event(index, context, EventType::Warning, "Failed", &format!("Error: {reason}"));
        self.wait_for(index, reason, message);
    }

    fn wait_for(&mut self, index: usize, reason: &'static str, message: String) {
        self.sync_failed = true;
        if let Some(record) = self.containers.get_mut(index) {
            record.waiting = Some(Waiting { reason, message });
        }
    }

    /// Writes an event about a container.
    pub fn event(
        &self,
        index: usize,
        context: &mut Context<'_>,
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        let path = self.containers.get(index).map(ContainerRecord::field_path);
        let about = object_reference(&self.object, path);
        let Context { client, rng, recorder, .. } = context;
        recorder.record_about(client, rng, about, kind, reason, message);
    }

    // ---- the end ----

    /// Takes in what a probe found. Upstream: `proberesults` in `syncLoopIteration`.
    pub fn take_finding(
        &mut self,
        finding: &Finding,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let found = self.containers.iter().position(|record| record.id == Some(finding.run));
        let Some(index) = found else { return };
        if let Some(trouble) = &finding.trouble {
            self.event(index, context, EventType::Warning, "Unhealthy", trouble);
        }
        let Some(record) = self.containers.get_mut(index) else { return };
        let name = record.name.clone();
        match (finding.kind, finding.holds) {
            (ProbeKind::Readiness, Some(holds)) => record.ready = holds,
            (ProbeKind::Startup, Some(true)) => {
                record.started = true;
                self.poke(context.now);
            }
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) if !self.is_terminal() => {
                let probe = finding.kind.name().to_lowercase();
                let message = format!("Container {name} failed {probe} probe, will be restarted");
                self.restart_container(index, &message, context, world);
            }
            _ => {}
        }
    }

    /// Ends one container that is to be started again: a probe has failed.
    fn restart_container(
        &mut self,
        index: usize,
        message: &str,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        self.event(index, context, EventType::Normal, "Killing", message);
        let grace = self.grace();
        let Some(record) = self.containers.get_mut(index) else { return };
        let Some(id) = record.id else { return };
        record.kill_at = Some(now + grace);
        stop(world.runtime, id, now);
    }

    fn kill_overdue(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        for record in &mut self.containers {
            if record.kill_at.is_some_and(|at| at <= now) {
                record.kill_at = None;
                if let Some(id) = record.id {
                    world.runtime.signal(id, now, Signal::Kill);
                }
            }
        }
    }

    fn grace(&self) -> Duration {
        let pod = self.object.get::<Pod>();
        let deletion = pod.and_then(|pod| pod.metadata.deletion_grace_period_seconds);
        let spec = pod.and_then(|pod| pod.spec.as_ref()?.termination_grace_period_seconds);
        let seconds = deletion.or(spec).unwrap_or(GRACE_SECONDS);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Ends the pod: every container gets its signal now and, if it must, its end after the grace
    /// period. `message` stands before the container's name in the event `Killing`.
    pub fn begin_termination(
        &mut self,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
        message: &str,
        grace: Option<Duration>,
    ) {
        if self.terminated || self.termination.is_some() {
            return;
        }
        let now = context.now;
        self.hold = None;
        self.to_start.clear();
        self.sync_at = None;
        let grace = grace.unwrap_or_else(|| self.grace());
        self.termination = Some(Termination { kill_at: now + grace, killed: false });
        for index in 0..self.containers.len() {
            let Some(record) = self.containers.get(index) else { continue };
            if !record.is_running(world.runtime) {
                continue;
            }
            let (id, text) = (record.id, format!("{message}{}", record.name));
            self.event(index, context, EventType::Normal, "Killing", &text);
            if let Some(id) = id {
                stop(world.runtime, id, now);
            }
        }
        self.go_on_terminating(world, now);
    }

    /// A pod that is being deleted may be given less time by a second deletion.
    pub fn shorten_grace(&mut self, now: Time) {
        let grace = self.grace();
        if let Some(end) = &mut self.termination {
            end.kill_at = end.kill_at.min(now + grace);
        }
    }

    fn go_on_terminating(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        let Some(end) = &mut self.termination else { return };
        let running: Vec<ContainerId> = self
            .containers
            .iter()
            .filter(|record| record.is_running(world.runtime))
            .filter_map(|record| record.id)
            .collect();
        if !running.is_empty() {
            if end.kill_at <= now && !end.killed {
                end.killed = true;
                for id in running {
                    world.runtime.signal(id, now, Signal::Kill);
                }
            }
            return;
        }
        self.terminated = true;
        for record in &mut self.containers {
            if matches!(record.state(world.runtime), Some(ContainerState::Exited { .. })) {
                (record.waiting, record.shown) = (None, None);
            }
        }
        if let Some(sandbox) = self.sandbox {
            world.runtime.stop_sandbox(world.network, sandbox);
            self.sandbox_stopped = true;
        }
    }

    /// Gives back everything on the node, whatever runs.
    pub fn remove(&mut self, world: &mut NodeWorld<'_>) {
        if let Some(sandbox) = self.sandbox.take() {
            world.runtime.remove_sandbox(world.network, sandbox);
        }
        self.volumes.tear_down(world.runtime);
        self.terminated = true;
    }

    /// The container of this name; "" is the only one.
    pub fn record(&self, name: &str) -> Option<&ContainerRecord> {
        let main = || self.containers.iter().filter(|record| !record.init);
        if name.is_empty() {
            return main().next();
        }
        self.containers.iter().find(|record| record.name == name)
    }
}

/// The time, and up to half of it more.
fn jittered(time: Duration, context: &mut Context<'_>) -> Duration {
    let millis = time.as_millis() as u64;
    time + Duration::from_millis(context.rng.below(millis / 2))
}

/// Sends the signal by which the image says that its process ends.
fn stop(runtime: &mut Runtime, id: ContainerId, now: Time) {
    let signal = match runtime.container(id).map(|c| c.config.image.stop_signal.as_str()) {
        Some("SIGINT") => Signal::Int,
        Some("SIGHUP") => Signal::Hup,
        Some("SIGKILL") => Signal::Kill,
        _ => Signal::Term,
    };
    runtime.signal(id, now, signal);
}

/// Where a container's last words are read.
pub fn termination_path(container: &Container) -> &str {
    let path = container.termination_message_path.as_deref();
    path.filter(|path| !path.is_empty()).unwrap_or("/dev/termination-log")
}

/// A pod as upstream's messages name it: `web_default(2f1c…)`.
pub fn full_name(key: &Key, uid: &str) -> String {
    format!("{}_{}({uid})", key.name, key.namespace)
}
