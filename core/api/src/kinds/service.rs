//! Services.
//!
//! Upstream: `pkg/registry/core/service/strategy.go`, `SetDefaults_Service`, `ValidateService`,
//! `printService`.

use super::cells;
use super::typed::{Typed, keep};
use crate::podspec::defaults::text;
use crate::podspec::validation::{all_invalid, one_of, port_number, port_or_name};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels, names};
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
        set_defaults(service.spec.get_or_insert_default());
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
            carry_over(new.spec.get_or_insert_default(), old.spec.as_ref());
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::dns1035_label(name)
    }

    fn validate(&self, service: &Service) -> Vec<FieldError> {
        let spec = service.spec.clone().unwrap_or_default();
        let mut errors = Vec::new();
        let path = Path::new("spec");
        validate_type(&spec, &path, &mut errors);
        let list = path.child("ports");
        let ports = spec.ports.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (index, port) in ports.iter().enumerate() {
            let item = list.index(index);
            validate_port(port, ports.len() > 1, &mut seen, &item, &mut errors);
        }
        errors.extend(labels::validate(spec.selector.as_ref(), path.child("selector")));
        let affinity = path.child("sessionAffinity");
        one_of(spec.session_affinity.as_deref(), &["ClientIP", "None"], &affinity, &mut errors);
        validate_duplicates(ports, &list, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Service, old: &Service, subresource: &str) -> Vec<FieldError> {
        if !subresource.is_empty() || new.spec == old.spec {
            return Vec::new();
        }
        let mut errors = validate_cluster_ip(new, old);
        errors.extend(Typed::validate(self, new));
        errors
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
    let external = matches!(type_.as_str(), "NodePort" | "LoadBalancer")
        || type_ == "ClusterIP" && spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    if external {
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

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some("None")
}

fn validate_type(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let type_ = spec.type_.as_deref().unwrap_or_default();
    let portless = spec.ports.as_ref().is_none_or(Vec::is_empty);
    if portless && !is_headless(spec) && type_ != "ExternalName" {
        errors.push(FieldError::required(path.child("ports"), ""));
    }
    if is_headless(spec) && matches!(type_, "LoadBalancer" | "NodePort") {
        let ips = path.child("clusterIPs");
        let detail = format!("may not be set to 'None' for {type_} services");
        errors.push(FieldError::invalid(ips.index(0), "None", &detail));
    }
    if type_ == "ExternalName" {
        let detail = "may not be set for ExternalName services";
        if spec.cluster_ip.as_ref().is_some_and(|ip| !ip.is_empty()) {
            errors.push(FieldError::forbidden(path.child("clusterIPs"), detail));
        }
        let field = path.child("externalName");
        let name = spec.external_name.as_deref().unwrap_or_default();
        match name.strip_suffix('.').unwrap_or(name) {
            "" => errors.push(FieldError::required(field, "")),
            name => all_invalid(names::dns1123_subdomain(name), name, &field, errors),
        }
    }
    const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(Some(type_), TYPES, &path.child("type"), errors);
    if type_ == "ClusterIP" {
        let list = path.child("ports");
        for (index, port) in spec.ports.iter().flatten().enumerate() {
            if port.node_port.unwrap_or(0) != 0 {
                let item = list.index(index);
                let detail = "may not be used when `type` is 'ClusterIP'";
                errors.push(FieldError::forbidden(item.child("nodePort"), detail));
            }
        }
    }
}

fn validate_port<'a>(
    port: &'a ServicePort,
    named: bool,
    seen: &mut BTreeSet<&'a str>,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let name = port.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        if named {
            errors.push(FieldError::required(item.child("name"), ""));
        }
    } else {
        all_invalid(names::dns1123_label(name), name, &item.child("name"), errors);
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(item.child("name"), name));
        }
    }
    port_number(port.port, &item.child("port"), errors);
    const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
    one_of(port.protocol.as_deref(), PROTOCOLS, &item.child("protocol"), errors);
    if let Some(target) = &port.target_port {
        port_or_name(target, &item.child("targetPort"), errors);
    }
}

fn validate_duplicates(ports: &[ServicePort], list: &Path<'_>, errors: &mut Vec<FieldError>) {
    let (mut node_ports, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let item = list.index(index);
        let number = port.node_port.unwrap_or(0);
        if number != 0 && !node_ports.insert((&port.protocol, number)) {
            errors.push(FieldError::duplicate_raw(item.child("nodePort"), number));
        }
        if !numbers.insert((&port.protocol, port.port)) {
            let protocol = port.protocol.as_deref().unwrap_or_default();
            let value = format!(
                "core.ServicePort{{Name:\"\", Protocol:\"{protocol}\", \
                 AppProtocol:(*string)(nil), Port:{}, \
                 TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}",
                port.port
            );
            errors.push(FieldError::duplicate_raw(item, value));
        }
    }
}

/// The first cluster IP stays, except when the service was or becomes an `ExternalName`.
///
/// Upstream: `validateUpgradeDowngradeClusterIPs`.
fn validate_cluster_ip(new: &Service, old: &Service) -> Vec<FieldError> {
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return Vec::new() };
    let external = |spec: &ServiceSpec| spec.type_.as_deref() == Some("ExternalName");
    let (is, was) = (new.cluster_ip.as_deref(), old.cluster_ip.as_deref());
    if external(new) || external(old) || was.unwrap_or_default().is_empty() || is == was {
        return Vec::new();
    }
    let value = format!("[]string{{{:?}}}", is.unwrap_or_default());
    let detail = "may not change once set";
    vec![FieldError::invalid_raw("spec.clusterIPs[0]", value, detail)]
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
