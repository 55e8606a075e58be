//! What travels: packets, and the tuples that tell connections apart.

use crate::conntrack::Tracked;
use crate::trace::{FlowId, TraceId};
use crate::ways::{Log, Trail};
use naru_sim::CauseId;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 1
    Icmp,
    /// Another one, which only rules can name.
    Other(u8),
}

impl Protocol {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Protocol::Icmp => 1,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Other(number) => number,
        }
    }

    /// The protocol of a number.
    pub fn of_number(number: u8) -> Self {
        match number {
            1 => Protocol::Icmp,
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            other => Protocol::Other(other),
        }
    }
}

impl fmt::Display for Protocol {
    /// As iptables and conntrack write it: `tcp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::Tcp => f.write_str("tcp"),
            Protocol::Udp => f.write_str("udp"),
            Protocol::Icmp => f.write_str("icmp"),
            Protocol::Other(132) => f.write_str("sctp"),
            Protocol::Other(number) => write!(f, "{number}"),
        }
    }
}

/// From where to where. An echo request has its identifier as source port, the reply as
/// destination port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// The protocol.
    pub protocol: Protocol,
    /// The sender.
    pub src: SocketAddr,
    /// The receiver.
    pub dst: SocketAddr,
}

impl Tuple {
    /// The tuple of an answer.
    #[must_use]
    pub fn inverse(self) -> Tuple {
        Tuple { protocol: self.protocol, src: self.dst, dst: self.src }
    }
}

/// TCP's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
    /// The sender has no more.
    pub fin: bool,
    /// There is no such connection.
    pub rst: bool,
    /// The receiver should not wait for more.
    pub psh: bool,
}

impl fmt::Display for Flags {
    /// As tcpdump writes them: `S.` is SYN and ACK.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(self.fin, "F"), (self.syn, "S"), (self.rst, "R"), (self.psh, "P")];
        letters.iter().filter(|(on, _)| *on).try_for_each(|(_, letter)| f.write_str(letter))?;
        if self.ack { f.write_str(".") } else { Ok(()) }
    }
}

/// A TCP segment. Numbers count from 0 in each direction, as tcpdump shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub flags: Flags,
    pub seq: u64,
    pub ack: u64,
    pub window: u32,
    pub data: Vec<u8>,
}

impl Segment {
    /// How many numbers it takes.
    pub fn length(&self) -> u64 {
        self.data.len() as u64 + u64::from(self.flags.syn) + u64::from(self.flags.fin)
    }
}

/// Why a packet came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Type 3 with its code.
    Unreachable(Unreachable),
    /// Type 11: the packet passed too many routers.
    TimeExceeded,
}

/// The codes of ICMP's destination unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// 0
    Net,
    /// 1
    Host,
    /// 2
    Protocol,
    /// 3
    Port,
    /// 9
    NetProhibited,
    /// 10
    HostProhibited,
    /// 13
    AdminProhibited,
}

/// How packets are wrapped into others, from host to host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// VXLAN: a frame in a UDP datagram.
    Vxlan {
        /// The network's number.
        vni: u32,
        /// The port of the datagram: 8472 is Linux' own, 4789 IANA's.
        port: u16,
    },
    /// IP in IP: protocol 4.
    IpIp,
}

impl Tunnel {
    /// What the outer packet is.
    pub fn protocol(self) -> Protocol {
        match self {
            Tunnel::Vxlan { .. } => Protocol::Udp,
            Tunnel::IpIp => Protocol::Other(4),
        }
    }

    /// The outer packet's ports. VXLAN's source port stands for the connection inside.
    pub(crate) fn ports(self, inner: Tuple) -> (u16, u16) {
        match self {
            Tunnel::Vxlan { port, .. } => {
                let mixed = u32::from(inner.src.port()) << 16 | u32::from(inner.dst.port());
                let mixed = mixed.wrapping_mul(0x9e37_79b1) >> 16;
                (32_768 + (mixed as u16) % 28_232, port)
            }
            Tunnel::IpIp => (0, 0),
        }
    }
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Tcp(Segment),
    Udp(Vec<u8>),
    EchoRequest {
        seq: u16,
        length: u16,
    },
    EchoReply {
        seq: u16,
        length: u16,
    },
    /// An error about the packet of this tuple.
    IcmpError {
        error: IcmpError,
        about: Tuple,
    },
    /// Another packet, on its way through a tunnel.
    Wrapped {
        tunnel: Tunnel,
        inner: Box<Packet>,
    },
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub ttl: u8,
    pub payload: Payload,
    /// The kernel's mark; forgotten when the packet leaves the namespace.
    pub mark: u32,
    /// What connection tracking knows of it; forgotten likewise.
    pub tracked: Tracked,
    pub trace: TraceId,
    pub flow: FlowId,
    pub cause: CauseId,
    /// Where it was tracked.
    pub trail: Trail,
    /// What is written down of its way, for those after it.
    pub log: Option<Box<Log>>,
}

/// The time to live that Linux gives to packets.
pub(crate) const TTL: u8 = 64;

impl Packet {
    pub fn protocol(&self) -> Protocol {
        match self.payload {
            Payload::Tcp(_) => Protocol::Tcp,
            Payload::Udp(_) => Protocol::Udp,
            Payload::Wrapped { tunnel, .. } => tunnel.protocol(),
            _ => Protocol::Icmp,
        }
    }

    /// Its bytes, from the header of IP on. Each TCP segment has the options that Linux gives it.
    pub fn length(&self) -> u64 {
        const IP: u64 = 20;
        const UDP: u64 = 8;
        const ICMP: u64 = 8;
        /// Ethernet's header and VXLAN's, within the datagram.
        const VXLAN: u64 = UDP + 8 + 14;
        IP + match &self.payload {
            Payload::Tcp(segment) => {
                let header = if segment.flags.syn { 40 } else { 32 };
                header + segment.data.len() as u64
            }
            Payload::Udp(data) => UDP + data.len() as u64,
            Payload::EchoRequest { length, .. } | Payload::EchoReply { length, .. } => {
                ICMP + u64::from(*length)
            }
            // It repeats the beginning of what it is about.
            Payload::IcmpError { .. } => ICMP + IP + UDP,
            Payload::Wrapped { tunnel: Tunnel::Vxlan { .. }, inner } => VXLAN + inner.length(),
            Payload::Wrapped { tunnel: Tunnel::IpIp, inner } => inner.length(),
        }
    }

    pub fn tuple(&self) -> Tuple {
        Tuple { protocol: self.protocol(), src: self.src, dst: self.dst }
    }
}

/// The unspecified address of a family.
pub(crate) fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    }
}
