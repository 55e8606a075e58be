//! The end of containers and of pods: signals, grace, what probes call for.
//!
//! Upstream: `killContainer` and `killContainersWithSyncResult` in `pkg/kubelet/kuberuntime`,
//! `SyncTerminatingPod` in `pkg/kubelet/kubelet.go`.

use super::kuberuntime_container::container_of;
use super::pod_workers::{NodeWorld, PodWorker};
use super::probes::{Finding, ProbeKind};
use crate::runtime::{ContainerId, ContainerState, Runtime};
use k8s_openapi::api::core::v1::Pod;
use naru_client::{Context, EventType};
use naru_shell::Signal;
use naru_sim::Time;
use std::time::Duration;

/// A pod's grace period when nobody says. Upstream: `DefaultTerminationGracePeriodSeconds`.
const GRACE_SECONDS: i64 = 30;

/// What an evicted pod's containers are given. Upstream: `immediateEvictionGracePeriodSeconds`.
const HURRY: Duration = Duration::from_secs(1);

/// The end of a pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Termination {
    pub kill_at: Time,
    pub killed: bool,
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
        if let Some(trouble) = &finding.trouble {
            self.event(index, context, EventType::Warning, "Unhealthy", trouble);
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
        let Some(record) = self.containers.get_mut(index) else { return };
        let Some(id) = record.id else { return };
        record.kill_at = Some(now + grace);
        self.end_container(index, id, world, now);
    }

    pub(super) fn kill_overdue(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        for record in &mut self.containers {
            if record.kill_at.is_some_and(|at| at <= now) {
                record.kill_at = None;
                if let Some(id) = record.id {
                    world.runtime.signal(id, now, Signal::Kill);
                }
            }
        }
    }

    fn grace(&self) -> Duration {
        let pod = self.object.get::<Pod>();
        let deletion = pod.and_then(|pod| pod.metadata.deletion_grace_period_seconds);
        let spec = pod.and_then(|pod| pod.spec.as_ref()?.termination_grace_period_seconds);
        let seconds = deletion.or(spec).unwrap_or(GRACE_SECONDS);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Ends the pod: every container gets its signal now and, if it must, its end after the grace
    /// period.
    pub fn begin_termination(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        if self.terminated || self.termination.is_some() {
            return;
        }
        let now = context.now;
        self.hold = None;
        self.to_start.clear();
        self.sync_at = None;
        let grace = self.grace();
        self.termination = Some(Termination { kill_at: now + grace, killed: false });
        for index in 0..self.containers.len() {
            let Some(record) = self.containers.get(index) else { continue };
            if !record.is_running(world.runtime) {
                continue;
            }
            let (id, text) = (record.id, format!("Stopping container {}", record.name));
            self.event(index, context, EventType::Normal, "Killing", &text);
            if let Some(id) = id {
                self.end_container(index, id, world, now);
            }
        }
        self.go_on_terminating(world, now);
    }

    /// A pod that is being deleted may be given less time by a second deletion.
    pub fn shorten_grace(&mut self, now: Time) {
        let grace = self.grace();
        if let Some(end) = &mut self.termination {
            end.kill_at = end.kill_at.min(now + grace);
        }
    }

    /// The node needs back what it uses: its containers get no more than a second.
    pub(super) fn hurry(&mut self, now: Time) {
        if let Some(end) = &mut self.termination {
            end.kill_at = end.kill_at.min(now + HURRY);
        }
    }

    pub(super) fn go_on_terminating(&mut self, world: &mut NodeWorld<'_>, now: Time) {
        let Some(end) = &mut self.termination else { return };
        let running: Vec<ContainerId> = self
            .containers
            .iter()
            .filter(|record| record.is_running(world.runtime))
            .filter_map(|record| record.id)
            .collect();
        if !running.is_empty() {
            if end.kill_at <= now && !end.killed {
                end.killed = true;
                for id in running {
                    world.runtime.signal(id, now, Signal::Kill);
                }
            }
            return;
        }
        self.terminated = true;
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

    /// Gives back everything on the node, whatever runs.
    pub fn remove(&mut self, world: &mut NodeWorld<'_>) {
        if let Some(sandbox) = self.sandbox.take() {
            world.runtime.remove_sandbox(world.network, sandbox);
        }
        self.volumes.tear_down(&self.uid, world.runtime);
        self.terminated = true;
    }
}

/// Sends the signal by which the image says that its process ends.
pub(super) fn stop(runtime: &mut Runtime, id: ContainerId, now: Time) {
    let signal = match runtime.container(id).map(|c| c.config.image.stop_signal.as_str()) {
        Some("SIGINT") => Signal::Int,
        Some("SIGHUP") => Signal::Hup,
        Some("SIGKILL") => Signal::Kill,
        _ => Signal::Term,
    };
    runtime.signal(id, now, signal);
}
