//! Probes: whether containers have started, live, and are ready.
//!
//! Upstream: `pkg/kubelet/prober`.

mod daemons;
mod flight;
mod grpc;
mod memory;

use super::pod_workers::{NodeWorld, PodWorker};
use super::record::ContainerRecord;
use crate::runtime::{ContainerId, ContainerState, Runtime};
pub use flight::{Flight, Verdict};
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use memory::{Memory, Rehearsing};
use naru_api::Key;
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// Whether the container has started.
    Startup,
    /// Whether it lives.
    Liveness,
    /// Whether it can take requests.
    Readiness,
}

impl ProbeKind {
    const ALL: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness];

    /// As events name it.
    pub fn name(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        }
    }

    fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            ProbeKind::Startup => container.startup_probe.as_deref(),
            ProbeKind::Liveness => container.liveness_probe.as_deref(),
            ProbeKind::Readiness => container.readiness_probe.as_deref(),
        }
    }
}

/// One probe of one run of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ProbeId {
    run: ContainerId,
    kind: ProbeKind,
}

/// What a probe found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The pod.
    pub key: Key,
    /// The container's run.
    pub run: ContainerId,
    /// Which probe.
    pub kind: ProbeKind,
    /// What it holds now, when that is new.
    pub holds: Option<bool>,
    /// The reason and the text of an event.
    pub trouble: Option<(&'static str, String)>,
}

/// How often a probe came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// It was good.
    pub successful: u64,
    /// It was not.
    pub failed: u64,
    /// It could not be found out.
    pub unknown: u64,
}

impl Counts {
    fn and(self, other: Counts) -> Counts {
        Counts {
            successful: self.successful + other.successful,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// Of which container of which pod a probe is, in whatever run.
type Probed = (Key, String, ProbeKind);

#[derive(Clone, Debug)]
struct Watched {
    key: Key,
    counts: Counts,
    probe: Probe,
    container: Container,
    next_at: Time,
    flight: Option<Flight>,
    successes: i32,
    failures: i32,
    holds: Option<bool>,
    /// A liveness or startup probe that has failed rests until the container is started again.
    resting: bool,
    /// What came last was good, but for something that is told each time.
    warned: bool,
    /// It was answered without being sent.
    told: bool,
    rehearsing: Option<Box<Rehearsing>>,
    /// How it went when it was last written down.
    memory: Option<Box<Memory>>,
}

/// The probes of all containers of a node.
#[derive(Clone, Debug, Default)]
pub struct ProbeManager {
    probes: BTreeMap<ProbeId, Watched>,
    due: BTreeSet<(Time, ProbeId)>,
    in_flight: BTreeSet<ProbeId>,
    rehearsing: BTreeSet<ProbeId>,
    /// Probes that go alike each time and are not sent.
    alike: BTreeSet<ProbeId>,
    /// When the first of these is due that was not counted yet, or earlier.
    alike_from: Option<Time>,
    /// What was seen of the node when it was last looked whether they still do.
    seen: (u64, u64),
    /// Whether etcd answers nobody on this node.
    etcd_lost: bool,
    /// What came of probes of runs that are over.
    before: BTreeMap<Probed, Counts>,
}

impl ProbeManager {
    /// Probes what runs of this pod, and no more what does not.
    pub fn follow(&mut self, worker: &PodWorker, runtime: &Runtime) {
        let spec = worker.object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        for record in &worker.containers {
            let (Some(run), Some(container)) = (record.id, spec.and_then(|s| record.spec(s)))
            else {
                continue;
            };
            match record.state(runtime) {
                Some(ContainerState::Running { started }) => {
                    self.begin(&worker.key, run, record, &container, *started);
                }
                _ => self.forget(run),
            }
        }
    }

    fn begin(
        &mut self,
        key: &Key,
        run: ContainerId,
        record: &ContainerRecord,
        container: &Container,
        started: Time,
    ) {
        for kind in ProbeKind::ALL {
            let id = ProbeId { run, kind };
            let Some(probe) = kind.of(container) else { continue };
            let waits = kind != ProbeKind::Startup && !record.started;
            if waits || self.probes.contains_key(&id) {
                continue;
            }
            let delay = seconds(probe.initial_delay_seconds, 0);
            let next_at = started + delay;
            let watched = Watched {
                key: key.clone(),
                counts: Counts::default(),
                probe: probe.clone(),
                container: container.clone(),
                next_at,
                flight: None,
                successes: 0,
                failures: 0,
                holds: None,
                resting: false,
                warned: false,
                told: false,
                rehearsing: None,
                memory: None,
            };
            self.due.insert((next_at, id));
            self.probes.insert(id, watched);
        }
    }

    /// Probes this run no more.
    pub fn forget(&mut self, run: ContainerId) {
        for kind in ProbeKind::ALL {
            let id = ProbeId { run, kind };
            if let Some(watched) = self.probes.remove(&id) {
                self.due.remove(&(watched.next_at, id));
                self.in_flight.remove(&id);
                self.rehearsing.remove(&id);
                self.alike.remove(&id);
                let counts = self.before.entry(watched.probed(kind)).or_default();
                *counts = counts.and(watched.counts);
            }
        }
    }

    /// Nothing is told of this pod's probes any more.
    pub fn forget_counts(&mut self, pod: &Key) {
        self.before.retain(|(key, ..), _| key != pod);
    }

    /// What came of all probes so far, in the order of pods and containers.
    pub fn counts(&self) -> BTreeMap<Probed, Counts> {
        let mut all = self.before.clone();
        for (id, watched) in &self.probes {
            let counts = all.entry(watched.probed(id.kind)).or_default();
            *counts = counts.and(watched.counts);
        }
        all
    }

    /// When a probe is to be sent or given up next.
    pub fn next_due(&self) -> Option<Time> {
        let flights = self.in_flight.iter().filter_map(|id| self.probes.get(id)?.flight.as_ref());
        let deadline = flights.map(Flight::deadline).min();
        let due = self.due.first().map(|(at, _)| *at);
        [deadline, due].into_iter().flatten().min()
    }

    /// Sends what is due and takes in what came back.
    pub fn advance(&mut self, world: &mut NodeWorld<'_>, now: Time) -> Vec<Finding> {
        self.remember(world);
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            self.send(id, world, now);
        }
        let mut findings = Vec::new();
        for id in self.in_flight.clone() {
            let Some(watched) = self.probes.get_mut(&id) else { continue };
            let Some(flight) = &mut watched.flight else { continue };
            let Some(verdict) = flight.go_on(world, now) else { continue };
            watched.flight = None;
            self.in_flight.remove(&id);
            findings.extend(watched.take(id, verdict));
            self.rest(id);
        }
        findings
    }

    fn send(&mut self, id: ProbeId, world: &mut NodeWorld<'_>, now: Time) {
        let told = self.told(id, world);
        let Some(watched) = self.probes.get_mut(&id) else { return };
        if watched.resting {
            return;
        }
        watched.next_at = now + watched.period();
        self.due.insert((watched.next_at, id));
        if watched.flight.is_some() {
            return;
        }
        watched.told = told.is_some();
        if let Some(verdict) = told {
            watched.flight = Some(Flight::decided(verdict));
            self.in_flight.insert(id);
            return;
        }
        if let Some(unfinished) = watched.rehearsing.take() {
            unfinished.give_up(world.network);
        }
        let may_be_alike = watched.holds == Some(true) && Flight::may_be_alike(&watched.probe);
        let prepared = may_be_alike.then(|| Rehearsing::prepare(world, id.run)).flatten();
        let flight = Flight::begin(&watched.probe, &watched.container, id.run, world, now);
        watched.flight = Some(flight);
        if let Some(prepared) = prepared {
            watched.rehearsing = Rehearsing::begin(world.network, prepared).map(Box::new);
            self.rehearsing.insert(id);
        }
        self.in_flight.insert(id);
    }
}

impl Watched {
    fn probed(&self, kind: ProbeKind) -> Probed {
        (self.key.clone(), self.container.name.clone(), kind)
    }

    /// What follows from a verdict by the thresholds.
    fn take(&mut self, id: ProbeId, verdict: Verdict) -> Option<Finding> {
        let name = id.kind.name();
        self.warned = matches!(verdict, Verdict::Warned(_));
        let (good, trouble) = match verdict {
            Verdict::Good => (true, None),
            Verdict::Warned(why) => {
                (true, Some(("ProbeWarning", format!("{name} probe warning: {why}"))))
            }
            Verdict::Bad(why) => {
                (false, Some(("Unhealthy", format!("{name} probe failed: {why}"))))
            }
            Verdict::Unknown(why) => {
                self.counts.unknown += 1;
                let text = format!("{name} probe errored and resulted in unknown state: {why}");
                return Some(self.finding(id, None, Some(("Unhealthy", text))));
            }
        };
        if good {
            self.counts.successful += 1;
            (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
        } else {
            self.counts.failed += 1;
            (self.successes, self.failures) = (0, self.failures.saturating_add(1));
        }
        let threshold = if good {
            self.probe.success_threshold.unwrap_or(1)
        } else {
            self.probe.failure_threshold.unwrap_or(3)
        };
        let reached = self.successes.max(self.failures) >= threshold;
        let holds = (reached && self.holds != Some(good)).then_some(good);
        if reached {
            self.holds = Some(good);
            self.resting = match id.kind {
                ProbeKind::Startup => true,
                ProbeKind::Liveness => !good,
                ProbeKind::Readiness => false,
            };
        }
        (holds.is_some() || trouble.is_some()).then(|| self.finding(id, holds, trouble))
    }

    fn finding(
        &self,
        id: ProbeId,
        holds: Option<bool>,
        trouble: Option<(&'static str, String)>,
    ) -> Finding {
        Finding { key: self.key.clone(), run: id.run, kind: id.kind, holds, trouble }
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(probe: Probe) -> Watched {
        Watched {
            counts: Counts::default(),
            key: Key::default(),
            probe,
            container: Container::default(),
            next_at: Time::ZERO,
            flight: None,
            successes: 0,
            failures: 0,
            holds: None,
            resting: false,
            warned: false,
            told: false,
            rehearsing: None,
            memory: None,
        }
    }

    fn run(kind: ProbeKind, probe: Probe, verdicts: &[bool]) -> Vec<Option<bool>> {
        let mut watched = watched(probe);
        let id = ProbeId { run: ContainerId(1), kind };
        verdicts
            .iter()
            .map(|good| {
                let verdict = if *good { Verdict::Good } else { Verdict::Bad("no".to_owned()) };
                watched.take(id, verdict).and_then(|finding| finding.holds)
            })
            .collect()
    }

    #[test]
    fn thresholds_count_what_comes_in_a_row() {
        let probe =
            Probe { failure_threshold: Some(3), success_threshold: Some(2), ..Probe::default() };
        let (good, bad) = (true, false);
        let found = run(
            ProbeKind::Readiness,
            probe,
            &[good, good, bad, bad, good, bad, bad, bad, good, good],
        );
        let expected =
            [None, Some(true), None, None, None, None, None, Some(false), None, Some(true)];
        assert_eq!(found, expected);
    }

    #[test]
    fn every_failure_is_told() {
        let mut watched = watched(Probe::default());
        let id = ProbeId { run: ContainerId(1), kind: ProbeKind::Liveness };
        let finding = watched.take(id, Verdict::Bad("HTTP probe failed".to_owned())).unwrap();
        assert_eq!(finding.holds, None);
        assert_eq!(finding.trouble.unwrap().1, "Liveness probe failed: HTTP probe failed");
    }
}
