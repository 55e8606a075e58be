//! Virtual time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment of virtual time, in microseconds since the cluster was switched on.
///
/// Durations are [`std::time::Duration`]; arithmetic saturates, so a hostile duration cannot
/// overflow.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(u64);

impl Time {
    /// The moment the cluster was switched on.
    pub const ZERO: Time = Time(0);
    /// Later than everything that can happen.
    pub const MAX: Time = Time(u64::MAX);

    /// The calendar date of [`Time::ZERO`] in seconds of the Unix epoch: 2025-06-02T00:00:00Z.
    ///
    /// A cluster has no wall clock, so its calendar starts on a fixed Monday.
    pub const EPOCH_UNIX_SECONDS: i64 = 1_748_822_400;

    /// A moment this many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Time(micros)
    }

    /// A moment this many milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000))
    }

    /// A moment this many seconds after the start.
    pub const fn from_secs(secs: u64) -> Self {
        Time(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the start.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Microseconds of the Unix epoch, by the cluster's own calendar.
    pub const fn unix_micros(self) -> i64 {
        let since = if self.0 > i64::MAX as u64 / 2 { i64::MAX / 2 } else { self.0 as i64 };
        Self::EPOCH_UNIX_SECONDS * 1_000_000 + since
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, rhs: Duration) -> Time {
        let whole = rhs.as_secs().saturating_mul(1_000_000);
        Time(self.0.saturating_add(whole).saturating_add(u64::from(rhs.subsec_micros())))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, rhs: Duration) -> Time {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Time {
    /// Minutes, seconds and milliseconds since the start: `12:03.250`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        let (secs, minutes) = (millis / 1_000, millis / 60_000);
        write!(f, "{minutes:02}:{:02}.{:03}", secs % 60, millis % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::MAX + Duration::MAX, Time::MAX);
        assert_eq!(Time::ZERO - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::ZERO.since(Time::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn shows_minutes_seconds_and_milliseconds() {
        assert_eq!(Time::from_millis(723_250).to_string(), "12:03.250");
    }
}
