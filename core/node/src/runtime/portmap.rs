//! Ports of the node that lead to a pod: `hostPort`.
//!
//! Upstream: the CNI plugin `portmap`, `plugins/meta/portmap/portmap_iptables.go`.

use naru_network::netfilter::{Position, RuleError, TableName};
use naru_network::{Network, NsId};
use std::net::Ipv4Addr;

/// A port of the node, and the pod's behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The node's.
    pub host: u16,
    /// The pod's.
    pub container: u16,
    /// `tcp`, `udp`
    pub protocol: String,
}

const CHAIN: &str = "CNI-HOSTPORT-DNAT";

/// The chain of a pod. The name is as long as upstream's, which has a hash there.
fn chain(number: u64) -> String {
    format!("CNI-DN-{number:021x}")
}

/// Lays the rules of a pod's ports.
pub fn add(
    network: &mut Network,
    host: NsId,
    number: u64,
    ip: Ipv4Addr,
    ports: &[HostPort],
) -> Result<(), RuleError> {
    let Some(rules) = network.netfilter(host).filter(|_| !ports.is_empty()) else { return Ok(()) };
    let (nat, own) = (TableName::Nat, chain(number));
    rules.ensure_chain(nat, CHAIN)?;
    for hook in ["PREROUTING", "OUTPUT"] {
        let local = format!("-m addrtype --dst-type LOCAL -j {CHAIN}");
        rules.ensure(nat, hook, &local, Position::Last)?;
    }
    rules.ensure_chain(nat, &own)?;
    for port in ports {
        let HostPort { host, container, protocol } = port;
        let to = format!("-p {protocol} -m {protocol} --dport {host}");
        let target = format!("{to} -j DNAT --to-destination {ip}:{container}");
        rules.ensure(nat, &own, &target, Position::Last)?;
        rules.ensure(nat, CHAIN, &format!("{to} -j {own}"), Position::Last)?;
    }
    Ok(())
}

/// Takes the rules of a pod's ports away.
pub fn remove(network: &mut Network, host: NsId, number: u64, ports: &[HostPort]) {
    let Some(rules) = network.netfilter(host).filter(|_| !ports.is_empty()) else { return };
    let (nat, own) = (TableName::Nat, chain(number));
    // What is gone already need not go.
    for HostPort { host, protocol, .. } in ports {
        let rule = format!("-D {CHAIN} -p {protocol} -m {protocol} --dport {host} -j {own}");
        let _ = rules.command(nat, &rule);
    }
    let _ = rules.command(nat, &format!("-F {own}"));
    let _ = rules.command(nat, &format!("-X {own}"));
}
