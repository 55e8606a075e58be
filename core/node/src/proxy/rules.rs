//! The rules of service ports, as text for `iptables-restore --noflush`.
//!
//! Upstream: `syncProxyRules` in `pkg/proxy/iptables/proxier.go`.

use super::chains;
use super::endpoints::{Choice, Endpoint};
use super::service_port::ServicePort;
use naru_network::IpNet;
use naru_network::netfilter::{Change, Line, RuleError, TableName};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What the proxy must know of its node.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyConfig {
    /// The node's name: endpoints on it are local.
    pub name: String,
    /// The node's address.
    pub ip: Option<IpAddr>,
    /// The addresses of pods (`--cluster-cidr`): other clients of cluster IPs are masqueraded.
    pub cluster_cidr: Option<IpNet>,
}

/// Above so many endpoints, rules carry no comments that only people need.
pub const LARGE_CLUSTER_ENDPOINTS: usize = 1_000;

/// The rules of one service port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortRules {
    /// Rules of chains that all services share, in the `filter` table.
    pub filter: String,
    /// Rules of chains that all services share, in the `nat` table.
    pub shared: String,
    /// The service port's own chains.
    pub chains: BTreeSet<String>,
    /// The rules of those chains.
    pub own: String,
    /// How many endpoints it has.
    pub endpoints: usize,
    /// Where load balancers ask for its health, and how many endpoints are on this node.
    pub health: Option<(u16, usize)>,
}

/// A rule that leads packets into the proxy's chains: table, chain, from where, rule.
pub const JUMPS: [(TableName, &str, &str, &str); 14] = [
    (TableName::Filter, "KUBE-EXTERNAL-SERVICES", "INPUT", EXTERNAL),
    (TableName::Filter, "KUBE-EXTERNAL-SERVICES", "FORWARD", EXTERNAL),
    (TableName::Filter, "KUBE-NODEPORTS", "INPUT", HEALTH_CHECK),
    (TableName::Filter, "KUBE-SERVICES", "FORWARD", NEW_TO_PORTALS),
    (TableName::Filter, "KUBE-SERVICES", "OUTPUT", NEW_TO_PORTALS),
    (TableName::Filter, "KUBE-FORWARD", "FORWARD", FORWARDING),
    (TableName::Filter, "KUBE-PROXY-FIREWALL", "INPUT", FIREWALL),
    (TableName::Filter, "KUBE-PROXY-FIREWALL", "OUTPUT", FIREWALL),
    (TableName::Filter, "KUBE-PROXY-FIREWALL", "FORWARD", FIREWALL),
    (TableName::Nat, "KUBE-SERVICES", "OUTPUT", PORTALS),
    (TableName::Nat, "KUBE-SERVICES", "PREROUTING", PORTALS),
    (TableName::Nat, "KUBE-POSTROUTING", "POSTROUTING", POSTROUTING),
    (TableName::Filter, "KUBE-FIREWALL", "INPUT", ""),
    (TableName::Filter, "KUBE-FIREWALL", "OUTPUT", ""),
];

const EXTERNAL: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes \
                        externally-visible service portals\"";
const HEALTH_CHECK: &str = "-m comment --comment \"kubernetes health check service ports\"";
const NEW_TO_PORTALS: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\"";
const FORWARDING: &str = "-m comment --comment \"kubernetes forwarding rules\"";
const FIREWALL: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\"";
const PORTALS: &str = "-m comment --comment \"kubernetes service portals\"";
const POSTROUTING: &str = "-m comment --comment \"kubernetes postrouting rules\"";

/// The chains that all services share, in the `filter` table.
const FILTER_CHAINS: [&str; 6] = [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-FIREWALL",
];

/// The chains that all services share, in the `nat` table.
const NAT_CHAINS: [&str; 4] =
    ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"];

/// The `filter` rules that do not depend on services, after those that do.
const FILTER_END: &str = "\
-A KUBE-FIREWALL -m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";

/// The `nat` rules that do not depend on services, before those that do.
const NAT_START: &str = "\
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
";

const NAT_END: &str = "\
-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
";

/// The rules that do not depend on services, read.
#[derive(Clone, Debug)]
pub struct Fixed {
    filter_end: Vec<Line>,
    nat_start: Vec<Line>,
    nat_end: Vec<Line>,
}

impl Fixed {
    /// Reads them.
    pub fn read() -> Result<Fixed, RuleError> {
        Ok(Fixed {
            filter_end: Line::read(TableName::Filter, FILTER_END)?,
            nat_start: Line::read(TableName::Nat, NAT_START)?,
            nat_end: Line::read(TableName::Nat, NAT_END)?,
        })
    }

    /// What becomes of the `filter` table.
    pub fn filter<'a>(&self, all: impl Iterator<Item = &'a PortLines>) -> Change {
        let mut change = Change::default();
        FILTER_CHAINS.into_iter().for_each(|chain| change.declare(chain));
        all.for_each(|port| change.add(&port.filter));
        change.add(&self.filter_end);
        change
    }

    /// What becomes of the `nat` table: the shared chains of all service ports, and the own chains
    /// of those that changed.
    pub fn nat<'a>(&self, all: impl Iterator<Item = &'a PortLines>, own: &[Line]) -> Change {
        let mut change = Change::default();
        NAT_CHAINS.into_iter().for_each(|chain| change.declare(chain));
        change.add(&self.nat_start);
        all.for_each(|port| change.add(&port.shared));
        change.add(own);
        change.add(&self.nat_end);
        change
    }
}

/// The rules of one service port as they are kept: those of its own chains are on the node.
#[derive(Clone, Debug, Default)]
pub struct PortLines {
    /// In chains that all services share, in the `filter` table.
    pub filter: Vec<Line>,
    /// In chains that all services share, in the `nat` table.
    pub shared: Vec<Line>,
    /// The service port's own chains.
    pub chains: BTreeSet<String>,
    /// How many endpoints it has.
    pub endpoints: usize,
    /// Where load balancers ask for its health, and how many endpoints are on this node.
    pub health: Option<(u16, usize)>,
}

impl PortLines {
    /// Reads the rules; gives those of the own chains apart. What is as in `old` stays the very same
    /// rule.
    pub fn read(rules: PortRules, old: Option<&PortLines>) -> Result<(Self, Vec<Line>), RuleError> {
        let PortRules { filter, shared, chains, own, endpoints, health } = rules;
        let own = Line::read(TableName::Nat, &own)?;
        let filter = Line::read(TableName::Filter, &filter)?;
        let shared = Line::read(TableName::Nat, &shared)?;
        let (old_filter, old_shared) =
            old.map_or((&[][..], &[][..]), |old| (&old.filter[..], &old.shared[..]));
        let (filter, shared) = (keep(filter, old_filter), keep(shared, old_shared));
        Ok((PortLines { filter, shared, chains, endpoints, health }, own))
    }
}

/// Takes the old lines in place of new ones that say the same.
fn keep(new: Vec<Line>, old: &[Line]) -> Vec<Line> {
    let same = |line: &Line| old.iter().find(|other| other.rule.text == line.rule.text).cloned();
    new.into_iter().map(|line| same(&line).unwrap_or(line)).collect()
}

/// The rules of one service port. `large`: without the comments of single endpoints.
pub fn of_port(port: &ServicePort, choice: &Choice, node: &ProxyConfig, large: bool) -> PortRules {
    let mut writer = Writer { port, choice, node, large, rules: PortRules::default() };
    writer.rules.endpoints = choice.reachable.len();
    writer.cluster_ip();
    writer.external_ips();
    writer.load_balancer();
    writer.node_port();
    writer.health_check();
    writer.internal_chain();
    writer.external_chain();
    writer.firewall_chain();
    writer.policy_chains();
    writer.endpoint_chains();
    writer.rules
}

struct Writer<'a> {
    port: &'a ServicePort,
    choice: &'a Choice,
    node: &'a ProxyConfig,
    large: bool,
    rules: PortRules,
}

impl Writer<'_> {
    fn chain(&self, name: impl Fn(&str, &str) -> String) -> String {
        name(&self.port.name, &self.port.protocol)
    }

    /// `-m tcp -p tcp`
    fn protocol(&self) -> String {
        let protocol = &self.port.protocol;
        format!("-m {protocol} -p {protocol}")
    }

    fn has_internal(&self) -> bool {
        self.choice.any && !(self.port.internal_local && self.choice.local.is_empty())
    }

    fn has_external(&self) -> bool {
        self.choice.any && !(self.port.external_local && self.choice.local.is_empty())
    }

    fn policy_chain(&self, local: bool) -> String {
        self.chain(if local { chains::local_policy } else { chains::cluster_policy })
    }

    fn uses_firewall(&self) -> bool {
        let port = self.port;
        self.choice.any
            && !port.load_balancer_ips.is_empty()
            && !port.load_balancer_ranges.is_empty()
    }

    /// The comment and the target for traffic that finds no endpoint.
    fn nobody(&self) -> (String, &'static str) {
        let name = &self.port.name;
        match self.choice.any {
            true => (format!("{name} has no local endpoints"), "DROP"),
            false => (format!("{name} has no endpoints"), "REJECT"),
        }
    }

    fn shared(&mut self, rule: String) {
        self.rules.shared += &rule;
        self.rules.shared.push('\n');
    }

    fn filter(&mut self, rule: String) {
        self.rules.filter += &rule;
        self.rules.filter.push('\n');
    }

    fn own(&mut self, rule: String) {
        self.rules.own += &rule;
        self.rules.own.push('\n');
    }

    /// `-m comment --comment "web cluster IP" -m tcp -p tcp -d 10.96.0.7 --dport 80`
    fn to(&self, comment: &str, ip: IpAddr) -> String {
        let (protocol, port) = (self.protocol(), self.port.port);
        format!("-m comment --comment \"{comment}\" {protocol} -d {ip} --dport {port}")
    }

    fn cluster_ip(&mut self) {
        if self.has_internal() {
            let matches = self.to(&format!("{} cluster IP", self.port.name), self.port.cluster_ip);
            let chain = self.policy_chain(self.port.internal_local);
            self.shared(format!("-A KUBE-SERVICES {matches} -j {chain}"));
        } else {
            let (comment, target) = self.nobody();
            let matches = self.to(&comment, self.port.cluster_ip);
            self.filter(format!("-A KUBE-SERVICES {matches} -j {target}"));
        }
    }

    fn external_ips(&mut self) {
        for ip in self.port.external_ips.clone() {
            if self.choice.any {
                let matches = self.to(&format!("{} external IP", self.port.name), ip);
                let chain = self.chain(chains::external);
                self.shared(format!("-A KUBE-SERVICES {matches} -j {chain}"));
            }
            self.no_external(ip);
        }
    }

    /// Traffic from outside to an address that no endpoint stands behind.
    fn no_external(&mut self, ip: IpAddr) {
        if !self.has_external() {
            let (comment, target) = self.nobody();
            let matches = self.to(&comment, ip);
            self.filter(format!("-A KUBE-EXTERNAL-SERVICES {matches} -j {target}"));
        }
    }

    fn load_balancer(&mut self) {
        let name = &self.port.name;
        for ip in self.port.load_balancer_ips.clone() {
            let firewall = self.chain(chains::firewall);
            if self.choice.any {
                let matches = self.to(&format!("{name} loadbalancer IP"), ip);
                let chain = match self.uses_firewall() {
                    true => firewall.clone(),
                    false => self.chain(chains::external),
                };
                self.shared(format!("-A KUBE-SERVICES {matches} -j {chain}"));
            }
            if self.uses_firewall() {
                let matches = self.to(&format!("{name} traffic not accepted by {firewall}"), ip);
                self.filter(format!("-A KUBE-PROXY-FIREWALL {matches} -j DROP"));
            }
            self.no_external(ip);
        }
    }

    fn node_port(&mut self) {
        let (number, name, protocol) = (self.port.node_port, &self.port.name, self.protocol());
        if number == 0 {
            return;
        }
        if self.choice.any {
            let chain = self.chain(chains::external);
            let start = format!("-A KUBE-NODEPORTS -m comment --comment {name} {protocol}");
            // Counts who still uses node ports at localhost.
            let counter = "-m nfacct --nfacct-name localhost_nps_accepted_pkts";
            self.shared(format!("{start} -d 127.0.0.0/8 --dport {number} {counter} -j {chain}"));
            self.shared(format!("{start} --dport {number} -j {chain}"));
        }
        if !self.has_external() {
            let (comment, target) = self.nobody();
            self.filter(format!(
                "-A KUBE-EXTERNAL-SERVICES -m comment --comment \"{comment}\" -m addrtype \
                 --dst-type LOCAL {protocol} --dport {number} -j {target}"
            ));
        }
    }

    fn health_check(&mut self) {
        let (number, name) = (self.port.health_check_port, &self.port.name);
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        self.rules.health = port.map(|port| (port, self.choice.local.len()));
        if number != 0 {
            self.filter(format!(
                "-A KUBE-NODEPORTS -m comment --comment \"{name} health check node port\" -m tcp \
                 -p tcp --dport {number} -j ACCEPT"
            ));
        }
    }

    /// Clients of the cluster IP that are no pods are masqueraded: the answer must come back by
    /// this node.
    fn internal_chain(&mut self) {
        if let Some(pods) = self.node.cluster_cidr
            && self.has_internal()
        {
            let chain = self.policy_chain(self.port.internal_local);
            let matches = self.to(&format!("{} cluster IP", self.port.name), self.port.cluster_ip);
            self.own(format!("-A {chain} {matches} ! -s {pods} -j KUBE-MARK-MASQ"));
        }
    }

    fn external_chain(&mut self) {
        if !self.choice.any || !self.port.is_external() {
            return;
        }
        let (chain, name) = (self.chain(chains::external), &self.port.name);
        let rule = |comment: &str, rest: &str| {
            format!(
                "-A {chain} -m comment --comment \"{comment} for {name} external destinations\" {rest}"
            )
        };
        if self.port.external_local {
            let cluster = self.policy_chain(false);
            let local = "-m addrtype --src-type LOCAL";
            if let Some(pods) = self.node.cluster_cidr {
                self.own(rule("pod traffic", &format!("-s {pods} -j {cluster}")));
            }
            self.own(rule("masquerade LOCAL traffic", &format!("{local} -j KUBE-MARK-MASQ")));
            self.own(rule("route LOCAL traffic", &format!("{local} -j {cluster}")));
        } else {
            self.own(rule("masquerade traffic", "-j KUBE-MARK-MASQ"));
        }
        if self.has_external() {
            let policy = self.policy_chain(self.port.external_local);
            self.own(format!("-A {chain} -j {policy}"));
        }
        self.rules.chains.insert(chain);
    }

    fn firewall_chain(&mut self) {
        if !self.uses_firewall() {
            return;
        }
        let (chain, external) = (self.chain(chains::firewall), self.chain(chains::external));
        let name = &self.port.name;
        let start = format!("-A {chain} -m comment --comment \"{name} loadbalancer IP\"");
        let ranges = &self.port.load_balancer_ranges;
        for range in ranges {
            self.own(format!("{start} -s {range} -j {external}"));
        }
        // A node that asks the balancer's address may come from that very address.
        if self.node.ip.is_some_and(|ip| ranges.iter().any(|range| range.contains(&ip))) {
            for ip in &self.port.load_balancer_ips {
                self.own(format!("{start} -s {ip} -j {external}"));
            }
        }
        self.own(format!(
            "-A {chain} -m comment --comment \"other traffic to {name} will be dropped by \
             KUBE-PROXY-FIREWALL\""
        ));
        self.rules.chains.insert(chain);
    }

    fn policy_chains(&mut self) {
        let choice = self.choice;
        for (local, endpoints, used) in [
            (false, &choice.cluster, self.port.uses_cluster_endpoints()),
            (true, &choice.local, self.port.uses_local_endpoints()),
        ] {
            if used && !endpoints.is_empty() {
                let chain = self.policy_chain(local);
                self.balance(&chain, endpoints);
                self.rules.chains.insert(chain);
            }
        }
    }

    /// Each rule takes its share of what the rules before it left over.
    fn balance(&mut self, chain: &str, endpoints: &[Endpoint]) {
        if let Some(seconds) = self.port.affinity_seconds {
            for endpoint in endpoints {
                let (comment, target) = (self.arrow(endpoint), self.endpoint_chain(endpoint));
                self.own(format!(
                    "-A {chain}{comment} -m recent --name {target} --rcheck --seconds {seconds} \
                     --reap -j {target}"
                ));
            }
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            let (comment, target) = (self.arrow(endpoint), self.endpoint_chain(endpoint));
            let share = match endpoints.len() - index {
                1 => String::new(),
                left => {
                    format!(" -m statistic --mode random --probability {:.10}", 1.0 / left as f64)
                }
            };
            self.own(format!("-A {chain}{comment}{share} -j {target}"));
        }
    }

    fn arrow(&self, endpoint: &Endpoint) -> String {
        match self.large {
            true => String::new(),
            false => format!(" -m comment --comment \"{} -> {}\"", self.port.name, endpoint.name),
        }
    }

    fn endpoint_chain(&self, endpoint: &Endpoint) -> String {
        chains::endpoint(&self.port.name, &self.port.protocol, &endpoint.name)
    }

    fn endpoint_chains(&mut self) {
        let (name, protocol) = (&self.port.name, self.protocol());
        let comment = match self.large {
            true => String::new(),
            false => format!(" -m comment --comment {name}"),
        };
        for endpoint in &self.choice.reachable {
            let chain = self.endpoint_chain(endpoint);
            let (ip, to) = (&endpoint.ip, &endpoint.name);
            // A pod that reaches itself must see another's address, or it would answer itself.
            self.own(format!("-A {chain}{comment} -s {ip} -j KUBE-MARK-MASQ"));
            let remember = match self.port.affinity_seconds {
                Some(_) => format!(" -m recent --name {chain} --set"),
                None => String::new(),
            };
            self.own(format!(
                "-A {chain}{comment}{remember} {protocol} -j DNAT --to-destination {to}"
            ));
            self.rules.chains.insert(chain);
        }
    }
}
