//! Endpoint slices.
//!
//! Upstream: `pkg/registry/discovery/endpointslice/strategy.go`, `SetDefaults_EndpointPort`,
//! `printEndpointSlice`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::{all_invalid, one_of};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, ip, names};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice, ForZone};
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind =
    Names::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice")
        .kind(&EndpointSliceStrategy);

impl Kube for EndpointSlice {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointSliceStrategy;

impl Typed for EndpointSliceStrategy {
    type Object = EndpointSlice;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("AddressType"),
        Column::new("Ports"),
        Column::new("Endpoints"),
        Column::new("Age"),
    ];

    fn default(&self, slice: &mut EndpointSlice) {
        for port in slice.ports.iter_mut().flatten() {
            port.name.get_or_insert_default();
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn prepare_for_create(&self, slice: &mut EndpointSlice) {
        slice.metadata.generation = Some(1);
        drop_disabled(slice);
    }

    fn prepare_for_update(&self, new: &mut EndpointSlice, old: &EndpointSlice, _: &str) {
        let changed = new.endpoints != old.endpoints
            || new.ports != old.ports
            || new.address_type != old.address_type
            || new.metadata.labels != old.metadata.labels;
        if changed {
            new.metadata.generation = Some(old.metadata.generation.unwrap_or(0) + 1);
        }
        if new.endpoints != old.endpoints {
            drop_disabled(new);
        }
    }

    fn validate(&self, slice: &EndpointSlice) -> Vec<FieldError> {
        let mut errors = validate_rest(slice);
        errors.extend(validate_endpoints(slice));
        errors
    }

    /// Endpoints that were stored are not checked again.
    fn validate_update(
        &self,
        new: &EndpointSlice,
        old: &EndpointSlice,
        _: &str,
    ) -> Vec<FieldError> {
        let mut errors = validate_rest(new);
        if new.endpoints != old.endpoints {
            errors.extend(validate_endpoints(new));
        }
        if new.address_type != old.address_type {
            let detail = "field is immutable";
            errors.push(FieldError::invalid("addressType", &new.address_type, detail));
        }
        errors
    }

    fn warnings(&self, slice: &EndpointSlice, old: Option<&EndpointSlice>) -> Vec<String> {
        const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
        let mut warnings = Vec::new();
        if old.is_none() && slice.address_type == "FQDN" {
            warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        let labels = slice.metadata.labels.as_ref();
        let manager = labels.and_then(|labels| labels.get(MANAGED_BY)).map(String::as_str);
        if manager.is_some_and(|manager| manager.starts_with("endpointslice")) {
            return warnings;
        }
        let list = Path::new("endpoints");
        for (index, endpoint) in slice.endpoints.iter().enumerate() {
            let item = list.index(index);
            let addresses = item.child("addresses");
            for (index, address) in endpoint.addresses.iter().enumerate() {
                warnings.extend(ip::warnings(address, &addresses.index(index)));
            }
        }
        warnings
    }

    fn cells(&self, slice: &EndpointSlice, now: Time) -> Vec<Cell> {
        let ports = slice.ports.iter().flatten().map(|port| match (port.port, &port.name) {
            (Some(number), _) => number.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "*".to_owned(),
        });
        let ports = cells::first_three(ports);
        let addresses = slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone());
        let addresses = cells::first_three(addresses);
        let unset = |list: String| if list.is_empty() { "<unset>".to_owned() } else { list };
        vec![
            cells::name(&slice.metadata),
            slice.address_type.as_str().into(),
            unset(ports).into(),
            unset(addresses).into(),
            cells::age(&slice.metadata, now),
        ]
    }
}

/// Drops hints for nodes, whose feature is off, and the topology that no client may write.
fn drop_disabled(slice: &mut EndpointSlice) {
    for endpoint in &mut slice.endpoints {
        endpoint.deprecated_topology = None;
        if let Some(hints) = &mut endpoint.hints {
            hints.for_nodes = None;
        }
    }
}

fn validate_rest(slice: &EndpointSlice) -> Vec<FieldError> {
    const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
    const PORTS_MAX: usize = 20_000;
    let mut errors = Vec::new();
    one_of(Some(&slice.address_type), TYPES, &Path::new("addressType"), &mut errors);
    let list = Path::new("ports");
    let ports = slice.ports.as_deref().unwrap_or_default();
    if ports.len() > PORTS_MAX {
        errors.push(FieldError::too_many(list, ports.len(), PORTS_MAX as i64));
        return errors;
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let item = list.index(index);
        let name = port.name.as_deref().unwrap_or_default();
        let field = item.child("name");
        if !name.is_empty() {
            all_invalid(names::dns1123_label(name), name, &field, &mut errors);
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(field, name));
        }
        const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
        let protocol = port.protocol.as_deref().unwrap_or_default();
        if !PROTOCOLS.contains(&protocol) {
            let field = item.child("protocol");
            errors.push(FieldError::not_supported(field, protocol, PROTOCOLS));
        }
        if let Some(protocol) = &port.app_protocol {
            let field = item.child("appProtocol");
            all_invalid(names::qualified_name(protocol), protocol, &field, &mut errors);
        }
    }
    errors
}

fn validate_endpoints(slice: &EndpointSlice) -> Vec<FieldError> {
    const ENDPOINTS_MAX: usize = 1000;
    let list = Path::new("endpoints");
    let mut errors = Vec::new();
    if slice.endpoints.len() > ENDPOINTS_MAX {
        errors.push(FieldError::too_many(list, slice.endpoints.len(), ENDPOINTS_MAX as i64));
        return errors;
    }
    for (index, endpoint) in slice.endpoints.iter().enumerate() {
        let item = list.index(index);
        validate_addresses(endpoint, &slice.address_type, &item.child("addresses"), &mut errors);
        if let Some(node) = &endpoint.node_name {
            let field = item.child("nodeName");
            all_invalid(names::dns1123_subdomain(node), node, &field, &mut errors);
        }
        if let Some(host) = &endpoint.hostname {
            let field = item.child("hostname");
            all_invalid(names::dns1123_label(host), host, &field, &mut errors);
        }
        let zones = endpoint.hints.as_ref().and_then(|hints| hints.for_zones.as_deref());
        let hints = item.child("hints");
        validate_zones(zones.unwrap_or_default(), &hints.child("forZones"), &mut errors);
    }
    errors
}

fn validate_addresses(
    endpoint: &Endpoint,
    type_: &str,
    list: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    const ADDRESSES_MAX: usize = 100;
    match endpoint.addresses.len() {
        0 => errors.push(FieldError::required(list, "must contain at least 1 address")),
        count if count > ADDRESSES_MAX => {
            errors.push(FieldError::too_many(list, count, ADDRESSES_MAX as i64));
        }
        _ => {}
    }
    for (index, address) in endpoint.addresses.iter().enumerate() {
        let item = list.index(index);
        let before = errors.len();
        match type_ {
            "IPv4" => errors.extend(ip::validate_lenient(address, &item)),
            "IPv6" => all_invalid(ip::problems(address), address, &item, errors),
            "FQDN" => {
                errors.extend(names::fully_qualified(address, &item));
                continue;
            }
            _ => continue,
        }
        if errors.len() > before {
            continue;
        }
        if ip::is_ipv6(address) != (type_ == "IPv6") {
            let detail = format!("must be an {type_} address");
            errors.push(FieldError::invalid(list, address, &detail));
        }
        errors.extend(ip::validate_endpoint(address, &item));
    }
}

fn validate_zones(zones: &[ForZone], list: &Path<'_>, errors: &mut Vec<FieldError>) {
    const ZONES_MAX: usize = 8;
    if zones.len() > ZONES_MAX {
        errors.push(FieldError::too_many(list, zones.len(), ZONES_MAX as i64));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, zone) in zones.iter().enumerate() {
        let item = list.index(index);
        let field = item.child("name");
        if !seen.insert(&zone.name) {
            errors.push(FieldError::duplicate(field, &zone.name));
        }
        all_invalid(names::label_value(&zone.name), &zone.name, &field, errors);
    }
}
