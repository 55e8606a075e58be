//! Deployments on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_api::request::Propagation;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: 'nginx:1'}]
";

fn set_image(cluster: &mut Cluster, image: &str) {
    cluster.edit::<Deployment>("web", |deployment| {
        let template = &mut deployment.spec.as_mut().unwrap().template;
        template.spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
    });
}

fn image(rs: &ReplicaSet) -> String {
    let template = rs.spec.as_ref().unwrap().template.as_ref().unwrap();
    template.spec.as_ref().unwrap().containers[0].image.clone().unwrap()
}

fn condition(cluster: &mut Cluster, type_: &str) -> (String, String, String) {
    let deployment = cluster.get::<Deployment>("web").unwrap();
    let conditions = deployment.status.as_ref().unwrap().conditions.clone().unwrap();
    let condition = conditions.into_iter().find(|condition| condition.type_ == type_).unwrap();
    (condition.status, condition.reason.unwrap(), condition.message.unwrap())
}

fn sizes(cluster: &mut Cluster) -> Vec<(String, i32)> {
    let mut sizes: Vec<(String, i32)> = cluster
        .list::<ReplicaSet>()
        .iter()
        .map(|rs| (image(rs), rs.spec.as_ref().unwrap().replicas.unwrap()))
        .collect();
    sizes.sort();
    sizes
}

fn text(list: &[(&str, i32)]) -> Vec<(String, i32)> {
    list.iter().map(|(image, size)| ((*image).to_owned(), *size)).collect()
}

#[test]
fn becomes_available_and_complete() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    let deployment = cluster.get::<Deployment>("web").unwrap();
    let status = deployment.status.clone().unwrap();
    assert_eq!(status.replicas, Some(4));
    assert_eq!(status.updated_replicas, Some(4));
    assert_eq!(status.available_replicas, Some(4));
    assert_eq!(status.unavailable_replicas, None);
    let annotations = deployment.metadata.annotations.clone().unwrap();
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");

    let rs = cluster.list::<ReplicaSet>().remove(0);
    let name = rs.metadata.name.clone().unwrap();
    let hash = rs.metadata.labels.as_ref().unwrap()["pod-template-hash"].clone();
    assert_eq!(name, format!("web-{hash}"));
    let text = format!("ReplicaSet {name:?} has successfully progressed.");
    let expected = ("True".to_owned(), "NewReplicaSetAvailable".to_owned(), text);
    assert_eq!(condition(&mut cluster, "Progressing"), expected);
    assert_eq!(condition(&mut cluster, "Available").1, "MinimumReplicasAvailable");
    let events = cluster.events("web");
    assert_eq!(events, [format!("ScalingReplicaSet: Scaled up replica set {name} from 0 to 4")]);
}

#[test]
fn rolls_within_surge_and_unavailable() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    set_image(&mut cluster, "nginx:2");
    for _ in 0..400 {
        let ready = cluster.active_pods().iter().filter(|pod| pods::is_ready(pod)).count();
        assert!(ready >= 3, "{ready}");
        assert!(cluster.active_pods().len() <= 5);
        cluster.run_millis(10);
    }
    cluster.run(10);
    assert_eq!(sizes(&mut cluster), text(&[("nginx:1", 0), ("nginx:2", 4)]));
    let new = cluster.list::<ReplicaSet>().into_iter().find(|rs| image(rs) == "nginx:2").unwrap();
    let annotations = new.metadata.annotations.clone().unwrap();
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "2");
    assert_eq!(annotations["deployment.kubernetes.io/max-replicas"], "5");
}

#[test]
fn going_back_takes_the_old_set_with_a_new_revision() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    set_image(&mut cluster, "nginx:2");
    cluster.run(20);
    set_image(&mut cluster, "nginx:1");
    cluster.run(20);
    assert_eq!(sizes(&mut cluster), text(&[("nginx:1", 4), ("nginx:2", 0)]));
    let old = cluster.list::<ReplicaSet>().into_iter().find(|rs| image(rs) == "nginx:1").unwrap();
    let annotations = old.metadata.annotations.clone().unwrap();
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn recreate_has_no_two_versions_at_once() {
    let mut cluster = Cluster::new();
    cluster.apply(&WEB.replace("  replicas: 4\n", "  replicas: 4\n  strategy: {type: Recreate}\n"));
    cluster.run(10);
    set_image(&mut cluster, "nginx:2");
    for _ in 0..300 {
        let mut images: Vec<String> = cluster
            .list::<Pod>()
            .iter()
            .map(|pod| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap())
            .collect();
        images.dedup();
        assert!(images.len() <= 1, "{images:?}");
        cluster.run_millis(20);
    }
    assert_eq!(sizes(&mut cluster), text(&[("nginx:1", 0), ("nginx:2", 4)]));
    assert_eq!(cluster.active_pods().len(), 4);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    cluster.edit::<Deployment>("web", |d| d.spec.as_mut().unwrap().paused = Some(true));
    set_image(&mut cluster, "nginx:2");
    cluster.edit::<Deployment>("web", |d| d.spec.as_mut().unwrap().replicas = Some(6));
    cluster.run(20);
    assert_eq!(sizes(&mut cluster), text(&[("nginx:1", 6)]));
    let paused = condition(&mut cluster, "Progressing");
    assert_eq!(
        (paused.1.as_str(), paused.2.as_str()),
        ("DeploymentPaused", "Deployment is paused")
    );
    cluster.edit::<Deployment>("web", |d| d.spec.as_mut().unwrap().paused = None);
    cluster.run(20);
    assert_eq!(sizes(&mut cluster), text(&[("nginx:1", 0), ("nginx:2", 6)]));
}

#[test]
fn a_stuck_rollout_is_told_after_the_deadline() {
    let mut cluster = Cluster::new();
    let held = WEB
        .replace("{app: web}}\n    spec", "{app: web, hold: 'yes'}}\n    spec")
        .replace("  replicas: 4\n", "  replicas: 4\n  progressDeadlineSeconds: 60\n");
    cluster.apply(&held);
    cluster.run(55);
    assert_eq!(condition(&mut cluster, "Progressing").1, "ReplicaSetUpdated");
    assert_eq!(condition(&mut cluster, "Available").1, "MinimumReplicasUnavailable");
    cluster.run(10);
    let (status, reason, text) = condition(&mut cluster, "Progressing");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ProgressDeadlineExceeded"));
    assert!(text.ends_with("has timed out progressing."), "{text}");
}

#[test]
fn old_sets_beyond_the_history_limit_go() {
    let mut cluster = Cluster::new();
    cluster.apply(&WEB.replace("  replicas: 4\n", "  replicas: 4\n  revisionHistoryLimit: 1\n"));
    for version in 2..=4 {
        cluster.run(20);
        set_image(&mut cluster, &format!("nginx:{version}"));
    }
    cluster.run(20);
    assert_eq!(sizes(&mut cluster), text(&[("nginx:3", 0), ("nginx:4", 4)]));
}

#[test]
fn everything_goes_with_it() {
    let mut cluster = Cluster::new();
    cluster.apply(WEB);
    cluster.run(10);
    cluster.delete::<Deployment>("web", Propagation::Background);
    cluster.run(60);
    assert!(cluster.list::<ReplicaSet>().is_empty());
    assert!(cluster.list::<Pod>().is_empty());
}
