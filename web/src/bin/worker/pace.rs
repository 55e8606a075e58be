//! How fast virtual time follows real time.

use naru_sim::Time;
use naru_web::protocol::Speed;
use std::time::Duration;

/// When the machine cannot keep up, no more real time than this is caught up with, in milliseconds.
const DEBT_MAX: f64 = 250.0;

/// A straight line from real to virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: Speed,
    /// Milliseconds of real time at which virtual time was `virtual_start`.
    real_start: f64,
    virtual_start: Time,
}

impl Pace {
    /// Goes at `speed` from now on.
    pub fn new(speed: Speed, real_ms: f64, now: Time) -> Pace {
        Pace { speed, real_start: real_ms, virtual_start: now }
    }

    /// How fast it goes.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Where virtual time should be.
    pub fn target(&self, real_ms: f64) -> Time {
        let real_us = (real_ms - self.real_start).max(0.0) * 1000.0;
        let passed = real_us * f64::from(self.speed.0) / 1000.0;
        self.virtual_start + Duration::from_micros(passed as u64)
    }

    /// Starts again from here: after virtual time has jumped, or when it lags too far behind.
    pub fn restart(&mut self, real_ms: f64, now: Time) {
        *self = Pace::new(self.speed, real_ms, now);
    }

    /// Gives up what cannot be caught up with.
    pub fn forgive_debt(&mut self, real_ms: f64, now: Time) {
        let debt_us = self.target(real_ms).since(now).as_micros() as f64;
        if debt_us > DEBT_MAX * f64::from(self.speed.0) {
            self.restart(real_ms, now);
        }
    }

    /// Milliseconds of real time until virtual time should be at `due`; `None` when time stands
    /// still.
    pub fn wait_ms(&self, real_ms: f64, due: Time) -> Option<f64> {
        if self.speed.is_paused() {
            return None;
        }
        let missing_us = due.since(self.target(real_ms)).as_micros() as f64;
        Some(missing_us / f64::from(self.speed.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_at_its_speed() {
        for (speed, real_ms, expected) in [
            (Speed::REAL, 1_500.0, Time::from_millis(11_500)),
            (Speed::times(10), 1_500.0, Time::from_millis(25_000)),
            (Speed(100), 1_000.0, Time::from_millis(10_100)),
            (Speed::PAUSED, 9_000.0, Time::from_secs(10)),
            (Speed::REAL, -5.0, Time::from_secs(10)),
        ] {
            let pace = Pace::new(speed, 0.0, Time::from_secs(10));
            assert_eq!(pace.target(real_ms), expected, "{speed:?}");
        }
    }

    #[test]
    fn waits_in_real_time() {
        let pace = Pace::new(Speed::times(10), 100.0, Time::ZERO);
        assert_eq!(pace.wait_ms(100.0, Time::from_secs(1)), Some(100.0));
        assert_eq!(pace.wait_ms(400.0, Time::from_secs(1)), Some(0.0));
        let pace = Pace::new(Speed::PAUSED, 0.0, Time::ZERO);
        assert_eq!(pace.wait_ms(5.0, Time::from_secs(1)), None);
    }

    #[test]
    fn small_debts_are_kept_and_large_ones_forgiven() {
        let mut pace = Pace::new(Speed::REAL, 0.0, Time::ZERO);
        pace.forgive_debt(200.0, Time::ZERO);
        assert_eq!(pace.target(200.0), Time::from_millis(200));
        pace.forgive_debt(1_000.0, Time::from_millis(100));
        assert_eq!(pace.target(1_000.0), Time::from_millis(100));
    }
}
