//! A connection that may be secured by TLS.

use crate::{Errno, NetStack, SocketId};
use naru_pki::tls::{self, ClientConfig, Connection, ServerConfig, TlsError, Trust};
use naru_sim::{Rng, Time};
use std::sync::Arc;

/// Bytes read from the wire at once.
const READ_MAX: usize = 64 * 1024;

/// A connection: its socket, and TLS on it or not. To be read and written like a socket.
#[derive(Clone, Debug)]
pub struct Stream {
    socket: SocketId,
    tls: Option<Box<Connection>>,
    /// Bytes for the wire that it has not taken yet.
    unsent: Vec<u8>,
}

impl Stream {
    /// A connection in clear.
    pub fn plain(socket: SocketId) -> Self {
        Stream { socket, tls: None, unsent: Vec::new() }
    }

    /// A client's connection, secured.
    pub fn client(socket: SocketId, config: ClientConfig, rng: &mut Rng) -> Self {
        let tls = Some(Box::new(Connection::client(config, rng)));
        Stream { socket, tls, unsent: Vec::new() }
    }

    /// A client's connection, secured, that trusts whoever answers: a probe's, a proxy's.
    pub fn trusting_client(socket: SocketId, host: &str, rng: &mut Rng) -> Self {
        let (host, protocols) = (host.to_owned(), vec!["http/1.1".to_owned()]);
        let config = ClientConfig { host, protocols, trust: Trust::Anyone, identity: None };
        Stream::client(socket, config, rng)
    }

    /// A server's connection, secured.
    pub fn server(socket: SocketId, config: Arc<ServerConfig>, rng: &mut Rng) -> Self {
        let tls = Some(Box::new(Connection::server(config, rng)));
        Stream { socket, tls, unsent: Vec::new() }
    }

    /// Its socket.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    /// What TLS knows of the other side; `None` in clear.
    pub fn tls(&self) -> Option<&Connection> {
        self.tls.as_deref()
    }

    /// Whether the two sides can speak: [`Errno::Again`] while they get to know each other;
    /// [`Stream::tls`] says why they do not.
    pub fn established(&mut self, net: &mut dyn NetStack, now: Time) -> Result<(), Errno> {
        let wire = self.read_wire(net, now)?;
        match self.tls.as_deref().map(Connection::state) {
            None | Some(tls::State::Open | tls::State::Closed) => Ok(()),
            Some(tls::State::Handshake) if wire == Wire::Open => Err(Errno::Again),
            Some(tls::State::Handshake) => Err(Errno::ConnReset),
            Some(tls::State::Failed(_)) => Err(Errno::ConnReset),
        }
    }

    /// Bytes that came; empty when the other side has closed. A handshake that failed is
    /// [`Errno::ConnReset`]; [`Stream::tls`] says why.
    pub fn recv(
        &mut self,
        net: &mut dyn NetStack,
        now: Time,
        max: usize,
    ) -> Result<Vec<u8>, Errno> {
        if self.tls.is_none() {
            return net.recv(self.socket, max);
        }
        let wire = self.read_wire(net, now);
        let Some(tls) = &mut self.tls else { return Ok(Vec::new()) };
        let plain = tls.take_plain();
        match (plain.is_empty(), tls.state()) {
            (false, _) => Ok(plain),
            (true, tls::State::Closed) => Ok(plain),
            (true, tls::State::Failed(_)) => Err(Errno::ConnReset),
            (true, _) => match wire? {
                Wire::Ended => Ok(plain),
                Wire::Open => Err(Errno::Again),
            },
        }
    }

    /// Sends; tells how many bytes were taken. What is said before the handshake is over waits
    /// here.
    pub fn send(&mut self, net: &mut dyn NetStack, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(tls) = &mut self.tls else { return net.send(self.socket, bytes) };
        if matches!(tls.state(), tls::State::Failed(_)) {
            return Err(Errno::ConnReset);
        }
        self.flush(net)?;
        if !self.unsent.is_empty() {
            return Err(Errno::Again);
        }
        let taken = bytes.get(..READ_MAX).unwrap_or(bytes);
        if let Some(tls) = &mut self.tls {
            tls.send(taken);
        }
        self.flush(net)?;
        Ok(taken.len())
    }

    /// Why the two sides do not understand each other, in the words of Go's `crypto/tls`; `None`
    /// while they may.
    pub fn failure(&self) -> Option<String> {
        match self.tls()?.state() {
            tls::State::Failed(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// The same as the client of Go's `net/http` says it, which looks at what came instead.
    ///
    /// Upstream: `send` in `net/http/client.go`.
    pub fn client_failure(&self) -> Option<String> {
        match self.tls()?.state() {
            tls::State::Failed(TlsError::NotTls([b'H', b'T', b'T', b'P', b'/'])) => {
                Some("http: server gave HTTP response to HTTPS client".to_owned())
            }
            _ => self.failure(),
        }
    }

    /// Whether everything that was sent is on the wire.
    pub fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Puts on the wire what can be put there.
    pub fn flush(&mut self, net: &mut dyn NetStack) -> Result<(), Errno> {
        if let Some(tls) = &mut self.tls {
            self.unsent.extend(tls.take_output());
        }
        while !self.unsent.is_empty() {
            match net.send(self.socket, &self.unsent) {
                Ok(0) | Err(Errno::Again) => break,
                Ok(taken) => drop(self.unsent.drain(..taken.min(self.unsent.len()))),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Says goodbye and closes.
    pub fn close(&mut self, net: &mut dyn NetStack) {
        if let Some(tls) = &mut self.tls {
            if !matches!(tls.state(), tls::State::Failed(_)) {
                tls.close();
            }
            // A goodbye that the other side cannot take is none.
            let _ = self.flush(net);
        }
        net.close(self.socket);
    }

    /// Moves bytes between the wire and TLS.
    fn read_wire(&mut self, net: &mut dyn NetStack, now: Time) -> Result<Wire, Errno> {
        if self.tls.is_none() {
            return Ok(Wire::Open);
        }
        self.flush(net)?;
        loop {
            let came = net.recv(self.socket, READ_MAX);
            let Some(tls) = &mut self.tls else { return Ok(Wire::Open) };
            match came {
                Ok(bytes) if bytes.is_empty() => return Ok(Wire::Ended),
                Ok(bytes) => tls.receive(&bytes, now),
                Err(Errno::Again) => return Ok(Wire::Open),
                Err(errno) => return Err(errno),
            }
            self.flush(net)?;
            if self.tls.as_ref().is_some_and(|tls| matches!(tls.state(), tls::State::Failed(_))) {
                return Ok(Wire::Open);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Open,
    Ended,
}
