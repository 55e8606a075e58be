//! The processor time of a machine.

use naru_sim::Time;
use std::time::Duration;

/// What a turn of a program takes of the processor.
pub(super) const TURN: Duration = Duration::from_micros(50);

/// Under a limit the processor time of so long may be used at once. Upstream: the period of the
/// kernel's CFS quota.
const PERIOD_MICROS: f64 = 100_000.0;

/// Counts the processor time of a machine, and holds it back where it has a limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    used_micros: u64,
    /// Thousandths of a processor; `None`: as many as there are.
    limit_milli: Option<u64>,
    /// With a limit: when what was asked for so far is done, and what could be used at full speed
    /// then.
    busy_until: Time,
    credit_micros: f64,
}

impl Cpu {
    /// The same, but may use only so many thousandths of a processor.
    pub fn with_limit(self, limit_milli: Option<u64>) -> Self {
        let limit_milli = limit_milli.map(|limit| limit.max(1));
        let credit_micros = limit_milli.map_or(0.0, |limit| PERIOD_MICROS * share(limit));
        Cpu { limit_milli, credit_micros, ..self }
    }

    /// Processor time used since the machine was started.
    pub fn used(&self) -> Duration {
        Duration::from_micros(self.used_micros)
    }

    /// So many microseconds were used besides, long enough ago that nothing is held back for them.
    pub fn add(&mut self, micros: u64) {
        self.used_micros = self.used_micros.saturating_add(micros);
    }

    /// Uses the processor, on the account of a process too; answers how long it takes.
    ///
    /// A program has one thread: it takes no less than the time itself. Under a limit everything
    /// on the machine shares what there is.
    pub fn burn(&mut self, process_micros: &mut u64, cpu: Duration, now: Time) -> Duration {
        let micros = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        self.used_micros = self.used_micros.saturating_add(micros);
        *process_micros = process_micros.saturating_add(micros);
        let Some(limit) = self.limit_milli else { return cpu };
        let took = self.throttle(micros as f64, share(limit), now);
        self.busy_until.since(now).max(Duration::from_micros(took)).max(cpu)
    }

    /// Works at full speed while there is credit, and then as fast as it comes in.
    fn throttle(&mut self, work: f64, share: f64, now: Time) -> u64 {
        let idle = now.since(self.busy_until).as_micros() as f64;
        let credit = (self.credit_micros + idle * share).min(PERIOD_MICROS * share);
        let fast = if share < 1.0 { work.min(credit / (1.0 - share)) } else { 0.0 };
        let micros = (fast + (work - fast) / share).ceil() as u64;
        self.credit_micros = (credit - fast * (1.0 - share)).max(0.0);
        self.busy_until = self.busy_until.max(now) + Duration::from_micros(micros);
        micros
    }
}

fn share(limit_milli: u64) -> f64 {
    limit_milli as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_stretches_time() {
        let millis = Duration::from_millis;
        let mut process = 0;
        let mut free = Cpu::default().with_limit(None);
        assert_eq!(free.burn(&mut process, millis(60), Time::ZERO), millis(60));
        assert_eq!(free.burn(&mut process, millis(60), Time::ZERO), millis(60));
        assert_eq!((free.used(), process), (millis(120), 120_000));

        let mut half = Cpu::default().with_limit(Some(500));
        let mut at = |milli, cpu| half.burn(&mut process, millis(cpu), Time::from_millis(milli));
        assert_eq!(at(0, 60), millis(60), "the first 50 ms are there at once");
        assert_eq!(at(60, 60), millis(80), "20 ms of credit were left");
        assert_eq!(at(60, 60), millis(200), "now only half a processor, after what is under way");
        assert_eq!(at(2_000, 60), millis(60), "rested");
        let mut two = Cpu::default().with_limit(Some(2_000));
        assert_eq!(two.burn(&mut process, millis(60), Time::ZERO), millis(60));
    }
}
