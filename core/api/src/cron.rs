//! Schedules of cron jobs: `*/5 * * * *`, `@daily`, `@every 1h30m`.
//!
//! Upstream: `github.com/robfig/cron/v3` (`ParseStandard`), whose messages these are.

use crate::gofmt::quote;
use crate::{duration, timezone};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use naru_sim::Time;
use std::str::FromStr;

/// When something is to happen again and again.
///
/// ```
/// # use naru_api::{cron::Schedule, timezone};
/// # use naru_sim::Time;
/// // The clock of a cluster starts at midnight.
/// let schedule: Schedule = "30 1 * * *".parse().unwrap();
/// let zone = timezone::find("UTC").unwrap();
/// assert_eq!(schedule.next(Time::ZERO, &zone), Some(Time::from_secs(5400)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    when: When,
    zone: Option<TimeZone>,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    Fields(Fields),
    /// Seconds, at least one.
    Every(i64),
}

/// For each field a bit for each value that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
}

/// A schedule that cannot be read; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(String);

/// The values that a field can have, and their names.
struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Set in a field that was given as `*`: a day then has to match both of its fields.
const STAR: u64 = 1 << 63;
/// How far ahead a time is looked for.
const YEARS_MAX: i16 = 5;
const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 3600;

impl FromStr for Schedule {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.is_empty() {
            return Err(CronError("empty spec string".to_owned()));
        }
        let named = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
        let Some(named) = named else { return Ok(Schedule { when: when(text)?, zone: None }) };
        let (name, rest) = named.split_once(' ').unwrap_or((named, ""));
        let zone = timezone::find(name).ok_or_else(|| {
            CronError(format!("provided bad location {name}: unknown time zone {name}"))
        })?;
        Ok(Schedule { when: when(rest.trim())?, zone: Some(zone) })
    }
}

impl Schedule {
    /// The first moment after `after` by the clocks of `zone`; `None` when there is none within
    /// five years, as with the 30th of February. A zone in the schedule itself wins.
    pub fn next(&self, after: Time, zone: &TimeZone) -> Option<Time> {
        let seconds = after.unix_micros().div_euclid(1_000_000);
        let found = match &self.when {
            When::Every(delay) => Timestamp::from_second(seconds.checked_add(*delay)?).ok()?,
            When::Fields(fields) => {
                let from = Timestamp::from_second(seconds + 1).ok()?;
                fields.first(from, self.zone.as_ref().unwrap_or(zone))?
            }
        };
        let since = found.as_second().checked_sub(Time::EPOCH_UNIX_SECONDS)?;
        u64::try_from(since).ok().map(Time::from_secs)
    }
}

impl Fields {
    /// The first moment that matches, from `from` on.
    fn first(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut moment = from;
        let last_year = zone.to_datetime(from).year() + YEARS_MAX;
        loop {
            let local = zone.to_datetime(moment);
            if local.year() > last_year {
                return None;
            }
            moment = match self.mismatch(local) {
                None => return Some(moment),
                Some(Part::Month) => start(
                    local.date().first_of_month().checked_add(Span::new().months(1)).ok()?,
                    zone,
                )?,
                Some(Part::Day) => start(local.date().tomorrow().ok()?, zone)?,
                Some(Part::Hour) => later(
                    moment,
                    HOUR_SECONDS - local.minute() as i64 * 60 - local.second() as i64,
                )?,
                Some(Part::Minute) => later(moment, MINUTE_SECONDS - local.second() as i64)?,
            };
        }
    }

    /// The largest part of a time that does not match.
    fn mismatch(&self, local: DateTime) -> Option<Part> {
        let has = |bits: u64, value: i8| bits & (1 << u64::from(value.unsigned_abs())) != 0;
        let weekday = local.weekday().to_sunday_zero_offset();
        let (day, weekday) = (has(self.day, local.day()), has(self.weekday, weekday));
        let either = (self.day | self.weekday) & STAR == 0;
        let days = if either { day || weekday } else { day && weekday };
        match () {
            () if !has(self.month, local.month()) => Some(Part::Month),
            () if !days => Some(Part::Day),
            () if !has(self.hour, local.hour()) => Some(Part::Hour),
            () if !has(self.minute, local.minute()) || local.second() != 0 => Some(Part::Minute),
            () => None,
        }
    }
}

enum Part {
    Month,
    Day,
    Hour,
    Minute,
}

/// The first moment of a day; where clocks skip midnight, the first that there is.
fn start(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight())).compatible().ok()
}

fn later(moment: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(moment.as_second().checked_add(seconds)?).ok()
}

fn when(text: &str) -> Result<When, CronError> {
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(CronError(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        )));
    };
    Ok(When::Fields(Fields {
        minute: field(minute, &MINUTES)?,
        hour: field(hour, &HOURS)?,
        day: field(day, &DAYS)?,
        month: field(month, &MONTHS)?,
        weekday: field(weekday, &WEEKDAYS)?,
    }))
}

fn descriptor(text: &str) -> Result<When, CronError> {
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(every) = text.strip_prefix("@every ") else {
                return Err(CronError(format!("unrecognized descriptor: {text}")));
            };
            let nanos = duration::parse(every)
                .map_err(|error| CronError(format!("failed to parse duration {text}: {error}")))?;
            return Ok(When::Every((nanos / 1_000_000_000).max(1)));
        }
    };
    when(fields)
}

/// The bits of a field: ranges that commas divide.
fn field(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let ranges = text.split(',').filter(|range| !range.is_empty());
    ranges.map(|text| range(text, bounds)).try_fold(0, |bits, range| Ok(bits | range?))
}

/// The bits of a number, `1-5`, `*/10`, `3/2` (from 3 on, every second).
fn range(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts.first().unwrap_or(&"").split('-').collect();
    let (start, mut end, mut star) = match ends.as_slice() {
        ["*" | "?", ..] => (bounds.min, bounds.max, STAR),
        [one] => {
            let one = number_or_name(one, bounds)?;
            (one, one, 0)
        }
        [first, last] => (number_or_name(first, bounds)?, number_or_name(last, bounds)?, 0),
        [first, ..] => {
            number_or_name(first, bounds)?;
            return Err(CronError(format!("too many hyphens: {text}")));
        }
        [] => return Err(CronError(format!("too many hyphens: {text}"))),
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if ends.len() == 1 {
                end = bounds.max;
            }
            if step > 1 {
                star = 0;
            }
            step
        }
        _ => return Err(CronError(format!("too many slashes: {text}"))),
    };
    let (min, max) = (bounds.min, bounds.max);
    let problem = match () {
        () if start < min => format!("beginning of range ({start}) below minimum ({min})"),
        () if end > max => format!("end of range ({end}) above maximum ({max})"),
        () if start > end => format!("beginning of range ({start}) beyond end of range ({end})"),
        () if step == 0 => "step of range should be a positive number".to_owned(),
        () => {
            let mut bits = star;
            let mut value = start;
            while value <= end {
                bits |= 1 << value;
                value = value.saturating_add(step);
            }
            return Ok(bits);
        }
    };
    Err(CronError(format!("{problem}: {text}")))
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let lower = text.to_ascii_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(index) => Ok(bounds.min + index as u64),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, CronError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable(text, "invalid syntax"));
    }
    let number: i64 = text.parse().map_err(|_| unreadable(text, "value out of range"))?;
    u64::try_from(number)
        .map_err(|_| CronError(format!("negative number ({number}) not allowed: {text}")))
}

fn unreadable(text: &str, why: &str) -> CronError {
    let quoted = quote(text);
    CronError(format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    /// Seconds of the moments at which a schedule comes up, from the start of the cluster.
    fn times(schedule: &str, zone: &str, count: usize) -> Vec<u64> {
        let schedule: Schedule = schedule.parse().unwrap();
        let zone = timezone::find(zone).unwrap();
        let mut now = Time::ZERO;
        let mut found = Vec::new();
        while let Some(next) = schedule.next(now, &zone).filter(|_| found.len() < count) {
            found.push(next.as_secs());
            now = next;
        }
        found
    }

    // The cluster starts on Monday 2025-06-02, 00:00 UTC.
    #[test]
    fn next_times() {
        let table = [
            ("* * * * *", "UTC", vec![60, 120, 180]),
            ("*/5 * * * *", "UTC", vec![300, 600, 900]),
            ("0 0 * * *", "UTC", vec![DAY, 2 * DAY, 3 * DAY]),
            ("@daily", "UTC", vec![DAY, 2 * DAY]),
            ("@hourly", "UTC", vec![3600, 7200]),
            ("@every 90s", "UTC", vec![90, 180, 270]),
            ("@every 10ms", "UTC", vec![1, 2]),
            ("30 9-10 * * 1-5", "UTC", vec![34_200, 37_800, DAY + 34_200]),
            ("0 0 * * sun", "UTC", vec![6 * DAY, 13 * DAY]),
            // 2025-06-13 is a Friday: either day matches.
            ("0 0 13 * fri", "UTC", vec![4 * DAY, 11 * DAY, 18 * DAY]),
            ("0 0 1 JAN *", "UTC", vec![213 * DAY]),
            ("0 0 30 2 *", "UTC", vec![]),
            ("0 0 29 2 *", "UTC", vec![1002 * DAY]),
            ("0 9 * * *", "Asia/Seoul", vec![DAY]),
            ("TZ=Asia/Seoul 0 10 * * *", "UTC", vec![3600]),
        ];
        for (schedule, zone, wanted) in table {
            let count = wanted.len().max(1);
            assert_eq!(times(schedule, zone, count), wanted, "{schedule}");
        }
    }

    #[test]
    fn clocks_that_change() {
        // In New York 2025-11-02 has 01:30 twice, and 2026-03-08 has no 02:30.
        let seconds = |text: &str| {
            let at: Timestamp = text.parse().unwrap();
            u64::try_from(at.as_second() - Time::EPOCH_UNIX_SECONDS).unwrap()
        };
        let schedule: Schedule = "30 1 2 11 *".parse().unwrap();
        let zone = timezone::find("America/New_York").unwrap();
        let first = schedule.next(Time::ZERO, &zone).unwrap();
        assert_eq!(first.as_secs(), seconds("2025-11-02T05:30:00Z"));
        let second = schedule.next(first, &zone).unwrap();
        assert_eq!(second.as_secs(), seconds("2025-11-02T06:30:00Z"));
        let schedule: Schedule = "30 2 * 3 *".parse().unwrap();
        let before = Time::from_secs(seconds("2026-03-07T12:00:00Z"));
        let next = schedule.next(before, &zone).unwrap();
        assert_eq!(next.as_secs(), seconds("2026-03-09T06:30:00Z"));
    }

    // The texts were printed by robfig/cron v3.0.1.
    #[test]
    fn errors_are_upstreams() {
        let table = [
            ("", "empty spec string"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            (
                "x * * * *",
                "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"),
            ("@often", "unrecognized descriptor: @often"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
            ("TZ=Mars 0 0 * * *", "provided bad location Mars: unknown time zone Mars"),
            (
                "99999999999999999999 * * * *",
                "failed to parse int from 99999999999999999999: strconv.Atoi: parsing \
                 \"99999999999999999999\": value out of range",
            ),
        ];
        for (text, message) in table {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert_eq!(error, message, "{text}");
        }
    }

    #[test]
    fn hostile_steps_end() {
        assert!("*/9223372036854775807 * * * *".parse::<Schedule>().is_ok());
    }
}
