//! Files that the kubelet puts into every container: hosts, resolv.conf, hostname.
//!
//! Upstream: `pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/network/dns/dns.go`.

use crate::NodeConfig;
use k8s_openapi::api::core::v1::{HostAlias, PodDNSConfig, PodSpec};
use std::fmt::Write as _;

/// Search domains kept. Upstream: `MaxDNSSearchPaths`.
const SEARCHES_MAX: usize = 32;
/// Letters of a machine's name. Upstream: `fqdnMaxLen`.
const NODE_NAME_MAX: usize = 64;
/// Name servers kept. Upstream: `MaxDNSNameservers`.
const SERVERS_MAX: usize = 3;

/// The pod's host name: `spec.hostname` or its name, at most 63 letters.
pub fn hostname(spec: &PodSpec, pod_name: &str, node_name: &str) -> String {
    if spec.host_network == Some(true) {
        return node_name.to_owned();
    }
    let name = spec.hostname.as_deref().filter(|name| !name.is_empty()).unwrap_or(pod_name);
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// The name that a pod's machine has: with its domain, where the pod says so. Linux takes 64 letters.
///
/// Upstream: `GeneratePodHostNameAndDomain`, `setHostnameAsFQDN` in `pkg/kubelet/kubelet_pods.go`.
pub fn node_hostname(
    spec: &PodSpec,
    hostname: &str,
    namespace: &str,
    domain: &str,
) -> Result<String, String> {
    let sub = spec.subdomain.as_deref().filter(|name| !name.is_empty());
    match sub.filter(|_| spec.set_hostname_as_fqdn == Some(true)) {
        None => Ok(hostname.to_owned()),
        Some(sub) => {
            let full = format!("{hostname}.{sub}.{namespace}.svc.{domain}");
            if full.len() > NODE_NAME_MAX {
                return Err(format!(
                    "failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is \
                     too long ({NODE_NAME_MAX} characters is the max, {} characters requested)",
                    full.len()
                ));
            }
            Ok(full)
        }
    }
}

/// `/etc/hosts`.
pub fn hosts(spec: &PodSpec, hostname: &str, namespace: &str, ip: &str, domain: &str) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    let _ = match spec.subdomain.as_deref().filter(|name| !name.is_empty()) {
        Some(sub) => writeln!(text, "{ip}\t{hostname}.{sub}.{namespace}.svc.{domain}\t{hostname}"),
        None => writeln!(text, "{ip}\t{hostname}"),
    };
    add_aliases(&mut text, spec.host_aliases.as_deref().unwrap_or_default());
    text
}

fn add_aliases(text: &mut String, aliases: &[HostAlias]) {
    if aliases.is_empty() {
        return;
    }
    text.push_str("\n# Entries added by HostAliases.\n");
    for alias in aliases {
        let names = alias.hostnames.clone().unwrap_or_default().join("\t");
        let _ = writeln!(text, "{}\t{names}", alias.ip);
    }
}

/// `/etc/resolv.conf`.
pub fn resolv_conf(spec: &PodSpec, namespace: &str, config: &NodeConfig) -> String {
    let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let host_network = spec.host_network == Some(true);
    let cluster = match policy {
        "ClusterFirstWithHostNet" => true,
        "ClusterFirst" => !host_network,
        _ => false,
    };
    let domain = &config.cluster_domain;
    let mut dns = match (cluster, policy) {
        (true, _) => Dns {
            searches: vec![
                format!("{namespace}.svc.{domain}"),
                format!("svc.{domain}"),
                domain.clone(),
            ],
            servers: vec![config.cluster_dns.to_string()],
            options: vec!["ndots:5".to_owned()],
        },
        (false, "None") => Dns::default(),
        // As the node itself asks.
        (false, _) => Dns { servers: vec![config.resolver.to_string()], ..Dns::default() },
    };
    if let Some(own) = &spec.dns_config {
        dns.add(own);
    }
    dns.text()
}

#[derive(Default)]
struct Dns {
    searches: Vec<String>,
    servers: Vec<String>,
    options: Vec<String>,
}

impl Dns {
    fn add(&mut self, own: &PodDNSConfig) {
        self.searches.extend(own.searches.iter().flatten().cloned());
        self.servers.extend(own.nameservers.iter().flatten().cloned());
        for option in own.options.iter().flatten() {
            let Some(name) = &option.name else { continue };
            self.options.retain(|old| old.split(':').next() != Some(name.as_str()));
            self.options.push(match &option.value {
                Some(value) => format!("{name}:{value}"),
                None => name.clone(),
            });
        }
    }

    fn text(mut self) -> String {
        self.searches.truncate(SEARCHES_MAX);
        self.servers.truncate(SERVERS_MAX);
        let mut text = String::new();
        if !self.searches.is_empty() {
            let _ = writeln!(text, "search {}", self.searches.join(" "));
        }
        for server in &self.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        if !self.options.is_empty() {
            let _ = writeln!(text, "options {}", self.options.join(" "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig { name: "worker".to_owned(), ..NodeConfig::default() }
    }

    #[test]
    fn a_pods_resolver_searches_its_namespace_first() {
        let text = resolv_conf(&PodSpec::default(), "shop", &config());
        assert_eq!(
            text,
            "search shop.svc.cluster.local svc.cluster.local cluster.local\n\
             nameserver 10.96.0.10\n\
             options ndots:5\n"
        );
    }

    #[test]
    fn who_does_not_ask_the_cluster_asks_as_the_node_does() {
        let cluster = "search a.svc.cluster.local svc.cluster.local cluster.local\n\
                       nameserver 10.96.0.10\noptions ndots:5\n";
        let node = "nameserver 172.18.0.1\n";
        for (policy, host_network, expected) in [
            ("ClusterFirst", false, cluster),
            ("ClusterFirst", true, node),
            ("ClusterFirstWithHostNet", true, cluster),
            ("Default", false, node),
            ("None", false, ""),
        ] {
            let spec = PodSpec {
                dns_policy: Some(policy.to_owned()),
                host_network: Some(host_network),
                ..PodSpec::default()
            };
            assert_eq!(resolv_conf(&spec, "a", &config()), expected, "{policy} {host_network}");
        }
    }

    #[test]
    fn own_dns_settings() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "containers": [],
            "dnsPolicy": "None",
            "dnsConfig": {
                "nameservers": ["1.2.3.4"],
                "searches": ["a.b"],
                "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
            },
        }))
        .unwrap();
        let text = resolv_conf(&spec, "default", &config());
        assert_eq!(text, "search a.b\nnameserver 1.2.3.4\noptions ndots:2 edns0\n");
    }

    #[test]
    fn hosts_names_the_pod() {
        let spec = PodSpec { subdomain: Some("db".to_owned()), ..PodSpec::default() };
        let text = hosts(&spec, "web-0", "shop", "10.244.1.2", "cluster.local");
        assert!(text.ends_with("10.244.1.2\tweb-0.db.shop.svc.cluster.local\tweb-0\n"), "{text}");
    }

    #[test]
    fn host_names() {
        let spec = PodSpec::default();
        assert_eq!(hostname(&spec, "web", "worker"), "web");
        assert_eq!(hostname(&spec, &"a".repeat(80), "worker").len(), 63);
        let host = PodSpec { host_network: Some(true), ..PodSpec::default() };
        assert_eq!(hostname(&host, "web", "worker"), "worker");
    }
}
