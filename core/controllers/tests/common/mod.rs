//! A small cluster: the real API server, the real controller manager, and one component that
//! stands in for scheduler and kubelets.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    Binding, Event, Node, NodeCondition, NodeStatus, ObjectReference, Pod, PodCondition, PodIP,
    PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::{Body, DeleteOptions, ListOptions, Propagation};
use naru_api::time::{meta_time, micro_time};
use naru_api::{Key, Kube, Object, UserInfo, WatchEvent, pods, scheme};
use naru_apiserver::ApiServer;
use naru_client::{Action, Cache, Client, Context, Controller, Error, Process, Reconcile, Watch};
use naru_controllers::controller_manager;
use naru_sim::{CauseId, Rng, Time};
use std::sync::Arc;
use std::time::Duration;

pub struct Cluster {
    pub api: ApiServer,
    pub processes: Vec<Process<Box<dyn Reconcile<()>>>>,
    user: UserInfo,
    agent: Arc<str>,
    now: Time,
    deliver_at: Option<Time>,
    /// How far the caches lag behind.
    pub lag: Duration,
}

impl Cluster {
    pub fn new() -> Self {
        let rng = Rng::new(1);
        let user = UserInfo::new("kubernetes-admin", &["system:masters"]);
        let mut manager = Process::new("kube-controller-manager", user.clone(), &rng);
        for controller in controller_manager() {
            manager = manager.with(controller);
        }
        let node: Box<dyn Reconcile<()>> = Box::new(Nodes::default());
        let nodes = Process::new("nodes", user.clone(), &rng).with(node);
        let mut api = ApiServer::new(rng);
        let mut processes = vec![manager, nodes];
        for process in &mut processes {
            process.start(&mut api).unwrap();
        }
        let mut cluster = Cluster {
            api,
            processes,
            user,
            agent: "test".into(),
            now: Time::ZERO,
            deliver_at: Some(Time::ZERO),
            lag: Duration::from_millis(3),
        };
        for name in ["n1", "n2"] {
            cluster.create(node_object(name));
        }
        cluster.run(1);
        cluster
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn client(&mut self) -> Client<'_> {
        Client::new(&mut self.api, &self.user, &self.agent, CauseId::ROOT)
    }

    pub fn apply(&mut self, yaml: &str) {
        use serde::Deserialize as _;
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let json = serde_json::Value::deserialize(document).unwrap();
            let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
            let kind = scheme::by_kind(&scheme::built_in(), &text("apiVersion"), &text("kind"));
            let kind = kind.unwrap();
            let namespace = if kind.namespaced { "default" } else { "" };
            let namespace = json["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
            let op = naru_api::Op::Create(Body::Json(json));
            self.client().send(kind, &namespace, "", "", op).unwrap();
        }
    }

    pub fn create<K: Kube>(&mut self, object: K) -> Arc<K> {
        self.client().create(object).unwrap()
    }

    pub fn edit<K: Kube>(&mut self, name: &str, change: impl Fn(&mut K)) {
        let namespace = if K::kind().namespaced { "default" } else { "" };
        let mut object = (*self.client().get::<K>(namespace, name).unwrap()).clone();
        change(&mut object);
        self.client().update(object).unwrap();
    }

    pub fn delete<K: Kube>(&mut self, name: &str, propagation: Propagation) {
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        let namespace = if K::kind().namespaced { "default" } else { "" };
        self.client().delete::<K>(namespace, name, options).unwrap();
    }

    pub fn get<K: Kube>(&mut self, name: &str) -> Option<Arc<K>> {
        let namespace = if K::kind().namespaced { "default" } else { "" };
        self.client().get::<K>(namespace, name).ok()
    }

    pub fn list<K: Kube>(&mut self) -> Vec<Arc<K>> {
        let namespace = if K::kind().namespaced { "default" } else { "" };
        let list = self.client().list::<K>(namespace, ListOptions::default()).unwrap();
        list.items.iter().filter_map(Object::arc).collect()
    }

    /// Pods that are neither ended nor going.
    pub fn active_pods(&mut self) -> Vec<Arc<Pod>> {
        self.list::<Pod>().into_iter().filter(|pod| pods::is_active(pod)).collect()
    }

    /// `Reason: message` of the events about an object, oldest first.
    pub fn events(&mut self, name: &str) -> Vec<String> {
        let mut events = self.list::<Event>();
        events.sort_by_key(|event| {
            event.metadata.resource_version.as_ref().unwrap().parse::<u64>().unwrap()
        });
        let about = events.iter().filter(|e| e.involved_object.name.as_deref() == Some(name));
        about
            .map(|event| {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                format!("{}: {}", text(&event.reason), text(&event.message))
            })
            .collect()
    }

    /// Lets this many seconds pass.
    pub fn run(&mut self, secs: u64) {
        self.run_millis(secs * 1000);
    }

    /// Lets this many milliseconds pass.
    pub fn run_millis(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        for _ in 0..2_000_000 {
            if !self.api.take_ready().is_empty() {
                let at = self.now + self.lag;
                self.deliver_at = Some(self.deliver_at.map_or(at, |due| due.min(at)));
            }
            let work = self.processes.iter().filter_map(Process::next_due).min();
            let next = self.deliver_at.into_iter().chain(work).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                self.api.set_now(until);
                return;
            };
            self.now = self.now.max(next);
            self.api.set_now(self.now);
            if self.deliver_at.is_some_and(|due| due <= self.now) {
                self.deliver_at = None;
                for process in &mut self.processes {
                    process.deliver(&mut self.api);
                }
            }
            for process in &mut self.processes {
                process.work(&mut self.api, &mut ());
            }
        }
        panic!("the cluster does not come to rest");
    }
}

pub fn node_object(name: &str) -> Node {
    let ready = NodeCondition {
        type_: "Ready".to_owned(),
        status: "True".to_owned(),
        ..NodeCondition::default()
    };
    Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("kubernetes.io/hostname".to_owned(), name.to_owned())].into()),
            ..ObjectMeta::default()
        },
        status: Some(NodeStatus { conditions: Some(vec![ready]), ..NodeStatus::default() }),
        ..Node::default()
    }
}

/// Binds pods to n1 and n2 in turn, runs them, and ends them.
#[derive(Clone, Debug, Default)]
struct Nodes {
    bound: usize,
    addresses: u8,
}

impl Controller for Nodes {
    fn name(&self) -> &str {
        "nodes"
    }
    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Pod>(), Watch::all::<Node>()]
    }
    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        vec![event.object.key()]
    }
    fn initial(&self) -> Vec<Key> {
        vec![Key::new("", "heartbeat")]
    }
}

impl Reconcile for Nodes {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        if key.name == "heartbeat" {
            return heartbeat(context);
        }
        let Some(pod) = context.cache.get::<Pod>(key) else { return Ok(Action::await_change()) };
        let node = context.cache.get::<Node>(&Key::new("", pods::node_name(pod)));
        if node.is_some_and(is_silent) {
            return Ok(Action::await_change());
        }
        // Upstream's tests hold a pod back by this, too.
        let held = pod.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("hold"));
        if pods::is_terminating(pod) {
            let options = DeleteOptions { grace_period_seconds: Some(0), ..Default::default() };
            context.client.delete::<Pod>(&key.namespace, &key.name, options)?;
        } else if pods::node_name(pod).is_empty() {
            let names = ["n1", "n2"];
            let node = match node_affinity_name(pod) {
                Some(name) => name,
                None => names[self.bound % 2].to_owned(),
            };
            self.bound += 1;
            let binding = Binding {
                metadata: ObjectMeta {
                    name: Some(key.name.clone()),
                    namespace: Some(key.namespace.clone()),
                    ..ObjectMeta::default()
                },
                target: ObjectReference {
                    kind: Some("Node".to_owned()),
                    name: Some(node),
                    ..ObjectReference::default()
                },
            };
            let (namespace, name) = (&key.namespace, &key.name);
            let body = Body::Object(Object::new(binding));
            context.client.create_subresource(Pod::kind(), namespace, name, "binding", body)?;
        } else if !pods::is_ready(pod) && !pods::is_terminal(pod) && !held {
            self.addresses += 1;
            let ip = format!("10.244.1.{}", self.addresses);
            let mut running = pod.clone();
            running.status = Some(PodStatus {
                phase: Some("Running".to_owned()),
                pod_ip: Some(ip.clone()),
                pod_ips: Some(vec![PodIP { ip }]),
                conditions: Some(vec![PodCondition {
                    type_: "Ready".to_owned(),
                    status: "True".to_owned(),
                    last_transition_time: Some(meta_time(context.now)),
                    ..PodCondition::default()
                }]),
                ..PodStatus::default()
            });
            context.client.update_status(running)?;
        }
        Ok(Action::await_change())
    }
}

fn node_affinity_name(pod: &Pod) -> Option<String> {
    let affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let field = required.node_selector_terms.first()?.match_fields.as_ref()?.first()?;
    field.values.as_ref()?.first().cloned()
}

/// A node with this label tells nothing of itself any more.
fn is_silent(node: &Node) -> bool {
    node.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("silent"))
}

fn heartbeat(context: &mut Context<'_>) -> Result<Action, Error> {
    let cache = context.cache;
    for node in cache.list::<Node>("").filter(|node| !is_silent(node)) {
        let name = node.metadata.name.clone().unwrap();
        let mut lease = Lease {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some("kube-node-lease".to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                renew_time: Some(micro_time(context.now)),
                ..LeaseSpec::default()
            }),
        };
        if let Ok(held) = context.client.get::<Lease>("kube-node-lease", &name) {
            lease.metadata.resource_version = held.metadata.resource_version.clone();
            context.client.update(lease)?;
        } else {
            context.client.create(lease)?;
        }
    }
    Ok(Action::requeue_after(Duration::from_secs(10)))
}
