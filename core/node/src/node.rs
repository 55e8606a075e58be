//! One machine of the cluster: its kubelet, its containers, its end of the network.

use crate::kindnet::set_pod_routes;
use crate::kubelet::log_files::{self, LogFiles};
use crate::kubelet::pod_workers::PodWorker;
use crate::kubelet::resource_metrics::{self, NodeUsage};
use crate::kubelet::{Kubelet, NodeWorld, Unmounting, config_file, kubelet_config};
use crate::machine::Machine;
use crate::plugins::NetworkPlugins;
use crate::proxy::{HostNetwork, KubeProxy, ProxyConfig};
use crate::runtime::{Container, ContainerId, Runtime, SandboxId};
use crate::streams::{self, Streams};
use crate::{Disks, KubeletConfiguration, NodeConfig};
use ipnet::IpNet;
use naru_api::service::KubeletStreams;
use naru_api::status::ApiResult;
use naru_api::{ApiService, UserInfo, WatchId};
use naru_client::{Controller, EventRecorder, EventStyle, Process};
use naru_network::{Network, NsId, TopologyError};
use naru_shell::{Errno, ProgramTable, Signal, Vfs};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What is left of a node's memory that has been filled, in bytes: less than the kubelet wants to be
/// free.
const MEMORY_LEFT: u64 = 64 << 20;

/// The API server as a node sees it: objects, watches, and the streams that it asks for.
pub trait NodeApi: ApiService + KubeletStreams {}

impl<T: ApiService + KubeletStreams> NodeApi for T {}

/// What is around a node during one call into it.
pub struct Env<'a> {
    /// The API server.
    pub api: &'a mut dyn NodeApi,
    /// The network.
    pub net: &'a mut Network,
    /// Disks and file servers beyond the nodes.
    pub disks: &'a mut Disks,
    /// The present moment.
    pub now: Time,
}

/// A machine of the cluster.
#[derive(Clone)]
pub struct Node {
    config: Arc<NodeConfig>,
    host: NsId,
    kubelet: Process<Kubelet>,
    kubelet_runs: bool,
    proxy: Daemon<KubeProxy>,
    plugins: NetworkPlugins,
    runtime: Runtime,
    streams: Streams,
    machine: Option<Box<Machine>>,
    rng: Rng,
    pulling_until: Time,
    /// Something came to the node's own sockets: answers to probes.
    host_woken: bool,
    /// Somebody wants something of it, a stream, or something around it has changed.
    called: bool,
    /// The state of the node's own files in which manifests were looked for last.
    manifests_seen: u64,
    log_files: LogFiles,
    /// Why the kubelet could not be started.
    wrong_configuration: Option<String>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.config.name).finish_non_exhaustive()
    }
}

impl Node {
    /// Makes a machine: its own network namespace, and in it the bridge for its pods. Nothing runs
    /// before [`Node::start`]. `programs` is everything that can run in its containers.
    pub fn new(
        config: NodeConfig,
        programs: &'static dyn ProgramTable,
        rng: &Rng,
        network: &mut Network,
    ) -> Node {
        let rng = rng.fork(&config.name);
        let host = network.add_namespace(&config.name);
        let runtime = Runtime::new(&config, programs, &rng, host, network);
        let config = Arc::new(config);
        Node {
            kubelet: kubelet_process(&config, &rng),
            kubelet_runs: false,
            proxy: Daemon::new("kube-proxy", proxy_process(&config, &rng)),
            plugins: NetworkPlugins::new(&config, &rng),
            streams: Streams::default(),
            machine: None,
            pulling_until: Time::ZERO,
            host_woken: false,
            called: false,
            manifests_seen: 0,
            log_files: LogFiles::default(),
            wrong_configuration: None,
            runtime,
            host,
            config,
            rng,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What it was made from.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Its own network namespace, where the cluster plugs in a cable.
    pub fn host_namespace(&self) -> NsId {
        self.host
    }

    /// What runs on it.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What runs on it, to look into or to disturb.
    pub fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    /// Starts the kubelet. kube-proxy and the network plugin start with their pods.
    pub fn start(&mut self, env: &mut Env<'_>) -> ApiResult<()> {
        self.wrong_configuration = None;
        if let Err(why) = self.read_configuration() {
            self.wrong_configuration = Some(why);
            return Ok(());
        }
        self.sync_chains(env.net);
        self.kubelet.start(env.api)?;
        self.kubelet_runs = true;
        self.follow_manifests();
        Ok(())
    }

    /// Reads how the kubelet is set up, if somebody can have changed that. The error says what is
    /// wrong with it.
    fn read_configuration(&mut self) -> Result<(), String> {
        if self.machine.is_none() {
            return Ok(());
        }
        let files = self.runtime.volumes.host_files();
        let Ok(text) = files.read_text(kubelet_config::PATH) else { return Ok(()) };
        let kubelet = KubeletConfiguration::read(&text)?;
        self.runtime.configure(&kubelet);
        self.config = Arc::new(NodeConfig { kubelet, ..NodeConfig::clone(&self.config) });
        if let Some(kubelet) = self.kubelet.controller_mut() {
            kubelet.configure(Arc::clone(&self.config));
        }
        Ok(())
    }

    /// Why the kubelet does not start with the configuration that it has, if it does not.
    pub fn wrong_configuration(&self) -> Option<&str> {
        self.wrong_configuration.as_deref()
    }

    fn sync_chains(&self, net: &mut Network) {
        if let Some(rules) = net.netfilter(self.host) {
            // There is room for a few rules: nobody was here before.
            let _ = crate::kubelet::network::sync_chains(rules);
        }
    }

    /// The watches that are open.
    pub fn watch_ids(&self) -> impl Iterator<Item = WatchId> {
        let daemons = self.proxy.process.watch_ids().chain(self.plugins.watch_ids());
        self.kubelet.watch_ids().chain(daemons)
    }

    /// Takes what the watches have to deliver. A watch that cannot be opened again is asked for at
    /// the next delivery.
    pub fn deliver(&mut self, env: &mut Env<'_>) {
        self.kubelet.deliver(env.api);
        let kubelet = self.kubelet.controller_mut().filter(|_| self.kubelet_runs);
        let lease = kubelet.and_then(|kubelet| kubelet.lease_due(env.api as &mut dyn ApiService));
        if let Some((at, key)) = lease {
            self.kubelet.enqueue_at(at, key, CauseId::ROOT);
        }
        self.wake_up(env.now);
        self.proxy.deliver(env);
        self.plugins.deliver(env);
        self.runtime.wake_api_clients(env.now);
        if let Some(machine) = &mut self.machine {
            machine.wake();
        }
    }

    /// Lets the containers that use the API server look for what it has for them.
    pub fn wake_api_clients(&mut self, now: Time) {
        self.runtime.wake_api_clients(now);
    }

    /// Something came to the sockets of a namespace. Tells whether it is one of this node.
    pub fn wake_namespace(&mut self, namespace: NsId) -> bool {
        if namespace == self.host {
            self.host_woken = true;
            if let Some(machine) = &mut self.machine {
                machine.wake();
            }
            // Pods with `hostNetwork` listen here as well.
            self.runtime.wake_network(namespace);
            return true;
        }
        self.runtime.wake_network(namespace)
    }

    /// Lets it look at everything when it works next: streams are asked of it, or something has
    /// changed around it.
    pub fn call(&mut self) {
        self.called = true;
    }

    /// When there is work next; a moment that has passed means now.
    pub fn next_due(&self) -> Option<Time> {
        let others = self.dues_beside_kubelet().into_iter().flatten().min();
        let kubelet =
            [self.kubelet.next_due(), self.kubelet.controller().and_then(Kubelet::next_probe)];
        let kubelet = kubelet.into_iter().flatten().filter(|_| self.kubelet_runs);
        kubelet.chain(others).min()
    }

    /// When there is work next that is not the kubelet's.
    fn dues_beside_kubelet(&self) -> [Option<Time>; 7] {
        [
            self.called.then_some(Time::ZERO),
            self.proxy.next_due(),
            self.plugins.next_due(),
            self.runtime.next_due(),
            self.host_woken.then_some(Time::ZERO),
            self.streams.next_due(),
            self.machine.as_ref().and_then(|machine| machine.next_due()),
        ]
    }

    /// Does everything that is due: the kubelet's reconciles, the daemons', the containers'
    /// processes, and the streams of clients.
    pub fn advance(&mut self, env: &mut Env<'_>) {
        if self.does_routine(env) {
            return;
        }
        self.called = false;
        self.catch_up(env.net, env.now);
        self.runtime.volumes.fetch(env.disks);
        self.run_probes(env);
        let mut world = NodeWorld {
            runtime: &mut self.runtime,
            network: env.net,
            disks: env.disks,
            host: self.host,
            config: &self.config,
            pulling_until: &mut self.pulling_until,
        };
        while is_due(self.kubelet.next_due(), env.now)
            && self.kubelet.work(env.api as &mut dyn ApiService, &mut world)
        {}
        self.run_daemons(env);
        self.pump(env);
        self.lay_log_files(env.now);
        self.runtime.run(env.now, env.api, env.net);
        self.runtime.volumes.store(env.disks);
        self.note_ended();
        self.run_machine(env);
        self.follow_manifests();
        self.run_probes(env);
        self.pump(env);
        let kubelet = self.kubelet.controller_mut().filter(|_| self.kubelet_runs);
        if let Some(kubelet) = kubelet {
            kubelet.doubt_probes(&self.runtime, env.net, self.host);
        }
        self.wake_up(env.now);
    }

    /// Does what the kubelet does time and again though nothing has happened, if nothing else is due:
    /// that neither needs what is around it to be caught up with, nor stirs it. Tells whether it was
    /// all.
    fn does_routine(&mut self, env: &mut Env<'_>) -> bool {
        let probe = self.kubelet.controller().and_then(Kubelet::next_probe);
        let others = self.dues_beside_kubelet().into_iter().chain([probe]);
        let is_needed = others.flatten().any(|at| at <= env.now);
        if is_needed || !self.kubelet_runs || !is_due(self.kubelet.next_due(), env.now) {
            return false;
        }
        while is_due(self.kubelet.next_due(), env.now) {
            let Some(key) = self.kubelet.next_key(env.now).cloned() else { return false };
            let (cache, api) = (self.kubelet.cache(), env.api as &mut dyn ApiService);
            let is_routine =
                |kubelet: &Kubelet| kubelet.is_routine(&key, cache, api, &self.runtime, env.now);
            if !self.kubelet.controller().is_some_and(is_routine) {
                return false;
            }
            let mut world = NodeWorld {
                runtime: &mut self.runtime,
                network: env.net,
                disks: env.disks,
                host: self.host,
                config: &self.config,
                pulling_until: &mut self.pulling_until,
            };
            self.kubelet.work(env.api as &mut dyn ApiService, &mut world);
        }
        true
    }

    /// Lets the kubelet look at the node's status if something has happened on the node.
    fn wake_up(&mut self, now: Time) {
        let kubelet = self.kubelet.controller_mut().filter(|_| self.kubelet_runs);
        if let Some((at, key)) = kubelet.and_then(|kubelet| kubelet.wakes_up(&self.runtime, now)) {
            self.kubelet.enqueue_at(at, key, CauseId::ROOT);
        }
    }

    /// Counts the probes that need not be sent and were due before `now`, for whoever looks at what
    /// they have left: packets, processor time.
    pub fn catch_up(&mut self, network: &mut Network, now: Time) {
        let kubelet = self.kubelet.controller_mut().filter(|_| self.kubelet_runs);
        if let Some(kubelet) = kubelet {
            kubelet.catch_up(&mut self.runtime, network, self.host, now);
        }
    }

    /// Whether etcd answers the programs of its control plane, which say so when they are probed; tells
    /// whether that is new.
    pub fn set_etcd_lost(&mut self, lost: bool, network: &mut Network, now: Time) -> bool {
        self.catch_up(network, now);
        self.kubelet.controller_mut().is_some_and(|kubelet| kubelet.set_etcd_lost(lost))
    }

    fn run_machine(&mut self, env: &mut Env<'_>) {
        if let Some(machine) = &mut self.machine
            && is_due(machine.next_due(), env.now)
        {
            machine.borrow_files(&mut self.runtime.volumes);
            machine.see_disk(self.runtime.disk());
            machine.see(self.runtime.processes_of_node());
            machine.run(env.now, env.api as &mut dyn ApiService, env.net, self.host);
            machine.return_files(&mut self.runtime.volumes);
            for (pid, signal) in machine.signals_out() {
                self.runtime.signal_on_node(pid, signal, env.now);
            }
        }
    }

    /// Shows what containers have written to who may look at it.
    fn lay_log_files(&mut self, now: Time) {
        let machine = self.machine.as_ref();
        let at_the_machine = machine.is_some_and(|machine| is_due(machine.next_due(), now));
        if (at_the_machine || self.runtime.volumes.shows_host(log_files::FOLDER))
            && let Some(kubelet) = self.kubelet.controller()
        {
            self.log_files.lay(kubelet, &mut self.runtime);
        }
    }

    /// Lets the kubelet see what manifests of static pods there are, if the node's files are there
    /// and have changed.
    ///
    /// Upstream: `sourceFile` in `pkg/kubelet/config/file_linux.go`, which waits for the changes.
    fn follow_manifests(&mut self) {
        let version = self.runtime.volumes.host_version();
        if self.machine.is_none() || !self.kubelet_runs || version == self.manifests_seen {
            return;
        }
        self.manifests_seen = version;
        let manifests = config_file::read_manifests(&self.runtime.volumes.host_files());
        let Some(kubelet) = self.kubelet.controller_mut() else { return };
        for key in kubelet.set_manifests(manifests) {
            self.kubelet.enqueue(key, CauseId::ROOT);
        }
    }

    /// The machine under the node, if somebody has needed it.
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_deref()
    }

    /// The machine under the node, to log in to it.
    pub fn machine_mut(&mut self) -> Option<&mut Machine> {
        let machine = self.machine.as_deref_mut()?;
        machine.borrow_files(&mut self.runtime.volumes);
        Some(machine)
    }

    /// From now on the machine's files are made when somebody wants to see them:
    /// [`Node::wants_machine`] tells.
    pub fn defer_machine(&mut self) {
        self.runtime.volumes.defer_own_files();
    }

    /// Whether a pod waits for the machine's files.
    pub fn wants_machine(&self) -> bool {
        self.runtime.volumes.want_own_files()
    }

    /// Makes the machine and its files, with these programs beside the standard ones.
    pub fn make_machine(
        &mut self,
        programs: &'static dyn ProgramTable,
        names: &[&str],
    ) -> Result<(), Errno> {
        let name = &self.config.name;
        self.runtime.volumes.own_files_are_laid();
        self.runtime.volumes.change_host(|fs| Machine::lay_files(fs, name, names))?;
        self.machine = Some(Box::new(Machine::new(
            name,
            programs,
            Arc::clone(self.runtime.facts()),
            &self.rng,
        )));
        Ok(())
    }

    /// A copy of the machine's files, to look into.
    pub fn files(&self) -> Vfs {
        self.runtime.volumes.host_files()
    }

    /// Changes the machine's files as root.
    pub fn change_files<T>(
        &mut self,
        change: impl FnOnce(&mut Vfs) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        self.runtime.volumes.change_host(change)
    }

    /// Sets the node up anew, as `kubeadm init` and `join` do: its kubelet must not run.
    pub fn install(&mut self, config: NodeConfig) {
        self.config = Arc::new(config);
        self.kubelet = kubelet_process(&self.config, &self.rng);
        self.proxy = Daemon::new("kube-proxy", proxy_process(&self.config, &self.rng));
        self.plugins = NetworkPlugins::new(&self.config, &self.rng);
        self.runtime.volumes.reinstall();
        self.runtime.configure(&self.config.kubelet);
        self.log_files = LogFiles::default();
        self.manifests_seen = 0;
    }

    /// Ends everything that Kubernetes runs here, and forgets it, as `kubeadm reset` does. The
    /// pods' network stays.
    pub fn reset(&mut self, env: &mut Env<'_>) {
        self.stop(env);
        self.proxy.stop(env);
        self.plugins.stop(env);
        self.runtime.power_off(env.net);
        self.streams = Streams::default();
        self.kubelet = kubelet_process(&self.config, &self.rng);
        self.manifests_seen = 0;
    }

    /// The manifests of its control plane, by their paths.
    pub fn control_plane_manifests(&self) -> Vec<(String, Vec<u8>)> {
        self.kubelet.controller().map(Kubelet::control_plane_manifests).unwrap_or_default()
    }

    fn run_probes(&mut self, env: &mut Env<'_>) {
        self.host_woken = false;
        let mut world = NodeWorld {
            runtime: &mut self.runtime,
            network: env.net,
            disks: env.disks,
            host: self.host,
            config: &self.config,
            pulling_until: &mut self.pulling_until,
        };
        let kubelet = self.kubelet.controller_mut().filter(|_| self.kubelet_runs);
        let Some(kubelet) = kubelet else { return };
        for key in kubelet.run_probes(&mut world, env.now) {
            self.kubelet.enqueue(key, CauseId::ROOT);
        }
    }

    /// Stops the kubelet; containers go on without it until [`Node::start`].
    pub fn stop(&mut self, env: &mut Env<'_>) {
        self.catch_up(env.net, env.now);
        if let Some(kubelet) = self.kubelet.controller_mut() {
            kubelet.pause(env.api as &mut dyn ApiService);
        }
        self.kubelet.stop(env.api);
        self.kubelet_runs = false;
    }

    /// Switches the machine off at once: nothing is told to anybody. [`Node::start`] switches it on
    /// again.
    pub fn crash(&mut self, env: &mut Env<'_>) {
        self.stop(env);
        self.proxy.stop(env);
        self.plugins.stop(env);
        // Other processes will be started, which have seen nothing.
        self.proxy = Daemon::new("kube-proxy", proxy_process(&self.config, &self.rng));
        self.plugins = NetworkPlugins::new(&self.config, &self.rng);
        self.runtime.power_off(env.net);
        // A machine without power answers for nothing. The namespace stays as long as the node.
        let _ = env.net.set_announced(self.host, BTreeSet::new());
        if let Some(machine) = &mut self.machine {
            machine.power_off();
        }
        self.streams = Streams::default();
        self.pulling_until = Time::ZERO;
        let gone = self.kubelet.controller_mut().map(Kubelet::reboot).unwrap_or_default();
        for sandbox in gone {
            self.runtime.remove_sandbox(env.net, sandbox);
        }
    }

    /// Ends a pod's sandbox behind the kubelet's back.
    pub fn stop_pod(&mut self, network: &mut Network, sandbox: SandboxId, now: Time) {
        self.runtime.stop_pod(network, sandbox, now);
        self.note_ended();
    }

    /// Whether its kubelet runs.
    pub fn runs(&self) -> bool {
        self.kubelet_runs
    }

    /// What it and its pods have used, as its kubelet tells it; `None` while that does not run.
    pub fn usage(&self, now: Time) -> Option<NodeUsage> {
        let kubelet = self.kubelet.controller().filter(|_| self.kubelet_runs)?;
        Some(resource_metrics::usage(kubelet, &self.runtime, now))
    }

    /// Volumes of pods that have ended of which drivers could not be told yet.
    pub fn unmounting(&self) -> impl Iterator<Item = &Unmounting> {
        let kubelet = self.kubelet.controller().into_iter();
        kubelet.flat_map(Kubelet::workers).filter_map(PodWorker::unmounting)
    }

    /// Takes away the static pod of this component (`kube-scheduler`), as if its manifest were
    /// moved out of `/etc/kubernetes/manifests`, or puts it back. Tells whether that changed
    /// something.
    pub fn set_static_pod(&mut self, component: &str, wanted: bool) -> bool {
        if self.machine.is_some() {
            let moved = self.move_manifest(component, wanted).is_ok();
            self.follow_manifests();
            return moved;
        }
        let kubelet = self.kubelet.controller_mut();
        let key = kubelet.and_then(|kubelet| kubelet.set_static_pod(component, wanted));
        let changed = key.is_some();
        if let Some(key) = key {
            self.kubelet.enqueue(key, CauseId::ROOT);
        }
        changed
    }

    fn move_manifest(&mut self, component: &str, back: bool) -> Result<(), Errno> {
        let here = format!("{}/{component}.yaml", config_file::MANIFESTS);
        let away = format!("{}/{component}.yaml", config_file::AWAY);
        let (from, to) = if back { (away, here) } else { (here, away) };
        self.change_files(|fs| fs.rename(&from, &to))
    }

    /// Ends the process of a pod's container at once, as if it had crashed. Tells whether there is
    /// one that runs.
    pub fn crash_container(&mut self, namespace: &str, pod: &str, name: &str, now: Time) -> bool {
        let Some(id) = self.running(namespace, pod, name) else { return false };
        self.runtime.signal(id, now, Signal::Kill);
        true
    }

    /// Has the process of a pod's container take ever more memory: until it is killed for it or,
    /// where it has no limit, until the node is short of memory. Tells whether there is one that
    /// runs.
    pub fn fill_container(&mut self, namespace: &str, pod: &str, name: &str, now: Time) -> bool {
        let Some(id) = self.running(namespace, pod, name) else { return false };
        let held = self.runtime.container(id).map_or(0, |container| container.memory_bytes());
        self.runtime.leak(id, now, held + self.memory_to_fill());
        true
    }

    /// Has a process beside the pods take so much memory that the node is short of it, or none.
    pub fn fill_memory(&mut self, full: bool) {
        self.runtime.fill_memory(0);
        if full {
            self.runtime.fill_memory(self.memory_to_fill());
        }
    }

    /// What can be taken until next to nothing is left, in bytes.
    fn memory_to_fill(&self) -> u64 {
        let taken = resource_metrics::memory_used(&self.runtime).saturating_add(MEMORY_LEFT);
        self.config.memory_bytes.saturating_sub(taken)
    }

    /// A pod's container of this name ("" is its first), if it runs.
    fn running(&self, namespace: &str, pod: &str, name: &str) -> Option<ContainerId> {
        let worker = self.kubelet.controller()?.worker(namespace, pod)?;
        let id = worker.record(name)?.id?;
        self.runtime.container(id).is_some_and(Container::is_running).then_some(id)
    }

    /// Makes these the routes to other nodes' pods, in place of the network plugin's daemon.
    pub fn set_pod_routes(
        &mut self,
        network: &mut Network,
        routes: &[(IpNet, IpAddr)],
    ) -> Result<(), TopologyError> {
        set_pod_routes(network, self.host, routes)
    }

    fn run_daemons(&mut self, env: &mut Env<'_>) {
        self.proxy.follow_container(&self.runtime, env);
        while is_due(self.proxy.next_due(), env.now) {
            let mut host = HostNetwork { network: env.net, ns: self.host };
            if !self.proxy.process.work(env.api as &mut dyn ApiService, &mut host) {
                break;
            }
        }
        if self.proxy.is_running()
            && let Some(proxy) = self.proxy.process.controller_mut()
        {
            let mut host = HostNetwork { network: env.net, ns: self.host };
            proxy.answer_health_checks(&mut host, env.now);
        }
        self.plugins.run(&mut self.runtime, self.host, env);
    }

    fn pump(&mut self, env: &mut Env<'_>) {
        let mut machine = streams::Machine {
            name: &self.config.name,
            ip: self.config.internal_ip,
            kubelet: self.kubelet.controller().filter(|_| self.kubelet_runs),
            runtime: &mut self.runtime,
            host: self.host,
            network: env.net,
        };
        self.streams.pump(env.api, &mut machine, env.now);
    }

    /// Lets the kubelet look at the pods whose containers have ended.
    fn note_ended(&mut self) {
        for id in self.runtime.take_ended() {
            let key = self.kubelet.controller().and_then(|kubelet| kubelet.pod_of(id));
            let cause = self.runtime.container(id).map(|container| container.cause);
            if let Some(key) = key {
                self.kubelet.enqueue(key, cause.unwrap_or_default());
            }
        }
    }
}

/// Whether there is something to do now.
pub fn is_due(due: Option<Time>, now: Time) -> bool {
    due.is_some_and(|due| due <= now)
}

fn kubelet_process(config: &Arc<NodeConfig>, rng: &Rng) -> Process<Kubelet> {
    let groups = ["system:nodes", "system:authenticated"];
    let user = UserInfo::new(&format!("system:node:{}", config.name), &groups);
    let recorder = EventRecorder::new("kubelet", Some(config.name.clone()), EventStyle::Core);
    Process::new("kubelet", user, rng).with_recorder(Kubelet::new(Arc::clone(config)), recorder)
}

fn proxy_process(config: &NodeConfig, rng: &Rng) -> Process<KubeProxy> {
    let node = ProxyConfig {
        name: config.name.clone(),
        ip: Some(IpAddr::V4(config.internal_ip)),
        cluster_cidr: config.cluster_cidr.parse().ok(),
    };
    KubeProxy::process(node, rng)
}

/// A program of the node that works while a container of its name runs.
#[derive(Clone)]
pub struct Daemon<C> {
    program: &'static str,
    /// The program's work.
    pub process: Process<C>,
    running: bool,
    /// The runtime's changes that were looked at last.
    looked: Option<u64>,
}

impl<C: Controller> Daemon<C> {
    /// A program that does not run.
    pub fn new(program: &'static str, process: Process<C>) -> Self {
        Daemon { program, process, running: false, looked: None }
    }

    /// Starts with its container and stops with it.
    pub fn follow_container(&mut self, runtime: &Runtime, env: &mut Env<'_>) {
        if self.looked == Some(runtime.changes()) {
            return;
        }
        let wanted = runtime.runs(self.program);
        self.looked = (wanted == self.running).then(|| runtime.changes());
        if wanted {
            self.start(env);
        } else {
            self.stop(env);
        }
    }

    /// Starts it. What cannot be started now is tried again when the node has work next.
    pub fn start(&mut self, env: &mut Env<'_>) {
        if !self.running {
            self.running = self.process.start(env.api).is_ok();
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Stops it.
    pub fn stop(&mut self, env: &mut Env<'_>) {
        if self.running {
            self.process.stop(env.api);
            self.running = false;
        }
    }

    /// Takes what the watches have to deliver.
    pub fn deliver(&mut self, env: &mut Env<'_>) {
        self.process.deliver(env.api);
    }

    /// When there is work next.
    pub fn next_due(&self) -> Option<Time> {
        self.process.next_due().filter(|_| self.running)
    }
}
