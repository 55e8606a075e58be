//! The kubelet's streams: logs, exec, attach, port-forward.
//!
//! Upstream: `pkg/kubelet/server/server.go`, `pkg/kubelet/kuberuntime/logs/logs.go`.

use crate::kubelet::{ContainerRecord, Kubelet, first_reason};
use crate::limits;
use crate::portforward::{self, Forward};
use crate::runtime::{ContainerId, ContainerState, ExecIo, LogLine, Output, Runtime, TapId};
use k8s_openapi::api::core::v1::Pod;
use naru_api::service::{Connect, ConnectRequest, KubeletStreams, LogOptions, Stream, StreamId};
use naru_api::{ApiError, Kube};
use naru_network::Network;
use naru_shell::Pid;
use naru_sim::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How soon a session whose client is slow tries again.
const SLOW_CLIENT: Duration = Duration::from_millis(10);
/// Bytes handed on in one go.
const CHUNK: usize = 32 * 1024;

/// The streams that clients have open to containers of a node.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    sessions: BTreeMap<StreamId, Session>,
    forwards: BTreeMap<StreamId, Forward>,
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Session {
    container: ContainerId,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Log { options: LogOptions, next: u64 },
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
    pub fn pump(
        &mut self,
        api: &mut dyn KubeletStreams,
        node_name: &str,
        kubelet: &Kubelet,
        runtime: &mut Runtime,
        network: &mut Network,
        now: Time,
    ) {
        for (id, request) in api.accept(node_name) {
            if api.stream(id).is_none() {
                continue;
            }
            let opened = if self.sessions.len() + self.forwards.len() >= limits::STREAMS_MAX {
                Err(ApiError::new(429, "TooManyRequests", "the kubelet has too many streams"))
            } else if let Connect::PortForward { port } = request.connect {
                let forward = Forward::open(&request, port, kubelet, runtime, network, now);
                forward.map(|forward| self.forwards.insert(id, forward).is_some())
            } else {
                let session = open(&request, kubelet, runtime, now);
                session.map(|session| self.sessions.insert(id, session).is_some())
            };
            if let (Err(error), Some(stream)) = (opened, api.stream(id)) {
                stream.result = Some(Err(error));
            }
        }
        self.retry_at = None;
        self.pump_forwards(api, network, now);
        let ids: Vec<StreamId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.pump_one(api, id, runtime, now);
        }
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
        let container = log_container(
            options,
            record,
            first_reason(&worker.containers),
            &request.pod,
            runtime,
        )?;
        let next = first_line(options, container, runtime, now);
        let kind = Kind::Log { options: options.clone(), next };
        return Ok(Session { container, kind });
    }
    let not_found = || {
        let message =
            format!("unable to upgrade connection: container not found (\"{}\")", record.name);
        ApiError::internal(message)
    };
    let id = record.id.ok_or_else(not_found)?;
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
        Connect::Log(_) | Connect::PortForward { .. } => return Err(not_found()),
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
    let by_count = options.tail_lines.map_or(0, |count| log.tail(count));
    let Some(seconds) = options.since_seconds.and_then(|seconds| u64::try_from(seconds).ok())
    else {
        return by_count;
    };
    let since = now - Duration::from_secs(seconds);
    let recent = log.from(0).rev().take_while(|line| line.at >= since).count() as u64;
    by_count.max(log.end() - recent)
}

impl Session {
    fn go_on(&mut self, stream: &mut Stream, runtime: &mut Runtime, now: Time) -> Progress {
        match &mut self.kind {
            Kind::Log { options, next } => follow(self.container, options, next, stream, runtime),
            Kind::Exec { pid, io } => {
                let (pid, io) = (*pid, *io);
                feed(self.container, io, stream, runtime, now);
                self.collect_exec(pid, io, stream, runtime, now)
            }
            Kind::Attach { tap, io, stdin } => {
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
        let (stdout, stderr) = container.take_output(io);
        let took = !stdout.is_empty() || !stderr.is_empty();
        stream.stdout.extend(stdout);
        stream.stderr.extend(stderr);
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
    let (stdout, stderr) = container.take_tapped(tap, CHUNK);
    let more = stdout.len() == CHUNK || stderr.len() == CHUNK;
    stream.stdout.extend(stdout);
    stream.stderr.extend(stderr);
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
    stream: &mut Stream,
    runtime: &Runtime,
) -> Progress {
    let Some(container) = runtime.container(id) else { return Progress::Done(Ok(0)) };
    let log = &container.log;
    *next = (*next).max(log.tail(u64::MAX));
    for line in log.from(*next) {
        if stream.full() {
            return Progress::Slow;
        }
        write_line(&mut stream.stdout, line, options.timestamps);
        *next += 1;
    }
    if options.follow && container.is_running() {
        return Progress::Open;
    }
    for output in [Output::Stdout, Output::Stderr] {
        stream.stdout.extend(log.unfinished(output));
    }
    Progress::Done(Ok(0))
}

fn write_line(out: &mut VecDeque<u8>, line: &LogLine, timestamps: bool) {
    if timestamps {
        let time = naru_api::time::micro_time(line.at).0;
        out.extend(format!("{time} ").as_bytes());
    }
    out.extend(&line.text);
}
