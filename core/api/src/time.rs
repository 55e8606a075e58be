//! Virtual time as Kubernetes writes it.

use jiff::Timestamp;
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
    time.0.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn timestamp(unix_micros: i64) -> Timestamp {
    // Out of jiff's range (year 9999) only for a cluster that ran for 7,000 virtual years.
    Timestamp::from_microsecond(unix_micros).unwrap_or(Timestamp::MAX)
}

/// Reads a moment in RFC 3339: `2025-01-01T00:00:00Z`.
pub fn parse_rfc3339(text: &str) -> Option<Time> {
    let time = serde_json::from_value(serde_json::Value::from(text)).ok()?;
    Some(from_meta(&time))
}
