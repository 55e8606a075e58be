//! What the containers of a node use: `/metrics/resource`.
//!
//! Upstream: `pkg/kubelet/metrics/collectors/resource_metrics.go`.

use super::Kubelet;
use crate::runtime::{Container, ContainerId, ContainerState, Runtime};
use naru_sim::Time;
use std::fmt::Write as _;
use std::time::Duration;

/// Memory of what runs on a node beside its containers: the kernel, the kubelet, the runtime.
pub(super) const SYSTEM_BYTES: u64 = 180 << 20;
/// Memory of a sandbox.
const SANDBOX_BYTES: u64 = 512 << 10;
/// Of each second, the processor time of the same, for the node and for each running container.
pub(super) const SYSTEM_CPU: Duration = Duration::from_millis(20);
const CONTAINER_CPU: Duration = Duration::from_micros(500);

/// A running container.
pub(super) struct Usage<'a> {
    pub id: ContainerId,
    pub namespace: &'a str,
    pub pod: &'a str,
    pub uid: &'a str,
    pub name: &'a str,
    pub started: Time,
    pub cpu: Duration,
    pub memory: u64,
}

/// The containers that run, in the order of their pods.
pub(super) fn usages<'a>(kubelet: &'a Kubelet, runtime: &'a Runtime) -> Vec<Usage<'a>> {
    let mut usages = Vec::new();
    for worker in kubelet.workers() {
        for record in &worker.containers {
            let Some(id) = record.id else { continue };
            let Some(container) = runtime.container(id) else { continue };
            let ContainerState::Running { started } = container.state else { continue };
            let object = &worker.object;
            usages.push(Usage {
                id,
                namespace: object.namespace(),
                pod: object.name(),
                uid: object.uid(),
                name: &record.name,
                started,
                cpu: Container::cpu_used(container),
                memory: container.memory_bytes(),
            });
        }
    }
    usages.sort_by_key(|usage| (usage.namespace, usage.pod, usage.name));
    usages
}

/// The node's own: processor time and memory.
pub(super) fn node(runtime: &Runtime, usages: &[Usage<'_>], now: Time) -> (Duration, u64) {
    let up = now.since(Time::ZERO).as_secs_f64();
    let system = SYSTEM_CPU.mul_f64(up);
    let watched = usages.iter().map(|usage| now.since(usage.started).as_secs_f64());
    let watching = CONTAINER_CPU.mul_f64(watched.sum());
    let sandboxes = runtime.sandboxes_ready();
    let system_bytes = SYSTEM_BYTES + runtime.memory_filled();
    let memory = usages.iter().fold(system_bytes, |sum, usage| sum.saturating_add(usage.memory));
    (runtime.cpu_used() + system + watching, memory + sandboxes * SANDBOX_BYTES)
}

/// Memory that is used on a node.
pub fn memory_used(runtime: &Runtime) -> u64 {
    let sandboxes = runtime.sandboxes_ready();
    runtime.memory_used() + runtime.memory_filled() + SYSTEM_BYTES + sandboxes * SANDBOX_BYTES
}

/// What a node has used: for people who look on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeUsage {
    /// Processor time since it was switched on.
    pub cpu: Duration,
    /// Memory in bytes, now.
    pub memory: u64,
    /// What its pods have.
    pub pods: Vec<PodUsage>,
}

/// What a pod has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// `metadata.uid`.
    pub uid: String,
    /// Processor time of its running containers since each was started.
    pub cpu: Duration,
    /// Memory in bytes, now.
    pub memory: u64,
}

/// What the node and its pods have used: the same numbers as at `/metrics/resource`.
pub(crate) fn usage(kubelet: &Kubelet, runtime: &Runtime, now: Time) -> NodeUsage {
    let usages = usages(kubelet, runtime);
    let (cpu, memory) = node(runtime, &usages, now);
    let pods = usages.chunk_by(|a, b| a.uid == b.uid).filter_map(|usages| {
        Some(PodUsage {
            uid: usages.first()?.uid.to_owned(),
            cpu: usages.iter().map(|usage| usage.cpu).sum(),
            memory: usages.iter().map(|usage| usage.memory).sum(),
        })
    });
    NodeUsage { cpu, memory, pods: pods.collect() }
}

/// In the text format of Prometheus.
pub(crate) fn text(kubelet: &Kubelet, runtime: &Runtime, now: Time) -> String {
    let usages = usages(kubelet, runtime);
    let at = now.unix_micros().div_euclid(1_000);
    let mut text = String::new();
    let labels = |usage: &Usage<'_>| {
        let (container, namespace, pod) = (usage.name, usage.namespace, usage.pod);
        format!("{{container=\"{container}\",namespace=\"{namespace}\",pod=\"{pod}\"}}")
    };
    head(
        &mut text,
        "container_cpu_usage_seconds_total",
        "Cumulative cpu time consumed by the container in core-seconds",
        "counter",
    );
    for usage in &usages {
        let (labels, seconds) = (labels(usage), usage.cpu.as_secs_f64());
        let _ = writeln!(text, "container_cpu_usage_seconds_total{labels} {seconds} {at}");
    }
    head(
        &mut text,
        "container_memory_working_set_bytes",
        "Current working set of the container in bytes",
        "gauge",
    );
    for usage in &usages {
        let (labels, bytes) = (labels(usage), usage.memory);
        let _ = writeln!(text, "container_memory_working_set_bytes{labels} {bytes} {at}");
    }
    head(
        &mut text,
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds",
        "gauge",
    );
    for usage in &usages {
        let started = usage.started.unix_micros() as f64 / 1e6;
        let _ = writeln!(text, "container_start_time_seconds{} {started}", labels(usage));
    }
    let (cpu, memory) = node(runtime, &usages, now);
    let help = "Cumulative cpu time consumed by the node in core-seconds";
    head(&mut text, "node_cpu_usage_seconds_total", help, "counter");
    let _ = writeln!(text, "node_cpu_usage_seconds_total {} {at}", cpu.as_secs_f64());
    let help = "Current working set of the node in bytes";
    head(&mut text, "node_memory_working_set_bytes", help, "gauge");
    let _ = writeln!(text, "node_memory_working_set_bytes {memory} {at}");
    pods(&mut text, &usages, at);
    let help = "1 if there was an error while getting container metrics, 0 otherwise";
    head(&mut text, "resource_scrape_error", help, "gauge");
    text.push_str("resource_scrape_error 0\n");
    text
}

/// The sums of the containers of each pod.
fn pods(text: &mut String, usages: &[Usage<'_>], at: i64) {
    let by_pod = || usages.chunk_by(|a, b| (a.namespace, a.pod) == (b.namespace, b.pod));
    let labels = |usages: &[Usage<'_>]| {
        let first = usages.first().map(|usage| (usage.namespace, usage.pod)).unwrap_or_default();
        format!("{{namespace=\"{}\",pod=\"{}\"}}", first.0, first.1)
    };
    let help = "Cumulative cpu time consumed by the pod in core-seconds";
    head(text, "pod_cpu_usage_seconds_total", help, "counter");
    for usages in by_pod() {
        let seconds = usages.iter().map(|usage| usage.cpu).sum::<Duration>().as_secs_f64();
        let _ = writeln!(text, "pod_cpu_usage_seconds_total{} {seconds} {at}", labels(usages));
    }
    let help = "Current working set of the pod in bytes";
    head(text, "pod_memory_working_set_bytes", help, "gauge");
    for usages in by_pod() {
        let bytes: u64 = usages.iter().map(|usage| usage.memory).sum();
        let _ = writeln!(text, "pod_memory_working_set_bytes{} {bytes} {at}", labels(usages));
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} [STABLE] {help}\n# TYPE {name} {kind}");
}
