//! Switching a cluster on.

use crate::agenda::Part;
use crate::cluster::admin;
use crate::controlplane::{self, CLOUD_CONTROLLER_MANAGER, CLOUD_DISKS, ControlProcess, Presence};
use crate::load_balancers::LoadBalancers;
use crate::pki::ClusterPki;
use crate::profile::{NodeProfile, Profile, ProfileError};
use crate::secure_port::SecurePort;
use crate::workstation::Workstation;
use crate::{Cluster, kubeconfig, markcontrolplane, programs, uploadconfig};
use ipnet::{IpNet, Ipv4Net};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Node as NodeObject, Pod, ServiceAccount};
use naru_api::quantity::Amount;
use naru_api::request::{Body, Op};
use naru_api::status::ApiResult;
use naru_api::{ApiService, Kube, Object, Request, pods, scheme, yaml};
use naru_apiserver::{ApiServer, AuthenticationConfig, AuthorizationMode};
use naru_client::Controller as _;
use naru_network::{Link, Network, NsId, Route, TopologyError};
use naru_node::{KubeletConfiguration, Node, NodeConfig, NodeSoftware};
use naru_pki::PkiError;
use naru_sim::{Rng, Time};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// The address of the service `kubernetes`.
const KUBERNETES_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Where the cluster IPs of Services come from.
pub const SERVICE_RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16);

/// Service accounts of controllers that find nothing to do here.
const ACCOUNTS_BESIDE: [&str; 4] = [
    "legacy-service-account-token-cleaner",
    "service-cidrs-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
];

/// The namespace of the control plane.
pub const SYSTEM: &str = "kube-system";

/// Virtual time that a new cluster has behind it at least: nobody sits before one in its first
/// second.
const BOOT_TIME_MIN: Duration = Duration::from_secs(60);

/// Virtual time after which a cluster that is still not ready is handed over as it is.
const BOOT_TIME_MAX: Duration = Duration::from_secs(300);

/// Why a cluster could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// There is no such profile.
    #[error("unknown profile {name:?}; known are: {}", Profile::NAMES.join(", "))]
    UnknownProfile {
        /// What was asked for.
        name: String,
    },
    /// A profile of one's own makes no sense.
    #[error("profile: {0}")]
    Profile(#[from] ProfileError),
    /// A manifest that belongs to the profile was refused.
    #[error("manifest of the profile: {0}")]
    Manifest(String),
    /// The learner's files could not be laid down.
    #[error("files of the learner's machine: {0}")]
    Files(String),
    /// The cluster's certificates could not be made.
    #[error("certificates of the cluster: {0}")]
    Certificates(String),
    /// The machines could not be cabled up.
    #[error("network of the profile: {0}")]
    Network(TopologyError),
    /// A process of the control plane could not start.
    #[error("{0}: {1}")]
    Process(Arc<str>, String),
}

impl From<PkiError> for BootError {
    fn from(error: PkiError) -> Self {
        BootError::Certificates(error.to_string())
    }
}

impl From<TopologyError> for BootError {
    fn from(error: TopologyError) -> Self {
        BootError::Network(error)
    }
}

/// Switches a cluster on at the moment `start` and lets it run until its own pods are ready.
pub fn boot(profile: Profile, seed: u64, start: Time) -> Result<Cluster, BootError> {
    let rng = Rng::new(seed);
    let pki = ClusterPki::new(&rng, start)?;
    let mut api = api_server(&rng, &pki, start)?;
    let mut net = Network::new(rng.fork("network"));
    let mut kubeconfig = None;
    if profile.installed {
        install_roles(&mut api, &profile)?;
        api.start_flow_control().map_err(manifest_error)?;
        install(&mut api, &profile)?;
        upload_config(&mut api, &profile, &pki)?;
        let admin = pki.client(profile.admin(), start)?;
        kubeconfig = Some(kubeconfig::text(&profile, &pki, &admin));
    }
    let mut workstation = Workstation::new(&profile, kubeconfig.as_deref(), &mut net, &rng)?;
    let mut nodes = Vec::new();
    for (index, machine) in profile.nodes.iter().enumerate() {
        let mut node =
            Node::new(node_config(&profile, machine), programs::in_containers(), &rng, &mut net);
        node.defer_machine();
        cable(&mut net, &workstation, &profile, machine, &node, index)?;
        nodes.push(node);
    }
    workstation.plug_in(&mut net)?;
    let mut cluster = Cluster::assemble(profile, rng, pki, api, net, nodes, workstation);
    cluster.set_now(start);
    if !cluster.profile.installed {
        cluster.api_presence = Presence::ABSENT;
        cluster.advance(start + BOOT_TIME_MIN, u64::MAX);
        return Ok(cluster);
    }
    start_secure_ports(&mut cluster)?;
    start_control_plane(&mut cluster)?;
    cluster.start_identities();
    start_load_balancers(&mut cluster)?;
    if cluster.profile.cloud.is_some() {
        cluster.lay_firewall();
    }
    start_nodes(&mut cluster);
    markcontrolplane::mark(&mut cluster, start + BOOT_TIME_MAX);
    wait_until_ready(&mut cluster, start);
    Ok(cluster)
}

/// An API server with the flags that kubeadm gives it.
fn api_server(rng: &Rng, pki: &ClusterPki, start: Time) -> Result<ApiServer, BootError> {
    let mut api = ApiServer::starting(rng.fork("kube-apiserver"), start);
    api.set_authentication(AuthenticationConfig {
        client_ca: Some(pki.authority().certificate().clone()),
        request_header_ca: Some(pki.front_proxy_authority()?.certificate().clone()),
        service_accounts: Some(pki.service_accounts().clone()),
        tokens: Vec::new(),
    });
    api.set_authorization_mode(AuthorizationMode::NodeRbac);
    Ok(api)
}

/// Makes the roles that are there from the start.
pub fn install_roles(api: &mut ApiServer, profile: &Profile) -> Result<(), BootError> {
    let host = profile.nodes.iter().find(|node| node.control_plane).or(profile.nodes.first());
    api.set_host_node(host.map_or("", |node| &node.name));
    api.install_bootstrap_policy().map_err(manifest_error)?;
    for policy in &profile.policies {
        api.install_policy(policy).map_err(manifest_error)?;
    }
    Ok(())
}

/// Makes the objects that are there from the start.
fn install(api: &mut ApiServer, profile: &Profile) -> Result<(), BootError> {
    publish(api, profile).map_err(manifest_error)?;
    for manifest in &profile.manifests {
        for document in yaml::documents(manifest) {
            let json = document.map_err(manifest_error)?;
            let text = |pointer| json.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
            let kind = scheme::by_kind(&api.kinds(), text("/apiVersion"), text("/kind"))
                .ok_or_else(|| BootError::Manifest(format!("no kind {}", text("/kind"))))?;
            let namespace = text("/metadata/namespace").to_owned();
            let request = create(kind, namespace, Body::Json(json.clone()));
            api.handle(request).map_err(manifest_error)?;
        }
    }
    for object in naru_addons::coredns::manifests(profile.coredns_replicas) {
        let request = create(object.kind(), object.namespace().to_owned(), Body::Object(object));
        api.handle(request).map_err(manifest_error)?;
    }
    Ok(())
}

/// Tells how the cluster was set up, if its control plane is on machines of its own.
fn upload_config(
    api: &mut ApiServer,
    profile: &Profile,
    pki: &ClusterPki,
) -> Result<(), BootError> {
    let Some(first) = profile.nodes.iter().find(|node| node.control_plane) else { return Ok(()) };
    let pods = profile.pod_cidr.to_string();
    for json in uploadconfig::config_maps(profile, pki, first.ip, &pods) {
        let namespace = json["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let request = create(ConfigMap::kind(), namespace, Body::Json(json));
        api.handle(request).map_err(manifest_error)?;
    }
    Ok(())
}

/// Sees to the service `kubernetes`.
pub fn publish(api: &mut ApiServer, profile: &Profile) -> ApiResult<()> {
    match profile.control_plane_ips().next() {
        Some(ip) => api.publish(&ip.to_string(), i32::from(profile.secure_port)),
        None => Ok(()),
    }
}

fn create(kind: naru_api::KindRef, namespace: String, body: Body) -> Request {
    Request { namespace, ..Request::new(admin(), Arc::from("kubeadm"), kind, Op::Create(body)) }
}

fn manifest_error(error: impl std::fmt::Display) -> BootError {
    BootError::Manifest(error.to_string())
}

pub fn node_config(profile: &Profile, machine: &NodeProfile) -> NodeConfig {
    NodeConfig {
        kubeadm: profile.kubeadm.clone(),
        images: profile.images(),
        by_kubeadm: profile.cloud.is_none(),
        control_plane: machine.control_plane,
        tainted: machine.tainted,
        name: machine.name.clone(),
        internal_ip: machine.ip,
        external_ip: machine.external_ip,
        pod_cidr: machine.pod_cidr.map(|range| range.to_string()).unwrap_or_default(),
        cluster_cidr: profile.pod_cidr.to_string(),
        secure_port: profile.secure_port,
        resolver: profile.host,
        cpus: profile.hardware.cpus,
        memory_bytes: bytes(&profile.hardware.memory),
        disk_bytes: bytes(&profile.hardware.disk),
        labels: profile.labels.clone().into_iter().chain(machine.labels.clone()).collect(),
        provider_id: machine.provider_id.clone(),
        software: NodeSoftware {
            kubelet: profile.software.kubelet.clone(),
            os_image: profile.software.os_image.clone(),
            kernel: profile.software.kernel.clone(),
            container_runtime: profile.software.container_runtime.clone(),
        },
        // Who read the profile has looked at it.
        kubelet: KubeletConfiguration::of(&profile.kubelet).unwrap_or_default(),
        allocatable_ignores_eviction: profile.allocatable_ignores_eviction,
        ..NodeConfig::default()
    }
}

/// A size that the profile's reader has looked at.
fn bytes(size: &str) -> u64 {
    let amount = size.parse::<Amount>().map(Amount::value).unwrap_or_default();
    u64::try_from(amount).unwrap_or_default()
}

/// Plugs a node into the network on which the learner's machine is the gateway.
pub fn cable(
    net: &mut Network,
    workstation: &Workstation,
    profile: &Profile,
    machine: &NodeProfile,
    node: &Node,
    index: usize,
) -> Result<(), BootError> {
    let (host, here) = (node.host_namespace(), workstation.namespace());
    let port = format!("veth{index}");
    net.add_veth((host, "eth0"), (here, &port), Link::LAN)?;
    net.set_master(here, &port, Workstation::BRIDGE)?;
    net.add_address(host, "eth0", profile.address(machine.ip))?;
    if let Some(outer) = machine.external_ip {
        // The cloud's edge would exchange the addresses; here the machine has both.
        net.add_address(host, "eth0", Ipv4Net::from(outer).into())?;
        let (to, via) = (Ipv4Net::from(outer).into(), Some(machine.ip.into()));
        net.add_route(here, Route { to, via, dev: Workstation::BRIDGE.to_owned(), src: None })?;
    }
    let everywhere = IpNet::V4(Ipv4Net::default());
    let (via, dev) = (Some(profile.host.into()), "eth0".to_owned());
    net.add_route(host, Route { to: everywhere, via, dev, src: None })?;
    Ok(())
}

fn start_control_plane(cluster: &mut Cluster) -> Result<(), BootError> {
    let (profile, pki) = (cluster.profile.clone(), cluster.pki.clone());
    let setting = controlplane::Setting::new(&profile, &pki, &cluster.rng);
    for controller in controlplane::controllers(&setting) {
        let account = naru_controllers::service_account(controller.name()).to_owned();
        make_account(&mut cluster.api, &account)?;
    }
    for account in ACCOUNTS_BESIDE {
        make_account(&mut cluster.api, account)?;
    }
    let hosts = profile.nodes.iter().enumerate().filter(|(_, node)| node.control_plane);
    let mut hosts: Vec<Option<usize>> = hosts.map(|(index, _)| Some(index)).collect();
    if hosts.is_empty() {
        hosts.push(None);
    }
    let mut programs = Vec::new();
    for host in hosts {
        programs.extend(controlplane::programs(&setting, host));
    }
    let cloud = controlplane::cloud_controller_manager(&setting);
    programs.extend(cloud.map(|it| ControlProcess::new(CLOUD_CONTROLLER_MANAGER, it, None)));
    let disks = controlplane::cloud_disks(&setting);
    programs.extend(disks.map(|it| ControlProcess::new(CLOUD_DISKS, it, None)));
    for (index, mut control) in (0..).zip(programs) {
        if control.leads() {
            let process = &mut control.process;
            process
                .start(&mut cluster.api)
                .map_err(|error| BootError::Process(process.name().clone(), error.to_string()))?;
            cluster.own_watches(Part::Control(index), process.watch_ids());
        }
        cluster.control.push(control);
        cluster.plan(Part::Control(index));
    }
    Ok(())
}

/// Lets the API server listen on the machines of the control plane, or at an address of its own.
pub fn start_secure_ports(cluster: &mut Cluster) -> Result<(), BootError> {
    let machines = cluster.profile.nodes.iter().zip(&cluster.nodes);
    let mut places: Vec<(NsId, String, Ipv4Addr)> = machines
        .filter(|(machine, _)| machine.control_plane)
        .map(|(machine, node)| (node.host_namespace(), machine.name.clone(), machine.ip))
        .collect();
    if let Some(ip) = cluster.profile.control_plane_address {
        places.push((cable_control_plane(cluster, ip)?, "control-plane".to_owned(), ip));
    }
    for (index, (namespace, name, ip)) in (0..).zip(places) {
        let addresses = [KUBERNETES_IP.into(), ip.into(), Ipv4Addr::LOCALHOST.into()];
        let Cluster { pki, rng, now, profile, .. } = &*cluster;
        let port =
            SecurePort::new((namespace, profile.secure_port), &name, &addresses, pki, rng, *now)?;
        cluster.secure_ports.push(port);
        cluster.plan(Part::SecurePort(index));
    }
    Ok(())
}

/// Plugs in a control plane that is on none of the machines.
fn cable_control_plane(cluster: &mut Cluster, ip: Ipv4Addr) -> Result<NsId, BootError> {
    let (net, outside) = (&mut cluster.net, cluster.workstation.namespace());
    let namespace = net.add_namespace("control-plane");
    net.add_veth((namespace, "eth0"), (outside, "vethcp"), Link::LAN)?;
    net.set_master(outside, "vethcp", Workstation::BRIDGE)?;
    net.add_address(namespace, "eth0", IpNet::from(IpAddr::from(ip)))?;
    let dev = "eth0".to_owned();
    let machines = IpNet::V4(cluster.profile.network);
    net.add_route(namespace, Route { to: machines, via: None, dev, src: Some(ip.into()) })?;
    let dev = Workstation::BRIDGE.to_owned();
    let to = IpNet::from(IpAddr::from(ip));
    net.add_route(outside, Route { to, via: None, dev, src: None })?;
    Ok(namespace)
}

/// Starts what brings packets to the nodes from outside. Where there is no cloud, it is only that
/// nobody gives Services addresses.
pub fn start_load_balancers(cluster: &mut Cluster) -> Result<(), BootError> {
    let mut process = LoadBalancers::process(&cluster.rng);
    process
        .start(&mut cluster.api)
        .map_err(|error| BootError::Process(process.name().clone(), error.to_string()))?;
    cluster.own_watches(Part::Cloud, process.watch_ids());
    cluster.cloud = Some(process);
    cluster.plan(Part::Cloud);
    Ok(())
}

/// Makes the service account as which a controller works, as kube-controller-manager does before
/// it starts one.
///
/// Upstream: `getOrCreateServiceAccount` in `controller-manager/pkg/clientbuilder`.
pub fn make_account(api: &mut ApiServer, name: &str) -> Result<(), BootError> {
    let mut account = ServiceAccount::default();
    account.metadata.name = Some(name.to_owned());
    account.metadata.namespace = Some(SYSTEM.to_owned());
    let body = Body::Object(Object::new(account));
    let request = create(ServiceAccount::kind(), SYSTEM.to_owned(), body);
    match api.handle(request) {
        // Some work as the same one.
        Err(error) if !error.is_already_exists() => Err(manifest_error(error)),
        _ => Ok(()),
    }
}

fn start_nodes(cluster: &mut Cluster) {
    for index in 0..cluster.nodes.len() {
        let Ok(number) = u32::try_from(index) else { return };
        cluster.start_node(number);
    }
    cluster.plan(Part::ApiServer);
    cluster.settle();
}

/// Lets time pass until every node and every pod that the profile asked for is ready.
fn wait_until_ready(cluster: &mut Cluster, start: Time) {
    cluster.advance(start + BOOT_TIME_MIN, u64::MAX);
    while cluster.now() < start + BOOT_TIME_MAX && !is_ready(cluster) {
        cluster.advance(cluster.now() + Duration::from_secs(1), u64::MAX);
    }
}

fn is_ready(cluster: &mut Cluster) -> bool {
    let nodes = cluster.list(&NodeObject::kind(), "", "", "");
    let ready_nodes = nodes.iter().filter(|node| node_is_ready(node)).count();
    if ready_nodes < cluster.profile.nodes.len() {
        return false;
    }
    let system = cluster.list(&Pod::kind(), "kube-system", "", "");
    let wanted = system_pods(cluster);
    system.len() >= wanted && system.iter().filter_map(Object::get).all(pods::is_ready)
}

/// How many pods of kube-system there are once the cluster is up: four of each control plane, one
/// of each DaemonSet on each node, and CoreDNS.
fn system_pods(cluster: &mut Cluster) -> usize {
    let daemons = cluster.list(&DaemonSet::kind(), SYSTEM, "", "").len();
    let profile = &cluster.profile;
    let coredns = usize::try_from(profile.coredns_replicas).unwrap_or(0);
    4 * profile.control_planes() + daemons * profile.nodes.len() + coredns
}

/// Whether a node is ready.
pub fn node_is_ready(node: &Object) -> bool {
    node.get::<NodeObject>()
        .and_then(|node| node.status.as_ref())
        .into_iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
