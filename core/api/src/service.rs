//! The API server as its clients see it.

use crate::credentials::Credentials;
use crate::etcd::Etcd;
use crate::http::{Head, HttpRequest};
use crate::request::{ListOptions, Request, Response, UserInfo};
use crate::status::ApiResult;
use crate::{ApiError, KindRef, Object};
use naru_sim::{CauseId, CauseLog, Time};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// Names a watch at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// Names a stream (logs, exec, attach, port-forward) at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEventType {
    /// It is new, or came into the selection.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or left the selection; the event holds its last state.
    Deleted,
    /// Nothing: the watch has come as far as the revision of this otherwise empty object. Only a
    /// watch that asked for bookmarks gets them.
    Bookmark,
}

/// One delivery of a watch.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub kind: WatchEventType,
    /// The object after it (before it, if it is gone).
    pub object: Object,
    /// The request that made the change.
    pub cause: CauseId,
}

/// What to watch.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// Who asks.
    pub user: UserInfo,
    /// The client program.
    pub agent: Arc<str>,
    /// The kind.
    pub kind: KindRef,
    /// The namespace, or "" for all.
    pub namespace: String,
    /// The selection.
    pub options: ListOptions,
    /// Tell what came after this revision. `None` or 0: what `options.resource_version` says, and
    /// when that says nothing either, first every object that is there, as `Added`.
    pub from: Option<u64>,
    /// Tell now and then how far the watch has come.
    pub bookmarks: bool,
    /// Tell every object that is there first, and their end by a bookmark that is annotated
    /// `k8s.io/initial-events-end` (`sendInitialEvents`).
    pub initial_events: bool,
    /// When the client will give the watch up: it gets a bookmark shortly before.
    pub deadline: Option<Time>,
}

impl WatchRequest {
    /// A watch of all of a kind, with what is there first; the rest is filled in by struct update.
    pub fn new(user: UserInfo, agent: Arc<str>, kind: KindRef) -> Self {
        WatchRequest {
            user,
            agent,
            kind,
            namespace: String::new(),
            options: ListOptions::default(),
            from: None,
            bookmarks: false,
            initial_events: false,
            deadline: None,
        }
    }
}

/// A request that the API server passes on to the kubelet of a pod's node.
///
/// Upstream: `pods/log`, `pods/exec`, `pods/attach`, `pods/portforward`, and the subresource `proxy`
/// of pods, services and nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Connect {
    /// Read a container's log.
    Log(LogOptions),
    /// Run a command in a container.
    Exec {
        /// The command and its arguments.
        command: Vec<String>,
        /// Whether bytes will be written to its input.
        stdin: bool,
        /// Whether it gets a terminal.
        tty: bool,
    },
    /// Attach to the container's first process.
    Attach {
        /// Whether bytes will be written to its input.
        stdin: bool,
        /// Whether the container has a terminal.
        tty: bool,
    },
    /// Connect to a port in the pod's network namespace: bytes to it are the stream's input,
    /// bytes from it its output.
    PortForward {
        /// The port.
        port: u16,
    },
    /// Pass an HTTP request on. Only the API server itself asks for this, when it is asked for the
    /// path of a proxy.
    Http(Box<HttpCall>),
}

/// An HTTP request that is passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCall {
    /// To whom. `None`: the kubelet's own server.
    pub to: Option<Backend>,
    /// The request, as it is sent.
    pub request: HttpRequest,
    /// What the client's path had before the request's: a redirection gets it back.
    pub prefix: String,
}

/// Who is behind a pod or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it is to be spoken to by TLS.
    pub tls: bool,
}

/// Upstream: `v1.PodLogOptions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// Go on as new lines come.
    pub follow: bool,
    /// Of the container's previous run.
    pub previous: bool,
    /// Only what is younger than this many seconds.
    pub since_seconds: Option<i64>,
    /// Only what was written at this moment or later.
    pub since_time: Option<Time>,
    /// Write the time before each line.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only so many bytes, with the times before the lines.
    pub limit_bytes: Option<u64>,
}

/// Asks for a stream to a container.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Who asks.
    pub user: UserInfo,
    /// The client program.
    pub agent: Arc<str>,
    /// What made the client ask.
    pub cause: CauseId,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container, or "" for the pod's only one.
    pub container: String,
    /// What for.
    pub connect: Connect,
}

/// A two-way stream between a client and a kubelet, held by the API server in the middle.
///
/// Each side takes what the other has put in. A side that is told [`Stream::full`] waits.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// From the client: standard input.
    pub stdin: VecDeque<u8>,
    /// The client will send no more.
    pub stdin_closed: bool,
    /// Columns and rows of the client's terminal, when they have changed.
    pub resized: Option<(u16, u16)>,
    /// To the client: status and headers of an answer by HTTP, whose body is `stdout`.
    pub head: Option<Head>,
    /// To the client: standard output.
    pub stdout: VecDeque<u8>,
    /// To the client: standard error.
    pub stderr: VecDeque<u8>,
    /// Set by the kubelet at the end: the exit code, or why it could not be done.
    pub result: Option<Result<i32, ApiError>>,
    /// The client is gone: the kubelet should stop.
    pub client_gone: bool,
}

impl Stream {
    /// Bytes a stream holds in one direction before the writer must wait.
    pub const BUFFER_MAX: usize = 256 * 1024;

    /// Whether the kubelet must wait before it writes more.
    pub fn full(&self) -> bool {
        self.stdout.len() + self.stderr.len() >= Self::BUFFER_MAX
    }
}

/// A request by its path, for what is no object: `/openapi/v3`, `kubectl get --raw`, `kubectl proxy`.
#[derive(Clone, Debug, Default)]
pub struct PathRequest {
    /// `GET`.
    pub method: String,
    /// The path, with what stands after `?`.
    pub path: String,
    /// The headers, names in lower case. Who asks is told apart from them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Names an answer to a [`PathRequest`] that has not come whole yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerId(pub u64);

/// The answer to a [`PathRequest`], or what has come of it since the last time.
#[derive(Clone, Debug, Default)]
pub struct PathAnswer {
    /// Status and headers. `None`: they were told before, or are not known yet, as those of what a
    /// proxy passes on: what somebody else answers comes whole, status and headers too.
    pub head: Option<Head>,
    /// The next bytes of the body.
    pub body: Vec<u8>,
    /// More comes, of a watch, a log or what is passed on: see [`ApiService::more_by_path`].
    pub rest: Option<AnswerId>,
    /// When the rest ends by itself, if that is known.
    pub until: Option<Time>,
}

/// The API server as its clients see it: the only way by which components meet.
///
/// Everything answers at once in virtual time; deliveries of watches wait in the API server until
/// the client polls, which the cluster lets it do when the network has carried them.
pub trait ApiService {
    /// The present moment.
    fn now(&self) -> Time;

    /// Who shows these credentials: 401 if nobody does, 403 if they may not act as somebody else.
    fn authenticate(&mut self, credentials: &Credentials) -> ApiResult<UserInfo>;

    /// Does one request.
    fn handle(&mut self, request: Request) -> ApiResult<Response>;

    /// Does one request by its path.
    fn by_path(
        &mut self,
        _credentials: &Credentials,
        _request: PathRequest,
    ) -> ApiResult<PathAnswer> {
        Err(ApiError::no_such_path())
    }

    /// What has come since of an answer that was not whole.
    fn more_by_path(&mut self, _answer: AnswerId) -> ApiResult<PathAnswer> {
        Err(ApiError::no_such_path())
    }

    /// Ends an answer of which more was to come, by its client.
    fn hang_up(&mut self, _answer: AnswerId) {}

    /// Takes what the API server warned of in its last answer: its `Warning` headers.
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Hands over everything that there is of a kind, in place of what was handed over before: by
    /// the server of an aggregated API, such as the metrics server. The API server answers for it
    /// as long as the group's APIService is available.
    fn tell(&mut self, user: &UserInfo, kind: &KindRef, objects: Vec<Object>) -> ApiResult<()> {
        let _ = (user, kind, objects);
        Err(ApiError::method_not_allowed())
    }

    /// Asks the server of a node's kubelet by a path, as `/metrics/resource`. The answer is in the
    /// stream: [`Stream::head`], and the body in [`Stream::stdout`].
    fn ask_kubelet(
        &mut self,
        user: &UserInfo,
        agent: Arc<str>,
        node: &str,
        path: &str,
    ) -> ApiResult<StreamId> {
        let _ = (user, agent, node, path);
        Err(ApiError::method_not_allowed())
    }

    /// Starts a watch.
    fn watch(&mut self, request: WatchRequest) -> ApiResult<WatchId>;

    /// Takes what a watch has to deliver. [`ApiError::expired`] ends the watch: list again.
    fn poll(&mut self, watch: WatchId) -> ApiResult<Vec<WatchEvent>>;

    /// Ends a watch.
    fn unwatch(&mut self, watch: WatchId);

    /// Starts a stream to a container.
    fn connect(&mut self, request: ConnectRequest) -> ApiResult<StreamId>;

    /// A stream that was started, until its client ends it.
    fn stream(&mut self, stream: StreamId) -> Option<&mut Stream>;

    /// Ends a stream, by its client.
    fn disconnect(&mut self, stream: StreamId);

    /// Discovery: the kinds that are served, in upstream's order of groups.
    fn kinds(&self) -> Vec<KindRef>;

    /// The store behind the API server, for those who may reach it past the API server: `etcdctl`
    /// on a control-plane node.
    fn etcd(&mut self) -> Option<&mut dyn Etcd> {
        None
    }

    /// Where causes are written down.
    fn causes(&mut self) -> &mut CauseLog;
}

/// The kubelet's end of the API server's streams (upstream: the kubelet's HTTPS server, to which
/// the API server connects).
pub trait KubeletStreams {
    /// Takes the streams that were asked for pods on `node` since the last call.
    fn accept(&mut self, node: &str) -> Vec<(StreamId, ConnectRequest)>;

    /// A stream that was accepted; `None` when the client has ended it.
    fn stream(&mut self, stream: StreamId) -> Option<&mut Stream>;
}
