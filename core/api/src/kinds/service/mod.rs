//! Services.
//!
//! Upstream: `pkg/registry/core/service/strategy.go`, `SetDefaults_Service`, `ValidateService`,
//! `printService`.

mod validation;

use super::cells;
use super::typed::{Typed, keep};
use crate::podspec::defaults::text;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, ip, labels, names};
use k8s_openapi::api::core::v1::{
    ClientIPConfig, Service, ServicePort, ServiceSpec, ServiceStatus, SessionAffinityConfig,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind = Names::new("", "v1", "Service", "services", "service")
    .short(&["svc"])
    .categories(&["all"])
    .subresources(&["proxy", "status"])
    .kind(&ServiceStrategy);

impl Kube for Service {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

/// Three hours, in seconds.
const AFFINITY_SECONDS: i32 = 10_800;

struct ServiceStrategy;

impl Typed for ServiceStrategy {
    type Object = Service;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("Cluster-IP"),
        Column::new("External-IP"),
        Column::new("Port(s)"),
        Column::new("Age"),
        Column::wide("Selector"),
    ];

    const FIELDS: &'static [&'static str] = &["spec.clusterIP", "spec.type"];

    const RETURNS_DELETED: bool = true;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn default(&self, service: &mut Service) {
        let spec = service.spec.get_or_insert_default();
        set_defaults(spec);
        if type_of(spec) == "LoadBalancer" {
            let balancer = service.status.as_mut().and_then(|status| status.load_balancer.as_mut());
            let points = balancer.into_iter().flat_map(|found| found.ingress.iter_mut().flatten());
            for point in points.filter(|point| point.ip.is_some()) {
                point.ip_mode.get_or_insert_with(|| "VIP".to_owned());
            }
        }
    }

    fn prepare_for_create(&self, service: &mut Service) {
        service.status = Some(ServiceStatus {
            load_balancer: Some(Default::default()),
            ..ServiceStatus::default()
        });
    }

    fn prepare_for_update(&self, new: &mut Service, old: &Service, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            let spec = new.spec.get_or_insert_default();
            carry_over(spec, old.spec.as_ref());
            if let Some(old) = &old.spec {
                drop_dependent(spec, old);
            }
            let balancer = type_of(spec) == "LoadBalancer";
            if let Some(status) = new.status.as_mut().filter(|_| !balancer) {
                status.load_balancer = Some(Default::default());
            }
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::dns1035_label(name)
    }

    fn validate(&self, service: &Service) -> Vec<FieldError> {
        validation::validate(service, None)
    }

    fn validate_update(&self, new: &Service, old: &Service, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return validation::validate_status(new, old);
        }
        if new.spec == old.spec {
            return Vec::new();
        }
        let mut errors = validation::validate_change(new, old);
        errors.extend(validation::validate(new, Some(old)));
        errors
    }

    fn warnings(&self, service: &Service, _: Option<&Service>) -> Vec<String> {
        service.spec.as_ref().map(warnings).unwrap_or_default()
    }

    fn cells(&self, service: &Service, now: Time) -> Vec<Cell> {
        let spec = service.spec.clone().unwrap_or_default();
        let first = spec.cluster_ips.as_ref().and_then(|ips| ips.first());
        let ports: Vec<String> = spec.ports.iter().flatten().map(port_text).collect();
        vec![
            cells::name(&service.metadata),
            cells::text(spec.type_.as_deref()),
            cells::or_none(first.map(String::as_str)),
            external_ip(&spec, service.status.as_ref()).into(),
            cells::or_none(Some(&ports.join(","))),
            cells::age(&service.metadata, now),
            labels::format(spec.selector.as_ref()).into(),
        ]
    }

    fn field(&self, service: &Service, path: &str) -> Option<String> {
        let spec = service.spec.as_ref()?;
        match path {
            "spec.clusterIP" => spec.cluster_ip.clone(),
            "spec.type" => spec.type_.clone(),
            _ => None,
        }
    }
}

fn set_defaults(spec: &mut ServiceSpec) {
    text(&mut spec.session_affinity, "None");
    text(&mut spec.type_, "ClusterIP");
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config = spec.session_affinity_config.get_or_insert_with(|| {
                SessionAffinityConfig { client_ip: Some(ClientIPConfig::default()) }
            });
            let client_ip = config.client_ip.get_or_insert_default();
            client_ip.timeout_seconds.get_or_insert(AFFINITY_SECONDS);
        }
        _ => {}
    }
    for port in spec.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
        let missing = match &port.target_port {
            None | Some(IntOrString::Int(0)) => true,
            Some(IntOrString::String(name)) => name.is_empty(),
            Some(IntOrString::Int(_)) => false,
        };
        if missing {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    let type_ = spec.type_.clone().unwrap_or_default();
    if exposed(spec) {
        text(&mut spec.external_traffic_policy, "Cluster");
    }
    if matches!(type_.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_owned());
    }
    if type_ == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
}

/// What a replacement leaves out and the service keeps: its addresses, and the node ports of
/// ports that stay.
///
/// Upstream: `patchAllocatedValues` in `pkg/registry/core/service/strategy.go`.
fn carry_over(new: &mut ServiceSpec, old: Option<&ServiceSpec>) {
    let Some(old) = old else { return };
    if needs_health_check(new) && needs_health_check(old) {
        let port = new.health_check_node_port.filter(|port| *port != 0);
        new.health_check_node_port = port.or(old.health_check_node_port);
    }
    let needs_ip = |spec: &ServiceSpec| spec.type_.as_deref() != Some("ExternalName");
    if needs_ip(new) && needs_ip(old) {
        if new.cluster_ip.as_deref().unwrap_or_default().is_empty() {
            new.cluster_ip = old.cluster_ip.clone();
        }
        if new.cluster_ips.as_ref().is_none_or(Vec::is_empty) && new.cluster_ip == old.cluster_ip {
            new.cluster_ips = old.cluster_ips.clone();
        }
        new.ip_families = new.ip_families.take().or_else(|| old.ip_families.clone());
        new.ip_family_policy = new.ip_family_policy.take().or_else(|| old.ip_family_policy.clone());
    }
    let has_node_ports =
        |spec: &ServiceSpec| matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"));
    if !has_node_ports(old) {
        return;
    }
    let keeps = has_node_ports(new);
    for port in new.ports.iter_mut().flatten() {
        let same = |was: &&ServicePort| was.port == port.port && was.protocol == port.protocol;
        let was = old.ports.iter().flatten().find(same).and_then(|was| was.node_port);
        if keeps && port.node_port.unwrap_or(0) == 0 {
            port.node_port = was;
        } else if !keeps && port.node_port == was {
            // A service that is no longer on the nodes gives its ports back.
            port.node_port = None;
        }
    }
}

/// Drops what the new type has no use for, where the client only left it as it was.
///
/// Upstream: `dropTypeDependentFields`.
fn drop_dependent(new: &mut ServiceSpec, old: &ServiceSpec) {
    if type_of(new) == "ExternalName" && type_of(old) != "ExternalName" {
        if new.cluster_ip == old.cluster_ip && new.cluster_ips == old.cluster_ips {
            new.cluster_ip = None;
            new.cluster_ips = None;
        }
        if new.ip_families == old.ip_families {
            new.ip_families = None;
        }
        if new.ip_family_policy == old.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    let unchecked = needs_health_check(old) && !needs_health_check(new);
    if unchecked && new.health_check_node_port == old.health_check_node_port {
        new.health_check_node_port = None;
    }
    if type_of(old) == "LoadBalancer" && type_of(new) != "LoadBalancer" {
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if new.load_balancer_class == old.load_balancer_class {
            new.load_balancer_class = None;
        }
    }
    let hidden = exposed(old) && !exposed(new);
    if hidden && new.external_traffic_policy == old.external_traffic_policy {
        new.external_traffic_policy = None;
    }
}

/// Upstream: `GetWarningsForService` in `pkg/api/service/warnings.go`.
fn warnings(spec: &ServiceSpec) -> Vec<String> {
    let path = Path::new("spec");
    let mut warnings = Vec::new();
    let ips = spec.cluster_ips.iter().flatten().filter(|ip| *ip != "None");
    let list = path.child("clusterIPs");
    for (index, address) in ips.enumerate() {
        warnings.extend(ip::warnings(address, &list.index(index)));
    }
    let list = path.child("externalIPs");
    for (index, address) in spec.external_ips.iter().flatten().enumerate() {
        warnings.extend(ip::warnings(address, &list.index(index)));
    }
    if let Some(address) = &spec.load_balancer_ip {
        warnings.extend(ip::warnings(address, &path.child("loadBalancerIP")));
    }
    let list = path.child("loadBalancerSourceRanges");
    for (index, range) in spec.load_balancer_source_ranges.iter().flatten().enumerate() {
        warnings.extend(ip::cidr_warnings(range, &list.index(index)));
    }
    let external = type_of(spec) == "ExternalName";
    if external && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty()) {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !external && spec.external_name.as_ref().is_some_and(|name| !name.is_empty()) {
        let text = "spec.externalName is ignored when spec.type is not \"ExternalName\"";
        warnings.push(text.to_owned());
    }
    warnings
}

fn type_of(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().unwrap_or_default()
}

/// Whether somebody outside of the cluster can reach it.
///
/// Upstream: `ExternallyAccessible`.
fn exposed(spec: &ServiceSpec) -> bool {
    match type_of(spec) {
        "NodePort" | "LoadBalancer" => true,
        "ClusterIP" => spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty()),
        _ => false,
    }
}

/// Whether nodes tell a load balancer at a port of theirs if they have endpoints.
///
/// Upstream: `NeedsHealthCheck`.
pub fn needs_health_check(spec: &ServiceSpec) -> bool {
    let local = spec.external_traffic_policy.as_deref() == Some("Local");
    type_of(spec) == "LoadBalancer" && local
}

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some("None")
}

fn external_ip(spec: &ServiceSpec, status: Option<&ServiceStatus>) -> String {
    let mut ips = spec.external_ips.clone().unwrap_or_default();
    let none = match spec.type_.as_deref().unwrap_or_default() {
        "ClusterIP" | "NodePort" => "<none>",
        "LoadBalancer" => {
            let balancer = status.and_then(|status| status.load_balancer.as_ref());
            let ingress = balancer.and_then(|balancer| balancer.ingress.as_deref());
            let found: BTreeSet<&String> = ingress
                .unwrap_or_default()
                .iter()
                .filter_map(|ingress| ingress.ip.as_ref().or(ingress.hostname.as_ref()))
                .collect();
            ips = found.into_iter().cloned().chain(ips).collect();
            "<pending>"
        }
        "ExternalName" => return spec.external_name.clone().unwrap_or_default(),
        _ => "<unknown>",
    };
    if ips.is_empty() { none.to_owned() } else { ips.join(",") }
}

fn port_text(port: &ServicePort) -> String {
    let protocol = port.protocol.as_deref().unwrap_or_default();
    match port.node_port.unwrap_or(0) {
        0 => format!("{}/{protocol}", port.port),
        node_port => format!("{}:{node_port}/{protocol}", port.port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service(spec: Value) -> Service {
        let mut service = serde_json::from_value(json!({ "spec": spec })).unwrap();
        Typed::default(&ServiceStrategy, &mut service);
        service
    }

    #[test]
    fn defaults() {
        let spec = service(json!({"ports": [{"port": 80}]})).spec;
        assert_eq!(
            serde_json::to_value(spec).unwrap(),
            json!({"internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
                "type": "ClusterIP",
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]})
        );
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({}), "spec.ports: Required value"),
            (
                json!({"ports": [{"port": 0}]}),
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ),
            (
                json!({"ports": [{"port": 80, "nodePort": 30000}]}),
                "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ),
            (
                json!({"type": "Foo", "ports": [{"port": 80}]}),
                "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \
                 \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
            ),
            (json!({"type": "ExternalName"}), "spec.externalName: Required value"),
            (
                json!({"ports": [{"port": 80, "name": "a"}, {"port": 81}]}),
                "spec.ports[1].name: Required value",
            ),
        ];
        for (spec, message) in table {
            let errors = Typed::validate(&ServiceStrategy, &service(spec.clone()));
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert!(texts.iter().any(|text| text == message), "{spec}: {texts:?}");
        }
    }

    #[test]
    fn rows() {
        let row = |spec: Value| {
            let cells = ServiceStrategy.cells(&service(spec), Time::ZERO);
            cells.iter().map(Cell::to_string).collect::<Vec<_>>().join(" ")
        };
        let node_port = json!({"type": "NodePort", "clusterIP": "10.96.0.5",
            "clusterIPs": ["10.96.0.5"], "selector": {"a": "b"},
            "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]});
        assert_eq!(row(node_port), " NodePort 10.96.0.5 <none> 80:30080/TCP,53/UDP <unknown> a=b");
        let balancer = json!({"type": "LoadBalancer", "ports": [{"port": 80}]});
        assert_eq!(row(balancer), " LoadBalancer <none> <pending> 80/TCP <unknown> <none>");
    }

    #[test]
    fn a_replacement_keeps_the_addresses() {
        let old = service(json!({"type": "NodePort", "clusterIP": "10.96.0.5",
            "clusterIPs": ["10.96.0.5"], "ports": [{"port": 80, "nodePort": 30080}]}));
        let mut new = service(json!({"type": "NodePort", "ports": [{"port": 80}]}));
        ServiceStrategy.prepare_for_update(&mut new, &old, "");
        assert_eq!(new.spec, old.spec);
        let mut new = service(json!({"ports": [{"port": 80, "nodePort": 30080}]}));
        ServiceStrategy.prepare_for_update(&mut new, &old, "");
        assert_eq!(new.spec.unwrap().ports.unwrap()[0].node_port, None);
    }
}
