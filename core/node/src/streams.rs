//! The kubelet's streams: logs, exec, attach, port-forward.
//!
//! Upstream: `pkg/kubelet/server/server.go`, `pkg/kubelet/kuberuntime/logs/logs.go`.

use crate::exchange::Exchange;
use crate::kubelet::{ContainerRecord, Kubelet, first_reason, server};
use crate::limits;
use crate::portforward::{self, Forward};
use crate::runtime::{ContainerId, ContainerState, ExecIo, Output, Runtime, TapId};
use k8s_openapi::api::core::v1::Pod;
use naru_api::service::{
    Connect, ConnectRequest, HttpCall, KubeletStreams, LogOptions, Stream, StreamId,
};
use naru_api::{ApiError, Kube, status::ApiResult};
use naru_network::{Call, Network, NsId};
use naru_shell::Pid;
use naru_sim::Time;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where the kubelet's server listens.
const KUBELET_PORT: u16 = 10_250;
/// How soon files of the node are made.
const FILES_TIME: Duration = Duration::from_millis(1);
/// How soon a session whose client is slow tries again.
const SLOW_CLIENT: Duration = Duration::from_millis(10);
/// Bytes handed on in one go.
const CHUNK: usize = 32 * 1024;

/// The streams that clients have open to containers of a node.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    sessions: BTreeMap<StreamId, Session>,
    forwards: BTreeMap<StreamId, Forward>,
    exchanges: BTreeMap<StreamId, Exchange>,
    /// Commands in containers that see files of the node which are made first.
    waiting: Vec<(StreamId, ConnectRequest)>,
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Session {
    container: ContainerId,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Log { options: LogOptions, next: u64, left: u64 },
    Exec { pid: Pid, io: ExecIo },
    Attach { tap: TapId, io: ExecIo, stdin: bool },
}

/// How a session goes on.
enum Progress {
    Open,
    /// The client must first take what is there.
    Slow,
    Done(Result<i32, ApiError>),
}

impl Streams {
    /// When a session wants to go on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.retry_at
    }

    /// Takes new streams, and hands bytes on in both directions.
    pub fn pump(&mut self, api: &mut dyn KubeletStreams, machine: &mut Machine<'_>, now: Time) {
        let held = std::mem::take(&mut self.waiting);
        for (id, request) in held.into_iter().chain(api.accept(machine.name)) {
            if api.stream(id).is_none() {
                continue;
            }
            if machine.lacks_files(&request) {
                self.waiting.push((id, request));
                continue;
            }
            let opened = self.open(id, &request, api, machine, now);
            if let (Err(error), Some(stream)) = (opened, api.stream(id)) {
                stream.result = Some(Err(error));
            }
        }
        self.retry_at = (!self.waiting.is_empty()).then(|| now + FILES_TIME);
        self.pump_forwards(api, machine.network, now);
        self.pump_exchanges(api, machine.network, now);
        let ids: Vec<StreamId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.pump_one(api, id, machine.runtime, now);
        }
    }

    fn open(
        &mut self,
        id: StreamId,
        request: &ConnectRequest,
        api: &mut dyn KubeletStreams,
        machine: &mut Machine<'_>,
        now: Time,
    ) -> ApiResult<()> {
        let count = self.sessions.len() + self.forwards.len() + self.exchanges.len();
        if count >= limits::STREAMS_MAX {
            let message = "the kubelet has too many streams";
            return Err(ApiError::new(429, "TooManyRequests", message));
        }
        if let Connect::Http(call) = &request.connect
            && let HttpCall { to: Some(to), request: message, prefix } = &**call
        {
            let call = Call { now, cause: request.cause };
            let network = (machine.host, &mut *machine.network);
            let rng = machine.runtime.rng();
            let exchange = Exchange::open(message, *to, prefix, network, rng, call)?;
            self.exchanges.insert(id, exchange);
            return Ok(());
        }
        let kubelet = machine.kubelet.ok_or_else(|| machine.refusal(request))?;
        match &request.connect {
            Connect::Http(call) => {
                if let Some(stream) = api.stream(id) {
                    let answer = server::answer(kubelet, machine.runtime, now, &call.request);
                    stream.stdout.extend(answer.body);
                    stream.head = Some(answer.head);
                    stream.result = Some(Ok(0));
                }
            }
            Connect::PortForward { port } => {
                let (runtime, network) = (&mut *machine.runtime, &mut *machine.network);
                let forward = Forward::open(request, *port, kubelet, runtime, network, now)?;
                self.forwards.insert(id, forward);
            }
            _ => {
                let session = open(request, kubelet, machine.runtime, now)?;
                self.sessions.insert(id, session);
            }
        }
        Ok(())
    }

    fn pump_exchanges(&mut self, api: &mut dyn KubeletStreams, network: &mut Network, now: Time) {
        let retry_at = &mut self.retry_at;
        self.exchanges.retain(|id, exchange| {
            let Some(stream) = api.stream(*id).filter(|stream| !stream.client_gone) else {
                exchange.close(network, now);
                return false;
            };
            let progress = exchange.pump(stream, network, now);
            if let portforward::Progress::Done(result) = progress {
                stream.result = Some(result);
                exchange.close(network, now);
                return false;
            }
            *retry_at = [*retry_at, exchange.next_due()].into_iter().flatten().min();
            true
        });
    }

    fn pump_forwards(&mut self, api: &mut dyn KubeletStreams, network: &mut Network, now: Time) {
        let retry_at = &mut self.retry_at;
        self.forwards.retain(|id, forward| {
            let Some(stream) = api.stream(*id).filter(|stream| !stream.client_gone) else {
                forward.close(network, now);
                return false;
            };
            match forward.pump(stream, network, now) {
                portforward::Progress::Open => true,
                portforward::Progress::Slow => {
                    *retry_at = Some(now + SLOW_CLIENT);
                    true
                }
                portforward::Progress::Done(result) => {
                    stream.result = Some(result);
                    forward.close(network, now);
                    false
                }
            }
        });
    }

    fn pump_one(
        &mut self,
        api: &mut dyn KubeletStreams,
        id: StreamId,
        runtime: &mut Runtime,
        now: Time,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(stream) = api.stream(id).filter(|stream| !stream.client_gone) else {
            session.hang_up(runtime, now);
            self.sessions.remove(&id);
            return;
        };
        match session.go_on(stream, runtime, now) {
            Progress::Open => {}
            Progress::Slow => self.retry_at = Some(now + SLOW_CLIENT),
            Progress::Done(result) => {
                stream.result = Some(result);
                session.hang_up(runtime, now);
                self.sessions.remove(&id);
            }
        }
    }
}

/// The machine that streams go to.
pub struct Machine<'a> {
    /// The node's name.
    pub name: &'a str,
    /// Its address.
    pub ip: Ipv4Addr,
    /// The kubelet, if it runs.
    pub kubelet: Option<&'a Kubelet>,
    /// What runs.
    pub runtime: &'a mut Runtime,
    /// The machine's own network namespace.
    pub host: NsId,
    /// The network.
    pub network: &'a mut Network,
}

impl Machine<'_> {
    /// Whether a command is to run where files of the node are seen which nobody has asked for before;
    /// they are made then.
    fn lacks_files(&mut self, request: &ConnectRequest) -> bool {
        let Connect::Exec { .. } = request.connect else { return false };
        let worker = self.kubelet.and_then(|it| it.worker(&request.namespace, &request.pod));
        let run = worker.and_then(|worker| worker.record(&request.container)?.id);
        let Some(container) = run.and_then(|run| self.runtime.container(run)) else { return false };
        let volumes: Vec<_> = container.config.mounts.iter().map(|mount| mount.volume).collect();
        // All are asked for at once.
        volumes.into_iter().filter(|id| self.runtime.volumes.is_lacking(*id)).count() > 0
    }

    /// Nobody listens where the kubelet should.
    fn refusal(&self, request: &ConnectRequest) -> ApiError {
        let address = SocketAddr::from((self.ip, KUBELET_PORT));
        let dialed = format!("dial tcp {address}: connect: connection refused");
        let ConnectRequest { namespace, pod, container, .. } = request;
        match request.connect {
            Connect::Log(_) => {
                let url = format!("https://{address}/containerLogs/{namespace}/{pod}/{container}");
                ApiError::new(500, "", format!("Get \"{url}\": {dialed}"))
            }
            Connect::Http(_) => {
                let message = format!("error trying to reach service: {dialed}");
                ApiError::new(503, "ServiceUnavailable", message)
            }
            _ => ApiError::new(500, "", format!("error dialing backend: {dialed}")),
        }
    }
}

/// Begins what the client asks for.
fn open(
    request: &ConnectRequest,
    kubelet: &Kubelet,
    runtime: &mut Runtime,
    now: Time,
) -> Result<Session, ApiError> {
    let worker = kubelet
        .worker(&request.namespace, &request.pod)
        .ok_or_else(|| ApiError::not_found(&Pod::kind(), &request.pod))?;
    let record = worker.record(&request.container).ok_or_else(|| {
        let (name, pod) = (&request.container, &request.pod);
        ApiError::bad_request(format!("container {name} is not valid for pod {pod}"))
    })?;
    if let Connect::Log(options) = &request.connect {
        if let Some(id) = worker.removed_container(&record.name) {
            // Upstream: `GetContainerLogs` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
            let message = format!("unable to retrieve container logs for {id}");
            return Err(ApiError::bad_request(message));
        }
        let container = log_container(
            options,
            record,
            first_reason(&worker.containers),
            &request.pod,
            runtime,
        )?;
        let next = first_line(options, container, runtime, now);
        let left = options.limit_bytes.unwrap_or(u64::MAX);
        let kind = Kind::Log { options: options.clone(), next, left };
        return Ok(Session { container, kind });
    }
    let not_found = || {
        let message =
            format!("unable to upgrade connection: container not found (\"{}\")", record.name);
        ApiError::internal(message)
    };
    let id = record.id.ok_or_else(not_found)?;
    runtime.show_neighbours(id);
    let container = runtime.container_mut(id).ok_or_else(not_found)?;
    let kind = match &request.connect {
        Connect::Exec { command, stdin, tty } => {
            if !container.is_running() {
                return Err(not_found());
            }
            container.cause = request.cause;
            match container.exec(command.clone(), *stdin, *tty) {
                Ok((pid, io)) => {
                    runtime.schedule(id, now);
                    Kind::Exec { pid, io }
                }
                Err(error) => {
                    let hex = runtime.hex();
                    return Err(ApiError::internal(format!(
                        "error executing command in container: failed to exec in container: \
                         failed to start exec \"{hex}\": OCI runtime exec failed: exec failed: \
                         unable to start container process: {error}: unknown"
                    )));
                }
            }
        }
        Connect::Attach { stdin, .. } => {
            let replayed = container.config.stdin;
            if !container.is_running() && !replayed {
                return Err(not_found());
            }
            let io = container.stdio();
            Kind::Attach { tap: container.attach(), io, stdin: *stdin && container.config.stdin }
        }
        Connect::Log(_) | Connect::PortForward { .. } | Connect::Http(_) => {
            return Err(not_found());
        }
    };
    Ok(Session { container: id, kind })
}

/// The run whose log is asked for. Upstream: `validateContainerLogStatus`.
fn log_container(
    options: &LogOptions,
    record: &ContainerRecord,
    first_reason: &str,
    pod: &str,
    runtime: &Runtime,
) -> Result<ContainerId, ApiError> {
    let name = &record.name;
    if options.previous {
        return record.previous_run(runtime).ok_or_else(|| {
            let message =
                format!("previous terminated container \"{name}\" in pod \"{pod}\" not found");
            ApiError::bad_request(message)
        });
    }
    let begun = |id: &ContainerId| {
        let container = runtime.container(*id);
        container.is_some_and(|container| container.state != ContainerState::Created)
    };
    if let Some(id) = record.id.filter(begun).or(record.previous.filter(begun)) {
        return Ok(id);
    }
    let why = match record.shown.as_ref().map(|waiting| waiting.reason) {
        Some("ErrImagePull") => "image can't be pulled",
        Some("ImagePullBackOff") => "trying and failing to pull image",
        Some(reason) => reason,
        None => first_reason,
    };
    let message = format!("container \"{name}\" in pod \"{pod}\" is waiting to start: {why}");
    Err(ApiError::bad_request(message))
}

fn first_line(options: &LogOptions, id: ContainerId, runtime: &Runtime, now: Time) -> u64 {
    let Some(container) = runtime.container(id) else { return 0 };
    let log = &container.log;
    let by_count = options.tail_lines.map_or(log.begin(), |count| log.tail(count));
    let seconds = options.since_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // As the API server passes it on, a moment is one of whole seconds.
    let moment = options.since_time.map(|time| Time::from_secs(time.as_secs()));
    let since = seconds.map(|seconds| now - Duration::from_secs(seconds)).or(moment);
    let Some(since) = since else { return by_count };
    let recent = log.from(log.begin()).rev().take_while(|line| line.at >= since).count() as u64;
    by_count.max(log.end() - recent)
}

impl Session {
    fn go_on(&mut self, stream: &mut Stream, runtime: &mut Runtime, now: Time) -> Progress {
        match &mut self.kind {
            Kind::Log { options, next, left } => {
                follow(self.container, options, next, left, stream, runtime)
            }
            Kind::Exec { pid, io } => {
                let (pid, io) = (*pid, *io);
                resize(self.container, io, stream, runtime, now);
                feed(self.container, io, stream, runtime, now);
                self.collect_exec(pid, io, stream, runtime, now)
            }
            Kind::Attach { tap, io, stdin } => {
                resize(self.container, *io, stream, runtime, now);
                if *stdin {
                    feed(self.container, *io, stream, runtime, now);
                }
                attached(self.container, *tap, stream, runtime)
            }
        }
    }

    fn collect_exec(
        &self,
        pid: Pid,
        io: ExecIo,
        stream: &mut Stream,
        runtime: &mut Runtime,
        now: Time,
    ) -> Progress {
        let Some(container) = runtime.container_mut(self.container) else {
            return Progress::Done(Ok(137));
        };
        if stream.full() {
            return Progress::Slow;
        }
        let said = container.take_output(io);
        let took = !said.is_empty();
        for (output, bytes) in said {
            stream.say(output, &bytes);
        }
        if let Some(code) = container.take_exit(pid) {
            return Progress::Done(Ok(code));
        }
        if took {
            // A writer may have been waiting for room.
            runtime.schedule(self.container, now);
        }
        Progress::Open
    }

    /// The client is gone or has all it wanted.
    fn hang_up(&mut self, runtime: &mut Runtime, now: Time) {
        let Some(container) = runtime.container_mut(self.container) else { return };
        match &self.kind {
            Kind::Log { .. } => return,
            Kind::Exec { io, .. } => container.hang_up(*io),
            Kind::Attach { tap, .. } => container.detach(*tap),
        }
        runtime.schedule(self.container, now);
    }
}

/// Tells a process that its terminal has another size.
fn resize(id: ContainerId, io: ExecIo, stream: &mut Stream, runtime: &mut Runtime, now: Time) {
    let Some(size) = stream.resized.take() else { return };
    if let Some(container) = runtime.container_mut(id) {
        container.resize(io, size);
        runtime.schedule(id, now);
    }
}

/// Hands the client's bytes to a process.
fn feed(id: ContainerId, io: ExecIo, stream: &mut Stream, runtime: &mut Runtime, now: Time) {
    let Some(container) = runtime.container_mut(id) else { return };
    if stream.stdin.is_empty() && !stream.stdin_closed {
        return;
    }
    let bytes: Vec<u8> = stream.stdin.iter().take(CHUNK).copied().collect();
    let taken = container.feed(io, &bytes);
    stream.stdin.drain(..taken);
    // Told once: to tell it at every look would wake the process for nothing, without end.
    let ended = stream.stdin_closed && stream.stdin.is_empty() && container.end_input(io);
    if taken > 0 || ended {
        runtime.schedule(id, now);
    }
}

fn attached(id: ContainerId, tap: TapId, stream: &mut Stream, runtime: &mut Runtime) -> Progress {
    let Some(container) = runtime.container_mut(id) else { return Progress::Done(Ok(0)) };
    if stream.full() {
        return Progress::Slow;
    }
    let said = container.take_tapped(tap, CHUNK);
    let more = said.len() == CHUNK;
    for (output, bytes) in said {
        stream.say(output, &bytes);
    }
    match (&container.state, more) {
        (_, true) => Progress::Slow,
        // Upstream's attach ends without a code: kubectl reads it from the pod's status.
        (ContainerState::Exited { .. }, false) => Progress::Done(Ok(0)),
        _ => Progress::Open,
    }
}

fn follow(
    id: ContainerId,
    options: &LogOptions,
    next: &mut u64,
    left: &mut u64,
    stream: &mut Stream,
    runtime: &Runtime,
) -> Progress {
    let Some(container) = runtime.container(id) else { return Progress::Done(Ok(0)) };
    let log = &container.log;
    *next = (*next).max(log.oldest());
    for line in log.from(*next) {
        if stream.full() {
            return Progress::Slow;
        }
        if options.timestamps {
            let time = naru_api::time::micro_time(line.at).0;
            write(&mut stream.stdout, format!("{time} ").as_bytes(), left);
        }
        write(&mut stream.stdout, &line.text, left);
        *next += 1;
        if *left == 0 {
            return Progress::Done(Ok(0));
        }
    }
    if options.follow && container.is_running() {
        return Progress::Open;
    }
    for output in [Output::Stdout, Output::Stderr] {
        write(&mut stream.stdout, log.unfinished(output), left);
    }
    Progress::Done(Ok(0))
}

/// Writes as much as the client's limit leaves.
fn write(out: &mut VecDeque<u8>, bytes: &[u8], left: &mut u64) {
    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    out.extend(bytes.iter().take(taken));
    *left -= taken as u64;
}
