//! JSON to YAML: keys sorted, lists not indented, quotes only where they are needed.
//!
//! Upstream: `goyaml.v2/encode.go`, `emitterc.go`, `sorter.go`.

use super::scalar::needs_quotes;
use crate::encode::{self, Group, Leaf, Sink};
use serde_json::Value;
use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

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
}

#[derive(Debug)]
struct Open {
    group: Group,
    /// Where its lines begin.
    indent: usize,
    place: Place,
    /// It has parts.
    begun: bool,
    /// The keys of a map, and where the entries begin.
    entries: Vec<(String, usize)>,
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

    /// Puts the entries of a map in their order.
    fn sort(&mut self, open: &Open) {
        let sorted = |pair: &[(String, usize)]| match pair {
            [(a, _), (b, _)] => key_order(a, b) != Ordering::Greater,
            _ => true,
        };
        let Some((_, start)) =
            open.entries.first().filter(|_| !open.entries.windows(2).all(sorted))
        else {
            return;
        };
        let old = self.out.split_off(*start);
        let ends = open.entries.iter().skip(1).map(|(_, next)| *next).chain([start + old.len()]);
        let entry = |((key, from), to): (&'_ (String, usize), usize)| {
            // What is before the next key on its line belongs to the place and not to the entry.
            let lines = old.get(from - start..to - start).unwrap_or_default();
            (key.clone(), lines.trim_end_matches(' ').to_owned())
        };
        let mut entries: Vec<(String, String)> = open.entries.iter().zip(ends).map(entry).collect();
        entries.sort_by(|a, b| key_order(&a.0, &b.0));
        for (index, (_, entry)) in entries.into_iter().enumerate() {
            if index > 0 {
                pad(open.indent, &mut self.out);
            }
            self.out.push_str(&entry);
        }
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
        self.open.push(Open { group, indent, place, begun: false, entries: Vec::new() });
    }

    fn name(&mut self, name: &str) {
        self.part();
        let (start, out) = (self.out.len(), &mut self.out);
        let Some(open) = self.open.last_mut() else { return };
        key(name, open.indent, out);
        if open.group == Group::Map {
            open.entries.push((name.to_owned(), start));
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
}

/// A key, with its colon.
fn key(key: &str, indent: usize, out: &mut String) {
    let word = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let simple = (word || !key.contains(is_break)) && key.len() <= 128;
    if word && simple && !key.is_empty() && !needs_quotes(key) {
        out.push_str(key);
    } else if simple {
        text(key, indent, true, out);
    } else {
        out.push_str("? ");
        text(key, indent, false, out);
        out.push('\n');
        pad(indent, out);
    }
    out.push(':');
}

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
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'))
        && !needs_quotes(text)
}

fn text(text: &str, indent: usize, key: bool, out: &mut String) {
    if is_word(text) {
        out.push_str(text);
        return;
    }
    let shape = Shape::of(text);
    let mut line = Line::new(out, (!key).then_some(indent + 2));
    if text.contains('\n') && !key && shape.block_allowed {
        literal(text, indent, out);
    } else if text.contains('\n') || needs_quotes(text) {
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
    column: usize,
    /// Where broken lines go on; keys are not broken.
    indent: Option<usize>,
}

impl<'o> Line<'o> {
    fn new(out: &'o mut String, indent: Option<usize>) -> Self {
        let column = out.rsplit('\n').next().unwrap_or_default().chars().count();
        Line { out, column, indent }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Breaks the line if it is long enough; answers whether it did.
    fn wrap(&mut self) -> bool {
        let Some(indent) = self.indent.filter(|_| self.column > WIDTH) else { return false };
        self.out.push('\n');
        pad(indent, self.out);
        self.column = indent;
        true
    }

    fn plain(&mut self, text: &str, open: &str, close: &str) {
        self.push(open);
        // A line that does not become too long is not broken.
        let fits = || self.column + text.chars().count() <= WIDTH;
        if self.indent.is_none() || !text.contains(' ') || fits() {
            self.push(text);
            self.push(close);
            return;
        }
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((index, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            let inner = next.is_some_and(|next| next != ' ') && (index > 0 || open.is_empty());
            if !(c == ' ' && !spaces && inner && self.wrap()) {
                self.push(c.encode_utf8(&mut [0; 4]));
            }
            spaces = c == ' ';
        }
        self.push(close);
    }

    fn double_quoted(&mut self, text: &str) {
        self.push("\"");
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((index, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if c == ' ' && !spaces && index > 0 && next.is_some() && self.wrap() {
                if next == Some(' ') {
                    self.push("\\");
                }
            } else {
                self.push(&escaped(c));
            }
            spaces = c == ' ';
        }
        self.push("\"");
    }
}

/// How a text may be written.
struct Shape {
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let mut shape = Shape {
            plain_allowed: !text.is_empty(),
            single_allowed: true,
            block_allowed: !text.is_empty(),
        };
        let edge = |c: char| c == ' ' || is_break(c);
        if text.starts_with(edge) || text.ends_with(edge) || text.contains(is_break) {
            shape.plain_allowed = false;
        }
        if text.starts_with("---") || text.starts_with("...") || has_indicator(text) {
            shape.plain_allowed = false;
        }
        if text.ends_with(' ') {
            shape.block_allowed = false;
        }
        let pairs = || text.chars().zip(text.chars().skip(1));
        // go-yaml breaks lines at rare separators, too; they are escaped here.
        let rare = |c: char| is_break(c) && c != '\n';
        if text.contains(rare) || pairs().any(|(a, b)| is_break(a) && b == ' ') {
            shape.single_allowed = false;
        }
        let space_break = pairs().any(|(a, b)| a == ' ' && is_break(b));
        if space_break || text.chars().any(|c| !is_printable(c)) {
            shape.plain_allowed = false;
            shape.single_allowed = false;
            shape.block_allowed = false;
        }
        shape
    }
}

/// Whether a character would be taken for YAML's own in block context.
fn has_indicator(text: &str) -> bool {
    let blank = |c: Option<&char>| c.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(*c));
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next_blank = matches!(chars.peek(), None | Some(' ' | '\t'));
        let first = before.is_none();
        let found = match c {
            '#' => blank(before.as_ref()),
            ':' => next_blank,
            '?' | '-' if first => next_blank,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => first,
            _ => false,
        };
        if found {
            return true;
        }
        before = Some(c);
    }
    false
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
    out.extend(std::iter::repeat_n(' ', indent));
}

/// go-yaml's order of keys: letters behind everything else, numbers by their value.
fn key_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    let mut before = String::new();
    while let (Some(&one), Some(&two)) = (left.peek(), right.peek()) {
        if one == two {
            before.push(one);
            left.next();
            right.next();
            continue;
        }
        return match (one.is_alphabetic(), two.is_alphabetic()) {
            (true, true) => one.cmp(&two),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => number_order(&before, one, two, left, right),
        };
    }
    a.chars().count().cmp(&b.chars().count())
}

/// The order of two keys that differ first in characters which are no letters.
fn number_order(
    before: &str,
    one: char,
    two: char,
    left: Peekable<Chars<'_>>,
    right: Peekable<Chars<'_>>,
) -> Ordering {
    // A zero within a number counts as a digit of it.
    let digits = before.chars().rev().take_while(char::is_ascii_digit);
    let within = (one == '0' || two == '0') && digits.into_iter().any(|c| c != '0');
    let number = |chars: Peekable<Chars<'_>>| {
        chars.take_while(char::is_ascii_digit).fold((u64::from(within), 0), |(number, count), c| {
            let digit = u64::from(c.to_digit(10).unwrap_or(0));
            (number.wrapping_mul(10).wrapping_add(digit), count + 1)
        })
    };
    number(left).cmp(&number(right)).then(one.cmp(&two))
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
