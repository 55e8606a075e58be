//! The end of containers and of pods: signals, grace, what probes call for.
//!
//! Upstream: `killContainer` and `killContainersWithSyncResult` in `pkg/kubelet/kuberuntime`,
//! `SyncTerminatingPod` in `pkg/kubelet/kubelet.go`.

use super::kuberuntime_container::container_of;
use super::pod_workers::{MOUNT_DELAY, MOUNT_DELAY_MAX, NodeWorld, PodWorker};
use super::probes::{Finding, ProbeKind};
use super::record::ContainerRecord;
use super::volumes::{PodVolumes, StillMounted};
use crate::runtime::{ContainerId, ContainerState, Runtime};
use k8s_openapi::api::core::v1::Pod;
use naru_client::{Context, EventType};
use naru_shell::Signal;
use naru_sim::Time;
use std::time::Duration;

/// A pod's grace period when nobody says. Upstream: `DefaultTerminationGracePeriodSeconds`.
const GRACE_SECONDS: i64 = 30;

/// What every container has for its end once it was told to, however little is left. Upstream:
/// `minimumGracePeriodInSeconds`.
const LEAST: Duration = Duration::from_secs(2);

/// How far the end of a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The hook before it runs, or others end first: until then at the latest.
    Waits(Time),
    /// It was told to end, and is killed then.
    Told(Time),
    /// It was killed.
    Killed,
}

impl Ending {
    /// When it goes on without anything happening.
    pub fn due(self) -> Option<Time> {
        match self {
            Ending::Waits(until) | Ending::Told(until) => Some(until),
            Ending::Killed => None,
        }
    }

    /// The same with no more than this from now on.
    fn shortened(self, grace: Duration, now: Time) -> Ending {
        match self {
            Ending::Waits(until) => Ending::Waits(until.min(now + grace)),
            Ending::Told(until) => Ending::Told(until.min(now + grace.max(LEAST))),
            Ending::Killed => Ending::Killed,
        }
    }
}

/// Volumes of a pod that has ended of which drivers could not be told yet.
#[derive(Clone, Debug)]
pub struct Unmounting {
    /// When it was tried last.
    pub since: Time,
    /// When it is tried again.
    pub again: Time,
    /// How long that was put off.
    pub delay: Duration,
    /// What failed.
    pub failed: StillMounted,
}

impl PodWorker {
    /// Takes in what a probe found. Upstream: `proberesults` in `syncLoopIteration`.
    pub fn take_finding(
        &mut self,
        finding: &Finding,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let found = self.containers.iter().position(|record| record.id == Some(finding.run));
        let Some(index) = found else { return };
        if let Some((reason, trouble)) = &finding.trouble {
            self.event(index, context, EventType::Warning, reason, trouble);
        }
        let Some(record) = self.containers.get_mut(index) else { return };
        let name = record.name.clone();
        match (finding.kind, finding.holds) {
            (ProbeKind::Readiness, Some(holds)) => record.ready = holds,
            (ProbeKind::Startup, Some(true)) => {
                record.started = true;
                self.poke(context.now);
            }
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) if !self.is_terminal() => {
                let probe = finding.kind.name().to_lowercase();
                let message = format!("Container {name} failed {probe} probe, will be restarted");
                let grace = self.grace_of_probe(index, finding.kind);
                self.restart_container(index, &message, grace, context, world);
            }
            _ => {}
        }
    }

    /// The time that a probe leaves its container, if it says so. Upstream:
    /// `setTerminationGracePeriod` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
    fn grace_of_probe(&self, index: usize, kind: ProbeKind) -> Option<Duration> {
        let container = container_of(&self.object, self.containers.get(index))?;
        let probe = match kind {
            ProbeKind::Startup => container.startup_probe.as_ref(),
            ProbeKind::Liveness => container.liveness_probe.as_ref(),
            ProbeKind::Readiness => None,
        };
        let seconds = probe?.termination_grace_period_seconds?;
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Ends one container that is to be started again, after this time if not after the pod's.
    pub(super) fn restart_container(
        &mut self,
        index: usize,
        message: &str,
        grace: Option<Duration>,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        self.event(index, context, EventType::Normal, "Killing", message);
        let grace = grace.unwrap_or_else(|| self.grace());
        self.begin_ending(index, grace, world, now);
        self.go_on_ending(world, now);
    }

    /// A container is to end within this time, the hook before its end included.
    fn begin_ending(
        &mut self,
        index: usize,
        grace: Duration,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) {
        let Some(record) = self.containers.get_mut(index) else { return };
        record.ending = Some(Ending::Waits(now + grace));
        if !grace.is_zero() {
            self.begin_pre_stop(index, world, now);
        }
    }

    /// Tells those containers to end whose turn it is, and kills those that have had their time.
    ///
    /// Upstream: `killContainer`; it counts the time that is over in whole seconds.
    pub(super) fn go_on_ending(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        for index in 0..self.containers.len() {
            let Some(record) = self.containers.get(index) else { continue };
            let (Some(ending), Some(id)) = (record.ending, record.id) else { continue };
            let next = match ending {
                _ if !record.is_running(world.runtime) => None,
                Ending::Waits(until) if until <= now || !self.must_wait(index, world.runtime) => {
                    stop(world.runtime, id, now);
                    let left = until.since(now).as_micros().div_ceil(1_000_000);
                    let left = Duration::from_secs(u64::try_from(left).unwrap_or(u64::MAX));
                    Some(Ending::Told(now + left.max(LEAST)))
                }
                Ending::Told(until) if until <= now => {
                    world.runtime.signal(id, now, Signal::Kill);
                    Some(Ending::Killed)
                }
                same => Some(same),
            };
            if let Some(record) = self.containers.get_mut(index) {
                record.ending = next;
            }
        }
    }

    /// Whether something goes before a container's end: its hook and, where all of the pod's end, before
    /// a sidecar, the containers that the pod is for and the sidecar that was started after it.
    ///
    /// Upstream: `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go`.
    fn must_wait(&self, index: usize, runtime: &Runtime) -> bool {
        let Some(record) = self.containers.get(index) else { return false };
        if self.has_pre_stop(record.id) {
            return true;
        }
        let main = self.containers.iter().filter(|other| other.is_main());
        let later = self.containers.iter().skip(index + 1).find(|other| other.sidecar);
        let ends_before = |other: &ContainerRecord| other.is_running(runtime);
        let in_order = self.terminating || self.leaving;
        in_order && record.sidecar && main.chain(later).any(ends_before)
    }

    fn grace(&self) -> Duration {
        let pod = self.object.get::<Pod>();
        let deletion = pod.and_then(|pod| pod.metadata.deletion_grace_period_seconds);
        let spec = pod.and_then(|pod| pod.spec.as_ref()?.termination_grace_period_seconds);
        let seconds = deletion.or(spec).unwrap_or(GRACE_SECONDS);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Ends the pod: every container gets its signal when it is its turn and, if it must, its end after
    /// the grace period.
    pub fn begin_termination(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        if self.is_terminal() {
            return;
        }
        let now = context.now;
        self.hold = None;
        self.to_start.clear();
        self.sync_at = None;
        self.terminating = true;
        self.stop_containers(context, world);
        self.go_on_terminating(world, now);
    }

    /// Begins the end of all containers that run. Upstream: `killContainersWithSyncResult`.
    pub(super) fn stop_containers(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let grace = self.grace();
        for index in 0..self.containers.len() {
            let Some(record) = self.containers.get(index) else { continue };
            if !record.is_running(world.runtime) {
                continue;
            }
            let text = format!("Stopping container {}", record.name);
            self.event(index, context, EventType::Normal, "Killing", &text);
            self.begin_ending(index, grace, world, context.now);
        }
    }

    /// A pod that is being deleted may be given less time by a second deletion.
    pub fn shorten_grace(&mut self, now: Time) {
        self.give_no_more_than(self.grace(), now);
    }

    /// Its containers get no more than this from now on, if it is on its way to its end.
    pub(super) fn give_no_more_than(&mut self, grace: Duration, now: Time) {
        for record in self.containers.iter_mut().filter(|_| self.terminating) {
            record.ending = record.ending.map(|ending| ending.shortened(grace, now));
        }
    }

    pub(super) fn go_on_terminating(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        self.go_on_ending(world, now);
        if self.containers.iter().any(|record| record.is_running(world.runtime)) {
            return;
        }
        self.terminated = true;
        self.unmount(world.runtime, now);
        for record in &mut self.containers {
            if matches!(record.state(world.runtime), Some(ContainerState::Exited { .. })) {
                (record.waiting, record.shown) = (None, None);
            }
        }
        if let Some(sandbox) = self.sandbox {
            world.runtime.stop_sandbox(world.network, sandbox);
            self.sandbox_stopped = true;
        }
    }

    /// Has drivers told that the pod which has ended uses their volumes no longer; those that are not
    /// there are waited for.
    ///
    /// Upstream: `WaitForUnmount` in `pkg/kubelet/volumemanager/volume_manager.go`.
    pub(super) fn unmount(&mut self, runtime: &mut Runtime, now: Time) {
        let before = self.unmounting.take();
        if let Some(waits) = before.as_ref().filter(|before| before.again > now) {
            self.unmounting = Some(waits.clone());
            return;
        }
        let delay = before.map_or(MOUNT_DELAY, |it| (it.delay * 2).min(MOUNT_DELAY_MAX));
        let Err(failed) = self.volumes.unmount(&self.uid, runtime) else { return };
        self.unmounting = Some(Unmounting { since: now, again: now + delay, delay, failed });
    }

    /// Gives back everything on the node, whatever runs. Gives volumes of which drivers could not be
    /// told yet.
    #[must_use]
    pub fn remove(&mut self, world: &mut NodeWorld<'_>) -> Option<PodVolumes> {
        for sandbox in self.sandboxes() {
            world.runtime.remove_sandbox(world.network, sandbox);
        }
        self.sandbox = None;
        self.terminated = true;
        let failed = self.volumes.tear_down(&self.uid, world.runtime).is_err();
        failed.then(|| std::mem::take(&mut self.volumes))
    }
}

/// Sends the signal by which the image says that its process ends.
fn stop(runtime: &mut Runtime, id: ContainerId, now: Time) {
    let signal = match runtime.container(id).map(|c| c.config.image.stop_signal.as_str()) {
        Some("SIGINT") => Signal::Int,
        Some("SIGHUP") => Signal::Hup,
        Some("SIGKILL") => Signal::Kill,
        _ => Signal::Term,
    };
    runtime.signal(id, now, signal);
}
