//! The container runtime: sandboxes, containers, their kernels, and when these run.
//!
//! Upstream: containerd with runc, behind the kubelet's CRI.

mod cni;
mod container;
mod log;
mod net_stack;
mod pids;
mod portmap;
mod rootfs;
mod sandbox;
mod volumes;
mod world;

pub use cni::Cni;
pub use container::{
    Container, ContainerConfig, ContainerId, ContainerState, ExecIo, PutFile, TapId,
};
pub use log::{ContainerLog, LOG_BYTES_MAX, LogLine, Output, RotatedLog};
pub use net_stack::NamespaceStack;
pub use pids::PidNamespace;
pub use portmap::HostPort;
pub use sandbox::{Sandbox, SandboxConfig, SandboxId};
pub use volumes::{Mount, Stored, VolumeId, Volumes};

use crate::image_store::ImageStore;
use crate::{KubeletConfiguration, NodeConfig, limits};
use naru_api::{ApiService, gofmt};
use naru_network::{Network, NsId};
use naru_shell::{Disk, Facts, PROCESSES_MAX, Pid, ProgramTable, Signal};
use naru_sim::{CauseId, Rng, Time};
use rootfs::Roots;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use world::ContainerWorld;

/// A machine that wants to go on at once goes on after this time: what a turn of the processor
/// takes, so that an endless loop lets time pass.
const TURN: Duration = Duration::from_millis(1);

/// What containers have done up to a moment.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    /// See [`naru_shell::Kernel::effects`].
    pub effects: u64,
    /// See [`naru_shell::Kernel::answered`].
    pub answered: u64,
    /// The processor time of each process, in microseconds.
    pub spent: Vec<(ContainerId, Pid, u64)>,
}

impl Footprint {
    /// What each process has used since an earlier moment; `None` if there are others now.
    pub fn spent_since(&self, before: &Footprint) -> Option<Vec<(ContainerId, Pid, u64)>> {
        let same = |now: &(ContainerId, Pid, u64), then: &(ContainerId, Pid, u64)| {
            (now.0, now.1) == (then.0, then.1)
        };
        let alike = self.spent.len() == before.spent.len();
        if !alike || !self.spent.iter().zip(&before.spent).all(|(now, then)| same(now, then)) {
            return None;
        }
        let both = self.spent.iter().zip(&before.spent);
        let each = both.map(|(now, then)| (now.0, now.1, now.2.saturating_sub(then.2)));
        Some(each.filter(|(.., micros)| *micros > 0).collect())
    }
}

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
    /// What its kernel tells of the machine.
    facts: Arc<Facts>,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    containers: BTreeMap<ContainerId, Box<Container>>,
    /// The containers of each network that a sandbox has.
    by_network: BTreeMap<NsId, BTreeSet<ContainerId>>,
    /// The containers of each program, by the name of its file.
    by_program: BTreeMap<String, BTreeSet<ContainerId>>,
    /// The files with which the latest containers began.
    roots: Roots,
    due: BTreeSet<(Time, ContainerId)>,
    ended: Vec<ContainerId>,
    /// Containers that see the API server.
    api_clients: BTreeSet<ContainerId>,
    /// Processor time of containers that were taken away.
    cpu_of_removed: Duration,
    /// Memory that all containers hold, as of their last turns.
    memory_used: u64,
    /// Memory that a process beside the containers has taken.
    memory_filled: u64,
    /// The node's disk, in bytes.
    disk_bytes: u64,
    /// What all containers take of it beside their images and volumes, as of their last turns.
    containers_stored: Stored,
    /// How many processes a pod may have.
    pod_pids_limit: Option<u64>,
    /// Containers whose logs are to be rotated.
    full_logs: BTreeSet<ContainerId>,
    /// How large the file of a log may become, in bytes.
    log_bytes_max: u64,
    /// What of the logs is among the node's own files, too.
    logs_laid: Stored,
    /// Counts, for each network, what could have changed what its containers do.
    activity: BTreeMap<NsId, u64>,
    /// All of them together.
    activities: u64,
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
            images: ImageStore::preloaded(&config.images),
            volumes: Volumes::default(),
            programs,
            cni: Cni::new(config, host, network),
            host,
            host_ip: config.internal_ip,
            facts: Arc::new(Facts {
                release: config.software.kernel.clone(),
                cpus: config.cpus,
                memory_bytes: config.memory_bytes,
            }),
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            by_network: BTreeMap::new(),
            by_program: BTreeMap::new(),
            roots: Roots::default(),
            due: BTreeSet::new(),
            ended: Vec::new(),
            api_clients: BTreeSet::new(),
            cpu_of_removed: Duration::ZERO,
            memory_used: 0,
            memory_filled: 0,
            disk_bytes: config.disk_bytes,
            containers_stored: Stored::default(),
            pod_pids_limit: config.kubelet.pod_pids_limit,
            full_logs: BTreeSet::new(),
            log_bytes_max: config.kubelet.container_log_max_size,
            logs_laid: Stored::default(),
            activity: BTreeMap::new(),
            activities: 0,
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
        self.sandboxes.insert(id, Sandbox { config, network: network_id, ip, ready: true });
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

    /// How many sandboxes are held by a process of theirs.
    pub fn sandboxes_ready(&self) -> u64 {
        self.sandboxes.values().filter(|sandbox| sandbox.ready).count() as u64
    }

    /// The process that holds a sandbox ends, and with it what shares its processes.
    pub fn end_sandbox(&mut self, id: SandboxId, now: Time) {
        self.end_sandbox_with(id, now, |container| container.config.pids == PidNamespace::Pod);
    }

    /// Ends a sandbox with its containers, as somebody who asks the runtime for it has it.
    pub fn stop_pod(&mut self, network: &mut Network, id: SandboxId, now: Time) {
        self.end_sandbox_with(id, now, |_| true);
        self.stop_sandbox(network, id);
    }

    /// Ends a sandbox with some of its containers. The kubelet is to look at the others, and at these
    /// once they have ended.
    fn end_sandbox_with(&mut self, id: SandboxId, now: Time, ends: fn(&Container) -> bool) {
        let Some(sandbox) = self.sandboxes.get_mut(&id) else { return };
        sandbox.ready = false;
        let network = sandbox.network;
        self.note_activity(network);
        for container in self.in_sandbox(id) {
            let found = self.containers.get(&container);
            if found.is_some_and(|found| found.is_running() && ends(found)) {
                self.signal(container, now, Signal::Kill);
            } else {
                self.ended.push(container);
            }
        }
    }

    fn in_sandbox(&self, sandbox: SandboxId) -> Vec<ContainerId> {
        let own = self.containers.iter().filter(|(_, container)| container.sandbox == sandbox);
        own.map(|(id, _)| *id).collect()
    }

    /// Takes a sandbox's network away; what its containers wrote can still be read.
    pub fn stop_sandbox(&mut self, network: &mut Network, id: SandboxId) {
        let Some(sandbox) = self.sandboxes.get_mut(&id) else { return };
        sandbox.ready = false;
        if !sandbox.config.host_network && network.namespace_name(sandbox.network).is_some() {
            network.remove_namespace(sandbox.network);
            self.by_network.remove(&sandbox.network);
            self.activity.remove(&sandbox.network);
            self.activities += 1;
            portmap::remove(network, self.host, id.0, &sandbox.config.ports);
            self.cni.del(sandbox.ip);
        }
    }

    /// Takes a sandbox away with all its containers, whatever they do.
    pub fn remove_sandbox(&mut self, network: &mut Network, id: SandboxId) {
        self.stop_sandbox(network, id);
        self.sandboxes.remove(&id);
        for container in self.in_sandbox(id) {
            self.remove_container(container);
        }
    }

    // ---- containers ----

    /// Makes a container that is not started.
    pub fn create_container(
        &mut self,
        sandbox: SandboxId,
        mut config: ContainerConfig,
    ) -> Result<ContainerId, String> {
        let found = self.sandboxes.get(&sandbox);
        let Some(found) = found else { return Err("sandbox not found".to_owned()) };
        let (hostname, network) = (found.config.hostname.clone(), found.network);
        let shared = found.config.clone();
        let id = ContainerId(self.next_id());
        let hex = self.hex();
        let namespaces = sandbox::namespaces(sandbox, id, &shared, config.pids);
        let fs = self.roots.of(&mut config);
        let mut container =
            Container::new(hex, (sandbox, network), &hostname, (config, fs), self.programs);
        container.find_binds(&self.volumes);
        container.kernel.show_proc(Arc::clone(&self.facts), namespaces);
        let program = program_of(&container.config);
        if let Some(containers) = self.by_program.get_mut(program) {
            containers.insert(id);
        } else {
            self.by_program.insert(program.to_owned(), [id].into());
        }
        self.containers.insert(id, Box::new(container));
        self.by_network.entry(network).or_default().insert(id);
        self.note_activity(network);
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
        let network = container.network;
        self.changes += 1;
        self.note_activity(network);
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
            self.containers_stored = self.containers_stored.less(container.disk_seen);
            self.full_logs.remove(&id);
            self.changes += 1;
            self.api_clients.remove(&id);
            if let Some(at) = container.wake_at {
                self.due.remove(&(at, id));
            }
            if let Some(containers) = self.by_network.get_mut(&container.network) {
                containers.remove(&id);
            }
            let program = program_of(&container.config);
            if let Some(containers) = self.by_program.get_mut(program) {
                containers.remove(&id);
                if containers.is_empty() {
                    self.by_program.remove(program);
                }
            }
            self.note_activity(container.network);
        }
    }

    /// A container.
    pub fn container(&self, id: ContainerId) -> Option<&Container> {
        self.containers.get(&id).map(Box::as_ref)
    }

    /// A container, to write to it or to start processes in it; [`Runtime::schedule`] it then.
    pub fn container_mut(&mut self, id: ContainerId) -> Option<&mut Container> {
        let network = self.containers.get(&id)?.network;
        self.note_activity(network);
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

    /// Memory that a process beside the containers has taken.
    pub fn memory_filled(&self) -> u64 {
        self.memory_filled
    }

    /// What is on the node's disk: its own files and those of volumes, images, and what containers have
    /// written.
    pub fn stored(&self) -> Stored {
        let images = Stored { bytes: self.images.bytes(), files: self.images.len() as u64 };
        self.volumes.stored().less(self.logs_laid).and(images).and(self.containers_stored)
    }

    /// So much of the logs is among the node's own files, too.
    pub fn set_logs_laid(&mut self, laid: Stored) {
        self.logs_laid = laid;
    }

    /// The node's disk as its machines see it.
    pub fn disk(&self) -> Disk {
        let (size, used) = (self.disk_bytes, self.stored().bytes);
        Disk { size, free: size.saturating_sub(used) }
    }

    /// What the kubelet's configuration says of containers.
    pub fn configure(&mut self, config: &KubeletConfiguration) {
        self.pod_pids_limit = config.pod_pids_limit;
        self.log_bytes_max = config.container_log_max_size;
        let full = |container: &Container| container.log.file_bytes() >= self.log_bytes_max;
        let all = self.containers.iter().filter(|(_, container)| full(container));
        self.full_logs = all.map(|(id, _)| *id).collect();
    }

    /// The containers whose logs are to be rotated, once.
    pub fn take_full_logs(&mut self) -> BTreeSet<ContainerId> {
        std::mem::take(&mut self.full_logs)
    }

    /// Begins a new file of a container's log. At most `files` are left.
    pub fn rotate_log(&mut self, id: ContainerId, now: Time, files: usize) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.log.rotate(now, files);
            let network = container.network;
            self.count_again(id);
            self.note_activity(network);
        }
    }

    /// A container may have written or removed something.
    fn count_again(&mut self, id: ContainerId) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let stored = container.written().and(container.logged());
        let before = std::mem::replace(&mut container.disk_seen, stored);
        self.containers_stored = self.containers_stored.less(before).and(stored);
        if container.is_running() && container.log.file_bytes() >= self.log_bytes_max {
            self.full_logs.insert(id);
        }
    }

    /// How many processes a container may have beside those of its pod's other ones and the one that
    /// holds the sandbox.
    fn limit_processes(&mut self, id: ContainerId) {
        let Some(limit) = self.pod_pids_limit else { return };
        let Some(sandbox) = self.containers.get(&id).map(|container| container.sandbox) else {
            return;
        };
        let others =
            self.containers.iter().filter(|(other, it)| **other != id && it.sandbox == sandbox);
        let taken = others.fold(1, |sum: usize, (_, it)| sum.saturating_add(it.processes()));
        let limit = usize::try_from(limit).unwrap_or(PROCESSES_MAX).saturating_sub(taken);
        if let Some(container) = self.containers.get_mut(&id) {
            container.kernel.set_process_limit(limit.min(PROCESSES_MAX));
        }
    }

    /// The digests of the images of all containers, whether they run or have ended.
    pub fn images_in_use(&self) -> BTreeSet<String> {
        let all = self.containers.values().map(|it| it.config.image.config_digest.clone());
        all.collect()
    }

    /// How many processes the node has: its own, those that hold sandboxes, and those of containers.
    pub fn processes_count(&self) -> u64 {
        let held = 2 * self.sandboxes_ready();
        let own = self.containers.values().map(|container| container.processes() as u64);
        pids::OF_NODE + held + own.sum::<u64>()
    }

    /// Has a process beside the containers hold so much memory.
    pub fn fill_memory(&mut self, bytes: u64) {
        self.memory_filled = bytes;
        self.activities += 1;
    }

    /// Has the first process of a container take ever more memory, until the container holds so
    /// many bytes or is killed for it.
    pub fn leak(&mut self, id: ContainerId, now: Time, upto: u64) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.begin_leak(now, upto);
            self.schedule(id, now);
        }
    }

    // ---- what comes again ----

    fn note_activity(&mut self, network: NsId) {
        if self.by_network.contains_key(&network) {
            *self.activity.entry(network).or_default() += 1;
        }
        self.activities += 1;
    }

    /// A number that grows whenever [`Runtime::state`] of some network may be another.
    pub fn activities(&self) -> u64 {
        self.activities
    }

    /// A number that stays while the containers of a network do nothing and nobody does anything to
    /// them, nor to their volumes: then they answer as they did.
    pub fn state(&self, network: NsId) -> u64 {
        let activity = self.activity.get(&network).copied().unwrap_or_default();
        let of = |container: &Container| -> u64 {
            container.config.mounts.iter().map(|mount| self.volumes.state(mount.volume)).sum()
        };
        activity + self.containers_in(network).map(|(_, container)| of(container)).sum::<u64>()
    }

    /// What the containers of these networks have done so far.
    pub fn footprint(&self, network: NsId, host: NsId) -> Footprint {
        let mut footprint = Footprint::default();
        for (id, container) in self.containers_in(network) {
            footprint.effects += container.kernel.effects();
            footprint.answered += container.kernel.answered();
            let spent = container.kernel.spending().map(|(pid, micros)| (id, pid, micros));
            footprint.spent.extend(spent);
        }
        // They are woken by what comes for the node.
        for (id, container) in self.containers_in(host) {
            let spent = container.kernel.spending().map(|(pid, micros)| (id, pid, micros));
            footprint.spent.extend(spent);
        }
        footprint
    }

    /// Processes have used so much processor time, each that of `spent`, so many times more.
    pub fn spend_again(&mut self, spent: &[(ContainerId, Pid, u64)], times: u64, last: Time) {
        for (id, pid, micros) in spent {
            if let Some(container) = self.containers.get_mut(id) {
                container.kernel.spend_again(*pid, *micros, times, last);
            }
        }
    }

    fn containers_in(&self, network: NsId) -> impl Iterator<Item = (ContainerId, &Container)> {
        let ids = self.by_network.get(&network).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.container(*id)?)))
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

    /// The containers that run whose first process is this program.
    pub fn running<'a>(&'a self, program: &str) -> impl Iterator<Item = &'a Container> {
        self.containers_of(program).filter(|container| container.is_running())
    }

    /// Whether the latest container of this program has ended as it was asked to.
    pub fn has_obeyed(&self, program: &str) -> bool {
        let latest = self.containers_of(program).last().map(|container| &container.state);
        matches!(latest, Some(ContainerState::Exited { code: 0, .. }))
    }

    /// Whether the first process of this container is this program.
    pub fn is_run_of(&self, id: ContainerId, program: &str) -> bool {
        self.by_program.get(program).is_some_and(|ids| ids.contains(&id))
    }

    fn containers_of<'a>(&'a self, program: &str) -> impl Iterator<Item = &'a Container> {
        let ids = self.by_program.get(program).into_iter().flatten();
        ids.filter_map(|id| self.container(*id))
    }

    /// What its kernel tells of the machine.
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Everything stops at once, and nothing of it is left but that the sandboxes are known.
    pub fn power_off(&mut self, network: &mut Network) {
        let ids: Vec<SandboxId> = self.sandboxes.keys().copied().collect();
        for id in ids {
            self.stop_sandbox(network, id);
        }
        let ids: Vec<ContainerId> = self.containers.keys().copied().collect();
        for id in ids {
            self.remove_container(id);
        }
        self.memory_filled = 0;
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
        self.limit_processes(id);
        let disk = self.disk();
        let Some(container) = self.containers.get_mut(&id) else { return };
        container.wake_at = None;
        let Some(sandbox) = self.sandboxes.get(&container.sandbox) else { return };
        let (cause, space, before) =
            (container.cause, sandbox.network, container.kernel.stirrings());
        let mut world = ContainerWorld::new(now, cause, &mut self.rng, network, space, api);
        container.borrow_volumes(&mut self.volumes);
        container.kernel.fs_mut().set_disk(disk);
        let next = container.kernel.run(&mut world);
        if world.asked_api() {
            self.api_clients.insert(id);
        }
        let leaks = container.leak(now);
        if container.kill_if_too_big() {
            // It gets no turn any more in which it would close them.
            container.kernel.close_sockets(&mut world);
        }
        container.return_volumes(&mut self.volumes);
        let ended = container.after_run(now);
        if ended {
            self.ended.push(id);
            self.changes += 1;
        }
        if ended || container.kernel.stirrings() != before {
            *self.activity.entry(space).or_default() += 1;
            self.activities += 1;
        }
        let memory = container.memory_bytes();
        let before = std::mem::replace(&mut container.memory_seen, memory);
        self.memory_used = (self.memory_used + memory).saturating_sub(before);
        let again = container.wake_at.take().map(|at| at.max(now + TURN));
        let next = next.map(|at| at.max(now + TURN));
        let next =
            [again, next, leaks].into_iter().flatten().min().filter(|_| container.is_running());
        set_wake(&mut self.due, id, container, next);
        self.count_again(id);
        self.pass_signals(id, now);
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
        gofmt::hex(&bytes)
    }
}

/// The name of the file of a container's first process.
fn program_of(config: &ContainerConfig) -> &str {
    let path = config.argv.first().map(String::as_str).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
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
