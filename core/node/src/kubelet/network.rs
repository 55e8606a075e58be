//! The kubelet's own chains on its node.
//!
//! Upstream: `pkg/kubelet/kubelet_network_linux.go`. What kube-proxy marks and drops is kube-proxy's
//! since v1.28.

use naru_network::netfilter::{Netfilter, Position, RuleError, TableName};

/// Tells others which of the two iptables is in use.
const HINT: &str = "KUBE-IPTABLES-HINT";
/// Whether it is there tells whether somebody has flushed the rules.
const CANARY: &str = "KUBE-KUBELET-CANARY";
const FIREWALL: &str = "KUBE-FIREWALL";
/// kube-proxy lets node ports be reached by 127.0.0.1; nobody else may come by such addresses.
const MARTIANS: &str = "-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m comment --comment \"block incoming \
                        localnet connections\" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j \
                        DROP";

/// Makes the chains that are not there.
pub fn sync_chains(rules: &mut Netfilter) -> Result<(), RuleError> {
    rules.ensure_chain(TableName::Mangle, HINT)?;
    rules.ensure_chain(TableName::Filter, FIREWALL)?;
    for hook in ["OUTPUT", "INPUT"] {
        rules.ensure(TableName::Filter, hook, &format!("-j {FIREWALL}"), Position::First)?;
    }
    rules.ensure(TableName::Filter, FIREWALL, MARTIANS, Position::Last)?;
    for table in [TableName::Mangle, TableName::Nat, TableName::Filter] {
        rules.ensure_chain(table, CANARY)?;
    }
    Ok(())
}
