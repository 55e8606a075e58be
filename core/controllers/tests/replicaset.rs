//! ReplicaSets on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use naru_api::request::Propagation;
use std::time::Duration;

const WEB: &str = "
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx}]
";

fn pod(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: web}}}}
spec:
  containers: [{{name: web, image: nginx}}]
"
    )
}

#[test]
fn three_pods_however_far_the_cache_lags() {
    for lag_millis in [0, 3, 50, 1000] {
        let mut cluster = Cluster::new();
        cluster.lag = Duration::from_millis(lag_millis);
        cluster.apply(WEB);
        cluster.run(30);
        assert_eq!(cluster.list::<Pod>().len(), 3, "lag {lag_millis} ms");
        let rs = cluster.get::<ReplicaSet>("web").unwrap();
        let status = rs.status.clone().unwrap();
        assert_eq!(
            (status.replicas, status.ready_replicas, status.available_replicas),
            (3, Some(3), Some(3))
        );
        assert_eq!(status.observed_generation, rs.metadata.generation);
        let events = cluster.events("web");
        assert_eq!(events.len(), 3, "{events:?}");
        assert!(events[0].starts_with("SuccessfulCreate: Created pod: web-"), "{events:?}");
    }
}

#[test]
fn a_deleted_pod_is_replaced() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(5);
    let gone = cluster.active_pods()[0].metadata.name.clone().unwrap();
    cluster.delete::<Pod>(&gone, Propagation::Background);
    cluster.run(5);
    assert_eq!(cluster.active_pods().len(), 3);
    assert!(cluster.get::<Pod>(&gone).is_none());
}

#[test]
fn scales_down_with_events() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(5);
    cluster.edit::<ReplicaSet>("web", |rs| rs.spec.as_mut().unwrap().replicas = Some(1));
    cluster.run(5);
    assert_eq!(cluster.list::<Pod>().len(), 1);
    let events = cluster.events("web");
    let deleted = events.iter().filter(|e| e.starts_with("SuccessfulDelete: Deleted pod: web-"));
    assert_eq!(deleted.count(), 2, "{events:?}");
}

#[test]
fn adopts_and_releases_by_label() {
    let mut cluster = Cluster::new();
    cluster.apply(&pod("lonely"));
    cluster.run(2);
    cluster.apply(WEB);
    cluster.run(5);
    assert_eq!(cluster.active_pods().len(), 3);
    let owners = |cluster: &mut Cluster| {
        cluster.get::<Pod>("lonely").unwrap().metadata.owner_references.clone().unwrap_or_default()
    };
    assert_eq!(owners(&mut cluster)[0].name, "web");

    cluster.edit::<Pod>("lonely", |pod| {
        pod.metadata.labels = Some([("app".to_owned(), "debug".to_owned())].into());
    });
    cluster.run(5);
    assert!(owners(&mut cluster).is_empty());
    assert_eq!(cluster.active_pods().len(), 4);
}

#[test]
fn its_pods_go_with_it_or_stay_as_orphans() {
    for (propagation, left) in
        [(Propagation::Background, 0), (Propagation::Foreground, 0), (Propagation::Orphan, 3)]
    {
        let mut cluster = Cluster::new();
        cluster.apply(WEB);
        cluster.run(5);
        cluster.delete::<ReplicaSet>("web", propagation);
        cluster.run(60);
        assert!(cluster.get::<ReplicaSet>("web").is_none(), "{propagation:?}");
        let pods = cluster.list::<Pod>();
        assert_eq!(pods.len(), left, "{propagation:?}");
        let owned =
            pods.iter().any(|pod| pod.metadata.owner_references.iter().flatten().count() > 0);
        assert!(!owned, "{propagation:?}");
    }
}

#[test]
fn in_the_foreground_the_owner_goes_last() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(5);
    cluster.delete::<ReplicaSet>("web", Propagation::Foreground);
    assert!(cluster.get::<ReplicaSet>("web").is_some());
    cluster.run(60);
    assert!(cluster.get::<ReplicaSet>("web").is_none());
}
