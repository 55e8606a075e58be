//! Sets of addresses that rules ask by name, as `ipset` keeps them for `-m set`.

use super::Netfilter;
use crate::limits;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

impl Netfilter {
    /// Makes a set, or changes what is in it. False when that is too much.
    pub fn set_put(&mut self, name: &str, members: BTreeSet<IpAddr>) -> bool {
        let there = self.sets.contains_key(name);
        let fits = members.len() <= limits::SET_MEMBERS_MAX
            && (there || self.sets.len() < limits::SETS_MAX);
        if fits {
            self.sets.insert(name.into(), Arc::new(members));
        }
        fits
    }

    /// Removes the sets that are not wanted.
    pub fn set_retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.sets.retain(|name, _| wanted(name));
    }

    /// What is in a set; `None` if there is none of that name.
    pub fn set(&self, name: &str) -> Option<&BTreeSet<IpAddr>> {
        self.sets.get(name).map(Arc::as_ref)
    }
}
