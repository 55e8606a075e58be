//! `naru bench schedule`.

use super::figures::{Figures, time};
use super::pods;
use clap::Args;
use naru_api::k8s_openapi::api::core::v1::{Node, NodeCondition, NodeStatus, Pod, ServiceAccount};
use naru_api::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::{Body, ListOptions};
use naru_api::{ApiService, Kube, Object, Op, Request, Response, UserInfo};
use naru_apiserver::{ApiServer, AuthorizationMode};
use naru_client::Process;
use naru_scheduler::Scheduler;
use naru_sim::{Rng, Time};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How many pods a second the scheduler binds.
///
/// Upstream's scheduler_perf workload SchedulingBasic: an API server with RBAC and all admission
/// and a scheduler with its default plugins; nodes are only objects, of 4 CPUs and 32 GiB, and no
/// controller nor kubelet runs. A tenth as many pods are there before. Creating the pods, their
/// way into the scheduler's queue, the binding and the events are in it. What controllers would do
/// is done by hand first: the service account, and the taint of new nodes.
///
/// Upstream: `test/integration/scheduler_perf/misc/performance-config.yaml`.
#[derive(Args)]
pub struct Schedule {
    /// Nodes.
    #[arg(long, default_value_t = 5_000)]
    nodes: u32,
    /// Pods.
    #[arg(long, default_value_t = 10_000)]
    pods: u32,
}

/// How many pods the client makes before the scheduler has its turn.
const BATCH: u32 = 20;

/// What a pod asks for. Upstream: `test/integration/scheduler_perf/templates/pod-default.yaml`.
const REQUESTS: pods::Requests = ("100m", "500Mi");

impl Schedule {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut machine = Machine::new(seed)?;
        for number in 0..self.nodes {
            machine.add_node(number)?;
        }
        let before = self.pods / 10;
        machine.schedule(0, before)?;
        let (done, took) = time(|| machine.schedule(before, self.pods));
        done?;
        machine.check(before + self.pods)?;
        let mut figures = Figures::default();
        figures.add("nodes", f64::from(self.nodes));
        figures.add("pods", f64::from(self.pods));
        figures.add_rate("", self.pods, took);
        Ok(figures)
    }
}

/// An API server and a scheduler.
struct Machine {
    api: ApiServer,
    scheduler: Process<Scheduler>,
}

impl Machine {
    fn new(seed: u64) -> Result<Self, Box<dyn Error>> {
        let rng = Rng::new(seed);
        let mut api = ApiServer::new(rng.fork("kube-apiserver"));
        api.set_authorization_mode(AuthorizationMode::NodeRbac);
        api.install_bootstrap_policy()?;
        let user = UserInfo::new("system:kube-scheduler", &["system:authenticated"]);
        let scheduler = Scheduler::new(Scheduler::DEFAULT_NAME, "bench");
        let mut scheduler = Process::new("kube-scheduler", user, &rng).with(scheduler);
        scheduler.start(&mut api)?;
        api.handle(create_account())?;
        let mut machine = Machine { api, scheduler };
        machine.run()?;
        Ok(machine)
    }

    /// Makes a node, and takes the taint of new nodes from it.
    fn add_node(&mut self, number: u32) -> Result<(), Box<dyn Error>> {
        if let Response::Object(mut node) = self.api.handle(create_node(number))? {
            node.edit::<Node>().and_then(|node| node.spec.as_mut()).and_then(|s| s.taints.take());
            let name = node.name().to_owned();
            let op = Op::Update(Body::Object(node));
            let request = Request::new(pods::admin(), Arc::from("naru-bench"), Node::kind(), op);
            self.api.handle(Request { name, ..request })?;
        }
        self.run()
    }

    /// Makes pods and lets the scheduler bind them.
    fn schedule(&mut self, first: u32, count: u32) -> Result<(), Box<dyn Error>> {
        let mut made = 0;
        while made < count {
            let batch = (count - made).min(BATCH);
            for number in made..made + batch {
                self.api.handle(pods::create(first + number, REQUESTS))?;
            }
            made += batch;
            self.run()?;
        }
        Ok(())
    }

    /// Lets the scheduler do all that there is to do.
    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let tick = Duration::from_millis(1);
        let mut now = self.api.now();
        loop {
            if !self.api.take_ready().is_empty() {
                self.scheduler.deliver(&mut self.api);
            }
            let due = self.scheduler.next_due().map(|due| due.max(now));
            let Some(due) = due.filter(|due| *due < now + Duration::from_secs(1)) else { break };
            now = due;
            self.tick(now);
            self.scheduler.work(&mut self.api, &mut ());
        }
        self.tick(now + tick);
        Ok(())
    }

    fn tick(&mut self, now: Time) {
        self.api.set_now(now);
        self.api.tick();
    }

    /// Whether all pods have a node.
    fn check(&mut self, pods: u32) -> Result<(), Box<dyn Error>> {
        let options =
            ListOptions { field_selector: "spec.nodeName!=".to_owned(), ..ListOptions::default() };
        let request =
            Request::new(pods::admin(), Arc::from("naru-bench"), Pod::kind(), Op::List(options));
        let bound = match self.api.handle(request)? {
            Response::List(list) => list.items.len(),
            _ => 0,
        };
        match bound == pods as usize {
            true => Ok(()),
            false => Err(format!("{bound} of {pods} pods were bound").into()),
        }
    }
}

/// The request for the service account of the pods.
fn create_account() -> Request {
    let metadata = ObjectMeta {
        name: Some("default".to_owned()),
        namespace: Some("default".to_owned()),
        ..ObjectMeta::default()
    };
    let account = ServiceAccount { metadata, ..ServiceAccount::default() };
    let (kind, op) = (ServiceAccount::kind(), Op::Create(Body::Object(Object::new(account))));
    let request = Request::new(pods::admin(), Arc::from("naru-bench"), kind, op);
    Request { namespace: "default".to_owned(), ..request }
}

/// The request for the node of this number.
///
/// Upstream: `test/integration/scheduler_perf/templates/node-default.yaml`.
fn create_node(number: u32) -> Request {
    let amounts = [("cpu", "4"), ("memory", "32Gi"), ("pods", "110")];
    let amounts: std::collections::BTreeMap<_, _> =
        amounts.map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into();
    let ready = NodeCondition {
        type_: "Ready".to_owned(),
        status: "True".to_owned(),
        ..NodeCondition::default()
    };
    let node = Node {
        metadata: ObjectMeta {
            name: Some(format!("scheduler-perf-{number}")),
            ..ObjectMeta::default()
        },
        status: Some(NodeStatus {
            allocatable: Some(amounts.clone()),
            capacity: Some(amounts),
            conditions: Some(vec![ready]),
            phase: Some("Running".to_owned()),
            ..NodeStatus::default()
        }),
        ..Node::default()
    };
    let op = Op::Create(Body::Object(Object::new(node)));
    Request::new(pods::admin(), Arc::from("naru-bench"), Node::kind(), op)
}
