//! Whether a server can be reached: a connection that is opened and closed, now and then.
//!
//! Upstream: `src/check.c`.

use super::conf::Check;
use naru_shell::{Errno, NetStack, SocketId};
use naru_sim::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// What is known of a server.
#[derive(Clone, Debug)]
pub struct Health {
    check: Check,
    address: SocketAddr,
    up: bool,
    /// Checks in a row that speak against its state.
    against: u32,
    next: Time,
    probe: Option<(SocketId, Time)>,
}

/// A server's state is another.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whether it is up.
    pub up: bool,
    /// Why, in HAProxy's words.
    pub reason: String,
    /// How long the last check took.
    pub took: Duration,
}

impl Health {
    /// A server is up at first, but the first failure takes it out.
    pub fn new(check: Check, address: SocketAddr, now: Time) -> Self {
        let against = check.fall.saturating_sub(1);
        Health { check, address, up: true, against, next: now, probe: None }
    }

    /// Whether it is given work.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Time {
        self.probe.map_or(self.next, |(_, begun)| begun + self.check.every)
    }

    /// Goes on as far as it can; tells if the state has changed.
    pub fn go_on(&mut self, net: &mut dyn NetStack, now: Time) -> Option<Change> {
        if self.probe.is_none() && now >= self.next {
            match net.tcp_connect(self.address) {
                Ok(socket) => self.probe = Some((socket, now)),
                Err(errno) => return self.note(Err(errno), now, now),
            }
        }
        let (socket, begun) = self.probe?;
        let found = match net.connected(socket) {
            Err(Errno::Again) if now < begun + self.check.every => return None,
            Err(Errno::Again) => Err(Errno::TimedOut),
            found => found,
        };
        net.close(socket);
        self.probe = None;
        self.note(found, begun, now)
    }

    fn note(&mut self, found: Result<(), Errno>, begun: Time, now: Time) -> Option<Change> {
        self.next = (begun + self.check.every).max(now);
        if found.is_ok() == self.up {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        if self.against < if self.up { self.check.fall } else { self.check.rise } {
            return None;
        }
        self.against = 0;
        self.up = !self.up;
        let reason = match found {
            Ok(()) => "Layer4 check passed".to_owned(),
            Err(Errno::TimedOut) => "Layer4 timeout".to_owned(),
            Err(errno) => format!("Layer4 connection problem, info: \"{errno}\""),
        };
        Some(Change { up: self.up, reason, took: now.since(begun) })
    }
}
