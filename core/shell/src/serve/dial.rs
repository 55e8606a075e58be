//! A connection to a host that is given by name or by address.

use crate::{Connecting, Errno, Progress, Resolver, SocketId, Sys};
use naru_network::dns::RecordType;

/// A connection being made.
#[derive(Clone, Debug)]
pub struct Dial {
    port: u16,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Resolving(Resolver),
    Connecting(Connecting),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError {
    /// The name has no address.
    NoSuchHost,
    /// Nobody at its addresses takes the connection.
    Connect(Errno),
}

impl Dial {
    /// Connects to a port of a host.
    pub fn new(host: &str, port: u16) -> Self {
        Dial { port, state: State::Resolving(Resolver::new(host, &[RecordType::A])) }
    }

    /// Goes on as far as it can.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Progress<Result<SocketId, DialError>> {
        loop {
            match &mut self.state {
                State::Resolving(resolver) => match resolver.poll(sys) {
                    Progress::Waits(until) => return Progress::Waits(until),
                    Progress::Done(Err(_)) => return Progress::Done(Err(DialError::NoSuchHost)),
                    Progress::Done(Ok(addresses)) => {
                        self.state = State::Connecting(Connecting::new(addresses, self.port));
                    }
                },
                State::Connecting(connecting) => {
                    return match connecting.poll(sys) {
                        Progress::Waits(until) => Progress::Waits(until),
                        Progress::Done(Ok((socket, _))) => Progress::Done(Ok(socket)),
                        Progress::Done(Err(errno)) => {
                            Progress::Done(Err(DialError::Connect(errno)))
                        }
                    };
                }
            }
        }
    }

    /// Gives up.
    pub fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let State::Connecting(connecting) = &mut self.state {
            connecting.hang_up(sys);
        }
    }
}
