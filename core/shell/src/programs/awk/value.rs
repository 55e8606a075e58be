//! awk's values: texts that may look like numbers.

use super::lex::number_end;
use crate::programs::printf;
use std::cmp::Ordering;

/// Longest text that a program may make.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing was assigned: 0 and the empty text.
    #[default]
    Unset,
    Number(f64),
    Text(String),
    /// Came from the input and looks like a number: it is compared as one.
    Input(String, f64),
}

impl Value {
    /// What was read: a field, an element of `split`, a value of `-v`.
    pub fn input(text: &str) -> Value {
        let trimmed = text.trim();
        let end = number_end(trimmed);
        match trimmed.parse() {
            Ok(number) if end > 0 && end == trimmed.len() => Value::Input(text.to_string(), number),
            _ => Value::Text(text.to_string()),
        }
    }

    /// Truth as a number.
    pub fn truth(is: bool) -> Value {
        Value::Number(f64::from(u8::from(is)))
    }

    /// As a number: what the text begins with, or 0.
    pub fn number(&self) -> f64 {
        match self {
            Value::Unset => 0.0,
            Value::Number(number) | Value::Input(_, number) => *number,
            Value::Text(text) => {
                let text = text.trim_start();
                text.get(..number_end(text)).and_then(|digits| digits.parse().ok()).unwrap_or(0.0)
            }
        }
    }

    /// As a text; `format` is `CONVFMT` or `OFMT`.
    pub fn text(&self, format: &str) -> String {
        match self {
            Value::Unset => String::new(),
            Value::Text(text) | Value::Input(text, _) => text.clone(),
            Value::Number(number) => number_text(*number, format),
        }
    }

    /// Whether a condition holds.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Unset => false,
            Value::Number(number) | Value::Input(_, number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
        }
    }

    /// Numbers are compared as numbers, all else as texts.
    pub fn compare(&self, other: &Value, format: &str) -> Option<Ordering> {
        let numeric = |value: &Value| !matches!(value, Value::Text(_));
        if numeric(self) && numeric(other) {
            return self.number().partial_cmp(&other.number());
        }
        Some(self.text(format).cmp(&other.text(format)))
    }
}

fn number_text(number: f64, format: &str) -> String {
    // mawk: what is no 32-bit integer is formatted, so that 1e10 is 1e+10.
    if number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX) {
        return format!("{}", number as i64);
    }
    if number.is_nan() {
        // Its sign is not the same on every processor; this is x86's.
        return "-nan".to_string();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    sprintf(format, &[Value::Number(number)], "%.6g")
}

/// awk's `sprintf`: the format is used once, and what is missing is empty.
pub fn sprintf(format: &str, values: &[Value], convfmt: &str) -> String {
    let mut printed = printf::Printed::default();
    let mut values = values.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        printed.bytes.extend(rest.get(..at).unwrap_or_default().as_bytes());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('%') {
            printed.bytes.push(b'%');
            rest = after;
            continue;
        }
        let mut stars = Vec::new();
        let conversion_at = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        for _ in rest.get(..conversion_at).unwrap_or_default().matches('*') {
            stars.push(values.next().map_or(0.0, Value::number).trunc().to_string());
        }
        let (field, after) = printf::field(rest, &mut stars.iter());
        let mut chars = after.chars();
        let Some(conversion) = chars.next() else {
            printed.bytes.push(b'%');
            printed.bytes.extend(rest.as_bytes());
            rest = "";
            break;
        };
        let argument = argument(conversion, values.next(), convfmt);
        printf::convert(&field, conversion, Some(&argument), &mut printed);
        rest = chars.as_str();
        if printed.bytes.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    printed.bytes.extend(rest.as_bytes());
    printed.bytes.truncate(TEXT_BYTES_MAX);
    String::from_utf8_lossy(&printed.bytes).into_owned()
}

/// The argument in the words of the shell's `printf`.
fn argument(conversion: char, value: Option<&Value>, convfmt: &str) -> String {
    let value = value.cloned().unwrap_or_default();
    match conversion {
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => format!("{}", value.number().trunc() as i64),
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => format!("{}", value.number()),
        'c' => match &value {
            Value::Number(number) => {
                char::from_u32(*number as u32).map_or(String::new(), |c| c.to_string())
            }
            value => value.text(convfmt),
        },
        _ => value.text(convfmt),
    }
}
