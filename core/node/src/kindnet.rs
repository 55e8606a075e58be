//! The network plugin's daemon: routes to the pods of every other node.
//!
//! Upstream: `kindest/kindnetd`, `cmd/kindnetd/routes.go`.

use crate::masquerade;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Network, NsId, Route, TopologyError};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// kindnetd on one node.
#[derive(Clone, Debug)]
pub struct Kindnet {
    node_name: String,
    /// Where all pods are.
    pods: Option<IpNet>,
    /// How many policies there are.
    policies: usize,
    /// The routes that it has made, by node.
    made: BTreeMap<String, PodRoute>,
}

/// The range of a node's pods, and the address by which they are reached.
type PodRoute = (IpNet, IpAddr);

/// The node's own network and its runtime.
pub struct HostRoutes<'a> {
    /// The runtime, whose pods' network the daemon sets up.
    pub runtime: &'a mut Runtime,
    /// The network.
    pub network: &'a mut Network,
    /// The node's namespace.
    pub host: NsId,
}

impl Kindnet {
    /// A daemon that has seen nothing yet.
    pub fn new(node_name: &str, pods: Option<IpNet>) -> Self {
        Kindnet { node_name: node_name.to_owned(), pods, policies: 0, made: BTreeMap::new() }
    }

    /// Whether there is a policy to enforce.
    pub fn has_policies(&self) -> bool {
        self.policies > 0
    }
}

impl Controller for Kindnet {
    fn name(&self) -> &str {
        "kindnetd"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>(), Watch::all::<NetworkPolicy>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == NetworkPolicy::kind() {
            self.policies = cache.list::<NetworkPolicy>("").count();
            return Vec::new();
        }
        moved(event, old)
    }
}

impl Reconcile<HostRoutes<'_>> for Kindnet {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<Action, Error> {
        if key.name == self.node_name {
            // As kindnetd, it writes the plugin's configuration once it knows the node's range.
            let own = context.cache.get::<Node>(key).and_then(|node| node.spec.as_ref());
            if let Some(range) = own.and_then(|spec| spec.pod_cidr.as_deref()) {
                world.runtime.configure_network(range, world.network);
            }
            return self.start_over(context.cache, world);
        }
        let wanted = context.cache.get::<Node>(key).and_then(pod_route);
        let made = self.made.get(&key.name).copied();
        if let Some(gone) = made.filter(|made| Some(*made) != wanted) {
            self.made.remove(&key.name);
            // Unless another node has taken over the range.
            if is_there(world.network, world.host, gone) {
                world.network.del_route(world.host, gone.0).map_err(topology)?;
            }
        }
        if let Some(route) = wanted {
            add_route(world.network, world.host, route, None).map_err(topology)?;
            self.made.insert(key.name.clone(), route);
        }
        Ok(Action::await_change())
    }
}

impl Kindnet {
    /// Brings all routes into order: others may have made them, or it has just been started.
    fn start_over(&mut self, cache: &Cache, world: &mut HostRoutes<'_>) -> Result<Action, Error> {
        let others = cache.list::<Node>("").filter_map(|node| {
            let name = node.metadata.name.clone().filter(|name| *name != self.node_name)?;
            Some((name, pod_route(node)?))
        });
        self.made = others.collect();
        let wanted: Vec<PodRoute> = self.made.values().copied().collect();
        set_pod_routes(world.network, world.host, &wanted).map_err(topology)?;
        if let Some(pods) = self.pods {
            masquerade::kindnet(world.network, world.host, pods)?;
        }
        Ok(Action::await_change())
    }
}

fn topology(error: TopologyError) -> Error {
    Error::Other(error.to_string())
}

/// Whether two states of a node say the same of where its pods are: most changes are of
/// something else.
fn leads_alike(old: &Node, new: &Node) -> bool {
    let (spec, status) = ((&old.spec, &new.spec), (&old.status, &new.status));
    let (Some(old_spec), Some(new_spec)) = spec else { return false };
    let (Some(old), Some(new)) = status else { return false };
    old_spec.pod_cidr == new_spec.pod_cidr && old.addresses == new.addresses
}

fn is_there(network: &Network, host: NsId, (to, via): PodRoute) -> bool {
    network.route_to(host, to).is_some_and(|route| route.via == Some(via))
}

fn add_route(
    network: &mut Network,
    host: NsId,
    route: PodRoute,
    over: Option<&str>,
) -> Result<(), TopologyError> {
    if is_there(network, host, route) {
        return Ok(());
    }
    let (to, via) = route;
    let dev = match over {
        Some(name) => Some(name.to_owned()),
        None => network.device_to(host, via).map(|dev| dev.to_string()),
    };
    let Some(dev) = dev else { return Ok(()) };
    network.add_route(host, Route { to, via: Some(via), dev, src: None })
}

/// The node itself if its pods, or the way to them, are others than before.
pub fn moved(event: &WatchEvent, old: Option<&Object>) -> Vec<Key> {
    let node = event.object.get::<Node>();
    let old = old.and_then(Object::get::<Node>);
    let gone = event.kind == naru_api::WatchEventType::Deleted;
    if !gone && old.is_some_and(|old| node.is_some_and(|node| leads_alike(old, node))) {
        return Vec::new();
    }
    let (before, after) = (old.and_then(pod_route), node.and_then(pod_route));
    if before == after && !gone { Vec::new() } else { vec![event.object.key()] }
}

/// A node's pods, and the address by which they are reached.
fn pod_route(node: &Node) -> Option<PodRoute> {
    Some((pod_range(node)?, internal_ip(node)?))
}

/// The addresses of a node's pods.
pub fn pod_range(node: &Node) -> Option<IpNet> {
    node.spec.as_ref()?.pod_cidr.as_deref()?.parse().ok()
}

/// The address of a node.
pub fn internal_ip(node: &Node) -> Option<IpAddr> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    addresses.iter().find(|address| address.type_ == "InternalIP")?.address.parse().ok()
}

/// Makes these the routes to other nodes' pods over the network that the nodes share: see
/// [`set_routes`].
pub fn set_pod_routes(
    network: &mut Network,
    host: NsId,
    wanted: &[PodRoute],
) -> Result<(), TopologyError> {
    set_routes(network, host, wanted, None)
}

/// Makes these the routes to other nodes' pods, over this device or over that on which the next hop
/// is: what is missing is added, and what was there over the same next hops or to the same pods is
/// replaced.
pub fn set_routes(
    network: &mut Network,
    host: NsId,
    wanted: &[PodRoute],
    over: Option<&str>,
) -> Result<(), TopologyError> {
    let kept: BTreeSet<PodRoute> = wanted.iter().copied().collect();
    for route in network.routes(host) {
        let ours = route.via.filter(|_| route.to.prefix_len() > 0);
        if ours.is_some_and(|via| !kept.contains(&(route.to, via))) {
            network.del_route(host, route.to)?;
        }
    }
    wanted.iter().try_for_each(|route| add_route(network, host, *route, over))
}
