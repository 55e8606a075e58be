//! Marks the nodes of the control plane by a label that their own kubelets may not set.
//!
//! Upstream: `kubeadm/app/phases/markcontrolplane/markcontrolplane.go`.

use crate::Cluster;
use crate::cluster::admin;
use k8s_openapi::api::core::v1::Node;
use naru_api::request::{Op, Patch};
use naru_api::{ApiService, Kube, Request};
use naru_sim::Time;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const LABEL: &str = "node-role.kubernetes.io/control-plane";

/// How often the nodes are looked for.
const RETRY: Duration = Duration::from_millis(500);

/// Labels the nodes of the control plane as soon as they have registered, but waits for them no
/// longer than until `deadline`.
pub fn mark(cluster: &mut Cluster, deadline: Time) {
    let nodes = cluster.profile.nodes.iter().filter(|node| node.control_plane);
    let mut names: Vec<String> = nodes.map(|node| node.name.clone()).collect();
    while cluster.now() < deadline {
        names.retain(|name| !label(cluster, name));
        if names.is_empty() {
            return;
        }
        cluster.advance(cluster.now() + RETRY, u64::MAX);
    }
}

/// Labels a node; tells whether it was there.
pub fn label(cluster: &mut Cluster, name: &str) -> bool {
    let patch = Patch::Strategic(json!({"metadata": {"labels": {LABEL: ""}}}));
    let request = Request::new(admin(), Arc::from("kubeadm"), Node::kind(), Op::Patch(patch));
    cluster.api.handle(Request { name: name.to_owned(), ..request }).is_ok()
}
