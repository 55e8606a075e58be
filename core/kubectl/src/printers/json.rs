//! `-o json`.

use crate::failure::{Failure, Result};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io::{self, Write};

/// Four blanks of indentation and `<`, `>`, `&` escaped, as Go's `json.MarshalIndent` writes it.
pub fn to_json(value: &Value) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = GoFormatter(PrettyFormatter::with_indent(b"    "));
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|why| Failure::Message(why.to_string()))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|why| Failure::Message(why.to_string()))
}

/// Go's way with texts, and everything else as it comes.
struct GoFormatter<'a>(PrettyFormatter<'a>);

impl Formatter for GoFormatter<'_> {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        // U+2028 and U+2029 both begin with this byte.
        let special = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | 0xe2);
        while let Some(at) = rest.as_bytes().iter().position(special) {
            let (plain, after) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let Some(c) = after.chars().next() else { break };
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    write!(writer, "\\u{:04x}", u32::from(c))?;
                }
                c => writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?,
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_escaped() {
        let text = to_json(&json!("a<b \u{e2}\u{201c}é\u{2028}\"\\n\n&")).unwrap();
        assert_eq!(text, "\"a\\u003cb \u{e2}\u{201c}é\\u2028\\\"\\\\n\\n\\u0026\"\n");
    }

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
