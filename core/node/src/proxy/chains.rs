//! The names of chains.
//!
//! Upstream: `portProtoHash` and its neighbours in `pkg/proxy/iptables/proxier.go`. A chain's name
//! holds at most 28 characters, so a hash stands for the service port.

use naru_api::base32;
use sha2::{Digest, Sha256};

/// Bytes of the hash that a name shows: 16 letters.
const HASH_BYTES: usize = 10;

/// The chain with the endpoints of traffic policy `Cluster`.
pub fn cluster_policy(service_port: &str, protocol: &str) -> String {
    format!("KUBE-SVC-{}", hash(&[service_port, protocol]))
}

/// The chain with the endpoints of traffic policy `Local`.
pub fn local_policy(service_port: &str, protocol: &str) -> String {
    format!("KUBE-SVL-{}", hash(&[service_port, protocol]))
}

/// The chain that guards a load balancer's address by source ranges.
pub fn firewall(service_port: &str, protocol: &str) -> String {
    format!("KUBE-FW-{}", hash(&[service_port, protocol]))
}

/// The chain that traffic from outside enters by.
pub fn external(service_port: &str, protocol: &str) -> String {
    format!("KUBE-EXT-{}", hash(&[service_port, protocol]))
}

/// The chain of one endpoint, written `10.244.1.2:8080`.
pub fn endpoint(service_port: &str, protocol: &str, endpoint: &str) -> String {
    format!("KUBE-SEP-{}", hash(&[service_port, protocol, endpoint]))
}

/// The first 16 letters of the SHA-256 in base 32 (RFC 4648).
fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part.as_bytes()));
    base32::encode(digest.finalize().get(..HASH_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_published_clusters() {
        for (name, protocol, expected) in [
            ("default/kubernetes:https", "tcp", "NPX46M4PTMTKRN6Y"),
            ("kube-system/kube-dns:dns", "udp", "TCOU7JCQXEZGVUNU"),
            ("kube-system/kube-dns:dns-tcp", "tcp", "ERIFXISQEP7F7OF4"),
            ("kube-system/kube-dns:metrics", "tcp", "JD5MR3NA4I4DYORP"),
            ("ns1/svc1:p80", "tcp", "XPGD46QRK7WJZT7O"),
        ] {
            assert_eq!(cluster_policy(name, protocol), format!("KUBE-SVC-{expected}"));
            assert_eq!(external(name, protocol), format!("KUBE-EXT-{expected}"));
        }
        let name = endpoint("ns1/svc1:p80", "tcp", "10.180.0.1:80");
        assert_eq!(name, "KUBE-SEP-SXIVWICOYRO3J4NJ");
    }
}
