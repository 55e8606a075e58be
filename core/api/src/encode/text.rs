//! JSON text.

use super::{Group, Leaf, Sink, room_for};
use serde::Serialize;
use std::ops::Range;

/// How JSON text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Blanks of a level; `None`: everything on one line.
    pub indent: Option<usize>,
    /// `<`, `>`, `&` and two rare separators escaped, as Go does it for what may be put into a web page.
    pub html: bool,
}

impl Style {
    /// On one line, as `serde_json::to_vec`.
    pub const COMPACT: Style = Style { indent: None, html: false };
}

/// Writes JSON text.
pub struct Text {
    bytes: Vec<u8>,
    style: Style,
    /// The innermost group is no list.
    named: Vec<bool>,
    /// Something has come in the innermost group.
    begun: bool,
    /// What stood where parts are put into another order.
    old: Vec<u8>,
}

impl Text {
    /// Nothing yet.
    pub fn new(style: Style) -> Self {
        Text { bytes: Vec::new(), style, named: Vec::new(), begun: false, old: Vec::new() }
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How much has been written, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What stands between this part of the innermost group and the one before.
    pub fn separate(&mut self) {
        if self.begun {
            self.bytes.push(b',');
        }
        self.begun = true;
        self.line();
    }

    /// The name of a field, after [`Text::separate`].
    pub fn key(&mut self, name: &str) {
        self.text(name);
        self.bytes.extend_from_slice(if self.style.indent.is_some() { b": " } else { b":" });
    }

    /// Puts what was written from the first of these parts of the innermost group on into this order. Each
    /// begins where its name does and ends before what separates it from the next.
    pub fn reorder(&mut self, parts: &[Range<usize>]) {
        let Some(first) = parts.iter().map(|part| part.start).min() else { return };
        let mut old = std::mem::take(&mut self.old);
        old.clear();
        old.extend_from_slice(self.bytes.get(first..).unwrap_or_default());
        self.bytes.truncate(first);
        let of = |part: &Range<usize>| {
            old.get(part.start - first..part.end.saturating_sub(first)).unwrap_or_default()
        };
        self.begun = false;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.begun = true;
                self.separate();
            }
            self.bytes.extend_from_slice(of(part));
        }
        self.old = old;
        self.begun = true;
    }

    /// How many bytes stand between two parts of the innermost group.
    pub fn separator_len(&self) -> usize {
        1 + self.style.indent.map_or(0, |indent| 1 + indent * self.named.len())
    }

    fn line(&mut self) {
        if let Some(indent) = self.style.indent {
            self.bytes.push(b'\n');
            self.bytes.resize(self.bytes.len() + indent * self.named.len(), b' ');
        }
    }

    /// An item of a list comes; before values of fields their names did the same.
    fn item(&mut self) {
        if self.named.last() == Some(&false) {
            self.separate();
        }
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        // Writing into memory does not fail, and these are leaves.
        let _ = serde_json::to_writer(&mut self.bytes, value);
    }

    /// A text between quotes: by runs of what stands for itself, which most texts are one of.
    fn text(&mut self, text: &str) {
        let special = if self.style.html { &HTML } else { &PLAIN };
        let bytes = text.as_bytes();
        self.bytes.reserve(bytes.len() + 2);
        self.bytes.push(b'"');
        let mut from = 0;
        while let Some(run) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
            let len = run.iter().position(|byte| special[usize::from(*byte)]).unwrap_or(run.len());
            let (run, rest) = run.split_at_checked(len).unwrap_or((run, &[]));
            self.bytes.extend_from_slice(run);
            from += len + self.special(rest);
        }
        self.bytes.push(b'"');
    }

    /// The character that comes first, if any, as it stands between quotes. Answers how long it was.
    fn special(&mut self, text: &[u8]) -> usize {
        let Some(&byte) = text.first() else { return 0 };
        let short = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0xe2 => {
                let rare = [("\u{2028}", b"\\u2028"), ("\u{2029}", b"\\u2029")];
                return match rare.iter().find(|(c, _)| text.starts_with(c.as_bytes())) {
                    Some((c, escaped)) => {
                        self.bytes.extend_from_slice(*escaped);
                        c.len()
                    }
                    None => {
                        self.bytes.push(byte);
                        1
                    }
                };
            }
            byte => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
                let escaped = [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)];
                self.bytes.extend_from_slice(&escaped);
                return 1;
            }
        };
        self.bytes.extend_from_slice(&[b'\\', short]);
        1
    }
}

/// The bytes that do not stand for themselves.
static PLAIN: [bool; 256] = special(false);
/// Those that do not in what may be put into a web page. U+2028 and U+2029 begin with 0xe2.
static HTML: [bool; 256] = special(true);

const fn special(html: bool) -> [bool; 256] {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = match byte as u8 {
            0..0x20 | b'"' | b'\\' => true,
            b'<' | b'>' | b'&' | 0xe2 => html,
            _ => false,
        };
        byte += 1;
    }
    special
}

impl Sink for Text {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.item();
        match leaf {
            Leaf::Null => self.bytes.extend_from_slice(b"null"),
            Leaf::Bool(flag) => self.json(&flag),
            Leaf::Int(number) => self.json(&number),
            Leaf::Uint(number) => self.json(&number),
            Leaf::Float(number) => self.json(&number),
            Leaf::Text(text) => self.text(text),
        }
    }

    fn begin(&mut self, group: Group) {
        self.item();
        let named = group != Group::List;
        self.bytes.push(if named { b'{' } else { b'[' });
        self.named.push(named);
        self.begun = false;
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.key(name);
    }

    fn end(&mut self) {
        let named = self.named.pop().unwrap_or_default();
        if self.begun {
            self.line();
        }
        self.bytes.push(if named { b'}' } else { b']' });
        self.begun = true;
    }

    fn comes_again(&mut self, times: usize) {
        self.bytes.reserve(room_for(self.bytes.len(), times));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::tell;
    use serde_json::{Value, json};

    const GO: Style = Style { indent: Some(4), html: true };

    fn text(value: &Value, style: Style) -> String {
        let mut text = Text::new(style);
        tell(value, &mut text).unwrap();
        String::from_utf8(text.into_bytes()).unwrap()
    }

    #[test]
    fn texts_are_escaped_as_go_escapes_them() {
        let json = json!("a<b \u{e2}\u{201c}é\u{2028}\"\\n\n&");
        let wanted = "\"a\\u003cb \u{e2}\u{201c}é\\u2028\\\"\\\\n\\n\\u0026\"";
        assert_eq!(text(&json, GO), wanted);
    }

    #[test]
    fn lines_are_broken_as_go_breaks_them() {
        let json = json!({"b": [], "a": {"x": "<1 & 2>"}, "c": {}, "d": [1, [2]]});
        assert_eq!(
            text(&json, GO),
            "{\n    \"a\": {\n        \"x\": \"\\u003c1 \\u0026 2\\u003e\"\n    },\n    \"b\": [],\n    \
             \"c\": {},\n    \"d\": [\n        1,\n        [\n            2\n        ]\n    ]\n}"
        );
        let pretty = Style { indent: Some(2), html: false };
        assert_eq!(text(&json, pretty), serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn parts_change_places() {
        for style in [Style::COMPACT, GO] {
            let mut sink = Text::new(style);
            sink.begin(Group::Struct);
            let mut starts = Vec::new();
            for (name, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
                sink.separate();
                starts.push(sink.len());
                sink.key(name);
                sink.leaf(Leaf::Text(value));
            }
            let gap = sink.separator_len();
            let (a, b, c) =
                (starts[0]..starts[1] - gap, starts[1]..starts[2] - gap, starts[2]..sink.len());
            sink.reorder(&[c, a, b]);
            sink.end();
            let wanted = serde_json::from_str::<Value>(
                &String::from_utf8(sink.into_bytes()).unwrap().replace(['\n', ' '], ""),
            );
            assert_eq!(wanted.unwrap(), json!({"c": "3", "a": "1", "b": "2"}));
        }
    }
}
