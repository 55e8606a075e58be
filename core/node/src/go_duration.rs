//! Durations as Go's `time.Duration` writes them: `1.234s`, `2m40s`, `350ms`.

use std::time::Duration;

/// The duration cut to milliseconds, as Go's `%v` writes it.
pub fn millis(duration: Duration) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(millis(Duration::from_millis(given)), text);
        }
    }
}
