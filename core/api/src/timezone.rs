//! Time zones by name: `Asia/Seoul`, `UTC`.
//!
//! The cluster's calendar begins in 2025, so of each zone only the rule is kept that holds from
//! then on, in POSIX's form, as the time zone database itself keeps it at the end of each file.

use jiff::tz::{Offset, TimeZone};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;

/// The zones of the IANA time zone database (2025b, public domain): `name rule`, sorted by name.
const ZONES: &str = include_str!("timezones.txt");

/// The zone of a name; `None` when there is none. Names are told apart by case.
///
/// ```
/// assert!(naru_api::timezone::find("Asia/Seoul").is_some());
/// assert!(naru_api::timezone::find("Asia/Pyoengyang").is_none());
/// ```
pub fn find(name: &str) -> Option<TimeZone> {
    if name.is_empty() {
        return Some(TimeZone::UTC);
    }
    let rule = ZONES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    TimeZone::posix(rule).ok()
}

/// A moment by the clocks of a zone: `2025-06-02T09:00:00+09:00`, with `Z` where they show UTC.
///
/// Upstream: Go's `time.RFC3339`.
pub fn rfc3339(time: &MetaTime, zone: &TimeZone) -> String {
    let local = time.0.to_zoned(zone.clone());
    let format =
        if local.offset() == Offset::UTC { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
    local.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn every_rule_can_be_read() {
        for line in ZONES.lines() {
            let (name, _) = line.split_once(' ').unwrap();
            assert!(find(name).is_some(), "{line}");
        }
    }

    #[test]
    fn local_times() {
        let time = MetaTime("2025-06-02T00:00:00Z".parse().unwrap());
        let at = |zone| rfc3339(&time, &find(zone).unwrap());
        assert_eq!(at(""), "2025-06-02T00:00:00Z");
        assert_eq!(at("Asia/Seoul"), "2025-06-02T09:00:00+09:00");
        assert_eq!(at("America/New_York"), "2025-06-01T20:00:00-04:00");
    }

    #[test]
    fn offsets() {
        // 2025-06-02 and 2025-12-01, in hours.
        let table = [("UTC", 0, 0), ("Asia/Seoul", 9, 9), ("Europe/Berlin", 2, 1), ("", 0, 0)];
        for (name, summer, winter) in table {
            let zone = find(name).unwrap();
            let hours =
                |seconds| zone.to_offset(Timestamp::from_second(seconds).unwrap()).seconds() / 3600;
            assert_eq!((hours(1_748_822_400), hours(1_764_547_200)), (summer, winter), "{name}");
        }
    }
}
