//! Network policies.
//!
//! Upstream: `pkg/registry/networking/networkpolicy/strategy.go`, `SetDefaults_NetworkPolicy`,
//! `ValidateNetworkPolicy`, `printNetworkPolicy`.

use super::cells;
use super::typed::Typed;
use crate::gofmt::quote_all;
use crate::ip::{self, Cidr};
use crate::podspec::validation::{all_invalid, port_number};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels, names};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_sim::Time;

static KIND: Kind =
    Names::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networkpolicy")
        .short(&["netpol"])
        .kind(&NetworkPolicyStrategy);

impl Kube for NetworkPolicy {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NetworkPolicyStrategy;

impl Typed for NetworkPolicyStrategy {
    type Object = NetworkPolicy;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Pod-Selector"), Column::new("Age")];

    fn default(&self, policy: &mut NetworkPolicy) {
        let spec = policy.spec.get_or_insert_default();
        if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
            let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
            let types: &[&str] = if egress { &["Ingress", "Egress"] } else { &["Ingress"] };
            spec.policy_types = Some(types.iter().map(|type_| (*type_).to_owned()).collect());
        }
        let ingress = spec.ingress.iter_mut().flatten().map(|rule| &mut rule.ports);
        let egress = spec.egress.iter_mut().flatten().map(|rule| &mut rule.ports);
        for port in ingress.chain(egress).flatten().flatten() {
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn prepare_for_create(&self, policy: &mut NetworkPolicy) {
        policy.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut NetworkPolicy, old: &NetworkPolicy, _: &str) {
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, policy: &NetworkPolicy) -> Vec<FieldError> {
        validate_spec(policy, &[])
    }

    fn validate_update(
        &self,
        new: &NetworkPolicy,
        old: &NetworkPolicy,
        _: &str,
    ) -> Vec<FieldError> {
        validate_spec(new, &ranges(old))
    }

    fn warnings(&self, policy: &NetworkPolicy, _: Option<&NetworkPolicy>) -> Vec<String> {
        let mut warnings = Vec::new();
        each_peer(policy, |peer, path| {
            let Some(block) = &peer.ip_block else { return };
            let path = path.child("ipBlock");
            warnings.extend(ip::cidr_warnings(&block.cidr, &path.child("cidr")));
            let list = path.child("except");
            for (index, except) in block.except.iter().flatten().enumerate() {
                warnings.extend(ip::cidr_warnings(except, &list.index(index)));
            }
        });
        warnings
    }

    fn cells(&self, policy: &NetworkPolicy, now: Time) -> Vec<Cell> {
        let selector = policy.spec.clone().unwrap_or_default().pod_selector.unwrap_or_default();
        vec![
            cells::name(&policy.metadata),
            labels::format_selector(Some(&selector)).into(),
            cells::age(&policy.metadata, now),
        ]
    }
}

/// Shows every peer of every rule, and where it is.
fn each_peer(policy: &NetworkPolicy, mut show: impl FnMut(&NetworkPolicyPeer, &Path<'_>)) {
    let spec = policy.spec.clone().unwrap_or_default();
    let path = Path::new("spec");
    let list = path.child("ingress");
    for (index, rule) in spec.ingress.iter().flatten().enumerate() {
        let item = list.index(index);
        let peers = item.child("from");
        let from = rule.from.iter().flatten().enumerate();
        from.for_each(|(index, peer)| show(peer, &peers.index(index)));
    }
    let list = path.child("egress");
    for (index, rule) in spec.egress.iter().flatten().enumerate() {
        let item = list.index(index);
        let peers = item.child("to");
        let to = rule.to.iter().flatten().enumerate();
        to.for_each(|(index, peer)| show(peer, &peers.index(index)));
    }
}

/// Every range of a policy: those may stay, even if they are bad.
fn ranges(policy: &NetworkPolicy) -> Vec<String> {
    let mut ranges = Vec::new();
    each_peer(policy, |peer, _| {
        if let Some(block) = &peer.ip_block {
            ranges.push(block.cidr.clone());
            ranges.extend(block.except.iter().flatten().cloned());
        }
    });
    ranges
}

fn validate_spec(policy: &NetworkPolicy, had: &[String]) -> Vec<FieldError> {
    let spec = policy.spec.clone().unwrap_or_default();
    let path = Path::new("spec");
    let mut errors = Vec::new();
    let selector = spec.pod_selector.unwrap_or_default();
    errors.extend(labels::validate_selector(&selector, &path.child("podSelector")));
    let ingress = spec.ingress.iter().flatten().map(|rule| &rule.ports).enumerate();
    let egress = spec.egress.iter().flatten().map(|rule| &rule.ports).enumerate();
    let lists = [path.child("ingress"), path.child("egress")];
    let rules = ingress.map(|rule| (&lists[0], rule)).chain(egress.map(|rule| (&lists[1], rule)));
    for (list, (index, ports)) in rules {
        let item = list.index(index);
        let list = item.child("ports");
        for (index, port) in ports.iter().flatten().enumerate() {
            validate_port(port, &list.index(index), &mut errors);
        }
    }
    each_peer(policy, |peer, path| validate_peer(peer, had, path, &mut errors));
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let list = path.child("policyTypes");
    const TYPES: &[&str] = &["Ingress", "Egress"];
    if types.len() > TYPES.len() {
        let value = format!("[]networking.PolicyType{{{}}}", quote_all(types));
        let detail = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid_raw(list, value, detail));
        return errors;
    }
    for (index, type_) in types.iter().enumerate() {
        if !TYPES.contains(&type_.as_str()) {
            errors.push(FieldError::not_supported(list.index(index), type_, TYPES));
        }
    }
    errors
}

fn validate_port(port: &NetworkPolicyPort, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    if !PROTOCOLS.contains(&protocol) {
        errors.push(FieldError::not_supported(item.child("protocol"), protocol, PROTOCOLS));
    }
    let end = item.child("endPort");
    match (&port.port, port.end_port) {
        (Some(IntOrString::Int(number)), last) => {
            port_number(*number, &item.child("port"), errors);
            let Some(last) = last else { return };
            if last < *number {
                let detail = "must be greater than or equal to `port`";
                errors.push(FieldError::invalid_raw(end, number, detail));
            }
            port_number(last, &end, errors);
        }
        (Some(IntOrString::String(name)), last) => {
            if let Some(last) = last {
                let detail = "may not be specified when `port` is non-numeric";
                errors.push(FieldError::invalid_raw(end, last, detail));
            }
            all_invalid(names::port_name(name), name, &item.child("port"), errors);
        }
        (None, Some(last)) => {
            let detail = "may not be specified when `port` is not specified";
            errors.push(FieldError::invalid_raw(end, last, detail));
        }
        (None, None) => {}
    }
}

fn validate_peer(
    peer: &NetworkPolicyPeer,
    had: &[String],
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let selectors =
        [("podSelector", &peer.pod_selector), ("namespaceSelector", &peer.namespace_selector)];
    let mut selecting = false;
    for (field, selector) in selectors {
        let Some(selector) = selector else { continue };
        selecting = true;
        errors.extend(labels::validate_selector(selector, &path.child(field)));
    }
    match &peer.ip_block {
        None if !selecting => errors.push(FieldError::required(path, "must specify a peer")),
        None => {}
        Some(block) => {
            validate_block(block, had, &path.child("ipBlock"), errors);
            if selecting {
                let detail = "may not specify both ipBlock and another peer";
                errors.push(FieldError::forbidden(path, detail));
            }
        }
    }
}

fn validate_block(block: &IPBlock, had: &[String], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let mut check = |text: &String, field: Path<'_>| {
        if !had.contains(text) {
            errors.extend(ip::validate_cidr_lenient(text, &field));
        }
        Cidr::parse(text)
    };
    let field = path.child("cidr");
    if block.cidr.is_empty() {
        errors.push(FieldError::required(field, ""));
        return;
    }
    let Some(range) = check(&block.cidr, field) else { return };
    let list = path.child("except");
    let mut outside = Vec::new();
    for (index, except) in block.except.iter().flatten().enumerate() {
        let Some(inner) = check(except, list.index(index)) else { continue };
        if !range.contains(inner.network()) || range.bits >= inner.bits {
            let detail = "must be a strict subset of `cidr`";
            outside.push(FieldError::invalid(list.index(index), except, detail));
        }
    }
    errors.extend(outside);
}
