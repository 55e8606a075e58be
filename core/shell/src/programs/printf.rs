//! `printf`

use super::tool::Out;
use crate::Sys;
use crate::shell::escape::unescape;

/// Most bytes that one `printf` gives, and its widest field.
const BYTES_MAX: usize = 1 << 20;

/// What `printf` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// To standard output.
    pub bytes: Vec<u8>,
    /// Messages, without the program's name.
    pub errors: Vec<String>,
    /// The exit code.
    pub code: i32,
}

/// Formats the arguments after the first by the first, again and again until all are used.
pub fn format(args: &[String]) -> Printed {
    let mut printed = Printed::default();
    let Some((format, rest)) = args.split_first() else { return printed };
    let (format, rest) = match (format.as_str(), rest.split_first()) {
        ("--", Some((format, rest))) => (format, rest),
        _ => (format, rest),
    };
    let mut arguments = rest.iter();
    loop {
        let before = arguments.len();
        let stopped = once(format, &mut arguments, &mut printed);
        let after = arguments.len();
        if stopped || after == 0 || after == before || printed.bytes.len() > BYTES_MAX {
            return printed;
        }
    }
}

/// A conversion's flags, width and precision.
pub(super) struct Field {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

fn once<'a>(
    format: &str,
    arguments: &mut impl Iterator<Item = &'a String>,
    printed: &mut Printed,
) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (literal, stopped) = unescape(rest.get(..at).unwrap_or_default());
        printed.bytes.extend(literal);
        if stopped {
            return true;
        }
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('%') {
            printed.bytes.push(b'%');
            rest = after;
            continue;
        }
        let (field, after) = field(rest, arguments);
        let mut chars = after.chars();
        let Some(conversion) = chars.next() else {
            printed.errors.push(format!("`%{rest}': missing format character"));
            printed.code = 1;
            return true;
        };
        rest = chars.as_str();
        if convert(&field, conversion, arguments.next(), printed) {
            return true;
        }
    }
    let (literal, stopped) = unescape(rest);
    printed.bytes.extend(literal);
    stopped
}

/// Reads what stands between `%` and the conversion's letter.
pub(super) fn field<'a, 'b>(
    text: &'b str,
    arguments: &mut impl Iterator<Item = &'a String>,
) -> (Field, &'b str) {
    let flags_end = text.find(|c| !"-0+ #".contains(c)).unwrap_or(text.len());
    let (flags, mut rest) = text.split_at(flags_end);
    let mut field = Field {
        left: flags.contains('-'),
        zero: flags.contains('0'),
        plus: flags.contains('+'),
        space: flags.contains(' '),
        alternate: flags.contains('#'),
        width: 0,
        precision: None,
    };
    let mut number = |text: &'b str| -> (i64, &'b str) {
        if let Some(rest) = text.strip_prefix('*') {
            return (arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0), rest);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        (digits.parse().unwrap_or(0), rest)
    };
    let width;
    (width, rest) = number(rest);
    field.left |= width < 0;
    field.width = (width.unsigned_abs() as usize).min(BYTES_MAX);
    if let Some(after) = rest.strip_prefix('.') {
        let precision;
        (precision, rest) = number(after);
        field.precision = usize::try_from(precision).ok().map(|value| value.min(BYTES_MAX));
    }
    (field, rest.trim_start_matches(['l', 'h', 'q', 'L', 'j', 'z', 't']))
}

/// Formats one argument; `true` if `\c` said to stop.
pub(super) fn convert(
    field: &Field,
    conversion: char,
    argument: Option<&String>,
    printed: &mut Printed,
) -> bool {
    let text = argument.map_or("", String::as_str);
    match conversion {
        's' => {
            let shown: String = match field.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text.to_string(),
            };
            pad(field, shown.as_bytes(), shown.chars().count(), printed);
        }
        'b' => {
            let (bytes, stopped) = unescape(text);
            let length = String::from_utf8_lossy(&bytes).chars().count();
            pad(field, &bytes, length, printed);
            return stopped;
        }
        'c' => {
            let shown: String = text.chars().take(1).collect();
            pad(field, shown.as_bytes(), shown.chars().count(), printed);
        }
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let value = integer(text, printed);
            let digits = match conversion {
                'd' | 'i' => value.unsigned_abs().to_string(),
                'u' => (value as u64).to_string(),
                'x' => format!("{}{value:x}", if field.alternate { "0x" } else { "" }),
                'X' => format!("{}{value:X}", if field.alternate { "0X" } else { "" }),
                _ => format!("{}{value:o}", if field.alternate { "0" } else { "" }),
            };
            let negative = matches!(conversion, 'd' | 'i') && value < 0;
            number(field, negative, &digits, printed);
        }
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let value: f64 = if text.is_empty() {
                0.0
            } else {
                text.parse().unwrap_or_else(|_| {
                    printed.errors.push(format!("{text}: invalid number"));
                    printed.code = 1;
                    0.0
                })
            };
            let precision = field.precision.unwrap_or(6).min(100);
            let digits = match conversion {
                'f' | 'F' => format!("{:.precision$}", value.abs()),
                'e' | 'E' => exponent(value.abs(), precision),
                _ => general(value.abs(), precision.max(1)),
            };
            number(&Field { precision: None, ..*field }, value < 0.0, &digits, printed);
        }
        'q' => pad(field, crate::shell::quote(text).as_bytes(), text.chars().count(), printed),
        other => {
            printed.errors.push(format!("`%{other}': invalid directive"));
            printed.code = 1;
            return true;
        }
    }
    false
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let power: i32 = power.parse().unwrap_or(0);
            let sign = if power < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", power.abs())
        }
        None => text,
    }
}

fn general(value: f64, precision: usize) -> String {
    let power = if value == 0.0 { 0 } else { libm::log10(value).floor() as i32 };
    let text = if power < -4 || power >= precision as i32 {
        let text = exponent(value, precision - 1);
        return match text.split_once('e') {
            Some((mantissa, power)) if mantissa.contains('.') => {
                format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        };
    } else {
        let decimals = (precision as i32 - 1 - power).max(0) as usize;
        format!("{value:.decimals$}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text
    }
}

fn integer(text: &str, printed: &mut Printed) -> i64 {
    if text.is_empty() {
        return 0;
    }
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return quoted.chars().next().map_or(0, |c| i64::from(u32::from(c)));
    }
    let trimmed = text.trim_start();
    let (sign, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, trimmed.trim_start_matches('+')),
    };
    let parsed = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    match parsed {
        Ok(value) => value * sign,
        Err(_) => {
            printed.errors.push(format!("{text}: invalid number"));
            printed.code = 1;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits.get(..end).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0) * sign
        }
    }
}

fn number(field: &Field, negative: bool, digits: &str, printed: &mut Printed) {
    let mut digits = digits.to_string();
    if let Some(least) = field.precision {
        while digits.len() < least {
            digits.insert(0, '0');
        }
    }
    let sign = if negative {
        "-"
    } else if field.plus {
        "+"
    } else if field.space {
        " "
    } else {
        ""
    };
    if field.zero && !field.left && field.precision.is_none() {
        while sign.len() + digits.len() < field.width {
            digits.insert(0, '0');
        }
    }
    let text = format!("{sign}{digits}");
    pad(field, text.as_bytes(), text.len(), printed);
}

fn pad(field: &Field, bytes: &[u8], length: usize, printed: &mut Printed) {
    let blanks = vec![b' '; field.width.saturating_sub(length)];
    if field.left {
        printed.bytes.extend_from_slice(bytes);
        printed.bytes.extend(blanks);
    } else {
        printed.bytes.extend(blanks);
        printed.bytes.extend_from_slice(bytes);
    }
}

/// The program.
pub fn run(_sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    if args.is_empty() {
        out.error("printf: missing operand");
        out.error("Try 'printf --help' for more information.");
        return 1;
    }
    let printed = format(args);
    out.put(printed.bytes);
    for error in printed.errors {
        out.error(format!("printf: {error}"));
    }
    printed.code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (args, expected) in [
            (vec!["%s-%s\\n", "a", "b", "c"], "a-b\nc-\n"),
            (vec!["%5d|%-5d|%05d|%+d", "42", "42", "42", "42"], "   42|42   |00042|+42"),
            (vec!["%x %X %o %#x", "255", "255", "8", "255"], "ff FF 10 0xff"),
            (vec!["%.2f %e %g", "3.14159", "12345.678", "0.0001"], "3.14 1.234568e+04 0.0001"),
            (vec!["%b", "a\\tb\\cz"], "a\tb"),
            (vec!["%c%%", "xyz"], "x%"),
            (vec!["%.3s|%*d", "abcdef", "4", "7"], "abc|   7"),
            (vec!["%d", "'A"], "65"),
            (vec!["no args\\n", "extra"], "no args\n"),
            (vec!["-%5s-", "한"], "-    한-"),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_string).collect();
            assert_eq!(String::from_utf8(format(&args).bytes).unwrap(), expected, "{args:?}");
        }
        let wrong = format(&["%d".to_string(), "3x".to_string()]);
        assert_eq!((wrong.bytes.as_slice(), wrong.code), (b"3".as_slice(), 1));
        assert_eq!(wrong.errors, ["3x: invalid number"]);
    }
}
