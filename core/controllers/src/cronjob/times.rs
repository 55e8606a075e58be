//! When a cron job is due.
//!
//! Upstream: `mostRecentScheduleTime` and what uses it in `pkg/controller/cronjob/utils.go`.

use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::CronJob;
use naru_api::cron::Schedule;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::time::Duration;

/// More missed times than this deserve a warning.
const MISSED_MAX: u64 = 100;
/// The controller looks that much after the time that is due. Upstream: `nextScheduleDelta`.
const DELTA: Duration = Duration::from_millis(100);

/// A schedule with the clocks it goes by, and from when on it counts.
pub(super) struct Clock<'a> {
    pub schedule: &'a Schedule,
    pub zone: &'a TimeZone,
    pub now: Time,
}

/// Times since the last one that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// From when on times count.
    earliest: Time,
    /// The last time that is over.
    pub latest: Option<Time>,
    count: u64,
}

impl Missed {
    /// Whether the controller has slept through suspiciously many.
    pub fn too_many(&self) -> bool {
        self.count > MISSED_MAX
    }
}

/// A schedule whose times cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time difference between two schedules is less than 1 second")]
pub(super) struct NoInterval;

impl Clock<'_> {
    fn next(&self, after: Time) -> Option<Time> {
        self.schedule.next(after, self.zone)
    }

    /// What has been missed; with `deadline`, what may no longer be started does not count.
    pub fn missed(&self, cron: &CronJob, deadline: bool) -> Result<Missed, NoInterval> {
        let status = cron.status.as_ref();
        let last = status.and_then(|status| status.last_schedule_time.as_ref());
        let created = cron.metadata.creation_timestamp.as_ref();
        let mut earliest = last.or(created).map_or(Time::ZERO, from_meta);
        let seconds = cron.spec.as_ref().and_then(|spec| spec.starting_deadline_seconds);
        if let Some(seconds) = seconds.filter(|_| deadline) {
            let window = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            let reach = self.now.since(Time::ZERO).saturating_sub(window);
            earliest = earliest.max(Time::ZERO + reach);
        }
        let none = Missed { earliest, latest: None, count: 0 };
        let first = self.next(earliest).ok_or(NoInterval)?;
        if self.now < first {
            return Ok(none);
        }
        let second = self.next(first).ok_or(NoInterval)?;
        if self.now < second {
            return Ok(Missed { latest: Some(first), ..none });
        }
        let interval = second.since(first).as_secs();
        if interval < 1 {
            return Err(NoInterval);
        }
        let count = self.now.since(first).as_secs() / interval + 1;
        // A schedule may be irregular: the last of its times is looked for from one interval
        // before where it would be if it were not.
        let mut time = first + Duration::from_secs(count.saturating_sub(2) * interval);
        let mut latest = None;
        while let Some(next) = self.next(time).filter(|next| *next <= self.now) {
            latest = Some(next);
            time = next;
        }
        Ok(Missed { earliest, latest, count })
    }

    /// How long it is until the schedule comes up again.
    pub fn until_next(&self, cron: &CronJob) -> Option<Duration> {
        let from = match self.missed(cron, false) {
            Ok(Missed { latest: Some(latest), .. }) => latest,
            Ok(Missed { count: 0, earliest, .. }) => earliest,
            _ => self.now,
        };
        Some(self.next(from)?.since(self.now) + DELTA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cron(last: Option<&str>, deadline: Option<i64>) -> CronJob {
        serde_json::from_value(json!({
            "metadata": {"creationTimestamp": "2025-06-02T00:00:30Z"},
            "spec": {"schedule": "", "jobTemplate": {}, "startingDeadlineSeconds": deadline},
            "status": {"lastScheduleTime": last},
        }))
        .unwrap()
    }

    #[test]
    fn missed_times() {
        // (schedule, last, deadline, now, latest, too many)
        let table = [
            ("* * * * *", None, None, 59, None, false),
            ("* * * * *", None, None, 60, Some(60), false),
            ("* * * * *", None, None, 3_601, Some(3_600), false),
            ("* * * * *", None, None, 100 * 60, Some(6_000), false),
            ("* * * * *", None, None, 101 * 60, Some(6_060), true),
            ("* * * * *", Some("2025-06-02T01:00:00Z"), None, 3_630, None, false),
            ("* * * * *", None, Some(200), 101 * 60, Some(6_060), false),
            ("0 * * * *", None, Some(10), 3_630, None, false),
            // Irregular: 2 hours, then 22.
            ("0 8,10 * * *", None, None, 9 * 3_600, Some(8 * 3_600), false),
            // Upstream's estimate is past the last time, which is then not made up for.
            ("0 8,10 * * *", None, None, 20 * 3_600, None, false),
        ];
        for (schedule, last, deadline, now, latest, many) in table {
            let parsed: Schedule = schedule.parse().unwrap();
            let now = Time::from_secs(now);
            let clock = Clock { schedule: &parsed, zone: &TimeZone::UTC, now };
            let missed = clock.missed(&cron(last, deadline), true).unwrap();
            assert_eq!(missed.latest, latest.map(Time::from_secs), "{schedule} {now:?}");
            assert_eq!(missed.too_many(), many, "{schedule} {now:?}");
        }
    }

    #[test]
    fn next_times() {
        let parsed: Schedule = "0 * * * *".parse().unwrap();
        let wait = |now, last| {
            let clock =
                Clock { schedule: &parsed, zone: &TimeZone::UTC, now: Time::from_secs(now) };
            clock.until_next(&cron(last, None)).unwrap().as_millis()
        };
        assert_eq!(wait(60, None), 3_540_100);
        assert_eq!(wait(3_600, Some("2025-06-02T01:00:00Z")), 3_600_100);
        assert_eq!(wait(7_300, Some("2025-06-02T01:00:00Z")), 3_500_100);
    }
}
