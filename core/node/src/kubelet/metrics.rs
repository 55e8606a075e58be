//! `/metrics`: what the kubelet counts, as far as it shows what runs.
//!
//! Upstream: `pkg/kubelet/metrics/metrics.go`, `updateRunningPodAndContainerMetrics` in
//! `pkg/kubelet/pleg/generic.go`.

use super::Kubelet;
use crate::runtime::{ContainerState, Runtime};
use std::fmt::Write as _;

/// In the text format of Prometheus.
pub(super) fn text(kubelet: &Kubelet, runtime: &Runtime) -> String {
    let mut text = String::new();
    head(&mut text, "kubelet_node_name", "The node's name. The count is always 1.");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "kubelet_node_name{{node=\"{}\"}} 1", kubelet.node_name());
    head(&mut text, "kubelet_running_containers", "Number of containers currently running");
    for state in ["created", "exited", "running"] {
        let count = runtime.containers().filter(|(_, c)| name(&c.state) == state).count();
        if count > 0 {
            let labels = format!("{{container_state=\"{state}\"}}");
            let _ = writeln!(text, "kubelet_running_containers{labels} {count}");
        }
    }
    head(&mut text, "kubelet_running_pods", "Number of pods that have a running pod sandbox");
    let _ = writeln!(text, "kubelet_running_pods {}", runtime.sandboxes_ready());
    text
}

/// What came of probes: `/metrics/probes`.
///
/// Upstream: `ProberResults` in `pkg/kubelet/prober/prober_manager.go`.
pub(super) fn probes(kubelet: &Kubelet) -> String {
    let mut text = String::new();
    for ((pod, container, kind), counts) in kubelet.probes().counts() {
        if text.is_empty() {
            text.push_str(
                "# HELP prober_probe_total [BETA] Cumulative number of a liveness, readiness or \
                 startup probe for a container by result.\n# TYPE prober_probe_total counter\n",
            );
        }
        let worker = kubelet.worker(&pod.namespace, &pod.name);
        let uid = worker.map(|worker| worker.object.uid()).unwrap_or_default();
        let (namespace, pod, kind) = (&pod.namespace, &pod.name, kind.name());
        let results = [
            ("failed", counts.failed),
            ("successful", counts.successful),
            ("unknown", counts.unknown),
        ];
        for (result, count) in results.into_iter().filter(|(_, count)| *count > 0) {
            let _ = writeln!(
                text,
                "prober_probe_total{{container=\"{container}\",namespace=\"{namespace}\",\
                 pod=\"{pod}\",pod_uid=\"{uid}\",probe_type=\"{kind}\",result=\"{result}\"}} {count}"
            );
        }
    }
    text
}

fn name(state: &ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "created",
        ContainerState::Running { .. } => "running",
        ContainerState::Exited { .. } => "exited",
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} [ALPHA] {help}\n# TYPE {name} gauge");
}
