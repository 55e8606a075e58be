//! Netfilter: tables of chains of rules, and a packet's way through them.

mod change;
mod count;
mod list;
mod parse;
mod rule;
mod rule_list;
mod save;
mod set;

pub use change::{Change, Line};
pub use count::Count;
pub(crate) use count::Hit;
pub use list::Listing;
pub use parse::{Position, RuleError};
pub use rule::{
    AddrType, Cond, Masked, Match, NatRange, PortSide, Ports, Recent, RecentAction, RejectWith,
    Rule, State, Target,
};

pub(crate) use rule::Sight;
use rule_list::RuleList;

use crate::limits;
use crate::ways::Asked;
use count::{Counter, Tallies};
use naru_sim::{Rng, Time};
use rustc_hash::FxHashMap;
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
    rules: Arc<RuleList>,
    /// How many rules lead here.
    references: usize,
    /// By which its counts are found; no other chain of the table has or had it.
    number: u32,
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
    /// How many chains there have been.
    numbers: u32,
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
    /// What rules have had.
    tallies: BTreeMap<TableName, Tallies>,
    /// What they have had since somebody asked to write it down.
    tape: Option<Vec<Hit>>,
    /// What they have looked at since then.
    asked: Asked,
    /// Chains that packets have come to, by the place in memory of the name that led there, which
    /// stays as long as the tables do.
    entered: FxHashMap<(TableName, usize, usize), Chain>,
    /// The sets of `-m set`.
    sets: BTreeMap<Arc<str>, Arc<BTreeSet<IpAddr>>>,
    log: Vec<Arc<str>>,
    /// How often a rule asked chance, or what it remembers.
    chance: u64,
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
        let chains = name.hooks().iter().zip(0_u32..).map(|(hook, number)| {
            let chain = Chain { policy: Some(Policy::Accept), number, ..Chain::default() };
            (Arc::from(hook.chain()), chain)
        });
        let chains: BTreeMap<Arc<str>, Chain> = chains.collect();
        let numbers = u32::try_from(chains.len()).unwrap_or(u32::MAX);
        (name, Table { chains, numbers, ..Table::default() })
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
            tallies: BTreeMap::new(),
            tape: None,
            asked: Asked::default(),
            entered: FxHashMap::default(),
            sets: BTreeMap::new(),
            log: Vec::new(),
            chance: 0,
        }
    }

    /// A number that grows whenever a rule asks chance, or what it remembers: without that, a like
    /// packet goes the same way.
    pub(crate) fn chance(&self) -> u64 {
        self.chance
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
    pub fn rules(&self, table: TableName, chain: &str) -> Option<&[Arc<Rule>]> {
        Some(self.tables.get(&table)?.chains.get(chain)?.rules.list.as_slice())
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
        let name = table;
        let Some(table) = self.tables.get(&name) else { return Judgement::ACCEPT };
        let bytes = sight.length;
        let mut walk = Walk {
            table,
            counter: Counter {
                table: name,
                tallies: self.tallies.entry(name).or_default(),
                tape: &mut self.tape,
            },
            recent: &mut self.recent,
            sets: &self.sets,
            log: &mut self.log,
            chance: &mut self.chance,
            asked: &mut self.asked,
            entered: &mut self.entered,
            rng,
            now,
            compared: 0,
            through: Vec::new(),
        };
        let Some(chain) = walk.find(hook.chain()) else { return Judgement::ACCEPT };
        let (verdict, rule) = match walk.chain(&chain, sight, 0) {
            Way::Decided(verdict, rule) => (verdict, Some(rule)),
            Way::Back => {
                walk.counter.count(&chain, None, bytes);
                match chain.policy {
                    Some(Policy::Drop) => (Verdict::Drop, None),
                    _ => (Verdict::Accept, None),
                }
            }
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
    counter: Counter<'a>,
    recent: &'a mut BTreeMap<Arc<str>, BTreeMap<IpAddr, Time>>,
    sets: &'a BTreeMap<Arc<str>, Arc<BTreeSet<IpAddr>>>,
    log: &'a mut Vec<Arc<str>>,
    chance: &'a mut u64,
    asked: &'a mut Asked,
    entered: &'a mut FxHashMap<(TableName, usize, usize), Chain>,
    rng: &'a mut Rng,
    now: Time,
    compared: usize,
    through: Vec<Arc<str>>,
}

impl Walk<'_> {
    /// The chain of a name that stands in the tables, or is a hook's.
    fn find(&mut self, name: &str) -> Option<Chain> {
        let key = (self.counter.table, name.as_ptr() as usize, name.len());
        if let Some(chain) = self.entered.get(&key) {
            return Some(chain.clone());
        }
        let chain = self.table.chains.get(name)?;
        self.entered.insert(key, chain.clone());
        Some(chain.clone())
    }

    fn chain(&mut self, chain: &Chain, sight: &mut Sight<'_>, depth: usize) -> Way {
        if depth > limits::CHAIN_DEPTH_MAX {
            return Way::TooLong;
        }
        for (index, rule) in chain.rules.for_destination(sight.dst.ip()) {
            self.compared += 1;
            if self.compared > limits::RULES_PER_PACKET_MAX {
                return Way::TooLong;
            }
            if !rule.fits(sight) || !rule.matches.iter().all(|m| self.matches(m, sight)) {
                continue;
            }
            self.counter.count(chain, Some(index), sight.length);
            let Some(target) = &rule.target else { continue };
            match target {
                Target::Return => return Way::Back,
                Target::Jump(name) | Target::Goto(name) => {
                    self.passes(rule, sight);
                    let Some(next) = self.find(name) else { continue };
                    let way = self.chain(&next, sight, depth + 1);
                    if !matches!(way, Way::Back) || matches!(target, Target::Goto(_)) {
                        return way;
                    }
                }
                Target::Mark(Masked { value, mask }) => {
                    sight.mark = (sight.mark & !mask) ^ value;
                    self.passes(rule, sight);
                }
                Target::Log(prefix) => {
                    self.asked.memory = true;
                    self.log_line(prefix, sight);
                }
                terminal => return Way::Decided(verdict(terminal), Arc::clone(&rule.text)),
            }
        }
        Way::Back
    }

    /// A rule on the way to the one that decides.
    fn passes(&mut self, rule: &Rule, sight: &Sight<'_>) {
        if sight.traced {
            self.through.push(Arc::clone(&rule.text));
        }
    }

    fn matches(&mut self, condition: &Match, sight: &Sight<'_>) -> bool {
        match condition {
            Match::Comment(_) | Match::Accounting(_) => true,
            Match::Ports(ports) => {
                self.asked.source_port |= ports.source.is_some();
                self.asked.destination_port |= ports.destination.is_some();
                ports.fits(sight)
            }
            Match::Multiport { side, ports } => ports.holds(|ranges| {
                self.asked.source_port |= *side != PortSide::Destination;
                self.asked.destination_port |= *side != PortSide::Source;
                let has = |port: u16| ranges.iter().any(|range| range.contains(&port));
                match side {
                    PortSide::Source => has(sight.src.port()),
                    PortSide::Destination => has(sight.dst.port()),
                    PortSide::Either => has(sight.src.port()) || has(sight.dst.port()),
                }
            }),
            Match::Icmp(kind) => kind.holds(|kind| *kind == sight.icmp_type),
            Match::Random(probability) => {
                *self.chance += 1;
                self.asked.memory = true;
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
        *self.chance += 1;
        self.asked.memory = true;
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
