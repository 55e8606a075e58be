use super::rules::{Seen, Written, of};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use naru_network::{Call, IpNet, Link, Network, NsId, Route};
use naru_sim::{Rng, Time};
use serde_json::{Value, json};
use std::time::Duration;

const NODE: &str = "worker";

/// A pod with the label `app` of its name, and a port named `http`.
fn pod(namespace: &str, name: &str, ip: &str, port: i32) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": NODE,
            "containers": [{"name": "main", "ports": [{"name": "http", "containerPort": port}]}],
        },
        "status": {"podIP": ip, "phase": "Running"},
    }))
    .unwrap()
}

fn namespace(name: &str) -> Namespace {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"team": name}}})).unwrap()
}

fn policy(spec: Value) -> NetworkPolicy {
    serde_json::from_value(json!({
        "metadata": {"namespace": "shop", "name": "rule"}, "spec": spec,
    }))
    .unwrap()
}

/// A node with three pods behind it: `web` and `db` of namespace `shop`, `guest` of another.
struct Lab {
    network: Network,
    node: NsId,
    spaces: Vec<(&'static str, NsId, &'static str)>,
    now: Time,
}

const PODS: [(&str, &str, &str); 3] =
    [("shop", "web", "10.1.0.2"), ("shop", "db", "10.1.0.3"), ("other", "guest", "10.1.0.4")];

impl Lab {
    fn new() -> Lab {
        let mut network = Network::new(Rng::new(1));
        let node = network.add_namespace(NODE);
        let mut spaces = Vec::new();
        for (_, name, ip) in PODS {
            let space = network.add_namespace(name);
            let veth = format!("veth-{name}");
            network.add_veth((node, &veth), (space, "eth0"), Link::LOCAL).unwrap();
            let own: IpNet = format!("{ip}/32").parse().unwrap();
            network.add_address(space, "eth0", own).unwrap();
            network.add_address(node, &veth, "10.1.0.1/32".parse().unwrap()).unwrap();
            let to = |to: &str, dev: &str, via: Option<&str>| Route {
                to: to.parse().unwrap(),
                via: via.map(|via| via.parse().unwrap()),
                dev: dev.to_owned(),
                src: None,
            };
            network.add_route(space, to("0.0.0.0/0", "eth0", Some("10.1.0.1"))).unwrap();
            network.add_route(node, to(&format!("{ip}/32"), &veth, None)).unwrap();
            for port in [80, 81, 5432] {
                network.tcp_listen(space, format!("0.0.0.0:{port}").parse().unwrap()).unwrap();
            }
            spaces.push((name, space, ip));
        }
        spaces.push((NODE, node, "10.1.0.1"));
        Lab { network, node, spaces, now: Time::ZERO }
    }

    fn apply(&mut self, specs: &[Value]) -> Written {
        let pods: Vec<Pod> = PODS.iter().map(|(ns, name, ip)| pod(ns, name, ip, 80)).collect();
        let policies: Vec<NetworkPolicy> = specs.iter().cloned().map(policy).collect();
        let namespaces = ["shop", "other"].map(namespace);
        let seen = Seen {
            node: NODE,
            policies: policies.iter().collect(),
            namespaces: namespaces.iter().collect(),
            pods: pods.iter().collect(),
        };
        let written = of(&seen);
        let netfilter = self.network.netfilter(self.node).unwrap();
        for (name, members) in &written.sets {
            assert!(netfilter.set_put(name, members.clone()));
        }
        netfilter.restore(&written.text, true).unwrap();
        written
    }

    fn space(&self, name: &str) -> (NsId, &'static str) {
        let found = self.spaces.iter().find(|(other, ..)| *other == name).unwrap();
        (found.1, found.2)
    }

    /// `web>db:80` stands if a connection is made within a second.
    fn connects(&mut self, line: &str) -> bool {
        let (from, to) = line.split_once('>').unwrap();
        let (to, port) = to.split_once(':').unwrap();
        let (from, ip) = (self.space(from).0, self.space(to).1);
        let call = Call { now: self.now, ..Call::default() };
        let to = format!("{ip}:{port}").parse().unwrap();
        let socket = self.network.tcp_connect(from, to, call).unwrap();
        self.now = self.now + Duration::from_secs(1);
        self.network.advance(self.now);
        self.network.connected(socket).is_ok()
    }
}

const WAYS: [&str; 7] = [
    "web>db:80",
    "web>db:81",
    "web>db:5432",
    "guest>db:80",
    "guest>web:80",
    "db>web:80",
    "worker>db:80",
];

#[test]
fn policies_let_through_what_they_allow() {
    let db = json!({"matchLabels": {"app": "db"}});
    let web = json!({"podSelector": {"matchLabels": {"app": "web"}}});
    let other = json!({"namespaceSelector": {"matchLabels": {"team": "other"}}});
    let both = json!({
        "namespaceSelector": {"matchLabels": {"team": "other"}},
        "podSelector": {"matchLabels": {"app": "web"}},
    });
    let ingress =
        |rules: Value| json!({"podSelector": db, "policyTypes": ["Ingress"], "ingress": rules});
    let egress = |rules: Value| {
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Egress"], "egress": rules,
        })
    };
    // What is not named is let through.
    let cases: Vec<(Vec<Value>, &[&str])> = vec![
        (vec![], &[]),
        (vec![ingress(json!([]))], &["web>db:80", "web>db:81", "web>db:5432", "guest>db:80"]),
        (vec![ingress(json!([{}]))], &[]),
        (vec![ingress(json!([{"from": [web]}]))], &["guest>db:80"]),
        (vec![ingress(json!([{"from": [other]}]))], &["web>db:80", "web>db:81", "web>db:5432"]),
        (
            vec![ingress(json!([{"from": [both]}]))],
            &["web>db:80", "web>db:81", "web>db:5432", "guest>db:80"],
        ),
        (
            vec![ingress(json!([{"from": [web], "ports": [{"port": 80}]}]))],
            &["web>db:81", "web>db:5432", "guest>db:80"],
        ),
        (
            vec![ingress(json!([{"ports": [{"protocol": "TCP", "port": 80, "endPort": 90}]}]))],
            &["web>db:5432"],
        ),
        (vec![ingress(json!([{"ports": [{"port": "http"}]}]))], &["web>db:81", "web>db:5432"]),
        (
            vec![ingress(json!([{"ports": [{"protocol": "UDP"}]}]))],
            &["web>db:80", "web>db:81", "web>db:5432", "guest>db:80"],
        ),
        (
            vec![ingress(json!([
                {"from": [{"ipBlock": {"cidr": "10.1.0.0/24", "except": ["10.1.0.4/32"]}}]}
            ]))],
            &["guest>db:80"],
        ),
        // Two policies add up.
        (
            vec![ingress(json!([])), ingress(json!([{"ports": [{"port": 5432}]}]))],
            &["web>db:80", "web>db:81", "guest>db:80"],
        ),
        (vec![egress(json!([]))], &["web>db:80", "web>db:81", "web>db:5432"]),
        (
            vec![egress(json!([{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}]))],
            &["web>db:81", "web>db:5432"],
        ),
        (vec![egress(json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]))], &[]),
        // What may leave must be let in, too.
        (
            vec![
                egress(json!([{"ports": [{"port": 5432}]}])),
                ingress(json!([{"ports": [{"port": 80}]}])),
            ],
            &["web>db:80", "web>db:81", "web>db:5432"],
        ),
    ];
    for (specs, refused) in cases {
        let mut lab = Lab::new();
        lab.apply(&specs);
        for way in WAYS {
            assert_eq!(lab.connects(way), !refused.contains(&way), "{way}: {specs:?}");
        }
    }
}

#[test]
fn a_connection_that_stands_goes_on() {
    let mut lab = Lab::new();
    lab.apply(&[json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]})]);
    let (web, db) = (lab.space("web").0, lab.space("db").0);
    let listener = lab.network.tcp_listen(db, "0.0.0.0:90".parse().unwrap()).unwrap();
    let call = Call::default();
    let socket = lab.network.tcp_connect(web, "10.1.0.3:90".parse().unwrap(), call).unwrap();
    lab.network.advance(Time::from_secs(1));
    let (served, _) = lab.network.accept(listener).unwrap();
    lab.apply(&[json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})]);
    let call = Call { now: Time::from_secs(2), ..Call::default() };
    lab.network.send(socket, b"still here", call).unwrap();
    lab.network.advance(Time::from_secs(3));
    assert_eq!(lab.network.recv(served, 64, call).unwrap(), b"still here");
}
