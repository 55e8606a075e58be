//! What network plugins have in common that lead packets to other nodes' pods through a tunnel.

use crate::kindnet::{HostRoutes, internal_ip, set_routes};
use k8s_openapi::api::core::v1::Node;
use naru_api::Key;
use naru_api::request::Patch;
use naru_client::{Cache, Context, Error};
use naru_network::{IpNet, TopologyError, Tunnel};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A plugin's tunnel, and how it tells the cluster that it is there.
#[derive(Debug)]
pub struct Overlay {
    /// The tunnel's interface.
    pub device: &'static str,
    /// How packets are wrapped.
    pub tunnel: Tunnel,
    /// The reason of the node's condition.
    pub up: &'static str,
    /// Its message.
    pub message: &'static str,
    /// The addresses of a node's pods.
    pub range: fn(&Node) -> Option<IpNet>,
    /// The next hop of the route to a node's pods, made of their range and the node's address.
    pub next_hop: fn(IpNet, IpAddr) -> IpAddr,
}

impl Overlay {
    /// This node, if it is to be set up: it has changed, or has not told yet that it is.
    pub fn to_set_up(&self, cache: &Cache, key: &Key, name: &str) -> Option<Arc<Node>> {
        let own = Key::new("", name);
        let node = cache.arc::<Node>(&own)?;
        (*key == own || !is_up(&node, self.up)).then_some(node)
    }

    fn is_laid(&self, world: &HostRoutes<'_>) -> bool {
        let interfaces = world.network.interfaces(world.host);
        interfaces.iter().any(|interface| &*interface.name == self.device)
    }

    /// Lays the tunnel's end, with the first address of the node's pods.
    pub fn lay(&self, world: &mut HostRoutes<'_>, range: IpNet) -> Result<(), Error> {
        if self.is_laid(world) {
            return Ok(());
        }
        let network = &mut world.network;
        network
            .add_tunnel(world.host, self.device, self.tunnel)
            .and_then(|_| network.add_address(world.host, self.device, range.network().into()))
            .map_err(failed)
    }

    /// Says in the node's status that its network is there.
    pub fn tell_up(&self, context: &mut Context<'_>, node: &str) -> Result<(), Error> {
        let now = naru_api::time::rfc3339(Some(&naru_api::time::meta_time(context.now)));
        let condition = json!({
            "type": "NetworkUnavailable",
            "status": "False",
            "reason": self.up,
            "message": self.message,
            "lastTransitionTime": now,
            "lastHeartbeatTime": now,
        });
        let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        context.client.patch::<Node>("", node, "status", patch)?;
        Ok(())
    }

    /// Makes the routes to all other nodes' pods, through the tunnel; nothing before it is laid.
    pub fn lead(&self, cache: &Cache, own: &str, world: &mut HostRoutes<'_>) -> Result<(), Error> {
        if !self.is_laid(world) {
            return Ok(());
        }
        let others =
            cache.list::<Node>("").filter(|node| node.metadata.name.as_deref() != Some(own));
        let ends: Vec<(IpNet, IpAddr, IpAddr)> = others
            .filter_map(|node| {
                let (range, host) = ((self.range)(node)?, internal_ip(node)?);
                Some((range, (self.next_hop)(range, host), host))
            })
            .collect();
        let remotes: BTreeMap<IpAddr, IpAddr> =
            ends.iter().map(|(_, hop, host)| (*hop, *host)).collect();
        let routes: Vec<(IpNet, IpAddr)> =
            ends.iter().map(|(range, hop, _)| (*range, *hop)).collect();
        world
            .network
            .set_tunnel_remotes(world.host, self.device, remotes)
            .and_then(|()| set_routes(world.network, world.host, &routes, Some(self.device)))
            .map_err(failed)
    }
}

fn failed(error: TopologyError) -> Error {
    Error::Other(error.to_string())
}

/// Whether a node's status says already that its network is there.
fn is_up(node: &Node, reason: &str) -> bool {
    let status = node.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|it| it.conditions.iter().flatten());
    conditions.any(|it| it.type_ == "NetworkUnavailable" && it.reason.as_deref() == Some(reason))
}
