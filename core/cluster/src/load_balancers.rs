//! The cloud's network: brings what is sent to a load balancer's address to one of the nodes, as a
//! load balancer that keeps the packet's destination does. kube-proxy does the rest there.

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::{Key, Object, UserInfo, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Process, Reconcile, Watch};
use naru_network::{Network, NsId, Route};
use naru_sim::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

const SLICE_OF: &str = "kubernetes.io/service-name";
/// Nodes with this label get no traffic from load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The network between the learner's machine and the nodes.
pub(crate) struct Edge<'a> {
    /// The network.
    pub network: &'a mut Network,
    /// The learner's machine, which is the gateway.
    pub gateway: NsId,
    /// Its interface to the nodes.
    pub dev: &'a str,
}

/// Follows the addresses of Services' load balancers.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadBalancers {
    /// The addresses that lead to each Service.
    routes: BTreeMap<Key, BTreeSet<Ipv4Addr>>,
}

impl LoadBalancers {
    pub(crate) fn process(rng: &Rng) -> Process<LoadBalancers> {
        // The cloud's own network asks nobody's leave.
        let user = UserInfo::new("naru:cloud", &["system:masters", "system:authenticated"]);
        Process::new("cloud-network", user, rng).with(LoadBalancers::default())
    }
}

impl Controller for LoadBalancers {
    fn name(&self) -> &str {
        "cloud-network"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>(), Watch::all::<Service>(), Watch::all::<EndpointSlice>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if let Some(node) = object.get::<Node>() {
            let before = old.and_then(Object::get::<Node>).and_then(target);
            let gone = event.kind == WatchEventType::Deleted;
            let same = !gone && before == target(node);
            return if same { Vec::new() } else { self.routes.keys().cloned().collect() };
        }
        if object.get::<Service>().is_some() {
            return vec![object.key()];
        }
        let labels = object.meta().labels.as_ref();
        let service = labels.and_then(|labels| labels.get(SLICE_OF));
        let key = service.map(|name| Key::new(object.namespace(), name.as_str()));
        key.filter(|key| self.routes.contains_key(key)).into_iter().collect()
    }
}

impl Reconcile<Edge<'_>> for LoadBalancers {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        edge: &mut Edge<'_>,
    ) -> Result<Action, Error> {
        let wanted = context.cache.get::<Service>(key).map(addresses).unwrap_or_default();
        let before = self.routes.remove(key).unwrap_or_default();
        for ip in before.difference(&wanted) {
            edge.withdraw(*ip);
        }
        let node = context.cache.get::<Service>(key).and_then(|service| {
            let nodes = targets(service, key, context.cache);
            let place = spread(service).checked_rem(nodes.len()).unwrap_or(0);
            nodes.get(place).copied()
        });
        for ip in &wanted {
            match node {
                Some(node) => edge.lead(*ip, node).map_err(Error::Other)?,
                None => edge.withdraw(*ip),
            }
        }
        if !wanted.is_empty() {
            self.routes.insert(key.clone(), wanted);
        }
        Ok(Action::await_change())
    }
}

impl Edge<'_> {
    fn withdraw(&mut self, ip: Ipv4Addr) {
        // What is not there need not go.
        let _ = self.network.del_route(self.gateway, ipnet::Ipv4Net::from(ip).into());
    }

    fn lead(&mut self, ip: Ipv4Addr, node: Ipv4Addr) -> Result<(), String> {
        let to = ipnet::Ipv4Net::from(ip).into();
        let via = Some(IpAddr::V4(node));
        if self.network.routes(self.gateway).iter().any(|r| r.to == to && r.via == via) {
            return Ok(());
        }
        self.withdraw(ip);
        let route = Route { to, via, dev: self.dev.to_owned(), src: None };
        self.network.add_route(self.gateway, route).map_err(|error| error.to_string())
    }
}

/// The addresses of a Service's load balancer that are brought to nodes as they are.
fn addresses(service: &Service) -> BTreeSet<Ipv4Addr> {
    let kind = service.spec.as_ref().and_then(|spec| spec.type_.as_deref());
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = status.into_iter().flat_map(|balancer| balancer.ingress.iter().flatten());
    points
        .filter(|point| kind == Some("LoadBalancer") && point.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|point| point.ip.as_deref()?.parse().ok())
        .collect()
}

/// The nodes that answer the load balancer's health checks.
fn targets(service: &Service, key: &Key, cache: &Cache) -> Vec<Ipv4Addr> {
    let spec = service.spec.as_ref();
    let local = spec.is_some_and(|spec| spec.external_traffic_policy.as_deref() == Some("Local"));
    let with_endpoints = local.then(|| nodes_with_endpoints(key, cache));
    let fits = |node: &&Node| {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        with_endpoints.as_ref().is_none_or(|names| names.contains(name))
    };
    cache.list::<Node>("").filter(fits).filter_map(target).collect()
}

fn nodes_with_endpoints<'a>(key: &Key, cache: &'a Cache) -> BTreeSet<&'a str> {
    let slices = cache.list::<EndpointSlice>(&key.namespace).filter(|slice| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(SLICE_OF)) == Some(&key.name)
    });
    let ready = slices.flat_map(|slice| &slice.endpoints).filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    ready.filter_map(|endpoint| endpoint.node_name.as_deref()).collect()
}

/// Where a node takes traffic from load balancers, if it does.
fn target(node: &Node) -> Option<Ipv4Addr> {
    let labels = node.metadata.labels.as_ref();
    if labels.is_some_and(|labels| labels.contains_key(EXCLUDED)) {
        return None;
    }
    let status = node.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    if !conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True") {
        return None;
    }
    let mut addresses = status.addresses.iter().flatten();
    addresses.find(|address| address.type_ == "InternalIP")?.address.parse().ok()
}

/// A number that differs from Service to Service, so that not all lead to the same node.
fn spread(service: &Service) -> usize {
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    uid.bytes().map(usize::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_addresses_that_keep_the_destination_count() {
        let service: Service = serde_json::from_value(json!({
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [
                {"ip": "34.1.2.3", "ipMode": "VIP"},
                {"ip": "34.1.2.4", "ipMode": "Proxy"},
                {"hostname": "lb.example"},
            ]}},
        }))
        .unwrap();
        assert_eq!(addresses(&service), BTreeSet::from([Ipv4Addr::new(34, 1, 2, 3)]));
        assert!(addresses(&Service::default()).is_empty());
    }
}
