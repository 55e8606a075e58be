//! The thread that owns the cluster: it moves virtual time by wall time, answers requests and
//! carries what watches and streams have to say.

use super::clock::Clock;
use bytes::Bytes;
use naru_api::said;
use naru_api::service::{ConnectRequest, Stream, StreamId};
use naru_api::{ApiError, ApiService, WatchId};
use naru_apiserver::ApiServer;
use naru_apiserver::rest::{self, Answer, Head, HttpRequest, HttpResponse, StreamAnswer, Watching};
use naru_cluster::Cluster;
use std::collections::BTreeMap;
use std::sync::mpsc as thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Pieces of work between two looks at the requests.
const TURNS_MAX: u64 = 2_000;
/// Requests answered between two looks at the time.
const COMMANDS_MAX: usize = 100;
/// How long the thread sleeps at most: so long may it take to see that a client is gone.
const SLEEP_MAX: Duration = Duration::from_millis(200);
/// Chunks that wait for one client.
const CHUNKS_MAX: usize = 64;
/// Bytes of one chunk of a stream.
const CHUNK: usize = 32 * 1024;
/// Virtual time that an answer to a client may take by itself while time stands still.
const ANSWER_MAX: Duration = Duration::from_millis(100);

/// What a connection asks of the cluster.
#[derive(Debug)]
pub enum Command {
    /// Answer a request.
    Http(HttpRequest, oneshot::Sender<Reply>),
    /// Let virtual time pass.
    Advance(Duration, oneshot::Sender<()>),
    /// Open a stream that was allowed: a connection of a port-forward.
    Connect(Box<ConnectRequest>, oneshot::Sender<Result<Session, ApiError>>),
    /// Bytes to a stream; the answer comes when there is room for more.
    Input(StreamId, Bytes, oneshot::Sender<()>),
    /// The client sends no more.
    EndInput(StreamId),
    /// The client's terminal has these columns and rows.
    Resize(StreamId, u16, u16),
}

/// What a connection is answered.
#[derive(Debug)]
pub enum Reply {
    /// All of it.
    Full(HttpResponse),
    /// A head, and a body that goes on.
    Endless(Head, mpsc::Receiver<Bytes>),
    /// The connection becomes this stream.
    Command(Session, rest::Wants),
    /// The connection carries connections to ports.
    PortForward(Box<ConnectRequest>, Vec<u16>),
}

/// A stream's end at its client.
#[derive(Debug)]
pub struct Session {
    /// Which stream.
    pub id: StreamId,
    /// What comes out of it. To drop this ends the stream.
    pub output: mpsc::Receiver<Output>,
}

/// What comes out of a stream.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// It has ended: with this exit code, or since it could not be done.
    End(Result<i32, ApiError>),
}

/// The cluster and its clients.
pub struct Engine {
    cluster: Cluster,
    clock: Clock,
    commands: thread::Receiver<Command>,
    watches: BTreeMap<WatchId, Watcher>,
    streams: BTreeMap<StreamId, Client>,
    advances: Vec<(naru_sim::Time, oneshot::Sender<()>)>,
}

/// A client that watches.
struct Watcher {
    watching: Watching,
    chunks: mpsc::Sender<Bytes>,
    /// Said, but not taken yet.
    waiting: Vec<u8>,
    ended: bool,
}

/// A client of a stream.
struct Client {
    kind: ClientKind,
    /// Who is told that there is room for more input.
    blocked: Option<oneshot::Sender<()>>,
}

enum ClientKind {
    /// The head of a log's answer waits for the log's first word.
    NewLog {
        head: Head,
        reply: Option<oneshot::Sender<Reply>>,
    },
    /// An answer that is passed on waits for its own head, and gets these headers.
    Proxied {
        head: Head,
        reply: Option<oneshot::Sender<Reply>>,
    },
    Log(mpsc::Sender<Bytes>),
    Session(mpsc::Sender<Output>),
}

impl Engine {
    /// An engine that is asked by `commands`.
    pub fn new(cluster: Cluster, clock: Clock, commands: thread::Receiver<Command>) -> Self {
        Engine {
            cluster,
            clock,
            commands,
            watches: BTreeMap::new(),
            streams: BTreeMap::new(),
            advances: Vec::new(),
        }
    }

    /// Works until nobody can ask any more.
    pub fn run(mut self) {
        let mut busy = false;
        loop {
            let pause = if busy { Duration::ZERO } else { self.pause() };
            match self.commands.recv_timeout(pause) {
                Ok(command) => {
                    self.obey(command);
                    for _ in 0..COMMANDS_MAX {
                        let Ok(command) = self.commands.try_recv() else { break };
                        self.obey(command);
                    }
                }
                Err(thread::RecvTimeoutError::Timeout) => {}
                Err(thread::RecvTimeoutError::Disconnected) => return,
            }
            busy = !self.pass_time();
            self.tell_watches();
            busy |= self.carry_streams();
        }
    }

    /// Until something happens by itself.
    fn pause(&self) -> Duration {
        let due = self.cluster.next_due();
        due.and_then(|due| self.clock.until(due, Instant::now()))
            .unwrap_or(SLEEP_MAX)
            .min(SLEEP_MAX)
    }

    /// Lets virtual time go on; false when there is more to do at once.
    fn pass_time(&mut self) -> bool {
        let now = self.cluster.now();
        let mut target = self.clock.target(now, Instant::now());
        if let Some((to, _)) = self.advances.first() {
            target = target.max(*to);
        }
        let arrived = self.cluster.advance(target, TURNS_MAX);
        if arrived {
            while self.advances.first().is_some_and(|(to, _)| *to <= target) {
                let (_, reply) = self.advances.remove(0);
                self.clock.set(self.cluster.now(), Instant::now());
                // Whoever asked may be gone.
                let _ = reply.send(());
            }
        } else {
            self.clock.fall_behind(self.cluster.now(), Instant::now());
        }
        arrived && self.advances.is_empty()
    }

    fn obey(&mut self, command: Command) {
        // What a client sees is the present.
        self.pass_time();
        match command {
            Command::Http(request, reply) => self.answer(&request, reply),
            Command::Advance(by, reply) => {
                let from = self.advances.last().map_or(self.cluster.now(), |(to, _)| *to);
                self.advances.push((from + by, reply));
            }
            Command::Connect(request, reply) => {
                let opened = self.cluster.outside(|api| api.connect(*request));
                let session = opened.map(|id| self.open_session(id));
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
                let _ = reply.send(session);
            }
            Command::Input(id, bytes, reply) => {
                self.with_stream(id, |stream| stream.stdin.extend(bytes));
                if let Some(client) = self.streams.get_mut(&id) {
                    client.blocked = Some(reply);
                }
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
            }
            Command::Resize(id, columns, rows) => {
                self.with_stream(id, |stream| stream.resized = Some((columns, rows)));
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
            }
            Command::EndInput(id) => {
                self.with_stream(id, |stream| stream.stdin_closed = true);
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
            }
        }
    }

    fn with_stream(&mut self, id: StreamId, change: impl FnOnce(&mut Stream)) {
        self.cluster.outside(|api| api.stream(id).map(change));
    }

    fn open_session(&mut self, id: StreamId) -> Session {
        let (sender, output) = mpsc::channel(CHUNKS_MAX);
        self.streams.insert(id, Client { kind: ClientKind::Session(sender), blocked: None });
        Session { id, output }
    }

    fn answer(&mut self, request: &HttpRequest, reply: oneshot::Sender<Reply>) {
        let answer = self.cluster.outside(|api| api.rest(request));
        let reply_with = match answer {
            Answer::Full(response) => Reply::Full(response),
            Answer::Watch(head, watching) => {
                let (chunks, body) = mpsc::channel(CHUNKS_MAX);
                let id = watching.id();
                let watcher = Watcher { watching, chunks, waiting: Vec::new(), ended: false };
                self.watches.insert(id, watcher);
                Reply::Endless(head, body)
            }
            Answer::Log(head, id) => {
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
                let kind = ClientKind::NewLog { head, reply: Some(reply) };
                self.streams.insert(id, Client { kind, blocked: None });
                return;
            }
            Answer::Proxied(head, id) => {
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
                let kind = ClientKind::Proxied { head, reply: Some(reply) };
                self.streams.insert(id, Client { kind, blocked: None });
                return;
            }
            Answer::Stream(StreamAnswer::Command { id, wants }) => {
                self.clock.allow(self.cluster.now() + ANSWER_MAX);
                Reply::Command(self.open_session(id), wants)
            }
            Answer::Stream(StreamAnswer::PortForward { request, ports }) => {
                Reply::PortForward(request, ports)
            }
        };
        // A client that is gone loses its watch or stream at the next look.
        let _ = reply.send(reply_with);
    }

    fn tell_watches(&mut self) {
        let Engine { cluster, watches, .. } = self;
        if !watches.is_empty() {
            cluster.outside(|api| watches.retain(|_, watcher| watcher.tell(api)));
        }
    }

    /// Hands on what came out of the streams; true when there is more.
    fn carry_streams(&mut self) -> bool {
        let Engine { cluster, streams, .. } = self;
        let mut more = false;
        if !streams.is_empty() {
            cluster.outside(|api| {
                streams.retain(|id, client| {
                    let progress = match api.stream(*id) {
                        Some(stream) => client.carry(stream),
                        None => Progress::Ended,
                    };
                    more |= matches!(progress, Progress::More);
                    let open = !matches!(progress, Progress::Ended);
                    if !open {
                        api.disconnect(*id);
                    }
                    open
                });
            });
        }
        more
    }
}

impl Watcher {
    /// Says what there is to say; false when the watch is over.
    fn tell(&mut self, api: &mut ApiServer) -> bool {
        if self.waiting.is_empty() && !self.ended {
            let output = self.watching.poll(api);
            self.waiting = output.bytes;
            self.ended = output.ended;
        }
        if !self.waiting.is_empty() {
            match self.chunks.try_reserve() {
                Ok(room) => room.send(std::mem::take(&mut self.waiting).into()),
                Err(mpsc::error::TrySendError::Full(())) => return true,
                Err(mpsc::error::TrySendError::Closed(())) => self.ended = true,
            }
        }
        let over = self.ended || self.chunks.is_closed();
        if over {
            api.unwatch(self.watching.id());
        }
        !over
    }
}

enum Progress {
    Open,
    More,
    Ended,
}

impl Client {
    fn carry(&mut self, stream: &mut Stream) -> Progress {
        if stream.stdin.len() < Stream::BUFFER_MAX
            && let Some(blocked) = self.blocked.take()
        {
            let _ = blocked.send(());
        }
        match &mut self.kind {
            ClientKind::Proxied { head, reply } => {
                let Some(answer) = rest::proxied(head, stream) else {
                    let gone = reply.as_ref().is_none_or(oneshot::Sender::is_closed);
                    return if gone { Progress::Ended } else { Progress::Open };
                };
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Reply::Full(answer));
                }
                Progress::Ended
            }
            ClientKind::NewLog { head, reply } => {
                if stream.stdout.is_empty() && stream.result.is_none() {
                    let gone = reply.as_ref().is_none_or(oneshot::Sender::is_closed);
                    return if gone { Progress::Ended } else { Progress::Open };
                }
                let Some(reply) = reply.take() else { return Progress::Ended };
                if let Some(Err(error)) = &stream.result
                    && stream.stdout.is_empty()
                {
                    let _ = reply.send(Reply::Full(rest::error_response(error)));
                    return Progress::Ended;
                }
                let (chunks, body) = mpsc::channel(CHUNKS_MAX);
                let _ = reply.send(Reply::Endless(head.clone(), body));
                self.kind = ClientKind::Log(chunks);
                Progress::More
            }
            ClientKind::Log(chunks) => {
                while !stream.stdout.is_empty() {
                    match chunks.try_reserve() {
                        Ok(room) => room.send(chunk(&mut stream.stdout)),
                        Err(mpsc::error::TrySendError::Full(())) => return Progress::Open,
                        Err(mpsc::error::TrySendError::Closed(())) => return Progress::Ended,
                    }
                }
                let over = stream.result.is_some() || chunks.is_closed();
                if over { Progress::Ended } else { Progress::Open }
            }
            ClientKind::Session(output) => carry_session(stream, output),
        }
    }
}

fn carry_session(stream: &mut Stream, output: &mpsc::Sender<Output>) -> Progress {
    loop {
        let ended = stream.stdout.is_empty() && stream.stderr.is_empty();
        if ended && stream.result.is_none() {
            return if output.is_closed() { Progress::Ended } else { Progress::Open };
        }
        let room = match output.try_reserve() {
            Ok(room) => room,
            Err(mpsc::error::TrySendError::Full(())) => return Progress::Open,
            Err(mpsc::error::TrySendError::Closed(())) => return Progress::Ended,
        };
        if let Some((output, bytes)) = stream.take_said(CHUNK) {
            room.send(match output {
                said::Output::Stdout => Output::Stdout(bytes.into()),
                said::Output::Stderr => Output::Stderr(bytes.into()),
            });
        } else if let Some(result) = stream.result.take() {
            room.send(Output::End(result));
            return Progress::Ended;
        }
    }
}

fn chunk(bytes: &mut std::collections::VecDeque<u8>) -> Bytes {
    let count = bytes.len().min(CHUNK);
    bytes.drain(..count).collect::<Vec<u8>>().into()
}
