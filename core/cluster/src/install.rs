//! Makes machines part of a cluster, and takes them out of it: what `kubeadm`, `systemctl` and those
//! who rent machines do.

use crate::controlplane::{self, CONTROLLER_MANAGER, ControlProcess, SCHEDULER};
use crate::profile::NodeProfile;
use crate::workstation::Workstation;
use crate::{Cluster, boot, etcd_pki, kubeconfig, programs};
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::Node as NodeObject;
use naru_api::request::{DeleteOptions, Op};
use naru_api::{ApiService, Kube};
use naru_client::Controller as _;
use naru_node::{Env, Node};
use sha2::{Digest, Sha256};
use std::net::Ipv4Addr;

/// Machines that a cluster may have while it runs.
const MACHINES_MAX: usize = 100;

/// 64 hexadecimal digits that stand for a text.
pub(crate) fn hex_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Cluster {
    /// Prepares a machine to be the control plane of a new cluster, whose pods have addresses of
    /// this range: its kubelet has to be started then.
    pub(crate) fn install_control_plane(
        &mut self,
        machine: usize,
        pods: Option<Ipv4Net>,
    ) -> Result<(), String> {
        self.profile.pod_ranges_off = pods.is_none();
        self.profile.pod_cidr = pods.unwrap_or(self.profile.pod_cidr);
        if let Some(own) = self.profile.nodes.get_mut(machine) {
            (own.control_plane, own.tainted) = (true, true);
        }
        self.configure_node(machine);
        if !self.control.is_empty() {
            // A machine that was the control plane before is it again, with what etcd has kept.
            return Ok(());
        }
        let text = |error: boot::BootError| error.to_string();
        boot::install_roles(&mut self.api, &self.profile).map_err(text)?;
        let host = self.profile.nodes.get(machine).map(|own| own.name.clone()).unwrap_or_default();
        let (profile, pki) = (self.profile.clone(), self.pki.clone());
        let setting = controlplane::Setting::new(&profile, &pki, &self.rng);
        for controller in controlplane::controllers(&setting) {
            let account = naru_controllers::service_account(controller.name()).to_owned();
            boot::make_account(&mut self.api, &account).map_err(text)?;
        }
        let manager = controlplane::controller_manager(&setting);
        let scheduler = controlplane::scheduler(&host, &self.rng);
        self.control.push(ControlProcess::absent(CONTROLLER_MANAGER, manager, machine));
        self.control.push(ControlProcess::absent(SCHEDULER, scheduler, machine));
        boot::start_secure_ports(self).map_err(text)?;
        boot::start_load_balancers(self).map_err(text)
    }

    /// Prepares a machine to be a node; its kubelet has to be started then.
    pub(crate) fn join_node(&mut self, machine: usize) {
        self.configure_node(machine);
    }

    fn configure_node(&mut self, machine: usize) {
        let Some(own) = self.profile.nodes.get(machine) else { return };
        let mut config = boot::node_config(&self.profile, own);
        if self.profile.pod_ranges_off {
            config.cluster_cidr = String::new();
        }
        if let Some(node) = self.nodes.get_mut(machine) {
            node.install(config);
        }
    }

    /// Whether the machine belongs to a cluster.
    pub(crate) fn is_joined(&self, machine: usize) -> bool {
        let node = self.nodes.get(machine);
        let has_identity = |node: &Node| node.files().exists("/etc/kubernetes/kubelet.conf");
        self.profile.installed || node.is_some_and(has_identity)
    }

    /// Starts a machine's kubelet, if it has been told whose it is and does not run.
    pub(crate) fn start_kubelet(&mut self, machine: usize) {
        let runs = self.nodes.get(machine).is_none_or(Node::runs);
        if runs || !self.is_joined(machine) {
            return;
        }
        if let Ok(index) = u32::try_from(machine) {
            self.start_node(index);
        }
        self.kubelets_since.insert(machine, self.now());
        self.settle();
    }

    /// Stops a machine's kubelet; what it has started goes on.
    pub(crate) fn stop_kubelet(&mut self, machine: usize) {
        let Some(node) = self.nodes.get_mut(machine).filter(|node| node.runs()) else { return };
        node.stop(&mut Env {
            api: &mut self.api,
            net: &mut self.net,
            disks: &mut self.disks,
            now: self.now,
        });
        self.kubelets_since.insert(machine, self.now());
        self.settle();
    }

    /// Ends everything that Kubernetes runs on a machine.
    pub(crate) fn reset_node(&mut self, machine: usize) {
        if let Some(node) = self.nodes.get_mut(machine) {
            node.reset(&mut Env {
                api: &mut self.api,
                net: &mut self.net,
                disks: &mut self.disks,
                now: self.now,
            });
        }
        self.kubelets_since.insert(machine, self.now());
        self.follow_control_plane();
        self.settle();
    }

    /// Puts one more machine beside the others, and starts it.
    pub(crate) fn add_node(&mut self, machine: NodeProfile) -> Result<(), String> {
        let index = self.nodes.len();
        if index >= MACHINES_MAX {
            return Err("there are too many machines".to_owned());
        }
        let config = boot::node_config(&self.profile, &machine);
        let mut node = Node::new(config, programs::in_containers(), &self.rng, &mut self.net);
        node.defer_machine();
        boot::cable(&mut self.net, &self.workstation, &self.profile, &machine, &node, index)
            .map_err(|error| error.to_string())?;
        self.profile.nodes.push(machine);
        self.nodes.push(node);
        self.start_kubelet(index);
        if self.profile.cloud.is_some() {
            self.lay_firewall();
        }
        Ok(())
    }

    /// Takes the machine away that was added last; tells whether there was one.
    pub(crate) fn remove_last_node(&mut self) -> bool {
        if self.nodes.len() <= 1 {
            return false;
        }
        let Some(mut node) = self.nodes.pop() else { return false };
        node.crash(&mut Env {
            api: &mut self.api,
            net: &mut self.net,
            disks: &mut self.disks,
            now: self.now,
        });
        let (name, host) = (node.name().to_owned(), node.host_namespace());
        if let Some(outer) = node.config().external_ip {
            let here = self.workstation.namespace();
            // A route that is not there need not go.
            let _ = self.net.del_route(here, Ipv4Net::from(outer).into());
        }
        self.net.remove_namespace(host);
        self.profile.nodes.pop();
        self.kubelets_since.remove(&self.nodes.len());
        // As the cloud's node lifecycle controller does with nodes whose machines are gone.
        let op = Op::Delete(DeleteOptions::default());
        let request = self.request(&NodeObject::kind(), "", &name, op);
        let _ = self.api.handle(request);
        self.lay_firewall();
        self.settle();
        true
    }

    /// etcd's certificates on a machine.
    pub(crate) fn etcd_files(
        &self,
        name: &str,
        ip: Ipv4Addr,
    ) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut rng = self.rng.fork("etcd-pki");
        etcd_pki::files(name, ip, self.pki.made_at(), &mut rng).map_err(|error| error.to_string())
    }

    /// The front proxy's certificates on a machine.
    pub(crate) fn front_proxy_files(&self) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut rng = self.rng.fork("front-proxy-pki");
        let authority = self.pki.front_proxy_authority();
        let files =
            authority.and_then(|it| etcd_pki::front_proxy_files(&it, self.pki.made_at(), &mut rng));
        files.map_err(|error| error.to_string())
    }

    /// Writes the learner's kubeconfig anew.
    pub(crate) fn write_kubeconfig(&mut self) -> Result<(), String> {
        let admin = self.pki.client(self.profile.admin(), self.now());
        let admin = admin.map_err(|error| error.to_string())?;
        let text = kubeconfig::text(&self.profile, &self.pki, &admin);
        let path = format!("{}/.kube/config", Workstation::HOME);
        let written = self.workstation.write_file(&path, text.as_bytes());
        written.map_err(|error| format!("{path}: {error}"))
    }

    /// Lays down on a machine what an installed cluster has there: its kubelet's identity, and on a
    /// control plane the certificates and manifests.
    pub(crate) fn lay_machine_files(&mut self, machine: usize) -> Result<(), String> {
        let Some(config) = self.nodes.get(machine).map(|node| node.config().clone()) else {
            return Ok(());
        };
        crate::host::lay_files(self, machine, config.control_plane, config.internal_ip)
    }

    /// Whether nothing gets through to a machine from the learner's.
    pub(crate) fn is_cut_off(&self, machine: usize) -> bool {
        self.damage.separates(Some(machine), None)
    }
}

/// The part of the cluster that a machine is.
pub(crate) fn part_of(machine: usize) -> crate::agenda::Part {
    crate::agenda::Part::Node(u32::try_from(machine).unwrap_or(u32::MAX))
}
