//! One probe on its way: an HTTP request, a connection, or a command.
//!
//! Upstream: `pkg/probe/{http,tcp,exec}`.

use super::grpc::GrpcCheck;
use crate::kubelet::pod_workers::NodeWorld;
use crate::runtime::{ContainerId, ExecIo, NamespaceStack};
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::duration;
use naru_network::Call;
use naru_network::http::{Request, ResponseReader};
use naru_shell::serve::Stream;
use naru_shell::{Errno, NetStack, Pid, SocketId};
use naru_sim::{CauseId, Time};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bytes of a command's output that are kept. Upstream: `maxReadLength`.
const OUTPUT_MAX: usize = 10 * 1024;
/// Bytes read from a socket at once.
const READ_MAX: usize = 16 * 1024;

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Good,
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
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Http(Box<HttpGet>),
    Tcp { socket: SocketId, to: SocketAddr },
    Exec { container: ContainerId, pid: Pid, io: ExecIo, command: String, output: Vec<u8> },
    Grpc(Box<GrpcCheck>),
    Sleep,
    Decided(Verdict),
}

/// An HTTP request on its way.
#[derive(Clone, Debug)]
struct HttpGet {
    connection: Stream,
    connected: bool,
    to: SocketAddr,
    url: String,
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
        Self::send(probe, container, run, timeout, world, now)
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
            return Flight { deadline: now + timeout, timeout, kind: Kind::Sleep };
        }
        let probe = Probe {
            exec: hook.exec.clone(),
            http_get: hook.http_get.clone(),
            tcp_socket: hook.tcp_socket.clone(),
            ..Probe::default()
        };
        Self::send(&probe, container, run, time_max, world, now)
    }

    fn send(
        probe: &Probe,
        container: &Container,
        run: ContainerId,
        timeout: Duration,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) -> Flight {
        let kind = if let Some(exec) = &probe.exec {
            command(exec.command.clone().unwrap_or_default(), run, world, now)
        } else if let Some(get) = &probe.http_get {
            http(get, container, run, world, now)
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
        Flight { deadline: now + timeout, timeout, kind }
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
        let timeout = self.timeout;
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
            Kind::Http(get) => {
                let mut net = stack(world, now);
                let url = &get.url.clone();
                let verdict = match get.talk(&mut net, now) {
                    Ok(Some(status)) if (200..400).contains(&status) => Verdict::Good,
                    Ok(Some(status)) => {
                        Verdict::Bad(format!("HTTP probe failed with statuscode: {status}"))
                    }
                    Ok(None) if !late => return None,
                    Ok(None) => Verdict::Bad(format!(
                        "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while \
                         awaiting headers)"
                    )),
                    Err(why) => Verdict::Bad(format!("Get \"{url}\": {why}")),
                };
                get.connection.close(&mut net);
                Some(verdict)
            }
            Kind::Exec { container, pid, io, command, output } => {
                let Some(found) = world.runtime.container_mut(*container) else {
                    return Some(Verdict::Unknown("container not found".to_owned()));
                };
                let said = found.take_output(*io).into_iter().flat_map(|(_, bytes)| bytes);
                output.extend(said.take(OUTPUT_MAX.saturating_sub(output.len())));
                let verdict = match found.take_exit(*pid) {
                    Some(0) => Verdict::Good,
                    Some(_) => Verdict::Bad(String::from_utf8_lossy(output).into_owned()),
                    None if !late => return None,
                    None => {
                        found.kill(*pid);
                        let after = duration::go(timeout);
                        Verdict::Bad(format!(
                            "command timed out: \"{command}\" timed out after {after}"
                        ))
                    }
                };
                found.hang_up(*io);
                world.runtime.schedule(*container, now);
                Some(verdict)
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
            Ok(Kind::Exec { container: run, pid, io, command: text, output: Vec::new() })
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
    container: &Container,
    run: ContainerId,
    world: &mut NodeWorld<'_>,
    now: Time,
) -> Result<Kind, Verdict> {
    let host_name = get.host.clone().unwrap_or_default();
    let to = address(&host_name, &get.port, container, run, world)?;
    let path = get.path.as_deref().unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let url = format!("{scheme}://{to}{path}");
    let mut request = Request::new("GET", &path);
    request.headers.set("Host", to.to_string());
    request.headers.set("User-Agent", "kube-probe/1.33");
    request.headers.set("Accept", "*/*");
    for header in get.http_headers.iter().flatten() {
        request.headers.set(&header.name, header.value.as_str());
    }
    request.headers.set("Connection", "close");
    match stack(world, now).tcp_connect(to) {
        Ok(socket) => {
            let connection = match scheme.as_str() {
                // Certificates are not checked.
                "https" => {
                    let rng = world.runtime.rng();
                    Stream::trusting_client(socket, &to.ip().to_string(), rng)
                }
                _ => Stream::plain(socket),
            };
            let (out, reader) = (request.to_bytes(), ResponseReader::new("GET"));
            let get = HttpGet { connection, connected: false, to, url, out, reader };
            Ok(Kind::Http(Box::new(get)))
        }
        Err(errno) => Err(Verdict::Bad(format!("Get \"{url}\": {}", dial_error(to, errno)))),
    }
}

impl HttpGet {
    /// The answer's status once it is there.
    fn talk(&mut self, net: &mut NamespaceStack<'_>, now: Time) -> Result<Option<u16>, String> {
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
            Ok(response) => Ok(response.map(|response| response.status)),
            Err(_) => Err("EOF".to_owned()),
        }
    }

    fn broken(&self, doing: &str, errno: Errno) -> String {
        let to = self.to;
        let why = || format!("{doing} tcp {to}: {doing}: {errno}").to_lowercase();
        self.connection.client_failure().unwrap_or_else(why)
    }
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
