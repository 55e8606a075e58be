//! Texts as Go's `fmt` and `strconv` write them, since upstream's messages are made by these.

use serde_json::Value;

/// A string as `%q` writes it: `"a\nb"`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if c.is_control() || c == '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Strings as `%q` of a list joined by `, `: `"a", "b"`.
pub fn quote_all<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
    quoted.join(", ")
}

/// A number as `%v` writes it: the shortest text, `1e+06` from there on.
pub fn float(number: f64) -> String {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// A JSON value as messages tell of one that is not right: texts quoted, numbers plain, all else
/// as [`syntax`].
///
/// Upstream: `field.Error.ErrorBody`.
pub fn bad_value(value: &Value) -> String {
    match value {
        Value::Null => quote("null"),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
        value => syntax(value),
    }
}

/// A JSON value as `%#v` writes it once Go has decoded it: `map[string]interface {}{"a":1}`.
pub fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| format!("{}:{}", quote(name), syntax(value));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        let table = [
            ("", r#""""#),
            ("a", r#""a""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\tc\u{1}", r#""a\nb\tc\x01""#),
            ("나루", r#""나루""#),
            ("\u{feff}", r#""\ufeff""#),
        ];
        for (text, quoted) in table {
            assert_eq!(quote(text), quoted);
        }
        assert_eq!(quote_all(&["a", "b"]), r#""a", "b""#);
    }

    // Printed by Go's fmt.
    #[test]
    fn floats_are_gos() {
        let table = [
            (1.0, "1"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1_000_000.5, "1.0000005e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
        ];
        for (number, text) in table {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn syntax_is_gos() {
        let value = serde_json::json!({"b": [1, 1.5, null], "a": {"x": "y"}});
        let text = r#"map[string]interface {}{"a":map[string]interface {}{"x":"y"}, "b":[]interface {}{1, 1.5, interface {}(nil)}}"#;
        assert_eq!(syntax(&value), text);
    }
}
