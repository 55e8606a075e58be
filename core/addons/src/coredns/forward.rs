//! The plugin `forward`: questions that other name servers are asked.
//!
//! Upstream: `plugin/forward/forward.go`, `plugin/pkg/proxy`.

use super::answer::Onward;
use super::corefile::address;
use naru_network::dns::Message;
use naru_shell::{Errno, SocketId, Sys};
use naru_sim::Time;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long one server has, and how long another is tried after it. Upstream: `readTimeout`,
/// `defaultTimeout`.
const TRY: Duration = Duration::from_secs(2);
const TRIES_FOR: Duration = Duration::from_secs(5);
/// Questions on their way at once.
const PENDING_MAX: usize = 1_000;

/// Who asked, and how the answer gets there.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The address.
    pub from: SocketAddr,
    /// The socket that the question came by.
    pub socket: SocketId,
    /// It is a connection, on which messages have their length before them.
    pub framed: bool,
    /// Bytes of the question.
    pub length: usize,
}

/// The questions that others have been asked.
#[derive(Clone, Debug, Default)]
pub struct Forwarder {
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    query: Message,
    onward: Onward,
    client: Client,
    /// Whom to ask, in turn, beginning with the one at `at`.
    servers: Vec<SocketAddr>,
    at: usize,
    id: u16,
    socket: Option<SocketId>,
    local: Option<SocketAddr>,
    began: Time,
    sent: Time,
}

/// What came of a question.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The question.
    pub query: Message,
    /// Who asked.
    pub client: Client,
    /// The answer.
    pub reply: Message,
    /// Why nobody answered.
    pub failed: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Forwarder {
    /// Asks another server.
    pub fn ask(&mut self, sys: &mut dyn Sys, query: Message, onward: Onward, client: Client) {
        let mut servers = Vec::new();
        for to in &onward.to {
            match address(to) {
                Some(server) => servers.push(server),
                None => {
                    let path = sys.absolute(to);
                    let text = sys.fs().read_text(&path).unwrap_or_default();
                    servers.extend(name_servers(&text));
                }
            }
        }
        if self.pending.len() >= PENDING_MAX {
            self.pending.remove(0);
        }
        let now = sys.now();
        let id = sys.rng().below(1 << 16) as u16;
        let at = sys.rng().below(servers.len().max(1) as u64) as usize;
        let (socket, local) = (None, None);
        let mut pending = Pending {
            query,
            onward,
            client,
            servers,
            at,
            id,
            socket,
            local,
            began: now,
            sent: now,
        };
        pending.send(sys);
        self.pending.push(pending);
    }

    /// When a server has had its time.
    pub fn next_due(&self) -> Option<Time> {
        self.pending.iter().map(|pending| pending.sent + TRY).min()
    }

    /// Whether an answer is waited for.
    pub fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes what came.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Vec<Answered> {
        let mut done = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            match pending.poll(sys) {
                None => self.pending.push(pending),
                Some(said) => {
                    let Pending { query, onward, client, began, .. } = pending;
                    let (said, failed) = match said {
                        Ok(said) => (Some(said), None),
                        Err(why) => (None, Some(why)),
                    };
                    let reply = onward.complete(&query, said, sys.rng());
                    let took = sys.now().since(began);
                    done.push(Answered { query, client, reply, failed, took });
                }
            }
        }
        done
    }
}

impl Pending {
    fn server(&self) -> Option<SocketAddr> {
        self.servers.get(self.at % self.servers.len().max(1)).copied()
    }

    fn send(&mut self, sys: &mut dyn Sys) {
        self.sent = sys.now();
        let (Some(server), Some(kind)) = (self.server(), self.onward.kind) else { return };
        let mut question = Message::query(self.id, self.onward.name.clone(), kind);
        question.edns_size = self.query.edns_size;
        let Some(net) = sys.net() else { return };
        self.socket = net.udp_bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).ok();
        let Some(socket) = self.socket else { return };
        self.local = net.local_addr(socket).ok().map(|local| own_address(sys, local));
        let Some(net) = sys.net() else { return };
        // What cannot be sent has no answer.
        let _ = net.udp_send(socket, server, &question.encode());
    }

    /// What a server said, or why none did; `None` while one may still say something.
    fn poll(&mut self, sys: &mut dyn Sys) -> Option<Result<Message, String>> {
        let Some(server) = self.server() else { return Some(Err("no upstream host".to_owned())) };
        let error = match self.receive(sys) {
            Ok(Some(message)) => {
                self.hang_up(sys);
                return Some(Ok(message));
            }
            Ok(None) if sys.now() < self.sent + TRY => return None,
            Ok(None) => "i/o timeout".to_owned(),
            Err(error) => format!("read: {}", error.to_string().to_lowercase()),
        };
        let local = self.local.map(|local| format!("{local}->")).unwrap_or_default();
        self.hang_up(sys);
        if sys.now() < self.began + TRIES_FOR && error == "i/o timeout" {
            self.at += 1;
            self.send(sys);
            return None;
        }
        Some(Err(format!("read udp {local}{server}: {error}")))
    }

    fn receive(&mut self, sys: &mut dyn Sys) -> Result<Option<Message>, Errno> {
        let Some(socket) = self.socket else { return Ok(None) };
        let Some(net) = sys.net() else { return Ok(None) };
        loop {
            match net.udp_recv(socket) {
                Ok((bytes, _)) => {
                    let message = Message::decode(&bytes).ok();
                    let ours = message.filter(|it| it.response && it.id == self.id);
                    if ours.is_some() {
                        return Ok(ours);
                    }
                }
                Err(Errno::Again) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
    }
}

/// A socket's address, with the machine's own in the place of any: that of its name in `/etc/hosts`.
fn own_address(sys: &mut dyn Sys, local: SocketAddr) -> SocketAddr {
    let name = sys.hostname().to_owned();
    let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
    let line = hosts.lines().find(|line| line.split_whitespace().skip(1).any(|it| it == name));
    let ip = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    SocketAddr::new(ip.unwrap_or(local.ip()), local.port())
}

/// The name servers of a `resolv.conf`.
fn name_servers(text: &str) -> impl Iterator<Item = SocketAddr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| address(words.next()?))?
    })
}
