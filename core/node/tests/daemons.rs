//! What the node itself runs: its registration, kube-proxy, the network plugin, static pods.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod common;

use common::Machine;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::request::{Op, Response};
use naru_api::{Kube, Object};
use naru_network::Network;
use naru_node::{Env, NodeConfig};
use naru_sim::{Rng, Time};
use serde_json::json;

#[test]
fn a_node_registers_and_renews_its_lease() {
    let mut machine = Machine::new();
    machine.seconds(25);
    let Response::Object(object) = machine.request(Node::kind(), "worker", Op::Get).unwrap() else {
        panic!("no node");
    };
    let node = serde_json::to_value(object.get::<Node>().unwrap()).unwrap();
    let ready = &node["status"]["conditions"][3];
    assert_eq!(ready["type"], "Ready");
    assert_eq!(ready["reason"], "KubeletReady");
    assert_eq!(ready["message"], "kubelet is posting ready status");
    assert_eq!(node["spec"]["podCIDR"], "10.244.1.0/24");
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.33.1");
    assert_eq!(node["status"]["allocatable"]["pods"], "110");
    let list = machine.api_list(Lease::kind(), "kube-node-lease");
    let renewed: Vec<String> = list
        .iter()
        .filter_map(Object::get::<Lease>)
        .map(|lease| lease.spec.clone().unwrap().renew_time.unwrap().0.to_string())
        .collect();
    assert_eq!(renewed.len(), 2);
    assert!(renewed[0].starts_with("2025-06-02T00:00:20"), "{renewed:?}");
}

#[test]
fn kindnet_lays_routes_while_its_pod_runs() {
    let mut machine = Machine::new();
    let image = "docker.io/kindest/kindnetd:v20250512-df8de77b";
    for node in ["worker", "worker2"] {
        let spec = json!({
            "hostNetwork": true, "nodeName": node,
            "containers": [{"name": "kindnet-cni", "image": image}],
        });
        machine.pod(&format!("kindnet-{node}"), spec);
    }
    machine.pod(
        "web",
        json!({
            "nodeName": "worker2",
            "containers": [{"name": "c", "image": "kim0lil/80700:v-1.0.0"}],
        }),
    );
    machine.seconds(15);
    let host = machine.nodes[0].host_namespace();
    let routes: Vec<String> = machine
        .net
        .routes(host)
        .iter()
        .filter_map(|route| Some(format!("{} via {} dev {}", route.to, route.via?, route.dev)))
        .collect();
    assert!(routes.contains(&"10.244.2.0/24 via 172.18.0.4 dev eth0".to_owned()), "{routes:?}");
    machine.outside = host;
    let answer = machine.http("10.244.2.2:8080", "/").unwrap();
    assert!(answer.contains("Container ID is web"), "{answer}");
}

#[test]
fn static_pods_are_mirrored_and_come_back() {
    let rng = Rng::new(1);
    let mut net = Network::new(rng.fork("network"));
    let config = NodeConfig {
        name: "control-plane".to_owned(),
        control_plane: true,
        internal_ip: [172, 18, 0, 2].into(),
        pod_cidr: "10.244.0.0/24".to_owned(),
        ..NodeConfig::default()
    };
    let node = naru_node::Node::new(config, naru_node::programs(), &rng, &mut net);
    let mut machine = Machine::new();
    (machine.net, machine.nodes) = (net, vec![node]);
    let mut env = Env {
        api: &mut machine.api,
        net: &mut machine.net,
        disks: &mut machine.disks,
        now: Time::ZERO,
    };
    machine.nodes[0].start(&mut env).unwrap();
    machine.seconds(10);
    let names = |machine: &mut Machine| -> Vec<(String, String)> {
        machine
            .api_list(Pod::kind(), "kube-system")
            .iter()
            .filter_map(Object::get::<Pod>)
            .map(|pod| {
                let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
                (pod.metadata.name.clone().unwrap_or_default(), phase.unwrap_or_default())
            })
            .collect()
    };
    let running = |name: &str| (format!("{name}-control-plane"), "Running".to_owned());
    let all = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(running);
    assert_eq!(names(&mut machine), all);
    let containers = |machine: &Machine| machine.nodes[0].runtime().containers().count();
    let before = containers(&machine);
    machine.delete_in("kube-system", "etcd-control-plane");
    machine.seconds(5);
    assert_eq!(names(&mut machine), all);
    assert_eq!(containers(&machine), before, "the container was not touched");
}

#[test]
fn a_machine_that_was_off_starts_its_pods_again() {
    let mut machine = Machine::new();
    let container = json!({"name": "c", "image": "kim0lil/80700:v-1.0.0"});
    machine.pod("web", json!({"containers": [container]}));
    machine.seconds(12);
    let mut env = Env {
        api: &mut machine.api,
        net: &mut machine.net,
        disks: &mut machine.disks,
        now: machine.now,
    };
    machine.nodes[0].crash(&mut env);
    machine.seconds(60);
    assert_eq!(machine.nodes[0].runtime().containers().count(), 0);
    let mut env = Env {
        api: &mut machine.api,
        net: &mut machine.net,
        disks: &mut machine.disks,
        now: machine.now,
    };
    machine.nodes[0].start(&mut env).unwrap();
    machine.seconds(10);
    let status = machine.status("web");
    assert_eq!(status["phase"], "Running", "{status:#}");
    assert_eq!(status["containerStatuses"][0]["restartCount"], 1);
    let ip = machine.ip("web");
    assert!(machine.http(&format!("{ip}:8080"), "/").unwrap().contains("is web"));
    let changed = "Pod sandbox changed, it will be killed and re-created.".to_owned();
    assert!(machine.events("web").contains(&("SandboxChanged".to_owned(), changed)));
}

#[test]
fn containers_go_on_without_their_kubelet() {
    let mut machine = Machine::new();
    let container = json!({"name": "c", "image": "kim0lil/80700:v-1.0.0"});
    machine.pod("web", json!({"containers": [container]}));
    machine.seconds(12);
    let mut env = Env {
        api: &mut machine.api,
        net: &mut machine.net,
        disks: &mut machine.disks,
        now: machine.now,
    };
    machine.nodes[0].stop(&mut env);
    machine.delete("web");
    machine.seconds(60);
    let ip = machine.ip("web");
    assert!(machine.http(&format!("{ip}:8080"), "/").unwrap().contains("is web"));
    let mut env = Env {
        api: &mut machine.api,
        net: &mut machine.net,
        disks: &mut machine.disks,
        now: machine.now,
    };
    machine.nodes[0].start(&mut env).unwrap();
    machine.seconds(35);
    assert!(machine.get("web").is_none());
}
