//! The rules by which network plugins give packets that leave the pods' network the node's address.

use naru_client::Error;
use naru_network::netfilter::{Position, RuleError, TableName};
use naru_network::{IpNet, Network, NsId};

/// Makes chains in the `nat` and `filter` tables of a node: those in `text`, as
/// `iptables-restore --noflush` takes them, and the rules of hooks that lead there.
fn lay(
    network: &mut Network,
    host: NsId,
    text: &str,
    jumps: &[(TableName, &str, &str)],
) -> Result<(), Error> {
    let failed = |error: RuleError| Error::Other(error.to_string());
    let missing = || Error::Other("the node has no network".to_owned());
    let rules = network.netfilter(host).ok_or_else(missing)?;
    rules.restore(text, false).map_err(failed)?;
    for (table, hook, spec) in jumps {
        rules.ensure(*table, hook, spec, Position::Last).map_err(failed)?;
    }
    Ok(())
}

/// kindnetd's: everything that is not for a pod.
///
/// Upstream: `images/kindnetd/cmd/kindnetd/masq.go` of kind.
pub fn kindnet(network: &mut Network, host: NsId, pods: IpNet) -> Result<(), Error> {
    let text = format!(
        "*nat\n:KIND-MASQ-AGENT - [0:0]\n\
         -A KIND-MASQ-AGENT -m comment --comment \"kind-masq-agent: local traffic is not subject to \
         MASQUERADE\" -d {pods} -j RETURN\n\
         -A KIND-MASQ-AGENT -m comment --comment \"kind-masq-agent: outbound traffic is subject to \
         MASQUERADE (must be last in chain)\" -j MASQUERADE\nCOMMIT\n"
    );
    let jump = "-m comment --comment \"kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL \
                destination traffic to our custom KIND-MASQ-AGENT chain\" -m addrtype ! --dst-type \
                LOCAL -j KIND-MASQ-AGENT";
    lay(network, host, &text, &[(TableName::Nat, "POSTROUTING", jump)])
}

/// flanneld's: what pods send elsewhere, and what comes to pods from elsewhere but for those of this
/// node.
///
/// Upstream: `pkg/trafficmngr/iptables/iptables.go` of flannel.
pub fn flannel(network: &mut Network, host: NsId, pods: IpNet, own: IpNet) -> Result<(), Error> {
    const COMMENT: &str = "-m comment --comment \"flanneld masq\"";
    const FORWARD: &str = "-m comment --comment \"flanneld forward\"";
    let rule = |matches: String, target: &str| {
        format!("-A FLANNEL-POSTRTG {matches} {COMMENT} -j {target}\n")
    };
    let masquerade = "MASQUERADE --random-fully";
    let text = [
        "*nat\n:FLANNEL-POSTRTG - [0:0]\n".to_owned(),
        rule("-m mark --mark 0x4000/0x4000".to_owned(), "RETURN"),
        rule(format!("-s {own} -d {pods}"), "RETURN"),
        rule(format!("-s {pods} -d {own}"), "RETURN"),
        rule(format!("! -s {pods} -d {own}"), "RETURN"),
        rule(format!("-s {pods} ! -d 224.0.0.0/4"), masquerade),
        rule(format!("! -s {pods} -d {pods}"), masquerade),
        "COMMIT\n*filter\n:FLANNEL-FWD - [0:0]\n".to_owned(),
        format!("-A FLANNEL-FWD -s {pods} {FORWARD} -j ACCEPT\n"),
        format!("-A FLANNEL-FWD -d {pods} {FORWARD} -j ACCEPT\nCOMMIT\n"),
    ];
    let (out, forward) =
        (format!("{COMMENT} -j FLANNEL-POSTRTG"), format!("{FORWARD} -j FLANNEL-FWD"));
    let jumps =
        [(TableName::Nat, "POSTROUTING", out.as_str()), (TableName::Filter, "FORWARD", &forward)];
    lay(network, host, &text.concat(), &jumps)
}

/// Felix': what pods of the pool send elsewhere. Where Felix asks sets of pools, the one pool stands
/// here; the comments are hashes of its rules.
///
/// Upstream: `felix/rules/nat.go` of Calico.
pub fn calico(network: &mut Network, host: NsId, pool: IpNet) -> Result<(), Error> {
    let text = format!(
        "*nat\n:cali-POSTROUTING - [0:0]\n:cali-fip-snat - [0:0]\n:cali-nat-outgoing - [0:0]\n\
         -A cali-POSTROUTING -m comment --comment \"cali:Z-c7XtVd2Bq7s_hA\" -j cali-fip-snat\n\
         -A cali-POSTROUTING -m comment --comment \"cali:nYKhEzDlr11Jccal\" -j cali-nat-outgoing\n\
         -A cali-nat-outgoing -s {pool} ! -d {pool} -m comment --comment \"cali:flqWnvo8yq4ULQLa\" \
         -j MASQUERADE --random-fully\nCOMMIT\n"
    );
    let jump = "-m comment --comment \"cali:O3lYWMrLQYEMJtB5\" -j cali-POSTROUTING";
    lay(network, host, &text, &[(TableName::Nat, "POSTROUTING", jump)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_sim::Rng;

    fn save(lay: impl Fn(&mut Network, NsId) -> Result<(), Error>) -> String {
        let mut network = Network::new(Rng::new(1));
        let host = network.add_namespace("node");
        // Twice: a daemon that starts again changes nothing.
        (0..2).for_each(|_| lay(&mut network, host).unwrap());
        let text = network.netfilter(host).unwrap().save(None, false);
        let rules = text.lines().filter(|line| line.starts_with("-A"));
        rules.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn rules_are_those_that_nodes_show() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let (pods, own) = (net("10.244.0.0/16"), net("10.244.1.0/24"));
        assert_eq!(
            save(|network, host| kindnet(network, host, pods)),
            "-A POSTROUTING -m comment --comment \"kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom KIND-MASQ-AGENT chain\" -m addrtype ! --dst-type LOCAL -j KIND-MASQ-AGENT
-A KIND-MASQ-AGENT -d 10.244.0.0/16 -m comment --comment \"kind-masq-agent: local traffic is not subject to MASQUERADE\" -j RETURN
-A KIND-MASQ-AGENT -m comment --comment \"kind-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)\" -j MASQUERADE"
        );
        assert_eq!(
            save(|network, host| flannel(network, host, pods, own)),
            "-A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT
-A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment \"flanneld masq\" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment \"flanneld masq\" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment \"flanneld masq\" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment \"flanneld masq\" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j MASQUERADE --random-fully"
        );
        let calico = save(|network, host| calico(network, host, pods));
        assert!(
            calico.contains("-A cali-nat-outgoing -s 10.244.0.0/16 ! -d 10.244.0.0/16 "),
            "{calico}"
        );
    }
}
