//! Nodes.
//!
//! Upstream: `pkg/registry/core/node/strategy.go`, `SetDefaults_NodeStatus`, `printNode`.

use super::cells;
use super::typed::{Typed, keep};
use crate::podspec::defaults::canonical;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::{Node, NodeStatus};
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind = Names::new("", "v1", "Node", "nodes", "node")
    .short(&["no"])
    .cluster_scoped()
    .subresources(&["status"])
    .kind(&NodeStrategy);

impl Kube for Node {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NodeStrategy;

impl Typed for NodeStrategy {
    type Object = Node;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Roles"),
        Column::new("Age"),
        Column::new("Version"),
        Column::wide("Internal-IP"),
        Column::wide("External-IP"),
        Column::wide("OS-Image"),
        Column::wide("Kernel-Version"),
        Column::wide("Container-Runtime"),
    ];

    const FIELDS: &'static [&'static str] = &["spec.unschedulable"];

    fn default(&self, node: &mut Node) {
        node.spec.get_or_insert_default();
        if let Some(status) = &mut node.status {
            canonical(&mut status.capacity);
            canonical(&mut status.allocatable);
            if status.allocatable.is_none() {
                status.allocatable = status.capacity.clone();
            }
        }
    }

    fn prepare_for_update(&self, new: &mut Node, old: &Node, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn cells(&self, node: &Node, now: Time) -> Vec<Cell> {
        let status = node.status.clone().unwrap_or_default();
        let info = status.node_info.clone().unwrap_or_default();
        let unknown = |text: String| match text.as_str() {
            "" => Cell::from("<unknown>"),
            text => Cell::from(text),
        };
        vec![
            cells::name(&node.metadata),
            status_text(node).into(),
            cells::or_none(Some(&roles(node))),
            cells::age(&node.metadata, now),
            info.kubelet_version.into(),
            cells::or_none(address(&status, "InternalIP")),
            cells::or_none(address(&status, "ExternalIP")),
            unknown(info.os_image),
            unknown(info.kernel_version),
            unknown(info.container_runtime_version),
        ]
    }

    fn field(&self, node: &Node, path: &str) -> Option<String> {
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
        (path == "spec.unschedulable").then(|| unschedulable.unwrap_or(false).to_string())
    }
}

/// `Ready`, `NotReady,SchedulingDisabled`, `Unknown`.
fn status_text(node: &Node) -> String {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions.unwrap_or_default().iter().find(|found| found.type_ == "Ready");
    let mut text = match ready {
        Some(ready) if ready.status == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
        text.push_str(",SchedulingDisabled");
    }
    text
}

/// The roles that labels give a node: `control-plane,worker`.
fn roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let roles = labels.filter_map(|(key, value)| match key.as_str() {
        "kubernetes.io/role" => Some(value.as_str()),
        key => key.strip_prefix("node-role.kubernetes.io/"),
    });
    let roles: BTreeSet<&str> = roles.filter(|role| !role.is_empty()).collect();
    Vec::from_iter(roles).join(",")
}

fn address<'a>(status: &'a NodeStatus, type_: &str) -> Option<&'a str> {
    let addresses = status.addresses.as_ref()?;
    addresses.iter().find(|address| address.type_ == type_).map(|found| found.address.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows() {
        let node = serde_json::from_value(json!({
            "metadata": {"name": "a", "labels": {"node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]},
        }))
        .unwrap();
        let cells = NodeStrategy.cells(&node, Time::ZERO);
        assert_eq!(cells.len(), NodeStrategy::COLUMNS.len());
        assert_eq!(cells[1], Cell::from("Ready,SchedulingDisabled"));
        assert_eq!(cells[2], Cell::from("control-plane"));
        assert_eq!(cells[5], Cell::from("172.18.0.2"));
        assert_eq!(cells[6], Cell::from("<none>"));
        assert_eq!(cells[7], Cell::from("<unknown>"));
        let cells = NodeStrategy.cells(&Node::default(), Time::ZERO);
        assert_eq!(cells[1..3], [Cell::from("Unknown"), Cell::from("<none>")]);
    }
}
