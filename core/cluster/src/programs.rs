//! Which programs there are, beyond those that every machine knows.

use crate::{host, own_scheduler};
use naru_shell::{Completer, Program, ProgramTable, standard_programs};

/// The programs of the learner's machine.
pub fn on_workstation() -> &'static dyn ProgramTable {
    &Workstation
}

/// The programs of the machines under the nodes.
pub fn on_machines() -> &'static dyn ProgramTable {
    &Machine
}

/// The programs of containers: the add-ons', and after them those that `core/node` knows.
pub fn in_containers() -> &'static dyn ProgramTable {
    &Containers
}

struct Workstation;

impl ProgramTable for Workstation {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        match name {
            "kubectl" => Some(host::hints::kubectl()),
            "docker" | "exportfs" | "naru" | "minikube" | "gcloud" | "targetcli" => {
                Some(host::program())
            }
            "apt" | "apt-get" => naru_node::programs().load(name),
            "ssh" | "docker-attach" => Some(host::ssh::program()),
            "sudo" => Some(host::ssh::sudo()),
            _ => naru_tools::load(name).or_else(|| standard_programs().load(name)),
        }
    }

    fn completer(&self, name: &str) -> Option<&'static dyn Completer> {
        match name {
            "kubectl" | "k" => Some(naru_kubectl::completer()),
            _ => standard_programs().completer(name),
        }
    }
}

struct Machine;

impl ProgramTable for Machine {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        match name {
            "kubectl" => Some(naru_kubectl::program()),
            "apt" | "apt-get" => naru_node::programs().load(name),
            "sudo" => Some(host::ssh::sudo()),
            name if host::MACHINE_PROGRAMS.contains(&name) => Some(host::program()),
            _ => naru_tools::load(name).or_else(|| standard_programs().load(name)),
        }
    }

    fn completer(&self, name: &str) -> Option<&'static dyn Completer> {
        on_workstation().completer(name)
    }
}

struct Containers;

impl ProgramTable for Containers {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        match name {
            "kubectl" => Some(naru_kubectl::program()),
            "etcdctl" => Some(naru_addons::etcd::program()),
            "kube-scheduler" => Some(own_scheduler::program()),
            "coredns" => Some(naru_addons::coredns::program()),
            "kube-webhook-certgen" => Some(naru_addons::ingress::certgen::program()),
            "metallb-controller" => Some(naru_addons::metallb::controller()),
            "metallb-speaker" => Some(naru_addons::metallb::speaker()),
            "k8s-test-metrics-adapter" => Some(naru_addons::metricsadapter::program()),
            "metrics-server" => Some(naru_addons::metricsserver::program()),
            "nginx-ingress-controller" => Some(naru_addons::ingress::program()),
            "local-path-provisioner" => Some(naru_addons::provisioner::local_path()),
            "storage-provisioner" => Some(naru_addons::provisioner::minikube_hostpath()),
            _ => naru_addons::csi::program(name)
                .or_else(|| naru_tools::load(name))
                .or_else(|| naru_node::programs().load(name)),
        }
    }
}
