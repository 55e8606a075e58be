//! Rules as a table for people, in the form of `iptables -L`.
//!
//! Upstream: `iptables/xshared.c` (`print_header`, `print_rule_details`) and `extensions/` of
//! iptables 1.8.9, which writes protocols as numbers with `-n`.

use super::count::{Count, Tallies};
use super::rule::{Cond, Match, NatRange, PortSide, Ports, Recent, RecentAction, Rule, Target};
use super::save::{addr_type, masked, port_range, reject_text, state_list};
use super::{Chain, Netfilter, Policy, TableName};
use ipnet::IpNet;
use std::sync::Arc;

/// How rules are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// `-n`: addresses and protocols are not named.
    pub numeric: bool,
    /// `-v`: with counters and interfaces.
    pub verbose: bool,
    /// `-x`: counters in full.
    pub exact: bool,
    /// `--line-numbers`
    pub numbers: bool,
}

impl Netfilter {
    /// The rules of a table's chain, or of all its chains; `None` if there is no such chain.
    pub fn list(&self, table: TableName, only: Option<&str>, how: Listing) -> Option<String> {
        let chains = &self.tables.get(&table)?.chains;
        let names: Vec<&str> = match only {
            Some(name) => vec![chains.get_key_value(name)?.0],
            None => {
                let hooks = table.hooks().iter().map(|hook| hook.chain());
                let own = chains.iter().filter(|(_, chain)| chain.policy.is_none());
                hooks.chain(own.map(|(name, _)| &**name)).collect()
            }
        };
        let none = Tallies::default();
        let tallies = self.tallies(table).unwrap_or(&none);
        let one = |name: &str| Some(how.chain(name, chains.get(name)?, tallies));
        let parts: Vec<String> = names.into_iter().filter_map(one).collect();
        Some(parts.join("\n"))
    }
}

impl Listing {
    fn chain(self, name: &str, chain: &Chain, tallies: &Tallies) -> String {
        let Count { packets, bytes } = tallies.policy(chain);
        let counts = match self.verbose {
            true => format!(" {} packets, {} bytes", self.bare(packets), self.bare(bytes)),
            false => String::new(),
        };
        let mut out = match chain.policy {
            Some(Policy::Accept) => format!("Chain {name} (policy ACCEPT{counts})\n"),
            Some(Policy::Drop) => format!("Chain {name} (policy DROP{counts})\n"),
            None => format!("Chain {name} ({} references)\n", chain.references),
        };
        if self.numbers {
            out += "num  ";
        }
        if self.verbose {
            out += if self.exact { "    pkts      bytes " } else { " pkts bytes " };
        }
        out += "target     prot opt";
        if self.verbose {
            out += " in     out    ";
        }
        out += " source               destination         \n";
        for (index, rule) in chain.rules.list.iter().enumerate() {
            if self.numbers {
                out += &format!("{:<5}", index + 1);
            }
            if self.verbose {
                let Count { packets, bytes } = tallies.rule(chain, index);
                out += &self.number(packets);
                out += &self.number(bytes);
            }
            out += &self.rule(rule);
            out.push('\n');
        }
        out
    }

    fn number(self, number: u64) -> String {
        if self.exact { format!("{number:>8} ") } else { short(number) }
    }

    /// As in the line above a chain's rules.
    fn bare(self, number: u64) -> String {
        self.number(number).trim().to_owned()
    }

    fn rule(self, rule: &Rule) -> String {
        let mut out = String::new();
        out += &format!("{:<9} ", rule.target.as_ref().map(target_name).unwrap_or_default());
        let inverted = rule.protocol.as_ref().is_some_and(|cond| cond.inverted);
        out.push(if inverted { '!' } else { ' ' });
        let protocol = match (&rule.protocol, self.numeric) {
            (Some(cond), true) => cond.value.number().to_string(),
            (Some(cond), false) => cond.value.to_string(),
            (None, true) => "0".to_owned(),
            (None, false) => "all".to_owned(),
        };
        out += &format!("{protocol:<4} -- ");
        if self.verbose {
            let name = |cond: &Option<Cond<Arc<str>>>| match cond {
                Some(cond) if cond.inverted => format!("!{}", cond.value),
                Some(cond) => cond.value.to_string(),
                None => "*".to_owned(),
            };
            out += &format!(" {:<6} {:<6} ", name(&rule.in_interface), name(&rule.out_interface));
        }
        for cond in [&rule.source, &rule.destination] {
            let inverted = cond.as_ref().is_some_and(|cond| cond.inverted);
            let text = match cond {
                Some(cond) => address(&cond.value),
                None if self.numeric => "0.0.0.0/0".to_owned(),
                None => "anywhere".to_owned(),
            };
            out += &format!("{}{text:<19} ", if inverted { '!' } else { ' ' });
        }
        if matches!(rule.target, Some(Target::Goto(_))) {
            out += " [goto] ";
        }
        rule.matches.iter().for_each(|condition| out += &condition_text(condition));
        rule.target.iter().for_each(|target| out += &target_text(target));
        out
    }
}

/// `xtables_print_num` of `libxtables/xtables.c`.
pub(super) fn short(number: u64) -> String {
    const FULL_MAX: u64 = 99_999;
    const SHORT_MAX: u64 = 9_999;
    if number <= FULL_MAX {
        return format!("{number:>5} ");
    }
    let mut left = number;
    for unit in ['K', 'M', 'G'] {
        left = left.saturating_add(500) / 1_000;
        if left <= SHORT_MAX {
            return format!("{left:>4}{unit} ");
        }
    }
    format!("{:>4}T ", left.saturating_add(500) / 1_000)
}

fn address(net: &IpNet) -> String {
    match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    }
}

fn target_name(target: &Target) -> String {
    match target {
        Target::Accept => "ACCEPT",
        Target::Drop => "DROP",
        Target::Reject(_) => "REJECT",
        Target::Return => "RETURN",
        Target::Jump(chain) | Target::Goto(chain) => chain,
        Target::Dnat(_) => "DNAT",
        Target::Snat(_) => "SNAT",
        Target::Masquerade { .. } => "MASQUERADE",
        Target::Redirect(_) => "REDIRECT",
        Target::Mark(_) => "MARK",
        Target::Log(_) => "LOG",
        Target::NoTrack => "CT",
    }
    .to_owned()
}

fn target_text(target: &Target) -> String {
    match target {
        Target::Reject(with) => format!(" reject-with {}", reject_text(*with)),
        Target::Dnat(range) | Target::Snat(range) => format!(" to:{}", nat(range)),
        Target::Masquerade { random, ports } => {
            let ports = ports.as_ref().map(|it| format!(" masq ports: {}", port_range(it, '-')));
            let random = if *random { " random-fully" } else { "" };
            format!("{}{random}", ports.unwrap_or_default())
        }
        Target::Redirect(ports) => format!(" redir ports {}", port_range(ports, '-')),
        Target::Mark(mark) => match (mark.value, mark.mask) {
            (0, mask) => format!(" MARK and {:#x}", !mask),
            (value, mask) if value == mask => format!(" MARK or {value:#x}"),
            (value, 0) => format!(" MARK xor {value:#x}"),
            (value, u32::MAX) => format!(" MARK set {value:#x}"),
            (value, mask) => format!(" MARK xset {value:#x}/{mask:#x}"),
        },
        Target::Log(prefix) => format!(" LOG flags 0 level 4 prefix \"{prefix}\""),
        Target::NoTrack => " NOTRACK".to_owned(),
        _ => String::new(),
    }
}

fn nat(range: &NatRange) -> String {
    let ips = range.ips.as_ref().map(|ips| match ips.start() == ips.end() {
        true => ips.start().to_string(),
        false => format!("{}-{}", ips.start(), ips.end()),
    });
    let ports = range.ports.as_ref().map(|ports| format!(":{}", port_range(ports, '-')));
    let random = if range.random { " random-fully" } else { "" };
    format!("{}{}{random}", ips.unwrap_or_default(), ports.unwrap_or_default())
}

fn condition_text(condition: &Match) -> String {
    let not = |inverted: bool| if inverted { "! " } else { "" };
    match condition {
        Match::Comment(text) => format!(" /* {text} */"),
        Match::Ports(ports) => port_text(ports),
        Match::Multiport { side, ports } => {
            let side = match side {
                PortSide::Source => "sports",
                PortSide::Destination => "dports",
                PortSide::Either => "ports",
            };
            let list: Vec<String> = ports.value.iter().map(|it| port_range(it, ':')).collect();
            format!(" multiport {side} {}{}", not(ports.inverted), list.join(","))
        }
        Match::Icmp(kind) => match kind.value {
            super::parse::ICMP_ANY => " icmp any".to_owned(),
            number => format!(" icmptype {}{number}", not(kind.inverted)),
        },
        Match::Random(value) => {
            let share = f64::from(value.value) / f64::from(1_u32 << 31);
            format!(
                " statistic mode random{} probability {share:.11}",
                if value.inverted { " !" } else { "" }
            )
        }
        Match::State(states) => {
            format!(" {}ctstate {}", not(states.inverted), state_list(&states.value))
        }
        Match::Mark(mark) => format!(" mark match {}{}", not(mark.inverted), masked(mark.value)),
        Match::AddrType { source, destination } => {
            let side = |name: &str, cond: &Option<Cond<_>>| match cond {
                Some(cond) => {
                    let not = if cond.inverted { "!" } else { "" };
                    format!(" {name} {not}{}", addr_type(&cond.value))
                }
                None => String::new(),
            };
            format!(" ADDRTYPE match{}{}", side("src-type", source), side("dst-type", destination))
        }
        Match::Recent(recent) => recent_text(recent),
        Match::Accounting(name) => format!(" nfacct-name  {name}"),
        Match::Set { name, destination } => {
            let side = if *destination { "dst" } else { "src" };
            format!(" {}match-set {} {side}", not(name.inverted), name.value)
        }
    }
}

fn port_text(ports: &Ports) -> String {
    let mut out = format!(" {}", ports.protocol);
    for (name, cond) in [("spt", &ports.source), ("dpt", &ports.destination)] {
        let Some(cond) = cond else { continue };
        let plural = if cond.value.start() == cond.value.end() { "" } else { "s" };
        let not = if cond.inverted { "!" } else { "" };
        out += &format!(" {name}{plural}:{not}{}", port_range(&cond.value, ':'));
    }
    if let Some(syn) = &ports.syn {
        out += if syn.inverted { " flags:!0x17/0x02" } else { " flags:0x17/0x02" };
    }
    out
}

fn recent_text(recent: &Recent) -> String {
    let action = match recent.action {
        RecentAction::Set => "SET",
        RecentAction::Check => "CHECK",
        RecentAction::Update => "UPDATE",
        RecentAction::Remove => "REMOVE",
    };
    let mut out = format!(" {}recent: {action}", if recent.inverted { "!" } else { "" });
    if let Some(seconds) = recent.seconds {
        out += &format!(" seconds: {seconds}");
    }
    if recent.reap {
        out += " reap";
    }
    let side = if recent.destination { "dest" } else { "source" };
    out + &format!(" name: {} side: {side} mask: 255.255.255.255", recent.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAA - [0:0]
:KUBE-SEP-BBBB - [0:0]
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.7/32 -p tcp -m comment --comment \"default/web cluster IP\" -m tcp --dport 80 -j KUBE-SVC-AAAA
-A KUBE-SVC-AAAA ! -s 10.244.0.0/16 -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j MARK --or-mark 0x4000
-A KUBE-SVC-AAAA -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-BBBB
-A KUBE-SEP-BBBB -p tcp -m recent --set --name KUBE-SEP-BBBB --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.244.1.2:8080
COMMIT
";

    fn list(chain: &str, verbose: bool) -> String {
        let mut rules = Netfilter::new();
        rules.restore(RULES, true).unwrap();
        let how = Listing { numeric: true, verbose, ..Listing::default() };
        rules.list(TableName::Nat, Some(chain), how).unwrap()
    }

    #[test]
    fn rules_are_listed_as_iptables_lists_them() {
        let head = "target     prot opt source               destination         \n";
        assert_eq!(
            list("KUBE-SERVICES", false),
            format!(
                "Chain KUBE-SERVICES (1 references)\n{head}KUBE-SVC-AAAA  6    --  0.0.0.0/0            10.96.0.7            /* default/web cluster IP */ tcp dpt:80\n"
            )
        );
        assert_eq!(
            list("KUBE-SVC-AAAA", false),
            format!(
                "Chain KUBE-SVC-AAAA (1 references)\n{head}MARK       6    -- !10.244.0.0/16        10.96.0.7            tcp dpt:80 MARK or 0x4000\nKUBE-SEP-BBBB  0    --  0.0.0.0/0            0.0.0.0/0            statistic mode random probability 0.50000000000\n"
            )
        );
        assert_eq!(
            list("PREROUTING", true),
            "Chain PREROUTING (policy ACCEPT 0 packets, 0 bytes)\n pkts bytes target     prot opt in     out     source               destination         \n    0     0 KUBE-SERVICES  0    --  *      *       0.0.0.0/0            0.0.0.0/0            /* kubernetes service portals */\n"
        );
        assert!(list("KUBE-SEP-BBBB", false).ends_with(
            "recent: SET name: KUBE-SEP-BBBB side: source mask: 255.255.255.255 tcp to:10.244.1.2:8080\n"
        ));
    }
}
