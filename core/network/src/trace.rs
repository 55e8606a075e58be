//! The way of each packet, hop by hop.

use crate::dns;
use crate::limits;
use crate::namespace::NsId;
use crate::packet::{Flags, IcmpError, Packet, Payload, Protocol, Tunnel, Tuple};
use naru_sim::{CauseId, Time};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Names a packet; later packets have greater numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub u64);

/// Names a conversation: a connection with all its packets in both directions, a datagram with its
/// answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// The way of one packet.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The packet's number.
    pub id: TraceId,
    /// Its conversation.
    pub flow: FlowId,
    /// What made its sender send it.
    pub cause: CauseId,
    /// When it was sent.
    pub at: Time,
    /// The protocol.
    pub protocol: Protocol,
    /// From where, as the sender wrote it.
    pub src: SocketAddr,
    /// Where to, as the sender wrote it.
    pub dst: SocketAddr,
    /// What it carries.
    pub content: Content,
    /// What it says, if it carries text or DNS: `GET / HTTP/1.1`, `A? web.default`, `A 10.96.0.7`.
    pub text: Option<Arc<str>>,
    /// The way so far, at most [`limits::HOPS_MAX`] hops.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a packet carries, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A TCP segment.
    Tcp {
        /// SYN, ACK, ….
        flags: Flags,
        /// Number of the first byte.
        seq: u64,
        /// Number of the byte expected next.
        ack: u64,
        /// Bytes that the sender could still take in.
        window: u32,
        /// Bytes of data.
        length: usize,
    },
    /// A datagram with this many bytes.
    Udp {
        /// Bytes of data.
        length: usize,
        /// What is in it if it is a DNS message.
        dns: Option<DnsHead>,
    },
    /// A ping.
    EchoRequest {
        /// Which one.
        seq: u16,
        /// Bytes of data.
        length: u16,
    },
    /// The answer to a ping.
    EchoReply {
        /// To which one.
        seq: u16,
        /// Bytes of data.
        length: u16,
    },
    /// An error that came back.
    IcmpError {
        /// Which one.
        error: IcmpError,
        /// The packet that it is about, as its reporter saw it.
        about: Tuple,
    },
}

/// The head of a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsHead {
    /// Pairs an answer with its question.
    pub id: u16,
    /// Whether this is an answer.
    pub response: bool,
    /// How it went.
    pub rcode: dns::Rcode,
    /// The server is responsible for the name.
    pub authoritative: bool,
    /// The answer did not fit.
    pub truncated: bool,
    /// The client wants the server to ask others.
    pub recursion_desired: bool,
    /// The server would ask others.
    pub recursion_available: bool,
    /// Answers, authorities and additional records, with that of EDNS.
    pub counts: [usize; 3],
    /// The message has EDNS's record.
    pub edns: bool,
}

impl DnsHead {
    fn of(message: &dns::Message) -> DnsHead {
        let edns = message.edns_size.is_some();
        DnsHead {
            id: message.id,
            response: message.response,
            rcode: message.rcode,
            authoritative: message.authoritative,
            truncated: message.truncated,
            recursion_desired: message.recursion_desired,
            recursion_available: message.recursion_available,
            counts: [
                message.answers.len(),
                message.authorities.len(),
                message.additionals.len() + usize::from(edns),
            ],
            edns,
        }
    }
}

impl fmt::Display for Content {
    /// Much as tcpdump writes it: `Flags [S], seq 0, win 65535, length 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Tcp { flags, seq, ack, window, length } => {
                write!(f, "Flags [{flags}]")?;
                match length {
                    0 if !flags.syn && !flags.fin && !flags.rst => {}
                    0 => write!(f, ", seq {seq}")?,
                    _ => write!(f, ", seq {seq}:{}", seq + *length as u64)?,
                }
                if flags.ack {
                    write!(f, ", ack {ack}")?;
                }
                write!(f, ", win {window}, length {length}")
            }
            Content::Udp { length, .. } => write!(f, "UDP, length {length}"),
            Content::EchoRequest { seq, .. } => write!(f, "ICMP echo request, seq {seq}"),
            Content::EchoReply { seq, .. } => write!(f, "ICMP echo reply, seq {seq}"),
            Content::IcmpError { error: IcmpError::TimeExceeded, .. } => {
                f.write_str("ICMP time exceeded")
            }
            Content::IcmpError { error: IcmpError::Unreachable(code), .. } => {
                write!(f, "ICMP unreachable: {code:?}")
            }
        }
    }
}

/// From where and where to, at one moment of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The sender.
    pub src: SocketAddr,
    /// The receiver.
    pub dst: SocketAddr,
}

/// One step of a packet's way.
#[derive(Clone, Debug)]
pub struct Hop {
    /// When.
    pub at: Time,
    /// In which namespace.
    pub ns: NsId,
    /// The namespace's name.
    pub host: Arc<str>,
    /// The interface it came in by or leaves by; "" where there is none.
    pub iface: Arc<str>,
    /// Where in the kernel.
    pub stage: Stage,
    /// The rule that decided, as `iptables-save` writes it.
    pub rule: Option<Arc<str>>,
    /// The rules that matched on the way to it: jumps and marks.
    pub through: Vec<Arc<str>>,
    /// The rule decided when the connection began; connection tracking remembered it.
    pub remembered: bool,
    /// Addresses before.
    pub before: Addresses,
    /// Addresses after.
    pub after: Addresses,
    /// The packet is wrapped into another here, whose addresses these are.
    pub wrapped: Option<Tunnel>,
}

/// Where in the kernel a hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Sent by a socket.
    Sent,
    /// Came in by an interface.
    Prerouting,
    /// For this namespace.
    Input,
    /// Passed on.
    Forward,
    /// From this namespace.
    Output,
    /// About to leave.
    Postrouting,
    /// A bridge handed it from port to port.
    Bridge,
    /// Went out on a link.
    Link,
    /// Was wrapped into another packet, to go through a tunnel.
    Wrapped,
    /// Was taken out of the packet into which it was wrapped.
    Unwrapped,
    /// Reached a socket.
    Received,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Sent => "sent",
            Stage::Prerouting => "prerouting",
            Stage::Input => "input",
            Stage::Forward => "forward",
            Stage::Output => "output",
            Stage::Postrouting => "postrouting",
            Stage::Bridge => "bridge",
            Stage::Link => "link",
            Stage::Wrapped => "wrapped",
            Stage::Unwrapped => "unwrapped",
            Stage::Received => "received",
        })
    }
}

/// How a packet's way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is still on its way.
    Travelling,
    /// A socket, or the kernel of its receiver, has it.
    Delivered,
    /// It is gone.
    Dropped(Drop),
}

/// Why a packet is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Drop {
    /// A rule (the last hop's) drops it.
    #[error("dropped by a rule")]
    Filtered,
    /// A rule (the last hop's) rejects it: the sender is told.
    #[error("rejected by a rule")]
    Rejected,
    /// No route to the receiver.
    #[error("no route")]
    NoRoute,
    /// Nobody on the link has the next address.
    #[error("nobody on the link has the address")]
    NoNeighbour,
    /// The namespace is no router.
    #[error("not for this host, which does not forward")]
    NotForwarding,
    /// It passed too many routers.
    #[error("time to live exceeded")]
    TimeExceeded,
    /// The link is cut.
    #[error("the link is down")]
    LinkDown,
    /// The link lost it.
    #[error("lost on the link")]
    Lost,
    /// Nobody listens at its port.
    #[error("nobody listens at the port")]
    NoSocket,
    /// The receiver cannot take more.
    #[error("the receiver's queue is full")]
    QueueFull,
    /// Connection tracking cannot hold more, or no port is free to translate to.
    #[error("connection tracking table is full")]
    TableFull,
    /// The namespace was removed.
    #[error("the host is gone")]
    NoNamespace,
    /// The network holds too many packets.
    #[error("too many packets in the network")]
    Congested,
}

/// The latest traces, oldest first, at most [`limits::TRACES_MAX`].
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    ring: VecDeque<Record>,
    last: u64,
    /// Whether ways are written down, which takes longer than the ways themselves.
    on: bool,
}

/// What is kept of a packet's way.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are of the large one, and made for each packet"
)]
enum Record {
    /// It was written down hop by hop.
    Written(Arc<Trace>),
    /// It is one that was known: the hops are made when somebody looks.
    Known(Known),
}

/// The way of a packet that went as others before it.
#[derive(Clone, Debug)]
struct Known {
    /// All but the hops.
    trace: Trace,
    way: KnownHops,
}

/// The hops of packets that go alike, each with the time since the packet was sent.
#[derive(Clone, Debug)]
pub(crate) struct KnownHops {
    pub hops: Arc<[Hop]>,
    /// The client's port takes the place of the one that is written there.
    pub port: Option<ClientPort>,
}

/// The port by which the connections of a client differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientPort {
    /// Packets come from it, not to it.
    pub sends: bool,
    pub number: u16,
}

impl ClientPort {
    /// The port on a packet that the client sends, or receives.
    pub fn of(packet: &Packet, sends: bool) -> Self {
        let client = if sends { packet.src } else { packet.dst };
        ClientPort { sends, number: client.port() }
    }

    pub fn put(self, addresses: Addresses) -> Addresses {
        let Addresses { mut src, mut dst } = addresses;
        if self.sends { &mut src } else { &mut dst }.set_port(self.number);
        Addresses { src, dst }
    }
}

impl KnownHops {
    /// The first hops of a packet that was sent at `sent`.
    fn write(&self, sent: Time, count: usize) -> Vec<Hop> {
        let moved = |at: Addresses| self.port.map_or(at, |port| port.put(at));
        let hop = |hop: &Hop| Hop {
            at: sent + hop.at.since(Time::ZERO),
            before: moved(hop.before),
            after: moved(hop.after),
            ..hop.clone()
        };
        self.hops.iter().take(count).map(hop).collect()
    }

    /// How many hops a packet has behind it so long after it was sent.
    fn passed(&self, after: Duration) -> usize {
        self.hops.iter().take_while(|hop| hop.at.since(Time::ZERO) <= after).count()
    }
}

impl Known {
    fn write(&self, count: usize) -> Trace {
        Trace { hops: self.way.write(self.trace.at, count), ..self.trace.clone() }
    }
}

impl Record {
    fn id(&self) -> u64 {
        match self {
            Record::Written(trace) => trace.id.0,
            Record::Known(known) => known.trace.id.0,
        }
    }

    /// The trace as it is at this moment.
    fn read(&self, now: Time) -> Arc<Trace> {
        match self {
            Record::Written(trace) => Arc::clone(trace),
            Record::Known(known) => Arc::new(known.write(match known.trace.outcome {
                Outcome::Travelling => known.way.passed(now.since(known.trace.at)),
                _ => usize::MAX,
            })),
        }
    }
}

impl Default for Traces {
    fn default() -> Self {
        Traces { ring: VecDeque::new(), last: 0, on: true }
    }
}

/// Hops of a packet from a pod to a pod on another node, with some to spare.
const HOPS_USUAL: usize = 16;

impl Traces {
    /// Starts the trace of a packet and numbers the packet.
    pub fn begin(&mut self, at: Time, packet: &mut Packet) {
        self.number(packet);
        if !self.on {
            return;
        }
        // The room of the trace that is forgotten is the new one's.
        let mut hops = match self.make_room() {
            Some(Record::Written(oldest)) => Arc::into_inner(oldest).map(|trace| trace.hops),
            _ => None,
        }
        .unwrap_or_default();
        hops.clear();
        hops.reserve(HOPS_USUAL);
        self.ring.push_back(Record::Written(Arc::new(begun(at, packet, hops))));
    }

    /// Starts the trace of a packet that goes a known way, and numbers it.
    pub fn begin_known(&mut self, at: Time, packet: &mut Packet, way: impl FnOnce() -> KnownHops) {
        self.number(packet);
        if self.on {
            self.make_room();
            let trace = begun(at, packet, Vec::new());
            self.ring.push_back(Record::Known(Known { trace, way: way() }));
        }
    }

    fn number(&mut self, packet: &mut Packet) {
        self.last += 1;
        packet.trace = TraceId(self.last);
    }

    /// Forgets the oldest trace if there is no room for one more.
    fn make_room(&mut self) -> Option<Record> {
        let full = self.ring.len() == limits::TRACES_MAX;
        full.then(|| self.ring.pop_front()).flatten()
    }

    /// Writes ways down from now on, or does not. Packets are numbered all the same.
    pub fn set_on(&mut self, on: bool) {
        if !on {
            // Those that are kept must follow one another.
            self.ring.clear();
        }
        self.on = on;
    }

    /// So many packets were sent whose ways nobody asks for.
    pub fn skip(&mut self, packets: u64) {
        self.last += packets;
    }

    /// Tells of a packet whose way is known to its end.
    pub fn tell(&mut self, trace: Trace) {
        self.last += 1;
        self.make_room();
        self.ring.push_back(Record::Written(Arc::new(Trace { id: TraceId(self.last), ..trace })));
    }

    /// Whether ways are written down.
    pub fn is_on(&self) -> bool {
        self.on
    }

    fn get_mut(&mut self, id: TraceId) -> Option<&mut Record> {
        let first = self.ring.front()?.id();
        let index = usize::try_from(id.0.checked_sub(first)?).ok()?;
        self.ring.get_mut(index)
    }

    /// A packet leaves its known way after so many hops.
    pub fn leave(&mut self, id: TraceId, hops: usize) {
        let Some(record) = self.get_mut(id) else { return };
        if let Record::Known(known) = &*record {
            *record = Record::Written(Arc::new(known.write(hops)));
        }
    }

    pub fn hop(&mut self, id: TraceId, hop: Hop) {
        if let Some(Record::Written(trace)) = self.get_mut(id) {
            let trace = Arc::make_mut(trace);
            if trace.hops.len() < limits::HOPS_MAX {
                trace.hops.push(hop);
            }
        }
    }

    pub fn end(&mut self, id: TraceId, outcome: Outcome) {
        match self.get_mut(id) {
            Some(Record::Written(trace)) => Arc::make_mut(trace).outcome = outcome,
            Some(Record::Known(known)) => known.trace.outcome = outcome,
            None => {}
        }
    }

    /// The traces after that one, as they are at the moment `now`.
    pub fn after(&self, id: TraceId, now: Time) -> impl Iterator<Item = Arc<Trace>> {
        let first = self.ring.front().map_or(0, Record::id);
        let skip = usize::try_from(id.0.saturating_add(1).saturating_sub(first));
        let rest = self.ring.iter().skip(skip.unwrap_or(usize::MAX));
        rest.map(move |record| record.read(now))
    }

    pub fn last(&self) -> TraceId {
        TraceId(self.last)
    }
}

/// The trace of a packet that was just sent.
pub(crate) fn begun(at: Time, packet: &Packet, hops: Vec<Hop>) -> Trace {
    let (content, text) = content(packet);
    Trace {
        id: packet.trace,
        flow: packet.flow,
        cause: packet.cause,
        at,
        protocol: packet.protocol(),
        src: packet.src,
        dst: packet.dst,
        content,
        text,
        hops,
        outcome: Outcome::Travelling,
    }
}

/// What a packet carries, and what it says if people can read it.
fn content(packet: &Packet) -> (Content, Option<Arc<str>>) {
    match &packet.payload {
        Payload::Tcp(segment) => {
            let content = Content::Tcp {
                flags: segment.flags,
                seq: segment.seq,
                ack: segment.ack,
                window: segment.window,
                length: segment.data.len(),
            };
            (content, first_line(&segment.data))
        }
        Payload::Udp(data) => {
            let about_names = packet.src.port() == DNS || packet.dst.port() == DNS;
            let message = about_names.then(|| dns::Message::decode(data).ok()).flatten();
            let dns = message.as_ref().map(DnsHead::of);
            (Content::Udp { length: data.len(), dns }, message.as_ref().and_then(dns_text))
        }
        Payload::EchoRequest { seq, length } => {
            (Content::EchoRequest { seq: *seq, length: *length }, None)
        }
        Payload::EchoReply { seq, length } => {
            (Content::EchoReply { seq: *seq, length: *length }, None)
        }
        // A wrapped packet goes on in the trace of the one inside.
        Payload::Wrapped { inner, .. } => content(inner),
        Payload::IcmpError { error, about } => {
            (Content::IcmpError { error: *error, about: *about }, None)
        }
    }
}

const DNS: u16 = 53;

/// The first line of data if that is printable text.
fn first_line(data: &[u8]) -> Option<Arc<str>> {
    const LENGTH_MAX: usize = 120;
    let line = data.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let line = line.get(..line.len().min(LENGTH_MAX))?;
    let printable = |byte: &u8| (0x20..0x7f).contains(byte);
    if line.is_empty() || !line.iter().all(printable) {
        return None;
    }
    std::str::from_utf8(line).ok().map(Arc::from)
}

/// A question with a question mark, or the answers, or why there is none.
fn dns_text(message: &dns::Message) -> Option<Arc<str>> {
    const ANSWERS_MAX: usize = 8;
    let question = message.questions.first()?;
    if !message.response {
        return Some(format!("{}? {}", question.kind, question.name).into());
    }
    let answers = message.answers.iter().take(ANSWERS_MAX);
    let answers: Vec<String> =
        answers.map(|record| format!("{} {}", record.data.kind(), record.data)).collect();
    match answers.is_empty() {
        true => Some(message.rcode.to_string().into()),
        false => Some(answers.join(", ").into()),
    }
}
