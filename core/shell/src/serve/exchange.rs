//! One request that a server passes on to another server.

use super::dial::{Dial, DialError};
use super::http_server::Incoming;
use crate::{Errno, Progress, SocketId, Sys};
use naru_network::http::{Request, Response, ResponseReader};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// nginx: `proxy_connect_timeout`, `proxy_read_timeout`.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes read at once.
const READ_MAX: usize = 64 * 1024;

/// A request under way.
#[derive(Clone, Debug)]
pub struct Exchange {
    url: String,
    host: String,
    state: State,
    out: Vec<u8>,
    reader: ResponseReader,
    deadline: Time,
    /// When a name server is asked again.
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
enum State {
    Dialing(Box<Dial>),
    Talking(SocketId),
    Failed(u16, String),
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The other server's answer.
    Answer(Response),
    /// None came.
    Failed {
        /// The status to answer with.
        status: u16,
        /// Why, in nginx's words.
        why: String,
    },
}

impl Exchange {
    /// Begins to ask `url`, whose host may be the name of a group of servers.
    pub fn begin(
        sys: &mut dyn Sys,
        url: &str,
        incoming: &Incoming,
        groups: &BTreeMap<String, Vec<String>>,
    ) -> Exchange {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let member = groups.get(authority).and_then(|members| pick(sys, members));
        let target = member.unwrap_or_else(|| authority.to_owned());
        let mut request = Request { target: path.to_owned(), ..incoming.request.clone() };
        request.headers.set("Host", authority);
        request.headers.set("Connection", "close");
        Exchange::with(sys, url, &target, &request, TIMEOUT)
    }

    /// Begins to send a request, as it is, to `target`: a host or an address, with or without a port.
    /// `url` is what messages call it.
    pub fn with(
        sys: &mut dyn Sys,
        url: &str,
        target: &str,
        request: &Request,
        timeout: Duration,
    ) -> Exchange {
        let mut exchange = Exchange {
            url: url.to_owned(),
            host: String::new(),
            state: State::Failed(502, String::new()),
            out: request.to_bytes(),
            reader: ResponseReader::new(&request.method),
            deadline: sys.now() + timeout,
            retry_at: None,
        };
        let (host, port) = target.rsplit_once(':').unwrap_or((target, "80"));
        exchange.state = match port.parse() {
            Ok(port) => State::Dialing(Box::new(Dial::new(host, port))),
            Err(_) => State::Failed(502, format!("invalid port in upstream \"{target}\"")),
        };
        exchange.host = host.to_owned();
        exchange
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Time {
        self.retry_at.map_or(self.deadline, |at| at.min(self.deadline))
    }

    /// Goes on as far as it can; the outcome when there is one.
    pub fn go_on(&mut self, sys: &mut dyn Sys) -> Option<Outcome> {
        let now = sys.now();
        if let State::Failed(status, why) = &self.state {
            return Some(Outcome::Failed { status: *status, why: why.clone() });
        }
        if let State::Dialing(dial) = &mut self.state {
            match dial.poll(sys) {
                Progress::Waits(until) => self.retry_at = until,
                Progress::Done(Ok(socket)) => {
                    self.retry_at = None;
                    self.state = State::Talking(socket);
                }
                Progress::Done(Err(error)) => {
                    return Some(Outcome::Failed { status: 502, why: self.no_connection(error) });
                }
            }
        }
        if let State::Talking(socket) = self.state
            && let Some(outcome) = self.talk(sys, socket)
        {
            sys.net()?.close(socket);
            return Some(outcome);
        }
        if now < self.deadline {
            return None;
        }
        match &mut self.state {
            State::Talking(socket) => sys.net()?.close(*socket),
            State::Dialing(dial) => dial.hang_up(sys),
            State::Failed(..) => {}
        }
        let why = format!(
            "upstream timed out (110: Connection timed out) while reading response header from \
             upstream, upstream: \"{}\"",
            self.url
        );
        Some(Outcome::Failed { status: 504, why })
    }

    fn no_connection(&self, error: DialError) -> String {
        let (url, host) = (&self.url, &self.host);
        match error {
            DialError::NoSuchHost => format!("{host} could not be resolved (3: Host not found)"),
            DialError::Connect(errno) => format!(
                "connect() failed ({}: {errno}) while connecting to upstream, upstream: \"{url}\"",
                number(errno)
            ),
        }
    }

    fn talk(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Outcome> {
        let net = sys.net()?;
        while !self.out.is_empty() {
            match net.send(socket, &self.out) {
                Ok(0) | Err(Errno::Again) => break,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(_) => break,
            }
        }
        loop {
            match net.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    self.reader.close();
                    break;
                }
                Ok(bytes) => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                Err(_) => {
                    self.reader.close();
                    break;
                }
            }
        }
        match self.reader.take() {
            Ok(Some(mut response)) => {
                for header in ["Connection", "Keep-Alive", "Transfer-Encoding"] {
                    response.headers.remove(header);
                }
                Some(Outcome::Answer(response))
            }
            Ok(None) => None,
            Err(_) => Some(Outcome::Failed {
                status: 502,
                why: format!(
                    "upstream prematurely closed connection while reading response header from \
                     upstream, upstream: \"{}\"",
                    self.url
                ),
            }),
        }
    }
}

/// One server of a group, by chance.
fn pick(sys: &mut dyn Sys, members: &[String]) -> Option<String> {
    let index = sys.rng().below(members.len() as u64);
    members.get(usize::try_from(index).ok()?).cloned()
}

fn number(errno: Errno) -> u32 {
    match errno {
        Errno::ConnRefused => 111,
        Errno::HostUnreachable => 113,
        Errno::NetUnreachable => 101,
        _ => 110,
    }
}
