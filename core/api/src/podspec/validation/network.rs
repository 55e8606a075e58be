//! Names and addresses in the pod: DNS, hosts, the node's ports.
//!
//! Upstream: `validatePodDNSConfig`, `ValidateHostAliases`, `validatePodHostNetworkDeps`.

use super::containers::go_texts;
use super::{Errors, Scope, all_invalid};
use crate::{FieldError, Path, names};
use k8s_openapi::api::core::v1::PodSpec;
use std::net::IpAddr;

const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARS_MAX: usize = 2048;

/// On the node's network a container has the node's port of the same number.
pub(super) fn host_ports_match(scope: &Scope<'_>, path: &Path<'_>, errors: &mut Errors) {
    if scope.spec.host_network != Some(true) {
        return;
    }
    let list = path.child("containers");
    for (index, container) in scope.spec.containers.iter().enumerate() {
        let item = list.index(index);
        let ports = item.child("ports");
        for (index, port) in container.ports.iter().flatten().enumerate() {
            let number = port.host_port.unwrap_or(0);
            // In a template it is left to the pod.
            if (scope.pod.is_some() || number != 0) && number != port.container_port {
                let item = ports.index(index);
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid_raw(item.child("hostPort"), number, detail));
            }
        }
    }
}

/// What is wrong with `dnsConfig`.
pub(super) fn dns_config(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let none = spec.dns_policy.as_deref() == Some("None");
    let Some(config) = &spec.dns_config else {
        if none {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            errors.push(FieldError::required(path, detail));
        }
        return;
    };
    let servers = config.nameservers.as_deref().unwrap_or_default();
    let list = path.child("nameservers");
    if none && servers.is_empty() {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(list, detail));
        return;
    }
    if servers.len() > NAMESERVERS_MAX {
        let detail = format!("must not have more than {NAMESERVERS_MAX} nameservers");
        errors.push(FieldError::invalid_raw(list, go_texts(servers), &detail));
    }
    for (index, server) in servers.iter().enumerate() {
        ip_address(server, &list.index(index), errors);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let list = path.child("searches");
    if searches.len() > SEARCHES_MAX {
        let detail = format!("must not have more than {SEARCHES_MAX} search paths");
        errors.push(FieldError::invalid_raw(list, go_texts(searches), &detail));
    }
    if searches.join(" ").len() > SEARCH_CHARS_MAX {
        let detail = format!(
            "must not have more than {SEARCH_CHARS_MAX} characters (including spaces) in the \
             search list"
        );
        errors.push(FieldError::invalid_raw(list, go_texts(searches), &detail));
    }
    for (index, search) in searches.iter().enumerate() {
        if search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            search_path(search, &list.index(index), errors);
        }
    }
    let list = path.child("options");
    for (index, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(list.index(index), "must not be empty"));
        }
    }
}

/// A search path may have underscores, which upstream's regular expression does not tell.
///
/// Upstream: `IsDNS1123SubdomainWithUnderscore`.
fn search_path(path: &str, field: &Path<'_>, errors: &mut Errors) {
    const LENGTH_MAX: usize = 253;
    if path.len() > LENGTH_MAX {
        let detail = format!("must be no more than {LENGTH_MAX} characters");
        errors.push(FieldError::invalid(field, path, &detail));
    }
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.strip_prefix('_').unwrap_or(label).as_bytes();
        bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|b| edge(b) || matches!(b, b'-' | b'_'))
    };
    if !path.split('.').all(label) {
        let detail = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                      characters, '_', '-' or '.', and must start and end with an alphanumeric \
                      character (e.g. 'example.com', regex used for validation is \
                      '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        errors.push(FieldError::invalid(field, path, detail));
    }
}

/// What is wrong with `hostAliases`.
pub(super) fn host_aliases(spec: &PodSpec, list: &Path<'_>, errors: &mut Errors) {
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let item = list.index(index);
        ip_address(&alias.ip, &item.child("ip"), errors);
        let list = item.child("hostnames");
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            all_invalid(names::dns1123_subdomain(name), name, &list.index(index), errors);
        }
    }
}

/// What is wrong with an address of a field that always took numbers with zeros before them.
///
/// Upstream: `IsValidIPForLegacyField`.
fn ip_address(text: &str, field: &Path<'_>, errors: &mut Errors) {
    let part = |part: &str| match part.trim_start_matches('0') {
        "" if !part.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let plain: Vec<String> = text.split('.').map(part).collect();
    if text.parse::<IpAddr>().is_err() && plain.join(".").parse::<IpAddr>().is_err() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.push(FieldError::invalid(field, text, detail));
    }
}
