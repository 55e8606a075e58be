//! The program `metrics-server`.
//!
//! Upstream: `pkg/server/server.go`, `pkg/scraper/scraper.go`, `pkg/api`.

use super::decode::{self, Batch};
use super::storage::Storage;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::kinds::metrics::{NodeMetrics, PodMetrics};
use naru_api::request::ListOptions;
use naru_api::service::StreamId;
use naru_api::{ApiService, Kube, Object, Op, Request, Response, UserInfo, duration};
use naru_network::http::Response as HttpResponse;
use naru_shell::serve::HttpServer;
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(MetricsServer::default())
}

const AGENT: &str = "metrics-server";
/// How often kubelets are asked where the arguments do not say.
const RESOLUTION: Duration = Duration::from_secs(60);
/// Where it listens where the arguments do not say.
const PORT: u16 = 443;
/// Kubelets that do not answer in time are left out. Upstream: `--kubelet-request-timeout`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it looks whether a kubelet has answered.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Memory of the server, and what each object adds.
const MEMORY_BYTES: u64 = 15 << 20;
const MEMORY_BYTES_EACH: u64 = 2 << 10;

/// The metrics server.
#[derive(Clone, Debug, Default)]
struct MetricsServer {
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    server: HttpServer,
    resolution: Duration,
    next: Time,
    round: Option<Round>,
    storage: Storage,
}

/// Questions to kubelets that are under way.
#[derive(Clone, Debug)]
struct Round {
    streams: BTreeMap<String, StreamId>,
    answers: BTreeMap<String, Batch>,
    until: Time,
}

impl Program for MetricsServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => match Running::start(sys) {
                Ok(running) => running,
                Err(message) => {
                    let _ = sys.write(2, format!("panic: {message}\n").as_bytes());
                    return Step::Exit(1);
                }
            },
        };
        if sys.take_signal().is_some() {
            if let Some(net) = sys.net() {
                running.server.close(net);
            }
            return Step::Exit(0);
        }
        running.scrape(sys);
        running.answer_probes(sys);
        let until = running.round.as_ref().map_or(running.next, |_| sys.now() + LOOK_EVERY);
        self.running = Some(running);
        Step::Block { until: Some(until) }
    }
}

impl Running {
    fn start(sys: &mut dyn Sys) -> Result<Self, String> {
        let option = |name: &str| {
            let value = sys.args().iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        let resolution = option("--metric-resolution");
        let port = option("--secure-port");
        let resolution = match resolution {
            None => RESOLUTION,
            Some(text) => {
                let nanos = duration::parse(&text)?;
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
            }
        };
        if resolution < Duration::from_secs(10) {
            // Upstream's words.
            return Err(format!(
                "metric-resolution should be a time duration at least 10s, but value {} provided",
                duration::go(resolution)
            ));
        }
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(PORT);
        let mut server = HttpServer::default();
        let net = sys.net().ok_or(Errno::NetUnreachable);
        net.and_then(|net| server.listen(net, port)).map_err(|errno| {
            format!("failed to create listener: failed to listen on 0.0.0.0:{port}: {errno}")
        })?;
        sys.catch(Signal::Term);
        let next = sys.now();
        Ok(Running { server, resolution, next, round: None, storage: Storage::default() })
    }

    /// Asks every kubelet when it is time, and takes what they answer.
    fn scrape(&mut self, sys: &mut dyn Sys) {
        let now = sys.now();
        if self.round.is_none() && now >= self.next {
            self.next = now + self.resolution;
            let Some(api) = sys.api() else { return };
            self.round = Some(Round::start(api, now));
        }
        let Some(mut round) = self.round.take() else { return };
        let Some(api) = sys.api() else { return };
        if !round.take_answers(api, now) {
            self.round = Some(round);
            return;
        }
        self.storage.store(&round.answers);
        let told = tell(api, &self.storage);
        sys.use_memory(MEMORY_BYTES + MEMORY_BYTES_EACH * told);
        sys.burn(Duration::from_micros(2_000 + 50 * told));
    }

    fn answer_probes(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                let response = match incoming.request.path() {
                    "/livez" | "/healthz" => HttpResponse::new(200, "ok"),
                    "/readyz" if self.storage.is_ready() => HttpResponse::new(200, "ok"),
                    "/readyz" => HttpResponse::new(
                        500,
                        "[-]metric-storage-ready failed: reason withheld\nreadyz check failed\n",
                    ),
                    _ => HttpResponse::new(404, "404 page not found\n"),
                };
                self.server.respond(incoming, &response);
            }
            self.server.flush(net);
            if requests.is_empty() {
                return;
            }
        }
    }
}

impl Round {
    fn start(api: &mut dyn ApiService, now: Time) -> Self {
        let nodes = list::<Node>(api);
        let streams = nodes
            .iter()
            .filter_map(|node| {
                let name = node.name();
                let id = api.ask_kubelet(&user(), AGENT.into(), name, "/metrics/resource").ok()?;
                Some((name.to_owned(), id))
            })
            .collect();
        Round { streams, answers: BTreeMap::new(), until: now + TIMEOUT }
    }

    /// Takes the answers that have come; whether these are all that will.
    fn take_answers(&mut self, api: &mut dyn ApiService, now: Time) -> bool {
        let late = now >= self.until;
        let answers = &mut self.answers;
        self.streams.retain(|node, id| {
            let Some(stream) = api.stream(*id) else { return false };
            let ended = stream.result.is_some();
            if ended && stream.head.as_ref().is_some_and(|head| head.status == 200) {
                let body: Vec<u8> = stream.stdout.drain(..).collect();
                let text = String::from_utf8_lossy(&body);
                answers.insert(node.clone(), decode::batch(&text));
            }
            if ended || late {
                api.disconnect(*id);
            }
            !(ended || late)
        });
        self.streams.is_empty()
    }
}

/// Lets the API server know what is to be answered; how many objects that is.
fn tell(api: &mut dyn ApiService, storage: &Storage) -> u64 {
    let now = naru_api::time::meta_time(api.now());
    let meta = |object: &Object| ObjectMeta {
        name: Some(object.name().to_owned()),
        namespace: Some(object.namespace().to_owned()).filter(|namespace| !namespace.is_empty()),
        labels: object.meta().labels.clone(),
        creation_timestamp: Some(now.clone()),
        ..ObjectMeta::default()
    };
    let nodes = list::<Node>(api);
    let nodes: Vec<Object> =
        nodes.iter().filter_map(|node| storage.node(meta(node))).map(Object::new).collect();
    let pods = list::<Pod>(api);
    let pods: Vec<Object> =
        pods.iter().filter_map(|pod| storage.pod(meta(pod))).map(Object::new).collect();
    let count = nodes.len() + pods.len();
    // A refusal means that nobody has registered the server.
    let _ = api.tell(&user(), &NodeMetrics::kind(), nodes);
    let _ = api.tell(&user(), &PodMetrics::kind(), pods);
    count as u64
}

/// Everything of a kind; nothing if it cannot be read.
fn list<K: Kube>(api: &mut dyn ApiService) -> Vec<Object> {
    let op = Op::List(ListOptions::default());
    match api.handle(Request::new(user(), Arc::from(AGENT), K::kind(), op)) {
        Ok(Response::List(list)) => list.items,
        _ => Vec::new(),
    }
}

fn user() -> UserInfo {
    UserInfo::service_account("kube-system", "metrics-server")
}
