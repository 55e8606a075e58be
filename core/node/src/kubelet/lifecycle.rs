//! Hooks after a container's start and before its end.
//!
//! Upstream: `pkg/kubelet/lifecycle/handlers.go`.

use super::kuberuntime_container::container_of;
use super::pod_workers::{Hold, NodeWorld, PodWorker};
use super::probes::{Flight, Verdict};
use super::record::Waiting;
use super::termination::stop;
use crate::runtime::ContainerId;
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::time::Duration;

/// How often a running hook is looked at.
pub(super) const POLL_TIME: Duration = Duration::from_millis(50);
/// Longer than any hook may take: its end is the pod's grace period.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// A hook before the end of a container.
#[derive(Clone, Debug)]
pub struct RunningHook {
    record: usize,
    container: ContainerId,
    flight: Flight,
}

impl PodWorker {
    /// Begins the hook after a container's start, if it has one.
    pub(super) fn begin_post_start(
        &mut self,
        record: usize,
        id: ContainerId,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) {
        let Some(container) = container_of(&self.object, self.containers.get(record)) else {
            return;
        };
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref());
        if let Some(hook) = hook {
            let flight = Flight::of_hook(hook, &container, id, TIME_MAX, world, now);
            self.hold(now, Hold::PostStart { record, id, flight });
        }
    }

    /// Goes on with the hook after a container's start.
    pub(super) fn go_on_post_start(
        &mut self,
        record: usize,
        id: ContainerId,
        mut flight: Flight,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let now = context.now;
        match flight.go_on(world, now) {
            None => self.hold(now + POLL_TIME, Hold::PostStart { record, id, flight }),
            Some(Verdict::Good) => {}
            Some(Verdict::Bad(why) | Verdict::Unknown(why)) => {
                let message = "PostStartHook failed";
                self.event(record, context, EventType::Warning, "FailedPostStartHook", message);
                self.restart_container(record, "FailedPostStartHook", None, context, world);
                self.sync_failed = true;
                if let Some(record) = self.containers.get_mut(record) {
                    record.waiting = Some(Waiting { reason: "PostStartHookError", message: why });
                }
            }
        }
    }

    /// Ends a container's process: by its signal, after the hook before the end if it has one.
    pub(super) fn end_container(
        &mut self,
        record: usize,
        id: ContainerId,
        world: &mut NodeWorld<'_>,
        now: Time,
    ) {
        let container = container_of(&self.object, self.containers.get(record));
        let hook = container.as_deref().and_then(|container| {
            Some((container, container.lifecycle.as_ref()?.pre_stop.as_ref()?))
        });
        match hook {
            Some((container, hook)) => {
                let flight = Flight::of_hook(hook, container, id, TIME_MAX, world, now);
                self.hooks.push(RunningHook { record, container: id, flight });
                self.hooks_at = Some(now);
            }
            None => stop(world.runtime, id, now),
        }
    }

    /// Goes on with hooks before the end; after each comes the signal.
    pub(super) fn go_on_pre_stop(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let now = context.now;
        for mut hook in std::mem::take(&mut self.hooks) {
            let running = world.runtime.container(hook.container).is_some_and(|c| c.is_running());
            match hook.flight.go_on(world, now) {
                None if running => self.hooks.push(hook),
                None | Some(Verdict::Good) => stop(world.runtime, hook.container, now),
                Some(_) => {
                    let message = "PreStopHook failed";
                    let reason = "FailedPreStopHook";
                    self.event(hook.record, context, EventType::Warning, reason, message);
                    stop(world.runtime, hook.container, now);
                }
            }
        }
        self.hooks_at = (!self.hooks.is_empty()).then(|| now + POLL_TIME);
    }
}
