//! One probe on its way: an HTTP request, a connection, or a command.
//!
//! Upstream: `pkg/probe/{http,tcp,exec}`.

use super::grpc::GrpcCheck;
use crate::kubelet::pod_workers::NodeWorld;
use crate::runtime::{ContainerId, ExecIo, NamespaceStack};
use k8s_openapi::api::core::v1::{
    Container, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::said::Output;
use naru_api::{duration, gofmt};
use naru_network::Call;
use naru_network::http::{Request, Response, ResponseReader};
use naru_shell::serve::Stream;
use naru_shell::{Errno, NetStack, Pid, SocketId, Url};
use naru_sim::{CauseId, Time};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bytes of a command's output and of an answer's body that are kept. Upstream: `maxReadLength`,
/// `maxRespBodyLength`.
const OUTPUT_MAX: usize = 10 * 1024;
/// How many requests one probe may come to by redirects.
const REQUESTS_MAX: usize = 10;
/// Bytes read from a socket at once.
const READ_MAX: usize = 16 * 1024;

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Good,
    /// It counts as good, but for this.
    Warned(String),
    /// It failed, for this reason.
    Bad(String),
    /// It could not be made.
    Unknown(String),
}

/// A probe on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    deadline: Time,
    timeout: Duration,
    purpose: Purpose,
    kind: Kind,
}

/// What something is done for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Probe,
    /// For it an answer is enough, whatever it says.
    Hook,
}

#[derive(Clone, Debug)]
enum Kind {
    Http(Box<HttpGet>),
    Tcp { socket: SocketId, to: SocketAddr },
    Exec(Box<Command>),
    Grpc(Box<GrpcCheck>),
    Sleep,
    Decided(Verdict),
}

/// A command in a container.
#[derive(Clone, Debug)]
struct Command {
    container: ContainerId,
    pid: Pid,
    io: ExecIo,
    text: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// An HTTP request on its way.
#[derive(Clone, Debug)]
struct HttpGet {
    connection: Stream,
    connected: bool,
    to: SocketAddr,
    url: Url,
    request: Request,
    /// The request included.
    requests: usize,
    out: Vec<u8>,
    reader: ResponseReader,
}

impl Flight {
    /// Sends a probe.
    pub fn begin(
        probe: &Probe,
        container: &Container,
        run: ContainerId,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Flight {
        let seconds = probe.timeout_seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(1);
        let timeout = Duration::from_secs(seconds.max(1));
        Self::send(probe, container, run, (timeout, Purpose::Probe), world, now)
    }

    /// A probe that need not be sent.
    pub fn decided(verdict: Verdict) -> Flight {
        let (purpose, kind) = (Purpose::Probe, Kind::Decided(verdict));
        Flight { deadline: Time::ZERO, timeout: Duration::ZERO, purpose, kind }
    }

    /// Runs a hook of a container's life, which is done by the same means.
    pub fn of_hook(
        hook: &LifecycleHandler,
        container: &Container,
        run: ContainerId,
        time_max: Duration,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Flight {
        if let Some(sleep) = &hook.sleep {
            let timeout = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
            let purpose = Purpose::Hook;
            return Flight { deadline: now + timeout, timeout, purpose, kind: Kind::Sleep };
        }
        let probe =
            Probe { exec: hook.exec.clone(), http_get: hook.http_get.clone(), ..Probe::default() };
        let mut flight = Self::send(&probe, container, run, (time_max, Purpose::Hook), world, now);
        if let Some(tcp) = &hook.tcp_socket {
            let why = format!("invalid handler: {}", handler_text(tcp));
            flight.kind = Kind::Decided(Verdict::Bad(why));
        }
        flight
    }

    fn send(
        probe: &Probe,
        container: &Container,
        run: ContainerId,
        (timeout, purpose): (Duration, Purpose),
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Flight {
        let kind = if let Some(exec) = &probe.exec {
            command(exec.command.clone().unwrap_or_default(), run, world, now)
        } else if let Some(get) = &probe.http_get {
            http(get, purpose, container, run, world, now)
        } else if let Some(tcp) = &probe.tcp_socket {
            let host_name = tcp.host.clone().unwrap_or_default();
            address(&host_name, &tcp.port, container, run, world).and_then(|to| {
                match stack(world, now).tcp_connect(to) {
                    Ok(socket) => Ok(Kind::Tcp { socket, to }),
                    Err(errno) => Err(Verdict::Bad(dial_error(to, errno))),
                }
            })
        } else if let Some(grpc) = &probe.grpc {
            let service = grpc.service.as_deref().unwrap_or_default();
            address("", &IntOrString::Int(grpc.port), container, run, world).map(|to| {
                Kind::Grpc(Box::new(GrpcCheck::begin(&mut stack(world, now), to, service)))
            })
        } else {
            Err(Verdict::Unknown("missing probe handler".to_owned()))
        };
        let kind = kind.unwrap_or_else(Kind::Decided);
        Flight { deadline: now + timeout, timeout, purpose, kind }
    }

    /// Whether a probe is one that can go the same way each time without being sent: over HTTP in
    /// clear, to the pod itself.
    pub fn may_be_alike(probe: &Probe) -> bool {
        let to_pod = |get: &HTTPGetAction| {
            let host = get.host.as_deref().unwrap_or_default();
            let scheme = get.scheme.as_deref().unwrap_or("HTTP");
            host.is_empty() && scheme.eq_ignore_ascii_case("HTTP")
        };
        probe.exec.is_none() && probe.http_get.as_ref().is_some_and(to_pod)
    }

    /// When it is given up.
    pub fn deadline(&self) -> Time {
        match self.kind {
            Kind::Decided(_) => Time::ZERO,
            _ => self.deadline,
        }
    }

    /// Goes on as far as it can; the verdict when there is one.
    pub fn go_on(&mut self, world: &mut NodeWorld<'_>, now: Time) -> Option<Verdict> {
        let late = now >= self.deadline;
        let (timeout, purpose) = (self.timeout, self.purpose);
        match &mut self.kind {
            Kind::Decided(verdict) => Some(verdict.clone()),
            Kind::Sleep => late.then_some(Verdict::Good),
            Kind::Grpc(check) => check.go_on(&mut stack(world, now), late, timeout),
            Kind::Tcp { socket, to } => {
                let mut net = stack(world, now);
                let verdict = match net.connected(*socket) {
                    Ok(()) => Verdict::Good,
                    Err(Errno::Again) if !late => return None,
                    Err(Errno::Again) => Verdict::Bad(format!("dial tcp {to}: i/o timeout")),
                    Err(errno) => Verdict::Bad(dial_error(*to, errno)),
                };
                net.close(*socket);
                Some(verdict)
            }
            Kind::Http(get) => get.go_on(purpose, late, world, now),
            Kind::Exec(command) => command.go_on(purpose, late.then_some(timeout), world, now),
        }
    }
}

impl Command {
    fn go_on(
        &mut self,
        purpose: Purpose,
        late: Option<Duration>,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Option<Verdict> {
        let Some(found) = world.runtime.container_mut(self.container) else {
            return Some(Verdict::Unknown("container not found".to_owned()));
        };
        for (output, bytes) in found.take_output(self.io) {
            let room = OUTPUT_MAX.saturating_sub(self.stdout.len() + self.stderr.len());
            let kept = match output {
                Output::Stdout => &mut self.stdout,
                Output::Stderr => &mut self.stderr,
            };
            kept.extend(bytes.into_iter().take(room));
        }
        let verdict = match (found.take_exit(self.pid), late) {
            (Some(0), _) => Verdict::Good,
            (Some(code), _) => Verdict::Bad(self.failure(purpose, code)),
            (None, None) => return None,
            (None, Some(timeout)) => {
                found.kill(self.pid);
                let (text, after) = (&self.text, duration::go(timeout));
                Verdict::Bad(format!("command timed out: \"{text}\" timed out after {after}"))
            }
        };
        found.hang_up(self.io);
        world.runtime.schedule(self.container, now);
        Some(verdict)
    }

    /// A probe's command speaks for itself; of a hook's is said what it ended with.
    fn failure(&self, purpose: Purpose, code: i32) -> String {
        let output = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        let output = String::from_utf8_lossy(&output).into_owned();
        match purpose {
            Purpose::Probe => output,
            Purpose::Hook => {
                let (text, stderr) = (&self.text, String::from_utf8_lossy(&self.stderr));
                let output = gofmt::quote(&output);
                format!("command '{text}' exited with {code}: {stderr}, message: {output}")
            }
        }
    }
}
fn command(
    argv: Vec<String>,
    run: ContainerId,
    world: &mut NodeWorld<'_>,
    now: Time,
) -> Result<Kind, Verdict> {
    let missing = || Verdict::Unknown("container not found".to_owned());
    let text = argv.join(" ");
    world.runtime.show_neighbours(run);
    let container = world.runtime.container_mut(run).ok_or_else(missing)?;
    let started = container.exec(argv, false, false);
    match started {
        Ok((pid, io)) => {
            world.runtime.schedule(run, now);
            let (stdout, stderr) = (Vec::new(), Vec::new());
            Ok(Kind::Exec(Box::new(Command { container: run, pid, io, text, stdout, stderr })))
        }
        Err(error) => {
            let hex = world.runtime.hex();
            Err(Verdict::Unknown(format!(
                "rpc error: code = Unknown desc = failed to exec in container: failed to start \
                 exec \"{hex}\": OCI runtime exec failed: exec failed: unable to start container \
                 process: {error}: unknown"
            )))
        }
    }
}

fn http(
    get: &HTTPGetAction,
    purpose: Purpose,
    container: &Container,
    run: ContainerId,
    world: &mut NodeWorld<'_>,
    now: Time,
) -> Result<Kind, Verdict> {
    let host_name = get.host.clone().unwrap_or_default();
    let to = address(&host_name, &get.port, container, run, world)?;
    let path = get.path.as_deref().unwrap_or("/");
    let target = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let mut request = Request::new("GET", &target);
    let agent = match purpose {
        Purpose::Probe => "kube-probe/1.33",
        Purpose::Hook => "kube-lifecycle/1.33",
    };
    request.headers.set("Host", to.to_string());
    request.headers.set("User-Agent", agent);
    request.headers.set("Accept", "*/*");
    for header in get.http_headers.iter().flatten() {
        request.headers.set(&header.name, header.value.as_str());
    }
    request.headers.set("Connection", "close");
    let (host, port) = (to.ip().to_string(), Some(to.port()));
    let url = Url { scheme, user: String::new(), host, port, target };
    let get = HttpGet::dial(url, to, request, world, now).map_err(Verdict::Bad)?;
    Ok(Kind::Http(Box::new(get)))
}

impl HttpGet {
    /// Sends a request.
    fn dial(
        url: Url,
        to: SocketAddr,
        request: Request,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Result<HttpGet, String> {
        let failed = |errno| failure(&url, &dial_error(to, errno));
        let socket = stack(world, now).tcp_connect(to).map_err(failed)?;
        let connection = match url.scheme.as_str() {
            // Certificates are not checked.
            "https" => Stream::trusting_client(socket, &to.ip().to_string(), world.runtime.rng()),
            _ => Stream::plain(socket),
        };
        let (out, reader) = (request.to_bytes(), ResponseReader::new("GET"));
        Ok(HttpGet { connection, connected: false, to, url, request, requests: 1, out, reader })
    }

    fn go_on(
        &mut self,
        purpose: Purpose,
        late: bool,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Option<Verdict> {
        let mut net = stack(world, now);
        let answer = self.talk(&mut net, now);
        if answer == Ok(None) && !late {
            return None;
        }
        self.connection.close(&mut net);
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let why =
                    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
                return Some(Verdict::Bad(failure(&self.url, why)));
            }
            Err(why) => return Some(Verdict::Bad(failure(&self.url, &why))),
        };
        match self.next(&answer) {
            Some(url) => self.follow(url, world, now).err().map(Verdict::Bad),
            None => Some(judge(purpose, &answer)),
        }
    }

    /// Where an answer leads on the same host.
    fn next(&self, answer: &Response) -> Option<Url> {
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = answer.headers.get("Location").filter(|location| !location.is_empty())?;
        self.url.join(location).filter(|url| url.host == self.url.host)
    }

    /// Asks again, elsewhere. Upstream: `RedirectChecker` in `pkg/probe/http/http.go`.
    fn follow(&mut self, url: Url, world: &mut NodeWorld<'_>, now: Time) -> Result<(), String> {
        if self.requests >= REQUESTS_MAX {
            return Err(failure(&url, &format!("stopped after {REQUESTS_MAX} redirects")));
        }
        let to = SocketAddr::new(self.to.ip(), url.port_or_default());
        let mut request = Request::new("GET", &url.target);
        request.headers = self.request.headers.clone();
        request.headers.set("Host", url.authority());
        let requests = self.requests + 1;
        *self = HttpGet { requests, ..HttpGet::dial(url, to, request, world, now)? };
        Ok(())
    }

    /// The answer once it is there.
    fn talk(
        &mut self,
        net: &mut NamespaceStack<'_>,
        now: Time,
    ) -> Result<Option<Response>, String> {
        let to = self.to;
        if !self.connected {
            match net.connected(self.connection.socket()) {
                Ok(()) => self.connected = true,
                Err(Errno::Again) => return Ok(None),
                Err(errno) => return Err(dial_error(to, errno)),
            }
        }
        while !self.out.is_empty() {
            match self.connection.send(net, &self.out) {
                Ok(0) | Err(Errno::Again) => break,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(errno) => return Err(self.broken("write", errno)),
            }
        }
        loop {
            match self.connection.recv(net, now, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    self.reader.close();
                    break;
                }
                Ok(bytes) => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                Err(errno) => return Err(self.broken("read", errno)),
            }
        }
        match self.reader.take() {
            Ok(response) => Ok(response),
            Err(_) => Err("EOF".to_owned()),
        }
    }

    fn broken(&self, doing: &str, errno: Errno) -> String {
        let to = self.to;
        let why = || format!("{doing} tcp {to}: {doing}: {errno}").to_lowercase();
        self.connection.client_failure().unwrap_or_else(why)
    }
}

/// What an answer says.
fn judge(purpose: Purpose, answer: &Response) -> Verdict {
    match (purpose, answer.status) {
        (Purpose::Hook, _) | (_, 200..300) => Verdict::Good,
        (_, 300..400) => {
            let body = answer.body.get(..OUTPUT_MAX).unwrap_or(&answer.body);
            let body = String::from_utf8_lossy(body);
            Verdict::Warned(format!("Probe terminated redirects, Response body: {body}"))
        }
        (_, status) => Verdict::Bad(format!("HTTP probe failed with statuscode: {status}")),
    }
}

fn failure(url: &Url, why: &str) -> String {
    format!("Get \"{}\": {why}", url.text())
}

/// A handler with nothing but this, as Go prints it.
fn handler_text(tcp: &TCPSocketAction) -> String {
    let port = match &tcp.port {
        IntOrString::Int(number) => format!("{{0 {number} }}"),
        IntOrString::String(name) => format!("{{1 0 {name}}}"),
    };
    let host = tcp.host.as_deref().unwrap_or_default();
    format!(
        "&LifecycleHandler{{Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{{Port:{port},\
         Host:{host},}},Sleep:nil,}}"
    )
}

/// Where a probe goes: the pod's own address unless it names a host.
fn address(
    host: &str,
    port: &IntOrString,
    container: &Container,
    run: ContainerId,
    world: &NodeWorld<'_>,
) -> Result<SocketAddr, Verdict> {
    let number = match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => named_port(name, container),
    };
    let number = number.filter(|number| *number > 0).ok_or_else(|| {
        let text = match port {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(name) => name.clone(),
        };
        Verdict::Unknown(format!("couldn't find port: \"{text}\" in pod"))
    })?;
    let sandbox = world.runtime.container(run).map(|container| container.sandbox);
    let own = sandbox.and_then(|id| world.runtime.sandbox(id)).map(|sandbox| sandbox.ip);
    let ip = if host.is_empty() { own.map(IpAddr::V4) } else { host.parse().ok() };
    let ip = ip.ok_or_else(|| Verdict::Bad(format!("dial tcp: lookup {host}: no such host")))?;
    Ok(SocketAddr::new(ip, number))
}

fn named_port(name: &str, container: &Container) -> Option<u16> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let mut ports = container.ports.iter().flatten();
    let port = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

fn dial_error(to: SocketAddr, errno: Errno) -> String {
    match errno {
        Errno::TimedOut => format!("dial tcp {to}: i/o timeout"),
        errno => format!("dial tcp {to}: connect: {}", errno.to_string().to_lowercase()),
    }
}

fn stack<'w>(world: &'w mut NodeWorld<'_>, now: Time) -> NamespaceStack<'w> {
    NamespaceStack::new(world.network, world.host, Call { now, cause: CauseId::ROOT })
}
