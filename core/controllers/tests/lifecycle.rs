//! Namespaces, nodes and pods that come and go.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use naru_api::pods;
use naru_api::request::Propagation;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers: [{name: web, image: nginx}]
";

fn go_silent(cluster: &mut Cluster, node: &str) {
    cluster.edit::<Node>(node, |node| {
        let labels = node.metadata.labels.get_or_insert_default();
        labels.insert("silent".to_owned(), String::new());
    });
}

fn taints(cluster: &mut Cluster, node: &str) -> Vec<String> {
    let node = cluster.get::<Node>(node).unwrap();
    let taints = naru_api::scheduling::taints(&node);
    let mut texts: Vec<String> =
        taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
    texts.sort();
    texts
}

#[test]
fn each_namespace_has_its_service_account() {
    let mut cluster = Cluster::new();
    let get = |cluster: &mut Cluster| {
        cluster.client().get::<ServiceAccount>("default", "default").is_ok()
    };
    assert!(get(&mut cluster));
    cluster.delete::<ServiceAccount>("default", Propagation::Background);
    cluster.run(1);
    assert!(get(&mut cluster));
}

#[test]
fn a_namespace_goes_with_all_it_holds() {
    let mut cluster = Cluster::new();
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    cluster.run(1);
    cluster.apply(&POD.replace("name: app", "name: app, namespace: shop"));
    cluster.run(5);
    cluster.delete::<Namespace>("shop", Propagation::Background);
    cluster.run(3);
    let namespace = cluster.get::<Namespace>("shop").unwrap();
    assert_eq!(namespace.status.as_ref().unwrap().phase.as_deref(), Some("Terminating"));
    cluster.run(60);
    assert!(cluster.get::<Namespace>("shop").is_none());
    assert!(cluster.client().get::<Pod>("shop", "app").is_err());
}

#[test]
fn a_silent_node_is_noticed_and_loses_its_pods() {
    let mut cluster = Cluster::new();
    cluster.apply(POD);
    cluster.run(5);
    let node = pods::node_name(&cluster.get::<Pod>("app").unwrap()).to_owned();
    go_silent(&mut cluster, &node);
    cluster.run(40);
    assert!(taints(&mut cluster, &node).is_empty());
    cluster.run(30);
    assert_eq!(
        taints(&mut cluster, &node),
        ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]
    );
    assert!(!pods::is_ready(&cluster.get::<Pod>("app").unwrap()));
    let events = cluster.events(&node);
    let registered =
        format!("RegisteredNode: Node {node} event: Registered Node {node} in Controller");
    assert!(events.contains(&registered));
    assert!(events.contains(&format!("NodeNotReady: Node {node} status is now: NodeNotReady")));
    assert!(cluster.events("app").contains(&"NodeNotReady: Node is not ready".to_owned()));

    // The API server gives each pod 300 seconds.
    cluster.run(250);
    assert!(!pods::is_terminating(&cluster.get::<Pod>("app").unwrap()));
    cluster.run(60);
    assert!(pods::is_terminating(&cluster.get::<Pod>("app").unwrap()));
    let marked = "TaintManagerEviction: Marking for deletion Pod default/app".to_owned();
    assert!(cluster.events("app").contains(&marked));
}

#[test]
fn when_all_nodes_are_silent_nothing_is_evicted() {
    let mut cluster = Cluster::new();
    cluster.apply(POD);
    cluster.run(5);
    go_silent(&mut cluster, "n1");
    go_silent(&mut cluster, "n2");
    cluster.run(1000);
    assert_eq!(taints(&mut cluster, "n1"), ["node.kubernetes.io/unreachable:NoSchedule"]);
    assert!(!pods::is_terminating(&cluster.get::<Pod>("app").unwrap()));
}

#[test]
fn a_cordoned_node_is_tainted() {
    let mut cluster = Cluster::new();
    cluster.edit::<Node>("n1", |node| node.spec.get_or_insert_default().unschedulable = Some(true));
    cluster.run(1);
    assert_eq!(taints(&mut cluster, "n1"), ["node.kubernetes.io/unschedulable:NoSchedule"]);
    cluster.edit::<Node>("n1", |node| node.spec.get_or_insert_default().unschedulable = None);
    cluster.run(1);
    assert!(taints(&mut cluster, "n1").is_empty());
}

#[test]
fn pods_of_a_deleted_node_go() {
    let mut cluster = Cluster::new();
    cluster.apply(POD);
    cluster.run(5);
    let node = pods::node_name(&cluster.get::<Pod>("app").unwrap()).to_owned();
    cluster.delete::<Node>(&node, Propagation::Background);
    cluster.run(20);
    assert!(cluster.get::<Pod>("app").is_some());
    cluster.run(60);
    assert!(cluster.get::<Pod>("app").is_none());
}
