//! Ways that are known: packets of connections that stand go as those before them went, like those
//! that a kernel's flow table hands on without asking its rules.
//!
//! The first packet that goes a way is sent hop by hop, and what it meets is written down: hops,
//! rules that counted it, connections that were tracked, the moments at which it came to each
//! namespace. Later ones take one event to the other end. What they would have left on their way is
//! left all the same: rules count them before anybody looks, tracked connections see them, their
//! traces have every hop.
//!
//! A way is forgotten with any change of the network's configuration ([`Network::disturb`]): packets
//! that are on a known way then go on hop by hop from where they are. Where chance, or a memory of
//! rules, has a say, there is no known way.

use crate::conntrack::{Conntrack, Direction, Entry, EntryId, Tracked};
use crate::limits;
use crate::link::IfIndex;
use crate::namespace::NsId;
use crate::netfilter::Hit;
use crate::network::{Event, Network};
use crate::packet::{Packet, Payload, Segment, TTL, Tuple};
use crate::socket::{SockId, SocketKind};
use crate::trace::{Addresses, ClientPort, Drop, Hop, KnownHops, Outcome};
use naru_sim::Time;
use rustc_hash::FxHashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Namespaces that may track one connection.
const TRACKERS_MAX: usize = 4;
/// Ways that are known at one time; all are forgotten when there would be more.
const WAYS_MAX: usize = 16_384;
/// After this, a packet that explores a way is lost, and another one does.
const EXPLORER_LOST: Duration = Duration::from_secs(1);

/// Where a packet was tracked, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail {
    at: [Option<Passage>; TRACKERS_MAX],
    /// There were more than have room.
    too_long: bool,
}

/// A packet's passage through a namespace that tracks its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passage {
    ns: NsId,
    entry: EntryId,
    direction: Direction,
}

impl Trail {
    /// The packet was tracked.
    pub fn add(&mut self, ns: NsId, tracked: &Tracked) {
        let Tracked::Known { id: entry, direction, .. } = *tracked else { return };
        match self.at.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(Passage { ns, entry, direction }),
            None => self.too_long = true,
        }
    }

    fn passages(&self) -> impl DoubleEndedIterator<Item = Passage> + '_ {
        self.at.iter().flatten().copied()
    }

    /// The trail of an answer.
    pub fn back(&self) -> Trail {
        let mut back = Trail { too_long: self.too_long, ..Trail::default() };
        for (place, passage) in back.at.iter_mut().zip(self.passages().rev()) {
            *place = Some(Passage { direction: passage.direction.inverse(), ..passage });
        }
        back
    }

    fn first(&self, count: usize) -> Trail {
        let mut first = *self;
        first.at.iter_mut().skip(count).for_each(|place| *place = None);
        first
    }
}

/// What a connection's packets know of their way to the other end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outlook {
    /// Where the other end's last packet was tracked, in the order of the way there.
    trail: Option<Trail>,
    /// The way, and the state of the network for which it is right.
    way: Option<(u64, usize)>,
}

impl Outlook {
    /// A packet has come from the other end.
    pub fn learn(&mut self, trail: &Trail) {
        let back = trail.back();
        if self.trail != Some(back) {
            *self = Outlook { trail: Some(back), way: None };
        }
    }
}

/// By which a way is found: from where to where, as the sender writes it and as the receiver sees
/// it. The client's port is 0 where it makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    ns: NsId,
    sent: (SocketAddr, SocketAddr),
    received: (SocketAddr, SocketAddr),
}

/// What is known by a key.
#[derive(Clone, Copy, Debug)]
enum Finding {
    /// The way.
    Way(usize),
    /// Rules ask for the client's port: each connection has its own.
    ByPort,
    /// Packets must be sent hop by hop.
    None,
    /// A packet that was sent then is on its way; others wait for what it meets, and go hop by hop.
    Explored(Time),
}

/// One stretch of a way: what happens in one moment.
#[derive(Clone, Debug)]
struct Leg {
    /// Since the packet was sent.
    after: Duration,
    /// How the packet comes there; `None` where it is sent.
    arrives: Option<(NsId, IfIndex, IpAddr)>,
    /// What of the way's hops, counts and passages is behind the packet after this stretch.
    hops: usize,
    counted: usize,
    tracked: usize,
    ttl: u8,
    addresses: Addresses,
}

/// A connection that is tracked on the way.
#[derive(Clone, Debug, PartialEq)]
struct Tracking {
    ns: NsId,
    direction: Direction,
    after: Duration,
    coming: Tuple,
    going: Tuple,
    /// The rules that have decided how it is translated.
    rules: [Option<Arc<str>>; 2],
}

impl Tracking {
    fn of(ns: NsId, direction: Direction, after: Duration, entry: &Entry) -> Tracking {
        let (coming, going) = (entry.coming(direction), entry.going(direction));
        Tracking { ns, direction, after, coming, going, rules: entry.rules() }
    }
}

/// A known way.
#[derive(Clone, Debug)]
struct Way {
    /// The namespace of the receiver.
    to: NsId,
    legs: Vec<Leg>,
    hops: Arc<[Hop]>,
    /// Rules that count packets which go it, and in which namespace.
    counted: Vec<(NsId, Hit)>,
    tracked: Vec<Tracking>,
    /// Which side's port stands for any; `None` if it is that of one connection alone.
    client_sends: Option<bool>,
    /// What has gone it and was not told to the rules yet.
    packets: u64,
    bytes: u64,
}

/// What is written down of a packet's way while it goes it.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    key: Key,
    /// The client's port, and whether it may stand for any.
    port: ClientPort,
    general: bool,
    began: Time,
    /// The state of the network then.
    state: u64,
    legs: Vec<Leg>,
    hops: Vec<Hop>,
    counted: Vec<(NsId, Hit)>,
    tracked: Vec<Tracking>,
    /// The way may be another for the next packet.
    varies: bool,
    /// The client's port had a say.
    asked_port: bool,
}

impl Log {
    pub fn hop(&mut self, hop: &Hop) {
        self.hops.push(Hop { at: Time::ZERO + hop.at.since(self.began), ..hop.clone() });
    }

    /// What rules of a namespace had to say of the packet.
    pub fn judged(&mut self, ns: NsId, hits: Vec<Hit>, asked: Asked) {
        self.counted.extend(hits.into_iter().map(|hit| (ns, hit)));
        self.varies |= asked.memory;
        self.asked_port |= if self.port.sends { asked.source_port } else { asked.destination_port };
    }

    /// The packet was tracked, for the first time in this namespace.
    pub fn tracked(&mut self, ns: NsId, tracked: &Tracked, conntrack: &Conntrack, now: Time) {
        match tracked {
            Tracked::Known { id, direction, established: true } => {
                let after = now.since(self.began);
                let entry = conntrack.get(*id);
                let of = |entry| Tracking::of(ns, *direction, after, entry);
                self.tracked.extend(entry.map(of));
            }
            _ => self.varies = true,
        }
    }

    fn end_leg(&mut self, packet: &Packet) {
        if let Some(leg) = self.legs.last_mut() {
            (leg.hops, leg.counted) = (self.hops.len(), self.counted.len());
            (leg.tracked, leg.ttl) = (self.tracked.len(), packet.ttl);
            leg.addresses = Addresses { src: packet.src, dst: packet.dst };
        }
    }

    fn begin_leg(&mut self, after: Duration, arrives: Option<(NsId, IfIndex, IpAddr)>) {
        let nowhere = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        let addresses = Addresses { src: nowhere, dst: nowhere };
        let leg = Leg { after, arrives, hops: 0, counted: 0, tracked: 0, ttl: TTL, addresses };
        self.legs.push(leg);
    }

    /// The packet leaves for another namespace, or for its own by `lo`.
    pub fn sent_on(&mut self, packet: &Packet, at: Time, arrives: (NsId, IfIndex, IpAddr)) {
        self.end_leg(packet);
        self.begin_leg(at.since(self.began), Some(arrives));
    }
}

/// What rules looked at, besides what is alike for all packets of a way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub source_port: bool,
    pub destination_port: bool,
    /// Chance, a list of recent addresses, or the kernel's log.
    pub memory: bool,
}

/// The ways that are known.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// Whether known ways are used.
    on: bool,
    /// Grows with every change of the network's configuration.
    state: u64,
    index: FxHashMap<Key, Finding>,
    ways: Vec<Way>,
    /// Packets on known ways.
    riding: usize,
}

impl Default for Ways {
    fn default() -> Self {
        Ways { on: true, state: 0, index: FxHashMap::default(), ways: Vec::new(), riding: 0 }
    }
}

/// A packet on a known way.
#[derive(Clone, Debug)]
pub(crate) struct Ride {
    way: usize,
    sent: Time,
    pub packet: Box<Packet>,
}

/// How a packet is to be sent.
enum Choice {
    Way(usize, Trail),
    /// Hop by hop; what is found by this key is written down.
    Explore(Key, ClientPort, bool),
    HopByHop,
}

/// A tuple in which the client's port stands for any.
fn general(tuple: Tuple, port: ClientPort) -> Tuple {
    let at = Addresses { src: tuple.src, dst: tuple.dst };
    let Addresses { src, dst } = ClientPort { number: 0, ..port }.put(at);
    Tuple { src, dst, ..tuple }
}

fn has_port(tuple: Tuple, port: ClientPort) -> bool {
    (if port.sends { tuple.src } else { tuple.dst }).port() == port.number
}

impl Network {
    /// Sends packets the ways that are known from now on, as it does from the start, or hop by hop:
    /// nothing else changes by it.
    pub fn set_known_ways(&mut self, on: bool) {
        self.disturb();
        self.ways.on = on;
    }

    /// Sends a packet of a connection.
    pub(crate) fn send_of(&mut self, socket: SockId, ns: NsId, mut packet: Packet) {
        match self.choose(socket, ns, &packet) {
            Choice::Way(way, trail) => self.ride(way, trail, packet),
            Choice::Explore(key, port, general) => {
                if self.ways.index.len() >= WAYS_MAX {
                    self.disturb();
                }
                self.ways.index.insert(key, Finding::Explored(self.now));
                let mut log = Box::new(Log {
                    key,
                    port,
                    general,
                    began: self.now,
                    state: self.ways.state,
                    legs: Vec::new(),
                    hops: Vec::new(),
                    counted: Vec::new(),
                    tracked: Vec::new(),
                    varies: false,
                    asked_port: false,
                });
                log.begin_leg(Duration::ZERO, None);
                packet.log = Some(log);
                self.emit(ns, packet);
            }
            Choice::HopByHop => self.emit(ns, packet),
        }
    }

    fn choose(&mut self, socket: SockId, ns: NsId, packet: &Packet) -> Choice {
        if !self.ways.on || self.recordings.get_mut(packet.flow).is_some() {
            return Choice::HopByHop;
        }
        let Some(found) = self.sockets.get(&socket) else { return Choice::HopByHop };
        let Payload::Tcp(Segment { flags, .. }) = &packet.payload else { return Choice::HopByHop };
        if flags.syn && !flags.ack {
            // It may meet the answer to the one before.
            if matches!(&found.kind, SocketKind::Tcp(tcp) if tcp.has_retried()) {
                self.disturb();
            }
            return Choice::HopByHop;
        }
        let Outlook { trail: Some(trail), way } = found.outlook else { return Choice::HopByHop };
        if trail.too_long {
            return Choice::HopByHop;
        }
        if let Some((state, way)) = way
            && state == self.ways.state
        {
            return match self.is_open(way, &trail, flags.syn) {
                true => Choice::Way(way, trail),
                false => Choice::HopByHop,
            };
        }
        let choice = self.search(ns, packet, &trail, found.is_client, flags.syn);
        if let Choice::Way(way, _) = choice
            && let Some(found) = self.sockets.get_mut(&socket)
        {
            found.outlook.way = Some((self.ways.state, way));
        }
        choice
    }

    /// Whether the connections on the trail are still tracked until a packet sent now has passed.
    /// None of them may have been without an answer, unless this is the answer (`first`): rules
    /// see the difference.
    fn is_open(&self, way: usize, trail: &Trail, first: bool) -> bool {
        let Some(way) = self.ways.ways.get(way) else { return false };
        let until = self.now + way.legs.last().map_or(Duration::ZERO, |leg| leg.after);
        trail.passages().all(|passage| {
            let space = self.namespaces.get(&passage.ns);
            let entry = space.and_then(|space| space.conntrack.get(passage.entry));
            entry.is_some_and(|entry| {
                let answers = first && passage.direction == Direction::Reply;
                let answered = entry.answered || answers;
                answered && entry.expires > until
            })
        })
    }

    fn search(
        &self,
        ns: NsId,
        packet: &Packet,
        trail: &Trail,
        client: bool,
        first: bool,
    ) -> Choice {
        let port = ClientPort::of(packet, client);
        let mut trackings = Vec::with_capacity(TRACKERS_MAX);
        for Passage { ns, entry, direction } in trail.passages() {
            let space = self.namespaces.get(&ns);
            let Some(entry) = space.and_then(|space| space.conntrack.get(entry)) else {
                return Choice::HopByHop;
            };
            trackings.push(Tracking::of(ns, direction, Duration::ZERO, entry));
        }
        let sent = packet.tuple();
        let received = trackings.last().map_or(sent, |last| last.going);
        let kept = trackings.iter().all(|it| has_port(it.coming, port) && has_port(it.going, port));
        let exact = Key { ns, sent: (sent.src, sent.dst), received: (received.src, received.dst) };
        let (mut key, mut finding) = (exact, Finding::ByPort);
        if kept {
            let (sent, received) = (general(sent, port), general(received, port));
            key = Key { ns, sent: (sent.src, sent.dst), received: (received.src, received.dst) };
            match self.ways.index.get(&key) {
                None => return Choice::Explore(key, port, true),
                Some(found) => finding = *found,
            }
        }
        if let Finding::ByPort = finding {
            key = exact;
            match self.ways.index.get(&exact) {
                None => return Choice::Explore(exact, port, false),
                Some(found) => finding = *found,
            }
        }
        if let Finding::Explored(since) = finding
            && self.now.since(since) > EXPLORER_LOST
        {
            return Choice::Explore(key, port, kept && key != exact);
        }
        let Finding::Way(index) = finding else { return Choice::HopByHop };
        let Some(way) = self.ways.ways.get(index) else { return Choice::HopByHop };
        let alike = |(known, mine): (&Tracking, &Tracking)| {
            let same = |a: Tuple, b: Tuple| match way.client_sends {
                Some(_) => general(a, port) == general(b, port),
                None => a == b,
            };
            (known.ns, known.direction, &known.rules) == (mine.ns, mine.direction, &mine.rules)
                && same(known.coming, mine.coming)
                && same(known.going, mine.going)
        };
        let fits = way.tracked.len() == trackings.len()
            && way.tracked.iter().zip(&trackings).all(alike)
            && self.is_open(index, trail, first);
        if fits { Choice::Way(index, *trail) } else { Choice::HopByHop }
    }

    /// Sends a packet a known way.
    fn ride(&mut self, index: usize, trail: Trail, mut packet: Packet) {
        let Some(way) = self.ways.ways.get(index) else { return };
        let after = way.legs.last().map_or(Duration::ZERO, |leg| leg.after);
        let port = way.client_sends.map(|sends| ClientPort::of(&packet, sends));
        let known = || KnownHops { hops: Arc::clone(&way.hops), port };
        self.traces.begin_known(self.now, &mut packet, known);
        let packet = Box::new(Packet { trail, ..packet });
        let (flow, trace) = (packet.flow, packet.trace);
        self.ways.riding += 1;
        let ride = Ride { way: index, sent: self.now, packet };
        if !self.plan(after, Event::Ride(ride)) {
            self.ways.riding -= 1;
            self.end_trace(flow, trace, Outcome::Dropped(Drop::Congested));
        }
    }

    /// A packet has come to the end of a known way.
    pub(crate) fn ride_ends(&mut self, ride: Ride) {
        let Ride { way, sent, mut packet } = ride;
        self.ways.riding = self.ways.riding.saturating_sub(1);
        let Some(way) = self.ways.ways.get_mut(way) else { return };
        way.packets += 1;
        way.bytes += packet.length();
        let Some(last) = way.legs.last() else { return };
        packet.ttl = last.ttl;
        let to = way.to;
        let addresses = last.addresses;
        let client = way.client_sends;
        for (passage, tracking) in packet.trail.passages().zip(&way.tracked) {
            let space = self.namespaces.get_mut(&passage.ns);
            if let Some(entry) = space.and_then(|space| space.conntrack.get_mut(passage.entry)) {
                entry.see(&packet, passage.direction, sent + tracking.after);
            }
        }
        set_addresses(&mut packet, addresses, client);
        self.deliver(to, packet);
    }

    /// A packet that was sent hop by hop has come through: the way is known from now on.
    pub(crate) fn explored(&mut self, ns: NsId, packet: &mut Packet) {
        let Some(mut log) = packet.log.take() else { return };
        log.end_leg(packet);
        // One that was begun before the network has changed is of no use.
        if log.state != self.ways.state {
            return;
        }
        if self.ways.index.len() >= WAYS_MAX {
            self.disturb();
            return;
        }
        let trackings = log.tracked.len();
        let plain = !log.varies
            && log.legs.len() > 1
            && log.hops.len() < limits::HOPS_MAX
            && trackings == packet.trail.passages().count()
            && !packet.trail.too_long;
        let finding = match (plain, log.general && log.asked_port) {
            (false, _) => Finding::None,
            (true, true) => Finding::ByPort,
            (true, false) => {
                self.ways.ways.push(Way {
                    to: ns,
                    legs: log.legs,
                    hops: log.hops.into(),
                    counted: log.counted,
                    tracked: log.tracked,
                    client_sends: log.general.then_some(log.port.sends),
                    packets: 0,
                    bytes: 0,
                });
                Finding::Way(self.ways.ways.len() - 1)
            }
        };
        self.ways.index.insert(log.key, finding);
    }

    /// A packet meets what may go otherwise for the next one.
    pub(crate) fn not_to_be_known(&mut self, packet: &mut Packet) {
        if let Some(log) = packet.log.take()
            && log.state == self.ways.state
            && self.ways.index.len() < WAYS_MAX
        {
            self.ways.index.insert(log.key, Finding::None);
        }
    }

    /// Before the network is changed, or looked at closely: packets on known ways go on hop by hop
    /// from where they are, and rules count what has gone by. No way is known then.
    pub(crate) fn disturb(&mut self) {
        self.ways.state += 1;
        if self.ways.index.is_empty() {
            return;
        }
        if self.ways.riding > 0 {
            let riding = self.queue.take_where(|event| matches!(event, Event::Ride(_)));
            for (_, place, event) in riding {
                if let Event::Ride(ride) = event
                    && let Some((at, event)) = self.alight(ride)
                {
                    self.queue.put(at, place, event);
                }
            }
            self.ways.riding = 0;
        }
        self.ways.index.clear();
        for way in std::mem::take(&mut self.ways.ways) {
            for (ns, hit) in way.counted.iter().filter(|_| way.packets > 0) {
                if let Some(space) = self.namespaces.get_mut(ns) {
                    space.netfilter.count_more(*hit, way.packets, way.bytes);
                }
            }
        }
    }

    /// A packet leaves its known way: it is at its next namespace at the moment that is given.
    fn alight(&mut self, ride: Ride) -> Option<(Time, Event)> {
        let Ride { way, sent, mut packet } = ride;
        let way = self.ways.ways.get(way)?;
        let elapsed = self.present().since(sent);
        // What happens in this moment has not happened yet.
        let behind = |leg: &&Leg| leg.after < elapsed || leg.arrives.is_none();
        let done = way.legs.iter().take_while(behind).count().min(way.legs.len() - 1).max(1);
        let (last, next) = (way.legs.get(done - 1)?, way.legs.get(done)?);
        let bytes = packet.length();
        for (passage, tracking) in packet.trail.passages().zip(&way.tracked).take(last.tracked) {
            let space = self.namespaces.get_mut(&passage.ns);
            if let Some(entry) = space.and_then(|space| space.conntrack.get_mut(passage.entry)) {
                entry.see(&packet, passage.direction, sent + tracking.after);
            }
        }
        for (ns, hit) in way.counted.iter().take(last.counted) {
            if let Some(space) = self.namespaces.get_mut(ns) {
                space.netfilter.count_more(*hit, 1, bytes);
            }
        }
        self.traces.leave(packet.trace, last.hops);
        packet.ttl = last.ttl;
        packet.trail = packet.trail.first(last.tracked);
        set_addresses(&mut packet, last.addresses, way.client_sends);
        let (ns, iface, next_hop) = next.arrives?;
        Some((sent + next.after, Event::Arrive { ns, iface, next_hop, packet }))
    }
}

/// Writes the addresses of a known way on a packet; the client's port is the packet's own.
fn set_addresses(packet: &mut Packet, to: Addresses, client_sends: Option<bool>) {
    let to = match client_sends {
        Some(sends) => ClientPort::of(packet, sends).put(to),
        None => to,
    };
    (packet.src, packet.dst) = (to.src, to.dst);
}
