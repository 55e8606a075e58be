//! The rules of a chain, and which of them can concern a packet.

use super::rule::{Cond, Rule};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Rules in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleList {
    pub list: Vec<Arc<Rule>>,
    /// Made when the first packet comes by; `None` for chains that are as quickly walked through.
    index: OnceLock<Option<Index>>,
}

/// Where the rules stand that ask for one destination, and all others.
#[derive(Clone, Debug, Default)]
struct Index {
    exact: FxHashMap<IpAddr, Vec<u32>>,
    others: Vec<u32>,
}

/// Chains with fewer rules are walked through.
const INDEXED_MIN: usize = 16;

impl RuleList {
    pub fn of(list: Vec<Arc<Rule>>) -> Self {
        RuleList { list, index: OnceLock::new() }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn insert(&mut self, at: usize, rule: Rule) {
        self.index = OnceLock::new();
        self.list.insert(at.min(self.list.len()), Arc::new(rule));
    }

    pub fn remove(&mut self, at: usize) -> Option<Arc<Rule>> {
        self.index = OnceLock::new();
        (at < self.list.len()).then(|| self.list.remove(at))
    }

    /// The rules that could fit a packet to this destination, in order, with their places: the
    /// others ask for another one.
    pub fn for_destination(&self, to: IpAddr) -> impl Iterator<Item = (usize, &Arc<Rule>)> {
        const NONE: &[u32] = &[];
        let index = self.index.get_or_init(|| self.make_index()).as_ref();
        let all = match index {
            Some(_) => &[],
            None => self.list.as_slice(),
        };
        let (mut exact, mut others) = match index {
            Some(index) => (index.exact.get(&to).map_or(NONE, Vec::as_slice), &*index.others),
            None => (NONE, NONE),
        };
        let merged = std::iter::from_fn(move || {
            let (next, rest) = match (exact.split_first(), others.split_first()) {
                (Some((a, rest)), Some((b, _))) if a < b => (a, (rest, others)),
                (Some((a, rest)), None) => (a, (rest, others)),
                (_, Some((b, rest))) => (b, (exact, rest)),
                (None, None) => return None,
            };
            (exact, others) = rest;
            let at = *next as usize;
            self.list.get(at).map(|rule| (at, rule))
        });
        all.iter().enumerate().chain(merged)
    }

    fn make_index(&self) -> Option<Index> {
        if self.list.len() < INDEXED_MIN {
            return None;
        }
        let mut index = Index::default();
        for (at, rule) in (0..).zip(&self.list) {
            match destination(rule) {
                Some(ip) => index.exact.entry(ip).or_default().push(at),
                None => index.others.push(at),
            }
        }
        (!index.exact.is_empty()).then_some(index)
    }
}

/// The one destination that a rule asks for, if it does.
fn destination(rule: &Rule) -> Option<IpAddr> {
    let Cond { inverted, value } = rule.destination.as_ref()?;
    let one = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    (!inverted && one(value)).then(|| value.addr())
}
