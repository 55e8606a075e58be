//! ICMP: pings, and errors that come back.

use crate::error::NetError;
use crate::packet::{IcmpError, Payload, Unreachable};
use std::collections::VecDeque;
use std::net::IpAddr;

/// What came back to a socket that pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pong {
    /// The answer.
    Reply {
        /// Who answers.
        from: IpAddr,
        /// To which ping.
        seq: u16,
        /// Time to live left.
        ttl: u8,
        /// Bytes of data.
        length: u16,
    },
    /// An error.
    Error {
        /// Who reports it.
        from: IpAddr,
        /// What.
        error: IcmpError,
    },
}

/// A socket that pings.
#[derive(Clone, Debug)]
pub(crate) struct Ping {
    /// Tells its answers from those to others.
    pub id: u16,
    pub incoming: VecDeque<Pong>,
}

impl Ping {
    const WAITING_MAX: usize = 256;

    pub fn new(id: u16) -> Self {
        Ping { id, incoming: VecDeque::new() }
    }

    pub fn push(&mut self, pong: Pong) {
        if self.incoming.len() < Self::WAITING_MAX {
            self.incoming.push_back(pong);
        }
    }
}

/// What a socket call fails with after this error came.
pub(crate) fn socket_error(error: IcmpError) -> NetError {
    match error {
        IcmpError::Unreachable(Unreachable::Port | Unreachable::Protocol) => NetError::Refused,
        IcmpError::Unreachable(Unreachable::Net | Unreachable::NetProhibited) => {
            NetError::NetUnreachable
        }
        IcmpError::Unreachable(_) | IcmpError::TimeExceeded => NetError::HostUnreachable,
    }
}

/// ICMP's type number of a packet, for rules; 255 when it is none.
pub(crate) fn type_number(payload: &Payload) -> u8 {
    match payload {
        Payload::EchoReply { .. } => 0,
        Payload::IcmpError { error: IcmpError::Unreachable(_), .. } => 3,
        Payload::EchoRequest { .. } => 8,
        Payload::IcmpError { error: IcmpError::TimeExceeded, .. } => 11,
        Payload::Tcp(_) | Payload::Udp(_) | Payload::Wrapped { .. } => 255,
    }
}

/// Whether an error may be sent about a packet: never about an error, and not about an answer to
/// a ping (RFC 1122, section 3.2.2).
pub(crate) fn may_be_reported(payload: &Payload) -> bool {
    !matches!(payload, Payload::IcmpError { .. } | Payload::EchoReply { .. })
}
