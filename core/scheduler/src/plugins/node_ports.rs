//! Ports of the node that the pod takes must be free.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeports/node_ports.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{HostPort, NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

const REASON: &str = "node(s) didn't have free ports for the requested pod ports";

/// The plugin.
#[derive(Debug)]
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::PodRemoved(gone) => {
                let freed = PodInfo::new(Arc::new(gone.clone())).ports;
                let wanted = PodInfo::new(Arc::new(pod.clone())).ports;
                conflict(&wanted, freed.iter())
            }
            _ => false,
        }
    }
}

impl FilterPlugin for NodePorts {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        if pod.ports.is_empty() {
            return Ok(Prepared::skip());
        }
        Ok(Prepared::with(Free(&pod.ports)))
    }
}

struct Free<'a>(&'a [HostPort]);

impl Filter for Free<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let taken = node.pods.iter().flat_map(|pod| &pod.ports);
        if conflict(self.0, taken) { Err(Rejection::new(REASON)) } else { Ok(()) }
    }
}

fn conflict<'a>(wanted: &[HostPort], mut taken: impl Iterator<Item = &'a HostPort>) -> bool {
    taken.any(|taken| wanted.iter().any(|wanted| wanted.conflicts(taken)))
}
