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

    #[test]
    fn syntax_is_gos() {
        let value = serde_json::json!({"b": [1, 1.5, null], "a": {"x": "y"}});
        let text = r#"map[string]interface {}{"a":map[string]interface {}{"x":"y"}, "b":[]interface {}{1, 1.5, interface {}(nil)}}"#;
        assert_eq!(syntax(&value), text);
    }
}
