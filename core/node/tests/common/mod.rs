//! A cluster small enough for these tests: the real API server, the real network, two nodes, and
//! in the place of the scheduler `spec.nodeName`.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, ServiceAccount};
use naru_api::request::{Body, DeleteOptions, ListOptions, Op, Request, Response};
use naru_api::service::{Connect, ConnectRequest, LogOptions, StreamId};
use naru_api::status::ApiResult;
use naru_api::{ApiError, ApiService, KindRef, Kube, Object, UserInfo};
use naru_apiserver::{ApiServer, AuthenticationConfig};
use naru_network::{Call, Link, Network, NsId, Route};
use naru_node::{Disks, Env, NamespaceStack, Node, NodeConfig};
use naru_pki::{PrivateKey, jwt};
use naru_shell::{Errno, NetStack};
use naru_sim::{CauseId, Rng, Time};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub struct Machine {
    pub api: ApiServer,
    pub net: Network,
    pub disks: Disks,
    pub nodes: Vec<Node>,
    pub outside: NsId,
    pub now: Time,
}

impl Machine {
    /// The nodes `worker` and `worker2` and a machine outside that they are plugged into.
    pub fn new() -> Machine {
        let rng = Rng::new(7);
        let mut net = Network::new(rng.fork("network"));
        let mut api = ApiServer::new(rng.fork("api"));
        let key = PrivateKey::generate(&mut rng.fork("sa"));
        api.set_authentication(AuthenticationConfig {
            service_accounts: Some(jwt::Signer::new(key)),
            ..AuthenticationConfig::default()
        });
        let outside = net.add_namespace("outside");
        net.add_bridge(outside, "br0").unwrap();
        net.add_address(outside, "br0", "172.18.0.1/16".parse().unwrap()).unwrap();
        let mut nodes = Vec::new();
        for (index, name) in ["worker", "worker2"].into_iter().enumerate() {
            let last = 3 + index as u8;
            let config = NodeConfig {
                name: name.to_owned(),
                internal_ip: Ipv4Addr::new(172, 18, 0, last),
                pod_cidr: format!("10.244.{}.0/24", index + 1),
                ..NodeConfig::default()
            };
            let node = Node::new(config, naru_node::programs(), &rng, &mut net);
            let (host, port) = (node.host_namespace(), format!("veth{index}"));
            net.add_veth((host, "eth0"), (outside, &port), Link::LAN).unwrap();
            net.set_master(outside, &port, "br0").unwrap();
            net.add_address(host, "eth0", format!("172.18.0.{last}/16").parse().unwrap()).unwrap();
            let via = Some(Ipv4Addr::new(172, 18, 0, last).into());
            let to: IpNet = format!("10.244.{}.0/24", index + 1).parse().unwrap();
            let route = Route { to, via, dev: "br0".to_owned(), src: None };
            net.add_route(outside, route).unwrap();
            let everywhere = "0.0.0.0/0".parse().unwrap();
            let via = Some(Ipv4Addr::new(172, 18, 0, 1).into());
            let route = Route { to: everywhere, via, dev: "eth0".to_owned(), src: None };
            net.add_route(host, route).unwrap();
            nodes.push(node);
        }
        for node in &mut nodes {
            let mut env =
                Env { api: &mut api, net: &mut net, disks: &mut Disks::default(), now: Time::ZERO };
            node.start(&mut env).unwrap();
        }
        let mut machine =
            Machine { api, net, disks: Disks::default(), nodes, outside, now: Time::ZERO };
        machine.prepare_namespaces();
        machine
    }

    /// Makes what every pod mounts, as controllers do.
    fn prepare_namespaces(&mut self) {
        for namespace in ["default", "kube-system"] {
            let op = Op::Create(Body::Json(json!({"metadata": {"name": "default"}})));
            self.request_in(namespace, ServiceAccount::kind(), "", op).unwrap();
            let op = Op::Create(Body::Json(json!({
                "metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "the CA"}
            })));
            self.request_in(namespace, ConfigMap::kind(), "", op).unwrap();
        }
    }

    /// Does all that is due now.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            self.api.set_now(self.now);
            self.net.advance(self.now);
            for namespace in self.net.take_wakes() {
                let _ = self.nodes.iter_mut().any(|node| node.wake_namespace(namespace));
            }
            for node in &mut self.nodes {
                let mut env = Env {
                    api: &mut self.api,
                    net: &mut self.net,
                    disks: &mut self.disks,
                    now: self.now,
                };
                node.deliver(&mut env);
                node.advance(&mut env);
            }
            if self.next_due().is_none_or(|due| due > self.now) && self.api.take_ready().is_empty()
            {
                return;
            }
        }
        panic!("endless work at {}", self.now);
    }

    fn next_due(&self) -> Option<Time> {
        let nodes = self.nodes.iter().filter_map(Node::next_due).min();
        [nodes, self.net.next_due()].into_iter().flatten().min()
    }

    /// Lets this much time pass.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    pub fn request(&mut self, kind: KindRef, name: &str, op: Op) -> ApiResult<Response> {
        let namespace = if kind.namespaced { "default" } else { "" };
        self.request_in(namespace, kind, name, op)
    }

    pub fn api_list(&mut self, kind: KindRef, namespace: &str) -> Vec<Object> {
        match self.request_in(namespace, kind, "", Op::List(ListOptions::default())) {
            Ok(Response::List(list)) => list.items,
            other => panic!("not a list: {other:?}"),
        }
    }

    fn request_in(
        &mut self,
        namespace: &str,
        kind: KindRef,
        name: &str,
        op: Op,
    ) -> ApiResult<Response> {
        self.api.set_now(self.now);
        self.api.handle(Request {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Request::new(UserInfo::new("admin", &["system:masters"]), Arc::from("test"), kind, op)
        })
    }

    /// Makes an object of this kind.
    pub fn create<K: Kube>(&mut self, json: Value) {
        self.request(K::kind(), "", Op::Create(Body::Json(json))).unwrap();
    }

    /// Makes a pod with this spec on `worker`.
    pub fn pod(&mut self, name: &str, mut spec: Value) {
        spec["nodeName"] = json!(spec.get("nodeName").unwrap_or(&json!("worker")));
        let meta = json!({"name": name, "namespace": "default"});
        self.create::<Pod>(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec,
        }));
    }

    pub fn get(&mut self, name: &str) -> Option<Pod> {
        match self.request(Pod::kind(), name, Op::Get) {
            Ok(Response::Object(object)) => object.get::<Pod>().cloned(),
            Ok(_) => None,
            Err(error) => {
                assert!(error.is_not_found(), "{error}");
                None
            }
        }
    }

    pub fn status(&mut self, name: &str) -> Value {
        let pod = self.get(name).unwrap();
        serde_json::to_value(pod.status.unwrap()).unwrap()
    }

    pub fn delete(&mut self, name: &str) {
        self.delete_in("default", name);
    }

    pub fn delete_in(&mut self, namespace: &str, name: &str) {
        let op = Op::Delete(DeleteOptions::default());
        self.request_in(namespace, Pod::kind(), name, op).unwrap();
    }

    /// The events about a pod in the order of their first time: reason and message.
    pub fn events(&mut self, name: &str) -> Vec<(String, String)> {
        let list = self.request(Event::kind(), "", Op::List(ListOptions::default())).unwrap();
        let Response::List(list) = list else { panic!("not a list") };
        let mut events: Vec<&Event> = list
            .items
            .iter()
            .filter_map(Object::get::<Event>)
            .filter(|event| event.involved_object.name.as_deref() == Some(name))
            .collect();
        events.sort_by_key(|event| event.metadata.name.clone());
        events
            .into_iter()
            .map(|event| {
                (
                    event.reason.clone().unwrap_or_default(),
                    event.message.clone().unwrap_or_default(),
                )
            })
            .collect()
    }

    pub fn connect(&mut self, pod: &str, connect: Connect) -> StreamId {
        self.api.set_now(self.now);
        self.api
            .connect(ConnectRequest {
                user: UserInfo::new("admin", &["system:masters"]),
                agent: Arc::from("test"),
                cause: CauseId::ROOT,
                namespace: "default".to_owned(),
                pod: pod.to_owned(),
                container: String::new(),
                connect,
            })
            .unwrap()
    }

    /// What a stream brought, and how it ended.
    pub fn take(&mut self, stream: StreamId) -> (String, Option<Result<i32, ApiError>>) {
        let stream = ApiService::stream(&mut self.api, stream).unwrap();
        let bytes: Vec<u8> = stream.stdout.drain(..).chain(stream.stderr.drain(..)).collect();
        (String::from_utf8(bytes).unwrap(), stream.result.clone())
    }

    pub fn logs(
        &mut self,
        pod: &str,
        options: LogOptions,
    ) -> (String, Option<Result<i32, ApiError>>) {
        let stream = self.connect(pod, Connect::Log(options));
        self.advance(Duration::from_millis(20));
        self.take(stream)
    }

    pub fn ip(&mut self, pod: &str) -> String {
        self.get(pod).unwrap().status.unwrap().pod_ip.unwrap()
    }

    /// Asks a server over the network, from the machine outside.
    pub fn http(&mut self, address: &str, path: &str) -> Result<String, Errno> {
        let address: SocketAddr = address.parse().unwrap();
        let socket = self.stack().tcp_connect(address)?;
        let mut answer = Vec::new();
        let mut sent = false;
        for _ in 0..400 {
            self.advance(Duration::from_millis(5));
            let mut stack = self.stack();
            match stack.connected(socket) {
                Err(Errno::Again) => continue,
                other => other?,
            }
            if !sent {
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                stack.send(socket, request.as_bytes())?;
                sent = true;
            }
            match stack.recv(socket, 65_536) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => answer.extend(bytes),
                Err(Errno::Again) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.stack().close(socket);
        if !sent {
            return Err(Errno::TimedOut);
        }
        Ok(String::from_utf8(answer).unwrap())
    }

    fn stack(&mut self) -> NamespaceStack<'_> {
        let call = Call { now: self.now, cause: CauseId::ROOT };
        NamespaceStack::new(&mut self.net, self.outside, call)
    }
}
