//! What becomes of an event that resembles earlier ones: it counts up, is combined with them, or
//! is dropped.
//!
//! Upstream: `client-go/tools/record/events_cache.go`.

use super::fingerprint::Fingerprint;
use super::lru::Lru;
use naru_sim::Time;
use std::time::Duration;

/// Upstream: `maxLruCacheEntries`.
const CACHE_MAX: usize = 4096;
/// Upstream: `defaultAggregateMaxEvents`.
const SIMILAR_MAX: usize = 10;
/// Upstream: `defaultAggregateIntervalInSeconds`.
const SIMILAR_WITHIN: Duration = Duration::from_secs(600);
/// Upstream: `defaultSpamBurst`.
const BURST: f64 = 25.0;
/// Seconds after which one event more may be written. Upstream: 1 / `defaultSpamQPS`.
const REFILL_SECONDS: f64 = 300.0;

/// What is known of the events of one component.
#[derive(Clone, Debug)]
pub(super) struct Correlator {
    similar: Lru<Similar>,
    written: Lru<Written>,
    spam: Lru<Bucket>,
}

/// The keys of an event, from the narrow to the wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// The object and whether the event tells of trouble.
    pub(super) spam: Fingerprint,
    /// And the reason.
    pub(super) similar: Fingerprint,
    /// And the part of the object and the message.
    pub(super) same: Fingerprint,
}

/// Messages of events that differ in nothing else.
#[derive(Clone, Debug, Default)]
struct Similar {
    /// In order, each once.
    messages: Vec<String>,
    last: Time,
}

/// An event as it was last written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Its name; "" when it has not been written.
    pub(super) name: String,
    /// How often it happened.
    pub(super) count: i32,
    /// When it happened first.
    pub(super) first: Time,
}

/// A token bucket.
#[derive(Clone, Debug)]
struct Bucket {
    tokens: f64,
    filled: Time,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The event as it is to stand: its name is the one that it had, or the new one.
    pub(super) event: Written,
    /// Whether it stands in for several that differ in their messages.
    pub(super) combined: bool,
    /// Whether it was there before.
    pub(super) again: bool,
}

impl Default for Correlator {
    fn default() -> Self {
        Correlator {
            similar: Lru::new(CACHE_MAX),
            written: Lru::new(CACHE_MAX),
            spam: Lru::new(CACHE_MAX),
        }
    }
}

impl Correlator {
    /// What becomes of an event that is named `name` if it is new; `None`: it is dropped, since its
    /// object has had too many.
    pub(super) fn judge(
        &mut self,
        keys: &Keys,
        message: &str,
        name: &str,
        now: Time,
    ) -> Option<Verdict> {
        let combined = self.combine(keys, message, now);
        let key = if combined { keys.similar } else { keys.same };
        let written = self.written.entry(key, Written::default);
        let again = written.count > 0;
        if !again {
            *written = Written { name: name.to_owned(), count: 0, first: now };
        }
        written.count = written.count.saturating_add(1);
        let event = written.clone();
        let bucket = self.spam.entry(keys.spam, || Bucket { tokens: BURST, filled: now });
        bucket.take(now).then_some(Verdict { event, combined, again })
    }

    /// Whether there were so many similar events that this one is combined with them.
    fn combine(&mut self, keys: &Keys, message: &str, now: Time) -> bool {
        let similar = self.similar.entry(keys.similar, Similar::default);
        if now.since(similar.last) > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now;
        if let Err(place) = similar.messages.binary_search_by(|known| known.as_str().cmp(message)) {
            similar.messages.reserve_exact(1);
            similar.messages.insert(place, message.to_owned());
        }
        if similar.messages.len() < SIMILAR_MAX {
            return false;
        }
        // Upstream takes any of them out; this takes the first by its text.
        similar.messages.remove(0);
        true
    }
}

impl Bucket {
    fn take(&mut self, now: Time) -> bool {
        let refill = now.since(self.filled).as_secs_f64() / REFILL_SECONDS;
        self.tokens = (self.tokens + refill).min(BURST);
        self.filled = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(object: &str, reason: &str, message: &str) -> Keys {
        let spam = Fingerprint::default().with(object);
        let similar = spam.with(reason);
        Keys { spam, similar, same: similar.with(message) }
    }

    /// How often, combined or not, and whether it was there before; `-` when it is dropped.
    fn judge(correlator: &mut Correlator, message: &str, at: u64) -> String {
        let now = Time::from_secs(at);
        match correlator.judge(&keys("pod", "BackOff", message), message, &at.to_string(), now) {
            Some(Verdict { event, combined, again }) => {
                let combined = if combined { " combined" } else { "" };
                let again = if again { " again" } else { "" };
                format!("{} x{}{combined}{again}", event.name, event.count)
            }
            None => "-".to_owned(),
        }
    }

    #[test]
    fn the_same_event_counts_up() {
        let mut correlator = Correlator::default();
        assert_eq!(judge(&mut correlator, "a", 1), "1 x1");
        assert_eq!(judge(&mut correlator, "a", 2), "1 x2 again");
        assert_eq!(judge(&mut correlator, "b", 3), "3 x1");
        assert_eq!(judge(&mut correlator, "a", 4), "1 x3 again");
    }

    #[test]
    fn ten_similar_events_are_combined() {
        let mut correlator = Correlator::default();
        for at in 1..10 {
            assert_eq!(judge(&mut correlator, &format!("m{at}"), at), format!("{at} x1"));
        }
        assert_eq!(judge(&mut correlator, "m10", 10), "10 x1 combined");
        assert_eq!(judge(&mut correlator, "m11", 11), "10 x2 combined again");
        // Long afterwards they are new.
        assert_eq!(judge(&mut correlator, "m12", 11 + 601), "612 x1");
    }

    #[test]
    fn an_object_has_twenty_five_events_and_one_more_every_five_minutes() {
        let mut correlator = Correlator::default();
        let told = (0..40).filter(|_| judge(&mut correlator, "a", 1) != "-").count();
        assert_eq!(told, 25);
        assert_eq!(judge(&mut correlator, "a", 290), "-");
        assert_eq!(judge(&mut correlator, "a", 302), "1 x42 again");
        assert_eq!(judge(&mut correlator, "a", 303), "-");
        let other = keys("other", "BackOff", "a");
        assert!(correlator.judge(&other, "a", "n", Time::from_secs(303)).is_some());
    }
}
