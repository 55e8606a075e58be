//! What a node is made from.

use crate::KubeletConfiguration;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A machine of the cluster, before it is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name: `worker`.
    pub name: String,
    /// Whether the control plane's programs run here.
    pub control_plane: bool,
    /// Whether a taint keeps ordinary pods away.
    pub tainted: bool,
    /// Its own address.
    pub internal_ip: Ipv4Addr,
    /// The address by which it is reached from outside of the nodes' network.
    pub external_ip: Option<Ipv4Addr>,
    /// Where its pods' addresses come from: `10.244.1.0/24`, with a bridge for them from the start.
    /// "" leaves the one to the controller manager and the other to a network plugin.
    pub pod_cidr: String,
    /// Where all pods' addresses come from: `10.244.0.0/16`.
    pub cluster_cidr: String,
    /// Where an API server of this node listens (`--secure-port`).
    pub secure_port: u16,
    /// The bridge that its pods' network is plugged into.
    pub bridge: String,
    /// Its processors.
    pub cpus: u32,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// Its disk, in bytes.
    pub disk_bytes: u64,
    /// How fast registries deliver, in bytes a second.
    pub image_bytes_per_second: u64,
    /// The address of the service `kube-dns`.
    pub cluster_dns: Ipv4Addr,
    /// The name server that the machine itself asks.
    pub resolver: Ipv4Addr,
    /// The end of services' names: `cluster.local`.
    pub cluster_domain: String,
    /// `spec.providerID`: `kind://docker/kind/worker`; "" for none.
    pub provider_id: String,
    /// Labels beyond those that every node has.
    pub labels: BTreeMap<String, String>,
    /// What it tells of its software.
    pub software: NodeSoftware,
    /// How its kubelet is set up.
    pub kubelet: KubeletConfiguration,
    /// Whether pods may have what its kubelet keeps against eviction, too
    /// (`--experimental-allocatable-ignore-eviction`).
    pub allocatable_ignores_eviction: bool,
    /// How the cluster was set up.
    pub kubeadm: ClusterConfiguration,
    /// Images that are there from the start beside those of the control plane, by their repositories.
    pub images: BTreeSet<String>,
    /// Whether its kubelet was started by kubeadm, which notes by which socket it speaks to the container
    /// runtime.
    pub by_kubeadm: bool,
}

/// What kubeadm was told of the cluster (`ClusterConfiguration`), as far as it is not as usual.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ClusterConfiguration {
    /// `clusterName`
    pub cluster_name: String,
    /// `networking.serviceSubnet`
    pub service_subnet: String,
    /// `controlPlaneEndpoint`; "" for none.
    pub control_plane_endpoint: String,
    /// `apiServer.certSANs`
    #[serde(rename = "certSANs")]
    pub cert_sans: Vec<String>,
    /// `apiServer.extraArgs`: flags by their names.
    pub api_server: BTreeMap<String, String>,
    /// `controllerManager.extraArgs`
    pub controller_manager: BTreeMap<String, String>,
    /// `scheduler.extraArgs`
    pub scheduler: BTreeMap<String, String>,
}

impl Default for ClusterConfiguration {
    /// Upstream: `cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go`.
    fn default() -> Self {
        ClusterConfiguration {
            cluster_name: "kubernetes".to_owned(),
            service_subnet: "10.96.0.0/12".to_owned(),
            control_plane_endpoint: String::new(),
            cert_sans: Vec::new(),
            api_server: BTreeMap::new(),
            controller_manager: BTreeMap::new(),
            scheduler: BTreeMap::new(),
        }
    }
}

/// The software of a machine, as its Node tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSoftware {
    /// The kubelet's version: `v1.33.1`.
    pub kubelet: String,
    /// The operating system.
    pub os_image: String,
    /// The kernel's version.
    pub kernel: String,
    /// The container runtime and its version.
    pub container_runtime: String,
}

impl Default for NodeSoftware {
    /// What kind's node image for v1.33.1 reports.
    fn default() -> Self {
        NodeSoftware {
            kubelet: "v1.33.1".to_owned(),
            os_image: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: "6.8.0-60-generic".to_owned(),
            container_runtime: "containerd://2.1.1".to_owned(),
        }
    }
}

impl Default for NodeConfig {
    /// A machine like those that kind makes on an ordinary computer: 4 processors, 8 GiB.
    fn default() -> Self {
        NodeConfig {
            name: String::new(),
            control_plane: false,
            tainted: false,
            internal_ip: Ipv4Addr::UNSPECIFIED,
            external_ip: None,
            pod_cidr: String::new(),
            cluster_cidr: "10.244.0.0/16".to_owned(),
            secure_port: 6443,
            bridge: "cni0".to_owned(),
            cpus: 4,
            memory_bytes: 8 << 30,
            disk_bytes: 64 << 30,
            image_bytes_per_second: 100_000_000,
            cluster_dns: Ipv4Addr::new(10, 96, 0, 10),
            resolver: Ipv4Addr::new(172, 18, 0, 1),
            cluster_domain: "cluster.local".to_owned(),
            provider_id: String::new(),
            labels: BTreeMap::new(),
            software: NodeSoftware::default(),
            kubelet: KubeletConfiguration::default(),
            allocatable_ignores_eviction: false,
            kubeadm: ClusterConfiguration::default(),
            images: BTreeSet::new(),
            by_kubeadm: false,
        }
    }
}
