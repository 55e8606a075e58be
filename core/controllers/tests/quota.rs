//! Quotas, and what is kept while it is used, on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota};
use naru_api::request::Propagation;
use naru_api::resources;

const QUOTA: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec: {hard: {pods: '2', count/replicasets.apps: '5', requests.storage: 1Gi}}
";

const SET: &str = "
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

fn used(cluster: &mut Cluster) -> String {
    let quota = cluster.get::<ResourceQuota>("q").unwrap();
    let used = resources::amounts(quota.status.as_ref().and_then(|status| status.used.as_ref()));
    let texts: Vec<String> = used.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    texts.join(",")
}

#[test]
fn a_quota_counts_holds_back_and_gives_back() {
    let mut cluster = Cluster::new();
    cluster.apply(QUOTA);
    cluster.run(1);
    assert_eq!(used(&mut cluster), "count/replicasets.apps=0,pods=0,requests.storage=0");
    cluster.apply(SET);
    cluster.run(5);
    assert_eq!(used(&mut cluster), "count/replicasets.apps=1,pods=2,requests.storage=0");
    assert_eq!(cluster.active_pods().len(), 2);
    let refused = cluster.events("web");
    let why = "is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
    assert!(refused.iter().any(|event| event.ends_with(why)), "{refused:?}");
    cluster.edit::<ReplicaSet>("web", |set| set.spec.as_mut().unwrap().replicas = Some(1));
    cluster.run(60);
    assert_eq!(used(&mut cluster), "count/replicasets.apps=1,pods=1,requests.storage=0");
    cluster.edit::<ResourceQuota>("q", |quota| {
        let hard = quota.spec.as_mut().unwrap().hard.as_mut().unwrap();
        hard.retain(|name, _| name == "pods");
    });
    cluster.run(1);
    assert_eq!(used(&mut cluster), "pods=1");
}

#[test]
fn an_older_quota_counts_what_was_there() {
    let mut cluster = Cluster::new();
    cluster.apply(SET);
    cluster.run(5);
    cluster.apply(QUOTA);
    cluster.run(1);
    assert_eq!(used(&mut cluster), "count/replicasets.apps=1,pods=3,requests.storage=0");
}

#[test]
fn a_claim_stays_while_a_pod_uses_it() {
    let mut cluster = Cluster::new();
    cluster.apply(
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  containers: [{name: db, image: nginx}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
",
    );
    cluster.run(5);
    cluster.delete::<PersistentVolumeClaim>("data", Propagation::Background);
    cluster.run(60);
    let claim = cluster.get::<PersistentVolumeClaim>("data").unwrap();
    assert!(claim.metadata.deletion_timestamp.is_some());
    cluster.delete::<Pod>("db", Propagation::Background);
    cluster.run(60);
    assert!(cluster.get::<PersistentVolumeClaim>("data").is_none());
}
