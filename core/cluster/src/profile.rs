//! Boot profiles: which machines there are, and what is installed on them.

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
    pub pod_cidr: &'static str,
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
}

/// Three machines as kind (Kubernetes in Docker) lays them on its own Docker network.
fn kind() -> Profile {
    let worker = |name, last, pod_cidr| NodeProfile {
        name,
        control_plane: false,
        tainted: false,
        ip: Ipv4Addr::new(172, 18, 0, last),
        pod_cidr,
    };
    Profile {
        name: "kind",
        context: "kind-kind",
        nodes: vec![
            NodeProfile {
                control_plane: true,
                tainted: true,
                ..worker("control-plane", 2, "10.244.0.0/24")
            },
            worker("worker", 3, "10.244.1.0/24"),
            worker("worker2", 4, "10.244.2.0/24"),
        ],
        host_ip: Ipv4Addr::new(172, 18, 0, 1),
        manifests: &[
            include_str!("../../../assets/manifests/kube-proxy.yaml"),
            include_str!("../../../assets/manifests/kindnet.yaml"),
        ],
        coredns_replicas: 2,
    }
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
            pod_cidr: "10.244.0.0/24",
        }],
        host_ip: Ipv4Addr::new(192, 168, 49, 1),
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
