//! One watch of a process: open, or lost and to be asked for again.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/cache/reflector.go`.

use crate::Watch;
use naru_api::WatchId;
use naru_sim::{Rng, Time};
use std::time::Duration;

/// A watch that a process wants to have open all the time.
#[derive(Clone, Debug)]
pub(crate) struct Reflector {
    pub(crate) watch: Watch,
    /// The controllers, by their places, that are told of what it delivers.
    pub(crate) audience: Vec<usize>,
    state: State,
    /// How often in a row it was not to be had.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open(WatchId),
    Lost { retry_at: Time },
}

impl Reflector {
    /// The pause after a first failure, doubled with every further one. Upstream:
    /// `NewReflectorWithOptions`.
    const BACKOFF_BASE: Duration = Duration::from_millis(800);
    /// The longest pause.
    const BACKOFF_MAX: Duration = Duration::from_secs(30);

    /// A watch that is not open yet.
    pub(crate) fn new(watch: Watch, audience: Vec<usize>) -> Self {
        Reflector { watch, audience, state: State::Lost { retry_at: Time::ZERO }, failures: 0 }
    }

    /// Its number at the API server while it is open.
    pub(crate) fn id(&self) -> Option<WatchId> {
        match self.state {
            State::Open(id) => Some(id),
            State::Lost { .. } => None,
        }
    }

    /// When to ask for it again.
    pub(crate) fn retry_at(&self) -> Option<Time> {
        match self.state {
            State::Open(_) => None,
            State::Lost { retry_at } => Some(retry_at),
        }
    }

    pub(crate) fn open(&mut self, id: WatchId) {
        self.state = State::Open(id);
        self.failures = 0;
    }

    /// It was lost, or was not to be had: it is asked for after a pause, and up to as much again.
    pub(crate) fn lose(&mut self, now: Time, rng: &mut Rng) {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = Self::BACKOFF_BASE.saturating_mul(factor).min(Self::BACKOFF_MAX);
        let jitter = Duration::from_millis(rng.below(pause.as_millis() as u64));
        self.failures = self.failures.saturating_add(1).min(31);
        self.state = State::Lost { retry_at: now + pause + jitter };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::k8s_openapi::api::core::v1::Pod;

    #[test]
    fn pauses_grow_to_half_a_minute_and_as_much_again() {
        let mut rng = Rng::new(1);
        let mut reflector = Reflector::new(Watch::all::<Pod>(), Vec::new());
        for (failures, millis) in [(0, 800), (1, 1_600), (5, 25_600), (6, 30_000), (40, 30_000)] {
            reflector.failures = failures;
            reflector.lose(Time::ZERO, &mut rng);
            let pause = reflector.retry_at().unwrap_or_default().as_millis();
            assert!((millis..2 * millis).contains(&pause), "{failures}: {pause}");
        }
        reflector.open(WatchId(1));
        assert_eq!((reflector.retry_at(), reflector.failures), (None, 0));
    }
}
