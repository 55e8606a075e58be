//! The container runtime: sandboxes, containers, their kernels, and when these run.
//!
//! Upstream: containerd with runc, behind the kubelet's CRI.

mod cni;
mod container;
mod log;
mod net_stack;
mod portmap;
mod sandbox;
mod volumes;
mod world;

pub use cni::Cni;
pub use container::{
    Container, ContainerConfig, ContainerId, ContainerState, ExecIo, PutFile, TapId,
};
pub use log::{ContainerLog, LOG_BYTES_MAX, LogLine, Output};
pub use net_stack::NamespaceStack;
pub use portmap::HostPort;
pub use sandbox::{Sandbox, SandboxConfig, SandboxId};
pub use volumes::{Mount, VolumeId, Volumes};

use crate::image_store::ImageStore;
use crate::{NodeConfig, limits};
use naru_api::ApiService;
use naru_network::{Network, NsId};
use naru_shell::{ProgramTable, Signal};
use naru_sim::{CauseId, Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;
use world::ContainerWorld;

/// A machine that wants to go on at once goes on after this time: what a turn of the processor
/// takes, so that an endless loop lets time pass.
const TURN: Duration = Duration::from_millis(1);

/// The containers of one node.
#[derive(Clone)]
pub struct Runtime {
    /// The images that are here.
    pub images: ImageStore,
    /// The volumes that are here.
    pub volumes: Volumes,
    programs: &'static dyn ProgramTable,
    cni: Cni,
    host: NsId,
    host_ip: Ipv4Addr,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    containers: BTreeMap<ContainerId, Box<Container>>,
    /// The containers of each network that a sandbox has.
    by_network: BTreeMap<NsId, BTreeSet<ContainerId>>,
    due: BTreeSet<(Time, ContainerId)>,
    ended: Vec<ContainerId>,
    /// Containers that see the API server.
    api_clients: BTreeSet<ContainerId>,
    /// Processor time of containers that were taken away.
    cpu_of_removed: Duration,
    /// Memory that all containers hold, as of their last turns.
    memory_used: u64,
    /// Counts starts and ends.
    changes: u64,
    last_id: u64,
    rng: Rng,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("sandboxes", &self.sandboxes)
            .field("containers", &self.containers)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// The runtime of a node whose own namespace is `host`.
    pub fn new(
        config: &NodeConfig,
        programs: &'static dyn ProgramTable,
        rng: &Rng,
        host: NsId,
        network: &mut Network,
    ) -> Self {
        Runtime {
            images: ImageStore::preloaded(),
            volumes: Volumes::with_files(&config.files),
            programs,
            cni: Cni::new(config, host, network),
            host,
            host_ip: config.internal_ip,
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            by_network: BTreeMap::new(),
            due: BTreeSet::new(),
            ended: Vec::new(),
            api_clients: BTreeSet::new(),
            cpu_of_removed: Duration::ZERO,
            memory_used: 0,
            changes: 0,
            last_id: 0,
            rng: rng.fork("containerd"),
        }
    }

    // ---- the pods' network ----

    /// Whether a network plugin is configured: `NetworkReady` of the runtime's status.
    pub fn network_ready(&self) -> bool {
        self.cni.is_ready()
    }

    /// Gives the network plugin its range, if it has none.
    pub fn configure_network(&mut self, range: &str, network: &mut Network) {
        self.cni.configure(range, network);
    }

    /// Gives pods addresses of this range from now on, each with a route of its own and without a
    /// bridge.
    pub fn route_pods(&mut self, range: &str) {
        self.cni.route(range);
    }

    // ---- sandboxes ----

    /// Makes a pod's namespaces. The error is the text of a `FailedCreatePodSandBox` event.
    pub fn run_sandbox(
        &mut self,
        network: &mut Network,
        config: SandboxConfig,
    ) -> Result<SandboxId, String> {
        let id = SandboxId(self.next_id());
        let (network_id, ip) = if config.host_network {
            (self.host, self.host_ip)
        } else {
            let namespace = network.add_namespace(&format!("{}/{}", config.namespace, config.name));
            let veth = format!("{}{:08x}", self.cni.device(), self.rng.next_u64() as u32);
            match self.cni.add(network, namespace, &veth) {
                Ok(ip) => (namespace, ip),
                Err(why) => {
                    network.remove_namespace(namespace);
                    let hex = self.hex();
                    return Err(format!(
                        "rpc error: code = Unknown desc = failed to setup network for sandbox \
                         \"{hex}\": plugin type=\"bridge\" failed (add): {why}"
                    ));
                }
            }
        };
        self.by_network.entry(network_id).or_default();
        if !config.host_network {
            let laid = portmap::add(network, self.host, id.0, ip, &config.ports);
            laid.map_err(|why| format!("plugin type=\"portmap\" failed (add): {why}"))?;
        }
        self.sandboxes.insert(id, Sandbox { config, network: network_id, ip });
        Ok(id)
    }

    /// A sandbox.
    pub fn sandbox(&self, id: SandboxId) -> Option<&Sandbox> {
        self.sandboxes.get(&id)
    }

    /// All sandboxes.
    pub fn sandboxes(&self) -> impl Iterator<Item = (SandboxId, &Sandbox)> {
        self.sandboxes.iter().map(|(id, sandbox)| (*id, sandbox))
    }

    /// Takes a sandbox's network away; what its containers wrote can still be read.
    pub fn stop_sandbox(&mut self, network: &mut Network, id: SandboxId) {
        let Some(sandbox) = self.sandboxes.get(&id) else { return };
        if !sandbox.config.host_network && network.namespace_name(sandbox.network).is_some() {
            network.remove_namespace(sandbox.network);
            self.by_network.remove(&sandbox.network);
            portmap::remove(network, self.host, id.0, &sandbox.config.ports);
            self.cni.del(sandbox.ip);
        }
    }

    /// Takes a sandbox away with all its containers, whatever they do.
    pub fn remove_sandbox(&mut self, network: &mut Network, id: SandboxId) {
        self.stop_sandbox(network, id);
        self.sandboxes.remove(&id);
        let containers: Vec<ContainerId> = self
            .containers
            .iter()
            .filter(|(_, container)| container.sandbox == id)
            .map(|(id, _)| *id)
            .collect();
        for container in containers {
            self.remove_container(container);
        }
    }

    // ---- containers ----

    /// Makes a container that is not started.
    pub fn create_container(
        &mut self,
        sandbox: SandboxId,
        config: ContainerConfig,
    ) -> Result<ContainerId, String> {
        let found = self.sandboxes.get(&sandbox);
        let Some(found) = found else { return Err("sandbox not found".to_owned()) };
        let (hostname, network) = (found.config.hostname.clone(), found.network);
        let id = ContainerId(self.next_id());
        let hex = self.hex();
        let container = Container::new(hex, (sandbox, network), &hostname, config, self.programs);
        self.containers.insert(id, Box::new(container));
        self.by_network.entry(network).or_default().insert(id);
        Ok(id)
    }

    /// Starts a container. The error is the text that a pod's status and events show.
    pub fn start_container(
        &mut self,
        id: ContainerId,
        now: Time,
        cause: CauseId,
    ) -> Result<(), String> {
        self.show_neighbours(id);
        let container = self.containers.get_mut(&id).ok_or("container not found")?;
        // A volume may lie over the program itself.
        container.borrow_volumes(&mut self.volumes);
        container.start(now, cause)?;
        self.changes += 1;
        self.schedule(id, now);
        Ok(())
    }

    /// Sends a container's process a signal; [`Signal::Kill`] ends it before it does anything more.
    pub fn signal(&mut self, id: ContainerId, now: Time, signal: Signal) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.signal(now, signal);
            self.schedule(id, now);
        }
    }

    /// Takes a container away, whatever it does.
    pub fn remove_container(&mut self, id: ContainerId) {
        if let Some(container) = self.containers.remove(&id) {
            self.cpu_of_removed += container.cpu_used();
            self.memory_used = self.memory_used.saturating_sub(container.memory_seen);
            self.changes += 1;
            self.api_clients.remove(&id);
            if let Some(at) = container.wake_at {
                self.due.remove(&(at, id));
            }
            if let Some(containers) = self.by_network.get_mut(&container.network) {
                containers.remove(&id);
            }
        }
    }

    /// A container.
    pub fn container(&self, id: ContainerId) -> Option<&Container> {
        self.containers.get(&id).map(Box::as_ref)
    }

    /// A container, to write to it or to start processes in it; [`Runtime::schedule`] it then.
    pub fn container_mut(&mut self, id: ContainerId) -> Option<&mut Container> {
        self.containers.get_mut(&id).map(Box::as_mut)
    }

    /// All containers.
    pub fn containers(&self) -> impl Iterator<Item = (ContainerId, &Container)> {
        self.containers.iter().map(|(id, container)| (*id, &**container))
    }

    /// Processor time that all containers have used since the node was started.
    pub fn cpu_used(&self) -> Duration {
        self.containers.values().fold(self.cpu_of_removed, |sum, c| sum + c.cpu_used())
    }

    /// Memory that all containers hold, as of their last turns.
    pub fn memory_used(&self) -> u64 {
        self.memory_used
    }

    // ---- time ----

    /// A container's processes look again at `at`.
    pub fn schedule(&mut self, id: ContainerId, at: Time) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        container.kernel.wake();
        set_wake(&mut self.due, id, container, Some(at));
    }

    /// Something came to the sockets of a namespace: its containers look again as soon as they
    /// are run. Tells whether the namespace is one of this node's pods.
    pub fn wake_network(&mut self, network: NsId) -> bool {
        let Some(containers) = self.by_network.get(&network) else { return false };
        for id in containers.clone() {
            self.schedule(id, Time::ZERO);
        }
        true
    }

    /// A number that grows when containers start and end.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a container runs whose first process is this program.
    pub fn runs(&self, program: &str) -> bool {
        self.containers_of(program).any(Container::is_running)
    }

    /// Whether the latest container of this program has ended as it was asked to.
    pub fn has_obeyed(&self, program: &str) -> bool {
        let latest = self.containers_of(program).last().map(|container| &container.state);
        matches!(latest, Some(ContainerState::Exited { code: 0, .. }))
    }

    fn containers_of(&self, program: &str) -> impl Iterator<Item = &Container> {
        self.containers.values().map(Box::as_ref).filter(move |container| {
            let path = container.config.argv.first().map(String::as_str).unwrap_or_default();
            path.rsplit('/').next() == Some(program)
        })
    }

    /// Everything stops at once, and nothing of it is left.
    pub fn power_off(&mut self, network: &mut Network) {
        let ids: Vec<SandboxId> = self.sandboxes.keys().copied().collect();
        for id in ids {
            self.remove_sandbox(network, id);
        }
        self.ended.clear();
    }

    /// Every container that can see the API server looks again: its watches may have delivered.
    pub fn wake_api_clients(&mut self, now: Time) {
        for id in self.api_clients.clone() {
            if self.container(id).is_some_and(Container::is_running) {
                self.schedule(id, now);
            }
        }
    }

    /// When a container wants to run next.
    pub fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Runs every container that is due. A run may make others due: those run in the same call
    /// unless it would be without end.
    pub fn run(&mut self, now: Time, api: &mut dyn ApiService, network: &mut Network) {
        for _ in 0..limits::RUNS_PER_ADVANCE_MAX {
            let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) else {
                return;
            };
            self.due.remove(&(at, id));
            self.run_one(id, now, api, network);
        }
    }

    /// The containers that have ended since the last call.
    pub fn take_ended(&mut self) -> Vec<ContainerId> {
        std::mem::take(&mut self.ended)
    }

    fn run_one(
        &mut self,
        id: ContainerId,
        now: Time,
        api: &mut dyn ApiService,
        network: &mut Network,
    ) {
        self.show_neighbours(id);
        let Some(container) = self.containers.get_mut(&id) else { return };
        container.wake_at = None;
        let Some(sandbox) = self.sandboxes.get(&container.sandbox) else { return };
        let cause = container.cause;
        let mut world =
            ContainerWorld::new(now, cause, &mut self.rng, network, sandbox.network, api);
        container.borrow_volumes(&mut self.volumes);
        let next = container.kernel.run(&mut world);
        if world.asked_api() {
            self.api_clients.insert(id);
        }
        container.return_volumes(&mut self.volumes);
        container.kill_if_too_big();
        if container.after_run(now) {
            self.ended.push(id);
            self.changes += 1;
        }
        let memory = container.memory_bytes();
        let before = std::mem::replace(&mut container.memory_seen, memory);
        self.memory_used = (self.memory_used + memory).saturating_sub(before);
        let again = container.wake_at.take().map(|at| at.max(now + TURN));
        let next = next.map(|at| at.max(now + TURN));
        let next = [again, next].into_iter().flatten().min().filter(|_| container.is_running());
        set_wake(&mut self.due, id, container, next);
        self.pass_signals(id, now);
    }

    /// Shows a container the processes of the one whose process namespace it shares.
    fn show_neighbours(&mut self, id: ContainerId) {
        let beside = self.containers.get(&id).and_then(|container| container.config.beside);
        let Some(other) = beside.and_then(|beside| self.containers.get(&beside)) else { return };
        let seen = other.processes_seen();
        if let Some(container) = self.containers.get_mut(&id) {
            container.see(seen);
        }
    }

    /// Hands on what a container has sent to the processes of another.
    fn pass_signals(&mut self, id: ContainerId, now: Time) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let (signals, beside) = (container.signals_out(), container.config.beside);
        let Some(other) = beside.filter(|_| !signals.is_empty()) else { return };
        if let Some(container) = self.containers.get_mut(&other) {
            for (pid, signal) in signals {
                container.signal_process(now, pid, signal);
            }
            self.schedule(other, now);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Randomness of this node's runtime.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// 64 random hexadecimal digits.
    pub fn hex(&mut self) -> String {
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn set_wake(
    due: &mut BTreeSet<(Time, ContainerId)>,
    id: ContainerId,
    container: &mut Container,
    at: Option<Time>,
) {
    if let Some(old) = container.wake_at.take() {
        due.remove(&(old, id));
    }
    if let Some(at) = at {
        due.insert((at, id));
        container.wake_at = Some(at);
    }
}
