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
