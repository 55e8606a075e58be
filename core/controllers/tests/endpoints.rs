//! Endpoints and EndpointSlices on a running cluster.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::request::Propagation;

const APP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: app, labels: {app: web}}
spec:
  containers: [{name: web, image: nginx, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
";

#[test]
fn lists_the_ready_pods() {
    let mut cluster = Cluster::new();
    cluster.apply(APP);
    cluster.run(10);
    let endpoints = cluster.get::<Endpoints>("web").unwrap();
    let subsets = endpoints.subsets.clone().unwrap();
    assert_eq!(subsets.len(), 1);
    let address = &subsets[0].addresses.as_ref().unwrap()[0];
    assert_eq!(address.target_ref.as_ref().unwrap().name.as_deref(), Some("app"));
    assert_eq!(subsets[0].ports.as_ref().unwrap()[0].port, 8080);
    assert_eq!(endpoints.metadata.labels.as_ref().unwrap()["tier"], "front");

    let slices = cluster.list::<EndpointSlice>();
    assert_eq!(slices.len(), 1);
    assert!(slices[0].metadata.name.as_ref().unwrap().starts_with("web-"));
    let endpoint = &slices[0].endpoints[0];
    let conditions = endpoint.conditions.clone().unwrap();
    assert_eq!(
        (conditions.ready, conditions.serving, conditions.terminating),
        (Some(true), Some(true), Some(false))
    );
    assert_eq!(slices[0].ports.as_ref().unwrap()[0].port, Some(8080));
}

#[test]
fn a_service_without_pods_has_an_empty_slice() {
    let mut cluster = Cluster::new();
    cluster.apply(APP);
    cluster.run(10);
    let before = cluster.list::<EndpointSlice>()[0].metadata.name.clone();
    cluster.delete::<Pod>("app", Propagation::Background);
    cluster.run(60);
    assert_eq!(cluster.get::<Endpoints>("web").unwrap().subsets, None);
    let slices = cluster.list::<EndpointSlice>();
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0].metadata.name, before);
    assert!(slices[0].endpoints.is_empty());
}

#[test]
fn both_go_with_the_service() {
    let mut cluster = Cluster::new();
    cluster.apply(APP);
    cluster.run(10);
    cluster.delete::<Service>("web", Propagation::Background);
    cluster.run(10);
    assert!(cluster.get::<Endpoints>("web").is_none());
    assert!(cluster.list::<EndpointSlice>().is_empty());
}

#[test]
fn no_more_slices_than_needed_however_far_the_cache_lags() {
    let mut cluster = Cluster::new();
    cluster.lag = std::time::Duration::from_millis(400);
    cluster.apply(APP);
    for name in ["b", "c", "d"] {
        cluster.apply(&format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: web}}}}
spec:
  containers: [{{name: web, image: nginx, ports: [{{name: http, containerPort: 8080}}]}}]
"
        ));
    }
    cluster.run(30);
    let slices = cluster.list::<EndpointSlice>();
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0].endpoints.len(), 4);
}
