//! A network that is only its ends: servers by address, names by a table.

use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType};
use naru_shell::{Errno, NetStack, SocketId};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a server does with a connection.
#[derive(Clone, Debug)]
pub enum Server {
    /// Sends this once something came, and closes.
    Answers(&'static str),
    /// Sends this and leaves the connection open.
    Holds(&'static str),
    /// Closes at once.
    Closes,
    /// Resets.
    Resets,
    /// Never lets the connection stand.
    Swallows,
}

#[derive(Clone, Debug, Default)]
struct Socket {
    to: Option<SocketAddr>,
    sent: Vec<u8>,
    answered: bool,
    incoming: VecDeque<u8>,
    closed: bool,
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
}

/// The network.
#[derive(Clone, Debug, Default)]
pub struct FakeNet {
    pub servers: BTreeMap<SocketAddr, Server>,
    pub names: BTreeMap<String, IpAddr>,
    /// The name server that answers; none: nobody does.
    pub dns: Option<IpAddr>,
    /// Names asked for, and every request sent.
    pub asked: Vec<String>,
    pub requests: Vec<String>,
    sockets: BTreeMap<SocketId, Socket>,
    next: u64,
}

impl FakeNet {
    pub fn open_sockets(&self) -> usize {
        self.sockets.len()
    }

    fn add(&mut self, socket: Socket) -> SocketId {
        self.next += 1;
        self.sockets.insert(SocketId(self.next), socket);
        SocketId(self.next)
    }

    fn server(&self, socket: SocketId) -> Option<&Server> {
        self.servers.get(&self.sockets.get(&socket)?.to?)
    }
}

impl NetStack for FakeNet {
    fn tcp_connect(&mut self, to: SocketAddr) -> Result<SocketId, Errno> {
        Ok(self.add(Socket { to: Some(to), ..Socket::default() }))
    }

    fn connected(&mut self, socket: SocketId) -> Result<(), Errno> {
        match self.server(socket) {
            None => Err(Errno::ConnRefused),
            Some(Server::Swallows) => Err(Errno::Again),
            Some(_) => Ok(()),
        }
    }

    fn tcp_listen(&mut self, _at: SocketAddr) -> Result<SocketId, Errno> {
        Ok(self.add(Socket::default()))
    }

    fn accept(&mut self, _listener: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        Err(Errno::Again)
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        let server = self.server(socket).cloned();
        let own = self.sockets.get_mut(&socket).ok_or(Errno::BadFd)?;
        own.sent.extend(bytes);
        self.requests.push(String::from_utf8_lossy(bytes).into_owned());
        if !own.answered {
            own.answered = true;
            match server {
                Some(Server::Answers(text)) => {
                    own.incoming.extend(text.bytes());
                    own.closed = true;
                }
                Some(Server::Holds(text)) => own.incoming.extend(text.bytes()),
                _ => own.closed = true,
            }
        }
        Ok(bytes.len())
    }

    fn recv(&mut self, socket: SocketId, max: usize) -> Result<Vec<u8>, Errno> {
        if matches!(self.server(socket), Some(Server::Resets)) {
            return Err(Errno::ConnReset);
        }
        let own = self.sockets.get_mut(&socket).ok_or(Errno::BadFd)?;
        if own.incoming.is_empty() && !own.closed {
            return Err(Errno::Again);
        }
        // A few bytes at a time, so that readers meet every cut.
        let length = max.min(7).min(own.incoming.len());
        Ok(own.incoming.drain(..length).collect())
    }

    fn udp_bind(&mut self, _at: SocketAddr) -> Result<SocketId, Errno> {
        Ok(self.add(Socket::default()))
    }

    fn udp_send(&mut self, socket: SocketId, to: SocketAddr, bytes: &[u8]) -> Result<(), Errno> {
        let query = Message::decode(bytes).map_err(|_| Errno::Invalid)?;
        let question = query.questions.first().ok_or(Errno::Invalid)?.clone();
        if question.kind == RecordType::A {
            self.asked.push(question.name.to_string());
        }
        if self.dns != Some(to.ip()) {
            return Ok(());
        }
        let mut reply = query.reply();
        reply.authoritative = true;
        match self.names.get(question.name.as_str()) {
            Some(address) if question.kind == RecordType::A => reply.answers.push(Record {
                name: Name::parse(question.name.as_str()).unwrap(),
                ttl: 30,
                data: Data::address(*address),
            }),
            Some(_) => {}
            None => reply.rcode = Rcode::NxDomain,
        }
        let own = self.sockets.get_mut(&socket).ok_or(Errno::BadFd)?;
        own.datagrams.push_back((reply.encode(), to));
        Ok(())
    }

    fn udp_recv(&mut self, socket: SocketId) -> Result<(Vec<u8>, SocketAddr), Errno> {
        let own = self.sockets.get_mut(&socket).ok_or(Errno::BadFd)?;
        own.datagrams.pop_front().ok_or(Errno::Again)
    }

    fn local_addr(&self, _socket: SocketId) -> Result<SocketAddr, Errno> {
        Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 244, 1, 9)), 40000))
    }

    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.sockets.get(&socket).and_then(|socket| socket.to).ok_or(Errno::BadFd)
    }

    fn close(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
    }
}
