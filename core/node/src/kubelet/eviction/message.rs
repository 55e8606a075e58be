//! What is said of a pod that had to go.
//!
//! Upstream: `evictionMessage` in `pkg/kubelet/eviction/helpers.go`.

use super::spec;
use super::threshold::{Observations, Signal, Threshold};
use crate::kubelet::pod_workers::PodWorker;
use crate::kubelet::stats;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::Container;
use naru_api::quantity::Amount;
use naru_api::resources::{Side, amounts, of_container};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bytes of a block of a disk, of which files take whole ones.
const BLOCK_BYTES: u64 = 4 << 10;

/// What is said: to people, and to programs by the event's annotations.
pub struct Said {
    pub message: String,
    pub annotations: BTreeMap<String, String>,
}

/// A container that uses more than it asked for.
struct Offender {
    name: String,
    used: String,
    request: String,
}

/// What is said of a pod that goes since a threshold was met.
pub fn of(
    worker: &PodWorker,
    threshold: &Threshold,
    seen: &Observations,
    runtime: &Runtime,
) -> Said {
    let signal = threshold.signal;
    let resource = signal.resource();
    let offenders = offenders(worker, signal, runtime);
    let mut message = format!(
        "The node was low on resource: {resource}. Threshold quantity: {}, available: {}. ",
        threshold.quantity(seen),
        seen.available(signal)
    );
    for Offender { name, used, request } in &offenders {
        let _ = write!(
            message,
            "Container {name} was using {used}, request is {request}, has larger consumption of \
             {resource}. "
        );
    }
    let joined =
        |part: fn(&Offender) -> &str| offenders.iter().map(part).collect::<Vec<&str>>().join(",");
    let pairs = [
        ("offending_containers", joined(|offender| &offender.name)),
        ("offending_containers_usage", joined(|offender| &offender.used)),
        ("starved_resource", resource.to_owned()),
    ];
    Said { message, annotations: pairs.map(|(key, value)| (key.to_owned(), value)).into() }
}

fn offenders(worker: &PodWorker, signal: Signal, runtime: &Runtime) -> Vec<Offender> {
    let resource = signal.resource();
    let offender = |container: &Container| {
        let used = usage(worker, &container.name, signal, runtime)?;
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        let requests = amounts(of_container(container, Side::Requests));
        let request = requests.get(resource).copied().unwrap_or(Amount::ZERO);
        (used > request.value()).then(|| Offender {
            name: container.name.clone(),
            used: Amount::from_bytes(used).to_string(),
            request: request.to_string(),
        })
    };
    let Some(spec) = spec(worker) else { return Vec::new() };
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    all.filter_map(offender).collect()
}

/// What a container that runs uses; nothing is told of files and processes.
fn usage(worker: &PodWorker, container: &str, signal: Signal, runtime: &Runtime) -> Option<u64> {
    let id = worker.record(container)?.id?;
    let container = runtime.container(id).filter(|container| container.is_running())?;
    match signal.resource() {
        "memory" => Some(container.memory_bytes()),
        "ephemeral-storage" => {
            Some(stats::container_bytes(container).div_ceil(BLOCK_BYTES) * BLOCK_BYTES)
        }
        _ => None,
    }
}
