//! Virtual time as programs write it in their logs and headers.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use naru_sim::Time;

/// `Mon, 02 Jun 2025 00:00:00 GMT`: HTTP's `Date`.
pub const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// `2025/06/02 00:00:00`: Go's `log`, nginx's error log.
pub const GO_LOG: &str = "%Y/%m/%d %H:%M:%S";
/// `02/Jun/2025:00:00:00 +0000`: the access logs of nginx and Apache.
pub const COMMON_LOG: &str = "%d/%b/%Y:%H:%M:%S +0000";
/// `02/Jun/2025 00:00:00`: Werkzeug.
pub const WERKZEUG: &str = "%d/%b/%Y %H:%M:%S";
/// `02 Jun 2025 00:00:00.000`: Redis.
pub const REDIS: &str = "%d %b %Y %H:%M:%S.%3f";
/// `2025-06-02T00:00:00.000Z`: JavaScript's `toJSON`.
pub const ISO_MILLIS: &str = "%Y-%m-%dT%H:%M:%S.%3fZ";
/// `2025-06-02T00:00:00`: the scripts and the servers of databases.
pub const ISO_SECONDS: &str = "%Y-%m-%dT%H:%M:%S";
/// `0602 00:00:00.000000`: klog's header after the level.
pub const KLOG: &str = "%m%d %H:%M:%S.%6f";

/// The moment in this format; "" for a moment past the year 9999.
pub fn format(time: Time, pattern: &str) -> String {
    format_unix(time.unix_micros(), pattern)
}

/// The moment so many microseconds after the start of 1970, in this format; "" where there is none.
pub fn format_unix(micros: i64, pattern: &str) -> String {
    Timestamp::from_microsecond(micros)
        .ok()
        .and_then(|moment| strtime::format(pattern, &moment.to_zoned(TimeZone::UTC)).ok())
        .unwrap_or_default()
}

/// The line `Date` of a server's answers, which is made once a second.
#[derive(Clone, Debug, Default)]
pub struct Date {
    second: Option<u64>,
    text: String,
}

impl Date {
    /// The line at this moment: [`HTTP_DATE`].
    pub fn at(&mut self, now: Time) -> String {
        let second = Some(now.as_secs());
        if self.second != second {
            *self = Date { second, text: format(now, HTTP_DATE) };
        }
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let time = Time::from_millis(3_723_045);
        let table = [
            (HTTP_DATE, "Mon, 02 Jun 2025 01:02:03 GMT"),
            (GO_LOG, "2025/06/02 01:02:03"),
            (COMMON_LOG, "02/Jun/2025:01:02:03 +0000"),
            (ISO_MILLIS, "2025-06-02T01:02:03.045Z"),
            (KLOG, "0602 01:02:03.045000"),
        ];
        for (pattern, text) in table {
            assert_eq!(format(time, pattern), text);
        }
    }
}
