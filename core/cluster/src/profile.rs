//! Boot profiles: which machines there are, and what is installed on them.

use ipnet::{IpNet, Ipv4Net};
use naru_pki::Subject;
use std::net::Ipv4Addr;

/// A kind of cluster that one can start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name on the command line and in a lesson.
    pub name: &'static str,
    /// The name of the cluster, its context and its user in kubeconfig.
    pub context: &'static str,
    /// The machines.
    pub nodes: Vec<NodeProfile>,
    /// The address of the learner's own machine on the nodes' network.
    pub host_ip: Ipv4Addr,
    /// Bits of the prefix of that network.
    pub prefix: u8,
    /// Roles and bindings beyond those of kubeadm, in the format of `assets/rbac`.
    pub policy: &'static str,
    /// Manifests that are there from the start, in YAML.
    pub manifests: &'static [&'static str],
    /// Replicas of CoreDNS.
    pub coredns_replicas: i32,
}

/// One machine of a [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProfile {
    /// Its name.
    pub name: &'static str,
    /// Whether the control plane runs here.
    pub control_plane: bool,
    /// Whether ordinary pods are kept away from it.
    pub tainted: bool,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Where its pods' addresses come from.
    pub pod_cidr: Ipv4Net,
}

impl Profile {
    /// The names of all profiles.
    pub const NAMES: [&'static str; 2] = ["kind", "minikube"];

    /// The profile of this name.
    pub fn by_name(name: &str) -> Option<Profile> {
        match name {
            "kind" => Some(kind()),
            "minikube" => Some(minikube()),
            _ => None,
        }
    }

    /// An address of the nodes' network, with its prefix.
    pub fn address(&self, ip: Ipv4Addr) -> IpNet {
        // A prefix that is no prefix would be a mistake in a profile: then the address is alone.
        Ipv4Net::new(ip, self.prefix).unwrap_or_else(|_| Ipv4Net::from(ip)).into()
    }

    /// The learner, as the certificate in their kubeconfig names them.
    pub fn admin(&self) -> Subject {
        match self.name {
            "minikube" => Subject::new("minikube-user", &["system:masters"]),
            _ => Subject::new("kubernetes-admin", &["kubeadm:cluster-admins"]),
        }
    }

    /// The addresses of the machines where the control plane runs.
    pub fn control_plane_ips(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.nodes.iter().filter(|node| node.control_plane).map(|node| node.ip)
    }

    /// How many pods of kube-system there are once the cluster is up: four of the control plane,
    /// one of each DaemonSet on each node, and CoreDNS.
    pub fn system_pods(&self) -> usize {
        let control_plane = 4 * self.control_plane_ips().count();
        let daemons = self.manifests.len() * self.nodes.len();
        control_plane + daemons + usize::try_from(self.coredns_replicas).unwrap_or(0)
    }
}

/// Three machines as kind (Kubernetes in Docker) lays them on its own Docker network.
fn kind() -> Profile {
    let worker = |name, last| NodeProfile {
        name,
        control_plane: false,
        tainted: false,
        ip: Ipv4Addr::new(172, 18, 0, last + 2),
        pod_cidr: pod_cidr(last),
    };
    Profile {
        name: "kind",
        context: "kind-kind",
        nodes: vec![
            NodeProfile { control_plane: true, tainted: true, ..worker("control-plane", 0) },
            worker("worker", 1),
            worker("worker2", 2),
        ],
        host_ip: Ipv4Addr::new(172, 18, 0, 1),
        prefix: 16,
        policy: include_str!("../../../assets/rbac/kind.policy"),
        manifests: &[
            include_str!("../../../assets/manifests/kube-proxy.yaml"),
            include_str!("../../../assets/manifests/kindnet.yaml"),
        ],
        coredns_replicas: 2,
    }
}

/// The addresses of the pods of a node, as kube-controller-manager gives them out.
fn pod_cidr(node: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 244, node, 0), 24)
}

/// One machine as minikube starts it.
fn minikube() -> Profile {
    Profile {
        name: "minikube",
        context: "minikube",
        nodes: vec![NodeProfile {
            name: "minikube",
            control_plane: true,
            tainted: false,
            ip: Ipv4Addr::new(192, 168, 49, 2),
            pod_cidr: pod_cidr(0),
        }],
        host_ip: Ipv4Addr::new(192, 168, 49, 1),
        prefix: 24,
        policy: include_str!("../../../assets/rbac/minikube.policy"),
        manifests: &[include_str!("../../../assets/manifests/kube-proxy.yaml")],
        coredns_replicas: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_profile() {
        for name in Profile::NAMES {
            assert_eq!(Profile::by_name(name).map(|profile| profile.name), Some(name));
        }
        assert_eq!(Profile::by_name("docker-desktop"), None);
    }
}
