//! JSON to YAML: keys sorted, lists not indented, quotes only where they are needed.
//!
//! Upstream: `goyaml.v2/encode.go`, `emitterc.go`, `sorter.go`.

use super::scalar::needs_quotes;
use crate::encode::{self, Group, Leaf, Sink};
use serde_json::Value;
use std::cmp::Ordering;
use std::ops::Range;

/// The text of a value, with a line break at its end.
pub fn print(value: &Value) -> String {
    let mut text = Text::default();
    // A value has no errors of its own.
    let _ = encode::tell(value, &mut text);
    text.into_text()
}

/// Writes YAML: whole documents, one after the other.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    /// The groups that are not over yet, the innermost last.
    open: Vec<Open>,
    /// The entries of the maps among them, in the order in which they came.
    entries: Vec<Entry>,
    /// The keys of these, one after the other.
    keys: String,
}

/// An entry of a map.
#[derive(Clone, Debug)]
struct Entry {
    /// Where its key stands in [`Text::keys`].
    key: Range<usize>,
    /// Where its lines begin.
    start: usize,
}

#[derive(Debug)]
struct Open {
    group: Group,
    /// Where its lines begin.
    indent: usize,
    place: Place,
    /// It has parts.
    begun: bool,
    /// How many of the entries are those of groups around it.
    outer: usize,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    /// Behind a key.
    Entry,
    /// Behind a dash.
    Item,
}

impl Text {
    /// What has been written.
    pub fn into_text(self) -> String {
        self.out
    }

    /// A value comes: where it stands, and how far in.
    fn arrive(&mut self) -> (Place, usize) {
        match self.open.last() {
            None => (Place::Alone, 0),
            Some(open) if open.group == Group::List => {
                let indent = open.indent;
                self.part();
                self.out.push_str("- ");
                (Place::Item, indent)
            }
            Some(open) => (Place::Entry, open.indent),
        }
    }

    /// A part of the innermost group comes, on a line of its own but for the first of a group behind a dash.
    fn part(&mut self) {
        let Some(open) = self.open.last_mut() else { return };
        let first = !std::mem::replace(&mut open.begun, true);
        if first && open.place == Place::Entry {
            self.out.push('\n');
        }
        if !(first && open.place == Place::Item) {
            pad(open.indent, &mut self.out);
        }
    }

    /// What needs no lines of its own, behind a key or a dash.
    fn flat(&mut self, place: Place, write: impl FnOnce(&mut String)) {
        if place == Place::Entry {
            self.out.push(' ');
        }
        write(&mut self.out);
        self.out.push('\n');
    }

    /// Puts the entries of a map in their order, and forgets them.
    fn sort(&mut self, open: &Open) {
        let entries = self.entries.get(open.outer..).unwrap_or_default();
        let Some(first) = entries.first().cloned() else { return };
        let key = |entry: &Entry| self.keys.get(entry.key.clone()).unwrap_or_default();
        let order = |a: &Entry, b: &Entry| key_order(key(a), key(b));
        if !entries.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
            let old = self.out.split_off(first.start);
            let ends = entries.iter().skip(1).map(|next| next.start);
            let entry = |(entry, end): (&Entry, usize)| {
                // What is before the next key on its line belongs to the place and not to the entry.
                let lines = old.get(entry.start - first.start..end - first.start);
                (entry.clone(), lines.unwrap_or_default().trim_end_matches(' '))
            };
            let mut sorted: Vec<(Entry, &str)> =
                entries.iter().zip(ends.chain([first.start + old.len()])).map(entry).collect();
            sorted.sort_by(|(a, _), (b, _)| order(a, b));
            for (index, (_, lines)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    pad(open.indent, &mut self.out);
                }
                self.out.push_str(lines);
            }
        }
        self.keys.truncate(first.key.start);
        self.entries.truncate(open.outer);
    }
}

impl Sink for Text {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        let (place, indent) = self.arrive();
        self.flat(place, |out| match leaf {
            Leaf::Null => out.push_str("null"),
            Leaf::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            Leaf::Int(number) => out.push_str(&number.to_string()),
            Leaf::Uint(number) => out.push_str(&number.to_string()),
            Leaf::Float(number) if number.is_finite() => out.push_str(&float_text(number)),
            Leaf::Float(_) => out.push_str("null"),
            Leaf::Text(string) => text(string, indent, false, out),
        });
    }

    fn begin(&mut self, group: Group) {
        let (place, indent) = self.arrive();
        // Lists stand under their key, not behind it.
        let indent = match (place, group) {
            (Place::Alone, _) => 0,
            (Place::Entry, Group::List) => indent,
            (Place::Entry | Place::Item, _) => indent + 2,
        };
        let outer = self.entries.len();
        self.open.push(Open { group, indent, place, begun: false, outer });
    }

    fn name(&mut self, name: &str) {
        self.part();
        let (start, out) = (self.out.len(), &mut self.out);
        let Some(open) = self.open.last_mut() else { return };
        key(name, open.indent, out);
        if open.group == Group::Map {
            let from = self.keys.len();
            self.keys.push_str(name);
            self.entries.push(Entry { key: from..self.keys.len(), start });
        }
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if open.begun {
            self.sort(&open);
        } else {
            let empty = if open.group == Group::List { "[]" } else { "{}" };
            self.flat(open.place, |out| out.push_str(empty));
        }
    }

    fn comes_again(&mut self, times: usize) {
        self.out.reserve(encode::room_for(self.out.len(), times));
    }
}

/// A key, with its colon.
fn key(key: &str, indent: usize, out: &mut String) {
    if is_word(key) && key.len() <= KEY_MAX {
        out.push_str(key);
    } else if key.len() <= KEY_MAX && !key.contains(is_break) {
        text(key, indent, true, out);
    } else {
        out.push_str("? ");
        text(key, indent, false, out);
        out.push('\n');
        pad(indent, out);
    }
    out.push(':');
}

/// Bytes of a key that stands on the line of its value.
const KEY_MAX: usize = 128;

/// Floats as Go's `FormatFloat(…, 'g', -1, 64)`.
fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Whether a text is a word that cannot be anything else, which most are.
fn is_word(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(|byte| WORD[usize::from(byte)])
        && !needs_quotes(text)
}

/// What words are made of.
static WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        word[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-'..=b'/' | b'_');
        byte += 1;
    }
    word
};

fn text(text: &str, indent: usize, key: bool, out: &mut String) {
    if is_word(text) {
        out.push_str(text);
        return;
    }
    let shape = Shape::of(text);
    let may_break = !key && text.contains(' ');
    let mut line = Line::new(out, may_break.then_some(indent + 2));
    if shape.broken && !key && shape.block_allowed {
        literal(text, indent, out);
    } else if shape.broken || needs_quotes(text) {
        line.double_quoted(text);
    } else if shape.plain_allowed {
        line.plain(text, "", "");
    } else if shape.single_allowed {
        line.plain(&text.replace('\'', "''"), "'", "'");
    } else {
        line.double_quoted(text);
    }
}

/// Columns after which a line is broken at the next space.
const WIDTH: usize = 80;

/// Writes a scalar, broken into lines where it is long.
struct Line<'o> {
    out: &'o mut String,
    /// Where broken lines go on; `None`: this is not broken.
    indent: Option<usize>,
    /// How far the line has come, if it may be broken.
    column: usize,
}

impl<'o> Line<'o> {
    fn new(out: &'o mut String, indent: Option<usize>) -> Self {
        let line = || out.rsplit('\n').next().unwrap_or_default();
        let column = if indent.is_some() { line().chars().count() } else { 0 };
        Line { out, indent, column }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        if self.indent.is_some() {
            self.column += text.chars().count();
        }
    }

    /// Breaks the line if it is long enough; answers whether it did.
    fn wrap(&mut self) -> bool {
        let Some(indent) = self.indent.filter(|_| self.column > WIDTH) else { return false };
        self.out.push('\n');
        pad(indent, self.out);
        self.column = indent;
        true
    }

    /// Writes what of a text has come since `from`, up to a space at `at` at which the line may be broken.
    /// Answers whether it was, and then the space is left out.
    fn wrap_at(&mut self, text: &str, from: &mut usize, at: usize) -> bool {
        self.push(text.get(*from..at).unwrap_or_default());
        let wrapped = self.wrap();
        *from = at + usize::from(wrapped);
        wrapped
    }

    fn plain(&mut self, text: &str, open: &str, close: &str) {
        self.push(open);
        let mut from = 0;
        // A line that does not become too long is not broken.
        if self.indent.is_some() && self.column + text.chars().count() > WIDTH {
            let bytes = text.as_bytes();
            let is_space = |at: usize| bytes.get(at).is_some_and(|byte| *byte == b' ');
            for at in (0..bytes.len()).filter(|at| is_space(*at)) {
                let inner = if at == 0 { open.is_empty() } else { !is_space(at - 1) };
                if inner && at + 1 < bytes.len() && !is_space(at + 1) {
                    self.wrap_at(text, &mut from, at);
                }
            }
        }
        self.push(text.get(from..).unwrap_or_default());
        self.push(close);
    }

    fn double_quoted(&mut self, text: &str) {
        self.push("\"");
        let (mut from, mut spaces) = (0, false);
        for (at, c) in text.char_indices() {
            let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
            if c == ' ' {
                let inner = !spaces && at > 0 && !rest.is_empty();
                if inner && self.wrap_at(text, &mut from, at) && rest.starts_with(' ') {
                    self.push("\\");
                }
            } else if matches!(c, '"' | '\\') || is_break(c) || !is_printable(c) {
                self.push(text.get(from..at).unwrap_or_default());
                self.push(&escaped(c));
                from = text.len() - rest.len();
            }
            spaces = c == ' ';
        }
        self.push(text.get(from..).unwrap_or_default());
        self.push("\"");
    }
}

/// How a text may be written.
struct Shape {
    /// It has lines.
    broken: bool,
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let bytes = text.as_bytes();
        let mut shape = Shape {
            broken: false,
            plain_allowed: !text.is_empty(),
            single_allowed: true,
            block_allowed: !text.is_empty(),
        };
        // Most texts are written as they are, and that is soon seen.
        let first_is_plain = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
        if first_is_plain && !text.ends_with(':') && bytes.iter().all(u8::is_ascii_graphic) {
            return shape;
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let marks_document = text.starts_with("---") || text.starts_with("...");
        if text.starts_with(edge) || text.ends_with(edge) || marks_document {
            shape.plain_allowed = false;
        }
        if text.ends_with(' ') {
            shape.block_allowed = false;
        }
        let mut special = false;
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let break_ = is_break(c);
            shape.broken |= c == '\n';
            if break_ || is_indicator(before, c, chars.peek().copied()) {
                shape.plain_allowed = false;
            }
            // go-yaml breaks lines at rare separators, too; they are escaped here.
            if (break_ && c != '\n') || (c == ' ' && before.is_some_and(is_break)) {
                shape.single_allowed = false;
            }
            special |= (break_ && before == Some(' ')) || !is_printable(c);
            before = Some(c);
        }
        if special {
            shape.plain_allowed = false;
            shape.single_allowed = false;
            shape.block_allowed = false;
        }
        shape
    }
}

/// Whether a character would be taken for YAML's own in block context, between these two.
fn is_indicator(before: Option<char>, c: char, next: Option<char>) -> bool {
    let next_blank = matches!(next, None | Some(' ' | '\t'));
    match c {
        '#' => before.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(c)),
        ':' => next_blank,
        '?' | '-' => before.is_none() && next_blank,
        ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
        | '`' => before.is_none(),
        _ => false,
    }
}

fn literal(text: &str, indent: usize, out: &mut String) {
    out.push('|');
    if text.starts_with(|c| c == ' ' || is_break(c)) {
        out.push('2');
    }
    let body = text.strip_suffix('\n');
    match body {
        None => out.push('-'),
        Some(body) if body.is_empty() || body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(indent + 2, out);
            out.push_str(line);
        }
    }
}

/// A character as it stands between double quotes.
fn escaped(c: char) -> String {
    let short = match c {
        '"' => '"',
        '\\' => '\\',
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return c.to_string(),
        c if c as u32 <= 0xff => return format!("\\x{:02X}", c as u32),
        c if c as u32 <= 0xffff => return format!("\\u{:04X}", c as u32),
        c => return format!("\\U{:08X}", c as u32),
    };
    format!("\\{short}")
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// go-yaml escapes what is beyond the basic plane too.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

fn pad(indent: usize, out: &mut String) {
    const BLANKS: &str = "                                ";
    let mut left = indent;
    while left > 0 {
        let blanks = BLANKS.get(..left).unwrap_or(BLANKS);
        out.push_str(blanks);
        left -= blanks.len();
    }
}

/// go-yaml's order of keys: letters behind everything else, numbers by their value.
fn key_order(a: &str, b: &str) -> Ordering {
    let mut pairs = a.char_indices().zip(b.chars());
    let Some(((at, one), two)) = pairs.find(|((_, one), two)| one != two) else {
        // One begins with the other.
        return a.len().cmp(&b.len());
    };
    match (one.is_alphabetic(), two.is_alphabetic()) {
        (true, true) => one.cmp(&two),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => number_order(a, b, at).then(one.cmp(&two)),
    }
}

/// The order of two keys that differ first, from here on, in characters which are no letters.
fn number_order(a: &str, b: &str, at: usize) -> Ordering {
    let (before, left) = a.split_at_checked(at).unwrap_or((a, ""));
    let right = b.get(at..).unwrap_or_default();
    // A zero within a number counts as a digit of it.
    let mut digits = before.chars().rev().take_while(char::is_ascii_digit);
    let within = (left.starts_with('0') || right.starts_with('0')) && digits.any(|c| c != '0');
    let number = |text: &str| {
        let digits = text.chars().map_while(|c| c.to_digit(10));
        digits.fold((u64::from(within), 0), |(number, count), digit| {
            (number.wrapping_mul(10).wrapping_add(u64::from(digit)), count + 1)
        })
    };
    number(left).cmp(&number(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Printed by sigs.k8s.io/yaml v1.4.0.
    #[test]
    fn prints_as_upstream_does() {
        let table = CASES;
        for (json, yaml) in table {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(print(&value), *yaml, "{json}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read() {
        for (json, _) in CASES {
            let value: Value = serde_json::from_str(json).unwrap();
            let text = print(&value);
            let again = super::super::parse(&text).map(|value| print(&value));
            assert_eq!(again, Ok(text), "{json}");
        }
        let keys = json!({"a": {"b": [[1, [2]], {"c": [], "d": {}}]}});
        assert_eq!(super::super::parse(&print(&keys)), Ok(keys));
    }

    const CASES: &[(&str, &str)] = &[
        (
            r#"{}"#, r#"{}
"#,
        ),
        (
            r#"[]"#, r#"[]
"#,
        ),
        (
            r#"null"#, r#"null
"#,
        ),
        (
            r#""x""#, r#"x
"#,
        ),
        (
            r#"1"#, r#"1
"#,
        ),
        (
            r#"{"a":{}}"#,
            r#"a: {}
"#,
        ),
        (
            r#"{"a":[]}"#,
            r#"a: []
"#,
        ),
        (
            r#"{"b":1,"a":[1,2]}"#,
            r#"a:
- 1
- 2
b: 1
"#,
        ),
        (
            r#"{"a":[{"b":1,"c":[2]},{"d":{}}]}"#,
            r#"a:
- b: 1
  c:
  - 2
- d: {}
"#,
        ),
        (
            r#"{"a":[[1,2],[3]]}"#,
            r#"a:
- - 1
  - 2
- - 3
"#,
        ),
        (
            r#"[[1,[2,3]],[]]"#,
            r#"- - 1
  - - 2
    - 3
- []
"#,
        ),
        (
            r#"{"a":null,"b":true,"c":1.5,"d":1e3,"e":10000000000}"#,
            r#"a: null
b: true
c: 1.5
d: 1000
e: 10000000000
"#,
        ),
        (
            r#"{"a":"","b":"true","c":"1","d":"1.5","e":"null","f":"~","g":"yes","h":"n"}"#,
            r#"a: ""
b: "true"
c: "1"
d: "1.5"
e: "null"
f: "~"
g: "yes"
h: "n"
"#,
        ),
        (
            r#"{"a":"x: y","b":"x #y","c":"x#y","d":"- x","e":"-x","f":"?x","g":": x","h":":x","i":"a:b","j":"@x","k":"*x","l":"{x}","m":"[x","n":"x]","o":"'x'","p":"\"x\"","q":"%x","r":"!x","s":"&x","t":"|","u":">x","v":"it's","w":"it's: x"}"#,
            r#"a: 'x: y'
b: 'x #y'
c: x#y
d: '- x'
e: -x
f: ?x
g: ': x'
h: :x
i: a:b
j: '@x'
k: '*x'
l: '{x}'
m: '[x'
"n": x]
o: '''x'''
p: '"x"'
q: '%x'
r: '!x'
s: '&x'
t: '|'
u: '>x'
v: it's
w: 'it''s: x'
"#,
        ),
        (
            r#"{"a":" x","b":"x ","c":"a\tb","d":"a\\b","e":"\u0007","f":"한글","g":"😀","h":"é","i":"\u00a0x","j":"\ufeff"}"#,
            r#"a: ' x'
b: 'x '
c: "a\tb"
d: a\b
e: "\a"
f: 한글
g: "\U0001F600"
h: é
i:  x
j: "\uFEFF"
"#,
        ),
        (
            r#"{"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":"\nx","e":" x\ny","f":"x \ny","g":"x\n y","h":"x\ny ","i":"\n","j":"x\r\ny\n","k":"a\tb\nc"}"#,
            r#"a: |
  x
  y
b: |-
  x
  y
c: |+
  x

d: |2-

  x
e: |2-
   x
  y
f: "x \ny"
g: |-
  x
   y
h: "x\ny "
i: |2+

j: "x\r\ny\n"
k: "a\tb\nc"
"#,
        ),
        (
            r#"{"a":["x\ny\n",{"b":"x\ny"}]}"#,
            r#"a:
- |
  x
  y
- b: |-
    x
    y
"#,
        ),
        (
            r#"{"a":"2025-06-02T00:00:00Z","b":"2025-06-02","c":"1:30","d":"190:20:30","e":"10.96.0.1","f":"0x1","g":"0644","h":"1_0","i":"1e3","j":".5","k":"+1","l":"-","m":"--- x","n":"...","o":"=","p":"<<","q":"0o7","r":"2025-6-2 10:00:00"}"#,
            r#"a: "2025-06-02T00:00:00Z"
b: "2025-06-02"
c: "1:30"
d: "190:20:30"
e: 10.96.0.1
f: "0x1"
g: "0644"
h: "1_0"
i: "1e3"
j: ".5"
k: "+1"
l: '-'
m: '--- x'
"n": '...'
o: =
p: <<
q: "0o7"
r: "2025-6-2 10:00:00"
"#,
        ),
        (
            r#"{"b2":1,"b10":2,"b1":3,"a":4,"B":5,"_":6,"-":7,"1":8,"10":9,"2":10,"a-b":11,"a.b":12,"ab":13,"a/b":14}"#,
            r#"'-': 7
_: 6
"1": 8
"2": 10
"10": 9
B: 5
a: 4
a-b: 11
a.b: 12
a/b: 14
ab: 13
b1: 3
b2: 1
b10: 2
"#,
        ),
        (
            r#"{"true":1,"1":2,"null":3,"":4,"a b":5,"a: b":6,"yes":7,"-":8}"#,
            r#""": 4
'-': 8
"1": 2
a b: 5
'a: b': 6
"null": 3
"true": 1
"yes": 7
"#,
        ),
        (
            r#"{"x\ny":1}"#,
            r#"? |-
  x
  y
: 1
"#,
        ),
        (
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"app":"web"},"name":"web"},"spec":{"containers":[{"args":["-c","echo hi"],"image":"nginx:1.27","name":"web","ports":[{"containerPort":80}]}]}}"#,
            r#"apiVersion: v1
kind: Pod
metadata:
  labels:
    app: web
  name: web
spec:
  containers:
  - args:
    - -c
    - echo hi
    image: nginx:1.27
    name: web
    ports:
    - containerPort: 80
"#,
        ),
        (
            r#"{"a":"very long text that goes on and on and on and on and on and on and on and on and on and on and on and on and on for more than eighty columns"}"#,
            r#"a: very long text that goes on and on and on and on and on and on and on and on and
  on and on and on and on and on for more than eighty columns
"#,
        ),
        (
            r##"{"a":"a,b","b":"a?b","c":"#x","d":"x\t# y","e":"x:\ty"}"##,
            r#"a: a,b
b: a?b
c: '#x'
d: "x\t# y"
e: "x:\ty"
"#,
        ),
        (
            r#"{"a":0.1,"b":1e21,"c":1e-7,"d":123456789.123,"e":-0.5,"f":1e100}"#,
            r#"a: 0.1
b: 1e+21
c: 1e-07
d: 1.23456789123e+08
e: -0.5
f: 1e+100
"#,
        ),
    ];
}
