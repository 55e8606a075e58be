//! One connection or request that is passed on to a server.
//!
//! Upstream: `src/stream.c`, `src/backend.c`; the log's lines are those of `doc/configuration.txt`,
//! "TCP log format" and "HTTP log format".

use super::conf::{Config, Proxy};
use super::{Place, millis};
use crate::pipe::Pipe;
use naru_network::http::ResponseReader;
use naru_shell::serve::{Incoming, Response, clock};
use naru_shell::{Errno, NetStack, SocketId, Sys};
use naru_sim::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a server that could not be reached is left alone.
const PAUSE: Duration = Duration::from_secs(1);
const READ_MAX: usize = 64 * 1024;
const ACCEPT_DATE: &str = "%d/%b/%Y:%H:%M:%S.%3f";

/// One client.
#[derive(Clone, Debug)]
pub struct Session {
    /// The port that it came to, and that port's section.
    pub front: usize,
    /// Number of the section that it came to.
    pub proxy: usize,
    /// Number of the section that serves it.
    pub backend: Option<usize>,
    /// The server that was chosen.
    pub server: Option<Place>,
    /// What it wants.
    pub client: Client,
    peer: SocketAddr,
    began: Time,
    connected: Option<Time>,
    retries: u32,
    stage: Stage,
}

/// What a client wants to be passed on.
#[derive(Clone, Debug)]
pub enum Client {
    /// A connection.
    Tcp(SocketId),
    /// A request.
    Http(Box<Incoming>),
}

#[derive(Clone, Debug)]
enum Stage {
    Waiting(Time),
    Connecting(SocketId, Option<Time>),
    Piped(Pipe),
    Asking(Box<Asking>),
}

#[derive(Clone, Debug)]
struct Asking {
    socket: SocketId,
    out: Vec<u8>,
    reader: ResponseReader,
    deadline: Option<Time>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub struct End {
    /// What an HTTP client gets.
    pub answer: Option<Response>,
    /// Who ended it, and when: two letters of the log's termination state.
    state: &'static str,
    bytes: u64,
}

impl Session {
    /// A client that has just come.
    pub fn new(
        front: usize,
        proxy: usize,
        backend: Option<usize>,
        server: Option<Place>,
        peer: SocketAddr,
        client: Client,
        now: Time,
    ) -> Self {
        let stage = Stage::Waiting(now);
        let (connected, retries) = (None, 0);
        Session {
            front,
            proxy,
            backend,
            server,
            client,
            peer,
            began: now,
            connected,
            retries,
            stage,
        }
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        match &self.stage {
            Stage::Waiting(until) => Some(*until),
            Stage::Connecting(_, deadline) => *deadline,
            Stage::Piped(_) => None,
            Stage::Asking(asking) => asking.deadline,
        }
    }

    /// Goes on as far as it can; tells how it ended if it did.
    pub fn go_on(&mut self, sys: &mut dyn Sys, config: &Config) -> Option<End> {
        let now = sys.now();
        let net = sys.net()?;
        let Some(place) = self.server else { return Some(self.fail(net, 503, "SC")) };
        let backend = config.proxies.get(place.0)?;
        let address = backend.servers.get(place.1)?.address;
        if let Stage::Waiting(until) = self.stage {
            if now < until {
                return None;
            }
            match net.tcp_connect(address) {
                Ok(socket) => {
                    let deadline = backend.timeout("connect").map(|it| now + it);
                    self.stage = Stage::Connecting(socket, deadline);
                }
                Err(_) => return self.again(net, backend, now, "SC"),
            }
        }
        if let Stage::Connecting(socket, deadline) = self.stage {
            match net.connected(socket) {
                Ok(()) => self.pass_on(socket, config, backend, now),
                Err(Errno::Again) if deadline.is_none_or(|it| now < it) => return None,
                found => {
                    net.close(socket);
                    let state = if found == Err(Errno::Again) { "sC" } else { "SC" };
                    return self.again(net, backend, now, state);
                }
            }
        }
        match &mut self.stage {
            Stage::Piped(pipe) => {
                let ended = !pipe.pump(net);
                let bytes = pipe.bytes_down();
                ended.then_some(End { answer: None, state: "--", bytes })
            }
            Stage::Asking(asking) => asking.go_on(net, now),
            _ => None,
        }
    }

    /// Tries again after a pause, or gives up.
    fn again(
        &mut self,
        net: &mut dyn NetStack,
        backend: &Proxy,
        now: Time,
        state: &'static str,
    ) -> Option<End> {
        if self.retries >= backend.retries {
            return Some(self.fail(net, 503, state));
        }
        self.retries += 1;
        self.stage = Stage::Waiting(now + PAUSE);
        None
    }

    fn fail(&self, net: &mut dyn NetStack, status: u16, state: &'static str) -> End {
        match &self.client {
            Client::Tcp(socket) => {
                net.close(*socket);
                End { answer: None, state, bytes: 0 }
            }
            Client::Http(_) => End::refusal(status, state),
        }
    }

    /// The server is there.
    fn pass_on(&mut self, socket: SocketId, config: &Config, backend: &Proxy, now: Time) {
        self.connected = Some(now);
        self.stage = match &self.client {
            Client::Tcp(client) => Stage::Piped(Pipe::new(*client, socket)),
            Client::Http(incoming) => {
                let mut request = incoming.request.clone();
                let front = config.proxies.get(self.proxy);
                if backend.forward_for || front.is_some_and(|front| front.forward_for) {
                    request.headers.add("X-Forwarded-For", self.peer.ip().to_string());
                }
                request.headers.set("Connection", "close");
                Stage::Asking(Box::new(Asking {
                    socket,
                    out: request.to_bytes(),
                    reader: ResponseReader::new(&request.method),
                    deadline: backend.timeout("server").map(|it| now + it),
                }))
            }
        };
    }

    /// Its line of the log. `counts`: connections of the process, and of the frontend.
    pub fn line(
        &self,
        config: &Config,
        end: &End,
        counts: (usize, usize),
        now: Time,
    ) -> Option<String> {
        let front = config.proxies.get(self.proxy)?;
        if !front.long_log {
            return None;
        }
        let backend = self.backend.and_then(|it| config.proxies.get(it)).unwrap_or(front);
        let server = self.server.and_then(|(_, number)| backend.servers.get(number));
        let server = server.map_or("<NOSRV>", |server| server.name.as_str());
        let at = clock::format(self.began, ACCEPT_DATE);
        let head = format!("{} [{at}] {} {}/{server}", self.peer, front.name, backend.name);
        let waited = if self.server.is_some() { "0" } else { "-1" };
        let connected = self.connected.map(|it| millis(self.began, it).to_string());
        let connected = connected.unwrap_or_else(|| "-1".to_owned());
        let total = millis(self.began, now);
        let (all, own) = counts;
        let open = format!("{all}/{own}/0/0/{} 0/0", self.retries);
        let bytes = end.bytes;
        Some(match (&self.client, &end.answer) {
            (Client::Http(incoming), Some(answer)) => {
                let told = self.connected.filter(|_| end.state != "sH" && end.state != "SH");
                let told = told.map(|it| millis(it, now).to_string());
                let told = told.unwrap_or_else(|| "-1".to_owned());
                let request = &incoming.request;
                format!(
                    "{head} 0/{waited}/{connected}/{told}/{total} {} {bytes} - - {}-- {open} \"{} {} \
                     {}\"",
                    answer.status, end.state, request.method, request.target, request.version
                )
            }
            _ => format!("{head} {waited}/{connected}/{total} {bytes} {} {open}", end.state),
        })
    }
}

impl Asking {
    fn go_on(&mut self, net: &mut dyn NetStack, now: Time) -> Option<End> {
        while !self.out.is_empty() {
            match net.send(self.socket, &self.out) {
                Ok(0) | Err(_) => break,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
            }
        }
        loop {
            match net.recv(self.socket, READ_MAX) {
                Ok(bytes) if !bytes.is_empty() => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                _ => {
                    self.reader.close();
                    break;
                }
            }
        }
        let end = match self.reader.take() {
            Ok(Some(answer)) => End::answered(&answer),
            Ok(None) if self.deadline.is_none_or(|it| now < it) => return None,
            Ok(None) => End::refusal(504, "sH"),
            Err(_) => End::refusal(502, "SH"),
        };
        net.close(self.socket);
        Some(end)
    }
}

impl End {
    /// A server's answer. Upstream: names of headers are passed on in small letters.
    fn answered(from: &Response) -> End {
        let mut answer = Response { headers: Default::default(), ..from.clone() };
        for (name, value) in from.headers.iter() {
            let name = name.to_ascii_lowercase();
            if !["connection", "keep-alive", "transfer-encoding"].contains(&name.as_str()) {
                answer.headers.add(&name, value);
            }
        }
        let bytes = answer.to_bytes().len() as u64;
        End { answer: Some(answer), state: "--", bytes }
    }

    /// HAProxy's own answer. Upstream: `http_err_msgs` in `src/http.c`.
    fn refusal(status: u16, state: &'static str) -> End {
        let (title, text) = match status {
            502 => ("502 Bad Gateway", "The server returned an invalid or incomplete response."),
            503 => ("503 Service Unavailable", "No server is available to handle this request."),
            _ => ("504 Gateway Time-out", "The server didn't respond in time."),
        };
        let body = format!("<html><body><h1>{title}</h1>\n{text}\n</body></html>\n");
        let mut answer = Response::new(status, body.clone());
        if let Some((_, reason)) = title.split_once(' ') {
            reason.clone_into(&mut answer.reason);
        }
        let answer = answer
            .with("content-length", body.len().to_string())
            .with("cache-control", "no-cache")
            .with("content-type", "text/html")
            .with("connection", "close");
        let bytes = answer.to_bytes().len() as u64;
        End { answer: Some(answer), state, bytes }
    }
}
