//! Delays that double: of image pulls and of restarts.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/flowcontrol/backoff.go`.

use naru_sim::Time;
use std::time::Duration;

/// The first delay. Upstream: `MaxContainerBackOff`'s neighbour `backOffPeriod`.
const INITIAL: Duration = Duration::from_secs(10);
/// The longest delay. Upstream: `MaxContainerBackOff`.
const MAX: Duration = Duration::from_secs(300);

/// The delay of one image or one container.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    delay: Duration,
    updated: Time,
}

impl Backoff {
    /// Something failed, or is tried again: from now on the delay is longer.
    pub fn next(&mut self, now: Time) {
        let delay = match self.entry {
            Some(entry) if !expired(entry, now) => (entry.delay * 2).min(MAX),
            _ => INITIAL,
        };
        self.entry = Some(Entry { delay, updated: now });
    }

    /// Whether a thing that ended at `event` must still wait.
    pub fn waits_since(&self, event: Time, now: Time) -> bool {
        self.entry.is_some_and(|entry| !expired(entry, event) && now.since(event) < entry.delay)
    }

    /// Whether a thing that failed when [`Backoff::next`] was called must still wait.
    pub fn waits_since_update(&self, now: Time) -> bool {
        self.entry
            .is_some_and(|entry| !expired(entry, now) && now.since(entry.updated) < entry.delay)
    }

    /// The delay now.
    pub fn delay(&self) -> Duration {
        self.entry.map_or(Duration::ZERO, |entry| entry.delay)
    }
}

/// After twice the longest delay without trouble all is forgotten.
fn expired(entry: Entry, now: Time) -> bool {
    now.since(entry.updated) > MAX * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_ten_seconds_to_five_minutes() {
        let mut backoff = Backoff::default();
        let mut now = Time::ZERO;
        let mut delays = Vec::new();
        for _ in 0..7 {
            backoff.next(now);
            delays.push(backoff.delay().as_secs());
            now = now + backoff.delay();
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn is_forgotten_after_ten_quiet_minutes() {
        let mut backoff = Backoff::default();
        backoff.next(Time::ZERO);
        backoff.next(Time::from_secs(10));
        assert!(backoff.waits_since(Time::from_secs(100), Time::from_secs(119)));
        assert!(!backoff.waits_since(Time::from_secs(100), Time::from_secs(120)));
        assert!(!backoff.waits_since(Time::from_secs(611), Time::from_secs(612)));
        backoff.next(Time::from_secs(611));
        assert_eq!(backoff.delay().as_secs(), 10);
    }

    #[test]
    fn nothing_waits_before_the_first_failure() {
        assert!(!Backoff::default().waits_since_update(Time::ZERO));
    }
}
