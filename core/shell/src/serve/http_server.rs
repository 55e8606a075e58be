//! The connections of a server that speaks HTTP/1.1.

use crate::{Errno, NetStack, SocketId, Sys};
use naru_network::http::{Request, RequestReader, Response};
use std::net::{Ipv4Addr, SocketAddr};

/// Connections of one server at one time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;
/// Bytes read from a connection at once.
const READ_MAX: usize = 16 * 1024;

/// Names a connection of an [`HttpServer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(u64);

/// Listens, reads requests, writes answers. Nothing waits: [`HttpServer::poll`] gives what is
/// complete, and an answer may be given at any later time.
#[derive(Clone, Debug, Default)]
pub struct HttpServer {
    listeners: Vec<SocketId>,
    connections: Vec<Connection>,
    accepted: u64,
}

#[derive(Clone, Debug)]
struct Connection {
    id: ConnectionId,
    socket: SocketId,
    peer: SocketAddr,
    reader: RequestReader,
    /// A request was given out and has no answer yet; the next one waits.
    busy: bool,
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
    /// The request.
    pub request: Request,
}

impl HttpServer {
    /// Starts to listen on all addresses of the machine.
    pub fn listen(&mut self, sys: &mut dyn Sys, port: u16) -> Result<(), Errno> {
        let net = sys.net().ok_or(Errno::NetUnreachable)?;
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        self.listeners.push(net.tcp_listen(at)?);
        Ok(())
    }

    /// Takes connections and reads; gives the requests that are complete.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Vec<Incoming> {
        let Some(net) = sys.net() else { return Vec::new() };
        self.accept(net);
        let mut requests = Vec::new();
        for connection in &mut self.connections {
            connection.read(net);
            requests.extend(connection.next_request());
        }
        requests
    }

    /// Gives the answer to a request. Nothing happens if the client is gone.
    pub fn respond(&mut self, incoming: &Incoming, response: &Response) {
        let found = self.connections.iter_mut().find(|c| c.id == incoming.connection);
        let Some(connection) = found else { return };
        let head = incoming.request.method == "HEAD";
        let bytes = if head { response.head_to_bytes() } else { response.to_bytes() };
        connection.out.extend_from_slice(&bytes);
        connection.busy = false;
        connection.last |= !incoming.request.keep_alive() || !response.keep_alive();
    }

    /// Writes what was answered; forgets connections that are over. Tells whether a request that
    /// had to wait behind another may be there now.
    pub fn flush(&mut self, sys: &mut dyn Sys) {
        let Some(net) = sys.net() else { return };
        self.connections.retain_mut(|connection| connection.write(net));
    }

    /// Closes everything.
    pub fn close(&mut self, sys: &mut dyn Sys) {
        let Some(net) = sys.net() else { return };
        for listener in self.listeners.drain(..) {
            net.close(listener);
        }
        for connection in self.connections.drain(..) {
            net.close(connection.socket);
        }
    }

    fn accept(&mut self, net: &mut dyn NetStack) {
        for listener in &self.listeners {
            while self.connections.len() < CONNECTIONS_MAX {
                let Ok((socket, peer)) = net.accept(*listener) else { break };
                self.accepted += 1;
                self.connections.push(Connection {
                    id: ConnectionId(self.accepted),
                    socket,
                    peer,
                    reader: RequestReader::new(),
                    busy: false,
                    last: false,
                    out: Vec::new(),
                });
            }
        }
    }
}

impl Connection {
    fn read(&mut self, net: &mut dyn NetStack) {
        while !self.last && !self.busy {
            match net.recv(self.socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.last = true,
                Ok(bytes) => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                Err(_) => self.last = true,
            }
        }
    }

    fn next_request(&mut self) -> Option<Incoming> {
        if self.busy {
            return None;
        }
        match self.reader.take() {
            Ok(Some(request)) => {
                self.busy = true;
                Some(Incoming { connection: self.id, peer: self.peer, request })
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
            match net.send(self.socket, &self.out) {
                Ok(0) | Err(Errno::Again) => return true,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(_) => {
                    net.close(self.socket);
                    return false;
                }
            }
        }
        let over = self.last && !self.busy;
        if over {
            net.close(self.socket);
        }
        !over
    }
}
