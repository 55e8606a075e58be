//! Nothing goes to cordoned nodes.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, Taint};
use naru_api::scheduling::{any_tolerates, tolerations};

const REASON: &str = "node(s) were unschedulable";

/// The plugin.
#[derive(Debug)]
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn may_help(&self, _pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) => !is_unschedulable(node),
            ClusterEvent::NodeUpdated { old, new } => {
                is_unschedulable(old) && !is_unschedulable(new)
            }
            _ => false,
        }
    }
}

impl FilterPlugin for NodeUnschedulable {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        if pod.pod.spec.as_deref().is_some_and(bears_cordon) {
            return Ok(Prepared::skip());
        }
        Ok(Prepared::with(NotCordoned))
    }
}

struct NotCordoned;

impl Filter for NotCordoned {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if node.is_unschedulable { Err(Rejection::unresolvable(REASON)) } else { Ok(()) }
    }
}

fn is_unschedulable(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

fn bears_cordon(spec: &PodSpec) -> bool {
    let taint = Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    any_tolerates(tolerations(spec), &taint)
}
