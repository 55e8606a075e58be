//! Netfilter: tables of chains of rules, and a packet's way through them.

mod list;
mod parse;
mod rule;
mod save;
mod set;

pub use list::Listing;
pub use parse::{Position, RuleError};
pub use rule::{
    AddrType, Cond, Masked, Match, NatRange, PortSide, Ports, Recent, RecentAction, RejectWith,
    Rule, State, Target,
};

pub(crate) use rule::Sight;

use crate::limits;
use naru_sim::{Rng, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A table, in the order in which `iptables-save` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableName {
    /// Changes packets otherwise than their addresses.
    Mangle,
    /// Before connection tracking.
    Raw,
    /// Lets through or not.
    Filter,
    /// Translates addresses.
    Nat,
    /// Of nftables alone, which iptables does not show: lets through or not what leaves, before its
    /// source is translated.
    Nft,
}

impl TableName {
    /// All tables.
    pub const ALL: [TableName; 5] =
        [TableName::Mangle, TableName::Raw, TableName::Filter, TableName::Nat, TableName::Nft];

    /// `nat`
    pub fn as_str(self) -> &'static str {
        match self {
            TableName::Mangle => "mangle",
            TableName::Raw => "raw",
            TableName::Filter => "filter",
            TableName::Nat => "nat",
            TableName::Nft => "nft",
        }
    }

    /// The table of this name.
    pub fn parse(text: &str) -> Option<TableName> {
        TableName::ALL.into_iter().find(|table| table.as_str() == text)
    }

    /// The chains that packets enter by.
    pub fn hooks(self) -> &'static [Hook] {
        match self {
            TableName::Mangle => {
                &[Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting]
            }
            TableName::Raw => &[Hook::Prerouting, Hook::Output],
            TableName::Filter => &[Hook::Input, Hook::Forward, Hook::Output],
            TableName::Nat => &[Hook::Prerouting, Hook::Input, Hook::Output, Hook::Postrouting],
            TableName::Nft => &[Hook::Postrouting],
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place on a packet's way where tables are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Came in.
    Prerouting,
    /// Is for this host.
    Input,
    /// Is passed on.
    Forward,
    /// Was sent here.
    Output,
    /// Leaves.
    Postrouting,
}

impl Hook {
    /// The name of its chains.
    pub fn chain(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    /// The tables asked after connection tracking, in order.
    pub(crate) fn tables(self) -> &'static [TableName] {
        match self {
            Hook::Prerouting => &[TableName::Mangle, TableName::Nat],
            Hook::Input => &[TableName::Mangle, TableName::Filter, TableName::Nat],
            Hook::Forward => &[TableName::Mangle, TableName::Filter],
            Hook::Output => &[TableName::Mangle, TableName::Nat, TableName::Filter],
            Hook::Postrouting => &[TableName::Mangle, TableName::Nft, TableName::Nat],
        }
    }
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    /// What becomes of packets at the end; `None` for chains that are not a hook's.
    policy: Option<Policy>,
    rules: Arc<Vec<Rule>>,
    /// How many rules lead here.
    references: usize,
}

/// What becomes of packets at the end of a hook's chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// They pass.
    #[default]
    Accept,
    /// They are dropped.
    Drop,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    chains: BTreeMap<Arc<str>, Chain>,
    rules: usize,
    /// The hooks whose chains can do anything to a packet.
    live: Vec<Hook>,
}

impl Table {
    /// Whether it has rules, chains of its own, or a policy that drops.
    fn is_used(&self) -> bool {
        let plain = |chain: &Chain| chain.policy == Some(Policy::Accept);
        self.rules > 0 || !self.chains.values().all(plain)
    }

    /// Finds the hooks that matter, after a change.
    fn refresh(&mut self, name: TableName) {
        let live = |hook: &&Hook| {
            let chain = self.chains.get(hook.chain());
            chain.is_some_and(|c| !c.rules.is_empty() || c.policy == Some(Policy::Drop))
        };
        self.live = name.hooks().iter().filter(live).copied().collect();
    }
}

/// The rules of one namespace.
#[derive(Clone, Debug)]
pub struct Netfilter {
    /// Shared until they change: most namespaces are pods', which have no rules.
    tables: Arc<BTreeMap<TableName, Table>>,
    /// The lists of `-m recent`.
    recent: BTreeMap<Arc<str>, BTreeMap<IpAddr, Time>>,
    /// The sets of `-m set`.
    sets: BTreeMap<Arc<str>, Arc<BTreeSet<IpAddr>>>,
    log: Vec<Arc<str>>,
}

/// What a table says of a packet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    Reject(RejectWith),
    NoTrack,
    Dnat(NatRange),
    Snat(NatRange),
    Masquerade { random: bool, ports: Option<std::ops::RangeInclusive<u16>> },
    Redirect(std::ops::RangeInclusive<u16>),
}

/// A verdict and the rules that led to it.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub verdict: Verdict,
    /// The deciding rule; `None` when it was the chain's policy.
    pub rule: Option<Arc<str>>,
    /// The rules that matched before it.
    pub through: Vec<Arc<str>>,
}

impl Judgement {
    /// Nothing objects.
    pub const ACCEPT: Judgement =
        Judgement { verdict: Verdict::Accept, rule: None, through: Vec::new() };
}

/// Tables that let everything pass.
static EMPTY: LazyLock<Arc<BTreeMap<TableName, Table>>> = LazyLock::new(|| {
    let table = |name: TableName| {
        let chains = name.hooks().iter().map(|hook| {
            let chain = Chain { policy: Some(Policy::Accept), ..Chain::default() };
            (Arc::from(hook.chain()), chain)
        });
        (name, Table { chains: chains.collect(), ..Table::default() })
    };
    Arc::new(TableName::ALL.into_iter().map(table).collect())
});

impl Default for Netfilter {
    fn default() -> Self {
        Netfilter::new()
    }
}

impl Netfilter {
    /// Empty tables: everything passes.
    pub fn new() -> Self {
        Netfilter {
            tables: Arc::clone(&EMPTY),
            recent: BTreeMap::new(),
            sets: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Whether there is nothing that could do anything to a packet.
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(|table| table.live.is_empty())
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.tables.values().map(|table| table.rules).sum()
    }

    /// The rules of a chain, in order.
    pub fn rules(&self, table: TableName, chain: &str) -> Option<&[Rule]> {
        Some(self.tables.get(&table)?.chains.get(chain)?.rules.as_slice())
    }

    /// The names of a table's chains in alphabetical order.
    pub fn chains(&self, table: TableName) -> impl Iterator<Item = &str> {
        self.tables.get(&table).into_iter().flat_map(|t| t.chains.keys().map(AsRef::as_ref))
    }

    /// Takes the lines that `-j LOG` wrote.
    pub fn take_log(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.log)
    }

    /// Whether the hook's chain of a table can do anything to a packet.
    pub(crate) fn is_live(&self, table: TableName, hook: Hook) -> bool {
        self.tables.get(&table).is_some_and(|table| table.live.contains(&hook))
    }

    /// Sends a packet through a hook's chain of a table. Marks are set on `sight`.
    pub(crate) fn judge(
        &mut self,
        table: TableName,
        hook: Hook,
        sight: &mut Sight<'_>,
        rng: &mut Rng,
        now: Time,
    ) -> Judgement {
        let Some(table) = self.tables.get(&table) else { return Judgement::ACCEPT };
        let Some(chain) = table.chains.get(hook.chain()) else { return Judgement::ACCEPT };
        let policy = match chain.policy {
            Some(Policy::Drop) => Verdict::Drop,
            _ => Verdict::Accept,
        };
        let mut walk = Walk {
            table,
            recent: &mut self.recent,
            sets: &self.sets,
            log: &mut self.log,
            rng,
            now,
            compared: 0,
            through: Vec::new(),
        };
        let (verdict, rule) = match walk.chain(&chain.rules, sight, 0) {
            Way::Decided(verdict, rule) => (verdict, Some(rule)),
            Way::Back => (policy, None),
            Way::TooLong => (Verdict::Drop, None),
        };
        Judgement { verdict, rule, through: walk.through }
    }
}

/// How a walk through a chain ended.
enum Way {
    Decided(Verdict, Arc<str>),
    Back,
    TooLong,
}

/// A packet's walk through a table.
struct Walk<'a> {
    table: &'a Table,
    recent: &'a mut BTreeMap<Arc<str>, BTreeMap<IpAddr, Time>>,
    sets: &'a BTreeMap<Arc<str>, Arc<BTreeSet<IpAddr>>>,
    log: &'a mut Vec<Arc<str>>,
    rng: &'a mut Rng,
    now: Time,
    compared: usize,
    through: Vec<Arc<str>>,
}

impl Walk<'_> {
    fn chain(&mut self, rules: &[Rule], sight: &mut Sight<'_>, depth: usize) -> Way {
        if depth > limits::CHAIN_DEPTH_MAX {
            return Way::TooLong;
        }
        for rule in rules {
            self.compared += 1;
            if self.compared > limits::RULES_PER_PACKET_MAX {
                return Way::TooLong;
            }
            if !rule.fits(sight) || !rule.matches.iter().all(|m| self.matches(m, sight)) {
                continue;
            }
            let text = || Arc::clone(&rule.text);
            let Some(target) = &rule.target else { continue };
            match target {
                Target::Return => return Way::Back,
                Target::Jump(name) | Target::Goto(name) => {
                    self.through.push(text());
                    let Some(next) = self.table.chains.get(name) else { continue };
                    let way = self.chain(&next.rules, sight, depth + 1);
                    if !matches!(way, Way::Back) || matches!(target, Target::Goto(_)) {
                        return way;
                    }
                }
                Target::Mark(Masked { value, mask }) => {
                    sight.mark = (sight.mark & !mask) ^ value;
                    self.through.push(text());
                }
                Target::Log(prefix) => self.log_line(prefix, sight),
                terminal => return Way::Decided(verdict(terminal), text()),
            }
        }
        Way::Back
    }

    fn matches(&mut self, condition: &Match, sight: &Sight<'_>) -> bool {
        match condition {
            Match::Comment(_) | Match::Accounting(_) => true,
            Match::Ports(ports) => ports.fits(sight),
            Match::Multiport { side, ports } => ports.holds(|ranges| {
                let has = |port: u16| ranges.iter().any(|range| range.contains(&port));
                match side {
                    PortSide::Source => has(sight.src.port()),
                    PortSide::Destination => has(sight.dst.port()),
                    PortSide::Either => has(sight.src.port()) || has(sight.dst.port()),
                }
            }),
            Match::Icmp(kind) => kind.holds(|kind| *kind == sight.icmp_type),
            Match::Random(probability) => {
                let drawn = self.rng.next_u64() >> 33;
                probability.holds(|probability| drawn < u64::from(*probability))
            }
            Match::State(states) => states.holds(|states| states.iter().any(|s| s.fits(sight))),
            Match::Mark(mark) => mark.holds(|m| sight.mark & m.mask == m.value),
            Match::AddrType { source, destination } => {
                let is = |cond: &Option<Cond<AddrType>>, kind: AddrType| {
                    cond.as_ref().is_none_or(|cond| cond.holds(|asked| *asked == kind))
                };
                is(source, sight.src_type) && is(destination, sight.dst_type)
            }
            Match::Recent(recent) => self.recent(recent, sight) != recent.inverted,
            Match::Set { name, destination } => name.holds(|name| {
                let ip = if *destination { sight.dst.ip() } else { sight.src.ip() };
                self.sets.get(name).is_some_and(|set| set.contains(&ip))
            }),
        }
    }

    fn recent(&mut self, recent: &Recent, sight: &Sight<'_>) -> bool {
        let ip = if recent.destination { sight.dst.ip() } else { sight.src.ip() };
        let list = self.recent.entry(Arc::clone(&recent.name)).or_default();
        let window = recent.seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let now = self.now;
        let fresh = |seen: &Time| window.is_none_or(|window| now.since(*seen) <= window);
        if recent.reap {
            list.retain(|_, seen| fresh(seen));
        }
        match recent.action {
            RecentAction::Set => {
                remember(list, ip, now);
                true
            }
            RecentAction::Check => list.get(&ip).is_some_and(fresh),
            RecentAction::Update => {
                let seen = list.get(&ip).is_some_and(fresh);
                if seen {
                    remember(list, ip, now);
                }
                seen
            }
            RecentAction::Remove => list.remove(&ip).is_some(),
        }
    }

    fn log_line(&mut self, prefix: &str, sight: &Sight<'_>) {
        const LINES_MAX: usize = 1_000;
        if self.log.len() < LINES_MAX {
            let (src, dst) = (sight.src, sight.dst);
            let line = format!(
                "{prefix}IN={} OUT={} SRC={} DST={} PROTO={} SPT={} DPT={}",
                sight.input,
                sight.output,
                src.ip(),
                dst.ip(),
                sight.protocol.to_string().to_uppercase(),
                src.port(),
                dst.port()
            );
            self.log.push(line.into());
        }
    }
}

/// A full list forgets the address that was not seen for longest.
fn remember(list: &mut BTreeMap<IpAddr, Time>, ip: IpAddr, now: Time) {
    if list.len() >= limits::RECENT_ADDRESSES_MAX && !list.contains_key(&ip) {
        let oldest = list.iter().min_by_key(|(_, seen)| **seen).map(|(ip, _)| *ip);
        if let Some(oldest) = oldest {
            list.remove(&oldest);
        }
    }
    list.insert(ip, now);
}

/// What a target that ends the walk means.
fn verdict(target: &Target) -> Verdict {
    match target {
        Target::Drop => Verdict::Drop,
        Target::Reject(with) => Verdict::Reject(*with),
        Target::Dnat(range) => Verdict::Dnat(range.clone()),
        Target::Snat(range) => Verdict::Snat(range.clone()),
        Target::Masquerade { random, ports } => {
            Verdict::Masquerade { random: *random, ports: ports.clone() }
        }
        Target::Redirect(ports) => Verdict::Redirect(ports.clone()),
        Target::NoTrack => Verdict::NoTrack,
        Target::Accept
        | Target::Return
        | Target::Jump(_)
        | Target::Goto(_)
        | Target::Mark(_)
        | Target::Log(_) => Verdict::Accept,
    }
}
