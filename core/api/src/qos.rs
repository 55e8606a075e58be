//! The quality of service of a pod.
//!
//! Upstream: `pkg/apis/core/helper/qos/qos.go`.

use crate::quantity::Amount;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// `BestEffort`: no container asks for anything. `Guaranteed`: all ask for CPU and memory, and
/// requests are limits. `Burstable`: everything else.
pub fn class(spec: &PodSpec) -> &'static str {
    let mut requests: BTreeMap<&str, Amount> = BTreeMap::new();
    let mut limits: BTreeMap<&str, Amount> = BTreeMap::new();
    let mut all_limited = true;
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        let resources = container.resources.as_ref();
        add(&mut requests, resources.and_then(|resources| resources.requests.as_ref()));
        let limited = add(&mut limits, resources.and_then(|resources| resources.limits.as_ref()));
        all_limited &= limited == COMPUTE.len();
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    // Every request is limited to itself, and nothing else is limited.
    let equal = requests.iter().all(|(name, request)| limits.get(name) == Some(request));
    if all_limited && equal && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

const COMPUTE: [&str; 2] = ["cpu", "memory"];

/// Adds what a container asks for; answers how many kinds of resources it does ask for.
fn add(
    sums: &mut BTreeMap<&'static str, Amount>,
    list: Option<&BTreeMap<String, Quantity>>,
) -> usize {
    let mut count = 0;
    for name in COMPUTE {
        let amount = list.and_then(|list| list.get(name)).map(Amount::of);
        if let Some(amount) = amount.filter(|amount| *amount > Amount::ZERO) {
            *sums.entry(name).or_default() += amount;
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn classes() {
        let full = json!({"cpu": "1", "memory": "1Gi"});
        let table = [
            (json!([{}]), "BestEffort"),
            (json!([{"requests": {"cpu": "0"}}]), "BestEffort"),
            (json!([{"requests": {"cpu": "1"}}]), "Burstable"),
            (json!([{"requests": full, "limits": full}]), "Guaranteed"),
            (json!([{"requests": full, "limits": full}, {}]), "Burstable"),
            (json!([{"requests": {"cpu": "1"}, "limits": full}]), "Burstable"),
            (
                json!([{"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": full}]),
                "Guaranteed",
            ),
            (json!([{"requests": {"ephemeral-storage": "1"}}]), "BestEffort"),
        ];
        for (resources, wanted) in table {
            let containers: Vec<_> = resources
                .as_array()
                .unwrap()
                .iter()
                .map(|resources| json!({"name": "a", "resources": resources}))
                .collect();
            let spec: PodSpec = serde_json::from_value(json!({"containers": containers})).unwrap();
            assert_eq!(class(&spec), wanted, "{resources}");
        }
    }
}
