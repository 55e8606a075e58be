//! How `dd` tells what it has copied.
//!
//! Upstream: `print_xfer_stats` in GNU coreutils 9.1 `src/dd.c`, `human_readable` in gnulib's
//! `human.c`; `dd_output_status` in Busybox 1.37 `coreutils/dd.c`, `libbb/human_readable.c`.

/// The last line: so many bytes, and how many microseconds that took.
pub fn transfer(bytes: u64, micros: u128, busybox: bool) -> String {
    let seconds = micros.max(1) as f64 / 1e6;
    let rate = bytes as f64 / seconds;
    match busybox {
        true => format!(
            "{bytes} bytes ({}) copied, {seconds:.6} seconds, {}/s\n",
            busybox_size(bytes as f64),
            busybox_size(rate)
        ),
        false => {
            let rate = short(rate, 1000.0, true);
            format!("{}, {} s, {rate}/s\n", amount(bytes), significant(seconds))
        }
    }
}

/// `524288000 bytes (524 MB, 500 MiB) copied`, as GNU's says it.
fn amount(bytes: u64) -> String {
    let value = bytes as f64;
    let plural = if bytes == 1 { "byte" } else { "bytes" };
    match bytes {
        0..1_000 => format!("{bytes} {plural} copied"),
        1_000..1_024 => format!("{bytes} bytes ({}) copied", short(value, 1000.0, false)),
        _ => {
            let binary = short(value, 1024.0, false).replace('B', "iB");
            format!("{bytes} bytes ({}, {binary}) copied", short(value, 1000.0, false))
        }
    }
}

/// A size with two or three digits: `1.1 GB`, `524 MB`. What is no whole number to GNU's, as a rate is
/// none, it tells in thousands at least.
fn short(value: f64, base: f64, in_thousands: bool) -> String {
    let mut value = value;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        // What would be rounded to a whole one of the next is one.
        if value.round() < base && !(in_thousands && unit.is_empty()) {
            break;
        }
        value /= base;
        unit = if next == "k" && base == 1024.0 { "K" } else { next };
    }
    match unit.is_empty() || value >= 9.95 {
        true => format!("{value:.0} {unit}B"),
        false => format!("{value:.1} {unit}B"),
    }
}

/// The same as Busybox says it: `100.0MB`.
fn busybox_size(value: f64) -> String {
    let mut value = value;
    let mut unit = "";
    for next in ["K", "M", "G", "T", "P", "E"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit.is_empty() { format!("{value:.0}B") } else { format!("{value:.1}{unit}B") }
}

/// Six significant digits without needless zeros, as `%g` prints a number of microseconds.
fn significant(value: f64) -> String {
    let micros = (value * 1e6).round();
    if micros < 100.0 {
        let (digits, exponent) =
            if micros < 10.0 { (micros, "e-06") } else { (micros / 10.0, "e-05") };
        return format!("{digits}{exponent}");
    }
    let before = if value >= 1.0 { value.log10().floor() as usize + 1 } else { 0 };
    let text = format!("{value:.0$}", 6_usize.saturating_sub(before));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_as_gnu_says_them() {
        let table = [
            (0, "0 bytes copied"),
            (1, "1 byte copied"),
            (512, "512 bytes copied"),
            (1_000, "1000 bytes (1.0 kB) copied"),
            (524_288_000, "524288000 bytes (524 MB, 500 MiB) copied"),
            (1_073_741_824, "1073741824 bytes (1.1 GB, 1.0 GiB) copied"),
        ];
        for (bytes, want) in table {
            assert_eq!(amount(bytes), want);
        }
        let seconds = [0.5, 12.345_678_9, 0.000_1, 34e-6, 1e-6].map(significant);
        assert_eq!(seconds, ["0.5", "12.3457", "0.0001", "3.4e-05", "1e-06"]);
    }

    #[test]
    fn rates_are_told_in_thousands_at_least() {
        let rates = [0.0, 8.0, 5_000.0, 1e9].map(|rate| short(rate, 1000.0, true));
        assert_eq!(rates, ["0.0 kB", "0.0 kB", "5.0 kB", "1.0 GB"]);
    }
}
