//! DaemonSets on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::{Cluster, node_object};
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
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

/// A pod that fails is replaced at once, the next one on the same node after a second, then two.
#[test]
fn failing_pods_are_replaced_later_each_time() {
    let mut cluster = Cluster::new();
    cluster.apply(AGENT);
    cluster.run(10);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let pods = cluster.active_pods();
        let pod = pods.iter().find(|pod| node_name(pod) == "n1").unwrap();
        let (name, mut failed) = (pod.metadata.name.clone().unwrap(), (**pod).clone());
        failed.status.as_mut().unwrap().phase = Some("Failed".to_owned());
        cluster.client().update_status(failed).unwrap();
        let since = cluster.now();
        while cluster.get::<Pod>(&name).is_some() {
            cluster.run_millis(50);
        }
        waits.push(cluster.now().since(since).as_millis() / 500);
        cluster.run_millis(400);
    }
    assert_eq!(waits, [0, 2, 4, 8]);
    let told = cluster.events("agent");
    let warned = told.iter().filter(|event| {
        event.starts_with("FailedDaemonPod: Found failed daemon pod default/agent-")
    });
    assert_eq!(warned.count(), 4);
}

#[test]
fn the_history_is_kept_and_cut() {
    let mut cluster = Cluster::new();
    cluster.apply(AGENT);
    cluster.run(10);
    for version in 2..6 {
        cluster.edit::<DaemonSet>("agent", |ds| {
            let spec = ds.spec.as_mut().unwrap();
            spec.revision_history_limit = Some(1);
            let pod = spec.template.spec.as_mut().unwrap();
            pod.containers[0].image = Some(format!("agent:{version}"));
        });
        cluster.run(20);
    }
    let revisions = cluster.list::<ControllerRevision>();
    let mut numbers: Vec<i64> = revisions.iter().map(|revision| revision.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [4, 5]);
    let newest = revisions.iter().find(|revision| revision.revision == 5).unwrap();
    let hash = |labels: &Option<std::collections::BTreeMap<String, String>>| {
        labels.as_ref().unwrap()["controller-revision-hash"].clone()
    };
    let pods = cluster.active_pods();
    assert!(pods.iter().all(|pod| hash(&pod.metadata.labels) == hash(&newest.metadata.labels)));
}
