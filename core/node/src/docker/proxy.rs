//! Published ports: connections to a port of the host, carried on to a container.
//!
//! Upstream: `cmd/docker-proxy` of `moby/moby`.

use naru_shell::{Errno, NetStack, SocketId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections of one port at once.
const CONNECTIONS_MAX: usize = 256;
/// Bytes that wait in one direction.
const WAITING_MAX: usize = 64 * 1024;

/// One published port.
#[derive(Clone, Debug)]
pub struct Proxy {
    listener: SocketId,
    to: SocketAddr,
    connections: Vec<Connection>,
}

#[derive(Clone, Debug)]
struct Connection {
    connected: bool,
    up: Way,
    down: Way,
}

/// One direction.
#[derive(Clone, Debug)]
struct Way {
    from: SocketId,
    to: SocketId,
    bytes: Vec<u8>,
    ended: bool,
}

impl Proxy {
    /// Listens on a port of the host for a port of a container.
    pub fn listen(net: &mut dyn NetStack, port: u16, to: SocketAddr) -> Result<Self, Errno> {
        let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        let listener = net.tcp_listen(at)?;
        Ok(Proxy { listener, to, connections: Vec::new() })
    }

    /// Carries what waits. (The namespace wakes its owner when there is more.)
    pub fn pump(&mut self, net: &mut dyn NetStack) {
        while let Ok((outer, _)) = net.accept(self.listener) {
            let inner = net.tcp_connect(self.to);
            match inner {
                Ok(inner) if self.connections.len() < CONNECTIONS_MAX => {
                    self.connections.push(Connection {
                        connected: false,
                        up: Way { from: outer, to: inner, bytes: Vec::new(), ended: false },
                        down: Way { from: inner, to: outer, bytes: Vec::new(), ended: false },
                    });
                }
                Ok(inner) => {
                    net.close(inner);
                    net.close(outer);
                }
                Err(_) => net.close(outer),
            }
        }
        self.connections.retain_mut(|connection| connection.pump(net));
    }

    /// Listens no more.
    pub fn close(self, net: &mut dyn NetStack) {
        net.close(self.listener);
        for connection in self.connections {
            connection.close(net);
        }
    }
}

impl Connection {
    /// Goes on; tells whether there is more to come.
    fn pump(&mut self, net: &mut dyn NetStack) -> bool {
        if !self.connected {
            match net.connected(self.down.from) {
                Ok(()) => self.connected = true,
                Err(Errno::Again) => return true,
                Err(_) => {
                    self.clone().close(net);
                    return false;
                }
            }
        }
        let goes_on = self.up.carry(net) && self.down.carry(net);
        if !goes_on {
            self.clone().close(net);
        }
        goes_on
    }

    fn close(self, net: &mut dyn NetStack) {
        net.close(self.up.from);
        net.close(self.down.from);
    }
}

impl Way {
    /// Carries what can be; `false` once a side has closed and all is there.
    fn carry(&mut self, net: &mut dyn NetStack) -> bool {
        loop {
            if !self.bytes.is_empty() {
                match net.send(self.to, &self.bytes) {
                    Ok(0) | Err(Errno::Again) => return true,
                    Ok(taken) => drop(self.bytes.drain(..taken.min(self.bytes.len()))),
                    Err(_) => return false,
                }
                continue;
            }
            if self.ended {
                return false;
            }
            match net.recv(self.from, WAITING_MAX) {
                Ok(bytes) if bytes.is_empty() => self.ended = true,
                Ok(bytes) => self.bytes = bytes,
                Err(Errno::Again) => return true,
                Err(_) => return false,
            }
        }
    }
}
