//! Connection tracking: which packets belong together, and how their addresses are translated.
//!
//! An entry is made by the first packet of a connection and holds two tuples: of the packets as
//! the sender wrote them, and of the answers as they come in. Where the two are not the inverse of
//! each other, addresses are translated, in both directions.

use crate::limits;
use crate::packet::{Packet, Payload, Protocol, Segment, Tuple};
use naru_sim::Time;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Which way a packet of a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As the first packet.
    Original,
    /// Back.
    Reply,
}

/// What rules can ask: `--ctstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtState {
    /// It belongs to no connection and cannot start one.
    Invalid,
    /// It starts one.
    New,
    /// It is about another one: an ICMP error.
    Related,
    /// It belongs to one that was answered.
    Established,
    /// Not tracked.
    Untracked,
}

/// What connection tracking knows of a packet, within one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) enum Tracked {
    /// Not looked at.
    #[default]
    Not,
    Invalid,
    /// The first of a connection, which is written down when the packet gets through.
    New(Box<Entry>),
    Known {
        id: EntryId,
        direction: Direction,
        established: bool,
    },
    Related,
}

impl Tracked {
    pub fn state(&self) -> CtState {
        match self {
            Tracked::Not => CtState::Untracked,
            Tracked::Invalid => CtState::Invalid,
            Tracked::New(_) => CtState::New,
            Tracked::Known { established: true, .. } => CtState::Established,
            Tracked::Known { .. } => CtState::New,
            Tracked::Related => CtState::Related,
        }
    }
}

/// Which address is translated: destinations as packets come in, sources as they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manip {
    Destination,
    Source,
}

/// The state of a tracked TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// SYN seen.
    SynSent,
    /// SYN and ACK seen.
    SynRecv,
    /// Both sides talk.
    Established,
    /// One side has said goodbye.
    FinWait,
    /// Both have.
    TimeWait,
    /// Reset.
    Close,
}

impl TcpState {
    /// As `conntrack -L` writes it.
    pub fn name(self) -> &'static str {
        match self {
            TcpState::SynSent => "SYN_SENT",
            TcpState::SynRecv => "SYN_RECV",
            TcpState::Established => "ESTABLISHED",
            TcpState::FinWait => "FIN_WAIT",
            TcpState::TimeWait => "TIME_WAIT",
            TcpState::Close => "CLOSE",
        }
    }

    /// Linux: `net.netfilter.nf_conntrack_tcp_timeout_*`.
    fn timeout(self) -> Duration {
        Duration::from_secs(match self {
            TcpState::SynSent => 120,
            TcpState::SynRecv => 60,
            TcpState::Established => 432_000,
            TcpState::FinWait => 120,
            TcpState::TimeWait => 120,
            TcpState::Close => 10,
        })
    }

    fn next(self, segment: &Segment, direction: Direction) -> TcpState {
        let flags = segment.flags;
        match self {
            _ if flags.rst => TcpState::Close,
            TcpState::SynSent if flags.syn && flags.ack && direction == Direction::Reply => {
                TcpState::SynRecv
            }
            TcpState::SynRecv if flags.ack && !flags.syn && !flags.fin => TcpState::Established,
            TcpState::Established | TcpState::SynRecv if flags.fin => TcpState::FinWait,
            TcpState::FinWait if flags.fin => TcpState::TimeWait,
            other => other,
        }
    }
}

/// Names a tracked connection within its namespace, even when it is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryId {
    slot: u32,
    /// Connections that came later have greater numbers.
    number: u64,
}

impl Direction {
    /// The other one.
    pub(crate) fn inverse(self) -> Direction {
        match self {
            Direction::Original => Direction::Reply,
            Direction::Reply => Direction::Original,
        }
    }
}

/// A tracked connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Packets as their sender wrote them.
    pub original: Tuple,
    /// Answers as they come in.
    pub reply: Tuple,
    /// Whether an answer came.
    pub answered: bool,
    /// TCP's state; `None` for other protocols.
    pub tcp: Option<TcpState>,
    /// When it is forgotten if nothing more comes.
    pub expires: Time,
    /// Who has sent FIN, by direction, so that one side's repeated FIN is not taken for the other's.
    fins: [bool; 2],
    bound: [bool; 2],
    /// The rules that decided the translations, for traces.
    rules: [Option<Arc<str>>; 2],
}

impl Entry {
    fn new(tuple: Tuple, tcp: Option<TcpState>) -> Self {
        Entry {
            original: tuple,
            reply: tuple.inverse(),
            answered: false,
            tcp,
            expires: Time::ZERO,
            fins: [false; 2],
            bound: [false; 2],
            rules: [None, None],
        }
    }

    /// Whether it is decided how (and whether) this address is translated.
    pub(crate) fn is_bound(&self, manip: Manip) -> bool {
        self.bound[manip as usize]
    }

    /// Decides that packets go to, or seem to come from, `to`.
    pub(crate) fn bind(&mut self, manip: Manip, to: Option<SocketAddr>, rule: Option<Arc<str>>) {
        self.bound[manip as usize] = true;
        let Some(to) = to else { return };
        match manip {
            Manip::Destination => self.reply.src = to,
            Manip::Source => self.reply.dst = to,
        }
        self.rules[manip as usize] = rule;
    }

    /// The rule that decided a translation.
    pub(crate) fn rule(&self, manip: Manip, direction: Direction) -> Option<Arc<str>> {
        // On the way back the destination is where the source was translated.
        let decided = match (manip, direction) {
            (_, Direction::Original) => manip,
            (Manip::Destination, Direction::Reply) => Manip::Source,
            (Manip::Source, Direction::Reply) => Manip::Destination,
        };
        self.rules[decided as usize].clone()
    }

    /// The rules that decided the translations.
    pub(crate) fn rules(&self) -> [Option<Arc<str>>; 2] {
        self.rules.clone()
    }

    /// The address that a packet of this direction gets.
    pub(crate) fn translated(&self, manip: Manip, direction: Direction) -> SocketAddr {
        match (manip, direction) {
            (Manip::Destination, Direction::Original) => self.reply.src,
            (Manip::Source, Direction::Original) => self.reply.dst,
            (Manip::Destination, Direction::Reply) => self.original.src,
            (Manip::Source, Direction::Reply) => self.original.dst,
        }
    }

    /// Whether both sides have said all, or one has broken it off.
    fn is_over(&self) -> bool {
        matches!(self.tcp, Some(TcpState::TimeWait | TcpState::Close))
    }

    fn timeout(&self) -> Duration {
        match (self.tcp, self.original.protocol) {
            (Some(state), _) => state.timeout(),
            (None, Protocol::Udp) if self.answered => Duration::from_secs(120),
            (None, Protocol::Other(_)) => Duration::from_secs(600),
            _ => Duration::from_secs(30),
        }
    }

    /// The tuple of packets of this direction as they come in.
    pub(crate) fn coming(&self, direction: Direction) -> Tuple {
        match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        }
    }

    /// The tuple of packets of this direction as they go on.
    pub(crate) fn going(&self, direction: Direction) -> Tuple {
        self.coming(direction.inverse()).inverse()
    }

    /// A packet has come. Packets of the two directions may be told of in another order than they
    /// came in, if they crossed on their ways.
    pub(crate) fn see(&mut self, packet: &Packet, direction: Direction, now: Time) {
        let seen = now.max(self.expires - self.timeout());
        self.answered |= direction == Direction::Reply;
        if let (Some(state), Payload::Tcp(segment)) = (self.tcp, &packet.payload) {
            let fin = &mut self.fins[direction as usize];
            let repeated_fin = segment.flags.fin && *fin;
            *fin |= segment.flags.fin;
            if !repeated_fin {
                self.tcp = Some(state.next(segment, direction));
            }
        }
        self.expires = seen + self.timeout();
    }
}

/// The connections that one namespace tracks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conntrack {
    /// Free slots are taken again, so order is that of the numbers.
    slots: Vec<Option<(u64, Entry)>>,
    free: Vec<u32>,
    index: FxHashMap<Tuple, (EntryId, Direction)>,
    last: u64,
    /// Connections that are over and were not written down yet: the way they went, when they are
    /// forgotten, and the port they came from.
    repeated: VecDeque<(Time, u16, Arc<Entry>)>,
    /// Expired entries are swept out when the table has grown to this.
    sweep_at: usize,
    /// When a crowded table is swept again: at this moment, or after so many connections.
    crowded_until: (Time, u64),
}

impl Conntrack {
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.repeated.is_empty()
    }

    /// What is known of the connection from one address to another, as its sender wrote them.
    pub fn between(&self, src: SocketAddr, dst: SocketAddr) -> Option<&Entry> {
        let (id, _) = self.index.get(&Tuple { protocol: Protocol::Tcp, src, dst })?;
        self.get(*id)
    }

    /// A connection like another was there, from another port, and is forgotten at `expires`.
    pub fn repeat(&mut self, like: &Arc<Entry>, expires: Time, port: u16) {
        if self.repeated.len() < limits::CONNTRACK_MAX {
            self.repeated.push_back((expires, port, Arc::clone(like)));
        }
    }

    /// Forgets repeated connections whose time is over.
    fn forget_repeated(&mut self, now: Time) {
        while self.repeated.front().is_some_and(|(expires, ..)| *expires <= now) {
            self.repeated.pop_front();
        }
    }

    /// Writes down the repeated connections that are not forgotten, before somebody looks.
    pub fn settle(&mut self, now: Time) {
        for (expires, port, like) in std::mem::take(&mut self.repeated) {
            if expires > now && self.len() < limits::CONNTRACK_MAX {
                let mut original = like.original;
                original.src.set_port(port);
                let reply = original.inverse();
                self.insert(Entry { original, reply, expires, ..Entry::clone(&like) });
            }
        }
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn insert(&mut self, entry: Entry) -> EntryId {
        self.last += 1;
        let slot = self.free.pop().unwrap_or(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        let id = EntryId { slot, number: self.last };
        self.index.insert(entry.original, (id, Direction::Original));
        self.index.insert(entry.reply, (id, Direction::Reply));
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = Some((id.number, entry)),
            None => self.slots.push(Some((id.number, entry))),
        }
        id
    }

    pub fn get(&self, id: EntryId) -> Option<&Entry> {
        let (number, entry) = self.slots.get(id.slot as usize)?.as_ref()?;
        (*number == id.number).then_some(entry)
    }

    pub fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        let (number, entry) = self.slots.get_mut(id.slot as usize)?.as_mut()?;
        (*number == id.number).then_some(entry)
    }

    /// What is not forgotten, oldest first.
    pub fn entries(&self, now: Time) -> impl Iterator<Item = &Entry> {
        let all = self.slots.iter().flatten();
        let mut alive: Vec<&(u64, Entry)> = all.filter(|(_, entry)| entry.expires > now).collect();
        alive.sort_unstable_by_key(|(number, _)| *number);
        alive.into_iter().map(|(_, entry)| entry)
    }

    /// Looks at a packet that came in or was sent here.
    pub fn track(&mut self, packet: &mut Packet, now: Time) {
        if let Payload::IcmpError { .. } = packet.payload {
            packet.tracked = self.translate_error(packet);
            return;
        }
        let tuple = packet.tuple();
        packet.tracked = match self.find(&tuple, packet, now) {
            Some((id, direction)) => self.known(id, direction, packet, now),
            None => first(tuple, packet),
        };
    }

    /// The living entry of a tuple. One that has ended makes way for a new connection.
    fn find(&mut self, tuple: &Tuple, packet: &Packet, now: Time) -> Option<(EntryId, Direction)> {
        let (id, direction) = *self.index.get(tuple)?;
        let entry = self.get(id)?;
        let ended = entry.is_over();
        let opens = matches!(&packet.payload, Payload::Tcp(s) if s.flags.syn && !s.flags.ack);
        if entry.expires <= now || (ended && opens && direction == Direction::Original) {
            self.remove(id);
            return None;
        }
        Some((id, direction))
    }

    fn known(&mut self, id: EntryId, direction: Direction, packet: &Packet, now: Time) -> Tracked {
        let Some(entry) = self.get_mut(id) else { return Tracked::Invalid };
        entry.see(packet, direction, now);
        Tracked::Known { id, direction, established: entry.answered }
    }

    /// Writes down a connection whose first packet got through. False when the table is full.
    pub fn confirm(&mut self, packet: &mut Packet, now: Time) -> bool {
        if !matches!(packet.tracked, Tracked::New(_)) {
            return true;
        }
        self.forget_repeated(now);
        self.sweep(now);
        if self.len() + self.repeated.len() >= limits::CONNTRACK_MAX {
            return false;
        }
        let Tracked::New(mut entry) = std::mem::take(&mut packet.tracked) else { return true };
        entry.expires = now + entry.timeout();
        let id = self.insert(*entry);
        packet.tracked = Tracked::Known { id, direction: Direction::Original, established: false };
        true
    }

    /// Whether answers with this tuple would be taken for another connection's.
    pub fn is_taken(&self, reply: &Tuple, now: Time) -> bool {
        let found = self.index.get(reply).and_then(|(id, _)| self.get(*id));
        found.is_some_and(|entry| entry.expires > now)
    }

    /// Forgets what is expired. All entries are looked at, so this is done now and then only.
    fn sweep(&mut self, now: Time) {
        const SWEEP_AT_MIN: usize = 1_024;
        if self.len() + self.repeated.len() >= limits::CONNTRACK_CROWDED {
            return self.sweep_crowded(now);
        }
        if self.len() < self.sweep_at.max(SWEEP_AT_MIN) {
            return;
        }
        self.remove_if(|entry| entry.expires <= now);
        self.sweep_at = self.len() * 2;
    }

    /// Where there is hardly room, connections that are over go too.
    ///
    /// Linux: `gc_worker_can_early_drop` in `nf_conntrack_core.c`, whose worker comes round now and
    /// then.
    fn sweep_crowded(&mut self, now: Time) {
        const INTERVAL: Duration = Duration::from_secs(1);
        const CONNECTIONS: u64 = (limits::CONNTRACK_MAX / 64) as u64;
        let (moment, number) = self.crowded_until;
        if now < moment && self.last < number {
            return;
        }
        self.remove_if(|entry| entry.expires <= now || entry.is_over());
        self.repeated.retain(|(_, _, entry)| !entry.is_over());
        self.crowded_until = (now + INTERVAL, self.last + CONNECTIONS);
    }

    fn remove(&mut self, id: EntryId) {
        if self.get(id).is_none() {
            return;
        }
        let taken = self.slots.get_mut(id.slot as usize).and_then(Option::take);
        let Some((_, entry)) = taken else { return };
        self.free.push(id.slot);
        for tuple in [entry.original, entry.reply] {
            if self.index.get(&tuple).is_some_and(|(owner, _)| *owner == id) {
                self.index.remove(&tuple);
            }
        }
    }

    /// Forgets connections; tells how many.
    pub fn remove_if(&mut self, forget: impl Fn(&Entry) -> bool) -> usize {
        let gone = |(slot, place): (u32, &Option<(u64, Entry)>)| match place {
            Some((number, entry)) if forget(entry) => Some(EntryId { slot, number: *number }),
            _ => None,
        };
        let gone: Vec<EntryId> = (0..).zip(&self.slots).filter_map(gone).collect();
        gone.iter().for_each(|id| self.remove(*id));
        gone.len()
    }

    /// An ICMP error is about a packet as its reporter saw it; its sender must be told by the
    /// addresses that the sender wrote.
    fn translate_error(&self, packet: &mut Packet) -> Tracked {
        let Payload::IcmpError { about, .. } = &mut packet.payload else { return Tracked::Invalid };
        let Some((id, answer)) = self.index.get(&about.inverse()) else { return Tracked::Related };
        let Some(entry) = self.get(*id) else { return Tracked::Related };
        let written = match answer {
            Direction::Reply => entry.original,
            Direction::Original => entry.reply,
        };
        if packet.src.ip() == about.dst.ip() {
            packet.src.set_ip(written.dst.ip());
        }
        packet.dst = written.src;
        *about = written;
        Tracked::Related
    }
}

/// A packet of no known connection. Like Linux (`nf_conntrack_tcp_loose`) a connection may be
/// picked up in its middle, but not at a reset.
fn first(tuple: Tuple, packet: &Packet) -> Tracked {
    let tcp = match &packet.payload {
        Payload::Tcp(segment) if segment.flags.rst => return Tracked::Invalid,
        Payload::Tcp(segment) if segment.flags.syn && segment.flags.ack => return Tracked::Invalid,
        Payload::Tcp(segment) if segment.flags.syn => Some(TcpState::SynSent),
        Payload::Tcp(segment) if segment.flags.fin => Some(TcpState::FinWait),
        Payload::Tcp(_) => Some(TcpState::Established),
        Payload::EchoReply { .. } | Payload::IcmpError { .. } => return Tracked::Invalid,
        Payload::Udp(_) | Payload::EchoRequest { .. } | Payload::Wrapped { .. } => None,
    };
    Tracked::New(Box::new(Entry::new(tuple, tcp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize, state: TcpState, expires: Time) -> Entry {
        let (host, port) = ((number >> 16) as u8, number as u16);
        let src = SocketAddr::from(([10, 0, 0, host], port));
        let dst = SocketAddr::from(([10, 0, 1, 1], 80));
        let tuple = Tuple { protocol: Protocol::Tcp, src, dst };
        Entry { expires, ..Entry::new(tuple, Some(state)) }
    }

    #[test]
    fn what_is_over_makes_room_where_there_is_hardly_any() {
        let later = Time::ZERO + Duration::from_secs(60);
        let state = |number: usize| match number % 2 {
            0 => TcpState::TimeWait,
            _ => TcpState::Established,
        };
        let mut table = Conntrack::default();
        let crowded = limits::CONNTRACK_CROWDED;
        for number in 0..crowded - 1 {
            table.insert(entry(number, state(number), later));
            table.sweep(Time::ZERO);
        }
        assert_eq!(table.len(), crowded - 1);
        table.insert(entry(crowded, TcpState::Established, later));
        table.sweep(Time::ZERO);
        assert!(table.len() < crowded * 51 / 100, "{}", table.len());
        // Connections that stand are left alone.
        for number in crowded + 1..crowded * 2 {
            table.insert(entry(number, TcpState::Established, later));
            table.sweep(Time::ZERO);
        }
        assert!(table.len() > limits::CONNTRACK_MAX, "{}", table.len());
    }
}
