//! Which changes of a Service concern its load balancer.
//!
//! Upstream: `needsUpdate` in `cloud-provider/controllers/service/controller.go`.

use super::wants_load_balancer;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

/// Whether the load balancer has to be looked at. Changes that are told of as events go to `notes`.
/// As upstream, the first change found is the one that is told.
pub fn needs_update(old: &Service, new: &Service, notes: &mut Vec<(&'static str, String)>) -> bool {
    let empty = ServiceSpec::default();
    let (before, after) =
        (old.spec.as_ref().unwrap_or(&empty), new.spec.as_ref().unwrap_or(&empty));
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut note = |reason, old: String, new: String| {
        notes.push((reason, format!("{old} -> {new}")));
        true
    };
    if wants_load_balancer(old) != wants_load_balancer(new) {
        return note("Type", text(&before.type_), text(&after.type_));
    }
    let ranges = |spec: &ServiceSpec| spec.load_balancer_source_ranges.clone().unwrap_or_default();
    if ranges(before) != ranges(after) {
        let list = |ranges: Vec<String>| format!("[{}]", ranges.join(" "));
        return note("LoadBalancerSourceRanges", list(ranges(before)), list(ranges(after)));
    }
    if before.ports != after.ports
        || before.session_affinity != after.session_affinity
        || before.session_affinity_config != after.session_affinity_config
    {
        return true;
    }
    if before.load_balancer_ip != after.load_balancer_ip {
        let ip = |spec: &ServiceSpec| text(&spec.load_balancer_ip);
        return note("LoadbalancerIP", ip(before), ip(after));
    }
    let external = |spec: &ServiceSpec| spec.external_ips.clone().unwrap_or_default();
    let (ips_before, ips_after) = (external(before), external(after));
    if ips_before.len() != ips_after.len() {
        let message = format!("Count: {} -> {}", ips_before.len(), ips_after.len());
        notes.push(("ExternalIP", message));
        return true;
    }
    if let Some((_, added)) = ips_before.iter().zip(&ips_after).find(|(old, new)| old != new) {
        notes.push(("ExternalIP", format!("Added: {added}")));
        return true;
    }
    if old.metadata.annotations != new.metadata.annotations {
        return true;
    }
    if old.metadata.uid != new.metadata.uid {
        return note("UID", text(&old.metadata.uid), text(&new.metadata.uid));
    }
    if before.external_traffic_policy != after.external_traffic_policy {
        let policy = |spec: &ServiceSpec| text(&spec.external_traffic_policy);
        return note("ExternalTrafficPolicy", policy(before), policy(after));
    }
    let port = |spec: &ServiceSpec| spec.health_check_node_port.unwrap_or(0).to_string();
    if port(before) != port(after) {
        return note("HealthCheckNodePort", port(before), port(after));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_matters_is_told_apart() {
        let service = |change: Value| -> Service {
            let mut json = json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
            if let (Some(spec), Some(change)) = (json["spec"].as_object_mut(), change.as_object()) {
                spec.extend(change.clone());
            }
            serde_json::from_value(json).unwrap()
        };
        let cases = [
            (json!({}), false, ""),
            (json!({"type": "NodePort"}), true, "LoadBalancer -> NodePort"),
            (json!({"loadBalancerSourceRanges": ["10.0.0.0/8"]}), true, "[] -> [10.0.0.0/8]"),
            (json!({"ports": [{"port": 81}]}), true, ""),
            (json!({"externalIPs": ["1.2.3.4"]}), true, "Count: 0 -> 1"),
            (json!({"externalTrafficPolicy": "Local"}), true, " -> Local"),
            (json!({"selector": {"a": "b"}}), false, ""),
        ];
        for (change, expected, message) in cases {
            let mut notes = Vec::new();
            let found = needs_update(&service(json!({})), &service(change.clone()), &mut notes);
            assert_eq!(found, expected, "{change}");
            assert_eq!(notes.first().map_or("", |(_, text)| text.as_str()), message, "{change}");
        }
    }
}
