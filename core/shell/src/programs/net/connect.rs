//! A connection to the first of several addresses that answers.

use super::Progress;
use crate::{Errno, SocketId, Sys};
use std::net::{IpAddr, SocketAddr};

/// A connection being made.
#[derive(Clone, Debug)]
pub struct Connecting {
    addresses: Vec<IpAddr>,
    port: u16,
    next: usize,
    socket: Option<SocketId>,
    /// What was tried, and how it failed: not yet told.
    news: Vec<Attempt>,
    last: Errno,
}

/// Something that happened while connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// An address is tried.
    Trying(SocketAddr),
    /// It failed.
    Failed(SocketAddr, Errno),
}

impl Connecting {
    /// Connects to the port at any of the addresses, in order.
    pub fn new(addresses: Vec<IpAddr>, port: u16) -> Self {
        let last = Errno::AddrNotAvailable;
        Connecting { addresses, port, next: 0, socket: None, news: Vec::new(), last }
    }

    /// What happened since the last call.
    pub fn take_news(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.news)
    }

    /// Goes on: the socket and whom it reaches, or how the last address failed.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Progress<Result<(SocketId, SocketAddr), Errno>> {
        loop {
            let Some(address) = self.addresses.get(self.next) else {
                return Progress::Done(Err(self.last));
            };
            let to = SocketAddr::new(*address, self.port);
            let Some(net) = sys.net() else {
                return Progress::Done(Err(Errno::NetUnreachable));
            };
            let result = match self.socket {
                Some(socket) => net.connected(socket).map(|()| socket),
                None => {
                    self.news.push(Attempt::Trying(to));
                    match net.tcp_connect(to) {
                        Ok(socket) => {
                            self.socket = Some(socket);
                            continue;
                        }
                        Err(errno) => Err(errno),
                    }
                }
            };
            match result {
                Ok(socket) => {
                    self.socket = None;
                    return Progress::Done(Ok((socket, to)));
                }
                Err(Errno::Again) => return Progress::Waits(None),
                Err(errno) => {
                    self.news.push(Attempt::Failed(to, errno));
                    self.hang_up(sys);
                    self.last = errno;
                    self.next += 1;
                }
            }
        }
    }

    /// Gives a started connection up.
    pub fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
    }
}
