//! Hooks after a container's start and before its end.
//!
//! Upstream: `pkg/kubelet/lifecycle/handlers.go`.

use super::kuberuntime_container::{container_of, full_name};
use super::pod_workers::{Hold, NodeWorld, PodWorker};
use super::probes::{Flight, Verdict};
use super::record::Waiting;
use crate::runtime::ContainerId;
use k8s_openapi::api::core::v1::LifecycleHandler;
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
            Some(Verdict::Good | Verdict::Warned(_)) => {}
            Some(Verdict::Bad(why) | Verdict::Unknown(why)) => {
                // What went wrong is not in the event, as it may be secret.
                let text = "PostStartHook failed";
                self.event(record, context, EventType::Warning, "FailedPostStartHook", text);
                let message = self.hook_failure(record, &why);
                self.restart_container(record, "FailedPostStartHook", None, context, world);
                self.sync_failed = true;
                if let Some(record) = self.containers.get_mut(record) {
                    record.waiting = Some(Waiting { reason: "PostStartHookError", message });
                }
            }
        }
    }

    /// What the pod's status says of a hook after a start that failed. Upstream: `Run`.
    fn hook_failure(&self, record: usize, why: &str) -> String {
        let Some(container) = container_of(&self.object, self.containers.get(record)) else {
            return why.to_owned();
        };
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref());
        let pod = full_name(&self.key, &self.uid);
        let failed =
            format!("for Container \"{}\" in Pod \"{pod}\" failed - error: {why}", container.name);
        match hook {
            Some(LifecycleHandler { exec: Some(exec), .. }) => {
                let command = exec.command.as_deref().unwrap_or_default().join(" ");
                format!("Exec lifecycle hook ([{command}]) {failed}")
            }
            Some(LifecycleHandler { http_get: Some(get), .. }) => {
                let path = get.path.as_deref().unwrap_or_default();
                format!("HTTP lifecycle hook ({path}) {failed}")
            }
            _ => format!("Cannot run handler: {why}"),
        }
    }

    /// Begins the hook before a container's end, if it has one.
    pub(super) fn begin_pre_stop(&mut self, record: usize, world: &mut NodeWorld<'_>, now: Time) {
        let found = self.containers.get(record);
        let Some(id) = found.and_then(|record| record.id) else { return };
        let Some(container) = container_of(&self.object, found) else { return };
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        let Some(hook) = hook else { return };
        let flight = Flight::of_hook(hook, &container, id, TIME_MAX, world, now);
        self.hooks.push(RunningHook { record, container: id, flight });
        self.hooks_at = Some(now);
    }

    /// Whether the hook before the end of this run goes on.
    pub(super) fn has_pre_stop(&self, run: Option<ContainerId>) -> bool {
        self.hooks.iter().any(|hook| Some(hook.container) == run)
    }

    /// Goes on with hooks before the end.
    pub(super) fn go_on_pre_stop(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let now = context.now;
        for mut hook in std::mem::take(&mut self.hooks) {
            let running = world.runtime.container(hook.container).is_some_and(|c| c.is_running());
            match hook.flight.go_on(world, now) {
                None if running => self.hooks.push(hook),
                None | Some(Verdict::Good | Verdict::Warned(_)) => {}
                Some(Verdict::Bad(_) | Verdict::Unknown(_)) => {
                    let (reason, text) = ("FailedPreStopHook", "PreStopHook failed");
                    self.event(hook.record, context, EventType::Warning, reason, text);
                }
            }
        }
        self.hooks_at = (!self.hooks.is_empty()).then(|| now + POLL_TIME);
    }
}
