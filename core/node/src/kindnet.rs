//! The network plugin's daemon: routes to the pods of every other node.
//!
//! Upstream: `kindest/kindnetd`, `cmd/kindnetd/routes.go`.

use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Network, NsId, Route};
use std::net::IpAddr;

/// kindnetd on one node.
#[derive(Clone, Debug)]
pub struct Kindnet {
    node_name: String,
    /// How many policies there are.
    policies: usize,
}

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
    pub fn new(node_name: &str) -> Self {
        Kindnet { node_name: node_name.to_owned(), policies: 0 }
    }
}

impl Kindnet {
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
            return Ok(Action::await_change());
        }
        let nodes = context.cache.list::<Node>("");
        let wanted: Vec<(IpNet, IpAddr)> = nodes
            .filter(|node| node.metadata.name.as_deref() != Some(self.node_name.as_str()))
            .filter_map(pod_route)
            .collect();
        set_pod_routes(world.network, world.host, &wanted)
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok(Action::await_change())
    }
}

/// The node itself if its pods, or the way to them, are others than before.
pub fn moved(event: &WatchEvent, old: Option<&Object>) -> Vec<Key> {
    let routes = |object: &Object| object.get::<Node>().and_then(pod_route);
    let (before, after) = (old.and_then(routes), routes(&event.object));
    let gone = event.kind == naru_api::WatchEventType::Deleted;
    if before == after && !gone { Vec::new() } else { vec![event.object.key()] }
}

/// A node's pods, and the address by which they are reached.
fn pod_route(node: &Node) -> Option<(IpNet, IpAddr)> {
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
    wanted: &[(IpNet, IpAddr)],
) -> Result<(), naru_network::TopologyError> {
    set_routes(network, host, wanted, None)
}

/// Makes these the routes to other nodes' pods, over this device or over that on which the next hop
/// is: what is missing is added, and what was there over the same next hops or to the same pods is
/// replaced.
pub fn set_routes(
    network: &mut Network,
    host: NsId,
    wanted: &[(IpNet, IpAddr)],
    over: Option<&str>,
) -> Result<(), naru_network::TopologyError> {
    let present = network.routes(host);
    let ours = |route: &&Route| route.via.is_some() && route.to.prefix_len() > 0;
    for route in present.iter().filter(ours) {
        let kept = wanted.iter().any(|(to, via)| *to == route.to && Some(*via) == route.via);
        if !kept {
            network.del_route(host, route.to)?;
        }
    }
    for (to, via) in wanted {
        if present.iter().any(|route| route.to == *to && route.via == Some(*via)) {
            continue;
        }
        let interfaces = network.interfaces(host);
        let on_link = interfaces.iter().find(|interface| match over {
            Some(name) => &*interface.name == name,
            None => interface.addresses.iter().any(|net| net.contains(via)),
        });
        let Some(interface) = on_link else { continue };
        let dev = interface.name.to_string();
        network.add_route(host, Route { to: *to, via: Some(*via), dev, src: None })?;
    }
    Ok(())
}
