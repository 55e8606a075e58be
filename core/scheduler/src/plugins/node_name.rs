//! A pod that names its node goes there only.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodename/node_name.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::Pod;
use naru_api::pods::node_name;

const REASON: &str = "node(s) didn't match the requested node name";

/// The plugin.
#[derive(Debug)]
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        matches!(event, ClusterEvent::NodeAdded(node)
            if node.metadata.name.as_deref() == Some(node_name(pod)))
    }
}

impl FilterPlugin for NodeName {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        match node_name(&pod.pod) {
            "" => Ok(Prepared::skip()),
            name => Ok(Prepared::with(Named(name))),
        }
    }
}

struct Named<'a>(&'a str);

impl Filter for Named<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if *node.name == *self.0 { Ok(()) } else { Err(Rejection::unresolvable(REASON)) }
    }
}
