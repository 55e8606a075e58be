//! Pods whose containers get other resources while they run.
//!
//! Upstream: `computePodResizeAction` in `pkg/kubelet/kuberuntime/kuberuntime_manager.go`,
//! `canResizePod` in `pkg/kubelet/kubelet.go`.

use super::kuberuntime_container::{cpu_limit_milli, cpu_request_milli, memory_limit};
use super::pod_workers::{NodeWorld, PodWorker};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use naru_api::quantity::Amount;
use naru_api::resources::{Side, of_pod};
use naru_client::Context;
use std::time::Duration;

/// When a resize that had no room is tried again. Upstream: `syncFrequency`.
const RETRY_TIME: Duration = Duration::from_secs(60);

/// Why a pod does not get what it asks for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizePending {
    /// `Infeasible` or `Deferred`.
    pub reason: &'static str,
    /// More, for people.
    pub message: String,
}

/// What a node has and others have taken: thousandths of processors, and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// What there is.
    pub capacity: (i64, i64),
    /// What other pods have asked for.
    pub taken: (i64, i64),
}

/// What a pod asks for, of both.
pub fn requests(spec: &PodSpec) -> (i64, i64) {
    let asked = of_pod(spec, Side::Requests);
    let amount = |name: &str| asked.get(name).copied().unwrap_or(Amount::ZERO);
    (amount("cpu").milli_value(), amount("memory").value())
}

fn refusal((cpu, memory): (i64, i64), room: Room) -> Option<ResizePending> {
    let ((all_cpu, all_memory), (taken_cpu, taken_memory)) = (room.capacity, room.taken);
    let infeasible = |text: String| {
        let message = format!("Node didn't have enough capacity: {text}");
        Some(ResizePending { reason: "Infeasible", message })
    };
    let deferred = |name: &str, wanted: i64, taken: i64, all: i64| {
        let message = format!(
            "Node didn't have enough resource: {name}, requested: {wanted}, used: {taken}, \
             capacity: {all}"
        );
        Some(ResizePending { reason: "Deferred", message })
    };
    match () {
        () if memory > all_memory => {
            infeasible(format!("memory, requested: {memory}, capacity: {all_memory}"))
        }
        () if cpu > all_cpu => infeasible(format!("cpu, requested: {cpu}, capacity: {all_cpu}")),
        () if cpu + taken_cpu > all_cpu => deferred("cpu", cpu, taken_cpu, all_cpu),
        () if memory + taken_memory > all_memory => {
            deferred("memory", memory, taken_memory, all_memory)
        }
        () => None,
    }
}

/// Whether a container is to be started again to get another amount of a resource.
fn restarts_for(container: &Container, resource: &str) -> bool {
    let mut policies = container.resize_policy.iter().flatten();
    let policy = policies.find(|policy| policy.resource_name == resource);
    policy.is_some_and(|policy| policy.restart_policy == "RestartContainer")
}

impl PodWorker {
    /// Whether its containers are to get something else than they have.
    pub(super) fn is_resized(&self, spec: &PodSpec) -> bool {
        self.containers.iter().any(|record| {
            let wanted = record.spec(spec);
            let same = wanted.is_none_or(|wanted| wanted.resources == record.allocated);
            record.is_running_once() && !same
        })
    }

    /// Gives the containers what the pod asks for now, if there is room.
    pub(super) fn resize(
        &mut self,
        room: Room,
        context: &mut Context<'_>,
        world: &mut NodeWorld<'_>,
    ) {
        let object = self.object.clone();
        let Some(spec) = object.get::<Pod>().and_then(|pod| pod.spec.as_ref()) else { return };
        self.resize_pending = refusal(requests(spec), room);
        if self.resize_pending.is_some() {
            self.poke(context.now + RETRY_TIME);
            return;
        }
        for index in 0..self.containers.len() {
            let Some(record) = self.containers.get_mut(index) else { continue };
            let (Some(wanted), Some(id)) = (record.spec(spec), record.id) else { continue };
            if !record.is_running_once() || wanted.resources == record.allocated {
                continue;
            }
            record.allocated.clone_from(&wanted.resources);
            let name = record.name.clone();
            let Some(container) = world.runtime.container_mut(id) else { continue };
            let (cpu, memory) = (cpu_limit_milli(&wanted), memory_limit(&wanted));
            let other_cpu = cpu != container.config.cpu_limit_milli;
            let other_memory = memory != container.config.memory_limit;
            if (other_cpu && restarts_for(&wanted, "cpu"))
                || (other_memory && restarts_for(&wanted, "memory"))
            {
                let message = format!("Container {name} resize requires restart");
                self.restart_container(index, &message, None, context, world);
                continue;
            }
            container.config.cpu_request_milli = Some(cpu_request_milli(&wanted));
            container.set_limits(cpu, memory);
            world.runtime.schedule(id, context.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let room = Room { capacity: (4_000, 8 << 30), taken: (3_000, 0) };
        assert_eq!(refusal((1_000, 0), room), None);
        let said = |asked| refusal(asked, room).map(|why| (why.reason, why.message));
        assert_eq!(
            said((5_000, 0)),
            Some((
                "Infeasible",
                "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000".to_owned()
            ))
        );
        assert_eq!(
            said((2_000, 0)),
            Some((
                "Deferred",
                "Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000"
                    .to_owned()
            ))
        );
    }
}
