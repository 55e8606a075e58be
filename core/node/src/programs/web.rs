//! A web application as an image describes it: what it listens on, logs and answers.

use naru_network::http::{Request, Response};
use naru_shell::serve::{Exchange, HttpServer, Incoming, Outcome, clock};
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::Time;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Requests that wait for their time at once.
const WAITING_MAX: usize = 1_024;

/// How long another server may take that is asked.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Processor time of an answer that says nothing of it.
const CPU: Duration = Duration::from_micros(300);
/// Memory of an application that says nothing of it, in MiB.
const MEMORY_MIB: u64 = 12;

/// What the application does. In texts, `{{hostname}}` and its kin are filled in: see [`fill`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// The port.
    pub listen: u16,
    /// How long it takes to start, in milliseconds.
    pub start_millis: u64,
    /// Lines it writes to its output once it listens.
    pub log: Vec<String>,
    /// Lines it writes to its standard error once it listens.
    pub log_stderr: Vec<String>,
    /// A line for each request on its output; "" for none.
    pub request_log: String,
    /// A line for each request on its standard error; "" for none.
    pub request_log_stderr: String,
    /// The header `Server`; "" for none.
    pub server: String,
    /// What it answers; the first that fits counts.
    pub routes: Vec<Route>,
    /// The memory that it holds, in MiB.
    pub memory_mib: u64,
    /// When it begins to fail.
    pub fail_after: Option<FailAfter>,
    /// What it does on SIGTERM.
    pub term: OnTerm,
}

/// One answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// An exact path; `/a/*` for everything below `/a/`; `*` for everything.
    pub path: String,
    /// Methods; empty for all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// How long the answer takes, in milliseconds.
    #[serde(default)]
    pub latency_millis: u64,
    /// The processor time that the answer takes, in milliseconds.
    #[serde(default)]
    pub cpu_millis: u64,
    /// A file that the request's body is written to.
    #[serde(default)]
    pub write: Option<String>,
    /// A line on its output for requests to this route, beside that for every request.
    #[serde(default)]
    pub log: String,
    /// The exit code with which the application ends after the answer.
    #[serde(default)]
    pub exit: Option<i32>,
    /// After so many seconds the route is sick: it answers so.
    #[serde(default)]
    pub sick_after_secs: Option<u64>,
    /// The status then.
    #[serde(default)]
    pub sick_status: u16,
    /// The body then.
    #[serde(default)]
    pub sick_body: String,
    /// Another server that is asked first; its answer is `{{call}}`.
    #[serde(default)]
    pub call: Option<Call>,
    /// How much more memory the application holds after the answer, in MiB.
    #[serde(default)]
    pub grow_mib: u64,
}

/// A question to another server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Whom to ask: `http://numbers-api/rng`.
    pub url: String,
    /// The status where there is no answer, or none with status 200.
    pub failed_status: u16,
    /// The body then.
    pub failed_body: String,
}

/// From some request on, every answer is this one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailAfter {
    /// Requests answered well.
    pub requests: u64,
    /// The status then.
    pub status: u16,
    /// The body then.
    pub body: String,
}

/// What an application does on SIGTERM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTerm {
    /// Nothing: it is process 1 and has no handler, so the kernel drops the signal.
    #[default]
    Ignore,
    /// It ends with exit code 0.
    Exit,
}

fn ok() -> u16 {
    200
}

/// The running application.
#[derive(Clone, Debug)]
pub struct Web {
    config: WebConfig,
    state: State,
    server: HttpServer,
    requests: u64,
    /// What it has grown by, in MiB, and how it is to end.
    grown_mib: u64,
    exit: Option<i32>,
    waiting: VecDeque<(Time, Incoming, Response)>,
    calls: Vec<(Incoming, usize, Exchange)>,
    started: Time,
    date: clock::Date,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Starting(Time),
    Running,
}

impl Web {
    /// An application that has not been started.
    pub fn new(config: WebConfig) -> Self {
        let server = HttpServer::default();
        Web {
            config,
            state: State::New,
            server,
            requests: 0,
            grown_mib: 0,
            exit: None,
            waiting: VecDeque::new(),
            calls: Vec::new(),
            started: Time::ZERO,
            date: clock::Date::default(),
        }
    }

    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let net = sys.net().ok_or(Errno::NetUnreachable);
        if let Err(errno) = net.and_then(|net| self.server.listen(net, self.config.listen)) {
            let line = format!("listen tcp :{}: bind: {errno}\n", self.config.listen);
            let _ = sys.write(2, line.as_bytes());
            return Err(Step::Exit(1));
        }
        self.hold_memory(sys);
        for (fd, lines) in [(1, &self.config.log), (2, &self.config.log_stderr)] {
            for line in lines {
                let line = fill(line, sys, None) + "\n";
                let _ = sys.write(fd, line.as_bytes());
            }
        }
        Ok(())
    }

    fn hold_memory(&self, sys: &mut dyn Sys) {
        let own = match self.config.memory_mib {
            0 => MEMORY_MIB,
            mib => mib,
        };
        sys.use_memory(own.saturating_add(self.grown_mib).saturating_mul(1 << 20));
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                if self.begins_call(sys, incoming) {
                    continue;
                }
                let (response, latency) = self.answer(sys, incoming, None);
                if latency.is_zero() || self.waiting.len() >= WAITING_MAX {
                    self.server.respond(incoming, &response);
                } else {
                    self.waiting.push_back((sys.now() + latency, incoming.clone(), response));
                }
            }
            self.respond_due(now);
            let called = self.go_on_calls(sys);
            let Some(net) = sys.net() else { return };
            self.server.flush(net);
            if requests.is_empty() && !called {
                return;
            }
        }
    }

    /// Tells whether the request is for a route that asks another server first.
    fn begins_call(&mut self, sys: &mut dyn Sys, incoming: &Incoming) -> bool {
        let (path, method) = (incoming.request.path(), incoming.request.method.as_str());
        let at = self.config.routes.iter().position(|route| route.fits(method, path));
        let found = at.and_then(|at| Some((at, self.config.routes.get(at)?.call.as_ref()?)));
        let Some((at, call)) = found.filter(|_| self.calls.len() < WAITING_MAX) else {
            return false;
        };
        let url = fill(&call.url, sys, None);
        let rest = url.strip_prefix("http://").unwrap_or(&url);
        let (target, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut request = Request::new("GET", &format!("/{path}"));
        request.headers.set("Host", target);
        request.headers.set("Connection", "close");
        let exchange = Exchange::with(sys, &url, target, &request, CALL_TIMEOUT);
        self.calls.push((incoming.clone(), at, exchange));
        true
    }

    /// Goes on with what others are asked; tells whether anything was answered.
    fn go_on_calls(&mut self, sys: &mut dyn Sys) -> bool {
        let mut any = false;
        for (incoming, at, mut exchange) in std::mem::take(&mut self.calls) {
            let Some(outcome) = exchange.go_on(sys) else {
                self.calls.push((incoming, at, exchange));
                continue;
            };
            any = true;
            let said = match outcome {
                Outcome::Answer(answer) if answer.status == 200 => {
                    Ok(String::from_utf8_lossy(&answer.body).into_owned())
                }
                _ => Err(()),
            };
            let (response, _) = self.answer(sys, &incoming, Some(said));
            self.server.respond(&incoming, &response);
        }
        any
    }

    fn respond_due(&mut self, now: Time) {
        let (due, later) = self.waiting.drain(..).partition(|(at, ..)| *at <= now);
        self.waiting = later;
        let due: VecDeque<_> = due;
        for (_, incoming, response) in &due {
            self.server.respond(incoming, response);
        }
    }

    /// Whether nothing stays of an answer: neither in a file, nor in the number of requests, nor in
    /// the application's size, and it does not take its time, nor ask others, nor fall sick.
    fn answers_alike(&self, route: Option<&Route>) -> bool {
        let plain = |route: &Route| {
            route.write.is_none()
                && route.exit.is_none()
                && route.call.is_none()
                && route.sick_after_secs.is_none()
                && (route.grow_mib, route.cpu_millis, route.latency_millis) == (0, 0, 0)
        };
        self.config.fail_after.is_none() && route.is_none_or(plain)
    }

    fn answer(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        called: Option<Result<String, ()>>,
    ) -> (Response, Duration) {
        self.requests = self.requests.saturating_add(1);
        let (path, method) = (incoming.request.path(), incoming.request.method.as_str());
        let route = self.config.routes.iter().find(|route| route.fits(method, path));
        let failing = self.config.fail_after.as_ref().filter(|f| self.requests > f.requests);
        let (status, body) = match (failing, route) {
            (Some(failing), _) => (failing.status, failing.body.as_str()),
            (None, Some(route)) => match (&called, &route.call) {
                (Some(Err(())), Some(call)) => (call.failed_status, call.failed_body.as_str()),
                _ if route.is_sick(sys.now(), self.started) => {
                    (route.sick_status, route.sick_body.as_str())
                }
                _ => (route.status, route.body.as_str()),
            },
            (None, None) => (404, ""),
        };
        let up = sys.now().since(self.started).as_secs_f64();
        let mut body = Cow::Borrowed(body);
        if body.contains("{{uptime}}") {
            body = body.replace("{{uptime}}", &format!("{up:.9}")).into();
        }
        if body.contains("{{call}}") {
            let said = called.as_ref().and_then(|it| it.as_deref().ok()).unwrap_or_default();
            body = body.replace("{{call}}", said).into();
        }
        let body = &*body;
        let mut seen = Seen { incoming, status, bytes: 0 };
        if let Some(path) = route.and_then(|route| route.write.as_ref()) {
            write_file(sys, path, &incoming.request.body);
        }
        let body = fill(body, sys, Some(&seen));
        seen.bytes = body.len();
        if let Some(line) = route.map(|route| &route.log).filter(|line| !line.is_empty()) {
            let line = fill(line, sys, Some(&seen)) + "\n";
            let _ = sys.write(1, line.as_bytes());
        }
        for (fd, line) in [(1, &self.config.request_log), (2, &self.config.request_log_stderr)] {
            if !line.is_empty() {
                let line = fill(line, sys, Some(&seen)) + "\n";
                let _ = sys.write(fd, line.as_bytes());
            }
        }
        let mut response = Response::new(status, body);
        if !self.config.server.is_empty() {
            response.headers.set("Server", self.config.server.as_str());
        }
        response.headers.set("Date", self.date.at(sys.now()));
        for (name, value) in route.iter().flat_map(|route| &route.headers) {
            response.headers.set(name, fill(value, sys, Some(&seen)));
        }
        if self.answers_alike(route) {
            sys.answers_alike();
        }
        let (grows, exit) = route.map_or((0, None), |route| (route.grow_mib, route.exit));
        self.exit = self.exit.or(exit);
        let cpu = route.map_or(0, |route| route.cpu_millis);
        let burnt = sys.burn(if cpu == 0 { CPU } else { Duration::from_millis(cpu) });
        let latency = Duration::from_millis(route.map_or(0, |route| route.latency_millis));
        if grows > 0 {
            self.grown_mib = self.grown_mib.saturating_add(grows);
            self.hold_memory(sys);
        }
        (response, if cpu == 0 { latency } else { latency.max(burnt) })
    }
}

impl Program for Web {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.state == State::New {
            if self.config.term == OnTerm::Exit {
                sys.catch(Signal::Term);
            }
            self.state =
                State::Starting(sys.now() + Duration::from_millis(self.config.start_millis));
        }
        if sys.take_signal().is_some() {
            if let Some(net) = sys.net() {
                self.server.close(net);
            }
            return Step::Exit(0);
        }
        if let State::Starting(at) = self.state {
            if sys.now() < at {
                return Step::Block { until: Some(at) };
            }
            if let Err(step) = self.start(sys) {
                return step;
            }
            self.state = State::Running;
            self.started = sys.now();
        }
        self.serve(sys);
        if let Some(code) = self.exit {
            return Step::Exit(code);
        }
        let waiting = self.waiting.iter().map(|(at, ..)| *at);
        let calls = self.calls.iter().map(|(.., exchange)| exchange.next_due());
        Step::Block { until: waiting.chain(calls).min() }
    }
}

impl Route {
    fn is_sick(&self, now: Time, started: Time) -> bool {
        self.sick_after_secs.is_some_and(|after| now.since(started) > Duration::from_secs(after))
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        let path_fits = match self.path.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == self.path,
        };
        path_fits && (self.methods.is_empty() || self.methods.iter().any(|m| m == method))
    }
}

/// Makes `bytes` the contents of a file, and the directories above it; what cannot be written is
/// told on standard error.
fn write_file(sys: &mut dyn Sys, path: &str, bytes: &[u8]) {
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let fs = sys.fs();
    let written = fs.mkdir_all(folder).and_then(|()| fs.write(path, bytes));
    if let Err(errno) = written {
        let _ = sys.write(2, format!("{path}: {errno}\n").as_bytes());
    }
}

/// A request that is being answered.
struct Seen<'a> {
    incoming: &'a Incoming,
    status: u16,
    bytes: usize,
}

/// Fills in `{{name}}`: `hostname`, `ip`, `time_iso`, `time_go`, `time_klog`, `time_common`, `time_flask`, `env.NAME`,
/// `random` (below 100), `file.PATH|what to say without it`; and of a request `query.NAME`, `peer`, `method`, `path`, `query`, `client`, `client6` (as a dual-stack socket says it),
/// `status`, `bytes` of the answer's body, `body`. An unknown name stays as it is.
fn fill(text: &str, sys: &mut dyn Sys, seen: Option<&Seen<'_>>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match value(name, sys, seen) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("{{{{{name}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, sys: &mut dyn Sys, seen: Option<&Seen<'_>>) -> Option<String> {
    if let Some(name) = name.strip_prefix("env.") {
        return Some(sys.env().get(name).cloned().unwrap_or_default());
    }
    if let Some(name) = name.strip_prefix("query.") {
        let query = seen?.incoming.request.query().to_owned();
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let found = pairs.find(|(key, _)| *key == name).map(|(_, value)| value.replace('+', " "));
        return Some(found.unwrap_or_default());
    }
    if let Some(name) = name.strip_prefix("file.") {
        let (path, otherwise) = name.split_once('|').unwrap_or((name, ""));
        return Some(sys.fs().read_text(path).unwrap_or_else(|_| otherwise.to_owned()));
    }
    if let Some(otherwise) = name.strip_prefix("body|") {
        let body = String::from_utf8_lossy(&seen?.incoming.request.body);
        return Some(if body.is_empty() { otherwise.to_owned() } else { escaped(&body) });
    }
    let now = sys.now();
    Some(match name {
        "hostname" => sys.hostname().to_owned(),
        "ip" => own_address(sys),
        "time_iso" => clock::format(now, clock::ISO_MILLIS),
        "time_go" => clock::format(now, clock::GO_LOG),
        "time_klog" => clock::format(now, clock::KLOG),
        "time_common" => clock::format(now, clock::COMMON_LOG),
        "time_flask" => clock::format(now, clock::WERKZEUG),
        "method" => seen?.incoming.request.method.clone(),
        "path" => seen?.incoming.request.path().to_owned(),
        "query" => seen?.incoming.request.query().to_owned(),
        "target" => escaped(&seen?.incoming.request.target),
        "host" => {
            let host = seen?.incoming.request.headers.get("Host").unwrap_or_default();
            host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned()
        }
        "headers" => headers(&seen?.incoming.request),
        "random" => sys.rng().below(100).to_string(),
        "peer" => seen?.incoming.peer.to_string(),
        "client" => seen?.incoming.peer.ip().to_string(),
        "client6" => format!("::ffff:{}", seen?.incoming.peer.ip()),
        "status" => seen?.status.to_string(),
        "bytes" => seen?.bytes.to_string(),
        "body" => String::from_utf8_lossy(&seen?.incoming.request.body).into_owned(),
        _ => return None,
    })
}

/// The headers of a request, a line each, in order.
fn headers(request: &Request) -> String {
    let mut lines: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("\t{}={}  \n", name.to_lowercase(), escaped(value)))
        .collect();
    lines.sort();
    lines.concat()
}

/// As it stands in a page of HTML.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// The address beside the machine's own name in `/etc/hosts`.
pub(super) fn own_address(sys: &mut dyn Sys) -> String {
    let name = sys.hostname().to_owned();
    let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
    let mut lines = hosts.lines().map(|line| line.split_whitespace());
    let address = lines.find_map(|mut words| {
        let address = words.next()?;
        words.any(|word| word == name).then(|| address.to_owned())
    });
    address.unwrap_or_else(|| "127.0.0.1".to_owned())
}
