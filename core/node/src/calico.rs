//! calico-node: a route to each pod of the node, and routes to the blocks of other nodes through an
//! IP-in-IP tunnel, as BIRD learns them by BGP.
//!
//! Upstream: `projectcalico/calico`, `cni-plugin`, `confd` (BIRD) and `felix`, as `calico.yaml` sets
//! them up (`CALICO_IPV4POOL_IPIP: Always`). A node's block is here the first of its pod range.

use crate::calico_datastore;
use crate::kindnet::{HostRoutes, moved, pod_range};
use crate::masquerade;
use crate::overlay::Overlay;
use k8s_openapi::api::core::v1::Node;
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Tunnel};

const OVERLAY: Overlay = Overlay {
    device: "tunl0",
    tunnel: Tunnel::IpIp,
    up: "CalicoIsUp",
    message: "Calico is running on this node",
    range: block,
    next_hop: |_, host| host,
};
/// How many addresses a block has: 2^(32-26).
const BLOCK_LENGTH: u8 = 26;

/// calico-node on one node.
#[derive(Clone, Debug)]
pub struct Calico {
    node_name: String,
    /// Where all pods are.
    pool: Option<IpNet>,
}

impl Calico {
    /// A daemon that has seen nothing yet.
    pub fn new(node_name: &str, pool: Option<IpNet>) -> Self {
        Calico { node_name: node_name.to_owned(), pool }
    }

    fn set_up(
        &self,
        own: &Node,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<(), Error> {
        let Some(block) = block(own) else { return Ok(()) };
        OVERLAY.lay(world, block)?;
        if let Some(pool) = self.pool {
            masquerade::calico(world.network, world.host, pool)?;
        }
        world.runtime.route_pods(&block.to_string());
        let uid = own.metadata.uid.as_deref().unwrap_or_default();
        calico_datastore::write(context, &self.node_name, uid, self.pool, block)?;
        OVERLAY.tell_up(context, &self.node_name)
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
        if let Some(node) = OVERLAY.to_set_up(context.cache, key, &self.node_name) {
            self.set_up(&node, context, world)?;
        }
        OVERLAY.lead(context.cache, &self.node_name, world)?;
        Ok(Action::await_change())
    }
}
