//! How virtual time follows wall time.

use naru_sim::Time;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How fast virtual time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many virtual seconds in a second.
    Times(f64),
    /// It stands still until it is moved by hand.
    Manual,
}

/// The fastest: nearly three virtual hours in a second.
const SPEED_MAX: f64 = 10_000.0;
/// How far virtual time may lag behind before the clock is set anew.
const LAG_MAX: Duration = Duration::from_millis(500);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches('x').parse::<f64>() {
            Ok(times) if times > 0.0 && times <= SPEED_MAX => Ok(Speed::Times(times)),
            _ => Err(format!("must be a number above 0 and at most {SPEED_MAX}")),
        }
    }
}

/// Tells the virtual time of a moment.
#[derive(Clone, Debug)]
pub struct Clock {
    speed: Speed,
    /// At this moment it was this virtual time.
    at: (Instant, Time),
    /// While time stands still: how far answers to clients may take it.
    allowed: Time,
}

impl Clock {
    /// A clock that goes on from `time`.
    pub fn new(speed: Speed, now: Instant, time: Time) -> Self {
        Clock { speed, at: (now, time), allowed: time }
    }

    /// Which virtual time it should be; never before `time`, which it is.
    pub fn target(&self, time: Time, now: Instant) -> Time {
        let target = match self.speed {
            Speed::Manual => self.allowed,
            Speed::Times(times) => {
                let passed = now.saturating_duration_since(self.at.0).as_secs_f64() * times;
                self.at.1 + Duration::from_secs_f64(passed.min(1e9))
            }
        };
        target.max(time)
    }

    /// How long until this virtual time; `None`: it does not come by itself.
    pub fn until(&self, time: Time, now: Instant) -> Option<Duration> {
        match self.speed {
            Speed::Manual => (time <= self.allowed).then_some(Duration::ZERO),
            Speed::Times(times) => {
                let left = time.since(self.target(Time::ZERO, now)).as_secs_f64() / times;
                Some(Duration::from_secs_f64(left.min(1e6)))
            }
        }
    }

    /// Lets time go on to this moment although it stands still.
    pub fn allow(&mut self, time: Time) {
        self.allowed = self.allowed.max(time);
    }

    /// It is this virtual time now, by hand.
    pub fn set(&mut self, time: Time, now: Instant) {
        self.at = (now, time);
    }

    /// The cluster could not keep up: what it lags behind is given up.
    pub fn fall_behind(&mut self, time: Time, now: Instant) {
        if self.target(time, now).since(time) > LAG_MAX && matches!(self.speed, Speed::Times(_)) {
            self.at = (now, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_as_fast_as_is_asked() {
        let start = Instant::now();
        let clock = Clock::new(Speed::Times(60.0), start, Time::from_secs(100));
        let later = start + Duration::from_secs(2);
        assert_eq!(clock.target(Time::ZERO, later), Time::from_secs(220));
        assert_eq!(clock.until(Time::from_secs(280), later), Some(Duration::from_secs(1)));
        assert_eq!(clock.target(Time::from_secs(300), later), Time::from_secs(300));
    }

    #[test]
    fn by_hand_it_stands_still_but_for_answers() {
        let start = Instant::now();
        let mut clock = Clock::new(Speed::Manual, start, Time::from_secs(100));
        let later = start + Duration::from_secs(2);
        assert_eq!(clock.target(Time::ZERO, later), Time::from_secs(100));
        assert_eq!(clock.until(Time::from_secs(101), later), None);
        clock.allow(Time::from_secs(101));
        assert_eq!(clock.target(Time::ZERO, later), Time::from_secs(101));
    }

    #[test]
    fn speeds() {
        assert_eq!("60".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        assert!("0".parse::<Speed>().is_err());
        assert!("fast".parse::<Speed>().is_err());
    }
}
