//! JSON as Go reads and writes it: with Go's messages, with a note of fields that are there twice,
//! and within a depth that no walk along the value overflows.
//!
//! Upstream: `encoding/json` and `sigs.k8s.io/json`.

use serde_json::{Map, Number, Value};

/// Levels of nesting. Upstream takes 10,000; no object of a known kind comes near to this.
pub const DEPTH_MAX: usize = 128;

/// A text that is no JSON; its message is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

/// A value, and what a strict reader has against its text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The value; of fields that are there twice the last counts.
    pub value: Value,
    /// `duplicate field "spec.replicas"`, in the order of the text.
    pub duplicates: Vec<String>,
}

/// Reads a text of one value.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    read(text).map(|document| document.value)
}

/// Reads a text of one value, and notes doubled fields.
pub fn read(text: &[u8]) -> Result<Document, JsonError> {
    let mut reader = Reader { text, at: 0, depth: 0, path: Vec::new(), duplicates: Vec::new() };
    let value = reader.value()?;
    match reader.peek() {
        None => Ok(Document { value, duplicates: reader.duplicates }),
        Some(_) => Err(reader.invalid("after top-level value")),
    }
}

/// Writes a value as Go's encoder does, which escapes what HTML would take for its own.
pub fn to_go_text(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text
}

enum Step {
    Field(String),
    Index(usize),
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    path: Vec<Step>,
    duplicates: Vec<String>,
}

impl Reader<'_> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// The byte at hand does not belong here.
    fn invalid(&self, place: &str) -> JsonError {
        match self.text.get(self.at) {
            None => JsonError("unexpected end of JSON input".to_owned()),
            Some(byte) => JsonError(format!("invalid character {} {place}", quote_char(*byte))),
        }
    }

    /// The byte just read does not belong here.
    fn invalid_last(&mut self, place: &str) -> JsonError {
        self.at -= 1;
        self.invalid(place)
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(JsonError("exceeded max depth".to_owned()));
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        self.enter()?;
        let mut map = Map::new();
        if self.peek() == Some(b'}') {
            return Ok(self.leave(Value::Object(map)));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let name = self.string()?;
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            self.path.push(Step::Field(name.clone()));
            if map.contains_key(&name) {
                let duplicate = format!("duplicate field \"{}\"", self.place());
                self.duplicates.push(duplicate);
            }
            let value = self.value()?;
            self.path.pop();
            map.insert(name, value);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return Ok(self.leave(Value::Object(map))),
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        self.enter()?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            return Ok(self.leave(Value::Array(items)));
        }
        loop {
            self.path.push(Step::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return Ok(self.leave(Value::Array(items))),
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn leave(&mut self, value: Value) -> Value {
        self.at += 1;
        self.depth -= 1;
        value
    }

    /// `spec.containers[0].name`.
    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if place.is_empty() => place.push_str(name),
                Step::Field(name) => {
                    place.push('.');
                    place.push_str(name);
                }
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        place
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        for byte in word.bytes() {
            if self.text.get(self.at) != Some(&byte) {
                let place = format!("in literal {word} (expecting {})", quote_char(byte));
                return Err(self.invalid(&place));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.text.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.invalid("in numeric literal")),
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if !self.is_digit() {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            if !self.is_digit() {
                return Err(self.invalid("in exponent of numeric literal"));
            }
            self.digits();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default();
        number(text).map(Value::Number).ok_or_else(|| {
            JsonError(format!("json: cannot unmarshal number {text} into Go value of type float64"))
        })
    }

    fn is_digit(&self) -> bool {
        self.text.get(self.at).is_some_and(u8::is_ascii_digit)
    }

    fn digits(&mut self) {
        while self.is_digit() {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) if byte >= 0x20 => bytes.push(byte),
                _ => return Err(self.invalid_last("in string literal")),
            }
        }
        // As Go: what is no UTF-8 becomes U+FFFD.
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), JsonError> {
        let plain = match self.next() {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => {
                let c = self.unicode()?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.invalid_last("in string escape code")),
        };
        bytes.push(plain);
        Ok(())
    }

    /// What comes after `\u`; half of a pair becomes U+FFFD.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let start = self.at;
        if first < 0xdc00 && self.text.get(start..start + 2) == Some(b"\\u") {
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = start;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.invalid_last("in \\u hexadecimal character escape"));
            };
            number = number * 16 + digit;
        }
        Ok(number)
    }
}

/// A byte as Go's scanner quotes it.
fn quote_char(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        byte => {
            let quoted = crate::gofmt::quote(char::from(byte).encode_utf8(&mut [0; 4]));
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

/// A number as Go reads it: whole if it can be, else the nearest that there is (`serde_json` may take
/// the one beside it).
fn number(text: &str) -> Option<Number> {
    match text.parse::<Number>() {
        Ok(whole) if !whole.is_f64() => Some(whole),
        _ => text.parse().ok().and_then(Number::from_f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read() {
        let table = [
            ("null", json!(null)),
            (" [1, -2.5, 3e2, 0] ", json!([1, -2.5, 300.0, 0])),
            (
                r#"{"a": {"b": []}, "c": true, "d": false}"#,
                json!({"a": {"b": []}, "c": true, "d": false}),
            ),
            (r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, json!("a\"\\/\u{8}\u{c}\n\r\té😀")),
            (r#""\ud800x\ud800\u0041""#, json!("\u{fffd}x\u{fffd}A")),
            ("{}", json!({})),
            ("18446744073709551615", json!(18446744073709551615_u64)),
        ];
        for (text, value) in table {
            assert_eq!(parse(text.as_bytes()), Ok(value), "{text}");
        }
        assert_eq!(parse(b"\"\xff\""), Ok(json!("\u{fffd}")));
    }

    // The messages were printed by Go's encoding/json.
    #[test]
    fn errors_are_gos() {
        let table = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{\"a\"", "unexpected end of JSON input"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("{\"a\":}", "invalid character '}' looking for beginning of value"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("1 2", "invalid character '2' after top-level value"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
            ("tru", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("-", "unexpected end of JSON input"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("1.a", "invalid character 'a' after decimal point in numeric literal"),
            ("1ea", "invalid character 'a' in exponent of numeric literal"),
            ("\u{e9}", "invalid character 'Ã' looking for beginning of value"),
        ];
        for (text, message) in table {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), message, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(parse(deep.as_bytes()).unwrap_err().to_string(), "exceeded max depth");
        let most = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(parse(most.as_bytes()).is_ok());
    }

    #[test]
    fn doubled_fields_are_noted() {
        let text = br#"{"a": 1, "a": 2, "b": {"c": 1, "c": {"d": 1}, "c": 3},
            "l": [{}, {"x": 1, "x": 1}]}"#;
        let document = read(text).unwrap();
        assert_eq!(document.value, json!({"a": 2, "b": {"c": 3}, "l": [{}, {"x": 1}]}));
        assert_eq!(
            document.duplicates,
            [
                "duplicate field \"a\"",
                "duplicate field \"b.c\"",
                "duplicate field \"b.c\"",
                "duplicate field \"l[1].x\""
            ]
        );
    }

    #[test]
    fn text_is_written_as_go_writes_it() {
        assert_eq!(to_go_text(&json!({"a": "<&>\u{2028}"})), r#"{"a":"\u003c\u0026\u003e\u2028"}"#);
    }
}
