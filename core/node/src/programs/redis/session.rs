//! One client of a server.

use super::READ_MAX;
use naru_shell::{Errno, NetStack, SocketId};
use std::net::SocketAddr;

/// Bytes that wait for a client that does not read.
const UNREAD_MAX: usize = 8 << 20;

/// The connection, and what it has said so far.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: u64,
    pub socket: SocketId,
    pub peer: SocketAddr,
    pub input: Vec<u8>,
    pub output: Vec<u8>,
    /// After what is to be written, it ends.
    pub last: bool,
    pub db: usize,
    pub authenticated: bool,
    /// The commands since `MULTI`, and whether one of them was wrong.
    pub queue: Option<(Vec<Vec<String>>, bool)>,
    /// Where it is a replica: what it has told of itself.
    pub replica: Option<Follower>,
    pub name: String,
}

/// A replica as its master knows it.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// The port on which it listens.
    pub port: u16,
    /// It gets the stream of commands.
    pub online: bool,
    /// What it has confirmed.
    pub offset: u64,
}

impl Session {
    /// A connection that has come in.
    pub fn new(id: u64, socket: SocketId, peer: SocketAddr) -> Self {
        Session {
            id,
            socket,
            peer,
            input: Vec::new(),
            output: Vec::new(),
            last: false,
            db: 0,
            authenticated: false,
            queue: None,
            replica: None,
            name: String::new(),
        }
    }

    /// Takes in what came.
    pub fn receive(&mut self, net: &mut dyn NetStack) {
        loop {
            match net.recv(self.socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    self.last = true;
                    return;
                }
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return,
                Err(_) => {
                    self.last = true;
                    return;
                }
            }
        }
    }

    /// Sends what is to be said; tells whether the connection is still there.
    pub fn flush(&mut self, net: &mut dyn NetStack) -> bool {
        while !self.output.is_empty() {
            match net.send(self.socket, &self.output) {
                Ok(0) | Err(Errno::Again) if self.output.len() > UNREAD_MAX => {
                    self.last = true;
                    break;
                }
                Ok(0) | Err(Errno::Again) => return true,
                Ok(taken) => drop(self.output.drain(..taken.min(self.output.len()))),
                Err(_) => {
                    self.last = true;
                    break;
                }
            }
        }
        if self.last {
            net.close(self.socket);
        }
        !self.last
    }
}
