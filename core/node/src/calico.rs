//! calico-node: a route to each pod of the node, and routes to the blocks of other nodes through an
//! IP-in-IP tunnel, as BIRD learns them by BGP.
//!
//! Upstream: `projectcalico/calico`, `cni-plugin`, `confd` (BIRD) and `felix`, as `calico.yaml` sets
//! them up (`CALICO_IPV4POOL_IPIP: Always`). A node's block is here the first of its pod range.

use crate::flannel::{is_up, tell_up};
use crate::kindnet::{HostRoutes, internal_ip, moved, pod_range, set_routes};
use k8s_openapi::api::core::v1::Node;
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Tunnel};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The tunnel's interface.
const DEVICE: &str = "tunl0";
/// How many addresses a block has: 2^(32-26).
const BLOCK_LENGTH: u8 = 26;
const UP: &str = "CalicoIsUp";

/// calico-node on one node.
#[derive(Clone, Debug)]
pub struct Calico {
    node_name: String,
}

impl Calico {
    /// A daemon that has seen nothing yet.
    pub fn new(node_name: &str) -> Self {
        Calico { node_name: node_name.to_owned() }
    }

    fn set_up(
        &self,
        own: &Node,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<(), Error> {
        let Some(block) = block(own) else { return Ok(()) };
        let interfaces = world.network.interfaces(world.host);
        if !interfaces.iter().any(|interface| &*interface.name == DEVICE) {
            let network = &mut world.network;
            network
                .add_tunnel(world.host, DEVICE, Tunnel::IpIp)
                .and_then(|_| network.add_address(world.host, DEVICE, block.network().into()))
                .map_err(|error| Error::Other(error.to_string()))?;
        }
        world.runtime.route_pods(&block.to_string());
        tell_up(context, &self.node_name, UP, "Calico is running on this node")
    }
}

/// The block of addresses of a node's pods.
fn block(node: &Node) -> Option<IpNet> {
    let range = pod_range(node)?;
    let length = BLOCK_LENGTH.max(range.prefix_len());
    IpNet::new(range.network(), length).ok()
}

impl Controller for Calico {
    fn name(&self) -> &str {
        "calico-node"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        moved(event, old)
    }
}

impl Reconcile<HostRoutes<'_>> for Calico {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<Action, Error> {
        let own = Key::new("", self.node_name.as_str());
        if let Some(node) = context.cache.arc::<Node>(&own)
            && (*key == own || !is_up(&node, UP))
        {
            self.set_up(&node, context, world)?;
        }
        let interfaces = world.network.interfaces(world.host);
        if !interfaces.iter().any(|interface| &*interface.name == DEVICE) {
            return Ok(Action::await_change());
        }
        let others = context.cache.list::<Node>("");
        let others = others.filter(|node| node.metadata.name.as_ref() != Some(&self.node_name));
        let wanted: Vec<(IpNet, IpAddr)> =
            others.filter_map(|node| Some((block(node)?, internal_ip(node)?))).collect();
        let remotes: BTreeMap<IpAddr, IpAddr> =
            wanted.iter().map(|(_, host)| (*host, *host)).collect();
        world
            .network
            .set_tunnel_remotes(world.host, DEVICE, remotes)
            .and_then(|()| set_routes(world.network, world.host, &wanted, Some(DEVICE)))
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok(Action::await_change())
    }
}
