//! StatefulSets on a running cluster, where a transcript cannot reach.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use naru_api::pods;

const WEB: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: 'web:1'}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
";

fn set_phase(cluster: &mut Cluster, name: &str, phase: &str) {
    let mut pod = (*cluster.get::<Pod>(name).unwrap()).clone();
    pod.status.as_mut().unwrap().phase = Some(phase.to_owned());
    cluster.client().update_status(pod).unwrap();
}

fn uid(cluster: &mut Cluster, name: &str) -> Option<String> {
    cluster.get::<Pod>(name).and_then(|pod| pod.metadata.uid.clone())
}

#[test]
fn one_pod_after_the_other() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    let mut before = 0;
    for _ in 0..200 {
        cluster.run_millis(10);
        let pods = cluster.list::<Pod>();
        let waiting = pods.iter().filter(|pod| !pods::is_ready(pod)).count();
        assert!(waiting <= 1 && pods.len() >= before, "{waiting} wait of {}", pods.len());
        before = pods.len();
    }
    assert_eq!(before, 3);
}

#[test]
fn pods_that_end_are_made_anew() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    for phase in ["Failed", "Succeeded"] {
        let former = uid(&mut cluster, "web-1");
        set_phase(&mut cluster, "web-1", phase);
        cluster.run(10);
        let present = uid(&mut cluster, "web-1");
        assert!(present.is_some() && present != former, "{phase}");
    }
    let told = cluster.events("web");
    assert!(
        told.iter().any(
            |event| event == "SuccessfulDelete: delete Pod web-1 in StatefulSet web successful"
        )
    );
}

#[test]
fn a_claim_that_is_gone_comes_back_while_the_pod_waits() {
    let mut cluster = Cluster::new();
    cluster.apply(&WEB.replace("{labels: {app: web}}", "{labels: {app: web, hold: 'yes'}}"));
    cluster.run(1);
    let client = &mut cluster.client();
    let mut claim =
        (*client.get::<PersistentVolumeClaim>("default", "data-web-0").unwrap()).clone();
    claim.metadata.finalizers = None;
    client.update(claim).unwrap();
    client.delete::<PersistentVolumeClaim>("default", "data-web-0", Default::default()).unwrap();
    cluster.run(1);
    assert!(cluster.get::<PersistentVolumeClaim>("data-web-0").is_none());
    // Something about the pod changes, which the set hears of.
    cluster.edit::<Pod>("web-0", |pod| {
        pod.metadata.annotations.get_or_insert_default().insert("a".to_owned(), "b".to_owned());
    });
    cluster.run(1);
    assert!(cluster.get::<PersistentVolumeClaim>("data-web-0").is_some());
}

#[test]
fn old_revisions_go_but_for_those_of_pods() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    cluster.edit::<StatefulSet>("web", |set| {
        set.spec.as_mut().unwrap().revision_history_limit = Some(2);
    });
    for version in 2..8 {
        cluster.edit::<StatefulSet>("web", |set| {
            let spec = set.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
            spec.containers[0].image = Some(format!("web:{version}"));
        });
        cluster.run(30);
    }
    let mut revisions: Vec<i64> =
        cluster.list::<ControllerRevision>().iter().map(|revision| revision.revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [5, 6, 7]);
}

#[test]
fn a_second_revision_of_the_same_name_counts_as_a_collision() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    let revision = cluster.list::<ControllerRevision>().remove(0);
    let mut squatter = (*revision).clone();
    cluster.delete::<StatefulSet>("web", naru_api::request::Propagation::Background);
    cluster.run(30);
    squatter.metadata.owner_references = None;
    squatter.metadata.labels = None;
    squatter.metadata.resource_version = None;
    squatter.metadata.uid = None;
    squatter.data.as_mut().unwrap().0 = serde_json::json!({"other": "data"});
    cluster.create(squatter);
    cluster.apply(WEB);
    cluster.run(10);
    let status = cluster.get::<StatefulSet>("web").unwrap().status.clone().unwrap();
    assert_eq!(status.collision_count, Some(1));
    assert_ne!(status.update_revision, revision.metadata.name);
    assert_eq!(status.ready_replicas, Some(3));
}
