//! Texts as Go's `fmt` and `strconv` write them, since upstream's messages are made by these.

mod diff;
mod dump;
mod spew;

pub use diff::diff;
pub use dump::dump;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;
pub use spew::pod_template as spew_pod_template;
use std::collections::BTreeMap;

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

/// Bytes as `%x` writes them: two digits each.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS.get(usize::from(half)).copied().unwrap_or_default());
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Strings as `%q` of a list joined by `, `: `"a", "b"`.
pub fn quote_all<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
    quoted.join(", ")
}

/// Strings as `%q` writes a list of them: `["a" "b"]`.
pub fn quote_words(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(" "))
}

/// Where a pointer leads, as `%#v` writes it. In Go it is another address each time; here it is
/// always the same.
pub(crate) const POINTER: &str = "0xc000a5f0e0";

/// Strings by name as `%#v` writes them: `map[string]string{"a":"b"}`.
pub fn string_map(map: Option<&BTreeMap<String, String>>) -> String {
    let Some(map) = map else { return "map[string]string(nil)".to_owned() };
    let pairs: Vec<String> =
        map.iter().map(|(key, value)| format!("{}:{}", quote(key), quote(value))).collect();
    format!("map[string]string{{{}}}", pairs.join(", "))
}

/// A selector as `%#v` writes it.
pub fn label_selector(selector: &LabelSelector) -> String {
    let labels = string_map(selector.match_labels.as_ref());
    let expressions = match &selector.match_expressions {
        None => "[]v1.LabelSelectorRequirement(nil)".to_owned(),
        Some(expressions) => {
            let texts: Vec<String> = expressions
                .iter()
                .map(|expression| {
                    let values = match &expression.values {
                        None => "[]string(nil)".to_owned(),
                        Some(values) => format!("[]string{{{}}}", quote_all(values)),
                    };
                    format!(
                        "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:{values}}}",
                        quote(&expression.key),
                        quote(&expression.operator)
                    )
                })
                .collect();
            format!("[]v1.LabelSelectorRequirement{{{}}}", texts.join(", "))
        }
    };
    format!("v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:{expressions}}}")
}

/// A number or a text as `%#v` writes it.
pub fn int_or_string(value: &IntOrString) -> String {
    let (type_, number, text) = match value {
        IntOrString::Int(number) => (0, *number, ""),
        IntOrString::String(text) => (1, 0, text.as_str()),
    };
    format!("intstr.IntOrString{{Type:{type_}, IntVal:{number}, StrVal:{}}}", quote(text))
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

/// A JSON value as `%v` writes it once Go has decoded it: `map[a:1 b:[x y]]`.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}:{}", plain(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
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

    // Printed by fmt.Printf("%#v") of Go with apimachinery v0.33.
    #[test]
    fn values_are_written_as_go_writes_them() {
        let selector = |json| label_selector(&serde_json::from_value(json).unwrap());
        assert_eq!(
            selector(serde_json::json!({"matchLabels": {"b": "2", "a": "1"}})),
            "v1.LabelSelector{MatchLabels:map[string]string{\"a\":\"1\", \"b\":\"2\"}, \
             MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
        );
        assert_eq!(
            selector(serde_json::json!({"matchExpressions": [
                {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "Exists"}]})),
            "v1.LabelSelector{MatchLabels:map[string]string(nil), \
             MatchExpressions:[]v1.LabelSelectorRequirement{v1.LabelSelectorRequirement{Key:\"a\", \
             Operator:\"In\", Values:[]string{\"b\"}}, v1.LabelSelectorRequirement{Key:\"c\", \
             Operator:\"Exists\", Values:[]string(nil)}}}"
        );
        assert_eq!(
            int_or_string(&IntOrString::String("5".to_owned())),
            "intstr.IntOrString{Type:1, IntVal:0, StrVal:\"5\"}"
        );
    }

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
