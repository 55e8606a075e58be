//! The API server as its clients see it.

use crate::credentials::Credentials;
use crate::etcd::Etcd;
use crate::http::{Head, HttpRequest};
use crate::managed::Writer;
use crate::measured::{Metric, MetricQuery};
use crate::request::{ListOptions, Request, Response, UserInfo};
use crate::said::{Output, Piece};
use crate::status::ApiResult;
use crate::{ApiError, KindRef, Object};
use k8s_openapi::api::coordination::v1::Lease;
use naru_sim::{CauseId, CauseLog, Time};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
    /// What the client needs to be woken for. What can wait is delivered with what cannot, or when
    /// the client asks; of several such changes of one object only what came last.
    pub attention: Attention,
}

/// For what a watcher needs to be woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// Nothing: it looks when it has another reason to.
    Nothing,
    /// That an object comes or goes, or gets other metadata. Other content can wait.
    Metadata,
    /// Everything.
    #[default]
    Everything,
}

impl Attention {
    /// Whether a change from one state of an object to another can wait.
    pub fn lets_wait(self, before: &Object, after: &Object) -> bool {
        match self {
            Attention::Nothing => true,
            Attention::Metadata => {
                let (before, after) = (before.meta(), after.meta());
                before.owner_references == after.owner_references
                    && before.finalizers == after.finalizers
                    && before.deletion_timestamp == after.deletion_timestamp
                    && before.labels == after.labels
                    && before.annotations == after.annotations
                    && before.uid == after.uid
            }
            Attention::Everything => false,
        }
    }
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
            attention: Attention::Everything,
        }
    }
}

/// A renewal of a Lease that went well and is to be made again and again: what is known of it.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Who renews.
    pub user: Arc<str>,
    /// By which program.
    pub writer: Writer,
    /// Where the Lease is stored.
    pub key: Arc<str>,
    /// What causes name: `leases/kube-node-lease/worker`.
    pub subject: Arc<str>,
    /// The revision that the last renewal has made.
    pub revision: u64,
    /// The generation of the rules by which that was allowed.
    pub rules: u64,
    /// Which of the flows that the API server counts its requests are.
    pub flow: usize,
}

/// How far renewals have come that the API server has made by itself.
#[derive(Clone, Debug)]
pub struct Stood {
    /// The Lease after the last of them; `None` if there was none.
    pub lease: Option<Arc<Lease>>,
    /// The ticket for others.
    pub ticket: Ticket,
    /// When the next one is due.
    pub next: Time,
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
    /// In which order the two were written to, as far as that was told: see [`Stream::say`].
    order: VecDeque<(Output, usize)>,
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

    /// Puts in what a container's process has written, to be taken in this order.
    pub fn say(&mut self, output: Output, bytes: &[u8]) {
        if self.stdout.is_empty() && self.stderr.is_empty() {
            // Whoever takes one of the two by itself does not ask for the order.
            self.order.clear();
        }
        self.queue(output).extend(bytes);
        match self.order.back_mut() {
            Some((last, count)) if *last == output => *count += bytes.len(),
            _ => self.order.push_back((output, bytes.len())),
        }
    }

    /// Takes the next piece of what was written, at most this many bytes.
    pub fn take_said(&mut self, max: usize) -> Option<Piece> {
        while let Some((output, count)) = self.order.pop_front() {
            let bytes = self.take_of(output, count.min(max));
            if count > bytes.len() && !bytes.is_empty() {
                self.order.push_front((output, count - bytes.len()));
            }
            if !bytes.is_empty() {
                return Some((output, bytes));
            }
        }
        let outputs = [Output::Stdout, Output::Stderr].into_iter();
        let mut rest = outputs.map(|output| (output, self.take_of(output, max)));
        rest.find(|(_, bytes)| !bytes.is_empty())
    }

    fn take_of(&mut self, output: Output, max: usize) -> Vec<u8> {
        let queue = self.queue(output);
        queue.drain(..queue.len().min(max)).collect()
    }

    fn queue(&mut self, output: Output) -> &mut VecDeque<u8> {
        match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
        }
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

    /// Hands over all values of a group, in place of those before: by an adapter that answers for it.
    fn tell_metrics(
        &mut self,
        user: &UserInfo,
        group: &'static str,
        metrics: Vec<Metric>,
    ) -> ApiResult<()> {
        let _ = (user, group, metrics);
        Err(ApiError::method_not_allowed())
    }

    /// Asks an adapter for values.
    fn metrics(&mut self, user: &UserInfo, query: &MetricQuery) -> ApiResult<Vec<Metric>> {
        let _ = (user, query);
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

    /// Whether there is a reason to [`ApiService::poll`] an open watch.
    fn has_news(&self, _watch: WatchId) -> bool {
        true
    }

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

    /// A number that grows whenever an object of a kind changes: while it stays, so does whatever
    /// was read of the kind. `None`: it is not told.
    fn generation(&mut self, _kind: &KindRef) -> Option<u64> {
        None
    }

    /// What spares the holder of a Lease the way of a whole request for each of its renewals: see
    /// [`ApiService::renew`]. To be asked for after `user` has renewed it by a whole request, with
    /// `lease` as it is since then. `None`: there is no such way.
    fn ticket(&mut self, user: &UserInfo, agent: &Arc<str>, lease: &Arc<Lease>) -> Option<Ticket> {
        let _ = (user, agent, lease);
        None
    }

    /// Writes the present moment as the time of a Lease's renewal and changes nothing else, as the
    /// holder of the ticket has done by a whole request before. `None`: the Lease, or what was asked
    /// about that request, may be another since: a whole request will tell.
    fn renew(&mut self, ticket: &mut Ticket, cause: CauseId) -> Option<Arc<Lease>> {
        let _ = (ticket, cause);
        None
    }

    /// Lets the API server make the renewals of a ticket by itself, at `next` and every `period` from
    /// then on, until [`ApiService::stand_down`], or until one of them could go otherwise than those
    /// before. The number is told among the watches that have something to deliver when that is so.
    /// `None`: its holder has to ask each time.
    fn stand(&mut self, ticket: Ticket, next: Time, period: Duration) -> Option<WatchId> {
        let _ = (ticket, next, period);
        None
    }

    /// Whether the API server still makes these renewals by itself.
    fn stands(&self, _renewals: WatchId) -> bool {
        false
    }

    /// From now on, their holder makes these renewals. Tells how far they have come: what he would
    /// know if he had asked for each.
    fn stand_down(&mut self, _renewals: WatchId) -> Option<Stood> {
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
