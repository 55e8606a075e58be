//! `-o json`.

use crate::failure::{Failure, Result};
use serde::Serialize;
use serde_json::Value;

/// Four blanks of indentation and `<`, `>`, `&` escaped, as Go's `json.MarshalIndent` writes it.
pub fn to_json(value: &Value) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|why| Failure::Message(why.to_string()))?;
    let mut text = String::with_capacity(bytes.len() + 1);
    for c in String::from_utf8_lossy(&bytes).chars() {
        match c {
            // These stand only inside strings.
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_as_go_does() {
        let text = to_json(&json!({"b": [], "a": {"x": "<1 & 2>"}, "c": {}})).unwrap();
        assert_eq!(
            text,
            "{\n    \"a\": {\n        \"x\": \"\\u003c1 \\u0026 2\\u003e\"\n    },\n    \"b\": [],\n    \
             \"c\": {}\n}\n"
        );
    }
}
