//! Events of `events.k8s.io`: what repeats becomes a series.
//!
//! Upstream: `client-go/tools/events/event_broadcaster.go`.

use super::fingerprint::Fingerprint;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// After this long without a repetition a series is over. Upstream: `finishTime`.
const FINISH: Duration = Duration::from_secs(6 * 60);
/// How often a series that goes on is written. Upstream: `refreshTime`.
const REFRESH: Duration = Duration::from_secs(30 * 60);

/// The series of one component.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesCache {
    events: BTreeMap<Fingerprint, Known>,
    finish_at: Time,
    refresh_at: Time,
}

/// An event that may become a series, or is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    /// Where it is.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// When it happened last.
    pub(super) last: Time,
    /// How often it has happened.
    pub(super) count: i32,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new.
    Create,
    /// It happened before: now it is a series.
    Begin(Known),
    /// It is counted, and written later.
    Count,
}

impl SeriesCache {
    /// What becomes of an event; `new` is how it is known if it is new.
    pub(super) fn judge(
        &mut self,
        key: Fingerprint,
        new: impl FnOnce() -> Known,
        now: Time,
    ) -> Verdict {
        match self.events.get_mut(&key) {
            None => {
                self.events.insert(key, new());
                Verdict::Create
            }
            Some(known) => {
                known.count = known.count.saturating_add(1);
                known.last = now;
                if known.count == 2 { Verdict::Begin(known.clone()) } else { Verdict::Count }
            }
        }
    }

    /// The series whose counts are to be written now; forgets those that are over.
    pub(super) fn due(&mut self, now: Time) -> Vec<Known> {
        let mut due = Vec::new();
        if now >= self.refresh_at {
            self.refresh_at = now + REFRESH;
            due.extend(self.events.values().filter(|known| known.count > 2).cloned());
        }
        if now >= self.finish_at {
            self.finish_at = now + FINISH;
            let over = |known: &Known| known.last + FINISH < now;
            let ended = self.events.values().filter(|known| over(known) && known.count > 2);
            due.extend(ended.cloned().collect::<Vec<_>>());
            self.events.retain(|_, known| !over(known));
        }
        due.sort();
        due.dedup();
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_begins_goes_on_and_ends() {
        let mut cache = SeriesCache::default();
        let key = Fingerprint::default();
        let at = Time::from_secs;
        let known = |name: &str, now| Known {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            last: now,
            count: 1,
        };
        assert!(cache.due(at(0)).is_empty());
        assert_eq!(cache.judge(key, || known("a", at(1)), at(1)), Verdict::Create);
        let series = Known { count: 2, ..known("a", at(2)) };
        assert_eq!(cache.judge(key, || known("b", at(2)), at(2)), Verdict::Begin(series));
        assert_eq!(cache.judge(key, || known("b", at(3)), at(3)), Verdict::Count);
        assert!(cache.due(at(360)).is_empty());
        assert_eq!(cache.due(at(720)), [Known { count: 3, ..known("a", at(3)) }]);
        assert_eq!(cache.judge(key, || known("c", at(721)), at(721)), Verdict::Create);
    }
}
