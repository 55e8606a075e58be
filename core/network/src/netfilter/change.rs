//! Rules chain by chain, for programs that keep many of them: what stays is not touched.

use super::rule::{Rule, Target};
use super::{Chain, Netfilter, RuleError, RuleList, Table, TableName, parse};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A rule and the chain that it stands in: read once, put in as often as is needed.
#[derive(Clone, Debug)]
pub struct Line {
    /// The chain.
    pub chain: Arc<str>,
    /// The rule.
    pub rule: Arc<Rule>,
}

impl Line {
    /// Reads lines like `-A CHAIN -j DROP`, as they stand in `iptables-save`'s text.
    pub fn read(table: TableName, text: &str) -> Result<Vec<Line>, RuleError> {
        text.lines().map(|line| parse::line(table, line)).collect()
    }
}

/// What becomes of chains of one table; all others stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Chains and all their rules, in order.
    pub chains: BTreeMap<Arc<str>, Vec<Arc<Rule>>>,
    /// Chains that go.
    pub delete: BTreeSet<Arc<str>>,
}

impl Change {
    /// A chain that is to be there, without rules so far.
    pub fn declare(&mut self, chain: &str) {
        if !self.chains.contains_key(chain) {
            self.chains.insert(chain.into(), Vec::new());
        }
    }

    /// Puts rules behind those that their chains have in this change.
    pub fn add<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            match self.chains.get_mut(&line.chain) {
                Some(rules) => rules.push(Arc::clone(&line.rule)),
                None => {
                    self.chains.insert(Arc::clone(&line.chain), vec![Arc::clone(&line.rule)]);
                }
            }
        }
    }
}

impl Netfilter {
    /// Changes chains. Nothing is changed if a rule leads to a chain that is not there or that goes,
    /// or if there would be too many rules; a chain that goes and that other rules lead to stays,
    /// and the error says so.
    pub fn change(&mut self, name: TableName, change: Change) -> Result<(), RuleError> {
        let Some(table) = self.tables.get(&name) else { return Ok(()) };
        let mut more = 0;
        for (chain, rules) in &change.chains {
            let old = table.chains.get(chain).map_or(&[] as &[Arc<Rule>], |it| &it.rules.list);
            more += rules.len().saturating_sub(old.len());
            let (_, fresh) = differing(old, rules);
            for rule in fresh {
                check_target(table, &change, rule)?;
            }
        }
        if self.rule_count() + more > limits::RULES_MAX {
            return Err(RuleError::TooMany("rules"));
        }
        let names = change.chains.keys().chain(&change.delete);
        let before: Vec<(Arc<str>, Chain)> = names
            .filter_map(|name| Some((Arc::clone(name), table.chains.get(name)?.clone())))
            .collect();
        self.entered.clear();
        let tables = Arc::make_mut(&mut self.tables);
        let Some(table) = tables.get_mut(&name) else { return Ok(()) };
        let done = table.change(change);
        table.refresh(name);
        if let Some(tallies) = self.tallies.get_mut(&name) {
            for (name, old) in &before {
                match table.chains.get(name) {
                    Some(new) => tallies.follow_chain(old, new),
                    None => tallies.forget(old),
                }
            }
        }
        done
    }
}

impl Table {
    fn change(&mut self, change: Change) -> Result<(), RuleError> {
        for chain in change.chains.keys() {
            if !self.chains.contains_key(chain) {
                self.make_chain(Arc::clone(chain));
            }
        }
        for (name, rules) in change.chains {
            self.put(&name, rules);
        }
        change.delete.iter().for_each(|name| self.put(name, Vec::new()));
        change.delete.iter().try_for_each(|name| match self.chains.contains_key(name) {
            true => self.delete_chain(name),
            false => Ok(()),
        })
    }

    /// Gives a chain these rules.
    fn put(&mut self, name: &str, rules: Vec<Arc<Rule>>) {
        let Some(chain) = self.chains.get_mut(name) else { return };
        let old = Arc::clone(&chain.rules);
        let (gone, fresh) = differing(&old.list, &rules);
        if gone.is_empty() && fresh.is_empty() {
            return;
        }
        let targets = |rules: &[Arc<Rule>]| -> Vec<Option<Target>> {
            rules.iter().map(|rule| rule.target.clone()).collect()
        };
        let (gone, fresh) = (targets(gone), targets(fresh));
        self.rules = (self.rules + rules.len()).saturating_sub(old.list.len());
        chain.rules = Arc::new(RuleList::of(rules));
        for target in &gone {
            self.refer(target.as_ref(), |count| count.saturating_sub(1));
        }
        for target in &fresh {
            self.refer(target.as_ref(), |count| count + 1);
        }
    }
}

/// Without what both begin and end with.
fn differing<'a>(old: &'a [Arc<Rule>], new: &'a [Arc<Rule>]) -> (&'a [Arc<Rule>], &'a [Arc<Rule>]) {
    let same = |(one, other): &(&Arc<Rule>, &Arc<Rule>)| Arc::ptr_eq(one, other);
    let start = old.iter().zip(new).take_while(same).count();
    let (old, new) = (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let cut = |rules: &'a [Arc<Rule>]| rules.get(..rules.len() - end).unwrap_or_default();
    (cut(old), cut(new))
}

/// The chain that a rule leads to must be there after the change.
fn check_target(table: &Table, change: &Change, rule: &Rule) -> Result<(), RuleError> {
    let Some(Target::Jump(to) | Target::Goto(to)) = &rule.target else { return Ok(()) };
    let own = table.chains.get(to);
    let there = match own {
        Some(chain) => chain.policy.is_none() && !change.delete.contains(to),
        None => change.chains.contains_key(to),
    };
    if there { Ok(()) } else { Err(RuleError::NoChain(to.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str, delete: &[&str]) -> Change {
        let mut change = Change::default();
        change.add(&Line::read(TableName::Nat, text).unwrap());
        change.delete = delete.iter().map(|name| Arc::from(*name)).collect();
        change
    }

    #[test]
    fn a_change_is_what_restoring_the_same_text_would_be() {
        let (one, two) = (
            "-A A -d 10.0.0.1/32 -j B\n-A B -j ACCEPT",
            "-A A -d 10.0.0.1/32 -j C\n-A C -p tcp -j DNAT --to-destination 10.1.0.1:80",
        );
        let mut changed = Netfilter::new();
        changed.change(TableName::Nat, change(one, &[])).unwrap();
        changed.change(TableName::Nat, change(two, &["B"])).unwrap();
        let mut restored = Netfilter::new();
        restored.restore(&format!("*nat\n:A - [0:0]\n:C - [0:0]\n{two}\nCOMMIT\n"), false).unwrap();
        assert_eq!(changed.save(None, false), restored.save(None, false));
        assert_eq!(changed.rule_count(), 2);
    }

    #[test]
    fn nothing_leads_nowhere() {
        let mut rules = Netfilter::new();
        let nowhere = rules.change(TableName::Nat, change("-A A -j B", &[]));
        assert_eq!(nowhere, Err(RuleError::NoChain("B".into())));
        assert!(rules.save(None, false).is_empty());
        rules.change(TableName::Nat, change("-A A -j B\n-A B -j ACCEPT", &[])).unwrap();
        let busy = rules.change(
            TableName::Nat,
            Change { delete: BTreeSet::from([Arc::from("B")]), ..Change::default() },
        );
        assert!(matches!(busy, Err(RuleError::Busy(_))));
    }
}
