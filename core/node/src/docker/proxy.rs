//! Published ports: connections to a port of the host, carried on to a container.
//!
//! Upstream: `cmd/docker-proxy` of `moby/moby`.

use crate::pipe::Pipe;
use naru_shell::{Errno, NetStack, SocketId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections of one port at once.
const CONNECTIONS_MAX: usize = 256;
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
    inner: SocketId,
    pipe: Pipe,
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
                    let pipe = Pipe::new(outer, inner);
                    self.connections.push(Connection { connected: false, inner, pipe });
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
            connection.pipe.close(net);
        }
    }
}

impl Connection {
    /// Goes on; tells whether there is more to come.
    fn pump(&mut self, net: &mut dyn NetStack) -> bool {
        if !self.connected {
            match net.connected(self.inner) {
                Ok(()) => self.connected = true,
                Err(Errno::Again) => return true,
                Err(_) => {
                    self.pipe.close(net);
                    return false;
                }
            }
        }
        self.pipe.pump(net)
    }
}
