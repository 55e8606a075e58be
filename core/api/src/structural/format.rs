//! Formats of texts: `date`, `ipv4`, `uuid`.
//!
//! Upstream: `kube-openapi/pkg/validation/strfmt`.

use regex_lite::Regex;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `text` is of this format; `None` when the format is not one that is checked.
pub fn matches(format: &str, text: &str) -> Option<bool> {
    // As upstream does: `date-time` is `datetime`.
    let format = format.replace('-', "");
    let hex = |length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    let regex = |pattern: &str| Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
    Some(match format.as_str() {
        "bsonobjectid" => hex(24),
        "uri" => is_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => ipv4(text).is_some(),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_creditcard(text),
        "ssn" => text.len() == 11 && regex(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
        "hexcolor" => regex("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
        "rgbcolor" => regex(RGB_COLOR),
        "byte" => regex(BASE64),
        "password" => true,
        "date" => is_date(text),
        "duration" => is_duration(text),
        "datetime" => is_datetime(text),
        _ => return None,
    })
}

const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|\
                      [A-Za-z0-9+/]{4})$";
const RGB_COLOR: &str = r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$";

/// An absolute URI or an absolute path.
fn is_uri(text: &str) -> bool {
    let printable = !text.is_empty() && !text.chars().any(|c| c.is_control() || c == ' ');
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    printable && (text.starts_with('/') || scheme)
}

/// `name@domain` or `Somebody <name@domain>`.
fn is_email(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let dotted =
        |text: &str| text.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    address.split_once('@').is_some_and(|(name, domain)| dotted(name) && dotted(domain))
}

fn is_hostname(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c.is_alphabetic();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.starts_with(letter)
            && label.ends_with(letter)
            && label.chars().all(|c| letter(c) || c == '-')
    };
    let labels: Vec<&str> = text.split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    let top_is_word =
        labels.len() == 1 || (top.chars().count() >= 2 && top.chars().all(char::is_alphabetic));
    text.len() <= 255 && top_is_word && labels.iter().all(|one| label(one))
}

/// Leading zeros are tolerated.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        *octet = part.parse().ok().filter(|_| digits)?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let bits: Option<u8> =
        if bits.bytes().all(|b| b.is_ascii_digit()) { bits.parse().ok() } else { None };
    let max: Option<u8> = match (ipv4(address), address.parse::<Ipv6Addr>()) {
        (Some(_), _) => Some(32),
        (None, Ok(_)) => Some(128),
        _ => None,
    };
    matches!((bits, max), (Some(bits), Some(max)) if bits <= max)
}

fn is_mac(text: &str) -> bool {
    let groups = |separator: char, length: usize| -> Option<usize> {
        let groups: Vec<&str> = text.split(separator).collect();
        let right =
            |group: &&str| group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit());
        groups.iter().all(right).then_some(groups.len() * length / 2)
    };
    let bytes = groups(':', 2).or_else(|| groups('-', 2)).or_else(|| groups('.', 4));
    bytes.is_some_and(|bytes| matches!(bytes, 6 | 8 | 20))
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    let (third, fourth) = match version {
        None => ("[0-9a-f]", "[0-9a-f]"),
        Some('3') => ("3", "[0-9a-f]"),
        Some('4') => ("4", "[89ab]"),
        Some(_) => ("5", "[89ab]"),
    };
    let pattern = format!(
        "^[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}[0-9a-f]{{3}}-?{fourth}[0-9a-f]{{3}}-?[0-9a-f]{{12}}$"
    );
    Regex::new(&pattern).is_ok_and(|regex| regex.is_match(&text.to_ascii_lowercase()))
}

/// Without spaces and dashes.
fn isbn_digits(text: &str) -> Vec<char> {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    let value = |(index, c): (usize, &char)| match c {
        'X' if index == 9 => Some(10),
        c => c.to_digit(10),
    };
    let values: Option<Vec<u32>> = digits.iter().enumerate().map(value).collect();
    let sum =
        |values: Vec<u32>| -> u32 { (1..).zip(values).map(|(place, value)| place * value).sum() };
    digits.len() == 10 && values.is_some_and(|values| sum(values) % 11 == 0)
}

fn is_isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    let values: Option<Vec<u32>> = digits.iter().map(|c| c.to_digit(10)).collect();
    let sum = |values: Vec<u32>| -> u32 {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| if index % 2 == 0 { *value } else { 3 * value })
            .sum()
    };
    digits.len() == 13 && values.is_some_and(|values| sum(values) % 10 == 0)
}

fn is_creditcard(text: &str) -> bool {
    const PATTERN: &str = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$";
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let luhn: u32 = digits
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double >= 10 => double - 9,
            (_, double) => double,
        })
        .sum();
    luhn.is_multiple_of(10) && Regex::new(PATTERN).is_ok_and(|regex| regex.is_match(&digits))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_datetime(text: &str) -> bool {
    const TIME: &str = "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";
    let lower = text.to_lowercase();
    let Some((date, rest)) = lower.split_once('t') else { return false };
    let time = rest.split('t').next().unwrap_or_default();
    let in_range = |at: usize, max: &str| time.get(at..at + 2).is_some_and(|part| part <= max);
    is_date(date)
        && Regex::new(TIME).is_ok_and(|regex| regex.is_match(time))
        && in_range(0, "23")
        && in_range(3, "59")
        && in_range(6, "59")
}

/// `1h30m` as Go reads it, or `22 ns`, `3 days` as Scala does.
fn is_duration(text: &str) -> bool {
    const UNITS: [&[&str]; 8] = [
        &["ns", "nano"],
        &["us", "µs", "micro"],
        &["ms", "milli"],
        &["s", "sec"],
        &["m", "min"],
        &["h", "hr", "hour"],
        &["d", "day"],
        &["w", "wk", "week"],
    ];
    if crate::duration::parse(text).is_ok() {
        return true;
    }
    let Ok(regex) = Regex::new(r"(\d+)\s*([A-Za-zµ]+)") else { return false };
    let known = |unit: &str| {
        UNITS.iter().any(|names| {
            names.contains(&unit) || names.last().is_some_and(|long| unit.starts_with(long))
        })
    };
    let mut found = false;
    for part in regex.captures_iter(text) {
        if part.get(1).is_none_or(|number| number.as_str().parse::<i64>().is_err()) {
            return false;
        }
        found |= part.get(2).is_some_and(|unit| known(&unit.as_str().to_lowercase()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("uri", &["http://a/b", "/path", "mailto:x"], &["", "a b", "path", "1:x"]),
            ("email", &["a@b.c", "A <a@b>"], &["a", "@b", "a@", "a b@c"]),
            ("hostname", &["a", "a-b.example.com", "1a.com"], &["", "-a", "a.c", "a_b.com"]),
            ("ipv4", &["1.2.3.4", "01.2.3.4"], &["1.2.3", "1.2.3.256", "::1"]),
            ("ipv6", &["::1", "fe80::1"], &["1.2.3.4", ":::"]),
            ("cidr", &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8"]),
            ("mac", &["01:23:45:67:89:ab", "0123.4567.89ab"], &["01:23", "zz:23:45:67:89:ab"]),
            ("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567"]),
            (
                "uuid4",
                &["123E4567-E89B-42D3-A456-426614174000"],
                &["123e4567-e89b-12d3-a456-426614174000"],
            ),
            ("isbn", &["0321751043", "978-0321751041"], &["0321751044"]),
            ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112"]),
            ("hexcolor", &["#FFF", "ffffff"], &["#ff"]),
            ("byte", &["YQ=="], &["YQ", ""]),
            ("date", &["2006-01-02"], &["2006-1-2", "2006-13-01"]),
            (
                "date-time",
                &["2014-12-15T19:30:20.000Z", "2014-12-15t19:30:20+01:00"],
                &["2014-12-15", "2014-12-15T24:30:20Z"],
            ),
            ("duration", &["1h30m", "22 ns", "3 days"], &["x", "", "5"]),
        ];
        for (format, right, wrong) in table {
            for text in *right {
                assert_eq!(matches(format, text), Some(true), "{format} {text}");
            }
            for text in *wrong {
                assert_eq!(matches(format, text), Some(false), "{format} {text}");
            }
        }
        assert_eq!(matches("int32", "x"), None);
    }
}
