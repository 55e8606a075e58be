//! What the kubelet refuses to run although it is bound to its node.
//!
//! Upstream: `pkg/kubelet/lifecycle/predicate.go`.

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use naru_api::quantity::Amount;
use naru_api::resources::{Side, of_pod_with_overhead};
use naru_api::scheduling::{required_node_affinity_matches, taints, tolerates, tolerations};

/// Resources that are counted, in the order in which it is looked whether there is enough of them.
const COUNTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What pods ask for of each, `cpu` in thousandths.
pub type Asked = [i64; 3];

/// What a pod asks for.
pub fn asked(spec: &PodSpec) -> Asked {
    let wanted = of_pod_with_overhead(spec, Side::Requests);
    COUNTED.map(|name| whole(wanted.get(name).copied().unwrap_or(Amount::ZERO), name))
}

fn whole(amount: Amount, name: &str) -> i64 {
    if name == "cpu" { amount.milli_value() } else { amount.value() }
}

/// Why a pod is refused beside so many others that have taken so much: the reason, and more for
/// people.
pub fn refusal(pod: &Pod, node: &Node, used: Asked, pods: i64) -> Option<(String, String)> {
    let spec = pod.spec.as_ref()?;
    let all = node.status.as_ref()?.allocatable.as_ref();
    let lacks = |name: &str, wanted: i64, used: i64| {
        let capacity = all.and_then(|all| all.get(name)).map(Amount::of);
        let capacity = whole(capacity.unwrap_or(Amount::ZERO), name);
        (wanted > 0 && wanted.saturating_add(used) > capacity).then(|| {
            let message = format!(
                "Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, \
                 capacity: {capacity}"
            );
            (format!("OutOf{name}"), message)
        })
    };
    let each = COUNTED.into_iter().zip(asked(spec)).zip(used);
    let short = lacks("pods", 1, pods);
    let short =
        short.or_else(|| each.into_iter().find_map(|((name, it), used)| lacks(name, it, used)));
    if short.is_some() {
        return short;
    }
    let failed =
        |name: &str, why: &str| Some((name.to_owned(), format!("Predicate {name} failed: {why}")));
    if !required_node_affinity_matches(spec, node) {
        return failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
    }
    let own = tolerations(spec);
    let drives_out = taints(node).iter().any(|taint| {
        taint.effect == "NoExecute" && !own.iter().any(|toleration| tolerates(toleration, taint))
    });
    match drives_out {
        true => failed("TaintToleration", "node(s) had taints that the pod didn't tolerate"),
        false => None,
    }
}
