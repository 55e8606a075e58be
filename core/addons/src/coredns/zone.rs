//! The names of the cluster's domain.
//!
//! Upstream: `plugin/kubernetes/kubernetes.go`, `parse.go`, `reverse.go`; the schema is
//! `github.com/kubernetes/dns/blob/master/docs/specification.md`.

use super::corefile::{Kubernetes, Pods};
use super::store::{Address, Store, cluster_ips};
use k8s_openapi::api::core::v1::Service;
use naru_api::Key;
use naru_network::dns::Name;
use std::net::IpAddr;

/// One thing that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// An address, or another name.
    pub host: Host,
    /// The port; 0 where there is none.
    pub port: u16,
    /// The name that stands for just this one.
    pub name: String,
}

/// An address, or another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// The true name (a service of type ExternalName).
    Name(String),
}

/// There is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchName;

/// What a name below `zone` asks for.
#[derive(Debug, Default)]
struct Asked<'a> {
    port: &'a str,
    protocol: &'a str,
    endpoint: &'a str,
    service: &'a str,
    namespace: &'a str,
    pod: bool,
}

/// What a name in small letters stands for; nothing when the name is there without being anything
/// of its own, such as a namespace.
pub fn find(
    name: &str,
    zone: &Name,
    plugin: &Kubernetes,
    store: &Store,
) -> Result<Vec<Found>, NoSuchName> {
    let Some(asked) = parse(name, zone)? else { return Ok(Vec::new()) };
    if asked.namespace.is_empty() {
        return Ok(Vec::new());
    }
    if !store.has_namespace(asked.namespace) {
        return Err(NoSuchName);
    }
    if asked.service.is_empty() {
        return Ok(Vec::new());
    }
    match asked.pod {
        true => pod(&asked, zone, plugin),
        false => service(&asked, zone, store),
    }
}

/// `None` for the zone itself and for `svc` and `pod` in it.
fn parse<'a>(name: &'a str, zone: &Name) -> Result<Option<Asked<'a>>, NoSuchName> {
    let base = name.strip_suffix(zone.lower().as_str()).unwrap_or(name).trim_end_matches('.');
    if matches!(base, "" | "svc" | "pod") {
        return Ok(None);
    }
    let mut labels = base.rsplit('.');
    let kind = labels.next().unwrap_or_default();
    if kind != "svc" && kind != "pod" {
        return Err(NoSuchName);
    }
    let mut asked = Asked { pod: kind == "pod", ..Asked::default() };
    asked.namespace = labels.next().unwrap_or_default();
    asked.service = labels.next().unwrap_or_default();
    let rest: Vec<&str> = labels.collect();
    match rest.as_slice() {
        [] => {}
        [endpoint] => asked.endpoint = endpoint,
        [protocol, port] => {
            asked.protocol = protocol.strip_prefix('_').unwrap_or(protocol);
            asked.port = port.strip_prefix('_').unwrap_or(port);
        }
        _ => return Err(NoSuchName),
    }
    Ok(Some(asked))
}

/// `10-244-1-2.default.pod`: any address, in a namespace that is there.
fn pod(asked: &Asked<'_>, zone: &Name, plugin: &Kubernetes) -> Result<Vec<Found>, NoSuchName> {
    let (label, namespace) = (asked.service, asked.namespace);
    if plugin.pods == Pods::Disabled {
        return Err(NoSuchName);
    }
    let v4 = label.matches('-').count() == 3 && !label.contains("--");
    let text = label.replace('-', if v4 { "." } else { ":" });
    let ip: IpAddr = text.parse().map_err(|_| NoSuchName)?;
    let name = format!("{label}.{namespace}.pod.{zone}");
    Ok(vec![Found { host: Host::Ip(ip), port: 0, name }])
}

fn service(asked: &Asked<'_>, zone: &Name, store: &Store) -> Result<Vec<Found>, NoSuchName> {
    let key = Key::new(asked.namespace, asked.service);
    let service = store.service(&key).ok_or(NoSuchName)?;
    let name = format!("{}.{}.svc.{zone}", asked.service, asked.namespace);
    let plain = asked.endpoint.is_empty() && asked.port.is_empty() && asked.protocol.is_empty();
    let found = match external_name(service) {
        Some(_) if !plain => Vec::new(),
        Some(target) => vec![Found { host: Host::Name(target), port: 0, name }],
        None if cluster_ips(service).is_empty() || !asked.endpoint.is_empty() => {
            of_endpoints(asked, &name, store.endpoints(&key))
        }
        None => of_cluster_ip(asked, &name, service),
    };
    if found.is_empty() { Err(NoSuchName) } else { Ok(found) }
}

fn external_name(service: &Service) -> Option<String> {
    let spec = service.spec.as_ref()?;
    spec.external_name.clone().filter(|_| spec.type_.as_deref() == Some("ExternalName"))
}

fn of_endpoints(asked: &Asked<'_>, service: &str, addresses: Vec<Address>) -> Vec<Found> {
    let wanted = |address: &Address| asked.endpoint.is_empty() || asked.endpoint == address.host;
    let mut found = Vec::new();
    for address in addresses.into_iter().filter(wanted) {
        for (port, protocol, number) in &address.ports {
            if asked.fits(port, protocol) {
                let name = format!("{}.{service}", address.host);
                found.push(Found { host: Host::Ip(address.ip), port: *number, name });
            }
        }
    }
    found
}

fn of_cluster_ip(asked: &Asked<'_>, name: &str, service: &Service) -> Vec<Found> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    let mut found = Vec::new();
    for port in ports.into_iter().flatten() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
        if asked.fits(port.name.as_deref().unwrap_or_default(), &protocol) {
            let number = u16::try_from(port.port).unwrap_or(0);
            let of_ip = |ip| Found { host: Host::Ip(ip), port: number, name: name.to_owned() };
            found.extend(cluster_ips(service).into_iter().map(of_ip));
        }
    }
    found
}

impl Asked<'_> {
    /// Whether a port is one of those asked for.
    fn fits(&self, port: &str, protocol: &str) -> bool {
        let is = |asked: &str, name: &str| asked.is_empty() || asked.eq_ignore_ascii_case(name);
        is(self.port, port) && is(self.protocol, protocol)
    }
}

/// The names of an address: of the service with this cluster IP, else of endpoints.
pub fn reverse(ip: IpAddr, domain: &Name, store: &Store) -> Vec<String> {
    if let Some(service) = store.service_at(ip) {
        return vec![format!("{}.{}.svc.{domain}", service.name, service.namespace)];
    }
    let name = |(key, host): (Key, String)| {
        let Key { namespace, name } = key;
        format!("{host}.{name}.{namespace}.svc.{domain}")
    };
    store.endpoints_at(ip).into_iter().map(name).collect()
}
