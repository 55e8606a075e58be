//! The daemons of network plugins: on each node works that whose container runs.

use crate::NodeConfig;
use crate::calico::Calico;
use crate::flannel::Flannel;
use crate::kindnet::{HostRoutes, Kindnet};
use crate::networkpolicy::{self, NetworkPolicies};
use crate::node::{Daemon, Env, is_due};
use crate::runtime::Runtime;
use naru_api::{ApiService, UserInfo, WatchId};
use naru_client::{Controller, Process, Reconcile};
use naru_network::{IpNet, NsId};
use naru_sim::{Rng, Time};

/// The daemons of one node.
#[derive(Clone)]
pub struct NetworkPlugins {
    kindnet: Daemon<Kindnet>,
    flannel: Daemon<Flannel>,
    calico: Daemon<Calico>,
    /// A part of kindnetd that works once there is a policy.
    policies: Daemon<NetworkPolicies>,
    /// A part of calico-node.
    felix: Daemon<NetworkPolicies>,
}

const KINDNETD: &str = "kindnetd";
/// What starts calico-node in its container.
const CALICO_NODE: &str = "start_runit";

impl NetworkPlugins {
    /// Daemons that have seen nothing yet.
    pub fn new(config: &NodeConfig, rng: &Rng) -> Self {
        let name = &config.name;
        // A range that cannot be read has no pods.
        let pods: Option<IpNet> = config.cluster_cidr.parse().ok();
        let policies = |account| NetworkPolicies::process(name, account, rng);
        NetworkPlugins {
            kindnet: daemon(KINDNETD, ("kube-system", "kindnet"), Kindnet::new(name, pods), rng),
            flannel: daemon("flanneld", ("kube-flannel", "flannel"), Flannel::new(name, pods), rng),
            calico: daemon(
                CALICO_NODE,
                ("kube-system", "calico-node"),
                Calico::new(name, pods),
                rng,
            ),
            policies: Daemon::new(KINDNETD, policies("kindnet")),
            felix: Daemon::new(CALICO_NODE, policies("calico-node")),
        }
    }

    /// The watches that are open.
    pub fn watch_ids(&self) -> impl Iterator<Item = WatchId> {
        let kindnet = self.kindnet.process.watch_ids().chain(self.flannel.process.watch_ids());
        let calico = self.calico.process.watch_ids().chain(self.policies.process.watch_ids());
        kindnet.chain(calico).chain(self.felix.process.watch_ids())
    }

    /// Takes what the watches have to deliver.
    pub fn deliver(&mut self, env: &mut Env<'_>) {
        self.kindnet.deliver(env);
        self.flannel.deliver(env);
        self.calico.deliver(env);
        self.policies.deliver(env);
        self.felix.deliver(env);
    }

    /// When there is work next.
    pub fn next_due(&self) -> Option<Time> {
        let kindnet = [self.kindnet.next_due(), self.flannel.next_due()];
        let calico = [self.calico.next_due(), self.policies.next_due()];
        kindnet.into_iter().chain(calico).chain([self.felix.next_due()]).flatten().min()
    }

    /// Stops them all.
    pub fn stop(&mut self, env: &mut Env<'_>) {
        self.kindnet.stop(env);
        self.flannel.stop(env);
        self.calico.stop(env);
        self.policies.stop(env);
        self.felix.stop(env);
    }

    /// Starts and stops them with their containers, and lets them work.
    pub fn run(&mut self, runtime: &mut Runtime, host: NsId, env: &mut Env<'_>) {
        self.kindnet.follow_container(runtime, env);
        self.flannel.follow_container(runtime, env);
        self.calico.follow_container(runtime, env);
        self.felix.follow_container(runtime, env);
        self.follow_policies(host, env);
        work(&mut self.kindnet, runtime, host, env);
        work(&mut self.flannel, runtime, host, env);
        work(&mut self.calico, runtime, host, env);
        work(&mut self.policies, runtime, host, env);
        work(&mut self.felix, runtime, host, env);
    }

    /// Nodes need not know every pod of the cluster as long as there is no policy. Flannel enforces
    /// none.
    fn follow_policies(&mut self, host: NsId, env: &mut Env<'_>) {
        let controller = self.kindnet.process.controller();
        if self.kindnet.is_running() && controller.is_some_and(Kindnet::has_policies) {
            self.policies.start(env);
        } else if self.policies.is_running() {
            self.policies.stop(env);
            networkpolicy::clear(env.net, host);
        }
    }
}

fn daemon<C: Controller + for<'a> Reconcile<HostRoutes<'a>> + Clone + 'static>(
    program: &'static str,
    (namespace, account): (&str, &str),
    controller: C,
    rng: &Rng,
) -> Daemon<C> {
    let user = UserInfo::service_account(namespace, account);
    Daemon::new(program, Process::new(program, user, rng).with(controller))
}

fn work<C: for<'a> Reconcile<HostRoutes<'a>>>(
    daemon: &mut Daemon<C>,
    runtime: &mut Runtime,
    host: NsId,
    env: &mut Env<'_>,
) {
    while is_due(daemon.next_due(), env.now) {
        let mut world = HostRoutes { runtime: &mut *runtime, network: &mut *env.net, host };
        if !daemon.process.work(env.api as &mut dyn ApiService, &mut world) {
            break;
        }
    }
}
