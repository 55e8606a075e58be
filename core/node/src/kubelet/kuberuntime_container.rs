//! One container of a pod: its image, its configuration, its start.
//!
//! Upstream: `pkg/kubelet/kuberuntime/kuberuntime_container.go`,
//! `pkg/kubelet/images/image_manager.go`.

use super::env::{self, Sources};
use super::pod_files;
use super::pod_workers::{Hold, NodeWorld, PodWorker, RELIST_TIME};
use super::qos;
use super::record::{ContainerRecord, Seen, Waiting};
use super::security_context;
use crate::image_store::pull_error;
use crate::runtime::{ContainerConfig, ContainerId, PidNamespace, PutFile, Runtime};
use crate::{Image, ImageRef, RegistryError};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use naru_api::quantity::Amount;
use naru_api::{Key, Object, duration};
use naru_client::{Context, EventType, object_reference};
use naru_shell::Confinement;
use naru_sim::Time;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// What making a container takes.
const CREATE_TIME: Duration = Duration::from_millis(60);
/// What starting one takes.
const START_TIME: Duration = Duration::from_millis(50);

impl PodWorker {
    /// Begins with a container: after a back-off its image, and so on.
    pub(super) fn begin_start(
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
                let delay = duration::go(record.crash.delay());
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
        self.begin_image(index, &image, &container, context, world);
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
        let known = self.credentials(&name, context);
        let found = world.disks.registry.find(&name, known);
        let images = &mut world.runtime.images;
        let time = match &found {
            Ok(image) => images.begin_pull(image, world.config.image_bytes_per_second, context.rng),
            Err(_) => images.resolve_time(context.rng),
        };
        let until = begun + time;
        *world.pulling_until = until;
        self.hold(until, Hold::Pull { record: index, name, found, asked, begun });
    }

    pub(super) fn pulled(
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
                    duration::go(now.since(begun)),
                    duration::go(now.since(asked)),
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

    pub(super) fn create(
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
        let target = self.target_of(index, spec);
        let config = match self.container_config(&container, name, image, spec, context, world) {
            Ok(config) => {
                let target = target.filter(|_| config.pids == PidNamespace::Container);
                let pids = target.map_or(config.pids, PidNamespace::Target);
                ContainerConfig { pids, ..config }
            }
            Err(why) => {
                let message = format!("Error: {why}");
                self.event(index, context, EventType::Warning, "Failed", &message);
                self.wait_for(index, "CreateContainerConfigError", why);
                return;
            }
        };
        let made = security_context::seccomp_filter(&container, spec, &world.runtime.volumes)
            .and_then(|filter| {
                let confinement = Confinement { filter, ..config.confinement };
                let config = ContainerConfig { confinement, ..config };
                world.runtime.create_container(sandbox, config)
            });
        match made {
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
        record.ending = None;
        let spec = self.object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        if let Some(container) = spec.and_then(|spec| record.spec(spec)) {
            record.allocated = container.resources.clone();
            record.ready = container.readiness_probe.is_none();
            record.started = container.startup_probe.is_none();
        }
    }

    pub(super) fn start(
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
                    if record.sidecar {
                        // What waited for it goes on when the relist has seen it run.
                        self.poke(now + RELIST_TIME);
                    }
                }
                let message = format!("Started container {name}");
                self.event(index, context, EventType::Normal, "Started", &message);
                self.begin_post_start(index, id, world, now);
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
        &mut self,
        container: &Container,
        name: ImageRef,
        image: Arc<Image>,
        spec: &PodSpec,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) -> Result<ContainerConfig, String> {
        let uid = self.uid.as_str();
        security_context::verify_run_as_non_root(container, spec, &image, &self.key, uid)?;
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
            PutFile::plain("/etc/hosts", hosts),
            PutFile::plain("/etc/hostname", format!("{hostname}\n")),
            PutFile::plain("/etc/resolv.conf", resolv_conf),
            PutFile::plain(termination, ""),
        ];
        files.extend(of_volumes);
        let identity = security_context::identity(container, spec);
        Ok(ContainerConfig {
            name: container.name.clone(),
            image,
            image_name: name.to_string(),
            argv,
            env,
            cwd: container.working_dir.clone().unwrap_or_default(),
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups,
            read_only_root: identity.read_only_root,
            cpu_limit_milli: cpu_limit_milli(container),
            cpu_request_milli: Some(cpu_request_milli(container)),
            oom_score_adj: qos::oom_score_adj(container, spec, world.config.memory_bytes),
            memory_limit: memory_limit(container),
            pids: security_context::pid_namespace(spec),
            confinement: security_context::confinement(container, spec),
            sysctls: security_context::sysctls(spec),
            devices: security_context::is_privileged(container),
            tty: container.tty == Some(true),
            stdin: container.stdin == Some(true),
            files,
            mounts,
            termination_path: termination.to_owned(),
            last_words_from_log: container.termination_message_policy.as_deref()
                == Some("FallbackToLogsOnError"),
        })
    }

    fn image_text(&self, index: usize) -> String {
        let container = container_of(&self.object, self.containers.get(index));
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
}

/// What a pod says of one of its containers.
pub(super) fn container_of<'a>(
    object: &'a Object,
    record: Option<&ContainerRecord>,
) -> Option<Cow<'a, Container>> {
    record?.spec(object.get::<Pod>()?.spec.as_ref()?)
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

/// Bytes of memory that a container may hold.
pub(super) fn memory_limit(container: &Container) -> Option<u64> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    let bytes = Amount::of(limits.get("memory")?).value();
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

/// Thousandths of a processor that a container asks for: its limit, where it says only that.
pub(super) fn cpu_request_milli(container: &Container) -> u64 {
    let resources = container.resources.as_ref();
    let requests = resources.and_then(|resources| resources.requests.as_ref()?.get("cpu"));
    let milli = requests.map(|cpu| Amount::of(cpu).milli_value());
    let milli = milli.and_then(|milli| u64::try_from(milli).ok());
    milli.or_else(|| cpu_limit_milli(container)).unwrap_or(0)
}

/// Thousandths of a processor that a container may use.
pub(super) fn cpu_limit_milli(container: &Container) -> Option<u64> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    let milli = Amount::of(limits.get("cpu")?).milli_value();
    u64::try_from(milli).ok().filter(|milli| *milli > 0)
}
