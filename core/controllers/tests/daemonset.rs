//! DaemonSets on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{Cluster, node_object};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use naru_api::pods::{is_ready, node_name};

const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: 'agent:1'}]
";

fn nodes_of(cluster: &mut Cluster) -> Vec<String> {
    let mut names: Vec<String> =
        cluster.active_pods().iter().map(|pod| node_name(pod).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn one_pod_on_each_node_new_ones_too() {
    let mut cluster = Cluster::new();
    cluster.apply(AGENT);
    cluster.run(10);
    assert_eq!(nodes_of(&mut cluster), ["n1", "n2"]);
    cluster.create(node_object("n3"));
    cluster.run(10);
    assert_eq!(nodes_of(&mut cluster), ["n1", "n2", "n3"]);
    let status = cluster.get::<DaemonSet>("agent").unwrap().status.clone().unwrap();
    assert_eq!((status.desired_number_scheduled, status.number_ready), (3, 3));
    assert_eq!(status.updated_number_scheduled, Some(3));
}

#[test]
fn tainted_nodes_and_others_than_selected_get_none() {
    let mut cluster = Cluster::new();
    cluster.edit::<Node>("n1", |node| {
        node.spec.get_or_insert_default().taints = Some(vec![Taint {
            key: "dedicated".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        }]);
    });
    cluster.apply(AGENT);
    cluster.run(10);
    assert_eq!(nodes_of(&mut cluster), ["n2"]);
    cluster.edit::<DaemonSet>("agent", |ds| {
        let spec = ds.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
        spec.node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
    });
    cluster.run(10);
    assert!(nodes_of(&mut cluster).is_empty());
}

#[test]
fn rolls_one_node_after_the_other() {
    let mut cluster = Cluster::new();
    cluster.create(node_object("n3"));
    cluster.apply(AGENT);
    cluster.run(10);
    cluster.edit::<DaemonSet>("agent", |ds| {
        let spec = ds.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
        spec.containers[0].image = Some("agent:2".to_owned());
    });
    for _ in 0..200 {
        let ready = cluster.active_pods().iter().filter(|pod| is_ready(pod)).count();
        assert!(ready >= 2, "{ready}");
        cluster.run_millis(20);
    }
    let image = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
    assert!(cluster.active_pods().iter().all(|pod| image(pod) == "agent:2"));
    assert_eq!(nodes_of(&mut cluster), ["n1", "n2", "n3"]);
}
