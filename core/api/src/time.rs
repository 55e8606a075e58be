//! Virtual time as Kubernetes writes it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time as MetaTime};
use naru_sim::Time;

/// The moment as `metav1.Time`, cut to whole seconds as upstream stores it.
pub fn meta_time(time: Time) -> MetaTime {
    MetaTime(timestamp(time.unix_micros().div_euclid(1_000_000) * 1_000_000))
}

/// The moment as `metav1.MicroTime`.
pub fn micro_time(time: Time) -> MicroTime {
    MicroTime(timestamp(time.unix_micros()))
}

/// The moment of virtual time that a `metav1.Time` names; times before the start become the start.
pub fn from_meta(time: &MetaTime) -> Time {
    let micros = time.0.as_microsecond() - Time::EPOCH_UNIX_SECONDS * 1_000_000;
    Time::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The moment of virtual time that a `metav1.MicroTime` names; times before the start become the
/// start.
pub fn from_micro(time: &MicroTime) -> Time {
    let micros = time.0.as_microsecond() - Time::EPOCH_UNIX_SECONDS * 1_000_000;
    Time::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// `2025-06-02T00:00:00Z`, or "" without a time.
pub fn rfc3339(time: Option<&MetaTime>) -> String {
    time.map(|time| format!("{:.0}", time.0)).unwrap_or_default()
}

/// `Mon, 02 Jun 2025 00:00:00 +0000`, as Go's `time.RFC1123Z` writes it.
pub fn rfc1123z(time: &MetaTime) -> String {
    // By hand: `strftime` takes as long as the rest of a description's line.
    let at = time.0.to_zoned(TimeZone::UTC);
    let name = |names: &[&'static str], number: i8| {
        usize::try_from(number - 1).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    let weekday = name(&WEEKDAYS, at.weekday().to_monday_one_offset());
    let (day, month, year) = (at.day(), name(&MONTHS, at.month()), at.year());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn timestamp(unix_micros: i64) -> Timestamp {
    // Out of jiff's range (year 9999) only for a cluster that ran for 7,000 virtual years.
    Timestamp::from_microsecond(unix_micros).unwrap_or(Timestamp::MAX)
}

/// Reads a moment in RFC 3339: `2025-01-01T00:00:00Z`.
pub fn parse_rfc3339(text: &str) -> Option<Time> {
    text.parse().ok().map(|time| from_micro(&MicroTime(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names() {
        for seconds in (0..4_000_000_000).step_by(1_234_567) {
            let time = MetaTime(timestamp(seconds * 1_000_000));
            let wanted = time.0.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
            assert_eq!(rfc1123z(&time), wanted);
        }
    }
}
