//! A cache that forgets what was used longest ago.
//!
//! Upstream: `k8s.io/utils/lru`.

use super::fingerprint::Fingerprint;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct Lru<V> {
    size: usize,
    /// Nobody goes through them in their order.
    values: FxHashMap<Fingerprint, (u64, V)>,
    /// The keys in the order of their last use.
    order: BTreeMap<u64, Fingerprint>,
    last: u64,
}

impl<V> Lru<V> {
    /// A cache of at most this many values.
    pub(super) fn new(size: usize) -> Self {
        Lru { size, values: FxHashMap::default(), order: BTreeMap::new(), last: 0 }
    }

    /// The value of a key, made new if there is none.
    pub(super) fn entry(&mut self, key: Fingerprint, new: impl FnOnce() -> V) -> &mut V {
        self.last += 1;
        let last = self.last;
        let known = self.values.get(&key).and_then(|(used, _)| self.order.remove(used));
        if known.is_none()
            && self.values.len() >= self.size
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.order.insert(last, key);
        let entry = self.values.entry(key).or_insert_with(|| (last, new()));
        entry.0 = last;
        &mut entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_used_longest_ago() {
        let mut lru = Lru::new(2);
        for key in ["a", "b", "a", "c"] {
            *lru.entry(Fingerprint::default().with(key), || 0) += 1;
        }
        let mut get = |key| *lru.entry(Fingerprint::default().with(key), || 0);
        assert_eq!([get("a"), get("c"), get("b")], [2, 1, 0]);
    }
}
