//! The container engine of a machine that is no node: images that are built and pulled there, and
//! containers with published ports.
//!
//! Upstream: `dockerd` of `moby/moby`.

mod build;
pub mod dockerfile;
mod proxy;
mod sessions;

pub use build::{Build, BuildState, Context, Vertex};

use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, LOG_BYTES_MAX, NamespaceStack, PidNamespace,
    PutFile, Runtime, SandboxConfig, SandboxId,
};
use crate::{Image, ImageRef, NodeConfig};
use naru_api::ApiService;
use naru_api::said::Said;
use naru_network::{Call, Network, NsId};
use naru_shell::{Confinement, ProgramTable, Signal, Vfs};
use naru_sim::{CauseId, Rng, Time};
use proxy::Proxy;
use sessions::Session;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Containers, images and builds of one engine.
const CONTAINERS_MAX: usize = 64;
const IMAGES_MAX: usize = 200;
/// The network of containers.
const RANGE: &str = "172.17.0.0/16";
/// What a container that has ended waits before its restart policy starts it again.
const RESTART_DELAY: Duration = Duration::from_millis(100);

/// What a container is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSpec {
    /// The image as it was said.
    pub image: String,
    /// The container's name; "" for one that the engine makes up.
    pub name: String,
    /// What stands in the place of the image's `CMD`; empty for that.
    pub args: Vec<String>,
    /// What stands in the place of the image's `ENTRYPOINT`.
    pub entrypoint: Option<String>,
    /// Environment beside the image's.
    pub env: Vec<(String, String)>,
    /// Working directory; "" for the image's.
    pub workdir: String,
    /// The user's number.
    pub user: Option<u32>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its input can be written.
    pub stdin: bool,
    /// Ports of the host and of the container.
    pub ports: Vec<(u16, u16)>,
    /// Whether a client waits for it from its start on.
    pub foreground: bool,
    /// Whether it is taken away when it ends.
    pub remove: bool,
    /// Whether it is started again when it ends.
    pub restart: bool,
    /// Bytes of memory that it may hold.
    pub memory: Option<u64>,
    /// Thousandths of a processor that it may use.
    pub cpu_milli: Option<u64>,
}

/// One container.
#[derive(Clone, Debug)]
pub struct DockerContainer {
    /// 64 hexadecimal digits.
    pub hex: String,
    /// Its name.
    pub name: String,
    /// What it was made with.
    pub spec: RunSpec,
    /// Its image.
    pub image: Arc<Image>,
    /// When it was made.
    pub created: Time,
    /// Its address, while it runs.
    pub ip: Option<Ipv4Addr>,
    sandbox: Option<SandboxId>,
    run: Option<ContainerId>,
    proxies: Vec<Proxy>,
    /// Whether somebody was attached to it.
    attached: bool,
    /// Somebody has stopped it: it stays so.
    stopped: bool,
    restart_at: Option<Time>,
    /// Its files as its last run left them.
    files: Option<Vfs>,
    /// What its earlier runs wrote.
    old_log: Said,
}

/// How a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Made, never started.
    Created,
    /// It runs since.
    Up(Time),
    /// It has ended with this code.
    Exited(i32, Time),
}

/// The engine.
#[derive(Clone, Debug)]
pub struct Docker {
    runtime: Runtime,
    host: NsId,
    images: BTreeMap<String, (Arc<Image>, Time)>,
    containers: Vec<DockerContainer>,
    sessions: BTreeMap<u64, Session>,
    builds: BTreeMap<u64, Build>,
    cache: BTreeMap<String, Vfs>,
    rng: Rng,
    last_build: u64,
    /// Who has logged in at the registry.
    pub user: Option<String>,
}

impl Docker {
    /// An engine on the machine whose network namespace is `host`.
    pub fn new(
        programs: &'static dyn ProgramTable,
        rng: &Rng,
        host: NsId,
        network: &mut Network,
    ) -> Self {
        let config = NodeConfig {
            pod_cidr: RANGE.to_owned(),
            bridge: "docker0".to_owned(),
            internal_ip: Ipv4Addr::LOCALHOST,
            ..NodeConfig::default()
        };
        let rng = rng.fork("dockerd");
        Docker {
            runtime: Runtime::new(&config, programs, &rng, host, network),
            host,
            images: BTreeMap::new(),
            containers: Vec::new(),
            sessions: BTreeMap::new(),
            builds: BTreeMap::new(),
            cache: BTreeMap::new(),
            rng,
            last_build: 0,
            user: None,
        }
    }

    // ---- images ----

    /// The image of this name or number, and the name under which it is here.
    pub fn image(&self, text: &str) -> Option<(String, Arc<Image>)> {
        let by_name = ImageRef::parse(text).ok().and_then(|name| {
            let name = name.to_string();
            self.images.get(&name).map(|(image, _)| (name, Arc::clone(image)))
        });
        by_name.or_else(|| {
            let number =
                |image: &Image| image.config_digest.trim_start_matches("sha256:").to_owned();
            let mut all = self.images.iter();
            let text = text.trim_start_matches("sha256:");
            let fits = |image: &Image| text.len() >= 4 && number(image).starts_with(text);
            let (name, (image, _)) = all.find(|(_, (image, _))| fits(image))?;
            Some((name.clone(), Arc::clone(image)))
        })
    }

    /// Every image with its name, and when it was built here or pulled.
    pub fn images(&self) -> impl Iterator<Item = (&str, &Arc<Image>, Time)> {
        self.images.iter().map(|(name, (image, at))| (name.as_str(), image, *at))
    }

    /// Gives an image a name.
    pub fn add_image(
        &mut self,
        name: &ImageRef,
        image: Arc<Image>,
        now: Time,
    ) -> Result<(), String> {
        if self.images.len() >= IMAGES_MAX {
            return Err(format!("the sandbox keeps at most {IMAGES_MAX} images"));
        }
        self.images.insert(name.to_string(), (image, now));
        Ok(())
    }

    /// Takes a name of an image away; the image, if that was its last one.
    pub fn remove_image(&mut self, name: &str) -> Option<Arc<Image>> {
        let (image, _) = self.images.remove(name)?;
        let last =
            !self.images.values().any(|(other, _)| other.config_digest == image.config_digest);
        last.then_some(image)
    }

    /// Whether the layer of this digest is here.
    pub fn has_layer(&self, digest: &str) -> bool {
        let mut layers = self.images.values().flat_map(|(image, _)| &image.layers);
        layers.any(|layer| layer.digest == digest)
    }

    // ---- containers ----

    /// Every container, the newest first.
    pub fn containers(&self) -> impl Iterator<Item = &DockerContainer> {
        self.containers.iter().rev()
    }

    /// The container of this name or of a number that begins so.
    pub fn container(&self, text: &str) -> Option<&DockerContainer> {
        self.place(text).and_then(|place| self.containers.get(place))
    }

    fn place(&self, text: &str) -> Option<usize> {
        let named = self.containers.iter().position(|container| container.name == text);
        let numbered = || self.containers.iter().position(|it| it.hex.starts_with(text));
        named.or_else(|| numbered().filter(|_| !text.is_empty()))
    }

    /// How a container is.
    pub fn standing(&self, container: &DockerContainer) -> Standing {
        let run = container.run.and_then(|run| self.runtime.container(run));
        match run.map(|run| &run.state) {
            None | Some(ContainerState::Created) => Standing::Created,
            Some(ContainerState::Running { started }) => Standing::Up(*started),
            Some(ContainerState::Exited { code, finished, .. }) => {
                Standing::Exited(*code, *finished)
            }
        }
    }

    /// Makes a container; the error is the daemon's.
    pub fn create(
        &mut self,
        spec: RunSpec,
        image: Arc<Image>,
        now: Time,
    ) -> Result<String, String> {
        if self.containers.len() >= CONTAINERS_MAX {
            return Err(format!("the sandbox runs at most {CONTAINERS_MAX} containers"));
        }
        let name = match spec.name.as_str() {
            "" => self.made_up_name(),
            name => name.to_owned(),
        };
        if let Some(other) = self.containers.iter().find(|other| other.name == name) {
            return Err(format!(
                "Conflict. The container name \"/{name}\" is already in use by container \
                 \"{}\". You have to remove (or rename) that container to be able to reuse that \
                 name.",
                other.hex
            ));
        }
        let hex = self.runtime.hex();
        self.containers.push(DockerContainer {
            hex: hex.clone(),
            name,
            spec,
            image,
            created: now,
            ip: None,
            sandbox: None,
            run: None,
            proxies: Vec::new(),
            attached: false,
            stopped: false,
            restart_at: None,
            files: None,
            old_log: Said::default(),
        });
        Ok(hex)
    }

    fn made_up_name(&mut self) -> String {
        const LEFT: [&str; 12] = [
            "brave", "clever", "eager", "friendly", "gallant", "happy", "keen", "nifty", "quirky",
            "serene", "trusting", "zen",
        ];
        const RIGHT: [&str; 12] = [
            "bell", "curie", "darwin", "euler", "franklin", "goodall", "hopper", "lovelace",
            "noether", "pasteur", "turing", "wing",
        ];
        let mut pick = |list: &[&'static str]| {
            let at = self.rng.below(list.len() as u64) as usize;
            list.get(at).copied().unwrap_or_default()
        };
        let name = format!("{}_{}", pick(&LEFT), pick(&RIGHT));
        match self.containers.iter().any(|other| other.name == name) {
            true => format!("{name}{}", self.containers.len()),
            false => name,
        }
    }

    /// Starts a container; the error is the daemon's.
    pub fn start(&mut self, hex: &str, network: &mut Network, now: Time) -> Result<(), String> {
        let Some(place) = self.place(hex) else { return Ok(()) };
        if let Some(container) = self.containers.get(place)
            && matches!(self.standing(container), Standing::Up(_))
        {
            return Ok(());
        }
        self.clear_run(place, network);
        let Some(container) = self.containers.get_mut(place) else { return Ok(()) };
        let config = config_of(container);
        let short: String = container.hex.chars().take(12).collect();
        let sandbox = SandboxConfig {
            namespace: "docker".to_owned(),
            name: container.name.clone(),
            hostname: short.clone(),
            host_network: false,
            host_ipc: false,
            ports: Vec::new(),
            attempt: 0,
            made: now,
        };
        let sandbox = self.runtime.run_sandbox(network, sandbox)?;
        let ip = self.runtime.sandbox(sandbox).map(|sandbox| sandbox.ip);
        container.sandbox = Some(sandbox);
        container.ip = ip;
        container.stopped = false;
        container.restart_at = None;
        let ip = ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let hosts = format!(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{ip}\t{short}\n"
        );
        let config = ContainerConfig {
            files: vec![
                PutFile::plain("/etc/hosts", hosts),
                PutFile::plain("/etc/hostname", format!("{short}\n")),
            ],
            ..config
        };
        let run = self.runtime.create_container(sandbox, config)?;
        container.run = Some(run);
        self.publish(place, ip, network, now)?;
        self.runtime.start_container(run, now, CauseId::ROOT).map_err(|why| {
            // Docker has no shim of containerd's between: its words are shorter.
            let at = why.find("runc create failed").unwrap_or(0);
            let why = why.get(at..).unwrap_or_default().trim_end_matches(": unknown").to_owned();
            format!(
                "failed to create task for container: failed to create shim task: OCI runtime \
                 create failed: {why}: unknown"
            )
        })
    }

    fn publish(
        &mut self,
        place: usize,
        ip: Ipv4Addr,
        network: &mut Network,
        now: Time,
    ) -> Result<(), String> {
        let taken = |port: u16, all: &[DockerContainer]| {
            let others = all.iter().enumerate().filter(|(index, _)| *index != place);
            others.into_iter().any(|(_, other)| {
                !other.proxies.is_empty() && other.spec.ports.iter().any(|(host, _)| *host == port)
            })
        };
        let Some(container) = self.containers.get(place) else { return Ok(()) };
        let (hex, name) = (container.hex.clone(), container.name.clone());
        for (port, inner) in container.spec.ports.clone() {
            let trouble = |why: String| {
                format!(
                    "failed to set up container networking: driver failed programming external \
                     connectivity on endpoint {name} ({hex}): {why}"
                )
            };
            if taken(port, &self.containers) {
                return Err(trouble(format!(
                    "Bind for 0.0.0.0:{port} failed: port is already allocated"
                )));
            }
            let call = Call { now, cause: CauseId::ROOT };
            let mut net = NamespaceStack::new(network, self.host, call);
            let to = SocketAddr::new(IpAddr::V4(ip), inner);
            let proxy = Proxy::listen(&mut net, port, to).map_err(|_| {
                trouble(format!(
                    "failed to bind host port for 0.0.0.0:{port}:{ip}:{inner}/tcp: address already \
                     in use"
                ))
            })?;
            if let Some(container) = self.containers.get_mut(place) {
                container.proxies.push(proxy);
            }
        }
        Ok(())
    }

    /// Sends a container a signal.
    pub fn signal(&mut self, hex: &str, signal: Signal, now: Time) {
        let Some(place) = self.place(hex) else { return };
        if let Some(container) = self.containers.get_mut(place) {
            container.stopped = true;
            if let Some(run) = container.run {
                self.runtime.signal(run, now, signal);
            }
        }
    }

    /// Takes a container away.
    pub fn remove(&mut self, hex: &str, network: &mut Network) {
        let Some(place) = self.place(hex) else { return };
        self.clear_run(place, network);
        self.containers.remove(place);
    }

    /// Gives up what a container's run had; its files and its log are kept.
    fn clear_run(&mut self, place: usize, network: &mut Network) {
        let Some(container) = self.containers.get_mut(place) else { return };
        let call = Call { now: Time::ZERO, cause: CauseId::ROOT };
        for proxy in std::mem::take(&mut container.proxies) {
            proxy.close(&mut NamespaceStack::new(network, self.host, call));
        }
        if let Some(run) = container.run.take().and_then(|run| self.runtime.container(run)) {
            let lines = run.log.from(0).map(|line| (line.output, line.text.clone()));
            container.old_log.extend(lines);
            while let Some(too_many) = container.old_log.len().checked_sub(LOG_BYTES_MAX + 1) {
                container.old_log.take(too_many + 1);
            }
            container.files = Some(Vfs::from(run.fs().clone().into_tree()));
        }
        if let Some(sandbox) = container.sandbox.take() {
            self.runtime.remove_sandbox(network, sandbox);
        }
        container.ip = None;
    }

    /// What a container has written, from a line's number on; and the number of the line to come.
    pub fn log(&self, container: &DockerContainer, from: u64) -> (Said, u64) {
        let mut said = if from == 0 { container.old_log.clone() } else { Said::default() };
        let Some(run) = container.run.and_then(|run| self.runtime.container(run)) else {
            return (said, from);
        };
        for line in run.log.from(from) {
            said.push(line.output, &line.text);
        }
        (said, run.log.end())
    }

    /// How many lines a container has written.
    pub fn log_lines(&self, container: &DockerContainer) -> u64 {
        let run = container.run.and_then(|run| self.runtime.container(run));
        run.map_or(0, |run| run.log.end())
    }

    // ---- time ----

    /// When it wants to run.
    pub fn next_due(&self) -> Option<Time> {
        let restarts = self.containers.iter().filter_map(|container| container.restart_at).min();
        [self.runtime.next_due(), restarts].into_iter().flatten().min()
    }

    /// Something came to a network namespace; tells whether it is one of its containers'.
    pub fn wake_network(&mut self, namespace: NsId) -> bool {
        namespace != self.host && self.runtime.wake_network(namespace)
    }

    /// Lets containers run, and carries what goes through published ports.
    pub fn run(&mut self, now: Time, api: &mut dyn ApiService, network: &mut Network) {
        self.runtime.run(now, api, network);
        for ended in self.runtime.take_ended() {
            self.note_end(ended, network, now);
        }
        let due = |container: &DockerContainer| container.restart_at.is_some_and(|at| at <= now);
        let again: Vec<String> =
            self.containers.iter().filter(|it| due(it)).map(|it| it.hex.clone()).collect();
        for hex in again {
            // What cannot be started shows that it has ended.
            let _ = self.start(&hex, network, now);
        }
        self.remove_ended(network);
        for container in &mut self.containers {
            let call = Call { now, cause: CauseId::ROOT };
            for proxy in &mut container.proxies {
                proxy.pump(&mut NamespaceStack::new(network, self.host, call));
            }
        }
    }

    /// Takes away what is to go when it ends, once nobody reads what it wrote.
    fn remove_ended(&mut self, network: &mut Network) {
        let over = |it: &&DockerContainer| {
            let read = self.sessions.values().any(|session| Some(session.container()) == it.run);
            let awaited = it.spec.foreground && !it.attached;
            it.spec.remove && !read && !awaited && matches!(self.standing(it), Standing::Exited(..))
        };
        let gone: Vec<String> =
            self.containers.iter().filter(over).map(|it| it.hex.clone()).collect();
        for hex in gone {
            self.remove(&hex, network);
        }
    }

    fn note_end(&mut self, ended: ContainerId, network: &mut Network, now: Time) {
        let place = self.containers.iter().position(|container| container.run == Some(ended));
        let Some(container) = place.and_then(|place| self.containers.get_mut(place)) else {
            return;
        };
        let call = Call { now, cause: CauseId::ROOT };
        for proxy in std::mem::take(&mut container.proxies) {
            proxy.close(&mut NamespaceStack::new(network, self.host, call));
        }
        if let Some(sandbox) = container.sandbox {
            self.runtime.stop_sandbox(network, sandbox);
            container.ip = None;
        }
        if container.spec.restart && !container.stopped {
            container.restart_at = Some(now + RESTART_DELAY);
        }
    }
}

impl DockerContainer {
    /// Program and arguments.
    pub fn argv(&self) -> Vec<String> {
        let (spec, image) = (&self.spec, &self.image);
        let mut argv = match &spec.entrypoint {
            Some(entrypoint) => vec![entrypoint.clone()],
            None => image.entrypoint.clone(),
        };
        match (&spec.entrypoint, spec.args.is_empty()) {
            (None, true) => argv.extend(image.cmd.iter().cloned()),
            _ => argv.extend(spec.args.iter().cloned()),
        }
        argv
    }

    /// Environment, the image's first.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut env = self.image.env.clone();
        env.extend(self.spec.env.iter().cloned());
        env
    }
}

/// What a container of the engine is made from.
fn config_of(container: &DockerContainer) -> ContainerConfig {
    let (spec, image) = (&container.spec, &container.image);
    let (argv, env) = (container.argv(), container.environment());
    let image = match &container.files {
        Some(files) => Arc::new(Image::clone(image).with_files(files.clone())),
        None => Arc::clone(image),
    };
    ContainerConfig {
        name: container.name.clone(),
        image,
        image_name: spec.image.clone(),
        argv,
        env,
        cwd: spec.workdir.clone(),
        uid: spec.user,
        gid: None,
        groups: Vec::new(),
        cpu_limit_milli: spec.cpu_milli,
        cpu_request_milli: None,
        oom_score_adj: 0,
        memory_limit: spec.memory,
        read_only_root: false,
        pids: PidNamespace::Container,
        confinement: Confinement::of_containers(),
        sysctls: BTreeMap::new(),
        devices: false,
        tty: spec.tty,
        // Who waits for it from its start on sees all of it, as who can write to it does.
        stdin: spec.stdin || spec.foreground,
        files: Vec::new(),
        mounts: Vec::new(),
        termination_path: "/dev/termination-log".to_owned(),
        last_words_from_log: false,
    }
}
