//! The scheduler with a real API server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use k8s_openapi::api::core::v1::{Event, Node, Pod};
use naru_api::request::{Body, DeleteOptions, ListOptions, Patch};
use naru_api::{ApiService, Key, Kube, Object, Op, UserInfo, pods, scheme};
use naru_apiserver::ApiServer;
use naru_client::{Client, Process};
use naru_scheduler::Scheduler;
use naru_sim::{CauseId, Rng, Time};
use serde::Deserialize as _;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

struct Cluster {
    api: ApiServer,
    scheduler: Process<Scheduler>,
    user: UserInfo,
    agent: Arc<str>,
    now: Time,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let rng = Rng::new(seed);
        let user = UserInfo::new("kubernetes-admin", &["system:masters"]);
        let scheduler = Scheduler::new(Scheduler::DEFAULT_NAME, "control-plane");
        let mut cluster = Cluster {
            scheduler: Process::new("kube-scheduler", user.clone(), &rng).with(scheduler),
            api: ApiServer::new(rng),
            user,
            agent: "test".into(),
            now: Time::ZERO,
        };
        cluster.scheduler.start(&mut cluster.api).unwrap();
        cluster
    }

    fn with_nodes(seed: u64) -> Self {
        let mut cluster = Cluster::new(seed);
        cluster.apply(&node("control-plane", CONTROL_PLANE));
        cluster.apply(&node("worker", ""));
        cluster.apply(&node("worker2", ""));
        cluster
    }

    fn client(&mut self) -> Client<'_> {
        Client::new(&mut self.api, &self.user, &self.agent, CauseId::ROOT)
    }

    fn apply(&mut self, yaml: &str) {
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let json = serde_json::Value::deserialize(document).unwrap();
            let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
            let name = json["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let kinds = scheme::built_in();
            let kind = scheme::by_kind(&kinds, &text("apiVersion"), &text("kind")).unwrap();
            let namespace = if kind.namespaced { "default" } else { "" };
            let taints = json["spec"]["taints"].clone();
            let op = Op::Create(Body::Json(json));
            self.client().send(kind.clone(), namespace, "", "", op).unwrap();
            if kind == Node::kind() {
                // As the node lifecycle controller does when the node is ready.
                let ready = Op::Patch(Patch::Merge(json!({"spec": {"taints": taints}})));
                self.client().send(kind, namespace, &name, "", ready).unwrap();
            }
        }
    }

    fn run(&mut self, secs: u64) {
        let until = self.now + Duration::from_secs(secs);
        for _ in 0..100_000 {
            self.scheduler.deliver(&mut self.api);
            if self.scheduler.work(&mut self.api, &mut ()) {
                continue;
            }
            let next = self.scheduler.next_due().filter(|next| *next <= until);
            self.now = next.map_or(until, |next| next.max(self.now));
            self.api.set_now(self.now);
            if next.is_none() {
                return;
            }
        }
        panic!("the scheduler does not come to rest");
    }

    fn pod(&mut self, name: &str) -> Arc<Pod> {
        self.client().get::<Pod>("default", name).unwrap()
    }

    fn node_of(&mut self, name: &str) -> String {
        pods::node_name(&self.pod(name)).to_owned()
    }

    fn delete<K: Kube>(&mut self, namespace: &str, name: &str) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.client().delete::<K>(namespace, name, options).unwrap();
    }

    fn events(&mut self, name: &str) -> Vec<String> {
        let list = self.client().list::<Event>("default", ListOptions::default()).unwrap();
        let events: Vec<Arc<Event>> = list.items.iter().filter_map(Object::arc).collect();
        let about = events.iter().filter(|e| e.involved_object.name.as_deref() == Some(name));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        about.map(|e| format!("{}: {}", text(&e.reason), text(&e.message))).collect()
    }
}

const CONTROL_PLANE: &str = "spec: {taints: [{key: node-role.kubernetes.io/control-plane, \
                             effect: NoSchedule}]}";

fn node(name: &str, spec: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}}}}}
{spec}
status:
  allocatable: {{cpu: '4', memory: 8Gi, pods: '110'}}
  conditions: [{{type: Ready, status: 'True'}}]
"
    )
}

fn pod(name: &str, cpu: &str, spec: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: web}}}}
spec:
  containers: [{{name: main, image: nginx, resources: {{requests: {{cpu: '{cpu}'}}}}}}]
  {spec}
"
    )
}

#[test]
fn binds_and_tells() {
    let mut cluster = Cluster::with_nodes(1);
    cluster.apply(&pod("app", "1", ""));
    cluster.run(1);
    let node = cluster.node_of("app");
    assert!(node.starts_with("worker"), "{node}");
    let text = format!("Scheduled: Successfully assigned default/app to {node}");
    assert_eq!(cluster.events("app"), [text]);
    assert_eq!(pods::condition(&cluster.pod("app"), "PodScheduled").unwrap().status, "True");

    let list = cluster.client().list::<Event>("default", ListOptions::default()).unwrap();
    let event: &Event = list.items[0].get().unwrap();
    assert_eq!(event.action.as_deref(), Some("Binding"));
    assert_eq!(event.reporting_component.as_deref(), Some("default-scheduler"));
    assert!(event.event_time.is_some());
}

#[test]
fn keeps_each_decision() {
    let mut cluster = Cluster::with_nodes(1);
    cluster.apply(&pod("app", "1", ""));
    cluster.run(1);
    let scheduler = cluster.scheduler.controller().unwrap();
    let decision = scheduler.decisions().about(&Key::new("default", "app")).unwrap();
    assert_eq!(decision.filtered.len(), 1);
    assert_eq!(decision.filtered[0].1, "TaintToleration");
    let scores = decision.scores.nodes();
    assert_eq!(scores.len(), 2);
    let sum: i64 = scores[0].plugins.iter().map(|(_, points)| points).sum();
    assert_eq!(sum, scores[0].total);
    let chain: Vec<&str> = {
        let cause = decision.cause;
        cluster.api.causes().chain(cause).map(|cause| cause.verb).collect()
    };
    assert_eq!(chain, ["schedule", "create"]);
}

#[test]
fn pods_spread_over_equal_nodes() {
    let mut cluster = Cluster::with_nodes(1);
    for index in 0..8 {
        cluster.apply(&pod(&format!("app{index}"), "500m", ""));
        cluster.run(1);
    }
    let on_worker =
        (0..8).filter(|index| cluster.node_of(&format!("app{index}")) == "worker").count();
    assert_eq!(on_worker, 4);
}

#[test]
fn an_unschedulable_pod_is_told_why_and_tried_again() {
    let mut cluster = Cluster::with_nodes(1);
    cluster.apply(&pod("big", "5", ""));
    cluster.run(60);
    let text = "0/3 nodes are available: 1 node(s) had untolerated taint \
                {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. preemption: 0/3 \
                nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption \
                victims found for incoming pod.";
    assert_eq!(cluster.events("big"), [format!("FailedScheduling: {text}")]);
    let pod = cluster.pod("big");
    let condition = pods::condition(&pod, "PodScheduled").unwrap();
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    assert_eq!(condition.message.as_deref(), Some(text));
    assert_eq!(cluster.scheduler.controller().unwrap().queue_lengths(), (0, 0, 1));

    cluster.apply(&node("large", "").replace("cpu: '4'", "cpu: '8'"));
    cluster.run(1);
    assert_eq!(cluster.node_of("big"), "large");
}

#[test]
fn without_nodes_a_pod_waits_for_one() {
    let mut cluster = Cluster::new(1);
    cluster.apply(&pod("app", "1", ""));
    cluster.run(5);
    // No plugin has turned it down, so that it is tried after its pauses: at once, after 1, 3 and 7
    // seconds. The second event is another, since the pod has got a condition by the first.
    let text = "FailedScheduling: no nodes available to schedule pods";
    assert_eq!(cluster.events("app"), [text, text]);
    cluster.apply(&node("worker", ""));
    cluster.run(1);
    assert_eq!(cluster.node_of("app"), "");
    cluster.run(2);
    assert_eq!(cluster.node_of("app"), "worker");
}

#[test]
fn room_that_a_deleted_pod_leaves_is_used() {
    let mut cluster = Cluster::with_nodes(1);
    for name in ["a", "b", "c"] {
        cluster.apply(&pod(name, "3", ""));
        cluster.run(5);
    }
    assert_eq!(cluster.node_of("c"), "");
    let freed = cluster.node_of("a");
    cluster.delete::<Pod>("default", "a");
    cluster.run(5);
    assert_eq!(cluster.node_of("c"), freed);
}

#[test]
fn a_gated_pod_waits_for_its_gates() {
    let mut cluster = Cluster::with_nodes(1);
    cluster.apply(&pod("app", "1", "schedulingGates: [{name: example.com/wait}]"));
    cluster.run(600);
    assert_eq!(cluster.node_of("app"), "");
    assert!(cluster.events("app").is_empty());
    let mut freed = (*cluster.pod("app")).clone();
    freed.spec.as_mut().unwrap().scheduling_gates = None;
    cluster.client().update(freed).unwrap();
    cluster.run(1);
    assert!(!cluster.node_of("app").is_empty());
}

#[test]
fn other_schedulers_pods_are_left_alone() {
    let mut cluster = Cluster::with_nodes(1);
    cluster.apply(&pod("app", "1", "schedulerName: other"));
    cluster.run(10);
    assert_eq!(cluster.node_of("app"), "");
}

#[test]
fn selectors_affinity_and_names_lead_to_their_nodes() {
    let mut cluster = Cluster::with_nodes(1);
    let anti = "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: \
                [{labelSelector: {matchLabels: {app: web}}, topologyKey: kubernetes.io/hostname}]}}";
    cluster.apply(&pod("selected", "1", "nodeSelector: {kubernetes.io/hostname: worker2}"));
    cluster.run(1);
    assert_eq!(cluster.node_of("selected"), "worker2");
    cluster.apply(&pod("far", "1", anti));
    cluster.run(1);
    assert_eq!(cluster.node_of("far"), "worker");
    cluster.apply(&pod("nowhere", "1", anti));
    cluster.run(1);
    let text = "FailedScheduling: 0/3 nodes are available: 1 node(s) had untolerated taint \
                {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match pod \
                anti-affinity rules. preemption: 0/3 nodes are available: 1 Preemption is not \
                helpful for scheduling, 2 No preemption victims found for incoming pod.";
    assert_eq!(cluster.events("nowhere"), [text]);
}

#[test]
fn a_spread_pod_keeps_the_skew() {
    let mut cluster = Cluster::with_nodes(1);
    let spread = "topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, \
                  whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}, \
                  nodeTaintsPolicy: Honor}]";
    for index in 0..4 {
        cluster.apply(&pod(&format!("app{index}"), "100m", spread));
        cluster.run(1);
    }
    let on_worker =
        (0..4).filter(|index| cluster.node_of(&format!("app{index}")) == "worker").count();
    assert_eq!(on_worker, 2);
}

#[test]
fn an_important_pod_takes_the_place_of_others() {
    let mut cluster = Cluster::with_nodes(1);
    for name in ["a", "b"] {
        cluster.apply(&pod(name, "3", ""));
        cluster.run(1);
    }
    cluster.apply(&pod("urgent", "3", "priorityClassName: system-cluster-critical"));
    cluster.run(1);
    let nominated = cluster.pod("urgent").status.as_ref().unwrap().nominated_node_name.clone();
    let nominated = nominated.unwrap();
    let victim = if cluster.node_of("a") == nominated { "a" } else { "b" };
    assert!(pods::is_terminating(&cluster.pod(victim)));
    let uid = cluster.pod("urgent").metadata.uid.clone().unwrap();
    let text = format!("Preempted: Preempted by pod {uid} on node {nominated}");
    assert!(cluster.events(victim).contains(&text));
    cluster.delete::<Pod>("default", victim);
    cluster.run(1);
    assert_eq!(cluster.node_of("urgent"), nominated);
}

#[test]
fn the_same_seed_decides_alike() {
    let decide = |seed| {
        let mut cluster = Cluster::with_nodes(seed);
        (0..20)
            .map(|index| {
                let name = format!("app{index}");
                cluster.apply(&pod(&name, "0", ""));
                cluster.run(1);
                cluster.node_of(&name)
            })
            .collect::<Vec<String>>()
    };
    assert_eq!(decide(7), decide(7));
    assert_ne!(decide(7), decide(8));
}

#[test]
fn a_node_that_goes_and_comes_takes_pods_again() {
    let mut cluster = Cluster::new(1);
    cluster.apply(&node("worker", ""));
    cluster.run(1);
    cluster.delete::<Node>("", "worker");
    cluster.apply(&pod("app", "1", ""));
    cluster.run(1);
    assert_eq!(cluster.node_of("app"), "");
    cluster.apply(&node("worker", ""));
    cluster.run(3);
    assert_eq!(cluster.node_of("app"), "worker");
}
