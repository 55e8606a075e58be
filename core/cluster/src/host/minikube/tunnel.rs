//! `minikube tunnel`: brings what is sent to cluster IPs to the node, and gives Services of type
//! LoadBalancer their cluster IP as their address from outside, for as long as it runs.
//!
//! Upstream: `pkg/minikube/tunnel/tunnel.go`, `loadbalancer_patcher.go`, `reporter.go`.

use super::super::Ask;
use super::{not_running, own_name};
use crate::Cluster;
use crate::workstation::Workstation;
use k8s_openapi::api::core::v1::Service;
use naru_api::request::{Op, Patch};
use naru_api::{ApiService, Kube, Object};
use naru_network::{IpNet, Route};
use naru_shell::{Answer, Next};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// How often Services are looked for.
const INTERVAL: Duration = Duration::from_secs(5);
/// Where cluster IPs are, as minikube says it.
const RANGE: &str = "10.96.0.0/12";

/// Looks at the Services once; ends when it is interrupted.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    if ask.interrupted {
        set_route(cluster, false);
        for object in load_balancers(cluster) {
            patch(cluster, &object, Value::Null);
        }
        return Answer { code: 130, ..Answer::default() };
    }
    if ask.state.is_empty() {
        if let Some(answer) = not_running(cluster) {
            return answer;
        }
        set_route(cluster, true);
    }
    let mut names = Vec::new();
    for object in load_balancers(cluster) {
        let ip = object.get::<Service>().and_then(|one| one.spec.as_ref()?.cluster_ip.clone());
        if let Some(ip) = ip.filter(|ip| ip.parse::<IpAddr>().is_ok()) {
            patch(cluster, &object, json!([{"ip": ip}]));
            names.push(object.name().to_owned());
        }
    }
    let status = status(cluster, &names);
    // What has not changed is not told again.
    let stdout = if ask.state == status { String::new() } else { status.clone() };
    let next = Next { after: INTERVAL, state: status, catches: true, ..Next::default() };
    Answer { stdout, next: Some(next), ..Answer::default() }
}

fn status(cluster: &Cluster, names: &[String]) -> String {
    let ip = cluster.nodes.first().map(|node| node.config().internal_ip.to_string());
    format!(
        "Status:\t\n\tmachine: {}\n\tpid: 4242\n\troute: {RANGE} -> {}\n\tminikube: Running\n\t\
         services: [{}]\n    errors: \n\t\tminikube: no errors\n\t\trouter: no errors\n\t\t\
         loadbalancer emulator: no errors\n",
        own_name(cluster),
        ip.unwrap_or_default(),
        names.join(", ")
    )
}

fn load_balancers(cluster: &mut Cluster) -> Vec<Object> {
    let mut objects = cluster.list(&Service::kind(), "", "", "");
    objects.retain(|object| {
        let spec = object.get::<Service>().and_then(|service| service.spec.as_ref());
        spec.is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"))
    });
    objects
}

fn patch(cluster: &mut Cluster, object: &Object, ingress: Value) {
    let status = object.get::<Service>().and_then(|service| service.status.as_ref());
    let there = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let ip = there.and_then(|points| points.first()?.ip.clone());
    if ip.as_deref() == ingress.pointer("/0/ip").and_then(Value::as_str) {
        return;
    }
    let op = Op::Patch(Patch::Merge(json!({"status": {"loadBalancer": {"ingress": ingress}}})));
    let mut request = cluster.request(&Service::kind(), object.namespace(), object.name(), op);
    request.subresource = "status";
    // A Service that has gone meanwhile needs no address.
    let _ = cluster.api.handle(request);
    cluster.settle();
}

fn set_route(cluster: &mut Cluster, on: bool) {
    let Ok(to) = RANGE.parse::<IpNet>() else { return };
    let here = cluster.workstation.namespace();
    // A tunnel that was killed has left its route behind.
    let _ = cluster.net.del_route(here, to);
    let Some(ip) = cluster.nodes.first().map(|node| node.config().internal_ip) else { return };
    if on {
        let via = Some(IpAddr::V4(ip));
        let route = Route { to, via, dev: Workstation::BRIDGE.to_owned(), src: None };
        let _ = cluster.net.add_route(here, route);
    }
}
