//! flannel's daemon: a VXLAN tunnel between the nodes, and routes to their pods through it.
//!
//! Upstream: `flannel-io/flannel`, `pkg/subnet/kube/kube.go`, `pkg/backend/vxlan`. It enforces no
//! NetworkPolicies.

use crate::kindnet::{HostRoutes, internal_ip, pod_range, set_routes};
use k8s_openapi::api::core::v1::Node;
use naru_api::request::Patch;
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Tunnel};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The tunnel's interface: `flannel.VNI`.
const DEVICE: &str = "flannel.1";
const VXLAN: Tunnel = Tunnel::Vxlan { vni: 1, port: 8472 };

/// flanneld on one node.
#[derive(Clone, Debug)]
pub struct Flannel {
    node_name: String,
}

impl Flannel {
    /// A daemon that has seen nothing yet.
    pub fn new(node_name: &str) -> Self {
        Flannel { node_name: node_name.to_owned() }
    }

    /// Lays the tunnel's end and the bridge, and tells the cluster so.
    fn set_up(
        &self,
        own: &Node,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<(), Error> {
        let Some(range) = pod_range(own) else { return Ok(()) };
        let interfaces = world.network.interfaces(world.host);
        if !interfaces.iter().any(|interface| &*interface.name == DEVICE) {
            let end = IpNet::from(range.network());
            let network = &mut world.network;
            network
                .add_tunnel(world.host, DEVICE, VXLAN)
                .and_then(|_| network.add_address(world.host, DEVICE, end))
                .map_err(|error| Error::Other(error.to_string()))?;
        }
        world.runtime.configure_network(&range.to_string(), world.network);
        let interfaces = world.network.interfaces(world.host);
        let device = interfaces.iter().find(|interface| &*interface.name == DEVICE);
        let mac = device.map(|device| device.mac.to_string()).unwrap_or_default();
        let public = internal_ip(own).map(|ip| ip.to_string()).unwrap_or_default();
        let annotations = json!({
            "flannel.alpha.coreos.com/backend-data": format!("{{\"VNI\":1,\"VtepMAC\":\"{mac}\"}}"),
            "flannel.alpha.coreos.com/backend-type": "vxlan",
            "flannel.alpha.coreos.com/kube-subnet-manager": "true",
            "flannel.alpha.coreos.com/public-ip": public,
        });
        let patch = Patch::Strategic(json!({"metadata": {"annotations": annotations}}));
        context.client.patch::<Node>("", &self.node_name, "status", patch)?;
        tell_up(context, &self.node_name, "FlannelIsUp", "Flannel is running on this node")
    }
}

/// Says in the node's status that its network is there.
pub fn tell_up(
    context: &mut Context<'_>,
    node: &str,
    reason: &str,
    message: &str,
) -> Result<(), Error> {
    let now = naru_api::time::rfc3339(Some(&naru_api::time::meta_time(context.now)));
    let condition = json!({
        "type": "NetworkUnavailable",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    });
    let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
    context.client.patch::<Node>("", node, "status", patch)?;
    Ok(())
}

/// Whether a node's status says so already.
pub fn is_up(node: &Node, reason: &str) -> bool {
    let status = node.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|it| it.conditions.iter().flatten());
    conditions.any(|it| it.type_ == "NetworkUnavailable" && it.reason.as_deref() == Some(reason))
}

impl Controller for Flannel {
    fn name(&self) -> &str {
        "flanneld"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        crate::kindnet::moved(event, old)
    }
}

impl Reconcile<HostRoutes<'_>> for Flannel {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<Action, Error> {
        let own = Key::new("", self.node_name.as_str());
        if let Some(node) = context.cache.arc::<Node>(&own)
            && (*key == own || !is_up(&node, "FlannelIsUp"))
        {
            self.set_up(&node, context, world)?;
        }
        let others = context.cache.list::<Node>("");
        let others = others.filter(|node| node.metadata.name.as_ref() != Some(&self.node_name));
        let wanted: Vec<(IpNet, IpAddr)> =
            others.filter_map(|node| Some((pod_range(node)?, internal_ip(node)?))).collect();
        let interfaces = world.network.interfaces(world.host);
        if !interfaces.iter().any(|interface| &*interface.name == DEVICE) {
            return Ok(Action::await_change());
        }
        let remotes: BTreeMap<IpAddr, IpAddr> =
            wanted.iter().map(|(range, host)| (range.network(), *host)).collect();
        let routes: Vec<(IpNet, IpAddr)> =
            wanted.iter().map(|(range, _)| (*range, range.network())).collect();
        world
            .network
            .set_tunnel_remotes(world.host, DEVICE, remotes)
            .and_then(|()| set_routes(world.network, world.host, &routes, Some(DEVICE)))
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok(Action::await_change())
    }
}
