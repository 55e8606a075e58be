//! Endpoints.
//!
//! Upstream: `pkg/registry/core/endpoint/strategy.go`, `SetDefaults_Endpoints`, `printEndpoints`.

use super::cells;
use super::typed::Typed;
use crate::podspec::defaults::text;
use crate::podspec::validation::{all_invalid, one_of, port_number};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, ip, names};
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "Endpoints", "endpoints", "endpoints")
    .short(&["ep"])
    .kind(&EndpointsStrategy);

impl Kube for Endpoints {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointsStrategy;

impl Typed for EndpointsStrategy {
    type Object = Endpoints;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Endpoints"), Column::new("Age")];

    const DEPRECATION: Option<&'static str> =
        Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");

    fn default(&self, endpoints: &mut Endpoints) {
        for subset in endpoints.subsets.iter_mut().flatten() {
            for port in subset.ports.iter_mut().flatten() {
                text(&mut port.protocol, "TCP");
            }
        }
    }

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn validate(&self, endpoints: &Endpoints) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let list = Path::new("subsets");
        for (index, subset) in endpoints.subsets.iter().flatten().enumerate() {
            validate_subset(subset, &list.index(index), &mut errors);
        }
        errors
    }

    /// What was stored is not checked again.
    fn validate_update(&self, new: &Endpoints, old: &Endpoints, _: &str) -> Vec<FieldError> {
        if new.subsets == old.subsets { Vec::new() } else { Typed::validate(self, new) }
    }

    fn warnings(&self, endpoints: &Endpoints, _: Option<&Endpoints>) -> Vec<String> {
        const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
        let labels = endpoints.metadata.labels.as_ref();
        let manager = labels.and_then(|labels| labels.get(MANAGED_BY));
        if manager.is_some_and(|manager| manager == "endpoint-controller") {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        let list = Path::new("subsets");
        for (index, subset) in endpoints.subsets.iter().flatten().enumerate() {
            let item = list.index(index);
            for (field, addresses) in both(subset) {
                let list = item.child(field);
                for (index, address) in addresses.iter().enumerate() {
                    let item = list.index(index);
                    warnings.extend(ip::warnings(&address.ip, &item.child("ip")));
                }
            }
        }
        warnings
    }

    fn cells(&self, endpoints: &Endpoints, now: Time) -> Vec<Cell> {
        let subsets = endpoints.subsets.as_deref().unwrap_or_default();
        let list = match subsets {
            [] => "<none>".to_owned(),
            subsets => cells::first_three(subsets.iter().flat_map(addresses)),
        };
        vec![cells::name(&endpoints.metadata), list.into(), cells::age(&endpoints.metadata, now)]
    }
}

/// The addresses that are ready, and those that are not.
fn both(subset: &EndpointSubset) -> [(&'static str, &[EndpointAddress]); 2] {
    [
        ("addresses", subset.addresses.as_deref().unwrap_or_default()),
        ("notReadyAddresses", subset.not_ready_addresses.as_deref().unwrap_or_default()),
    ]
}

fn validate_subset(subset: &EndpointSubset, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    if both(subset).iter().all(|(_, addresses)| addresses.is_empty()) {
        let detail = "must specify `addresses` or `notReadyAddresses`";
        errors.push(FieldError::required(item, detail));
    }
    for (field, addresses) in both(subset) {
        let list = item.child(field);
        for (index, address) in addresses.iter().enumerate() {
            validate_address(address, &list.index(index), errors);
        }
    }
    let ports = subset.ports.as_deref().unwrap_or_default();
    let list = item.child("ports");
    for (index, port) in ports.iter().enumerate() {
        validate_port(port, ports.len() > 1, &list.index(index), errors);
    }
}

fn validate_address(address: &EndpointAddress, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    let field = item.child("ip");
    errors.extend(ip::validate_lenient(&address.ip, &field));
    if let Some(host) = address.hostname.as_deref().filter(|host| !host.is_empty()) {
        all_invalid(names::dns1123_label(host), host, &item.child("hostname"), errors);
    }
    if let Some(node) = &address.node_name {
        all_invalid(names::dns1123_subdomain(node), node, &item.child("nodeName"), errors);
    }
    errors.extend(ip::validate_endpoint(&address.ip, &field));
}

fn validate_port(port: &EndpointPort, named: bool, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    match port.name.as_deref().unwrap_or_default() {
        "" if named => errors.push(FieldError::required(item.child("name"), "")),
        "" => {}
        name => all_invalid(names::dns1123_label(name), name, &item.child("name"), errors),
    }
    port_number(port.port, &item.child("port"), errors);
    const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
    one_of(port.protocol.as_deref(), PROTOCOLS, &item.child("protocol"), errors);
    if let Some(protocol) = &port.app_protocol {
        all_invalid(names::qualified_name(protocol), protocol, &item.child("appProtocol"), errors);
    }
}

/// Every ready address with every port.
fn addresses(subset: &EndpointSubset) -> Vec<String> {
    let ips = || subset.addresses.iter().flatten().map(|address| address.ip.as_str());
    match subset.ports.as_deref().unwrap_or_default() {
        [] => ips().map(str::to_owned).collect(),
        ports => {
            let with = |port: i32| ips().map(move |ip| format!("{ip}:{port}"));
            ports.iter().flat_map(|port| with(port.port)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn lists() {
        let subset = |ips: &[&str], ports: &[i32]| {
            let ips: Vec<Value> = ips.iter().map(|ip| json!({ "ip": ip })).collect();
            let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
            json!({"addresses": ips, "ports": ports})
        };
        let table = [
            (json!([]), "<none>"),
            (json!([subset(&["10.0.0.1"], &[80])]), "10.0.0.1:80"),
            (json!([subset(&["10.0.0.1"], &[])]), "10.0.0.1"),
            (
                json!([subset(&["10.0.0.1", "10.0.0.2"], &[80, 81])]),
                "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...",
            ),
        ];
        for (subsets, list) in table {
            let endpoints = serde_json::from_value(json!({ "subsets": subsets })).unwrap();
            let cells = EndpointsStrategy.cells(&endpoints, Time::ZERO);
            assert_eq!(cells[1], Cell::from(list));
        }
    }
}
