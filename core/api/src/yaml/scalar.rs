//! What a plain scalar means in YAML 1.1, as go-yaml v2 resolves it.
//!
//! Upstream: `goyaml.v2/resolve.go`.

use serde_json::{Number, Value};

/// The value of a scalar that stands there without quotes.
pub(super) fn resolve(text: &str) -> Value {
    match word(text) {
        Some(value) => value,
        None => number(text).map_or_else(|| Value::from(text), Value::Number),
    }
}

/// The value of a word that is more than a text.
fn word(text: &str) -> Option<Value> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => return None,
    })
}

/// Whether a text would be taken for something else if it stood there without quotes.
pub(super) fn needs_quotes(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
            number(text).is_some()
                || is_special_float(text)
                || is_base_60(text)
                || is_timestamp(text)
        }
        _ => word(text).is_some(),
    }
}

fn is_special_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    if first == b'.' {
        return float(text);
    }
    let of = |plain: &str| integer(plain).or_else(|| float(plain));
    if text.contains('_') { of(&text.replace('_', "")) } else { of(text) }
}

/// Go's `ParseInt(text, 0, 64)`, and what fits only without a sign bit.
fn integer(text: &str) -> Option<Number> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, unsigned.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, unsigned.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, unsigned.get(2..)?),
        [b'0', _, ..] => (8, unsigned.get(1..)?),
        _ => (10, unsigned),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(magnitude.into());
    }
    i64::try_from(-i128::from(magnitude)).ok().map(Number::from)
}

/// A float; whole ones become integers, as Go's JSON writes them.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    if !mantissa.chars().all(digits) || !mantissa.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    float_number(value)
}

/// A float as Go's JSON writes it: whole numbers without a fraction.
pub(super) fn float_number(value: f64) -> Option<Number> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// `1:30`, once a number in base 60.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    let sixty = |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    let mut rest = parts.peekable();
    first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && rest.peek().is_some()
        && rest.all(sixty)
        && digits(fraction)
}

/// `2025-06-02`, `2025-06-02T00:00:00Z`, `2025-06-02 10:00:00`.
fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else { return false };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>, max: u32| {
        lengths.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|number| number <= max)
    };
    if !number(year, 4..=4, 9999) {
        return false;
    }
    let (date, clock) = match rest.find(['T', 't', ' ']) {
        Some(at) => match rest.split_at_checked(at) {
            Some((date, clock)) => (date, Some(clock)),
            None => return false,
        },
        None => (rest, None),
    };
    let Some((month, day)) = date.split_once('-') else { return false };
    if !number(month, 1..=2, 12) || !number(day, 1..=2, 31) {
        return false;
    }
    let Some(clock) = clock else { return true };
    let zoned = !clock.starts_with(' ');
    let clock = clock.trim_start_matches(['T', 't', ' ']);
    let (clock, zone) = match clock.find(['Z', '+', '-']) {
        Some(at) => clock.split_at_checked(at).unwrap_or((clock, "")),
        None => (clock, ""),
    };
    let clock = clock.split_once('.').map_or(clock, |(clock, _)| clock);
    let mut parts = clock.split(':');
    let mut next_is = |max| parts.next().is_some_and(|part| number(part, 1..=2, max));
    let good_clock = next_is(23) && next_is(59) && next_is(59) && parts.next().is_none();
    good_clock && zone.is_empty() != zoned
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Printed by sigs.k8s.io/yaml v1.4.0.
    #[test]
    fn meanings() {
        let table = [
            ("0644", json!(420)),
            ("0x1F", json!(31)),
            ("-0x1F", json!(-31)),
            ("1_000", json!(1000)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            (".5", json!(0.5)),
            ("08", json!(8)),
            ("1.5", json!(1.5)),
            ("2001-01-01", json!("2001-01-01")),
            ("0o17", json!(15)),
            ("+1", json!(1)),
            ("12:30", json!("12:30")),
            ("no", json!(false)),
            ("On", json!(true)),
            ("~", json!(null)),
            ("v1", json!("v1")),
            ("1Gi", json!("1Gi")),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("e3", json!("e3")),
            ("18446744073709551615", json!(18446744073709551615_u64)),
        ];
        for (text, value) in table {
            assert_eq!(resolve(text), value, "{text}");
        }
    }

    #[test]
    fn quotes() {
        for text in ["1", "true", "yes", "", "null", "1:30", "2025-06-02T00:00:00Z", ".inf"] {
            assert!(needs_quotes(text), "{text}");
        }
        for text in ["a", "1Gi", "10.0.0.1", "v1", "2025-06", "2025-13-01", "nginx:1.27", "<<"] {
            assert!(!needs_quotes(text), "{text}");
        }
    }
}
