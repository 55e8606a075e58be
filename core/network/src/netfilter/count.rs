//! How many packets, and bytes, rules and policies have had.

use super::{Chain, Netfilter, Table, TableName};
use crate::ways::Asked;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub packets: u64,
    /// Their lengths together, from the header of IP on.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, packets: u64, bytes: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A rule, or a chain's policy, that has had a packet: written down to be counted again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    table: TableName,
    chain: u32,
    /// Its place; `None` for the policy.
    rule: Option<usize>,
    bytes: u64,
}

/// What the chains of one table have had, by their numbers. They stand apart from the rules, which
/// are shared with other moments of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(Vec<Tally>);

#[derive(Clone, Debug, Default)]
struct Tally {
    rules: Vec<Count>,
    policy: Count,
}

impl Tallies {
    fn of(&mut self, number: u32) -> Option<&mut Tally> {
        let number = number as usize;
        if self.0.len() <= number {
            self.0.resize_with(number + 1, Tally::default);
        }
        self.0.get_mut(number)
    }

    /// Counts packets, with their bytes together.
    fn add(&mut self, hit: Hit, packets: u64, bytes: u64) {
        let Some(tally) = self.of(hit.chain) else { return };
        let Some(rule) = hit.rule else { return tally.policy.add(packets, bytes) };
        if tally.rules.len() <= rule {
            tally.rules.resize(rule + 1, Count::default());
        }
        if let Some(count) = tally.rules.get_mut(rule) {
            count.add(packets, bytes);
        }
    }

    /// What a rule has had.
    pub fn rule(&self, chain: &Chain, rule: usize) -> Count {
        let tally = self.0.get(chain.number as usize);
        tally.and_then(|tally| tally.rules.get(rule)).copied().unwrap_or_default()
    }

    /// What a chain's policy has had.
    pub fn policy(&self, chain: &Chain) -> Count {
        self.0.get(chain.number as usize).map(|tally| tally.policy).unwrap_or_default()
    }

    /// Follows a change of the table: rules that stay keep what they have had.
    pub fn follow(&mut self, old: &Table, new: &Table) {
        if self.0.is_empty() {
            return;
        }
        let mut olds = old.chains.iter().peekable();
        for (name, chain) in &new.chains {
            while let Some((_, gone)) = olds.next_if(|(old, _)| *old < name) {
                self.forget(gone);
            }
            if let Some((_, before)) = olds.next_if(|(old, _)| *old == name) {
                self.follow_chain(before, chain);
            }
        }
        olds.for_each(|(_, gone)| self.forget(gone));
    }

    pub fn forget(&mut self, chain: &Chain) {
        if let Some(tally) = self.0.get_mut(chain.number as usize) {
            *tally = Tally::default();
        }
    }

    /// Follows a change of one chain.
    pub fn follow_chain(&mut self, old: &Chain, new: &Chain) {
        if Arc::ptr_eq(&old.rules, &new.rules) {
            return;
        }
        let Some(tally) = self.0.get_mut(old.number as usize) else { return };
        let counts = old.rules.list.iter().zip(&tally.rules);
        // A rule's text is made once, with the rule.
        let by_rule: BTreeMap<*const u8, Count> =
            counts.map(|(rule, count)| (rule.text.as_ptr(), *count)).collect();
        let had = |text: &Arc<str>| by_rule.get(&text.as_ptr()).copied().unwrap_or_default();
        tally.rules = new.rules.list.iter().map(|rule| had(&rule.text)).collect();
    }
}

/// Counts the packets that go through one table.
pub(super) struct Counter<'a> {
    pub table: TableName,
    pub tallies: &'a mut Tallies,
    /// What is counted is written down here, if somebody wants to know.
    pub tape: &'a mut Option<Vec<Hit>>,
}

impl Counter<'_> {
    /// A packet has matched the rule at this place of a chain, or come to the chain's policy.
    pub fn count(&mut self, chain: &Chain, rule: Option<usize>, bytes: u64) {
        let hit = Hit { table: self.table, chain: chain.number, rule, bytes };
        self.tallies.add(hit, 1, bytes);
        if let Some(tape) = self.tape {
            tape.push(hit);
        }
    }
}

impl Netfilter {
    /// Writes down what is counted from now on, until [`Netfilter::take_tape`].
    pub(crate) fn start_tape(&mut self) {
        self.tape = Some(Vec::new());
        self.asked = Asked::default();
    }

    /// What rules looked at since [`Netfilter::start_tape`].
    pub(crate) fn asked(&self) -> Asked {
        self.asked
    }

    /// What was counted since [`Netfilter::start_tape`].
    pub(crate) fn take_tape(&mut self) -> Vec<Hit> {
        self.tape.take().unwrap_or_default()
    }

    /// Counts the same so many times more. The rules must not have changed since.
    pub(crate) fn count_again(&mut self, hits: &[Hit], times: u64) {
        for hit in hits.iter().filter(|_| times > 0) {
            let bytes = hit.bytes.saturating_mul(times);
            self.tallies.entry(hit.table).or_default().add(*hit, times, bytes);
        }
    }

    /// So many other packets have come by there. The rules must not have changed since.
    pub(crate) fn count_more(&mut self, hit: Hit, packets: u64, bytes: u64) {
        self.tallies.entry(hit.table).or_default().add(hit, packets, bytes);
    }

    /// Begins to count anew, in one chain or in all: `iptables -Z`. False if there is no such chain.
    pub fn zero(&mut self, table: TableName, only: Option<&str>) -> bool {
        let Some(chains) = self.tables.get(&table).map(|table| &table.chains) else { return false };
        let Some(name) = only else {
            self.tallies.remove(&table);
            return true;
        };
        let Some(chain) = chains.get(name) else { return false };
        if let Some(tallies) = self.tallies.get_mut(&table) {
            tallies.forget(chain);
        }
        true
    }

    /// What the rules of a table have had; `None` when none has had anything.
    pub(super) fn tallies(&self, table: TableName) -> Option<&Tallies> {
        self.tallies.get(&table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netfilter::{Listing, Position};

    fn counted(rules: &Netfilter) -> Vec<u64> {
        let chain = rules.tables[&TableName::Filter].chains["INPUT"].clone();
        let tallies = rules.tallies(TableName::Filter).unwrap();
        (0..chain.rules.len()).map(|index| tallies.rule(&chain, index).packets).collect()
    }

    #[test]
    fn rules_that_stay_keep_their_counts() {
        let mut rules = Netfilter::new();
        let filter = TableName::Filter;
        for port in [80, 81] {
            let spec = format!("-p tcp --dport {port} -j ACCEPT");
            rules.ensure(filter, "INPUT", &spec, Position::Last).unwrap();
        }
        let chain = rules.tables[&filter].chains["INPUT"].clone();
        let tallies = rules.tallies.entry(filter).or_default();
        let mut tape = Some(Vec::new());
        let mut counter = Counter { table: filter, tallies, tape: &mut tape };
        counter.count(&chain, Some(1), 60);
        counter.count(&chain, None, 40);
        let hits = tape.unwrap();
        (0..2).for_each(|_| rules.count_again(&hits, 1));
        assert_eq!(counted(&rules), [0, 3]);
        rules.ensure(filter, "INPUT", "-j DROP", Position::First).unwrap();
        assert_eq!(counted(&rules), [0, 0, 3]);
        let before = rules.clone();
        rules.command(filter, "-D INPUT 1").unwrap();
        rules.command(filter, "-N OTHER").unwrap();
        assert_eq!((counted(&rules), counted(&before)), (vec![0, 3], vec![0, 0, 3]));
        let how = Listing { numeric: true, verbose: true, ..Listing::default() };
        let list = rules.list(filter, Some("INPUT"), how).unwrap();
        assert!(list.starts_with("Chain INPUT (policy ACCEPT 3 packets, 120 bytes)\n"), "{list}");
        assert!(list.contains("\n    3   180 ACCEPT     6    --  *  "), "{list}");
        let save = rules.save(Some(filter), true);
        assert!(save.contains(":INPUT ACCEPT [3:120]\n:FORWARD ACCEPT [0:0]\n"), "{save}");
        assert!(save.contains("\n[3:180] -A INPUT -p tcp -m tcp --dport 81 -j ACCEPT\n"), "{save}");
        assert!(rules.zero(filter, Some("INPUT")) && !rules.zero(filter, Some("NOWHERE")));
        assert_eq!(counted(&rules), [0, 0]);
    }

    #[test]
    fn large_numbers_are_shortened() {
        for (number, expected) in [
            (0, "    0 "),
            (99_999, "99999 "),
            (100_000, " 100K "),
            (9_999_499, "9999K "),
            (9_999_500, "  10M "),
            (20_000_000_000, "  20G "),
        ] {
            assert_eq!(super::super::list::short(number), expected);
        }
    }
}
