//! flannel's daemon: a VXLAN tunnel between the nodes, and routes to their pods through it.
//!
//! Upstream: `flannel-io/flannel`, `pkg/subnet/kube/kube.go`, `pkg/backend/vxlan`. It enforces no
//! NetworkPolicies.

use crate::kindnet::{HostRoutes, internal_ip, moved, pod_range};
use crate::masquerade;
use crate::overlay::Overlay;
use k8s_openapi::api::core::v1::Node;
use naru_api::request::Patch;
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_network::{IpNet, Tunnel};
use serde_json::json;

const OVERLAY: Overlay = Overlay {
    // `flannel.VNI`
    device: "flannel.1",
    tunnel: Tunnel::Vxlan { vni: 1, port: 8472 },
    up: "FlannelIsUp",
    message: "Flannel is running on this node",
    range: pod_range,
    next_hop: |range, _| range.network(),
};

/// flanneld on one node.
#[derive(Clone, Debug)]
pub struct Flannel {
    node_name: String,
    /// Where all pods are.
    pods: Option<IpNet>,
}

impl Flannel {
    /// A daemon that has seen nothing yet.
    pub fn new(node_name: &str, pods: Option<IpNet>) -> Self {
        Flannel { node_name: node_name.to_owned(), pods }
    }

    /// Lays the tunnel's end and the bridge, and tells the cluster so.
    fn set_up(
        &self,
        own: &Node,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<(), Error> {
        let Some(range) = pod_range(own) else { return Ok(()) };
        OVERLAY.lay(world, range)?;
        if let Some(pods) = self.pods {
            masquerade::flannel(world.network, world.host, pods, range)?;
        }
        world.runtime.configure_network(&range.to_string(), world.network);
        let interfaces = world.network.interfaces(world.host);
        let device = interfaces.iter().find(|interface| &*interface.name == OVERLAY.device);
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
        OVERLAY.tell_up(context, &self.node_name)
    }
}

impl Controller for Flannel {
    fn name(&self) -> &str {
        "flanneld"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        moved(event, old)
    }
}

impl Reconcile<HostRoutes<'_>> for Flannel {
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
