//! kube-scheduler as a user's own program: in a pod, with `--config`, for the pods that name its
//! profiles.
//!
//! Upstream: `cmd/kube-scheduler/app/server.go`. Without `--config` it is the container of a static
//! pod, whose work the cluster does (`controlplane.rs`).

mod config;

use crate::controlplane::SCHEDULER;
use config::Config;
use naru_api::{Credentials, UserInfo};
use naru_client::{LeaderElector, Process, Turned};
use naru_network::http::Response;
use naru_pki::tls::{Identity, ServerConfig};
use naru_pki::{Authority, PrivateKey, Validity};
use naru_scheduler::Scheduler;
use naru_shell::serve::{HttpServer, Secured, klog};
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::{Rng, Time};
use std::sync::Arc;
use std::time::Duration;

/// Where it answers probes (`--secure-port`).
const PORT: u16 = 10259;
/// The token of the pod's service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// How long the certificate lasts that it signs itself.
const CERTIFICATE_LASTS: Duration = Duration::from_secs(365 * 24 * 3600);
/// What Go's `net/http` tells a client that does not speak TLS.
const TOLD_IN_CLEAR: &str =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// Bytes that it holds.
const MEMORY: u64 = 20 << 20;
/// Pieces of work done before others have their turn.
const BATCH: usize = 64;

/// The program `kube-scheduler`.
pub fn program() -> Box<dyn Program> {
    Box::new(KubeScheduler::New)
}

#[derive(Clone, Debug)]
enum KubeScheduler {
    New,
    /// Of a static pod.
    Shown(Box<dyn Program>),
    Running(Box<Running>),
}

#[derive(Clone, Debug)]
struct Running {
    process: Process<Scheduler>,
    elector: Option<LeaderElector>,
    started: bool,
    server: HttpServer,
}

impl Program for KubeScheduler {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if matches!(self, KubeScheduler::New) {
            match begin(sys) {
                Ok(begun) => *self = begun,
                Err(why) => {
                    let why = naru_api::gofmt::quote(&why);
                    klog::line(sys, 'E', &format!("run.go:72] \"command failed\" err={why}"));
                    return Step::Exit(1);
                }
            }
        }
        match self {
            KubeScheduler::New => Step::Exit(1),
            KubeScheduler::Shown(program) => program.resume(sys),
            KubeScheduler::Running(running) => running.resume(sys).unwrap_or_else(Step::Exit),
        }
    }
}

fn begin(sys: &mut dyn Sys) -> Result<KubeScheduler, String> {
    let option = |sys: &dyn Sys, name: &str| {
        let found = sys.args().iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned)
    };
    let Some(path) = option(sys, "--config") else {
        let shown = naru_node::programs().load(SCHEDULER).ok_or("internal error")?;
        return Ok(KubeScheduler::Shown(shown));
    };
    let file = sys.fs().read(&path);
    let file = file.map_err(|_| format!("open {path}: no such file or directory"))?;
    let mut config = Config::read(&String::from_utf8_lossy(&file))?;
    if option(sys, "--leader-elect").as_deref() == Some("false") {
        config.lease = None;
    }
    sys.catch(Signal::Term);
    sys.use_memory(MEMORY);
    let user = account(sys)?;
    let rng = sys.rng().fork(SCHEDULER);
    let (host, now) = (sys.hostname().to_owned(), sys.now());
    let mut server = HttpServer::default();
    let secured = secured(&host, now, &rng)?;
    let net = sys.net().ok_or(Errno::NetUnreachable);
    net.and_then(|net| server.listen_tls(net, PORT, secured)).map_err(|errno| {
        format!("failed to create listener: failed to listen on 0.0.0.0:{PORT}: {errno}")
    })?;
    klog::line(sys, 'I', "server.go:166] \"Starting Kubernetes Scheduler\" version=\"v1.33.1\"");
    let mut process = Process::new(SCHEDULER, user.clone(), &rng);
    for name in &config.profiles {
        process = process.with(Scheduler::new(name, &host));
    }
    let events = config.profiles.first().map_or(Scheduler::DEFAULT_NAME, String::as_str);
    let elector = config.lease.map(|lease| LeaderElector::new(&lease, events, &host, user, &rng));
    Ok(KubeScheduler::Running(Box::new(Running { process, elector, started: false, server })))
}

/// As whom the pod's token lets it ask.
fn account(sys: &mut dyn Sys) -> Result<UserInfo, String> {
    let token = sys.fs().read(TOKEN);
    let token = token.map_err(|_| format!("open {TOKEN}: no such file or directory"))?;
    let bearer_token = String::from_utf8_lossy(&token).trim().to_owned();
    let credentials = Credentials { bearer_token, ..Credentials::default() };
    let api = sys.api().ok_or("no API server")?;
    api.authenticate(&credentials).map_err(|error| error.to_string())
}

/// A certificate that it signs itself, as upstream does without `--tls-cert-file`.
fn secured(host: &str, now: Time, rng: &Rng) -> Result<Secured, String> {
    let mut rng = rng.fork("secure-port");
    let key = PrivateKey::generate(&mut rng);
    let validity = Validity::starting(now, CERTIFICATE_LASTS);
    let signed = Authority::new(host, key, validity, &mut rng).map_err(|e| e.to_string())?;
    let (chain, key) = (vec![signed.certificate().clone()], signed.key().clone());
    let config = ServerConfig {
        identities: vec![Identity { chain, key }],
        protocols: vec!["http/1.1".to_owned()],
        asks_clients: Some(Vec::new()),
    };
    Ok(Secured { config: Arc::new(config), told_in_clear: TOLD_IN_CLEAR, rng })
}

impl Running {
    /// Goes on; `Err` is the exit code of the end.
    fn resume(&mut self, sys: &mut dyn Sys) -> Result<Step, i32> {
        self.answer_probes(sys);
        let ends = sys.take_signal().is_some();
        let now = sys.now();
        let Some(api) = sys.api() else { return Ok(Step::Block { until: None }) };
        if ends {
            self.process.stop(api);
            if let Some(elector) = &mut self.elector {
                elector.release(api);
            }
            return Err(0);
        }
        let turned = self.elector.as_mut().map(|elector| elector.advance(api));
        if turned == Some(Turned::Lost) {
            self.process.stop(api);
            return Err(1);
        }
        let election = self.elector.as_ref().map(LeaderElector::next_due);
        if self.elector.as_ref().is_some_and(|elector| !elector.leads()) {
            return Ok(Step::Block { until: election });
        }
        if !self.started {
            // Who may not watch ends, and is started again later.
            if self.process.start(api).is_err() {
                self.process.stop(api);
                return Err(1);
            }
            self.started = true;
        }
        self.process.deliver(api);
        for _ in 0..BATCH {
            let due = self.process.next_due();
            if due.is_none_or(|due| due > now) || !self.process.work(api, &mut ()) {
                let until = election.into_iter().chain(self.process.next_due()).min();
                return Ok(Step::Block { until });
            }
        }
        Ok(Step::Yield)
    }

    /// Upstream: `newHealthEndpointsAndMetricsHandler`.
    fn answer_probes(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                let response = match incoming.request.path() {
                    "/healthz" | "/livez" | "/readyz" => Response::new(200, "ok"),
                    _ => Response::new(404, "404 page not found\n"),
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
