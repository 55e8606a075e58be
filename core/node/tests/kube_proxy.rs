//! kube-proxy as a process: fed by the API server, writing the node's rules.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use k8s_openapi::api::core::v1::{Event, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::request::{Body, DeleteOptions, ListOptions, Op, Request, Response, UserInfo};
use naru_api::{ApiService, Kube, Object};
use naru_apiserver::ApiServer;
use naru_client::Process;
use naru_network::netfilter::TableName;
use naru_network::{Network, NsId};
use naru_node::proxy::{HostNetwork, KubeProxy, ProxyConfig};
use naru_sim::{Rng, Time};
use serde_json::{Value, json};
use std::time::Duration;

struct Lab {
    api: ApiServer,
    net: Network,
    ns: NsId,
    proxy: Process<KubeProxy>,
    now: Time,
}

impl Lab {
    fn new() -> Lab {
        let rng = Rng::new(1);
        let mut net = Network::new(rng.clone());
        let ns = net.add_namespace("worker");
        let cluster_cidr = Some("10.244.0.0/16".parse().unwrap());
        let config = ProxyConfig { name: "worker".into(), ip: None, cluster_cidr };
        let proxy = KubeProxy::process(config, &rng);
        Lab { api: ApiServer::new(rng), net, ns, proxy, now: Time::ZERO }
    }

    fn request(&mut self, kind: naru_api::KindRef, name: &str, op: Op) -> Response {
        self.api
            .handle(Request {
                namespace: "default".into(),
                name: name.into(),
                ..Request::new(
                    UserInfo::new("kubernetes-admin", &["system:masters"]),
                    "test".into(),
                    kind,
                    op,
                )
            })
            .unwrap()
    }

    fn create<K: Kube>(&mut self, json: Value) {
        let object = Object::new(serde_json::from_value::<K>(json).unwrap());
        self.request(K::kind(), "", Op::Create(Body::Object(object)));
    }

    fn service(&mut self, name: &str, ip: &str) {
        self.create::<Service>(json!({
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "clusterIP": ip, "ports": [{ "port": 80 }] },
        }));
    }

    fn slice(&mut self, service: &str, ip: &str) {
        self.create::<EndpointSlice>(json!({
            "metadata": {
                "name": service, "namespace": "default",
                "labels": { "kubernetes.io/service-name": service },
            },
            "addressType": "IPv4", "endpoints": [{ "addresses": [ip] }],
            "ports": [{ "name": "", "port": 8080, "protocol": "TCP" }],
        }));
    }

    /// Lets the process work for some seconds.
    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now = self.now + Duration::from_millis(100);
            self.api.set_now(self.now);
            self.proxy.deliver(&mut self.api);
            let mut host = HostNetwork { network: &mut self.net, ns: self.ns };
            while self.proxy.work(&mut self.api, &mut host) {}
        }
    }

    fn nat(&mut self) -> String {
        self.net.netfilter(self.ns).unwrap().save(Some(TableName::Nat), false)
    }
}

#[test]
fn rules_follow_services_and_endpoints() {
    let mut lab = Lab::new();
    lab.service("web", "10.96.0.7");
    lab.proxy.start(&mut lab.api).unwrap();
    lab.run(1);
    assert!(!lab.nat().contains("10.96.0.7"), "no endpoints, no chain");
    lab.slice("web", "10.244.1.2");
    lab.run(3);
    let nat = lab.nat();
    assert!(nat.contains("-d 10.96.0.7/32 -p tcp -m comment --comment \"default/web cluster IP\""));
    assert!(nat.contains("-j DNAT --to-destination 10.244.1.2:8080"), "{nat}");
    let delete = || Op::Delete(DeleteOptions::default());
    lab.request(EndpointSlice::kind(), "web", delete());
    lab.run(3);
    assert!(!lab.nat().contains("KUBE-SEP-"));
    let list = lab.request(Event::kind(), "", Op::List(ListOptions::default()));
    let Response::List(list) = list else { panic!("{list:?}") };
    let reasons: Vec<_> =
        list.items.iter().map(|event| event.get::<Event>().unwrap().reason.clone()).collect();
    assert_eq!(reasons, [Some("Starting".to_owned())]);
}

#[test]
fn rules_are_written_once_a_second_at_most_after_a_burst() {
    let mut lab = Lab::new();
    lab.service("web", "10.96.0.7");
    lab.proxy.start(&mut lab.api).unwrap();
    lab.run(5);
    let mut written = Vec::new();
    for index in 0..20 {
        lab.service(&format!("new{index}"), &format!("10.96.1.{index}"));
        lab.slice(&format!("new{index}"), "10.244.1.2");
        for _ in 0..2 {
            lab.now = lab.now + Duration::from_millis(100);
            lab.api.set_now(lab.now);
            lab.proxy.deliver(&mut lab.api);
            let before = lab.nat();
            let mut host = HostNetwork { network: &mut lab.net, ns: lab.ns };
            while lab.proxy.work(&mut lab.api, &mut host) {}
            if lab.nat() != before {
                written.push(lab.now.as_millis());
            }
        }
    }
    let since_first: Vec<u64> = written.iter().map(|at| at - written[0]).collect();
    assert_eq!(since_first, [0, 200, 1_000, 2_000, 3_000]);
}

#[test]
fn a_restart_keeps_the_rules_and_clears_what_has_gone_meanwhile() {
    let mut lab = Lab::new();
    for (name, last) in [("web", 7), ("old", 8)] {
        lab.service(name, &format!("10.96.0.{last}"));
        lab.slice(name, &format!("10.244.1.{last}"));
    }
    lab.proxy.start(&mut lab.api).unwrap();
    lab.run(3);
    lab.proxy.stop(&mut lab.api);
    let before = lab.nat();
    assert!(before.contains("10.96.0.8"));
    for kind in [Service::kind(), EndpointSlice::kind()] {
        lab.request(kind, "old", Op::Delete(DeleteOptions::default()));
    }
    lab.proxy.start(&mut lab.api).unwrap();
    let mut host = HostNetwork { network: &mut lab.net, ns: lab.ns };
    while lab.proxy.work(&mut lab.api, &mut host) {}
    assert_eq!(lab.nat(), before, "nothing was delivered yet");
    lab.run(3);
    let nat = lab.nat();
    assert!(nat.contains("10.96.0.7") && !nat.contains("10.96.0.8"), "{nat}");
    assert!(!nat.contains("10.244.1.8"), "{nat}");
}
