//! Rules as text, in the form of `iptables-save`.

use super::count::{Count, Tallies};
use super::rule::{
    AddrType, Cond, Masked, Match, NatRange, PortSide, Ports, Recent, RecentAction, RejectWith,
    Rule, State, Target,
};
use super::{Chain, Netfilter, Policy, TableName};
use crate::conntrack::CtState;
use ipnet::IpNet;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;

impl Netfilter {
    /// The rules of one table, or of all that were ever used, as `iptables-save` writes them,
    /// without its comment lines. `counts`: each rule with what it has had (`-c`).
    pub fn save(&self, only: Option<TableName>, counts: bool) -> String {
        let mut out = String::new();
        for (name, table) in &*self.tables {
            let wanted = match only {
                Some(only) => only == *name,
                None => *name != TableName::Nft && table.is_used(),
            };
            if !wanted {
                continue;
            }
            out += &format!("*{name}\n");
            let hooks = name.hooks().iter().map(|hook| Arc::<str>::from(hook.chain()));
            let own = table.chains.iter().filter(|(_, chain)| chain.policy.is_none());
            let order: Vec<Arc<str>> = hooks.chain(own.map(|(name, _)| Arc::clone(name))).collect();
            let chains = || order.iter().filter_map(|name| Some((name, table.chains.get(name)?)));
            let none = Tallies::default();
            let tallies = self.tallies(*name).unwrap_or(&none);
            chains().for_each(|(name, chain)| out += &declaration(name, chain, tallies));
            let rules = chains().flat_map(|(_, chain)| {
                chain.rules.list.iter().enumerate().map(move |it| (chain, it))
            });
            for (chain, (index, rule)) in rules {
                if counts {
                    let Count { packets, bytes } = tallies.rule(chain, index);
                    let _ = write!(out, "[{packets}:{bytes}] ");
                }
                out += &rule.text;
                out.push('\n');
            }
            out += "COMMIT\n";
        }
        out
    }
}

/// `:INPUT ACCEPT [12:720]`
fn declaration(name: &str, chain: &Chain, tallies: &Tallies) -> String {
    let policy = match chain.policy {
        Some(Policy::Accept) => "ACCEPT",
        Some(Policy::Drop) => "DROP",
        None => "-",
    };
    let Count { packets, bytes } = match chain.policy {
        Some(_) => tallies.policy(chain),
        None => Count::default(),
    };
    format!(":{name} {policy} [{packets}:{bytes}]\n")
}

/// The canonical text of a rule.
pub(super) fn rule(chain: &str, rule: &Rule) -> String {
    let mut out = Words(format!("-A {chain}"));
    out.cond("-s", &rule.source, net);
    out.cond("-d", &rule.destination, net);
    out.cond("-i", &rule.in_interface, ToString::to_string);
    out.cond("-o", &rule.out_interface, ToString::to_string);
    out.cond("-p", &rule.protocol, ToString::to_string);
    rule.matches.iter().for_each(|condition| out.condition(condition));
    if let Some(target) = &rule.target {
        out.target(target);
    }
    out.0
}

/// A line that grows word by word.
struct Words(String);

impl Words {
    fn word(&mut self, word: &str) {
        self.0.push(' ');
        self.0.push_str(word);
    }

    fn option(&mut self, option: &str, inverted: bool, value: &str) {
        if inverted {
            self.word("!");
        }
        self.word(option);
        if !value.is_empty() {
            self.word(value);
        }
    }

    fn cond<T>(&mut self, option: &str, cond: &Option<Cond<T>>, text: impl Fn(&T) -> String) {
        if let Some(cond) = cond {
            self.option(option, cond.inverted, &text(&cond.value));
        }
    }

    fn condition(&mut self, condition: &Match) {
        match condition {
            Match::Comment(text) => {
                self.word("-m comment --comment");
                self.word(&quoted(text));
            }
            Match::Ports(ports) => self.ports(ports),
            Match::Multiport { side, ports } => {
                self.word("-m multiport");
                let option = match side {
                    PortSide::Source => "--sports",
                    PortSide::Destination => "--dports",
                    PortSide::Either => "--ports",
                };
                let list: Vec<String> = ports.value.iter().map(|r| port_range(r, ':')).collect();
                self.option(option, ports.inverted, &list.join(","));
            }
            Match::Icmp(kind) => {
                self.word("-m icmp");
                let text = match kind.value {
                    super::parse::ICMP_ANY => "any".to_owned(),
                    number => number.to_string(),
                };
                self.option("--icmp-type", kind.inverted, &text);
            }
            Match::Random(value) => {
                let share = f64::from(value.value) / f64::from(1_u32 << 31);
                self.word("-m statistic --mode random");
                self.option("--probability", value.inverted, &format!("{share:.11}"));
            }
            Match::State(states) => {
                self.word("-m conntrack");
                self.option("--ctstate", states.inverted, &state_list(&states.value));
            }
            Match::Mark(mark) => {
                self.word("-m mark");
                self.option("--mark", mark.inverted, &masked(mark.value));
            }
            Match::AddrType { source, destination } => {
                self.word("-m addrtype");
                self.cond("--src-type", source, addr_type);
                self.cond("--dst-type", destination, addr_type);
            }
            Match::Recent(recent) => self.recent(recent),
            Match::Accounting(name) => {
                // With two blanks, as iptables-save writes it.
                self.word("-m nfacct --nfacct-name ");
                self.word(&quoted(name));
            }
            Match::Set { name, destination } => {
                self.word("-m set");
                let side = if *destination { "dst" } else { "src" };
                self.option("--match-set", name.inverted, &format!("{} {side}", name.value));
            }
        }
    }

    fn ports(&mut self, ports: &Ports) {
        self.word(&format!("-m {}", ports.protocol));
        self.cond("--sport", &ports.source, |range| port_range(range, ':'));
        self.cond("--dport", &ports.destination, |range| port_range(range, ':'));
        if let Some(syn) = &ports.syn {
            self.option("--tcp-flags FIN,SYN,RST,ACK SYN", syn.inverted, "");
        }
    }

    fn recent(&mut self, recent: &Recent) {
        self.word("-m recent");
        let action = match recent.action {
            RecentAction::Set => "--set",
            RecentAction::Check => "--rcheck",
            RecentAction::Update => "--update",
            RecentAction::Remove => "--remove",
        };
        self.option(action, recent.inverted, "");
        if let Some(seconds) = recent.seconds {
            self.word(&format!("--seconds {seconds}"));
        }
        if recent.reap {
            self.word("--reap");
        }
        self.word(&format!("--name {} --mask 255.255.255.255", quoted(&recent.name)));
        self.word(if recent.destination { "--rdest" } else { "--rsource" });
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Accept => self.word("-j ACCEPT"),
            Target::Drop => self.word("-j DROP"),
            Target::Return => self.word("-j RETURN"),
            Target::Jump(chain) => self.word(&format!("-j {chain}")),
            Target::Goto(chain) => self.word(&format!("-g {chain}")),
            Target::Reject(with) => {
                self.word(&format!("-j REJECT --reject-with {}", reject_text(*with)));
            }
            Target::Dnat(range) => self.nat("-j DNAT --to-destination", range),
            Target::Snat(range) => self.nat("-j SNAT --to-source", range),
            Target::Masquerade { random, ports } => {
                self.word("-j MASQUERADE");
                if let Some(ports) = ports {
                    self.word(&format!("--to-ports {}", port_range(ports, '-')));
                }
                if *random {
                    self.word("--random-fully");
                }
            }
            Target::Redirect(ports) => {
                self.word(&format!("-j REDIRECT --to-ports {}", port_range(ports, '-')));
            }
            Target::Mark(mark) => {
                self.word(&format!("-j MARK --set-xmark {:#x}/{:#x}", mark.value, mark.mask));
            }
            Target::Log(prefix) if prefix.is_empty() => self.word("-j LOG"),
            Target::Log(prefix) => self.word(&format!("-j LOG --log-prefix {}", quoted(prefix))),
            Target::NoTrack => self.word("-j CT --notrack"),
        }
    }

    fn nat(&mut self, option: &str, range: &NatRange) {
        let mut text = String::new();
        if let Some(ips) = &range.ips {
            let bracket = ips.start().is_ipv6() && range.ports.is_some();
            let ip = |ip| if bracket { format!("[{ip}]") } else { format!("{ip}") };
            text += &ip(ips.start());
            if ips.start() != ips.end() {
                text += &format!("-{}", ip(ips.end()));
            }
        }
        if let Some(ports) = &range.ports {
            text += &format!(":{}", port_range(ports, '-'));
        }
        self.word(option);
        self.word(&text);
        if range.random {
            self.word("--random-fully");
        }
    }
}

fn net(net: &IpNet) -> String {
    net.to_string()
}

pub(super) fn port_range(range: &RangeInclusive<u16>, between: char) -> String {
    if range.start() == range.end() {
        return range.start().to_string();
    }
    format!("{}{between}{}", range.start(), range.end())
}

pub(super) fn masked(mark: Masked) -> String {
    if mark.mask == u32::MAX {
        return format!("{:#x}", mark.value);
    }
    format!("{:#x}/{:#x}", mark.value, mark.mask)
}

pub(super) fn addr_type(kind: &AddrType) -> String {
    match kind {
        AddrType::Local => "LOCAL",
        AddrType::Unicast => "UNICAST",
        AddrType::Broadcast => "BROADCAST",
        AddrType::Multicast => "MULTICAST",
    }
    .to_owned()
}

/// In the order in which iptables writes states, whatever order they were given in.
pub(super) fn state_list(states: &[State]) -> String {
    const ORDER: [(State, &str); 7] = [
        (State::Is(CtState::Invalid), "INVALID"),
        (State::Is(CtState::New), "NEW"),
        (State::Is(CtState::Related), "RELATED"),
        (State::Is(CtState::Established), "ESTABLISHED"),
        (State::Is(CtState::Untracked), "UNTRACKED"),
        (State::Snat, "SNAT"),
        (State::Dnat, "DNAT"),
    ];
    let mut out = String::new();
    for (_, name) in ORDER.iter().filter(|(state, _)| states.contains(state)) {
        let comma = if out.is_empty() { "" } else { "," };
        let _ = write!(out, "{comma}{name}");
    }
    out
}

const REJECTS: [(RejectWith, &str); 7] = [
    (RejectWith::Port, "icmp-port-unreachable"),
    (RejectWith::Host, "icmp-host-unreachable"),
    (RejectWith::Net, "icmp-net-unreachable"),
    (RejectWith::Admin, "icmp-admin-prohibited"),
    (RejectWith::HostProhibited, "icmp-host-prohibited"),
    (RejectWith::NetProhibited, "icmp-net-prohibited"),
    (RejectWith::TcpReset, "tcp-reset"),
];

/// The answer of this name.
pub(super) fn reject_with(text: &str) -> Option<RejectWith> {
    REJECTS.iter().find(|(_, name)| *name == text).map(|(with, _)| *with)
}

pub(super) fn reject_text(with: RejectWith) -> &'static str {
    REJECTS.iter().find(|(known, _)| *known == with).map_or("", |(_, name)| name)
}

/// A word as iptables-save writes it: in quotes unless it is plain.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}
