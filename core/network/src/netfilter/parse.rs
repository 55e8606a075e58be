//! Rules from text: the format of `iptables-save`, and the arguments of `iptables`.

use super::rule::{
    AddrType, Cond, Masked, Match, NatRange, PortSide, Ports, Recent, RecentAction, RejectWith,
    Rule, State, Target,
};
use super::save;
use super::{Chain, Line, Netfilter, Policy, Table, TableName};
use crate::conntrack::CtState;
use crate::limits;
use crate::packet::Protocol;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

/// Why rules were refused. Nothing of the table they are for was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// An option that is not known, or not here.
    #[error("unknown option \"{0}\"")]
    UnknownOption(String),
    /// A match module that is not known.
    #[error("Couldn't load match `{0}':No such file or directory")]
    UnknownMatch(String),
    /// An option lacks its value.
    #[error("option \"{0}\" requires an argument")]
    NoValue(String),
    /// A value does not have its option's form.
    #[error("invalid value \"{value}\" for option \"{option}\"")]
    BadValue {
        /// The option.
        option: String,
        /// The value.
        value: String,
    },
    /// A module lacks an option without which it makes no sense.
    #[error("{0}: option \"{1}\" must be specified")]
    Missing(&'static str, &'static str),
    /// The chain is not there (as a target: `Couldn't load target`).
    #[error("Chain '{0}' does not exist")]
    NoChain(String),
    /// A chain of this name is there.
    #[error("Chain already exists.")]
    ChainExists,
    /// The chain is one that packets enter by, or rules lead to it, or it has rules.
    #[error("CHAIN_DEL failed (Device or resource busy): chain {0}")]
    Busy(String),
    /// The target is not allowed in this table.
    #[error("target {0} is not valid in table {1}")]
    WrongTable(&'static str, TableName),
    /// No rule is like this one.
    #[error("Bad rule (does a matching rule exist in that chain?).")]
    NoRule,
    /// No table of this name.
    #[error("can't initialize iptables table `{0}': Table does not exist")]
    NoTable(String),
    /// A rule or `COMMIT` outside a table.
    #[error("no table")]
    OutsideTable,
    /// The text ended within a table.
    #[error("COMMIT expected")]
    NoCommit,
    /// A quote is not closed.
    #[error("unclosed quote")]
    Quote,
    /// Too long a line, or too many rules.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The error is in this line, counted from 1.
    #[error("line {line} failed: {source}")]
    Line {
        /// The line.
        line: usize,
        /// What is wrong with it.
        source: Box<RuleError>,
    },
}

/// Where a rule is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Before all others: `-I`.
    First,
    /// After all others: `-A`.
    Last,
}

impl Netfilter {
    /// Reads rules as `iptables-save` writes them, as `iptables-restore` does. Each table changes
    /// as a whole, at its `COMMIT`, or not at all. `flush`: tables in the text lose the rules they
    /// had; without (`--noflush`), only chains declared in the text do.
    pub fn restore(&mut self, text: &str, flush: bool) -> Result<(), RuleError> {
        let mut open: Option<Restore> = None;
        for (number, line) in text.lines().enumerate() {
            let at = |source| RuleError::Line { line: number + 1, source: Box::new(source) };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('*') {
                open = Some(self.begin(name, flush).map_err(at)?);
            } else if line == "COMMIT" {
                let done = open.take().ok_or_else(|| at(RuleError::OutsideTable))?;
                done.check().map_err(at)?;
                self.put(done);
            } else {
                let restore = open.as_mut().ok_or_else(|| at(RuleError::OutsideTable))?;
                restore.line(line).map_err(at)?;
            }
        }
        if open.is_some() { Err(RuleError::NoCommit) } else { Ok(()) }
    }

    fn put(&mut self, mut done: Restore) {
        done.table.refresh(done.name);
        let old = self.tables.get(&done.name);
        if let (Some(tallies), Some(old)) = (self.tallies.get_mut(&done.name), old) {
            tallies.follow(old, &done.table);
        }
        self.entered.clear();
        Arc::make_mut(&mut self.tables).insert(done.name, done.table);
    }

    fn begin(&self, name: &str, flush: bool) -> Result<Restore, RuleError> {
        let name = TableName::parse(name).ok_or_else(|| RuleError::NoTable(name.to_owned()))?;
        let mut table = self.tables.get(&name).cloned().unwrap_or_default();
        if flush {
            table.chains.retain(|_, chain| chain.policy.is_some());
            for chain in table.chains.values_mut() {
                chain.rules = Arc::default();
                chain.references = 0;
            }
            table.rules = 0;
        }
        let others = self.rule_count() - self.tables.get(&name).map_or(0, |table| table.rules);
        Ok(Restore { name, table, touched: BTreeSet::new(), rules_max: limits::RULES_MAX - others })
    }

    /// Puts a rule into a chain unless it is there. `spec` is a rule without `-A CHAIN`. Tells
    /// whether it was there.
    pub fn ensure(
        &mut self,
        table: TableName,
        chain: &str,
        spec: &str,
        position: Position,
    ) -> Result<bool, RuleError> {
        let rule = parse_rule(chain, &words(spec)?)?;
        if self.rules(table, chain).is_some_and(|rules| rules.iter().any(|r| r.text == rule.text)) {
            return Ok(true);
        }
        let option = if position == Position::First { "-I" } else { "-A" };
        self.command(table, &format!("{option} {chain} {spec}"))?;
        Ok(false)
    }

    /// Makes a chain unless it is there; tells whether it was.
    pub fn ensure_chain(&mut self, table: TableName, chain: &str) -> Result<bool, RuleError> {
        if self.rules(table, chain).is_some() {
            return Ok(true);
        }
        self.command(table, &format!("-N {chain}"))?;
        Ok(false)
    }

    /// One change as `iptables` takes it: `-A`, `-I`, `-D`, `-F`, `-N`, `-X`, `-P` with arguments.
    pub fn command(&mut self, table: TableName, line: &str) -> Result<(), RuleError> {
        let mut restore = self.begin(table.as_str(), false)?;
        restore.line(line)?;
        restore.check()?;
        self.put(restore);
        Ok(())
    }

    /// Whether a rule like this is in the chain: `-C`.
    pub fn has_rule(&self, table: TableName, chain: &str, spec: &str) -> Result<bool, RuleError> {
        let rule = parse_rule(chain, &words(spec)?)?;
        let rules = self.rules(table, chain);
        let rules = rules.ok_or_else(|| RuleError::NoChain(chain.to_owned()))?;
        Ok(rules.iter().any(|other| other.text == rule.text))
    }
}

/// A table that is being changed.
struct Restore {
    name: TableName,
    table: Table,
    /// Chains whose rules are new and were not checked yet.
    touched: BTreeSet<Arc<str>>,
    rules_max: usize,
}

impl Restore {
    fn line(&mut self, line: &str) -> Result<(), RuleError> {
        if line.len() > limits::RULE_LINE_MAX {
            return Err(RuleError::TooMany("bytes in a line"));
        }
        if let Some(declaration) = line.strip_prefix(':') {
            return self.declare(declaration);
        }
        let all = words(line)?;
        let mut rest = all.as_slice();
        // Counters, as `iptables-save -c` writes them.
        if let [counters, after @ ..] = rest
            && counters.starts_with('[')
        {
            rest = after;
        }
        let [option, rest @ ..] = rest else { return Ok(()) };
        if rest.is_empty() && option == "-F" {
            let names: Vec<Arc<str>> = self.table.chains.keys().cloned().collect();
            return names.iter().try_for_each(|name| self.table.flush(name));
        }
        let [chain, spec @ ..] = rest else { return Err(RuleError::NoValue(option.clone())) };
        match option.as_str() {
            "-A" | "--append" => self.append(chain, spec),
            "-I" | "--insert" => self.insert(chain, spec),
            "-D" | "--delete" => self.delete(chain, spec),
            "-F" | "--flush" => self.table.flush(chain),
            "-N" | "--new-chain" => self.table.new_chain(chain),
            "-X" | "--delete-chain" => self.table.delete_chain(chain),
            "-P" | "--policy" => {
                let policy = spec.first().ok_or_else(|| RuleError::NoValue(option.clone()))?;
                self.table.set_policy(chain, policy)
            }
            other => Err(RuleError::UnknownOption(other.to_owned())),
        }
    }

    /// `:CHAIN POLICY [packets:bytes]`
    fn declare(&mut self, declaration: &str) -> Result<(), RuleError> {
        let mut fields = declaration.split_whitespace();
        let name = fields.next().ok_or_else(|| RuleError::NoValue(":".into()))?;
        let policy = fields.next().ok_or_else(|| RuleError::NoValue(":".into()))?;
        let chain = self.table.chains.get(name);
        match chain.map(|chain| chain.policy.is_some()) {
            Some(true) if policy != "-" => self.table.set_policy(name, policy),
            Some(true) => Ok(()),
            Some(false) => self.table.flush(name),
            None => self.table.new_chain(name),
        }
    }

    fn rule(&mut self, chain: &str, spec: &[String]) -> Result<Rule, RuleError> {
        if self.table.rules >= self.rules_max {
            return Err(RuleError::TooMany("rules"));
        }
        let rule = parse_rule(chain, spec)?;
        check_table(&rule, self.name)?;
        self.touched.insert(chain.into());
        Ok(rule)
    }

    fn append(&mut self, chain: &str, spec: &[String]) -> Result<(), RuleError> {
        let rule = self.rule(chain, spec)?;
        let at = self.table.chain(chain)?.rules.len();
        self.table.insert(chain, at, rule)
    }

    /// `-I CHAIN [number] rule`
    fn insert(&mut self, chain: &str, spec: &[String]) -> Result<(), RuleError> {
        let number = spec.first().and_then(|word| word.parse::<usize>().ok());
        let spec = if number.is_some() { spec.get(1..).unwrap_or_default() } else { spec };
        let rule = self.rule(chain, spec)?;
        self.table.insert(chain, number.unwrap_or(1).saturating_sub(1), rule)
    }

    /// `-D CHAIN number` or `-D CHAIN rule`
    fn delete(&mut self, chain: &str, spec: &[String]) -> Result<(), RuleError> {
        let number = match spec {
            [word] => word.parse::<usize>().ok(),
            _ => None,
        };
        let at = match number {
            Some(number) => number.checked_sub(1),
            None => {
                let text = parse_rule(chain, spec)?.text;
                self.table.chain(chain)?.rules.list.iter().position(|rule| rule.text == text)
            }
        };
        self.table.remove(chain, at.ok_or(RuleError::NoRule)?)
    }

    /// Every chain that a new rule leads to must be there.
    fn check(&self) -> Result<(), RuleError> {
        let chains = self.touched.iter().filter_map(|name| self.table.chains.get(name));
        for rule in chains.flat_map(|chain| &chain.rules.list) {
            if let Some(Target::Jump(to) | Target::Goto(to)) = &rule.target {
                let found = self.table.chains.get(to);
                if found.is_none_or(|chain| chain.policy.is_some()) {
                    return Err(RuleError::NoChain(to.to_string()));
                }
            }
        }
        Ok(())
    }
}

impl Table {
    fn new_chain(&mut self, name: &str) -> Result<(), RuleError> {
        const NAME_MAX: usize = 28;
        if self.chains.contains_key(name) {
            return Err(RuleError::ChainExists);
        }
        if name.is_empty() || name.len() > NAME_MAX || name.starts_with(['-', '!']) {
            return Err(RuleError::BadValue { option: "-N".into(), value: name.to_owned() });
        }
        self.make_chain(name.into());
        Ok(())
    }

    /// Makes a chain that is not there.
    pub(super) fn make_chain(&mut self, name: Arc<str>) {
        let chain = Chain { number: self.numbers, ..Chain::default() };
        self.numbers = self.numbers.saturating_add(1);
        self.chains.insert(name, chain);
    }

    pub(super) fn delete_chain(&mut self, name: &str) -> Result<(), RuleError> {
        let chain = self.chains.get(name).ok_or_else(|| RuleError::NoChain(name.to_owned()))?;
        if chain.policy.is_some() || chain.references > 0 || !chain.rules.is_empty() {
            return Err(RuleError::Busy(name.to_owned()));
        }
        self.chains.remove(name);
        Ok(())
    }

    fn set_policy(&mut self, name: &str, policy: &str) -> Result<(), RuleError> {
        let bad = || RuleError::BadValue { option: "-P".into(), value: policy.to_owned() };
        let policy = match policy {
            "ACCEPT" => Policy::Accept,
            "DROP" => Policy::Drop,
            _ => return Err(bad()),
        };
        let chain = self.chains.get_mut(name).ok_or_else(|| RuleError::NoChain(name.to_owned()))?;
        let current = chain.policy.as_mut().ok_or_else(bad)?;
        *current = policy;
        Ok(())
    }

    fn chain(&mut self, name: &str) -> Result<&mut Chain, RuleError> {
        self.chains.get_mut(name).ok_or_else(|| RuleError::NoChain(name.to_owned()))
    }

    fn insert(&mut self, name: &str, at: usize, rule: Rule) -> Result<(), RuleError> {
        let chain = self.chain(name)?;
        if at > chain.rules.len() {
            return Err(RuleError::NoRule);
        }
        let target = rule.target.clone();
        Arc::make_mut(&mut chain.rules).insert(at, rule);
        self.rules += 1;
        self.refer(target.as_ref(), |count| count + 1);
        Ok(())
    }

    fn remove(&mut self, name: &str, at: usize) -> Result<(), RuleError> {
        let chain = self.chain(name)?;
        if at >= chain.rules.len() {
            return Err(RuleError::NoRule);
        }
        let rule = Arc::make_mut(&mut chain.rules).remove(at).ok_or(RuleError::NoRule)?;
        self.rules -= 1;
        self.refer(rule.target.as_ref(), |count| count.saturating_sub(1));
        Ok(())
    }

    fn flush(&mut self, name: &str) -> Result<(), RuleError> {
        let rules = std::mem::take(&mut self.chain(name)?.rules);
        self.rules -= rules.len();
        for rule in &rules.list {
            self.refer(rule.target.as_ref(), |count| count.saturating_sub(1));
        }
        Ok(())
    }

    /// Counts the rules that lead to a chain.
    pub(super) fn refer(&mut self, target: Option<&Target>, count: impl Fn(usize) -> usize) {
        if let Some(Target::Jump(to) | Target::Goto(to)) = target
            && let Some(chain) = self.chains.get_mut(to)
        {
            chain.references = count(chain.references);
        }
    }
}

fn check_table(rule: &Rule, table: TableName) -> Result<(), RuleError> {
    let (name, allowed) = match &rule.target {
        Some(Target::Dnat(_)) => ("DNAT", TableName::Nat),
        Some(Target::Snat(_)) => ("SNAT", TableName::Nat),
        Some(Target::Masquerade { .. }) => ("MASQUERADE", TableName::Nat),
        Some(Target::Redirect(_)) => ("REDIRECT", TableName::Nat),
        Some(Target::Reject(_)) => ("REJECT", TableName::Filter),
        Some(Target::NoTrack) => ("CT", TableName::Raw),
        _ => return Ok(()),
    };
    if table == allowed { Ok(()) } else { Err(RuleError::WrongTable(name, table)) }
}

/// Reads `-A CHAIN …`.
pub(super) fn line(table: TableName, line: &str) -> Result<Line, RuleError> {
    let all = words(line)?;
    let [option, chain, spec @ ..] = all.as_slice() else {
        return Err(RuleError::NoValue("-A".to_owned()));
    };
    if option != "-A" {
        return Err(RuleError::UnknownOption(option.clone()));
    }
    let rule = parse_rule(chain, spec)?;
    check_table(&rule, table)?;
    Ok(Line { chain: chain.as_str().into(), rule: Arc::new(rule) })
}

/// Splits a line at blanks; double quotes hold blanks together, a backslash keeps what follows it.
fn words(line: &str) -> Result<Vec<String>, RuleError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err(RuleError::Quote);
    }
    words.extend(word);
    Ok(words)
}

/// Reads a rule from its words, without `-A CHAIN`.
fn parse_rule(chain: &str, spec: &[String]) -> Result<Rule, RuleError> {
    let mut parser = Parser { rest: spec, inverted: false, rule: Rule::empty() };
    while let Some((option, rest)) = parser.rest.split_first() {
        parser.rest = rest;
        if option == "!" {
            parser.inverted = !parser.inverted;
            continue;
        }
        parser.option(option)?;
        parser.inverted = false;
    }
    let mut rule = parser.rule;
    complete(&rule)?;
    rule.text = save::rule(chain, &rule).into();
    Ok(rule)
}

/// Modules must have the options without which they would match anything.
fn complete(rule: &Rule) -> Result<(), RuleError> {
    for condition in &rule.matches {
        match condition {
            Match::Multiport { ports, .. } if ports.value.is_empty() => {
                return Err(RuleError::Missing("multiport", "--dports"));
            }
            Match::State(states) if states.value.is_empty() => {
                return Err(RuleError::Missing("conntrack", "--ctstate"));
            }
            Match::Set { name, .. } if name.value.is_empty() => {
                return Err(RuleError::Missing("set", "--match-set"));
            }
            Match::AddrType { source: None, destination: None } => {
                return Err(RuleError::Missing("addrtype", "--dst-type"));
            }
            _ => {}
        }
    }
    match &rule.target {
        Some(Target::Dnat(NatRange { ips: None, ports: None, .. })) => {
            Err(RuleError::Missing("DNAT", "--to-destination"))
        }
        Some(Target::Snat(NatRange { ips: None, ports: None, .. })) => {
            Err(RuleError::Missing("SNAT", "--to-source"))
        }
        _ => Ok(()),
    }
}

impl Rule {
    fn empty() -> Rule {
        Rule {
            source: None,
            destination: None,
            in_interface: None,
            out_interface: None,
            protocol: None,
            matches: Vec::new(),
            target: None,
            text: "".into(),
        }
    }
}

struct Parser<'a> {
    rest: &'a [String],
    inverted: bool,
    rule: Rule,
}

impl<'a> Parser<'a> {
    fn value(&mut self, option: &str) -> Result<&'a str, RuleError> {
        let missing = || RuleError::NoValue(option.to_owned());
        let (value, rest) = self.rest.split_first().ok_or_else(missing)?;
        self.rest = rest;
        Ok(value)
    }

    fn parsed<T>(
        &mut self,
        option: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Cond<T>, RuleError> {
        let text = self.value(option)?;
        let value = read(text).ok_or_else(|| RuleError::BadValue {
            option: option.to_owned(),
            value: text.to_owned(),
        })?;
        Ok(Cond { inverted: self.inverted, value })
    }

    fn option(&mut self, option: &str) -> Result<(), RuleError> {
        match option {
            "-s" | "--source" | "--src" => self.rule.source = Some(self.parsed(option, net)?),
            "-d" | "--destination" | "--dst" => {
                self.rule.destination = Some(self.parsed(option, net)?);
            }
            "-i" | "--in-interface" => self.rule.in_interface = Some(self.parsed(option, name)?),
            "-o" | "--out-interface" => self.rule.out_interface = Some(self.parsed(option, name)?),
            "-p" | "--protocol" | "--proto" => self.protocol(option)?,
            "-m" | "--match" => self.module()?,
            "-j" | "--jump" => self.target()?,
            "-g" | "--goto" => {
                self.rule.target = Some(Target::Goto(self.parsed(option, name)?.value));
            }
            other => self.module_option(other)?,
        }
        Ok(())
    }

    fn protocol(&mut self, option: &str) -> Result<(), RuleError> {
        let protocol = self.parsed(option, protocol)?;
        // "all" is protocol 0: no condition.
        self.rule.protocol = Some(protocol).filter(|p| p.value != Protocol::Other(0));
        Ok(())
    }

    fn module(&mut self) -> Result<(), RuleError> {
        let name = self.value("-m")?;
        let condition = match name {
            "comment" => Match::Comment("".into()),
            "tcp" | "udp" | "sctp" => {
                let protocol = protocol(name).unwrap_or(Protocol::Tcp);
                Match::Ports(Ports { protocol, source: None, destination: None, syn: None })
            }
            "multiport" => Match::Multiport {
                side: PortSide::Destination,
                ports: Cond { inverted: false, value: Vec::new() },
            },
            "icmp" => Match::Icmp(Cond { inverted: false, value: ICMP_ANY }),
            "statistic" => Match::Random(Cond { inverted: false, value: 0 }),
            "conntrack" | "state" => Match::State(Cond { inverted: false, value: Vec::new() }),
            "mark" => Match::Mark(Cond { inverted: false, value: Masked { value: 0, mask: 0 } }),
            "addrtype" => Match::AddrType { source: None, destination: None },
            "recent" => Match::Recent(Recent {
                name: "DEFAULT".into(),
                action: RecentAction::Check,
                inverted: false,
                seconds: None,
                reap: false,
                destination: false,
            }),
            "nfacct" => Match::Accounting("".into()),
            "set" => {
                let name = Cond { inverted: false, value: "".into() };
                Match::Set { name, destination: false }
            }
            other => return Err(RuleError::UnknownMatch(other.to_owned())),
        };
        // `-p tcp --dport 80 -m tcp` names the module that the option has already loaded.
        let ports = |m: &Match| matches!(m, Match::Ports(_));
        if !(ports(&condition) && self.rule.matches.iter().any(ports)) {
            self.rule.matches.push(condition);
        }
        Ok(())
    }

    /// An option of a module; the latest module that knows it takes it.
    fn module_option(&mut self, option: &str) -> Result<(), RuleError> {
        let mut matches = std::mem::take(&mut self.rule.matches);
        if matches!(
            option,
            "--sport"
                | "--source-port"
                | "--dport"
                | "--destination-port"
                | "--syn"
                | "--tcp-flags"
        ) && !matches.iter().any(|m| matches!(m, Match::Ports(_)))
        {
            matches.extend(self.implied_ports());
        }
        let mut taken = false;
        for condition in matches.iter_mut().rev() {
            taken = self.apply(condition, option)?;
            if taken {
                break;
            }
        }
        self.rule.matches = matches;
        if taken || self.target_option(option)? {
            return Ok(());
        }
        Err(RuleError::UnknownOption(option.to_owned()))
    }

    /// `-p tcp` knows ports without `-m tcp`.
    fn implied_ports(&self) -> Option<Match> {
        let protocol = self.rule.protocol.as_ref().filter(|cond| !cond.inverted)?.value;
        matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::Other(132))
            .then(|| Match::Ports(Ports { protocol, source: None, destination: None, syn: None }))
    }

    /// Gives an option to a module; tells whether the module knows it.
    fn apply(&mut self, condition: &mut Match, option: &str) -> Result<bool, RuleError> {
        match (condition, option) {
            (Match::Comment(text), "--comment") => *text = self.value(option)?.into(),
            (Match::Accounting(name), "--nfacct-name") => *name = self.value(option)?.into(),
            (Match::Ports(ports), "--sport" | "--source-port") => {
                ports.source = Some(self.parsed(option, port_range)?);
            }
            (Match::Ports(ports), "--dport" | "--destination-port") => {
                ports.destination = Some(self.parsed(option, port_range)?);
            }
            (Match::Ports(ports), "--syn") => {
                ports.syn = Some(Cond { inverted: self.inverted, value: () });
            }
            (Match::Ports(ports), "--tcp-flags") => {
                self.parsed(option, |mask| (mask == "FIN,SYN,RST,ACK").then_some(()))?;
                self.parsed(option, |flags| (flags == "SYN").then_some(()))?;
                ports.syn = Some(Cond { inverted: self.inverted, value: () });
            }
            (Match::Multiport { side, ports }, "--sports" | "--dports" | "--ports") => {
                *side = match option {
                    "--sports" => PortSide::Source,
                    "--dports" => PortSide::Destination,
                    _ => PortSide::Either,
                };
                *ports = self.parsed(option, |text| text.split(',').map(port_range).collect())?;
            }
            (Match::Icmp(kind), "--icmp-type") => *kind = self.parsed(option, icmp_type)?,
            (Match::Random(_), "--mode") => {
                self.parsed(option, |mode| (mode == "random").then_some(()))?;
            }
            (Match::Random(value), "--probability") => *value = self.parsed(option, probability)?,
            (Match::State(states), "--ctstate" | "--state") => {
                *states = self.parsed(option, |text| text.split(',').map(state).collect())?;
            }
            (Match::Mark(mark), "--mark") => *mark = self.parsed(option, masked)?,
            (Match::AddrType { source, .. }, "--src-type") => {
                *source = Some(self.parsed(option, addr_type)?);
            }
            (Match::AddrType { destination, .. }, "--dst-type") => {
                *destination = Some(self.parsed(option, addr_type)?);
            }
            (Match::Set { name: set, destination }, "--match-set") => {
                *set = self.parsed(option, name)?;
                *destination = self.value(option)? == "dst";
            }
            (Match::Recent(recent), _) => return self.recent(recent, option),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn recent(&mut self, recent: &mut Recent, option: &str) -> Result<bool, RuleError> {
        let action = match option {
            "--set" => Some(RecentAction::Set),
            "--rcheck" => Some(RecentAction::Check),
            "--update" => Some(RecentAction::Update),
            "--remove" => Some(RecentAction::Remove),
            _ => None,
        };
        if let Some(action) = action {
            recent.action = action;
            recent.inverted = self.inverted;
            return Ok(true);
        }
        match option {
            "--seconds" => recent.seconds = Some(self.parsed(option, number)?.value),
            "--name" => recent.name = self.parsed(option, name)?.value,
            "--reap" => recent.reap = true,
            "--rsource" => recent.destination = false,
            "--rdest" => recent.destination = true,
            // Whole addresses only, as every rule of Kubernetes has it.
            "--mask" => {
                self.parsed(option, |mask| IpAddr::from_str(mask).ok())?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn target(&mut self) -> Result<(), RuleError> {
        let range = || NatRange { ips: None, ports: None, random: false };
        let target = self.value("-j")?;
        self.rule.target = Some(match target {
            "ACCEPT" => Target::Accept,
            "DROP" => Target::Drop,
            "RETURN" => Target::Return,
            "REJECT" => Target::Reject(RejectWith::Port),
            "DNAT" => Target::Dnat(range()),
            "SNAT" => Target::Snat(range()),
            "MASQUERADE" => Target::Masquerade { random: false, ports: None },
            "REDIRECT" => Target::Redirect(0..=0),
            "MARK" => Target::Mark(Masked { value: 0, mask: 0 }),
            "LOG" => Target::Log("".into()),
            "CT" | "NOTRACK" => Target::NoTrack,
            chain => Target::Jump(chain.into()),
        });
        Ok(())
    }

    /// An option of the target; tells whether the target knows it.
    fn target_option(&mut self, option: &str) -> Result<bool, RuleError> {
        let Some(mut target) = self.rule.target.take() else { return Ok(false) };
        let known = self.apply_target(&mut target, option);
        self.rule.target = Some(target);
        known
    }

    fn apply_target(&mut self, target: &mut Target, option: &str) -> Result<bool, RuleError> {
        match (target, option) {
            (Target::Reject(with), "--reject-with") => {
                *with = self.parsed(option, save::reject_with)?.value;
            }
            (Target::Dnat(range), "--to-destination") | (Target::Snat(range), "--to-source") => {
                let (ips, ports) = self.parsed(option, nat_range)?.value;
                (range.ips, range.ports) = (ips, ports);
            }
            (Target::Dnat(range) | Target::Snat(range), "--random" | "--random-fully") => {
                range.random = true;
            }
            (Target::Dnat(_) | Target::Snat(_), "--persistent") => {}
            (Target::Masquerade { random, .. }, "--random" | "--random-fully") => *random = true,
            (Target::Masquerade { ports, .. }, "--to-ports") => {
                *ports = Some(self.parsed(option, nat_ports)?.value);
            }
            (Target::Redirect(ports), "--to-ports") => {
                *ports = self.parsed(option, nat_ports)?.value;
            }
            (Target::Mark(mark), "--set-xmark" | "--set-mark") => {
                *mark = self.parsed(option, masked)?.value;
                if option == "--set-mark" {
                    // The value's own bits are cleared too, so that flipping sets them.
                    mark.mask |= mark.value;
                }
            }
            (Target::Mark(mark), "--or-mark") => {
                let value = self.parsed(option, number)?.value;
                *mark = Masked { value, mask: value };
            }
            (Target::Mark(mark), "--and-mark") => {
                let value = self.parsed(option, number)?.value;
                *mark = Masked { value: 0, mask: !value };
            }
            (Target::Mark(mark), "--xor-mark") => {
                let value = self.parsed(option, number)?.value;
                *mark = Masked { value, mask: 0 };
            }
            (Target::Log(prefix), "--log-prefix") => *prefix = self.value(option)?.into(),
            (Target::Log(_), "--log-level") => {
                self.value(option)?;
            }
            (Target::NoTrack, "--notrack") => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Every ICMP type.
pub(super) const ICMP_ANY: u8 = 255;

fn name(text: &str) -> Option<Arc<str>> {
    (!text.is_empty() && text.len() <= 200).then(|| text.into())
}

fn net(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        None => IpAddr::from_str(text).ok().map(IpNet::from),
        Some((ip, mask)) if mask.contains('.') => {
            let mask = IpAddr::from_str(mask).ok()?;
            IpNet::with_netmask(IpAddr::from_str(ip).ok()?, mask).ok().map(|net| net.trunc())
        }
        Some(_) => IpNet::from_str(text).ok().map(|net| net.trunc()),
    }
}

pub(super) fn protocol(text: &str) -> Option<Protocol> {
    match text {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "icmp" => Some(Protocol::Icmp),
        "sctp" => Some(Protocol::Other(132)),
        "all" => Some(Protocol::Other(0)),
        number => number.parse().ok().map(Protocol::of_number),
    }
}

/// `80` or `80:90`
fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once(':').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
}

/// `80` or `80-90`
fn nat_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high && low > 0).then_some(low..=high)
}

type Range = (Option<RangeInclusive<IpAddr>>, Option<RangeInclusive<u16>>);

/// `10.0.0.1`, `10.0.0.1:80`, `10.0.0.1-10.0.0.9:80-90`, `:80`, `[fd00::1]:80`
fn nat_range(text: &str) -> Option<Range> {
    if let Ok(ip) = IpAddr::from_str(text) {
        return Some((Some(ip..=ip), None));
    }
    let (ips, ports) = match text.rsplit_once(':') {
        Some((ips, ports)) => (ips, Some(nat_ports(ports)?)),
        None => (text, None),
    };
    if ips.is_empty() {
        return Some((None, ports));
    }
    let bare = |ip: &str| IpAddr::from_str(ip.trim_start_matches('[').trim_end_matches(']')).ok();
    let (low, high) = ips.split_once('-').unwrap_or((ips, ips));
    let (low, high) = (bare(low)?, bare(high)?);
    (low <= high && low.is_ipv4() == high.is_ipv4()).then_some((Some(low..=high), ports))
}

fn icmp_type(text: &str) -> Option<u8> {
    match text {
        "any" => Some(ICMP_ANY),
        "echo-request" | "ping" => Some(8),
        "echo-reply" | "pong" => Some(0),
        "destination-unreachable" => Some(3),
        "time-exceeded" | "ttl-exceeded" => Some(11),
        number => number.parse().ok(),
    }
}

fn probability(text: &str) -> Option<u32> {
    let value: f64 = text.parse().ok()?;
    let scaled = (value * f64::from(1_u32 << 31)).round();
    (0.0..=1.0).contains(&value).then_some(scaled as u32)
}

fn state(text: &str) -> Option<State> {
    Some(match text {
        "INVALID" => State::Is(CtState::Invalid),
        "NEW" => State::Is(CtState::New),
        "RELATED" => State::Is(CtState::Related),
        "ESTABLISHED" => State::Is(CtState::Established),
        "UNTRACKED" => State::Is(CtState::Untracked),
        "SNAT" => State::Snat,
        "DNAT" => State::Dnat,
        _ => return None,
    })
}

fn addr_type(text: &str) -> Option<AddrType> {
    Some(match text {
        "LOCAL" => AddrType::Local,
        "UNICAST" => AddrType::Unicast,
        "BROADCAST" => AddrType::Broadcast,
        "MULTICAST" => AddrType::Multicast,
        _ => return None,
    })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `0x4000` or `0x4000/0x4000`
fn masked(text: &str) -> Option<Masked> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    Some(Masked { value, mask })
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_sim::Rng;

    /// What `iptables-save` prints after this rule was put into FORWARD of the filter table.
    fn saved(spec: &str) -> Result<String, RuleError> {
        let mut filter = Netfilter::new();
        for chain in ["TO", "OTHER"] {
            filter.command(TableName::Filter, &format!("-N {chain}"))?;
        }
        filter.command(TableName::Filter, &format!("-A FORWARD {spec}"))?;
        let rules = filter.rules(TableName::Filter, "FORWARD").unwrap_or_default();
        Ok(rules.first().map(|rule| rule.text["-A FORWARD ".len()..].to_owned()).unwrap())
    }

    #[test]
    fn rules_are_saved_in_iptables_own_form() {
        for (spec, expected) in [
            ("-j ACCEPT", "-j ACCEPT"),
            ("-d 10.0.0.1 -j DROP", "-d 10.0.0.1/32 -j DROP"),
            ("-s 10.1.2.3/8 -j DROP", "-s 10.0.0.0/8 -j DROP"),
            ("-s 10.0.0.0/255.255.0.0 -j DROP", "-s 10.0.0.0/16 -j DROP"),
            ("! -s 10.0.0.0/8 -i eth0 ! -o cni+ -j TO", "! -s 10.0.0.0/8 -i eth0 ! -o cni+ -j TO"),
            ("-p tcp --dport 80 -g TO", "-p tcp -m tcp --dport 80 -g TO"),
            ("-m tcp -p tcp --dport 80:90 -j TO", "-p tcp -m tcp --dport 80:90 -j TO"),
            (
                "-p udp -m udp ! --sport 53 -m comment --comment \"a b\" -j RETURN",
                "-p udp -m udp ! --sport 53 -m comment --comment \"a b\" -j RETURN",
            ),
            ("-p tcp --syn -j TO", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TO"),
            ("-p all -j TO", "-j TO"),
            (
                "-p icmp -m icmp --icmp-type echo-request -j TO",
                "-p icmp -m icmp --icmp-type 8 -j TO",
            ),
            (
                "-p tcp -m multiport --dports 80,443 -j TO",
                "-p tcp -m multiport --dports 80,443 -j TO",
            ),
            (
                "-m statistic --mode random --probability 0.3333333333 -j TO",
                "-m statistic --mode random --probability 0.33333333349 -j TO",
            ),
            (
                "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j TO",
                "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j TO",
            ),
            (
                "-m conntrack --ctstate ESTABLISHED,RELATED -j TO",
                "-m conntrack --ctstate RELATED,ESTABLISHED -j TO",
            ),
            ("-m mark ! --mark 0x4000/0x4000 -j TO", "-m mark ! --mark 0x4000/0x4000 -j TO"),
            ("-m mark --mark 16 -j TO", "-m mark --mark 0x10 -j TO"),
            ("-m addrtype --dst-type LOCAL -j TO", "-m addrtype --dst-type LOCAL -j TO"),
            (
                "-m recent --name A --rcheck --seconds 60 --reap -j TO",
                "-m recent --rcheck --seconds 60 --reap --name A --mask 255.255.255.255 --rsource -j TO",
            ),
            ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
            ("-j MARK --or-mark 0x4000", "-j MARK --set-xmark 0x4000/0x4000"),
            ("-j MARK --xor-mark 0x4000", "-j MARK --set-xmark 0x4000/0x0"),
            ("-j MARK --and-mark 0xff", "-j MARK --set-xmark 0x0/0xffffff00"),
            ("-j MARK --set-mark 1", "-j MARK --set-xmark 0x1/0xffffffff"),
            ("-j LOG --log-prefix \"drop: \"", "-j LOG --log-prefix \"drop: \""),
        ] {
            let text = saved(spec).unwrap();
            assert_eq!(text, expected);
            assert_eq!(saved(&text).unwrap(), expected, "not the same when read back");
        }
    }

    #[test]
    fn nat_targets() {
        let mut nat = Netfilter::new();
        for (chain, spec, expected) in [
            ("PREROUTING", "-p tcp -j DNAT --to-destination 10.0.0.1:80", None),
            ("PREROUTING", "-j DNAT --to-destination 10.0.0.1-10.0.0.9", None),
            ("PREROUTING", "-p tcp -j DNAT --to-destination [fd00::1]:80", None),
            ("PREROUTING", "-p tcp -j REDIRECT --to-ports 8080", None),
            ("POSTROUTING", "-j SNAT --to-source 10.0.0.1 --random-fully", None),
            (
                "POSTROUTING",
                "-o eth0 -j MASQUERADE --random",
                Some("-o eth0 -j MASQUERADE --random-fully"),
            ),
        ] {
            nat.command(TableName::Nat, &format!("-I {chain} {spec}")).unwrap();
            let rules = nat.rules(TableName::Nat, chain).unwrap();
            assert_eq!(&*rules[0].text, format!("-A {chain} {}", expected.unwrap_or(spec)));
        }
    }

    #[test]
    fn wrong_rules_are_refused() {
        for (spec, expected) in [
            ("-j NOWHERE", "Chain 'NOWHERE' does not exist"),
            ("--dport 80 -j TO", "unknown option \"--dport\""),
            ("-s 1.2.3.4.5 -j TO", "invalid value \"1.2.3.4.5\" for option \"-s\""),
            ("-m time -j TO", "Couldn't load match `time':No such file or directory"),
            ("-j DNAT --to-destination 1.2.3.4", "target DNAT is not valid in table filter"),
            ("-m conntrack -j TO", "conntrack: option \"--ctstate\" must be specified"),
            ("-m statistic --mode nth -j TO", "invalid value \"nth\" for option \"--mode\""),
            ("-p tcp --dport", "option \"--dport\" requires an argument"),
            ("-m comment --comment \"a", "unclosed quote"),
            ("-p tcp --dport 90:80 -j TO", "invalid value \"90:80\" for option \"--dport\""),
        ] {
            assert_eq!(saved(spec).map_err(|error| error.to_string()), Err(expected.into()));
        }
    }

    #[test]
    fn a_table_changes_as_a_whole_or_not_at_all() {
        let mut nat = Netfilter::new();
        let good = "*nat\n:A - [0:0]\n-A PREROUTING -j A\n-A A -j ACCEPT\nCOMMIT\n";
        nat.restore(good, true).unwrap();
        let before = nat.save(None, false);
        for (bad, expected) in [
            (
                "*nat\n-F PREROUTING\n-A A -j NOWHERE\nCOMMIT\n",
                "line 4 failed: Chain 'NOWHERE' does not exist",
            ),
            ("*nat\n-F PREROUTING\n-A A -j ACCEPT\n", "COMMIT expected"),
            ("-A A -j ACCEPT\n", "line 1 failed: no table"),
            (
                "*nat\n-X A\nCOMMIT\n",
                "line 2 failed: CHAIN_DEL failed (Device or resource busy): chain A",
            ),
            ("*nat\n-N A\nCOMMIT\n", "line 2 failed: Chain already exists."),
            (
                "*nut\nCOMMIT\n",
                "line 1 failed: can't initialize iptables table `nut': Table does not exist",
            ),
        ] {
            assert_eq!(nat.restore(bad, false).map_err(|e| e.to_string()), Err(expected.into()));
            assert_eq!(nat.save(None, false), before);
        }
        nat.restore("*nat\n:A - [0:0]\nCOMMIT\n", false).unwrap();
        assert_eq!(nat.rules(TableName::Nat, "A").unwrap().len(), 0, "declared: flushed");
        assert_eq!(nat.rules(TableName::Nat, "PREROUTING").unwrap().len(), 1, "not declared: kept");
        nat.restore("*nat\n-F PREROUTING\n-X A\nCOMMIT\n", false).unwrap();
        assert_eq!(nat.save(None, false), "");
        assert!(nat.is_empty());
    }

    #[test]
    fn saved_rules_restore_to_the_same() {
        let mut one = Netfilter::new();
        let text = "*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A INPUT -j X\n-A X -s 1.2.3.4 -j DROP\nCOMMIT\n";
        one.restore(text, true).unwrap();
        let mut two = Netfilter::new();
        two.restore(&one.save(None, false), true).unwrap();
        assert_eq!(two.save(None, false), one.save(None, false));
        assert!(!two.is_empty());
    }

    #[test]
    fn one_rule_is_put_and_taken() {
        let mut filter = Netfilter::new();
        let table = TableName::Filter;
        assert_eq!(filter.ensure_chain(table, "X"), Ok(false));
        assert_eq!(filter.ensure_chain(table, "X"), Ok(true));
        filter.command(table, "-A FORWARD -j ACCEPT").unwrap();
        assert_eq!(filter.ensure(table, "FORWARD", "-j X", Position::First), Ok(false));
        assert_eq!(filter.ensure(table, "FORWARD", "-j X", Position::First), Ok(true));
        assert_eq!(filter.has_rule(table, "FORWARD", "-j X"), Ok(true));
        filter.command(table, "-D FORWARD -j X").unwrap();
        assert_eq!(filter.command(table, "-D FORWARD -j X"), Err(RuleError::NoRule));
        filter.command(table, "-D FORWARD 1").unwrap();
        assert_eq!(filter.rule_count(), 0);
    }

    #[test]
    fn noise_never_panics() {
        let words = [
            "*nat",
            "*filter",
            "COMMIT",
            ":A - [0:0]",
            "-A",
            "A",
            "PREROUTING",
            "-j",
            "DNAT",
            "\n",
            "--to-destination",
            "1.2.3.4:80",
            "-m",
            "recent",
            "statistic",
            "--probability",
            "9e99",
            "!",
            "-s",
            "\"",
            "\\",
            "--name",
            "-I",
            "0",
            "99999999999",
            "-D",
            "-X",
            "-F",
            "-P",
            "::",
            "--dport",
            "-p",
            "tcp",
            "0:0",
            "-",
            "[",
            ":",
            "나루",
        ];
        let mut rng = Rng::new(2);
        for _ in 0..20_000 {
            let text: String = (0..rng.below(24))
                .map(|_| {
                    let word = words[rng.below(words.len() as u64) as usize];
                    format!("{word}{}", if rng.below(4) == 0 { "\n" } else { " " })
                })
                .collect();
            let _ = Netfilter::new().restore(&text, rng.below(2) == 0);
        }
    }
}
