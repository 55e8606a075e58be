//! Which settings of the kernel a pod may have changed for itself.
//!
//! Upstream: `pkg/kubelet/sysctl/allowlist.go`, `safe_sysctls.go`; the namespaces are those of
//! `k8s.io/component-helpers/node/util/sysctl`.

use k8s_openapi::api::core::v1::Pod;

/// Settings that do a node and its other pods no harm, which need no flag of the kubelet.
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// Why a pod is refused for its settings: the reason, and more for people.
pub fn refusal(pod: &Pod) -> Option<(String, String)> {
    let spec = pod.spec.as_ref()?;
    let sysctls = spec.security_context.as_ref()?.sysctls.as_deref()?;
    let forbidden = |name: &str| {
        let name = normalize(name);
        if !SAFE.contains(&name.as_str()) {
            return Some(format!("\"{name}\" not allowlisted"));
        }
        let (namespace, hosts) = match name.starts_with("net.") {
            true => ("Net", spec.host_network),
            false => ("IPC", spec.host_ipc),
        };
        (hosts == Some(true))
            .then(|| format!("\"{name}\" not allowed with host {namespace} enabled"))
    };
    let why = sysctls.iter().find_map(|sysctl| forbidden(&sysctl.name))?;
    Some(("SysctlForbidden".to_owned(), format!("forbidden sysctl: {why}")))
}

/// A name with dots between its parts: `net/ipv4/tcp_rmem` may be said too.
///
/// Upstream: `NormalizeName`.
pub fn normalize(name: &str) -> String {
    match name.find(['.', '/']).and_then(|at| name.get(at..=at)) {
        Some("/") => {
            let other = |letter| match letter {
                '/' => '.',
                '.' => '/',
                letter => letter,
            };
            name.chars().map(other).collect()
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(spec: serde_json::Value) -> Option<String> {
        let pod = serde_json::from_value(json!({"spec": spec})).unwrap();
        refusal(&pod).map(|(_, why)| why)
    }

    #[test]
    fn what_is_not_safe_is_forbidden() {
        let sysctls = |names: &[&str]| {
            let all: Vec<_> =
                names.iter().map(|name| json!({"name": name, "value": "1"})).collect();
            json!({"sysctls": all})
        };
        let of = |names: &[&str]| json!({"containers": [], "securityContext": sysctls(names)});
        assert_eq!(why(json!({"containers": []})), None);
        assert_eq!(why(of(&["kernel.shm_rmid_forced", "net/ipv4/tcp_rmem"])), None);
        assert_eq!(
            why(of(&["kernel.shm_rmid_forced", "kernel.msgmax"])).unwrap(),
            "forbidden sysctl: \"kernel.msgmax\" not allowlisted"
        );
        let mut spec = of(&["net.ipv4.tcp_syncookies"]);
        spec["hostNetwork"] = json!(true);
        assert_eq!(
            why(spec).unwrap(),
            "forbidden sysctl: \"net.ipv4.tcp_syncookies\" not allowed with host Net enabled"
        );
    }
}
