//! The sockets of one network namespace, as a kernel's processes call them.

use naru_network::{Call, NetError, Network, NsId, Pong, SockId};
use naru_shell::{Errno, NetStack, SocketId};
use std::net::{IpAddr, SocketAddr};

/// One namespace of the network, during one call into it.
#[derive(Debug)]
pub struct NamespaceStack<'a> {
    network: &'a mut Network,
    namespace: NsId,
    call: Call,
}

impl<'a> NamespaceStack<'a> {
    /// The sockets of `namespace`.
    pub fn new(network: &'a mut Network, namespace: NsId, call: Call) -> Self {
        NamespaceStack { network, namespace, call }
    }
}

fn errno(error: NetError) -> Errno {
    match error {
        NetError::Again => Errno::Again,
        NetError::BadSocket => Errno::BadFd,
        NetError::Invalid => Errno::Invalid,
        NetError::AddrInUse => Errno::AddrInUse,
        NetError::AddrNotAvailable => Errno::AddrNotAvailable,
        NetError::NetUnreachable => Errno::NetUnreachable,
        NetError::HostUnreachable => Errno::HostUnreachable,
        NetError::Refused => Errno::ConnRefused,
        NetError::Reset => Errno::ConnReset,
        NetError::Pipe => Errno::Pipe,
        NetError::TimedOut => Errno::TimedOut,
        NetError::TooLong => Errno::TooLarge,
        NetError::TooManySockets => Errno::TooManyFiles,
        NetError::NotConnected => Errno::Pipe,
    }
}

fn number(socket: SocketId) -> SockId {
    SockId(socket.0)
}

impl NetStack for NamespaceStack<'_> {
    fn tcp_connect(&mut self, to: SocketAddr) -> Result<SocketId, Errno> {
        let socket = self.network.tcp_connect(self.namespace, to, self.call).map_err(errno)?;
        Ok(SocketId(socket.0))
    }

    fn connected(&mut self, socket: SocketId) -> Result<(), Errno> {
        self.network.connected(number(socket)).map_err(errno)
    }

    fn tcp_listen(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        let socket = self.network.tcp_listen(self.namespace, at).map_err(errno)?;
        Ok(SocketId(socket.0))
    }

    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        let (socket, from) = self.network.accept(number(listener)).map_err(errno)?;
        Ok((SocketId(socket.0), from))
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        self.network.send(number(socket), bytes, self.call).map_err(errno)
    }

    fn recv(&mut self, socket: SocketId, max: usize) -> Result<Vec<u8>, Errno> {
        self.network.recv(number(socket), max, self.call).map_err(errno)
    }

    fn udp_bind(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        let socket = self.network.udp_bind(self.namespace, at).map_err(errno)?;
        Ok(SocketId(socket.0))
    }

    fn udp_send(&mut self, socket: SocketId, to: SocketAddr, bytes: &[u8]) -> Result<(), Errno> {
        self.network.udp_send(number(socket), to, bytes, self.call).map_err(errno)
    }

    fn udp_recv(&mut self, socket: SocketId) -> Result<(Vec<u8>, SocketAddr), Errno> {
        self.network.udp_recv(number(socket)).map_err(errno)
    }

    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.network.local_addr(number(socket)).map_err(errno)
    }

    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.network.peer_addr(number(socket)).map_err(errno)
    }

    fn close(&mut self, socket: SocketId) {
        self.network.close(number(socket), self.call);
    }

    fn shutdown(&mut self, socket: SocketId) {
        self.network.shutdown(number(socket), self.call);
    }

    fn ping_open(&mut self) -> Result<SocketId, Errno> {
        let socket = self.network.ping_open(self.namespace).map_err(errno)?;
        Ok(SocketId(socket.0))
    }

    fn ping_send(
        &mut self,
        socket: SocketId,
        to: IpAddr,
        seq: u16,
        length: u16,
        ttl: Option<u8>,
    ) -> Result<(), Errno> {
        self.network.ping_send(number(socket), to, seq, length, ttl, self.call).map_err(errno)
    }

    fn ping_recv(&mut self, socket: SocketId) -> Result<Pong, Errno> {
        self.network.ping_recv(number(socket)).map_err(errno)
    }

    fn administer(&mut self) -> Option<(&mut Network, NsId)> {
        Some((&mut *self.network, self.namespace))
    }
}
