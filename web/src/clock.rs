//! Moments and durations as people read them.

/// `2025-06-02 00:03:12`, in UTC, of microseconds since the Unix epoch.
pub fn date_time(unix_micros: i64) -> String {
    let seconds = unix_micros.div_euclid(1_000_000);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `03:12.4`, or `1:03:12` from an hour on: a stopwatch.
pub fn stopwatch(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{rest:02}")
    } else {
        format!("{minutes:02}:{rest:02}.{}", micros / 100_000 % 10)
    }
}

/// `12.345 s`: a moment in a list of happenings.
pub fn moment(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000)
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar, counted in eras of 400
/// years that begin on 1 March.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_748_822_592, "2025-06-02 00:03:12"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date_time(seconds * 1_000_000), text);
        }
    }

    #[test]
    fn stopwatches() {
        for (micros, text) in [
            (0, "00:00.0"),
            (72_450_000, "01:12.4"),
            (3_599_999_999, "59:59.9"),
            (3_600_000_000, "1:00:00"),
            (360_000_000_000, "100:00:00"),
        ] {
            assert_eq!(stopwatch(micros), text);
        }
        assert_eq!(moment(12_345_678), "12.345 s");
    }
}
