//! What the containers of a node use: `/metrics/resource` and `/stats/summary`.
//!
//! Upstream: `pkg/kubelet/metrics/collectors/resource_metrics.go`, `pkg/kubelet/server/stats`.

use super::Kubelet;
use crate::runtime::{Container, ContainerState, Runtime};
use naru_api::time::{meta_time, rfc3339};
use naru_sim::Time;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Memory of what runs on a node beside its containers: the kernel, the kubelet, the runtime.
const SYSTEM_BYTES: u64 = 180 << 20;
/// Memory of a sandbox.
const SANDBOX_BYTES: u64 = 512 << 10;
/// Of each second, the processor time of the same, for the node and for each running container.
const SYSTEM_CPU: Duration = Duration::from_millis(20);
const CONTAINER_CPU: Duration = Duration::from_micros(500);

/// A running container.
struct Usage<'a> {
    namespace: &'a str,
    pod: &'a str,
    uid: &'a str,
    name: &'a str,
    started: Time,
    cpu: Duration,
    memory: u64,
}

fn usages<'a>(kubelet: &'a Kubelet, runtime: &'a Runtime) -> Vec<Usage<'a>> {
    let mut usages = Vec::new();
    for worker in kubelet.workers() {
        for record in &worker.containers {
            let Some(container) = record.id.and_then(|id| runtime.container(id)) else { continue };
            let ContainerState::Running { started } = container.state else { continue };
            let object = &worker.object;
            usages.push(Usage {
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
fn node(runtime: &Runtime, usages: &[Usage<'_>], now: Time) -> (Duration, u64) {
    let up = now.since(Time::ZERO).as_secs_f64();
    let system = SYSTEM_CPU.mul_f64(up);
    let watched = usages.iter().map(|usage| now.since(usage.started).as_secs_f64());
    let watching = CONTAINER_CPU.mul_f64(watched.sum());
    let sandboxes = runtime.sandboxes().count() as u64;
    let memory = usages.iter().fold(SYSTEM_BYTES, |sum, usage| sum.saturating_add(usage.memory));
    (runtime.cpu_used() + system + watching, memory + sandboxes * SANDBOX_BYTES)
}

/// Memory that is used on a node.
pub(super) fn memory_used(runtime: &Runtime) -> u64 {
    let sandboxes = runtime.sandboxes().count() as u64;
    runtime.memory_used() + SYSTEM_BYTES + sandboxes * SANDBOX_BYTES
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

/// The summary of the stats API.
pub(crate) fn summary(kubelet: &Kubelet, runtime: &Runtime, now: Time) -> Value {
    let usages = usages(kubelet, runtime);
    let time = rfc3339(Some(&meta_time(now)));
    let stats = |cpu: Duration, memory: u64| {
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "cpu": {"time": time, "usageCoreNanoSeconds": nanos},
            "memory": {"time": time, "usageBytes": memory, "workingSetBytes": memory},
        })
    };
    let merge = |mut base: Value, more: Value| {
        if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
            base.extend(more);
        }
        base
    };
    let pods: Vec<Value> = usages
        .chunk_by(|a, b| (a.namespace, a.pod) == (b.namespace, b.pod))
        .filter_map(|usages| {
            let first = usages.first()?;
            let containers: Vec<Value> = usages
                .iter()
                .map(|usage| {
                    let started = rfc3339(Some(&meta_time(usage.started)));
                    let base = json!({"name": usage.name, "startTime": started});
                    merge(base, stats(usage.cpu, usage.memory))
                })
                .collect();
            let cpu = usages.iter().map(|usage| usage.cpu).sum();
            let memory = usages.iter().map(|usage| usage.memory).sum();
            let reference =
                json!({"name": first.pod, "namespace": first.namespace, "uid": first.uid});
            let base = json!({"podRef": reference, "containers": containers});
            Some(merge(base, stats(cpu, memory)))
        })
        .collect();
    let (cpu, memory) = node(runtime, &usages, now);
    let base = json!({"nodeName": kubelet.node_name()});
    json!({"node": merge(base, stats(cpu, memory)), "pods": pods})
}
