//! Conversations that come again: what has gone the same way each time need not be sent packet by
//! packet. It is written down once, and told again with the moments and ports of each time.
//!
//! Who repeats a conversation answers for it that nothing would go otherwise: see
//! [`Network::generation`] for what of it the network knows.

use crate::conntrack::Entry;
use crate::limits;
use crate::namespace::NsId;
use crate::netfilter::Hit;
use crate::network::Network;
use crate::trace::{Addresses, FlowId, Hop, Outcome, Trace};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A conversation as it went.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Who began it.
    ns: NsId,
    /// With whom.
    other: NsId,
    began: Time,
    local: SocketAddr,
    /// Its packets, in order.
    traces: Arc<[Trace]>,
    /// What the rules of the namespace where it began have counted of it.
    counted: Arc<[Hit]>,
    /// What connection tracking remembers of it where it began.
    tracked: Option<Arc<Entry>>,
}

/// A conversation that took place several times, a period apart.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// How it goes.
    pub of: &'a Rehearsal,
    /// When it began for the first time.
    pub first: Time,
    /// From one beginning to the next; not zero.
    pub period: Duration,
    /// How often it took place.
    pub times: u64,
}

impl Series<'_> {
    /// The moment of one of them, from 0 on.
    fn at(&self, index: u64) -> Time {
        let micros = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX);
        self.first + Duration::from_micros(micros.saturating_mul(index))
    }

    /// How many of them began before the moment `at`.
    fn before(&self, at: Time) -> u64 {
        let micros = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX).max(1);
        let passed = at.as_micros().saturating_sub(self.first.as_micros());
        passed.div_ceil(micros).min(self.times)
    }

    /// From the beginning of one of them to the moment at which nobody remembers it any more.
    fn memory(&self) -> Option<Duration> {
        self.of.tracked.as_ref().map(|entry| entry.expires.since(self.of.began))
    }

    /// The first of them that is still remembered at the moment `now`.
    fn first_remembered(&self, now: Time) -> Option<Time> {
        let memory = self.memory()?;
        let index = match now.as_micros().checked_sub(memory.as_micros() as u64) {
            // What is forgotten just then is.
            Some(since) => self.before(Time::from_micros(since.saturating_add(1))),
            None => 0,
        };
        (index < self.times).then(|| self.at(index))
    }
}

/// A conversation that is being written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    /// Sockets of it that are open.
    pub sockets: usize,
    /// Its sockets that were ever opened.
    pub opened: usize,
    pub traces: BTreeMap<u64, Trace>,
    /// What rules have counted, and in which namespace.
    pub counted: Vec<(NsId, Hit)>,
    /// How often chance, or memory, had a say in the rules of the namespace before.
    chance: u64,
}

/// What is written down at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recordings {
    /// The next connection is written down.
    next: bool,
    /// The connection that was begun by that.
    begun: Option<FlowId>,
    flows: BTreeMap<FlowId, Recording>,
}

/// Conversations written down at once; more are not.
const RECORDINGS_MAX: usize = 1_024;

impl Recordings {
    /// A connection begins.
    pub fn begin(&mut self, flow: FlowId, chance: u64) {
        if std::mem::take(&mut self.next) && self.flows.len() < RECORDINGS_MAX {
            self.flows.insert(flow, Recording { chance, ..Recording::default() });
            self.begun = Some(flow);
        }
    }

    pub fn get_mut(&mut self, flow: FlowId) -> Option<&mut Recording> {
        if self.flows.is_empty() {
            return None;
        }
        self.flows.get_mut(&flow)
    }
}

impl Rehearsal {
    /// Whether another went the same way: as long, with as many packets over as many hops.
    pub fn is_like(&self, other: &Rehearsal) -> bool {
        let shape = |it: &Rehearsal| {
            let hops = |trace: &Trace| (trace.at.since(it.began), trace.hops.len(), trace.content);
            it.traces.iter().map(hops).collect::<Vec<_>>()
        };
        self.ns == other.ns
            && self.other == other.other
            && self.tracked.is_some() == other.tracked.is_some()
            && shape(self) == shape(other)
    }

    /// How long the packets were on their way, from the first to the last.
    pub fn lasted(&self) -> Duration {
        let hops = self.traces.iter().flat_map(|trace| &trace.hops);
        hops.map(|hop| hop.at).max().unwrap_or(self.began).since(self.began)
    }
}

impl Network {
    /// Writes down the next connection that is begun: [`Network::rehearsed`] gives it.
    pub fn rehearse(&mut self, next: bool) {
        self.recordings.next = next;
        if next {
            self.recordings.begun = None;
        }
    }

    /// The connection that was begun since [`Network::rehearse`], if it is being written down.
    pub fn rehearsing(&mut self) -> Option<FlowId> {
        self.recordings.begun.take()
    }

    /// Whether all that is to be written down of a conversation is.
    pub fn is_rehearsed(&self, flow: FlowId) -> bool {
        let recording = self.recordings.flows.get(&flow);
        recording.is_none_or(|recording| recording.sockets == 0)
    }

    /// The conversation as it went, once it is over, if it can be told again: both ends were in
    /// these two namespaces, every packet has come through, and no address was translated.
    pub fn rehearsed(&mut self, flow: FlowId, ns: NsId, other: NsId) -> Option<Rehearsal> {
        let Recording { sockets, opened, traces, counted, chance } =
            self.recordings.flows.remove(&flow)?;
        let traces: Vec<Trace> = traces.into_values().collect();
        let first = traces.first()?;
        let (began, local, remote) = (first.at, first.src, first.dst);
        let there = |hop: &Hop| (hop.ns == ns || hop.ns == other) && hop.before == hop.after;
        let plain = |trace: &Trace| {
            trace.outcome == Outcome::Delivered
                && trace.hops.len() < limits::HOPS_MAX
                && trace.hops.iter().all(there)
        };
        if sockets != 0 || opened != 2 || !traces.iter().all(plain) {
            return None;
        }
        if self.namespaces.get(&other).is_none_or(|space| space.filters()) {
            return None;
        }
        let space = self.namespaces.get(&ns)?;
        if space.netfilter.chance() != chance {
            return None;
        }
        let tracked = space.conntrack.between(local, remote);
        let untranslated = |entry: &Entry| entry.reply == entry.original.inverse();
        if !tracked.is_none_or(untranslated) {
            return None;
        }
        let tracked = tracked.cloned().map(Arc::new);
        // The other end has no rules.
        let counted = counted.into_iter().filter(|(at, _)| *at == ns).map(|(_, hit)| hit).collect();
        Some(Rehearsal { ns, other, began, local, traces: traces.into(), counted, tracked })
    }

    /// Gives up writing a conversation down.
    pub fn forget_rehearsal(&mut self, flow: FlowId) {
        self.recordings.flows.remove(&flow);
    }

    /// These conversations of one namespace took place, one after the other, all before `now`; of
    /// those of one moment the one of the earlier series came first.
    ///
    /// It leaves what [`Network::repeat`] of each of them would. Only those are gone through that
    /// left something of their own: packets that somebody wants to see, or a tracked connection.
    pub fn repeat_series(&mut self, ns: NsId, series: &[Series<'_>], now: Time) {
        let mut next: Vec<u64> = vec![0; series.len()];
        if !self.traces.is_on() {
            let remembered = series.iter().filter_map(|it| it.first_remembered(now)).min();
            let from = remembered.unwrap_or(now);
            next = series.iter().map(|it| it.before(from)).collect();
            self.count_forgotten(ns, series, &next);
        }
        let moment = |index: usize, next: &[u64]| {
            let (it, next) = (series.get(index)?, *next.get(index)?);
            (next < it.times).then(|| (it.at(next), index))
        };
        let mut queue: BTreeSet<(Time, usize)> =
            (0..series.len()).filter_map(|index| moment(index, &next)).collect();
        while let Some((at, index)) = queue.pop_first() {
            if let (Some(it), Some(next)) = (series.get(index), next.get_mut(index)) {
                *next += 1;
                self.repeat(it.of, at, now);
            }
            queue.extend(moment(index, &next));
        }
    }

    /// Counts the first `times` of each series, of which nothing is left but that they were there.
    fn count_forgotten(&mut self, ns: NsId, series: &[Series<'_>], times: &[u64]) {
        let Some(space) = self.namespaces.get_mut(&ns) else { return };
        let all = times.iter().fold(0, |sum: u64, times| sum.saturating_add(*times));
        if !space.endpoints.skip_ports(all) {
            return;
        }
        for (it, times) in series.iter().zip(times) {
            space.netfilter.count_again(&it.of.counted, *times);
            self.traces.skip(it.of.traces.len() as u64 * times);
        }
    }

    /// The conversation took place once more, and began at the moment `at`, which is over by `now`.
    pub fn repeat(&mut self, of: &Rehearsal, at: Time, now: Time) {
        let Some(space) = self.namespaces.get_mut(&of.ns) else { return };
        let Some(port) = space.endpoints.skip_port() else { return };
        space.netfilter.count_again(&of.counted, 1);
        let later = at.since(of.began);
        if let Some(entry) = &of.tracked {
            let expires = entry.expires + later;
            if expires > now {
                space.conntrack.repeat(entry, expires, port);
            }
        }
        if !self.traces.is_on() {
            return self.traces.skip(of.traces.len() as u64);
        }
        let flow = self.new_flow();
        let local = SocketAddr::new(of.local.ip(), port);
        let moved = |address: SocketAddr| if address == of.local { local } else { address };
        let both = |it: Addresses| Addresses { src: moved(it.src), dst: moved(it.dst) };
        for trace in &*of.traces {
            let hop = |hop: &Hop| Hop {
                at: hop.at + later,
                before: both(hop.before),
                after: both(hop.after),
                ..hop.clone()
            };
            self.traces.tell(Trace {
                flow,
                at: trace.at + later,
                src: moved(trace.src),
                dst: moved(trace.dst),
                hops: trace.hops.iter().map(hop).collect(),
                ..trace.clone()
            });
        }
    }

    /// A number that grows with every change of a namespace that could make its packets go another
    /// way: interfaces, addresses, routes, rules, and who listens where.
    pub fn generation(&self, ns: NsId) -> u64 {
        self.namespaces.get(&ns).map_or(0, |space| space.generation)
    }

    /// The port that the next connection from a namespace begins to look for a free one at: it
    /// changes with every connection.
    pub fn next_port(&self, ns: NsId) -> u16 {
        self.namespaces.get(&ns).map_or(0, |space| space.endpoints.next_port())
    }

    /// How many sockets a namespace has.
    pub fn socket_count(&self, ns: NsId) -> usize {
        self.namespaces.get(&ns).map_or(0, |space| space.sockets.len())
    }

    /// Whether chance decides about packets between two namespaces that are plugged together: a link
    /// that loses some.
    pub fn is_lossy(&self, ns: NsId) -> bool {
        use crate::link::Kind;
        let lossy = |kind: &Kind| matches!(kind, Kind::Veth { link, .. } if link.loss > 0.0);
        let space = self.namespaces.get(&ns);
        space.is_some_and(|space| space.interfaces.values().any(|iface| lossy(&iface.kind)))
    }
}
