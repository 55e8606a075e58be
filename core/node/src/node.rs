//! One machine of the cluster: its kubelet, its containers, its end of the network.

use crate::kindnet::set_pod_routes;
use crate::kubelet::{Kubelet, NodeWorld};
use crate::machine::Machine;
use crate::plugins::NetworkPlugins;
use crate::proxy::{HostNetwork, KubeProxy, ProxyConfig};
use crate::runtime::{Runtime, Volumes};
use crate::streams::{self, Streams};
use crate::{Disks, NodeConfig};
use ipnet::IpNet;
use naru_api::service::KubeletStreams;
use naru_api::status::ApiResult;
use naru_api::{ApiService, UserInfo, WatchId};
use naru_client::{Controller, EventRecorder, EventStyle, Process};
use naru_network::{Network, NsId, TopologyError};
use naru_shell::{Errno, ProgramTable, Signal};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

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
        self.kubelet.start(env.api)?;
        self.kubelet_runs = true;
        Ok(())
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

    /// When there is work next; a moment that has passed means now.
    pub fn next_due(&self) -> Option<Time> {
        let mut dues = vec![
            self.proxy.next_due(),
            self.plugins.next_due(),
            self.runtime.next_due(),
            self.host_woken.then_some(Time::ZERO),
            self.streams.next_due(),
            self.machine.as_ref().and_then(|machine| machine.next_due()),
        ];
        if self.kubelet_runs {
            dues.extend([
                self.kubelet.next_due(),
                self.kubelet.controller().and_then(Kubelet::next_probe),
            ]);
        }
        dues.into_iter().flatten().min()
    }

    /// Does everything that is due: the kubelet's reconciles, the daemons', the containers'
    /// processes, and the streams of clients.
    pub fn advance(&mut self, env: &mut Env<'_>) {
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
        self.runtime.run(env.now, env.api, env.net);
        self.runtime.volumes.store(env.disks);
        self.note_ended();
        self.run_machine(env);
        self.run_probes(env);
        self.pump(env);
    }

    fn run_machine(&mut self, env: &mut Env<'_>) {
        if let Some(machine) = &mut self.machine
            && is_due(machine.next_due(), env.now)
        {
            machine.run(env.now, env.api as &mut dyn ApiService, env.net, self.host);
        }
    }

    /// The machine under the node, if somebody has logged in to it.
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_deref()
    }

    /// The machine under the node, to log in to it.
    pub fn machine_mut(&mut self) -> Option<&mut Machine> {
        self.machine.as_deref_mut()
    }

    /// Makes the machine's files, with these programs beside the standard ones.
    pub fn make_machine(
        &mut self,
        programs: &'static dyn ProgramTable,
        names: &[&str],
    ) -> Result<&mut Machine, Errno> {
        let machine = Machine::new(&self.config.name, programs, names, &self.rng)?;
        Ok(self.machine.insert(Box::new(machine)))
    }

    /// Sets the node up anew, as `kubeadm init` and `join` do: its kubelet must not run.
    pub fn install(&mut self, config: NodeConfig) {
        self.config = Arc::new(config);
        self.kubelet = kubelet_process(&self.config, &self.rng);
        self.proxy = Daemon::new("kube-proxy", proxy_process(&self.config, &self.rng));
        self.plugins = NetworkPlugins::new(&self.config, &self.rng);
        self.runtime.volumes = Volumes::with_files(&self.config.files);
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
    }

    /// The manifests of its static pods, by component.
    pub fn static_manifests(&self) -> Vec<(String, String)> {
        self.kubelet.controller().map(Kubelet::static_manifests).unwrap_or_default()
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
        if let Some(kubelet) = self.kubelet.controller_mut() {
            kubelet.reboot();
        }
    }

    /// Whether its kubelet runs.
    pub fn runs(&self) -> bool {
        self.kubelet_runs
    }

    /// Takes away the static pod of this component (`kube-scheduler`), as if its manifest were
    /// moved out of `/etc/kubernetes/manifests`, or puts it back. Tells whether that changed
    /// something.
    pub fn set_static_pod(&mut self, component: &str, wanted: bool) -> bool {
        let kubelet = self.kubelet.controller_mut();
        let key = kubelet.and_then(|kubelet| kubelet.set_static_pod(component, wanted));
        let changed = key.is_some();
        if let Some(key) = key {
            self.kubelet.enqueue(key, CauseId::ROOT);
        }
        changed
    }

    /// Ends the process of a pod's container at once, as if it had crashed. Tells whether there is
    /// one that runs.
    pub fn crash_container(&mut self, namespace: &str, pod: &str, name: &str, now: Time) -> bool {
        let kubelet = self.kubelet.controller();
        let worker = kubelet.and_then(|kubelet| kubelet.worker(namespace, pod));
        let run = worker.and_then(|worker| worker.record(name)?.id);
        let running = run.and_then(|id| self.runtime.container(id));
        let Some(id) = run.filter(|_| running.is_some_and(|it| it.is_running())) else {
            return false;
        };
        self.runtime.signal(id, now, Signal::Kill);
        true
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
