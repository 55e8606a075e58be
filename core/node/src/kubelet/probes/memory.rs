//! Probes that go the same way each time.
//!
//! A probe that has twice gone alike, and of which nothing stays in the container but that it has
//! used the processor, goes alike again while neither the container has another turn nor the way to
//! it changes. Such probes are not sent: [`ProbeManager::catch_up`] takes them into account as if
//! they had been, all at once, before anything happens on the node.

use super::{ProbeId, ProbeManager, Watched};
use crate::kubelet::pod_workers::NodeWorld;
use crate::runtime::{ContainerId, Footprint, Runtime};
use naru_network::{FlowId, Network, NsId, Rehearsal, Series};
use naru_shell::Pid;
use naru_sim::Time;
use std::time::Duration;

/// A namespace with more open sockets may refuse the next one.
const SOCKETS_MAX: usize = 32;

/// A probe that is written down as it goes.
#[derive(Clone, Debug)]
pub(super) struct Rehearsing {
    flow: FlowId,
    pod: NsId,
    before: Footprint,
    pod_port: u16,
}

/// A probe as it went.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    rehearsal: Rehearsal,
    spent: Vec<(ContainerId, Pid, u64)>,
    pod: NsId,
    state: State,
}

/// What must stay for a probe to go alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    way: [u64; 2],
    containers: u64,
}

impl State {
    fn of(runtime: &Runtime, network: &Network, host: NsId, pod: NsId) -> State {
        let way = [host, pod].map(|ns| network.generation(ns));
        State { way, containers: runtime.state(pod) }
    }
}

impl Memory {
    fn is_like(&self, other: &Memory) -> bool {
        self.pod == other.pod
            && self.spent == other.spent
            && self.rehearsal.is_like(&other.rehearsal)
    }
}

impl Rehearsing {
    /// Has the next connection written down, if a probe of this container may go alike each time.
    pub fn prepare(world: &mut NodeWorld<'_>, run: ContainerId) -> Option<(NsId, Footprint, u16)> {
        let sandbox = world.runtime.container(run)?.sandbox;
        let pod = world.runtime.sandbox(sandbox)?.network;
        let lossy = world.network.is_lossy(pod);
        if pod == world.host || lossy || world.network.socket_count(pod) > SOCKETS_MAX {
            return None;
        }
        world.network.rehearse(true);
        let footprint = world.runtime.footprint(pod, world.host);
        Some((pod, footprint, world.network.next_port(pod)))
    }

    /// After the connection was begun.
    pub fn begin(
        network: &mut Network,
        (pod, before, pod_port): (NsId, Footprint, u16),
    ) -> Option<Rehearsing> {
        network.rehearse(false);
        let flow = network.rehearsing()?;
        Some(Rehearsing { flow, pod, before, pod_port })
    }

    /// Whether its last packet has come through.
    pub fn is_over(&self, network: &Network) -> bool {
        network.is_rehearsed(self.flow)
    }

    /// What is to be remembered of it, if it can come again.
    pub fn end(self, world: &mut NodeWorld<'_>) -> Option<Memory> {
        let Rehearsing { flow, pod, before, pod_port } = self;
        let rehearsal = world.network.rehearsed(flow, world.host, pod)?;
        let after = world.runtime.footprint(pod, world.host);
        let alone = after.effects == before.effects
            && after.answered == before.answered + 1
            && world.network.next_port(pod) == pod_port;
        if !alone {
            return None;
        }
        let spent = after.spent_since(&before)?;
        let state = State::of(world.runtime, world.network, world.host, pod);
        Some(Memory { rehearsal, spent, pod, state })
    }

    /// Nobody will ask for it.
    pub fn give_up(self, network: &mut Network) {
        network.forget_rehearsal(self.flow);
    }
}

impl ProbeManager {
    /// Takes in the probes that were written down and are over.
    pub(super) fn remember(&mut self, world: &mut NodeWorld<'_>) {
        for id in self.rehearsing.clone() {
            let Some(watched) = self.probes.get_mut(&id) else {
                self.rehearsing.remove(&id);
                continue;
            };
            if watched.rehearsing.as_ref().is_some_and(|it| !it.is_over(world.network)) {
                continue;
            }
            self.rehearsing.remove(&id);
            let memory = watched.rehearsing.take().and_then(|it| it.end(world)).map(Box::new);
            let rests = watched.flight.is_some() || watched.resting || watched.holds != Some(true);
            let before = std::mem::replace(&mut watched.memory, memory).filter(|_| !rests);
            let alike = before.zip(watched.memory.as_ref()).is_some_and(|(a, b)| a.is_like(b));
            if alike && watched.failures == 0 && !watched.warned {
                self.due.remove(&(watched.next_at, id));
                self.alike.insert(id);
                let from = self.alike_from.map_or(watched.next_at, |at| at.min(watched.next_at));
                self.alike_from = Some(from);
            }
        }
    }

    /// Counts the probes that go alike and were due before `now` as sent and answered.
    pub fn catch_up(
        &mut self,
        runtime: &mut Runtime,
        network: &mut Network,
        host: NsId,
        now: Time,
    ) {
        if self.alike_from.is_none_or(|from| from >= now) {
            return;
        }
        self.repeat(network, host, now);
        let mut first = None;
        for id in &self.alike {
            let Some(watched) = self.probes.get_mut(id) else { continue };
            let count = watched.due_before(now);
            let last = watched.next_at + watched.period() * count.saturating_sub(1);
            if count > 0 {
                watched.next_at = last + watched.period();
                let more = i32::try_from(count).unwrap_or(i32::MAX);
                watched.successes = watched.successes.saturating_add(more);
                watched.counts.successful += u64::from(count);
                if let Some(memory) = &watched.memory {
                    runtime.spend_again(&memory.spent, u64::from(count), last);
                }
            }
            first = [first, Some(watched.next_at)].into_iter().flatten().min();
        }
        self.alike_from = first;
    }

    /// Lets the network know of the probes that go alike and were due before `now`.
    fn repeat(&self, network: &mut Network, host: NsId, now: Time) {
        let series = |id: &ProbeId| {
            let watched = self.probes.get(id)?;
            Some(Series {
                of: &watched.memory.as_ref()?.rehearsal,
                first: watched.next_at,
                period: watched.period(),
                times: u64::from(watched.due_before(now)),
            })
        };
        let series: Vec<Series<'_>> = self.alike.iter().filter_map(series).collect();
        network.repeat_series(host, &series, now);
    }

    /// Sends again those probes of which it is not sure any more that they go alike.
    pub fn doubt(&mut self, runtime: &Runtime, network: &Network, host: NsId) {
        let seen = (runtime.activities(), network.generation(host));
        if self.alike.is_empty() || std::mem::replace(&mut self.seen, seen) == seen {
            return;
        }
        let holds = |watched: &Watched| {
            let memory = watched.memory.as_ref();
            watched.told
                || memory.is_some_and(|it| it.state == State::of(runtime, network, host, it.pod))
        };
        let sure = |id: &ProbeId| self.probes.get(id).is_some_and(holds);
        let gone: Vec<ProbeId> = self.alike.iter().filter(|id| !sure(id)).copied().collect();
        gone.into_iter().for_each(|id| self.send_again(id));
    }

    /// Sends all probes again from now on.
    pub fn doubt_all(&mut self) {
        for id in std::mem::take(&mut self.alike) {
            self.send_again(id);
        }
    }

    pub(super) fn send_again(&mut self, id: ProbeId) {
        self.alike.remove(&id);
        if let Some(watched) = self.probes.get_mut(&id) {
            watched.memory = None;
            self.due.insert((watched.next_at, id));
        }
    }
}

impl Watched {
    /// From one probe to the next.
    pub(super) fn period(&self) -> Duration {
        super::seconds(self.probe.period_seconds, 10).max(Duration::from_secs(1))
    }

    /// How often it is due before the moment `now`.
    fn due_before(&self, now: Time) -> u32 {
        let passed = now.since(self.next_at).as_micros();
        let times = passed.div_ceil(self.period().as_micros());
        u32::try_from(times).unwrap_or(u32::MAX)
    }
}
