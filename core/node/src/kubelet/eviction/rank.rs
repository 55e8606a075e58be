//! Who goes first.
//!
//! Upstream: `rankMemoryPressure`, `rankDiskPressureFunc`, `rankPIDPressure` in
//! `pkg/kubelet/eviction/helpers.go`.

use super::spec;
use super::threshold::Signal;
use crate::kubelet::pod_workers::PodWorker;
use crate::kubelet::stats;
use crate::runtime::{Container, Runtime};
use naru_api::quantity::Amount;
use naru_api::resources::{Side, of_pod};
use std::cmp::Reverse;

/// The least is the first to go: who uses more than it asked for, of the lowest priority, and then
/// who uses the most beyond that.
pub fn of(worker: &PodWorker, signal: Signal, runtime: &Runtime) -> (bool, i32, Reverse<i64>) {
    let priority = spec(worker).and_then(|spec| spec.priority).unwrap_or(0);
    let asked = |resource: &str| {
        let asked = spec(worker).map(|spec| of_pod(spec, Side::Requests));
        asked.and_then(|asked| asked.get(resource).copied()).unwrap_or(Amount::ZERO).value()
    };
    let number = |used: u64| i64::try_from(used).unwrap_or(i64::MAX);
    match signal.resource() {
        "memory" => {
            let beyond = number(memory(worker, runtime)).saturating_sub(asked("memory"));
            (beyond <= 0, priority, Reverse(beyond))
        }
        "ephemeral-storage" => {
            let used = number(stats::ephemeral_bytes(worker, runtime));
            let beyond = used.saturating_sub(asked("ephemeral-storage"));
            (beyond <= 0, priority, Reverse(beyond))
        }
        "inodes" => {
            let used = number(stats::ephemeral_files(worker, runtime));
            // Nobody can ask for files, so that all use more than they asked for.
            let beyond = used.saturating_sub(asked("ephemeral-storage"));
            (used == 0, priority, Reverse(beyond))
        }
        _ => (false, priority, Reverse(number(processes(worker, runtime)))),
    }
}

fn running<'a>(worker: &'a PodWorker, runtime: &'a Runtime) -> impl Iterator<Item = &'a Container> {
    let all = worker.containers.iter().filter_map(|record| runtime.container(record.id?));
    all.filter(|container| container.is_running())
}

fn memory(worker: &PodWorker, runtime: &Runtime) -> u64 {
    running(worker, runtime).fold(0, |sum, it| sum.saturating_add(it.memory_bytes()))
}

fn processes(worker: &PodWorker, runtime: &Runtime) -> u64 {
    running(worker, runtime).map(|container| container.processes() as u64).sum()
}
