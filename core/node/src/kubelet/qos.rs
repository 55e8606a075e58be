//! Who is killed first when a node has no memory left at all.
//!
//! Upstream: `GetContainerOOMScoreAdjust` in `pkg/kubelet/qos/policy.go`.

use super::eviction::CRITICAL;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use naru_api::qos;
use naru_api::quantity::Amount;
use naru_api::resources::{Side, amounts, of_container};

/// Of containers that get all that they ask for.
const GUARANTEED: i32 = -997;
/// Of those that ask for nothing.
const BEST_EFFORT: i32 = 1_000;

/// What is added to the score of each process of a container, of which the highest is killed.
pub fn oom_score_adj(container: &Container, spec: &PodSpec, memory_bytes: u64) -> i32 {
    let class = spec.priority_class_name.as_deref();
    let is_critical = spec.priority.is_some_and(|priority| priority >= CRITICAL);
    if is_critical && class == Some("system-node-critical") {
        return GUARANTEED;
    }
    match qos::class(spec) {
        "Guaranteed" => return GUARANTEED,
        "BestEffort" => return BEST_EFFORT,
        _ => {}
    }
    let score = |container: &Container| {
        let asked = amounts(of_container(container, Side::Requests));
        let asked = i128::from(asked.get("memory").copied().unwrap_or(Amount::ZERO).value());
        1_000 - 1_000 * asked / i128::from(memory_bytes.max(1))
    };
    // A sidecar is not killed before the containers that it is for.
    let is_sidecar = container.restart_policy.as_deref() == Some("Always")
        && spec.init_containers.iter().flatten().any(|other| other.name == container.name);
    let others = spec.containers.iter().filter(|_| is_sidecar).map(score);
    let least = others.max();
    let own = score(container);
    let own = least.map_or(own, |least| own.min(least));
    i32::try_from(own).unwrap_or(0).clamp(1_000 + GUARANTEED, BEST_EFFORT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(spec: Value) -> i32 {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        oom_score_adj(&spec.containers[0], &spec, 8 << 30)
    }

    #[test]
    fn who_asks_for_more_is_killed_later() {
        let ask = |memory: &str| json!({"requests": {"memory": memory}});
        let all = json!({"cpu": "1", "memory": "1Gi"});
        let all = json!({"requests": all, "limits": all});
        let pod = |resources: Value| json!({"containers": [{"name": "a", "resources": resources}]});
        let critical = json!({
            "containers": [{"name": "a"}],
            "priority": 2_000_001_000,
            "priorityClassName": "system-node-critical",
        });
        let table = [
            (pod(json!({})), 1_000),
            (pod(all), -997),
            (pod(ask("2Gi")), 750),
            (pod(ask("1Mi")), 999),
            (pod(ask("8Gi")), 3),
            (pod(json!({"requests": {"cpu": "1"}})), 999),
            (critical, -997),
        ];
        for (spec, want) in table {
            assert_eq!(of(spec.clone()), want, "{spec}");
        }
    }
}
