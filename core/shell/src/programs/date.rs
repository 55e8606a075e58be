//! `date`

use super::tool::{Options, Out};
use crate::{Cap, Sys};
use naru_sim::Time;

const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // The calendar of 400 years, begun on a first of March so that leap days come last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The moment as `strftime` writes it, in UTC.
pub fn format(at: Time, format: &str) -> String {
    format_unix(at.unix_micros(), format)
}

/// The same for a moment in microseconds of the Unix epoch.
fn format_unix(micros: i64, format: &str) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let weekday = days.rem_euclid(7) as usize;
    let name = |names: &[&'static str], at: usize| names.get(at).copied().unwrap_or("");
    let (day_name, month_name) = (name(&DAYS, weekday), name(&MONTHS, (month - 1) as usize));
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let day_of_year = days - days_before(year) + 1;
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let unpadded = chars.next_if_eq(&'-').is_some();
        let two = |value: i64| if unpadded { value.to_string() } else { format!("{value:02}") };
        let piece = match chars.next() {
            Some('Y') => year.to_string(),
            Some('y') => two(year % 100),
            Some('m') => two(month),
            Some('d') => two(day),
            Some('e') => format!("{day:>2}"),
            Some('H') => two(hour),
            Some('I') => two(hour12),
            Some('M') => two(minute),
            Some('S') => two(second % 60),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_string(),
            Some('N') => format!("{:09}", micros.rem_euclid(1_000_000) * 1000),
            Some('s') => seconds.to_string(),
            Some('j') => format!("{day_of_year:03}"),
            Some('a') => short(day_name).to_string(),
            Some('A') => day_name.to_string(),
            Some('b' | 'h') => short(month_name).to_string(),
            Some('B') => month_name.to_string(),
            Some('u') => ((weekday + 3) % 7 + 1).to_string(),
            Some('w') => ((weekday + 4) % 7).to_string(),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{:02}", second % 60),
            Some('R') => format!("{hour:02}:{minute:02}"),
            Some('D') => format!("{month:02}/{day:02}/{:02}", year % 100),
            Some('Z') => "UTC".to_string(),
            Some('z') => "+0000".to_string(),
            Some('n') => "\n".to_string(),
            Some('t') => "\t".to_string(),
            Some('%') => "%".to_string(),
            Some(other) => format!("%{other}"),
            None => "%".to_string(),
        };
        text.push_str(&piece);
    }
    text
}

/// Days from 1970-01-01 to the first of January of the year.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    365 * (year - 1970) + (past / 4 - 492) - (past / 100 - 19) + (past / 400 - 4)
}

/// `date [-u] [-I[seconds]] [-R] [-d @seconds] [+format]`
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("utc", 'u'), ("date", 'd'), ("iso-8601", 'I'), ("rfc-3339", '3')];
    // -I takes its argument attached, if at all.
    let iso = args.iter().find_map(|arg| arg.strip_prefix("-I"));
    let args: Vec<String> = args.iter().filter(|arg| !arg.starts_with("-I")).cloned().collect();
    let options = match Options::parse(sys, &args, "uRd:3:s:", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut at = sys.now().unix_micros();
    match options.value('d') {
        None | Some("now") => {}
        Some(text) => match text.strip_prefix('@').and_then(|text| text.parse::<i64>().ok()) {
            Some(seconds) => at = seconds.saturating_mul(1_000_000),
            None => {
                out.error(format!("date: invalid date ‘{text}’"));
                return 1;
            }
        },
    }
    if options.has('s') {
        out.error(match (sys.caps().has(Cap::SysTime), super::tool::is_busybox(sys)) {
            (true, _) => "date: naru: the clock of a sandbox cannot be set",
            (false, true) => "date: can't set date: Operation not permitted",
            (false, false) => "date: cannot set date: Operation not permitted",
        });
        return 1;
    }
    let wanted = match options.operands.first() {
        Some(operand) => match operand.strip_prefix('+') {
            Some(wanted) => wanted.to_string(),
            None => {
                out.error(format!("date: invalid date ‘{operand}’"));
                return 1;
            }
        },
        None if options.has('R') => "%a, %d %b %Y %H:%M:%S +0000".to_string(),
        None => match iso {
            Some("" | "date") => "%F".to_string(),
            Some("seconds" | "s") => "%FT%T+00:00".to_string(),
            Some(_) => "%FT%H:%M+00:00".to_string(),
            None => "%a %b %e %H:%M:%S UTC %Y".to_string(),
        },
    };
    out.line(format_unix(at, &wanted));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, wanted, expected) in [
            (0, "%F %T %a %j %u %w", "2025-06-02 00:00:00 Mon 153 1 1"),
            (86_400 * 30, "%d %B %Y", "02 July 2025"),
            (86_400 * 365 * 3, "%F", "2028-06-01"),
            (3661, "%I:%M:%S %p %s", "01:01:01 AM 1748826061"),
            (0, "%b %e", "Jun  2"),
            (86_400 * 213, "%F %j", "2026-01-01 001"),
        ] {
            assert_eq!(format(Time::from_secs(seconds), wanted), expected);
        }
    }
}
