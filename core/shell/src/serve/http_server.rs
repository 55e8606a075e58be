//! The connections of a server that speaks HTTP/1.1, in clear or over TLS.

use super::stream::Stream;
use crate::{Errno, NetStack, SocketId};
use naru_network::http::{Request, RequestReader, Response, Version};
use naru_pki::tls::{self, Identity, ServerConfig, TlsError};
use naru_pki::{Certificate, PrivateKey};
use naru_sim::{Rng, Time};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Connections of one server at one time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;
/// Bytes read from a connection at once.
const READ_MAX: usize = 16 * 1024;
/// Bytes that wait for a client that does not read.
const UNREAD_MAX: usize = 1024 * 1024;

/// Names a connection of an [`HttpServer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// Listens, reads requests, writes answers. Nothing waits: [`HttpServer::poll`] gives what is
/// complete, and an answer may be given at any later time, whole or in pieces.
#[derive(Clone, Debug, Default)]
pub struct HttpServer {
    listeners: Vec<Listener>,
    connections: Vec<Connection>,
    accepted: u64,
    failures: Vec<(SocketAddr, TlsError)>,
}

#[derive(Clone, Debug)]
struct Listener {
    socket: SocketId,
    secured: Option<Secured>,
}

/// How a listener secures its connections.
#[derive(Clone, Debug)]
pub struct Secured {
    /// What it shows.
    pub config: Arc<ServerConfig>,
    /// What a client is told that does not speak TLS, on the bare wire.
    pub told_in_clear: &'static str,
    /// Randomness of its handshakes.
    pub rng: Rng,
}

impl Secured {
    /// Shows these certificates, each a chain and its key in PEM: the first whose names fit what a
    /// client wants, or the very first. The error names the pair that cannot be read.
    pub fn of_pem(
        pairs: &[(String, String)],
        told_in_clear: &'static str,
        rng: Rng,
    ) -> Result<Secured, usize> {
        let identity = |(chain, key): &(String, String)| {
            let certificate = Certificate::from_pem(chain).ok()?;
            let key = PrivateKey::from_pem(key).ok()?;
            Some(Identity { chain: vec![certificate], key })
        };
        let mut identities = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            identities.push(identity(pair).ok_or(at)?);
        }
        let protocols = vec!["http/1.1".to_owned()];
        let config = Arc::new(ServerConfig { identities, protocols, asks_clients: None });
        Ok(Secured { config, told_in_clear, rng })
    }
}

#[derive(Clone, Debug)]
struct Connection {
    id: ConnectionId,
    stream: Stream,
    told_in_clear: &'static str,
    peer: SocketAddr,
    reader: RequestReader,
    /// A request was given out and has no answer yet; the next one waits.
    busy: bool,
    /// Its answer comes in pieces.
    streams: bool,
    /// The pieces have no lengths: the answer ends with the connection.
    bare: bool,
    /// Requests that were given out.
    requests: u32,
    /// After what is to be written, close.
    last: bool,
    out: Vec<u8>,
}

/// A complete request and where to send its answer.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Where to send the answer.
    pub connection: ConnectionId,
    /// Who asks.
    pub peer: SocketAddr,
    /// How many requests came by this connection before.
    pub earlier: u32,
    /// The request.
    pub request: Request,
}

impl HttpServer {
    /// Starts to listen on all addresses of the machine.
    pub fn listen(&mut self, net: &mut dyn NetStack, port: u16) -> Result<(), Errno> {
        self.listen_at(net, port, None)
    }

    /// Starts to listen on all addresses of the machine, for TLS.
    pub fn listen_tls(
        &mut self,
        net: &mut dyn NetStack,
        port: u16,
        secured: Secured,
    ) -> Result<(), Errno> {
        self.listen_at(net, port, Some(secured))
    }

    fn listen_at(
        &mut self,
        net: &mut dyn NetStack,
        port: u16,
        secured: Option<Secured>,
    ) -> Result<(), Errno> {
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        self.listeners.push(Listener { socket: net.tcp_listen(at)?, secured });
        Ok(())
    }

    /// From now on, listeners for TLS show these certificates.
    pub fn show(&mut self, config: &Arc<ServerConfig>) {
        for secured in self.listeners.iter_mut().filter_map(|listener| listener.secured.as_mut()) {
            secured.config = Arc::clone(config);
        }
    }

    /// Starts to listen at one address, and says where; port 0 takes a free one.
    pub fn listen_on(
        &mut self,
        net: &mut dyn NetStack,
        at: SocketAddr,
    ) -> Result<SocketAddr, Errno> {
        let socket = net.tcp_listen(at)?;
        self.listeners.push(Listener { socket, secured: None });
        net.local_addr(socket)
    }

    /// Takes connections and reads; gives the requests that are complete.
    pub fn poll(&mut self, net: &mut dyn NetStack, now: Time) -> Vec<Incoming> {
        self.accept(net);
        let mut requests = Vec::new();
        for connection in &mut self.connections {
            if let Some(error) = connection.read(net, now) {
                self.failures.push((connection.peer, error));
            }
            requests.extend(connection.next_request());
        }
        requests
    }

    /// The clients with whom no secured connection came about since the last call, and why.
    pub fn take_failures(&mut self) -> Vec<(SocketAddr, TlsError)> {
        std::mem::take(&mut self.failures)
    }

    /// What TLS knows of a client; `None` in clear.
    pub fn tls(&self, connection: ConnectionId) -> Option<&tls::Connection> {
        self.connections.iter().find(|c| c.id == connection)?.stream.tls()
    }

    /// Gives the answer to a request. Nothing happens if the client is gone.
    pub fn respond(&mut self, incoming: &Incoming, response: &Response) {
        let Some(connection) = self.find(incoming.connection) else { return };
        let head = incoming.request.method == "HEAD";
        let named = names_keep_alive(&incoming.request, response);
        let named = named.as_ref().unwrap_or(response);
        let bytes = if head { named.head_to_bytes() } else { named.to_bytes() };
        connection.out.extend_from_slice(&bytes);
        connection.answered(incoming, response);
    }

    /// Begins an answer whose body comes in pieces: see [`HttpServer::say`]. A client of HTTP/1.0 knows
    /// nothing of chunks: for it the end of the connection is the end (RFC 9112, section 6.3).
    pub fn begin(&mut self, incoming: &Incoming, head: &Response) {
        let Some(connection) = self.find(incoming.connection) else { return };
        let mut head = head.clone();
        head.body.clear();
        connection.streams = true;
        connection.bare = incoming.request.version == Version::Http10;
        if connection.bare {
            head.headers.set("Connection", "close");
        }
        connection.out.extend_from_slice(&head.begun_head_to_bytes(!connection.bare));
        connection.last |= !incoming.request.keep_alive() || !head.keep_alive();
    }

    /// Adds a piece to an answer; an empty one ends it.
    pub fn say(&mut self, connection: ConnectionId, piece: &[u8]) {
        let Some(connection) = self.find(connection) else { return };
        if connection.bare {
            connection.out.extend_from_slice(piece);
        } else {
            connection.out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            connection.out.extend_from_slice(piece);
            connection.out.extend_from_slice(b"\r\n");
        }
        connection.busy &= !piece.is_empty();
        connection.streams &= !piece.is_empty();
    }

    /// Whether the client is there and reads: pieces may be said.
    pub fn takes(&self, connection: ConnectionId) -> Takes {
        match self.connections.iter().find(|c| c.id == connection) {
            None => Takes::Gone,
            Some(connection) if connection.out.len() > UNREAD_MAX => Takes::Later,
            Some(_) => Takes::Now,
        }
    }

    /// Writes what was answered; forgets connections that are over. Tells whether a request that
    /// had to wait behind another may be there now.
    pub fn flush(&mut self, net: &mut dyn NetStack) {
        self.connections.retain_mut(|connection| {
            let open = connection.write(net);
            if !open {
                connection.stream.close(net);
            }
            open
        });
    }

    /// Closes everything.
    pub fn close(&mut self, net: &mut dyn NetStack) {
        for listener in self.listeners.drain(..) {
            net.close(listener.socket);
        }
        for mut connection in self.connections.drain(..) {
            connection.stream.close(net);
        }
    }

    fn find(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    fn accept(&mut self, net: &mut dyn NetStack) {
        for listener in &mut self.listeners {
            while self.connections.len() < CONNECTIONS_MAX {
                let Ok((socket, peer)) = net.accept(listener.socket) else { break };
                self.accepted += 1;
                let stream = match &mut listener.secured {
                    None => Stream::plain(socket),
                    Some(secured) => {
                        Stream::server(socket, Arc::clone(&secured.config), &mut secured.rng)
                    }
                };
                self.connections.push(Connection {
                    id: ConnectionId(self.accepted),
                    stream,
                    told_in_clear: listener.secured.as_ref().map_or("", |s| s.told_in_clear),
                    peer,
                    reader: RequestReader::new(),
                    busy: false,
                    streams: false,
                    bare: false,
                    requests: 0,
                    last: false,
                    out: Vec::new(),
                });
            }
        }
    }
}

/// The answer with the header by which a client of HTTP/1.0 knows that the connection it asked to keep
/// is kept (RFC 9112, section 9.3); none where it needs none.
fn names_keep_alive(request: &Request, response: &Response) -> Option<Response> {
    let asked = request.version == Version::Http10 && request.keep_alive();
    let unsaid = asked && response.headers.get("Connection").is_none();
    unsaid.then(|| response.clone().with("Connection", "keep-alive"))
}

/// Whether pieces of an answer may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// They may.
    Now,
    /// The client is slow.
    Later,
    /// The client is gone.
    Gone,
}

impl Connection {
    /// Reads what came; tells why no secured connection came about.
    fn read(&mut self, net: &mut dyn NetStack, now: Time) -> Option<TlsError> {
        // A client that waits for its answer may have closed its own side. One whose answer goes on
        // and on is gone when it does.
        while !self.last && (!self.busy || self.streams) {
            match self.stream.recv(net, now, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.end(),
                Ok(bytes) => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                Err(_) => {
                    self.end();
                    if let Some(tls::State::Failed(error)) =
                        self.stream.tls().map(tls::Connection::state)
                    {
                        let error = error.clone();
                        self.tell_in_clear(net, &error);
                        return Some(error);
                    }
                }
            }
        }
        None
    }

    /// The client says no more, and waits for no answer that goes on and on.
    fn end(&mut self) {
        self.last = true;
        self.busy &= !self.streams;
    }

    /// Whoever does not speak TLS is told so as Go and nginx tell it.
    fn tell_in_clear(&self, net: &mut dyn NetStack, error: &TlsError) {
        if matches!(error, TlsError::NotTls(_)) && !self.told_in_clear.is_empty() {
            let _ = net.send(self.stream.socket(), self.told_in_clear.as_bytes());
        }
    }

    fn answered(&mut self, incoming: &Incoming, response: &Response) {
        self.busy = false;
        self.last |= !incoming.request.keep_alive() || !response.keep_alive();
    }

    fn next_request(&mut self) -> Option<Incoming> {
        if self.busy {
            return None;
        }
        match self.reader.take() {
            Ok(Some(request)) => {
                self.busy = true;
                let earlier = self.requests;
                self.requests = earlier.saturating_add(1);
                Some(Incoming { connection: self.id, peer: self.peer, earlier, request })
            }
            Ok(None) => None,
            Err(_) => {
                let answer = Response::new(400, "").with("Connection", "close");
                self.out.extend_from_slice(&answer.to_bytes());
                self.last = true;
                None
            }
        }
    }

    /// Tells whether the connection goes on.
    fn write(&mut self, net: &mut dyn NetStack) -> bool {
        while !self.out.is_empty() {
            match self.stream.send(net, &self.out) {
                Ok(0) | Err(Errno::Again) => return true,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(_) => return false,
            }
        }
        if self.stream.flush(net).is_err() {
            return false;
        }
        !self.last || self.busy || !self.stream.is_flushed()
    }
}
