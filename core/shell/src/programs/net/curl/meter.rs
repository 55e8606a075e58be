//! The progress meter of `curl`, on standard error when the output goes elsewhere.

use std::time::Duration;

/// The two lines above the figures.
pub const TITLE: &str = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n";

/// A number of bytes in at most five characters.
fn short(bytes: u64) -> String {
    const KILO: u64 = 1024;
    const MEGA: u64 = KILO * KILO;
    match bytes {
        0..100_000 => format!("{bytes:>5}"),
        100_000..10_240_000 => format!("{:>4}k", bytes / KILO),
        10_240_000..104_857_600 => {
            format!("{:>2}.{}M", bytes / MEGA, bytes % MEGA / (MEGA / 10))
        }
        _ => format!("{:>4}M", bytes / MEGA),
    }
}

fn clock(seconds: u64) -> String {
    if seconds == 0 {
        return "--:--:--".to_string();
    }
    format!("{:>2}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What has been moved.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Bytes that came.
    pub received: u64,
    /// Bytes that will come, if that is known.
    pub expected: Option<u64>,
    /// Bytes of the request's body that were sent.
    pub sent: u64,
    /// How long it has taken.
    pub elapsed: Duration,
}

/// The line of figures, which goes over the one before.
pub fn line(figures: Figures) -> String {
    let percent = |part: u64, whole: u64| part.saturating_mul(100).checked_div(whole).unwrap_or(0);
    let micros = figures.elapsed.as_micros().max(1) as u64;
    let speed = |bytes: u64| bytes.saturating_mul(1_000_000) / micros;
    let expected = figures.expected.unwrap_or(0);
    let total = expected + figures.sent;
    let done = figures.received + figures.sent;
    let (down, up) = (speed(figures.received), speed(figures.sent));
    let whole_time = expected.checked_div(down).unwrap_or(0);
    let spent = figures.elapsed.as_secs();
    let left = whole_time.saturating_sub(spent);
    let fields = [
        format!("{:>3}", percent(if total > 0 { done } else { 0 }, total)),
        short(total.max(done)),
        format!(" {:>3}", percent(figures.received, expected)),
        short(figures.received),
        format!(" {:>3}", percent(figures.sent, figures.sent)),
        short(figures.sent),
        format!(" {}", short(down)),
        format!(" {}", short(up)),
        clock(whole_time),
        clock(spent),
        clock(left),
        short(down + up),
    ];
    format!("\r{}", fields.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(
            line(Figures::default()),
            "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
        );
        let figures = Figures {
            received: 335,
            expected: Some(335),
            sent: 0,
            elapsed: Duration::from_millis(4),
        };
        assert_eq!(
            line(figures),
            "\r100   335  100   335    0     0  83750      0 --:--:-- --:--:-- --:--:-- 83750"
        );
        assert_eq!(short(1_234_567), "1205k");
        assert_eq!(short(20_000_000), "19.0M");
    }
}
