//! What the node's control groups count: `/metrics/cadvisor`, as far as it is simulated.
//!
//! Upstream: `metrics/prometheus.go` of `google/cadvisor`, `containerPrometheusLabels` in
//! `pkg/kubelet/server/server.go`.

use super::Kubelet;
use super::kuberuntime_container::cpu_request_milli;
use super::mirror;
use super::pod_workers::PodWorker;
use crate::runtime::{Container, ContainerState, Runtime};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use naru_api::qos;
use naru_sim::Time;
use std::fmt::Write as _;

/// A period in which processor time is given out, in microseconds.
const PERIOD_MICROS: u64 = 100_000;
/// What a container's share of processors is where it asks for none.
const SHARES_MIN: u64 = 2;

/// A container that runs, and how it is told apart.
struct Counted<'a> {
    /// Labels without braces.
    labels: String,
    container: &'a Container,
    started: Time,
    shares: u64,
}

/// A metric of containers: name, help, type, more labels before the others, whether it has a moment,
/// and its value if the container has one.
type Metric =
    (&'static str, &'static str, &'static str, &'static str, bool, fn(&Counted<'_>) -> Option<f64>);

const METRICS: [Metric; 11] = [
    (
        "container_cpu_usage_seconds_total",
        "Cumulative cpu time consumed in seconds.",
        "counter",
        "cpu=\"total\",",
        true,
        |it| Some(it.container.cpu_used().as_secs_f64()),
    ),
    (
        "container_fs_usage_bytes",
        "Number of bytes that are consumed by the container on this filesystem.",
        "gauge",
        "device=\"/dev/vda1\",",
        true,
        |it| Some(it.container.written().bytes as f64),
    ),
    ("container_memory_rss", "Size of RSS in bytes.", "gauge", "", true, |it| {
        Some(it.container.memory_bytes() as f64)
    }),
    (
        "container_memory_usage_bytes",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        "gauge",
        "",
        true,
        |it| Some(it.container.memory_bytes() as f64),
    ),
    (
        "container_memory_working_set_bytes",
        "Current working set in bytes.",
        "gauge",
        "",
        true,
        |it| Some(it.container.memory_bytes() as f64),
    ),
    (
        "container_processes",
        "Number of processes running inside the container.",
        "gauge",
        "",
        true,
        |it| Some(it.container.processes() as f64),
    ),
    ("container_spec_cpu_period", "CPU period of the container.", "gauge", "", false, |it| {
        it.container.config.cpu_limit_milli.map(|_| PERIOD_MICROS as f64)
    }),
    ("container_spec_cpu_quota", "CPU quota of the container.", "gauge", "", false, |it| {
        it.container.config.cpu_limit_milli.map(quota)
    }),
    ("container_spec_cpu_shares", "CPU share of the container.", "gauge", "", false, |it| {
        Some(it.shares as f64)
    }),
    (
        "container_spec_memory_limit_bytes",
        "Memory limit for the container.",
        "gauge",
        "",
        false,
        |it| Some(it.container.config.memory_limit.unwrap_or(0) as f64),
    ),
    (
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds.",
        "gauge",
        "",
        false,
        |it| Some(it.started.unix_micros() as f64 / 1e6),
    ),
];

/// How many microseconds of each period so many thousandths of a processor are.
fn quota(milli: u64) -> f64 {
    milli.saturating_mul(PERIOD_MICROS / 1_000) as f64
}

/// In the text format of Prometheus.
pub(super) fn text(kubelet: &Kubelet, runtime: &Runtime, now: Time) -> String {
    let mut text = String::new();
    let software = &kubelet.config().software;
    head(
        &mut text,
        "cadvisor_version_info",
        "A metric with a constant '1' value labeled by kernel version, OS version, docker version, \
         cadvisor version & cadvisor revision.",
        "gauge",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "cadvisor_version_info{{cadvisorRevision=\"\",cadvisorVersion=\"\",dockerVersion=\"\",\
         kernelVersion=\"{}\",osVersion=\"{}\"}} 1",
        software.kernel, software.os_image
    );
    let counted = containers(kubelet, runtime);
    let at = now.unix_micros().div_euclid(1_000);
    for (name, help, kind, more, is_dated, value) in METRICS {
        let values: Vec<_> = counted.iter().filter_map(|it| Some((it, value(it)?))).collect();
        if values.is_empty() {
            continue;
        }
        head(&mut text, name, help, kind);
        for (it, value) in values {
            let labels = it.labels.replacen("id=", &format!("{more}id="), 1);
            let _ = match is_dated {
                true => writeln!(text, "{name}{{{labels}}} {value} {at}"),
                false => writeln!(text, "{name}{{{labels}}} {value}"),
            };
        }
    }
    let error = "1 if there was an error while getting container metrics, 0 otherwise";
    head(&mut text, "container_scrape_error", error, "gauge");
    text.push_str("container_scrape_error 0\n");
    head(&mut text, "machine_cpu_cores", "Number of logical CPU cores.", "gauge");
    let _ = writeln!(
        text,
        "machine_cpu_cores{{boot_id=\"\",machine_id=\"\",system_uuid=\"\"}} {}",
        kubelet.config().cpus
    );
    head(&mut text, "machine_memory_bytes", "Amount of memory installed on the machine.", "gauge");
    let _ = writeln!(
        text,
        "machine_memory_bytes{{boot_id=\"\",machine_id=\"\",system_uuid=\"\"}} {}",
        kubelet.config().memory_bytes
    );
    text
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn containers<'a>(kubelet: &'a Kubelet, runtime: &'a Runtime) -> Vec<Counted<'a>> {
    let mut all = Vec::new();
    for worker in kubelet.workers() {
        let Some(spec) = worker.object.get::<Pod>().and_then(|pod| pod.spec.as_deref()) else {
            continue;
        };
        for record in &worker.containers {
            let Some(container) = record.id.and_then(|id| runtime.container(id)) else { continue };
            let ContainerState::Running { started } = container.state else { continue };
            let (namespace, pod) = (worker.object.namespace(), worker.object.name());
            let labels = format!(
                "container=\"{}\",id=\"{}\",image=\"{}\",name=\"{}\",namespace=\"{namespace}\",\
                 pod=\"{pod}\"",
                record.name,
                group(worker, spec, container),
                container.config.image_name,
                container.hex
            );
            let asked = record.spec(spec).map_or(0, |container| cpu_request_milli(&container));
            let shares = (asked.saturating_mul(1024) / 1000).max(SHARES_MIN);
            all.push(Counted { labels, container, started, shares });
        }
    }
    all
}

/// The container's control group, as systemd names it.
///
/// Upstream: `ToSystemd` in `pkg/kubelet/cm/cgroup_manager_linux.go`.
fn group(worker: &PodWorker, spec: &PodSpec, container: &Container) -> String {
    let pod = mirror::worker_uid(&worker.object).replace('-', "_");
    let class = match qos::class(spec) {
        "Guaranteed" => String::new(),
        class => format!("-{}", class.to_lowercase()),
    };
    let above = match class.as_str() {
        "" => String::new(),
        class => format!("/kubepods{class}.slice"),
    };
    let hex = &container.hex;
    format!("/kubepods.slice{above}/kubepods{class}-pod{pod}.slice/cri-containerd-{hex}.scope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_of_a_period() {
        assert_eq!(quota(500), 50_000.0);
        assert_eq!(quota(u64::MAX), u64::MAX as f64);
    }
}
