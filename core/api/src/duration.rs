//! Durations as people read them: the AGE column.
//!
//! Upstream: `apimachinery/pkg/util/duration/duration.go`.

use crate::gofmt::quote;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time as MetaTime};
use naru_sim::Time;
use std::time::Duration;

/// With two or three figures: `45s`, `4m15s`, `3h20m`, `2d4h`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |big: u64, unit: char, small: u64, small_unit: char| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 24 * 8 => two(days, 'd', hours % 24, 'h'),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => two(years, 'y', days % 365, 'd'),
        () => format!("{years}y"),
    }
}

/// With one figure: `45s`, `4m`, `3h`.
pub fn short_human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let hours = seconds / 3600;
    match () {
        () if seconds < 60 => format!("{seconds}s"),
        () if seconds < 3600 => format!("{}m", seconds / 60),
        () if hours < 24 => format!("{hours}h"),
        () if hours < 24 * 365 => format!("{}d", hours / 24),
        () => format!("{}y", hours / 24 / 365),
    }
}

/// How long ago a time was, or `<unknown>` without one. A time within the next two seconds was
/// now; later ones are `<invalid>`.
pub fn since(time: Option<&MetaTime>, now: Time) -> String {
    time.map_or("<unknown>".to_owned(), |time| since_micros(time.0.as_microsecond(), now))
}

/// As [`since`], of a time with microseconds.
pub fn since_micro(time: Option<&MicroTime>, now: Time) -> String {
    time.map_or("<unknown>".to_owned(), |time| since_micros(time.0.as_microsecond(), now))
}

fn since_micros(then: i64, now: Time) -> String {
    let micros = now.unix_micros().saturating_sub(then);
    match u64::try_from(micros) {
        Ok(micros) => human(Duration::from_micros(micros)),
        Err(_) if micros > -2_000_000 => "0s".to_owned(),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// The duration cut to milliseconds, as Go writes it: `1.234s`, `2m40s`, `350ms`.
pub fn go(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1_000 {
        return if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") };
    }
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    let mut text = String::new();
    if seconds >= 3_600 {
        text.push_str(&format!("{}h", seconds / 3_600));
    }
    if seconds >= 60 {
        text.push_str(&format!("{}m", seconds / 60 % 60));
    }
    text.push_str(&(seconds % 60).to_string());
    if rest > 0 {
        text.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    text.push('s');
    text
}

/// Nanoseconds of a Go duration: `1h30m`, `1.5s`, `-2ms`, `0`. The errors are Go's.
///
/// Upstream: `time.ParseDuration` of Go.
pub fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end).ok_or_else(invalid)?;
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).ok_or_else(invalid)?;
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {}", quote(text))),
            unit => {
                let (unit, text) = (quote(unit), quote(text));
                return Err(format!("time: unknown unit {unit} in duration {text}"));
            }
        };
        total += number * scale;
        rest = after;
    }
    if total >= i64::MAX as f64 {
        return Err(invalid());
    }
    let nanos = total.round() as i64;
    Ok(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::meta_time;

    #[test]
    fn ages() {
        const DAY: u64 = 86_400;
        // seconds, human, short
        let table = [
            (0, "0s", "0s"),
            (59, "59s", "59s"),
            (60, "60s", "1m"),
            (119, "119s", "1m"),
            (120, "2m", "2m"),
            (121, "2m1s", "2m"),
            (599, "9m59s", "9m"),
            (600, "10m", "10m"),
            (3 * 3600 - 1, "179m", "2h"),
            (3 * 3600, "3h", "3h"),
            (3 * 3600 + 60, "3h1m", "3h"),
            (8 * 3600 + 60, "8h", "8h"),
            (47 * 3600, "47h", "1d"),
            (2 * DAY, "2d", "2d"),
            (2 * DAY + 3600, "2d1h", "2d"),
            (8 * DAY + 3600, "8d", "8d"),
            (729 * DAY, "729d", "1y"),
            (730 * DAY, "2y", "2y"),
            (731 * DAY, "2y1d", "2y"),
            (8 * 365 * DAY + DAY, "8y", "8y"),
        ];
        for (seconds, long, short) in table {
            assert_eq!(human(Duration::from_secs(seconds)), long, "{seconds}");
            assert_eq!(short_human(Duration::from_secs(seconds)), short, "{seconds}");
        }
    }

    #[test]
    fn reads_durations_as_go_does() {
        let table = [
            ("0", Ok(0)),
            ("1.5s", Ok(1_500_000_000)),
            ("1h30m", Ok(5_400_000_000_000)),
            ("-2ms", Ok(-2_000_000)),
            ("1h15m30.5s", Ok(4_530_500_000_000)),
            (".s", Err("time: invalid duration \".s\"")),
            ("", Err("time: invalid duration \"\"")),
            ("x", Err("time: invalid duration \"x\"")),
            ("5", Err("time: missing unit in duration \"5\"")),
            ("5d", Err("time: unknown unit \"d\" in duration \"5d\"")),
        ];
        for (text, wanted) in table {
            assert_eq!(parse(text), wanted.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn times() {
        let now = Time::from_secs(100);
        let ago = |secs| since(Some(&meta_time(Time::from_secs(secs))), now);
        assert_eq!(since(None, now), "<unknown>");
        assert_eq!(ago(90), "10s");
        assert_eq!(ago(101), "0s");
        assert_eq!(ago(103), "<invalid>");
    }

    #[test]
    fn as_go_writes_them() {
        let table = [
            (0, "0s"),
            (5, "5ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_230, "1.23s"),
            (10_000, "10s"),
            (160_000, "2m40s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
            (3_725_004, "1h2m5.004s"),
        ];
        for (given, text) in table {
            assert_eq!(go(Duration::from_millis(given)), text);
        }
    }
}
