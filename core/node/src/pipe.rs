//! Two connections joined: what comes in on one goes out on the other.

use naru_shell::{Errno, NetStack, SocketId};

/// Bytes that wait in one direction.
const WAITING_MAX: usize = 64 * 1024;

/// Two connections that stand, joined both ways.
#[derive(Clone, Debug)]
pub struct Pipe {
    up: Way,
    down: Way,
}

/// One direction.
#[derive(Clone, Debug)]
struct Way {
    from: SocketId,
    to: SocketId,
    bytes: Vec<u8>,
    carried: u64,
    ended: bool,
}

impl Pipe {
    /// Joins a client's connection and one to a server.
    pub fn new(client: SocketId, server: SocketId) -> Self {
        Pipe { up: Way::new(client, server), down: Way::new(server, client) }
    }

    /// Carries what waits; `false` once a side has closed and all is there. Then the connections
    /// are closed too.
    pub fn pump(&mut self, net: &mut dyn NetStack) -> bool {
        let goes_on = self.up.carry(net) && self.down.carry(net);
        if !goes_on {
            self.close(net);
        }
        goes_on
    }

    /// Bytes that went from the server to the client.
    pub fn bytes_down(&self) -> u64 {
        self.down.carried
    }

    /// Closes both.
    pub fn close(&self, net: &mut dyn NetStack) {
        net.close(self.up.from);
        net.close(self.down.from);
    }
}

impl Way {
    fn new(from: SocketId, to: SocketId) -> Self {
        Way { from, to, bytes: Vec::new(), carried: 0, ended: false }
    }

    /// Carries what can be; `false` once a side has closed and all is there.
    fn carry(&mut self, net: &mut dyn NetStack) -> bool {
        loop {
            if !self.bytes.is_empty() {
                match net.send(self.to, &self.bytes) {
                    Ok(0) | Err(Errno::Again) => return true,
                    Ok(taken) => {
                        self.carried = self.carried.saturating_add(taken as u64);
                        drop(self.bytes.drain(..taken.min(self.bytes.len())));
                    }
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
