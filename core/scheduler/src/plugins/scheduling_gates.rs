//! Holds pods back until their gates are taken away.
//!
//! Upstream: `pkg/scheduler/framework/plugins/schedulinggates/scheduling_gates.go`.

use crate::framework::{Plugin, PreEnqueue, Rejection};
use k8s_openapi::api::core::v1::Pod;

/// The plugin.
#[derive(Debug)]
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }
}

impl PreEnqueue for SchedulingGates {
    fn pre_enqueue(&self, pod: &Pod) -> Result<(), Rejection> {
        let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_deref());
        let names: Vec<&str> =
            gates.unwrap_or_default().iter().map(|gate| gate.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let names = names.join(" ");
        Err(Rejection::unresolvable(format!("waiting for scheduling gates: [{names}]")))
    }
}
