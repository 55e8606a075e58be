//! Rules as structures: what they match and what they do.

use crate::conntrack::CtState;
use crate::packet::Protocol;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A condition, or its contrary (`!`).
#[derive(Clone, Debug, PartialEq)]
pub struct Cond<T> {
    /// Whether the contrary is asked.
    pub inverted: bool,
    /// What is asked.
    pub value: T,
}

impl<T> Cond<T> {
    /// Whether the condition holds, given whether its value fits.
    pub(crate) fn holds(&self, fits: impl FnOnce(&T) -> bool) -> bool {
        fits(&self.value) != self.inverted
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `-s`
    pub source: Option<Cond<IpNet>>,
    /// `-d`
    pub destination: Option<Cond<IpNet>>,
    /// `-i`; a `+` at the end stands for any rest.
    pub in_interface: Option<Cond<Arc<str>>>,
    /// `-o`
    pub out_interface: Option<Cond<Arc<str>>>,
    /// `-p`
    pub protocol: Option<Cond<Protocol>>,
    /// `-m`, in order.
    pub matches: Vec<Match>,
    /// `-j`; `None` only counts.
    pub target: Option<Target>,
    /// The rule as `iptables-save` writes it, with its chain: `-A FORWARD -j DROP`.
    pub text: Arc<str>,
}

/// A match module with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// `-m comment`: always true.
    Comment(Arc<str>),
    /// `-m tcp`, `-m udp`
    Ports(Ports),
    /// `-m multiport`
    Multiport {
        /// Which ports are compared.
        side: PortSide,
        /// The ports.
        ports: Cond<Vec<RangeInclusive<u16>>>,
    },
    /// `-m icmp --icmp-type`: a type's number.
    Icmp(Cond<u8>),
    /// `-m statistic --mode random --probability`: in units of 2⁻³¹, as the kernel keeps it.
    Random(Cond<u32>),
    /// `-m conntrack --ctstate`, `-m state --state`
    State(Cond<Vec<State>>),
    /// `-m mark`
    Mark(Cond<Masked>),
    /// `-m addrtype`
    AddrType {
        /// `--src-type`
        source: Option<Cond<AddrType>>,
        /// `--dst-type`
        destination: Option<Cond<AddrType>>,
    },
    /// `-m recent`
    Recent(Recent),
    /// `-m nfacct`: counts, always true.
    Accounting(Arc<str>),
    /// `-m set --match-set`
    Set {
        /// The set.
        name: Cond<Arc<str>>,
        /// `dst`: the destination's address is looked for, not the source's.
        destination: bool,
    },
}

/// `--sport`, `--dport` and `--syn`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ports {
    /// TCP, UDP or another protocol with ports.
    pub protocol: Protocol,
    /// `--sport`
    pub source: Option<Cond<RangeInclusive<u16>>>,
    /// `--dport`
    pub destination: Option<Cond<RangeInclusive<u16>>>,
    /// `--syn`: only SYN, without ACK, FIN and RST.
    pub syn: Option<Cond<()>>,
}

/// Which ports `-m multiport` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortSide {
    /// `--sports`
    Source,
    /// `--dports`
    Destination,
    /// `--ports`
    Either,
}

/// What `--ctstate` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The packet's state.
    Is(CtState),
    /// The connection's source is translated.
    Snat,
    /// The connection's destination is translated.
    Dnat,
}

/// A value under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The value.
    pub value: u32,
    /// The bits that count.
    pub mask: u32,
}

/// What kind of address one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrType {
    /// The namespace's own.
    Local,
    /// Another host's.
    Unicast,
    /// To everybody on the link.
    Broadcast,
    /// To a group.
    Multicast,
}

/// `-m recent`: a named list of addresses and when they were last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    /// The list.
    pub name: Arc<str>,
    /// What is done with it.
    pub action: RecentAction,
    /// Whether the contrary is asked.
    pub inverted: bool,
    /// `--seconds`: seen at most so long ago.
    pub seconds: Option<u32>,
    /// `--reap`: forget addresses older than that.
    pub reap: bool,
    /// `--rdest`: the destination's address, not the source's.
    pub destination: bool,
}

/// What `-m recent` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecentAction {
    /// `--set`: remembers the address.
    Set,
    /// `--rcheck`: is it remembered?
    Check,
    /// `--update`: is it remembered? If so, it was seen now.
    Update,
    /// `--remove`: forgets it.
    Remove,
}

/// What is done with a packet that matches.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Lets it through this table.
    Accept,
    /// Drops it silently.
    Drop,
    /// Drops it and tells the sender.
    Reject(RejectWith),
    /// Back to the chain before.
    Return,
    /// Into another chain.
    Jump(Arc<str>),
    /// Into another chain, from which there is no way back to this one.
    Goto(Arc<str>),
    /// Another destination.
    Dnat(NatRange),
    /// Another source.
    Snat(NatRange),
    /// The source address of the interface it leaves by.
    Masquerade {
        /// `--random-fully`
        random: bool,
        /// `--to-ports`
        ports: Option<RangeInclusive<u16>>,
    },
    /// To a port of this host.
    Redirect(RangeInclusive<u16>),
    /// `--set-xmark value/mask`: the mark's bits under the mask are cleared, then the value's
    /// bits are flipped.
    Mark(Masked),
    /// Writes a line to the kernel's log.
    Log(Arc<str>),
    /// Not tracked (`-j CT --notrack`).
    NoTrack,
}

/// How a rejected packet's sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// `icmp-port-unreachable`
    Port,
    /// `icmp-host-unreachable`
    Host,
    /// `icmp-net-unreachable`
    Net,
    /// `icmp-admin-prohibited`
    Admin,
    /// `icmp-host-prohibited`
    HostProhibited,
    /// `icmp-net-prohibited`
    NetProhibited,
    /// `tcp-reset`
    TcpReset,
}

/// Addresses and ports to translate to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRange {
    /// The addresses; `None` keeps the packet's.
    pub ips: Option<RangeInclusive<IpAddr>>,
    /// The ports; `None` keeps the packet's.
    pub ports: Option<RangeInclusive<u16>>,
    /// `--random-fully`
    pub random: bool,
}

/// The state and place of a packet, for rules to look at.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub protocol: Protocol,
    pub icmp_type: u8,
    /// Its bytes, from the header of IP on.
    pub length: u64,
    /// SYN without ACK, FIN and RST.
    pub syn: bool,
    pub mark: u32,
    pub state: CtState,
    pub snat: bool,
    pub dnat: bool,
    pub input: &'a str,
    pub output: &'a str,
    pub src_type: AddrType,
    pub dst_type: AddrType,
    /// Somebody wants to know by which rules it went.
    pub traced: bool,
}

impl Rule {
    /// Whether the parts that need no memory match: all but `recent` and `random`.
    pub(crate) fn fits(&self, sight: &Sight<'_>) -> bool {
        let net = |cond: &Option<Cond<IpNet>>, ip: IpAddr| {
            cond.as_ref().is_none_or(|cond| cond.holds(|net| net.contains(&ip)))
        };
        let iface = |cond: &Option<Cond<Arc<str>>>, name: &str| {
            cond.as_ref().is_none_or(|cond| cond.holds(|pattern| is_iface(pattern, name)))
        };
        let protocol = &self.protocol;
        net(&self.destination, sight.dst.ip())
            && net(&self.source, sight.src.ip())
            && protocol.as_ref().is_none_or(|cond| cond.holds(|p| *p == sight.protocol))
            && iface(&self.in_interface, sight.input)
            && iface(&self.out_interface, sight.output)
    }
}

fn is_iface(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('+') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

impl Ports {
    pub(crate) fn fits(&self, sight: &Sight<'_>) -> bool {
        let port = |cond: &Option<Cond<RangeInclusive<u16>>>, port: u16| {
            cond.as_ref().is_none_or(|cond| cond.holds(|range| range.contains(&port)))
        };
        sight.protocol == self.protocol
            && port(&self.source, sight.src.port())
            && port(&self.destination, sight.dst.port())
            && self.syn.as_ref().is_none_or(|cond| cond.holds(|()| sight.syn))
    }
}

impl State {
    pub(crate) fn fits(self, sight: &Sight<'_>) -> bool {
        match self {
            State::Is(state) => state == sight.state,
            State::Snat => sight.snat,
            State::Dnat => sight.dnat,
        }
    }
}
