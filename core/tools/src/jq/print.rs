//! JSON as jq writes it.

use jaq_json::Val;

/// How to write.
#[derive(Clone, Debug)]
pub struct Style {
    /// What a level is indented by; `None`: all on one line.
    pub indent: Option<String>,
    /// Object keys in order.
    pub sorted: bool,
    /// Nothing but ASCII.
    pub ascii: bool,
}

/// A value as text.
pub fn show(value: &Val, style: &Style) -> String {
    let mut text = String::new();
    write(value, style, 0, &mut text);
    text
}

fn write(value: &Val, style: &Style, depth: usize, text: &mut String) {
    match value {
        Val::Null => text.push_str("null"),
        Val::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Val::Int(number) => text.push_str(&number.to_string()),
        Val::Float(number) => text.push_str(&float(*number)),
        Val::Num(digits) => text.push_str(&digits.parse().map_or(digits.to_string(), float)),
        Val::Str(inner) => string(inner, style.ascii, text),
        Val::Arr(items) => {
            let items = items.iter().map(|item| (None, item));
            list(items.collect(), ['[', ']'], style, depth, text);
        }
        Val::Obj(fields) => {
            let mut fields: Vec<(Option<&str>, &Val)> =
                fields.iter().map(|(key, value)| (Some(key.as_str()), value)).collect();
            if style.sorted {
                fields.sort_by_key(|(key, _)| *key);
            }
            list(fields, ['{', '}'], style, depth, text);
        }
    }
}

fn list(
    items: Vec<(Option<&str>, &Val)>,
    [open, close]: [char; 2],
    style: &Style,
    depth: usize,
    text: &mut String,
) {
    text.push(open);
    let count = items.len();
    for (at, (key, value)) in items.into_iter().enumerate() {
        newline(style, depth + 1, text);
        if let Some(key) = key {
            string(key, style.ascii, text);
            text.push_str(if style.indent.is_some() { ": " } else { ":" });
        }
        write(value, style, depth + 1, text);
        if at + 1 < count {
            text.push(',');
        }
    }
    if count > 0 {
        newline(style, depth, text);
    }
    text.push(close);
}

fn newline(style: &Style, depth: usize, text: &mut String) {
    if let Some(indent) = &style.indent {
        text.push('\n');
        (0..depth).for_each(|_| text.push_str(indent));
    }
}

/// Seventeen digits at most, and none after the point that say nothing.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "null".to_owned();
    }
    let number = number.clamp(f64::MIN, f64::MAX);
    let size = number.abs();
    if size == 0.0 || (1e-5..1e17).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A string in quotes.
fn string(inner: &str, ascii: bool, text: &mut String) {
    text.push('"');
    for c in inner.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' || ascii && !c.is_ascii() => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (number, text) in
            [(1.0, "1"), (2.5, "2.5"), (1e20, "1e+20"), (1e-7, "1e-07"), (-0.5, "-0.5")]
        {
            assert_eq!(float(number), text);
        }
    }
}
