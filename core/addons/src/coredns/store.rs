//! What the name server has seen of the cluster.

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::{Key, KindRef, Kube, WatchEvent, WatchEventType};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Services, their endpoints, and namespaces, with the ways to find them.
#[derive(Clone, Debug, Default)]
pub struct Store {
    services: BTreeMap<Key, Arc<Service>>,
    slices: BTreeMap<Key, Arc<EndpointSlice>>,
    namespaces: BTreeSet<String>,
    slices_of: BTreeMap<Key, BTreeSet<Key>>,
    services_at: BTreeMap<IpAddr, BTreeSet<Key>>,
    slices_at: BTreeMap<IpAddr, BTreeSet<Key>>,
}

/// One address of a service's endpoints, with its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The first label of its name: `web-0`, or `10-244-1-2`.
    pub host: String,
    /// Name, protocol and number.
    pub ports: Vec<(String, String, u16)>,
}

impl Store {
    /// The kinds that it is fed with.
    pub fn kinds() -> [KindRef; 3] {
        [Namespace::kind(), Service::kind(), EndpointSlice::kind()]
    }

    /// Takes over what a watch has delivered.
    pub fn apply(&mut self, event: &WatchEvent) {
        let (key, gone) = (event.object.key(), event.kind == WatchEventType::Deleted);
        if let Some(service) = event.object.arc::<Service>() {
            self.put_service(key, (!gone).then_some(service));
        } else if let Some(slice) = event.object.arc::<EndpointSlice>() {
            self.put_slice(key, (!gone).then_some(slice));
        } else if gone {
            self.namespaces.remove(&key.name);
        } else {
            self.namespaces.insert(key.name);
        }
    }

    /// Forgets all objects of a kind, before they are listed anew.
    pub fn clear(&mut self, kind: &KindRef) {
        if *kind == Service::kind() {
            (self.services, self.services_at) = Default::default();
        } else if *kind == EndpointSlice::kind() {
            (self.slices, self.slices_of, self.slices_at) = Default::default();
        } else {
            self.namespaces.clear();
        }
    }

    fn put_service(&mut self, key: Key, service: Option<Arc<Service>>) {
        if let Some(old) = self.services.remove(&key) {
            cluster_ips(&old).iter().for_each(|ip| unlink(&mut self.services_at, ip, &key));
        }
        let Some(service) = service else { return };
        for ip in cluster_ips(&service) {
            self.services_at.entry(ip).or_default().insert(key.clone());
        }
        self.services.insert(key, service);
    }

    fn put_slice(&mut self, key: Key, slice: Option<Arc<EndpointSlice>>) {
        if let Some(old) = self.slices.remove(&key) {
            unlink(&mut self.slices_of, &service_of(&old), &key);
            addresses(&old).iter().for_each(|a| unlink(&mut self.slices_at, &a.ip, &key));
        }
        let Some(slice) = slice else { return };
        self.slices_of.entry(service_of(&slice)).or_default().insert(key.clone());
        for address in addresses(&slice) {
            self.slices_at.entry(address.ip).or_default().insert(key.clone());
        }
        self.slices.insert(key, slice);
    }

    /// Whether anything was seen at all; every cluster has namespaces.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Whether there is a namespace of this name.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// A service.
    pub fn service(&self, key: &Key) -> Option<&Service> {
        self.services.get(key).map(Arc::as_ref)
    }

    /// The ready addresses of a service.
    pub fn endpoints(&self, service: &Key) -> Vec<Address> {
        let keys = self.slices_of.get(service).into_iter().flatten();
        keys.filter_map(|key| self.slices.get(key)).flat_map(|slice| addresses(slice)).collect()
    }

    /// The service with this cluster IP.
    pub fn service_at(&self, ip: IpAddr) -> Option<&Key> {
        self.services_at.get(&ip)?.first()
    }

    /// The services that have an endpoint with this address, and the endpoint's host name there.
    pub fn endpoints_at(&self, ip: IpAddr) -> Vec<(Key, String)> {
        let keys = self.slices_at.get(&ip).into_iter().flatten();
        let slices = keys.filter_map(|key| self.slices.get(key));
        let mut found: Vec<(Key, String)> = slices
            .flat_map(|slice| {
                let here = addresses(slice).into_iter().filter(|address| address.ip == ip);
                here.map(|address| (service_of(slice), address.host)).collect::<Vec<_>>()
            })
            .collect();
        found.dedup();
        found
    }
}

fn unlink<K: Ord>(index: &mut BTreeMap<K, BTreeSet<Key>>, at: &K, key: &Key) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

/// The addresses of a service within the cluster; none when it is headless.
pub fn cluster_ips(service: &Service) -> Vec<IpAddr> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let first = spec.cluster_ip.as_slice();
    let all = spec.cluster_ips.as_deref().filter(|ips| !ips.is_empty()).unwrap_or(first);
    all.iter().filter_map(|ip| ip.parse().ok()).collect()
}

fn service_of(slice: &EndpointSlice) -> Key {
    let label = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME));
    let namespace = slice.metadata.namespace.clone().unwrap_or_default();
    Key::new(namespace, label.cloned().unwrap_or_default())
}

/// The addresses of a slice that take connections.
fn addresses(slice: &EndpointSlice) -> Vec<Address> {
    let ports: Vec<(String, String, u16)> = slice
        .ports
        .iter()
        .flatten()
        .map(|port| {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let number = port.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            (port.name.clone().unwrap_or_default(), protocol.to_ascii_lowercase(), number)
        })
        .collect();
    // A headless service needs no ports.
    let ports = if ports.is_empty() { vec![Default::default()] } else { ports };
    let ready = slice.endpoints.iter().filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    });
    ready
        .flat_map(|endpoint| {
            let ips = endpoint.addresses.iter().filter_map(|ip| ip.parse().ok());
            let name = endpoint.hostname.clone().filter(|name| !name.is_empty());
            ips.map(move |ip| (ip, name.clone().unwrap_or_else(|| host_name(ip))))
        })
        .map(|(ip, host)| Address { ip, host, ports: ports.clone() })
        .collect()
}

/// The host name of an address that has none: `10-244-1-2`.
fn host_name(ip: IpAddr) -> String {
    let dashes = ip.to_string().replace(['.', ':'], "-");
    // A label cannot end with a dash.
    if dashes.ends_with('-') { dashes + "0" } else { dashes }
}
