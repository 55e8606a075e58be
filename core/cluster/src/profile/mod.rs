//! Boot profiles: which machines there are, and what is installed on them.
//!
//! A profile is a file of `assets/profiles`, or one that a lesson brings.

mod read;

pub use read::{ProfileError, manifest};

use ipnet::{IpNet, Ipv4Net};
use naru_node::ClusterConfiguration;
use naru_pki::Subject;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The profiles that come with the program: name and text.
const FILES: [(&str, read::Read); 5] = [
    ("gke", || include_str!("../../../../assets/profiles/gke.yaml")),
    ("ha", || include_str!("../../../../assets/profiles/ha.yaml")),
    ("kind", || include_str!("../../../../assets/profiles/kind.yaml")),
    ("kubeadm", || include_str!("../../../../assets/profiles/kubeadm.yaml")),
    ("minikube", || include_str!("../../../../assets/profiles/minikube.yaml")),
];

/// A kind of cluster that one can start with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// Its name on the command line and in a lesson.
    pub name: String,
    /// The name of the cluster, its context and its user in kubeconfig.
    pub context: String,
    /// The learner, as the certificate in their kubeconfig names them.
    pub admin: Admin,
    /// The machines' own network.
    #[serde(deserialize_with = "read::range")]
    pub network: Ipv4Net,
    /// The address of the learner's own machine there; it is the gateway.
    pub host: Ipv4Addr,
    /// Where the API server is reached if it is on none of the machines.
    #[serde(default)]
    pub control_plane_address: Option<Ipv4Addr>,
    /// The port of the API server (`--secure-port`).
    #[serde(default = "default_secure_port")]
    pub secure_port: u16,
    /// Where all pods' addresses come from.
    #[serde(default = "default_pod_range", rename = "podCIDR", deserialize_with = "read::range")]
    pub pod_cidr: Ipv4Net,
    /// Whether the programs of the control plane elect a leader, even if there is but one.
    #[serde(default = "default_true")]
    pub leader_elect: bool,
    /// Whether nodes are given no ranges of pods' addresses: `kubeadm init` without
    /// `--pod-network-cidr`.
    #[serde(skip)]
    pub pod_ranges_off: bool,
    /// Whether the cluster is there from the start; if not, `kubeadm` makes it.
    #[serde(default = "default_true")]
    pub installed: bool,
    /// Roles and bindings: names of files of `assets/rbac`, or texts of their format.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Manifests that are there from the start: names of files of `assets/manifests`, or YAML.
    #[serde(default)]
    pub manifests: Vec<String>,
    /// Replicas of CoreDNS.
    pub coredns_replicas: i32,
    /// The cloud that the machines are rented from.
    #[serde(default)]
    pub cloud: Option<Cloud>,
    /// What runs on the machines.
    #[serde(default)]
    pub software: Software,
    /// What the machines are made of.
    #[serde(default)]
    pub hardware: Hardware,
    /// Fields of the kubelets' configuration (`KubeletConfiguration`) that are not as usual.
    #[serde(default)]
    pub kubelet: Map<String, Value>,
    /// Whether pods may have what the kubelets keep against eviction, too.
    #[serde(default)]
    pub allocatable_ignores_eviction: bool,
    /// What kubeadm was told when the cluster was set up.
    #[serde(default)]
    pub kubeadm: ClusterConfiguration,
    /// Labels of every node.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The machines.
    #[serde(rename = "machines")]
    pub nodes: Vec<NodeProfile>,
}

/// Who a client certificate is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The user's name.
    pub name: String,
    /// The user's groups.
    pub groups: Vec<String>,
}

/// A cloud, as far as it makes load balancers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cloud {
    /// The project that pays.
    pub project: String,
    /// Where the machines are.
    pub zone: String,
    /// The name of the cluster there.
    pub cluster: String,
    /// The kind of machine.
    pub machine_type: String,
    /// Where the addresses of load balancers come from.
    #[serde(deserialize_with = "read::range")]
    pub load_balancers: Ipv4Net,
}

/// What a node tells of its software.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Software {
    /// The kubelet's version.
    pub kubelet: String,
    /// `status.nodeInfo.osImage`
    pub os_image: String,
    /// The kernel's version.
    pub kernel: String,
    /// The container runtime and its version.
    pub container_runtime: String,
}

impl Default for Software {
    /// What kind's node image for v1.33.1 reports.
    fn default() -> Self {
        Software {
            kubelet: "v1.33.1".to_owned(),
            os_image: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: "6.8.0-60-generic".to_owned(),
            container_runtime: "containerd://2.1.1".to_owned(),
        }
    }
}

/// What a machine is made of; sizes are quantities: `8Gi`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardware {
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory: String,
    /// Disk.
    pub disk: String,
}

impl Default for Hardware {
    /// An ordinary computer.
    fn default() -> Self {
        Hardware { cpus: 4, memory: "8Gi".to_owned(), disk: "64Gi".to_owned() }
    }
}

/// One machine of a [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NodeProfile {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// The address by which it is reached from outside of its network.
    #[serde(default, rename = "externalIP")]
    pub external_ip: Option<Ipv4Addr>,
    /// Whether the control plane runs here.
    #[serde(default)]
    pub control_plane: bool,
    /// Whether ordinary pods are kept away from it.
    #[serde(default)]
    pub tainted: bool,
    /// Where its pods' addresses come from, if that is settled before it joins: then a bridge for
    /// them is there from the start. Otherwise the controller manager says, and a network plugin
    /// makes the bridge.
    #[serde(default, rename = "podCIDR", deserialize_with = "read::some_range")]
    pub pod_cidr: Option<Ipv4Net>,
    /// `spec.providerID`; "" for none.
    #[serde(default, rename = "providerID")]
    pub provider_id: String,
    /// Labels of its own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn default_true() -> bool {
    true
}

/// What kubeadm and kind take.
fn default_secure_port() -> u16 {
    6443
}

/// What kubeadm's `--pod-network-cidr` is in kind and minikube.
fn default_pod_range() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16)
}

impl Profile {
    /// The names of the profiles that come with the program.
    pub const NAMES: [&'static str; FILES.len()] = {
        let mut names = [""; FILES.len()];
        let mut index = 0;
        while index < FILES.len() {
            names[index] = FILES[index].0;
            index += 1;
        }
        names
    };

    /// The profile of this name.
    pub fn by_name(name: &str) -> Option<Profile> {
        let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
        Profile::read(text()).ok()
    }

    /// The repositories of the images that its own manifests run, which its machines have from the start.
    pub fn images(&self) -> BTreeSet<String> {
        let lines = self.manifests.iter().flat_map(|manifest| manifest.lines());
        let named = lines.filter_map(|line| {
            let image = line.trim().trim_start_matches("- ").strip_prefix("image: ")?;
            let (repository, _tag) = image.rsplit_once(':')?;
            Some(repository.to_owned())
        });
        named.collect()
    }

    /// An address of the nodes' network, with its prefix.
    pub fn address(&self, ip: Ipv4Addr) -> IpNet {
        // A prefix that is no prefix would be a mistake in a profile: then the address is alone.
        Ipv4Net::new(ip, self.network.prefix_len()).unwrap_or_else(|_| Ipv4Net::from(ip)).into()
    }

    /// The learner, as the certificate in their kubeconfig names them.
    pub fn admin(&self) -> Subject {
        let groups: Vec<&str> = self.admin.groups.iter().map(String::as_str).collect();
        Subject::new(&self.admin.name, &groups)
    }

    /// The addresses at which the control plane is reached.
    pub fn control_plane_ips(&self) -> impl Iterator<Item = Ipv4Addr> {
        let on_machines = self.nodes.iter().filter(|node| node.control_plane).map(|node| node.ip);
        self.control_plane_address.into_iter().chain(on_machines)
    }

    /// How many machines run the control plane.
    pub fn control_planes(&self) -> usize {
        self.nodes.iter().filter(|node| node.control_plane).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_profile() {
        for (name, text) in FILES {
            let profile = Profile::read(text()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(profile.name, name);
            assert_eq!(Profile::by_name(name), Some(profile));
        }
        assert!(Profile::NAMES.is_sorted());
        assert_eq!(Profile::by_name("docker-desktop"), None);
    }
}
