//! What is wrong with a service.
//!
//! Upstream: `ValidateService`, `ValidateServiceUpdate` in
//! `pkg/apis/core/validation/validation.go`.

use super::{exposed, is_headless, type_of};
use crate::gofmt::{quote, quote_all};
use crate::podspec::validation::{all_invalid, one_of, port_number, port_or_name};
use crate::{FieldError, Path, ip, labels, names};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use std::collections::BTreeSet;

const FAMILIES: &[&str] = &["IPv4", "IPv6"];
const LOCAL: &str = "Local";

/// What is wrong with a new service, or with a changed one.
pub(super) fn validate(service: &Service, old: Option<&Service>) -> Vec<FieldError> {
    let spec = service.spec.clone().unwrap_or_default();
    let old = old.and_then(|old| old.spec.as_ref());
    let path = Path::new("spec");
    let mut errors = Vec::new();
    validate_type(&spec, &path, &mut errors);
    validate_ports(&spec, &path, &mut errors);
    errors.extend(labels::validate(spec.selector.as_ref(), path.child("selector")));
    validate_affinity(&spec, &path, &mut errors);
    if type_of(&spec) != "ExternalName" {
        validate_addresses(&spec, old, &path, &mut errors);
    }
    validate_external_ips(&spec, old, &path, &mut errors);
    const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(spec.type_.as_deref(), TYPES, &path.child("type"), &mut errors);
    validate_duplicates(spec.ports.as_deref().unwrap_or_default(), &path, &mut errors);
    validate_balancer(&spec, old, &path, &mut errors);
    validate_policies(&spec, &path, &mut errors);
    errors
}

fn validate_type(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let type_ = type_of(spec);
    let portless = spec.ports.as_ref().is_none_or(Vec::is_empty);
    if portless && !is_headless(spec) && type_ != "ExternalName" {
        errors.push(FieldError::required(path.child("ports"), ""));
    }
    if is_headless(spec) && matches!(type_, "LoadBalancer" | "NodePort") {
        let ips = path.child("clusterIPs");
        let detail = format!("may not be set to 'None' for {type_} services");
        errors.push(FieldError::invalid(ips.index(0), "None", &detail));
    }
    if type_ != "ExternalName" {
        return;
    }
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let fields = [
        ("clusterIPs", given(&spec.cluster_ips)),
        ("ipFamilies", given(&spec.ip_families)),
        ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, set)| *set) {
        let detail = "may not be set for ExternalName services";
        errors.push(FieldError::forbidden(path.child(field), detail));
    }
    let field = path.child("externalName");
    let name = spec.external_name.as_deref().unwrap_or_default();
    match name.strip_suffix('.').unwrap_or(name) {
        "" => errors.push(FieldError::required(field, "")),
        name => all_invalid(names::dns1123_subdomain(name), name, &field, errors),
    }
}

fn validate_ports(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let list = path.child("ports");
    let ports = spec.ports.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let item = list.index(index);
        match port.name.as_deref().unwrap_or_default() {
            "" if ports.len() > 1 => errors.push(FieldError::required(item.child("name"), "")),
            "" => {}
            name => {
                all_invalid(names::dns1123_label(name), name, &item.child("name"), errors);
                if !seen.insert(name) {
                    errors.push(FieldError::duplicate(item.child("name"), name));
                }
            }
        }
        port_number(port.port, &item.child("port"), errors);
        const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
        one_of(port.protocol.as_deref(), PROTOCOLS, &item.child("protocol"), errors);
        if let Some(target) = &port.target_port {
            port_or_name(target, &item.child("targetPort"), errors);
        }
        if let Some(protocol) = &port.app_protocol {
            let field = item.child("appProtocol");
            all_invalid(names::qualified_name(protocol), protocol, &field, errors);
        }
        if type_of(spec) == "ClusterIP" && port.node_port.unwrap_or(0) != 0 {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(item.child("nodePort"), detail));
        }
    }
}

fn validate_duplicates(ports: &[ServicePort], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let list = path.child("ports");
    let (mut node_ports, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let item = list.index(index);
        let number = port.node_port.unwrap_or(0);
        if number != 0 && !node_ports.insert((&port.protocol, number)) {
            errors.push(FieldError::duplicate_raw(item.child("nodePort"), number));
        }
        if !numbers.insert((&port.protocol, port.port)) {
            let value = format!(
                "core.ServicePort{{Name:\"\", Protocol:{}, AppProtocol:(*string)(nil), Port:{}, \
                 TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}",
                quote(port.protocol.as_deref().unwrap_or_default()),
                port.port
            );
            errors.push(FieldError::duplicate_raw(item, value));
        }
    }
}

fn validate_affinity(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const SECONDS_MAX: i32 = 86_400;
    let field = path.child("sessionAffinity");
    let affinity = spec.session_affinity.as_deref();
    one_of(affinity, &["ClientIP", "None"], &field, errors);
    let config = path.child("sessionAffinityConfig");
    let client_ip = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
    let seconds = client_ip.and_then(|client_ip| client_ip.timeout_seconds);
    match (affinity, seconds) {
        (Some("ClientIP"), None) => {
            let detail = "when session affinity type is ClientIP";
            errors.push(FieldError::required(config, detail));
        }
        (Some("ClientIP"), Some(seconds)) if !(1..=SECONDS_MAX).contains(&seconds) => {
            let field = config.child("clientIP");
            let detail = format!("must be greater than 0 and less than {SECONDS_MAX}");
            let field = field.child("timeoutSeconds");
            errors.push(FieldError::invalid_raw(field, seconds, &detail));
        }
        _ => {}
    }
}

/// Upstream: `ValidateServiceClusterIPsRelatedFields`.
fn validate_addresses(
    spec: &ServiceSpec,
    old: Option<&ServiceSpec>,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let ips = spec.cluster_ips.as_deref().unwrap_or_default();
    let field = path.child("clusterIPs");
    let all = || format!("[]string{{{}}}", quote_all(ips));
    match (spec.cluster_ip.as_deref().unwrap_or_default(), ips.first()) {
        ("", None) => {}
        ("", Some(_)) => {
            let detail = "must be empty when `clusterIP` is not specified";
            errors.push(FieldError::invalid_raw(field, all(), detail));
        }
        (_, None) => errors.push(FieldError::required(field, "")),
        (ip, Some(first)) if ip != first => {
            let detail = "first value must match `clusterIP`";
            errors.push(FieldError::invalid_raw(field, all(), detail));
        }
        _ => {}
    }
    validate_families(spec, path, errors);
    let had = old.and_then(|old| old.cluster_ips.as_deref()).unwrap_or_default();
    let before = errors.len();
    for (index, address) in ips.iter().enumerate() {
        if index == 0 && address == "None" {
            if ips.len() > 1 {
                let detail = "'None' must be the first and only value";
                errors.push(FieldError::invalid_raw(field, all(), detail));
            }
        } else if !had.contains(address) {
            errors.extend(ip::validate_lenient(address, &field.index(index)));
        }
    }
    let bad = errors.len() > before;
    if ips.len() > 2 {
        errors.push(FieldError::invalid_raw(field, all(), "may only hold up to 2 values"));
    }
    if bad {
        return;
    }
    let sixes = ips.iter().filter(|ip| ip::is_ipv6(ip)).count();
    if ips.len() > 1 && (sixes == 0 || sixes == ips.len()) {
        let detail = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid_raw(field, all(), detail));
    }
    if is_headless(spec) {
        return;
    }
    for (index, (address, family)) in ips.iter().zip(spec.ip_families.iter().flatten()).enumerate()
    {
        if FAMILIES.contains(&family.as_str()) && ip::is_ipv6(address) != (family == "IPv6") {
            let detail =
                format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.push(FieldError::invalid(field.index(index), address, &detail));
        }
    }
}

fn validate_families(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let list = path.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        if !FAMILIES.contains(&family.as_str()) {
            errors.push(FieldError::not_supported(list.index(index), family, FAMILIES));
        }
        if !seen.insert(family) {
            errors.push(FieldError::duplicate(list.index(index), family));
        }
    }
    const POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
    if let Some(policy) = spec.ip_family_policy.as_deref().filter(|p| !POLICIES.contains(p)) {
        let field = path.child("ipFamilyPolicy");
        errors.push(FieldError::not_supported(field, policy, POLICIES));
    }
}

fn validate_external_ips(
    spec: &ServiceSpec,
    old: Option<&ServiceSpec>,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let had = old.and_then(|old| old.external_ips.as_deref()).unwrap_or_default();
    let list = path.child("externalIPs");
    for (index, address) in spec.external_ips.iter().flatten().enumerate() {
        let item = list.index(index);
        let wrong = match had.contains(address) {
            true => Vec::new(),
            false => ip::validate_lenient(address, &item),
        };
        if wrong.is_empty() {
            errors.extend(ip::validate_endpoint(address, &item));
        } else {
            errors.extend(wrong);
        }
    }
}

/// What only load balancers have.
fn validate_balancer(
    spec: &ServiceSpec,
    old: Option<&ServiceSpec>,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    const DETAIL: &str = "may only be used when `type` is 'LoadBalancer'";
    let balancer = type_of(spec) == "LoadBalancer";
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    // In these messages the field begins with a capital.
    let list = path.child("LoadBalancerSourceRanges");
    if !ranges.is_empty() && !balancer {
        errors.push(FieldError::forbidden(list, DETAIL));
    }
    let had: Vec<&str> = old
        .and_then(|old| old.load_balancer_source_ranges.as_deref())
        .unwrap_or_default()
        .iter()
        .map(|range| range.trim())
        .collect();
    for (index, range) in ranges.iter().map(|range| range.trim()).enumerate() {
        if !had.contains(&range) {
            errors.extend(ip::validate_cidr_lenient(range, &list.index(index)));
        }
    }
    if spec.allocate_load_balancer_node_ports.is_some() && !balancer {
        let field = path.child("allocateLoadBalancerNodePorts");
        errors.push(FieldError::forbidden(field, DETAIL));
    }
    let field = path.child("loadBalancerClass");
    match &spec.load_balancer_class {
        Some(class) if balancer => {
            all_invalid(names::qualified_name(class), class, &field, errors);
        }
        Some(_) => errors.push(FieldError::forbidden(field, DETAIL)),
        None => {}
    }
}

fn validate_policies(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const POLICIES: &[&str] = &["Cluster", LOCAL];
    let external = spec.external_traffic_policy.as_deref().unwrap_or_default();
    let field = path.child("externalTrafficPolicy");
    if exposed(spec) {
        one_of(Some(external), POLICIES, &field, errors);
    } else if !external.is_empty() {
        let detail = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid(field, external, detail));
    }
    let checked = super::needs_health_check(spec);
    let field = path.child("healthCheckNodePort");
    match spec.health_check_node_port.unwrap_or(0) {
        0 if checked => errors.push(FieldError::required(field, "")),
        0 => {}
        port if checked => port_number(port, &field, errors),
        port => {
            let detail = "may only be set when `type` is 'LoadBalancer' and \
                          `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid_raw(field, port, detail));
        }
    }
    if let Some(policy) = spec.internal_traffic_policy.as_deref()
        && !POLICIES.contains(&policy)
    {
        let field = path.child("internalTrafficPolicy");
        errors.push(FieldError::not_supported(field, policy, POLICIES));
    }
    const DISTRIBUTIONS: &[&str] = &["PreferClose"];
    if let Some(found) = spec.traffic_distribution.as_deref()
        && !DISTRIBUTIONS.contains(&found)
    {
        let field = path.child("trafficDistribution");
        errors.push(FieldError::not_supported(field, found, DISTRIBUTIONS));
    }
}

/// What may not change: addresses and families once they are set, unless the service was or
/// becomes an `ExternalName`.
pub(super) fn validate_change(new: &Service, old: &Service) -> Vec<FieldError> {
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return Vec::new() };
    let mut errors = Vec::new();
    if type_of(new) != "ExternalName" && type_of(old) != "ExternalName" {
        if !(is_headless(new) && is_headless(old)) {
            validate_ip_change(new, old, &mut errors);
        }
        if !is_headless(new) && !is_headless(old) {
            validate_family_change(new, old, &mut errors);
        }
    }
    let both = |type_: &str| type_of(new) == type_ && type_of(old) == type_;
    if both("LoadBalancer") && new.load_balancer_class != old.load_balancer_class {
        let class = new.load_balancer_class.as_deref();
        let value = class.map_or("\"null\"".to_owned(), quote);
        let detail = "may not change once set";
        errors.push(FieldError::invalid_raw("spec.loadBalancerClass", value, detail));
    }
    let checked = super::needs_health_check(new) && super::needs_health_check(old);
    if checked && new.health_check_node_port != old.health_check_node_port {
        errors.push(FieldError::forbidden("spec.healthCheckNodePort", "field is immutable"));
    }
    errors
}

fn single_stack(spec: &ServiceSpec) -> bool {
    spec.ip_family_policy.as_deref() == Some("SingleStack")
}

fn must_be_single(new: &ServiceSpec, what: &str) -> FieldError {
    let policy = new.ip_family_policy.as_deref();
    let value = policy.map_or("\"null\"".to_owned(), quote);
    let detail = format!("must be set to 'SingleStack' when releasing the secondary {what}");
    FieldError::invalid_raw("spec.ipFamilyPolicy", value, &detail)
}

/// Upstream: `validateUpgradeDowngradeClusterIPs`.
fn validate_ip_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Vec<FieldError>) {
    const DETAIL: &str = "may not change once set";
    let is = new.cluster_ips.as_deref().unwrap_or_default();
    let was = old.cluster_ips.as_deref().unwrap_or_default();
    let value = match is {
        [] => "[]string(nil)".to_owned(),
        is => format!("[]string{{{}}}", quote_all(is)),
    };
    let path = Path::new("spec");
    let list = path.child("clusterIPs");
    let compared = if is.len() == was.len() { is.len() } else { 1 };
    for (index, (is, was)) in is.iter().zip(was).enumerate().take(compared) {
        if is != was {
            errors.push(FieldError::invalid_raw(list.index(index), &value, DETAIL));
        }
    }
    if is.is_empty() && !was.is_empty() {
        let detail = "primary clusterIP can not be unset";
        errors.push(FieldError::invalid_raw(list.index(0), &value, detail));
    }
    if is.len() == 1 && was.len() > 1 && !single_stack(new) {
        errors.push(must_be_single(new, "clusterIP"));
    }
}

/// Upstream: `validateUpgradeDowngradeIPFamilies`.
fn validate_family_change(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Vec<FieldError>) {
    let is = new.ip_families.as_deref().unwrap_or_default();
    let was = old.ip_families.as_deref().unwrap_or_default();
    let path = Path::new("spec");
    let list = path.child("ipFamilies");
    let same = is.len() == was.len();
    let compared = if same { is.len() } else { 1 };
    let changed = is.iter().zip(was).take(compared).filter(|(is, was)| is != was).count();
    for _ in 0..changed {
        // Where the number of families changes, upstream shows the addresses.
        let value = match same {
            true => format!("[]core.IPFamily{{{}}}", quote_all(is)),
            false => {
                let ips = new.cluster_ips.as_deref().unwrap_or_default();
                format!("[]string{{{}}}", quote_all(ips))
            }
        };
        let detail = "may not change once set";
        errors.push(FieldError::invalid_raw(list.index(0), value, detail));
    }
    if is.len() == 1 && was.len() > 1 && !single_stack(new) {
        errors.push(must_be_single(new, "ipFamily"));
    }
}

/// What is wrong with a status that a load balancer's controller writes.
///
/// Upstream: `ValidateLoadBalancerStatus`.
pub(super) fn validate_status(new: &Service, old: &Service) -> Vec<FieldError> {
    let points = |service: &Service| {
        let status = service.status.clone().unwrap_or_default();
        status.load_balancer.unwrap_or_default().ingress.unwrap_or_default()
    };
    let path = Path::new("status");
    let balancer = path.child("loadBalancer");
    let list = balancer.child("ingress");
    let (is, was) = (points(new), points(old));
    let type_ = new.spec.as_ref().map_or("", type_of);
    if type_ != "LoadBalancer" && !is.is_empty() {
        let detail = "may only be used when `spec.type` is 'LoadBalancer'";
        return vec![FieldError::forbidden(list, detail)];
    }
    let mut errors = Vec::new();
    for (index, point) in is.iter().enumerate() {
        let item = list.index(index);
        let address = point.ip.as_deref().unwrap_or_default();
        if !address.is_empty() && !was.iter().any(|old| old.ip == point.ip) {
            errors.extend(ip::validate_lenient(address, &item.child("ip")));
        }
        let field = item.child("ipMode");
        match point.ip_mode.as_deref() {
            None if !address.is_empty() => {
                errors.push(FieldError::required(field, "must be specified when `ip` is set"));
            }
            Some(_) if address.is_empty() => {
                let detail = "may not be specified when `ip` is not set";
                errors.push(FieldError::forbidden(field, detail));
            }
            Some(mode) if !matches!(mode, "VIP" | "Proxy") => {
                errors.push(FieldError::not_supported(field, mode, &["Proxy", "VIP"]));
            }
            _ => {}
        }
        let host = point.hostname.as_deref().unwrap_or_default();
        if !host.is_empty() {
            let field = item.child("hostname");
            all_invalid(names::dns1123_subdomain(host), host, &field, &mut errors);
            if ip::parse(host).is_some() {
                let detail = "must be a DNS name, not an IP address";
                errors.push(FieldError::invalid(field, host, detail));
            }
        }
    }
    errors
}
