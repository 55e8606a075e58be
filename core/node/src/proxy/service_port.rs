//! One port of a service, as the proxy sees it.
//!
//! Upstream: `pkg/proxy/serviceport.go`, `pkg/api/v1/service/util.go`.

use k8s_openapi::api::core::v1::{Service, ServicePort as ApiPort, ServiceSpec};
use naru_network::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// Another proxy takes care of services with this label.
const SERVICE_PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// One port of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePort {
    /// `default/web:http`; without a colon when the port has no name.
    pub name: String,
    /// The port's name, or "".
    pub port_name: String,
    /// `tcp`, `udp`, `sctp`
    pub protocol: String,
    /// The service's address within the cluster.
    pub cluster_ip: IpAddr,
    /// The port at that address.
    pub port: i32,
    /// The port on every node; 0 when there is none.
    pub node_port: i32,
    /// Addresses from outside that lead to the nodes.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of load balancers that keep the destination.
    pub load_balancer_ips: Vec<IpAddr>,
    /// Who may use those; empty for everybody.
    pub load_balancer_ranges: Vec<IpNet>,
    /// How many seconds a client stays with its endpoint; `None` without affinity.
    pub affinity_seconds: Option<i32>,
    /// Traffic from outside goes to endpoints of this node only.
    pub external_local: bool,
    /// Traffic from inside goes to endpoints of this node only.
    pub internal_local: bool,
    /// Where a load balancer asks whether this node has endpoints; 0 when it does not.
    pub health_check_port: i32,
}

impl ServicePort {
    /// Every port of a service that this proxy takes care of.
    pub fn of(service: &Service) -> Vec<ServicePort> {
        let spec = service.spec.clone().unwrap_or_default();
        let labels = service.metadata.labels.as_ref();
        let foreign = labels.is_some_and(|labels| labels.contains_key(SERVICE_PROXY_NAME));
        if foreign || spec.type_.as_deref() == Some("ExternalName") {
            return Vec::new();
        }
        // Neither "" nor "None" is an address.
        let Some(ip) = spec.cluster_ip.as_deref().and_then(|ip| IpAddr::from_str(ip).ok()) else {
            return Vec::new();
        };
        let ports = spec.ports.iter().flatten();
        ports.map(|port| ServicePort::new(service, &spec, port, ip)).collect()
    }

    fn new(service: &Service, spec: &ServiceSpec, port: &ApiPort, cluster_ip: IpAddr) -> Self {
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        let name = service.metadata.name.as_deref().unwrap_or_default();
        let port_name = port.name.clone().unwrap_or_default();
        let colon = if port_name.is_empty() { "" } else { ":" };
        let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
        let external_ips = addresses(spec.external_ips.as_deref(), cluster_ip);
        let exposed = matches!(kind, "NodePort" | "LoadBalancer")
            || kind == "ClusterIP" && !external_ips.is_empty();
        let local = |policy: &Option<String>| policy.as_deref() == Some("Local");
        let external_local = exposed && local(&spec.external_traffic_policy);
        let needs_health_check = kind == "LoadBalancer" && external_local;
        ServicePort {
            name: format!("{namespace}/{name}{colon}{port_name}"),
            port_name,
            protocol: port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase(),
            cluster_ip,
            port: port.port,
            node_port: port.node_port.unwrap_or(0),
            load_balancer_ips: load_balancer_ips(service, cluster_ip),
            load_balancer_ranges: source_ranges(spec, cluster_ip),
            affinity_seconds: affinity(spec),
            external_ips,
            external_local,
            internal_local: local(&spec.internal_traffic_policy),
            health_check_port: spec
                .health_check_node_port
                .filter(|_| needs_health_check)
                .unwrap_or(0),
        }
    }

    /// Whether anything outside the cluster leads to it.
    pub fn is_external(&self) -> bool {
        self.node_port != 0 || !self.load_balancer_ips.is_empty() || !self.external_ips.is_empty()
    }

    /// Whether endpoints of the whole cluster are needed. With policy `Local` they are, for the
    /// node's own traffic to addresses from outside.
    pub fn uses_cluster_endpoints(&self) -> bool {
        !self.internal_local || self.is_external()
    }

    /// Whether endpoints of this node are needed apart.
    pub fn uses_local_endpoints(&self) -> bool {
        self.internal_local || self.external_local && self.is_external()
    }
}

fn affinity(spec: &ServiceSpec) -> Option<i32> {
    const DEFAULT_SECONDS: i32 = 10_800;
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    Some(config.and_then(|client_ip| client_ip.timeout_seconds).unwrap_or(DEFAULT_SECONDS))
}

/// The addresses of the same family as the cluster IP.
fn addresses(texts: Option<&[String]>, like: IpAddr) -> Vec<IpAddr> {
    let parsed = texts.unwrap_or_default().iter().filter_map(|ip| IpAddr::from_str(ip.trim()).ok());
    parsed.filter(|ip| ip.is_ipv4() == like.is_ipv4()).collect()
}

fn load_balancer_ips(service: &Service, like: IpAddr) -> Vec<IpAddr> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = status.and_then(|balancer| balancer.ingress.as_ref());
    let ips: Vec<String> = ingress
        .into_iter()
        .flatten()
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.clone())
        .collect();
    addresses(Some(&ips), like)
}

fn source_ranges(spec: &ServiceSpec, like: IpAddr) -> Vec<IpNet> {
    let texts = spec.load_balancer_source_ranges.iter().flatten();
    let parsed = texts.filter_map(|range| IpNet::from_str(range.trim()).ok());
    parsed.filter(|range| range.addr().is_ipv4() == like.is_ipv4()).collect()
}
