//! Time zones by name: `Asia/Seoul`, `UTC`.
//!
//! The cluster's calendar begins in 2025, so of each zone only the rule is kept that holds from
//! then on, in POSIX's form, as the time zone database itself keeps it at the end of each file.

use jiff::tz::TimeZone;

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
