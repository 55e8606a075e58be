//! Compaction: which history the store may forget.
//!
//! Upstream: `apiserver/pkg/storage/etcd3/compact.go`.

use crate::limits;
use crate::store::Store;
use naru_sim::Time;
use std::time::Duration;

/// Forgets history that is older than one interval; what is younger is kept for slow watches.
#[derive(Clone, Debug)]
pub(crate) struct Compactor {
    due: Time,
    /// The store's revision when this last ran.
    before: u64,
}

impl Default for Compactor {
    fn default() -> Self {
        Compactor { due: Time::ZERO + Self::INTERVAL, before: 0 }
    }
}

impl Compactor {
    const INTERVAL: Duration = Duration::from_secs(limits::COMPACTION_INTERVAL_SECONDS);

    /// Compacts, if it is time.
    pub(crate) fn run(&mut self, now: Time, store: &mut dyn Store) {
        if now < self.due {
            return;
        }
        if self.before > store.compacted() {
            let compacted = store.compact(self.before);
            // It was the store's own revision.
            debug_assert!(compacted.is_ok());
        }
        self.before = store.revision();
        self.due = now + Self::INTERVAL;
    }
}
