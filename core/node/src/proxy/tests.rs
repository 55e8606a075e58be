//! The rules of a set of services as upstream's own test publishes them, and their upkeep.

use super::*;
use k8s_openapi::serde_json::{Value, from_value, json};
use naru_network::netfilter::TableName;
use naru_network::{Call, Link, NetError};

fn service(name: &str, spec: Value, status: Value) -> Service {
    let metadata = json!({ "namespace": name.replace("svc", "ns"), "name": name });
    from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap()
}

fn slice(endpoints: Value) -> EndpointSlice {
    let ports = json!([{ "name": "p80", "port": 80, "protocol": "TCP" }]);
    from_value(json!({
        "metadata": {}, "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    }))
    .unwrap()
}

fn node() -> ProxyConfig {
    ProxyConfig {
        name: "test-node".into(),
        ip: Some("192.168.0.2".parse().unwrap()),
        cluster_cidr: Some("10.0.0.0/8".parse().unwrap()),
    }
}

fn port(more: Value) -> Value {
    let mut port = json!({ "name": "p80", "port": 80, "protocol": "TCP" });
    port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([port])
}

/// The services of upstream's `TestOverallIPTablesRules`.
fn example() -> Vec<(Service, Value)> {
    let none = || json!({});
    let ingress = |ip: &str| json!({ "loadBalancer": { "ingress": [{ "ip": ip }] } });
    let one = |ip: &str| json!([{ "addresses": [ip] }]);
    vec![
        (
            service("svc1", json!({ "clusterIP": "172.30.0.41", "ports": port(none()) }), none()),
            one("10.180.0.1"),
        ),
        (
            service(
                "svc2",
                json!({
                    "type": "LoadBalancer", "externalTrafficPolicy": "Local",
                    "clusterIP": "172.30.0.42", "externalIPs": ["192.168.99.22"],
                    "healthCheckNodePort": 30000, "ports": port(json!({ "nodePort": 3001 })),
                }),
                ingress("1.2.3.4"),
            ),
            one("10.180.0.2"),
        ),
        (
            service(
                "svc3",
                json!({
                    "type": "NodePort", "clusterIP": "172.30.0.43",
                    "ports": port(json!({ "nodePort": 3003 })),
                }),
                none(),
            ),
            one("10.180.0.3"),
        ),
        (
            service(
                "svc4",
                json!({
                    "type": "NodePort", "clusterIP": "172.30.0.44",
                    "externalIPs": ["192.168.99.33"], "ports": port(none()),
                }),
                none(),
            ),
            json!([
                { "addresses": ["10.180.0.4"] },
                { "addresses": ["10.180.0.5"], "nodeName": "test-node" },
            ]),
        ),
        (
            service(
                "svc5",
                json!({
                    "type": "LoadBalancer", "externalTrafficPolicy": "Cluster",
                    "clusterIP": "172.30.0.45", "healthCheckNodePort": 30000,
                    "loadBalancerSourceRanges": [" 203.0.113.0/25"],
                    "sessionAffinity": "ClientIP",
                    "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 10800 } },
                    "ports": port(json!({ "nodePort": 3002 })),
                }),
                ingress("5.6.7.8"),
            ),
            one("10.180.0.3"),
        ),
        (
            service("svc6", json!({ "clusterIP": "172.30.0.46", "ports": port(none()) }), none()),
            json!([]),
        ),
    ]
}

struct Lab {
    network: Network,
    ns: NsId,
    proxy: KubeProxy,
    now: Time,
}

impl Lab {
    fn new() -> Lab {
        let mut network = Network::new(Rng::new(1));
        let ns = network.add_namespace("test-node");
        Lab { network, ns, proxy: KubeProxy::new(node()), now: Time::ZERO }
    }

    /// Brings services into the rules, as a sync after their change does.
    fn sync(&mut self, services: &[(Key, Option<Service>, Value)]) {
        let (mut stale, mut own) = (BTreeSet::new(), Vec::new());
        for (key, service, endpoints) in services {
            let slice = slice(endpoints.clone());
            let own = &mut own;
            let gone = self.proxy.plan(key, service.as_ref(), &[&slice], false, own);
            stale.extend(gone.unwrap());
        }
        let changed = services.iter().map(|(key, ..)| key.clone()).collect();
        let mut host = HostNetwork { network: &mut self.network, ns: self.ns };
        self.proxy.write(&own, &stale, &mut host).unwrap();
        self.proxy.forget_stale_datagrams(&changed, &mut host);
    }

    fn rules(&mut self) -> String {
        self.network.netfilter(self.ns).unwrap().save(None, false)
    }
}

fn named(service: Service) -> (Key, Option<Service>) {
    let key = Object::new(service.clone()).key();
    (key, Some(service))
}

#[test]
fn rules_are_upstreams() {
    let mut lab = Lab::new();
    let all: Vec<_> = example()
        .into_iter()
        .map(|(service, endpoints)| {
            let (key, service) = named(service);
            (key, service, endpoints)
        })
        .collect();
    lab.sync(&all);
    let (text, golden) = (lab.rules(), include_str!("golden.rules"));
    assert_eq!(text, golden);
    // What the proxy would write in one go is what it writes step by step.
    let mut steps = Lab::new();
    all.iter().rev().for_each(|one| steps.sync(std::slice::from_ref(one)));
    assert_eq!(steps.rules(), text);
}

#[test]
fn what_is_gone_leaves_no_chain_behind() {
    let mut lab = Lab::new();
    lab.sync(&[]);
    let empty = lab.rules();
    let all = example();
    for (service, endpoints) in &all {
        let (key, service) = named(service.clone());
        lab.sync(&[(key.clone(), service.clone(), endpoints.clone())]);
        lab.sync(&[(key, service, json!([{ "addresses": ["10.180.9.9"] }]))]);
    }
    assert_ne!(lab.rules(), empty);
    assert!(!lab.rules().contains("10.180.0."));
    let gone: Vec<_> =
        all.into_iter().map(|(service, _)| (named(service).0, None, json!([]))).collect();
    lab.sync(&gone);
    assert_eq!(lab.rules(), empty);
    assert_eq!(lab.proxy.services.len(), 0);
}

#[test]
fn services_of_others_are_left_alone() {
    for spec in [
        json!({ "clusterIP": "None", "ports": port(json!({})) }),
        json!({ "clusterIP": "", "ports": port(json!({})) }),
        json!({ "type": "ExternalName", "externalName": "example.com", "ports": port(json!({})) }),
    ] {
        assert_eq!(ServicePort::of(&service("svc1", spec, json!({}))), vec![]);
    }
    let mut foreign = example().swap_remove(0).0;
    let label = ("service.kubernetes.io/service-proxy-name".to_owned(), "other".to_owned());
    foreign.metadata.labels = Some([label].into());
    assert_eq!(ServicePort::of(&foreign), vec![]);
}

/// A pod beside the node, which asks and which serves.
fn with_pod(lab: &mut Lab, ip: &str) -> NsId {
    let pod = lab.network.add_namespace(ip);
    let veth = format!("veth{ip}");
    lab.network.add_veth((lab.ns, &veth), (pod, "eth0"), Link::LOCAL).unwrap();
    lab.network.add_address(pod, "eth0", format!("{ip}/32").parse().unwrap()).unwrap();
    lab.network.add_address(lab.ns, &veth, "10.0.0.1/32".parse().unwrap()).unwrap();
    let route = |to: &str, dev: &str| naru_network::Route {
        to: to.parse().unwrap(),
        via: None,
        dev: dev.into(),
        src: None,
    };
    let via = naru_network::Route {
        via: Some("10.0.0.1".parse().unwrap()),
        ..route("0.0.0.0/0", "eth0")
    };
    lab.network.add_route(pod, via).unwrap();
    lab.network.add_route(lab.ns, route(&format!("{ip}/32"), &veth)).unwrap();
    pod
}

impl Lab {
    /// Connects, and waits a second for the answer.
    fn connect(&mut self, from: NsId, to: &str) -> Result<(), NetError> {
        let call = Call { now: self.now, ..Call::default() };
        let socket = self.network.tcp_connect(from, to.parse().unwrap(), call).unwrap();
        self.now = self.now + Duration::from_secs(1);
        self.network.advance(self.now);
        self.network.connected(socket)
    }
}

#[test]
fn packets_follow_the_rules() {
    let mut lab = Lab::new();
    let (client, server) = (with_pod(&mut lab, "10.0.0.8"), with_pod(&mut lab, "10.180.0.3"));
    lab.network.tcp_listen(server, "0.0.0.0:80".parse().unwrap()).unwrap();
    let services: Vec<_> = example()
        .into_iter()
        .map(|(service, endpoints)| {
            let (key, service) = named(service);
            (key, service, endpoints)
        })
        .collect();
    lab.sync(&services);
    let node = lab.ns;
    // A way to addresses that rules must catch before.
    let default = naru_network::Route {
        to: "0.0.0.0/0".parse().unwrap(),
        via: None,
        dev: "lo".into(),
        src: None,
    };
    lab.network.add_route(node, default).unwrap();
    for (from, to, expected) in [
        (client, "172.30.0.43:80", Ok(())),
        (client, "10.0.0.1:3003", Ok(())),
        (server, "172.30.0.43:80", Ok(())),
        (node, "172.30.0.43:80", Ok(())),
        (node, "10.0.0.1:3003", Ok(())),
        (node, "127.0.0.1:3003", Ok(())),
    ] {
        assert_eq!(lab.connect(from, to), expected, "{to}");
    }
    for from in [client, node] {
        assert_eq!(lab.connect(from, "172.30.0.46:80"), Err(NetError::Refused));
        assert_eq!(lab.connect(from, "10.0.0.1:3004"), Err(NetError::Refused));
    }
}

#[test]
fn datagrams_forget_an_endpoint_that_is_gone() {
    let mut lab = Lab::new();
    let client = with_pod(&mut lab, "10.0.0.8");
    let servers = ["10.180.0.3", "10.180.0.4"].map(|ip| with_pod(&mut lab, ip));
    let sockets =
        servers.map(|ns| lab.network.udp_bind(ns, "0.0.0.0:80".parse().unwrap()).unwrap());
    let ports = json!([{ "name": "p80", "port": 53, "protocol": "UDP" }]);
    let dns = service("svc1", json!({ "clusterIP": "172.30.0.10", "ports": ports }), json!({}));
    let (key, dns) = named(dns);
    let socket = lab.network.udp_bind(client, "0.0.0.0:0".parse().unwrap()).unwrap();
    for (second, ip) in [(1, "10.180.0.3"), (5, "10.180.0.4")] {
        let mut udp = slice(json!([{ "addresses": [ip] }]));
        udp.ports.as_mut().unwrap()[0].protocol = Some("UDP".into());
        let mut own = Vec::new();
        let stale = lab.proxy.plan(&key, dns.as_ref(), &[&udp], false, &mut own).unwrap();
        let changed = BTreeSet::from([key.clone()]);
        let mut host = HostNetwork { network: &mut lab.network, ns: lab.ns };
        lab.proxy.write(&own, &stale, &mut host).unwrap();
        lab.proxy.forget_stale_datagrams(&changed, &mut host);
        let call = Call { now: Time::from_secs(second), ..Call::default() };
        let to = "172.30.0.10:53".parse().unwrap();
        lab.network.udp_send(socket, to, ip.as_bytes(), call).unwrap();
        lab.network.advance(Time::from_secs(second + 1));
    }
    for (socket, ip) in sockets.into_iter().zip(["10.180.0.3", "10.180.0.4"]) {
        let (data, _) = lab.network.udp_recv(socket).unwrap();
        assert_eq!(String::from_utf8(data).unwrap(), ip);
        assert!(lab.network.udp_recv(socket).is_err());
    }
    let nat = lab.network.netfilter(lab.ns).unwrap().save(Some(TableName::Nat), false);
    assert!(!nat.contains("10.180.0.3"));
}

/// How many of `count` connections each of these servers gets.
fn spread(lab: &mut Lab, client: NsId, servers: &[NsId], to: &str, count: usize) -> Vec<usize> {
    let listen = |ns: &NsId| lab.network.tcp_listen(*ns, "0.0.0.0:80".parse().unwrap()).unwrap();
    let listeners: Vec<_> = servers.iter().map(listen).collect();
    let mut counts = vec![0; listeners.len()];
    for _ in 0..count {
        assert_eq!(lab.connect(client, to), Ok(()));
        for (listener, counted) in listeners.iter().zip(&mut counts) {
            if let Ok((socket, _)) = lab.network.accept(*listener) {
                *counted += 1;
                lab.network.close(socket, Call { now: lab.now, ..Call::default() });
            }
        }
    }
    listeners.iter().for_each(|listener| lab.network.close(*listener, Call::default()));
    counts
}

fn balanced(lab: &mut Lab, spec: Value, endpoints: Value) {
    let (key, service) = named(service("svc9", spec, json!({})));
    lab.sync(&[(key, service, endpoints)]);
}

#[test]
fn ten_thousand_connections_are_spread_evenly() {
    const COUNT: usize = 10_000;
    let mut lab = Lab::new();
    let client = with_pod(&mut lab, "10.0.0.8");
    let servers = ["10.180.0.1", "10.180.0.2", "10.180.0.3"].map(|ip| with_pod(&mut lab, ip));
    let endpoints = json!([
        { "addresses": ["10.180.0.1"] }, { "addresses": ["10.180.0.2"] },
        { "addresses": ["10.180.0.3"] },
    ]);
    balanced(&mut lab, json!({ "clusterIP": "172.30.0.49", "ports": port(json!({})) }), endpoints);
    let counts = spread(&mut lab, client, &servers, "172.30.0.49:80", COUNT);
    assert_eq!(counts.iter().sum::<usize>(), COUNT);
    // Four standard deviations of a binomial distribution with n = 10,000 and p = 1/3.
    let (mean, bound) = (COUNT as f64 / 3.0, 4.0 * (COUNT as f64 * 2.0 / 9.0).sqrt());
    for count in &counts {
        assert!((*count as f64 - mean).abs() < bound, "{counts:?}");
    }
}

#[test]
fn affinity_keeps_a_client_until_it_was_silent_for_too_long() {
    let mut lab = Lab::new();
    let client = with_pod(&mut lab, "10.0.0.8");
    let ips = ["10.180.0.1", "10.180.0.2", "10.180.0.3"];
    let servers = ips.map(|ip| with_pod(&mut lab, ip));
    let endpoints = json!([
        { "addresses": [ips[0]] }, { "addresses": [ips[1]] }, { "addresses": [ips[2]] },
    ]);
    let spec = json!({
        "clusterIP": "172.30.0.49", "ports": port(json!({})), "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 60 } },
    });
    balanced(&mut lab, spec, endpoints);
    let mut chosen = BTreeSet::new();
    for _ in 0..20 {
        let counts = spread(&mut lab, client, &servers, "172.30.0.49:80", 10);
        let used: Vec<usize> = (0..3).filter(|index| counts[*index] > 0).collect();
        assert_eq!(used.len(), 1, "{counts:?}");
        chosen.extend(used);
        lab.now = lab.now + Duration::from_secs(61);
    }
    assert_eq!(chosen.len(), 3, "after a minute of silence lots are drawn anew");
}
