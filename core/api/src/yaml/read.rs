//! YAML to JSON.

use super::scalar::{float_number, resolve};
use serde::de::{Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// A document that cannot be read; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// go-yaml's own: `yaml: line 3: mapping values are not allowed in this context`.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Syntax(String),
    /// A key that cannot be a name.
    #[error("error converting YAML to JSON: {0}")]
    Key(String),
    /// More than blanks or a comment stand behind a line's `---`.
    #[error("invalid Yaml document separator: {0}")]
    Separator(String),
}

/// Every document of a stream, divided at lines that begin with `---`. Documents that are empty
/// or hold only comments are left out; after the first error there is nothing more.
pub fn documents(text: &str) -> Vec<Result<Value, YamlError>> {
    let mut documents = Vec::new();
    for chunk in chunks(text) {
        let document = chunk.and_then(|chunk| parse(&chunk));
        let failed = document.is_err();
        if document != Ok(Value::Null) {
            documents.push(document);
        }
        if failed {
            break;
        }
    }
    documents
}

/// The text of each document, with the lines numbered from its own first one.
fn chunks(text: &str) -> Vec<Result<String, YamlError>> {
    let mut chunks = Vec::new();
    let mut chunk = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                chunks.push(Err(YamlError::Separator(rest.to_owned())));
                return chunks;
            }
            // A separator that divides nothing belongs to the document behind it.
            if !chunk.is_empty() {
                chunks.push(Ok(std::mem::take(&mut chunk)));
                continue;
            }
        }
        chunk.push_str(line);
        chunk.push('\n');
    }
    if !chunk.is_empty() {
        chunks.push(Ok(chunk));
    }
    chunks
}

/// The first document of a text.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let Some(document) = serde_yaml::Deserializer::from_str(text).next() else {
        return Ok(Value::Null);
    };
    let seed = Node { text, tagged: false };
    seed.deserialize(document).map_err(|error| translate(&error.to_string(), text))
}

/// What libyaml's parser says; everything else is said by its scanner.
const PARSER_PROBLEMS: [&str; 11] = [
    "did not find expected <stream-start>",
    "did not find expected <document start>",
    "found undefined tag handle",
    "did not find expected node content",
    "did not find expected '-' indicator",
    "did not find expected key",
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "found duplicate %YAML directive",
    "found incompatible YAML document",
    "found duplicate %TAG directive",
];

const UNSUPPORTED_KEY: &str = "unsupported map key of type: ";

/// From libyaml's message to go-yaml's, which counts lines in its own way: the first is 0 and not
/// told, and only the scanner adds one.
fn translate(error: &str, text: &str) -> YamlError {
    if let Some(at) = error.find(UNSUPPORTED_KEY) {
        let text = error.get(at..).unwrap_or_default();
        let end = text.find(" at line ").unwrap_or(text.len());
        return YamlError::Key(text.get(..end).unwrap_or_default().to_owned());
    }
    let (problem, context) = match error.split_once(", while ") {
        Some((problem, context)) => (problem, context),
        None => (error, ""),
    };
    let (problem, at) = match problem.split_once(" at ") {
        Some((problem, at)) => (problem, at),
        None => (problem, ""),
    };
    // serde_yaml puts the path of the place before its own messages.
    let problem = problem.rsplit(": ").next().unwrap_or(problem);
    let line = |text: &str| {
        let digits = text.split_once("line ")?.1;
        digits.split(' ').next()?.parse::<u64>().ok().map(|line| line.saturating_sub(1))
    };
    let mut number = line(at).unwrap_or(0);
    if number != 0 {
        number += u64::from(!PARSER_PROBLEMS.contains(&problem));
    } else {
        number = line(context).unwrap_or(0);
    }
    let problem = match problem {
        "unknown anchor" => {
            let name = alias_at(at, text).unwrap_or_default();
            return YamlError::Syntax(format!("unknown anchor '{name}' referenced"));
        }
        "did not find expected hexadecimal number" => "did not find expected hexdecimal number",
        "recursion limit exceeded" => "exceeded max depth of 10000",
        "repetition limit exceeded" => "document contains excessive aliasing",
        other => other,
    };
    match number {
        0 => YamlError::Syntax(problem.to_owned()),
        number => YamlError::Syntax(format!("line {number}: {problem}")),
    }
}

/// The name of the alias that stands at `line 1 column 4`.
fn alias_at<'t>(at: &str, text: &'t str) -> Option<&'t str> {
    let mut numbers = at.split(' ').filter_map(|word| word.parse::<usize>().ok());
    // The very first place is told without line and column.
    let (line, column) = match (numbers.next(), numbers.next()) {
        (Some(line), Some(column)) => (line, column),
        _ => (1, 1),
    };
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(column.checked_sub(1)?)?;
    let alias = line.get(start..)?.strip_prefix('*')?;
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
    alias.split(end).next()
}

/// Reads one node; knows the text, to see which scalars stand there without quotes.
#[derive(Clone, Copy)]
struct Node<'t> {
    text: &'t str,
    /// It has a tag that nobody knows: a scalar is what it is.
    tagged: bool,
}

impl Node<'_> {
    /// The value of a scalar that is a piece of the text.
    fn scalar(self, scalar: &str) -> Value {
        let start = (scalar.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let before = start.checked_sub(1).and_then(|at| self.text.as_bytes().get(at));
        match before {
            Some(b'"' | b'\'') => Value::from(scalar),
            _ if self.tagged => Value::from(scalar),
            _ => resolve(scalar),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        float_number(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(format!("json: unsupported value: {value}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        self.deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = Node { tagged: false, ..self };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = Node { tagged: false, ..self };
        let mut map = Map::new();
        let mut merged = Vec::new();
        while let Some(key) = entries.next_key_seed(inner)? {
            let value = entries.next_value_seed(inner)?;
            let key = key_text(key).map_err(serde::de::Error::custom)?;
            if key == "<<" && (value.is_object() || value.is_array()) {
                merged.push(value);
            } else {
                map.insert(key, value);
            }
        }
        merged.into_iter().for_each(|value| merge(&mut map, value));
        Ok(Value::Object(map))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        use serde::de::VariantAccess;
        let (_, value) = tagged.variant::<Tag>()?;
        value.newtype_variant_seed(Node { tagged: true, ..self })
    }
}

/// The name of a tag, which is thrown away.
struct Tag;

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Tag)
    }
}

/// The entries that `<<` adds, where the map has none of its own.
fn merge(map: &mut Map<String, Value>, value: Value) {
    match value {
        Value::Object(other) => {
            for (key, value) in other {
                map.entry(key).or_insert(value);
            }
        }
        Value::Array(list) => list.into_iter().for_each(|value| merge(map, value)),
        _ => {}
    }
}

/// Keys that are no texts become texts.
fn key_text(key: Value) -> Result<String, String> {
    match key {
        Value::String(text) => Ok(text),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err(format!("{UNSUPPORTED_KEY}%!s(<nil>), key: <nil>")),
        Value::Array(_) => Err(format!("{UNSUPPORTED_KEY}slice")),
        Value::Object(_) => Err(format!("{UNSUPPORTED_KEY}map")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // What sigs.k8s.io/yaml v1.4.0 says.
    #[test]
    fn errors_are_upstreams() {
        let table = [
            ("a: b: c", "mapping values are not allowed in this context"),
            ("x: 1\na: b: c\n", "line 2: mapping values are not allowed in this context"),
            ("a:\n  - b\n c: d\n", "line 2: did not find expected key"),
            ("a: [1,2\nb: 3\n", "line 1: did not find expected ',' or ']'"),
            ("a: {b: 1\n", "line 1: did not find expected ',' or '}'"),
            ("a\nb: c\n", "line 2: mapping values are not allowed in this context"),
            ("a: \"x\n", "line 2: found unexpected end of stream"),
            ("\ta: b\n", "found character that cannot start any token"),
            ("a:\n\t- b\n", "line 2: found character that cannot start any token"),
            ("a: b\n  c: d\n", "line 2: mapping values are not allowed in this context"),
            ("- a\nb: c\n", "line 1: did not find expected '-' indicator"),
            ("a: @x\n", "found character that cannot start any token"),
            ("a: *x\n", "unknown anchor 'x' referenced"),
            ("*x", "unknown anchor 'x' referenced"),
            ("a: 'x\n  y\n", "line 3: found unexpected end of stream"),
            (
                "apiVersion: v1\nkind: Pod\nmetadata\n  name: x\n",
                "line 4: could not find expected ':'",
            ),
            (
                "spec:\n  containers:\n  - name: a\n    image: b\n   ports:\n   - 1\n",
                "line 4: did not find expected key",
            ),
            ("a: b\n c: d", "line 2: mapping values are not allowed in this context"),
            ("[a, b", "line 1: did not find expected ',' or ']'"),
            ("}", "did not find expected node content"),
            ("a: \"\\q\"\n", "found unknown escape character"),
            ("a:\n- b\n  c: d\n", "line 3: mapping values are not allowed in this context"),
        ];
        for (text, message) in table {
            let wanted = format!("error converting YAML to JSON: yaml: {message}");
            assert_eq!(parse(text).unwrap_err().to_string(), wanted, "{text:?}");
        }
    }

    #[test]
    fn values() {
        let table = [
            ("a: &x {b: c}\nd: *x\n", json!({"a": {"b": "c"}, "d": {"b": "c"}})),
            ("a: b\na: c\n", json!({"a": "c"})),
            ("key: value\n bad\n", json!({"key": "value bad"})),
            ("a: 1\n? x\n", json!({"a": 1, "x": null})),
            ("yes: on\n1: 2\n1.5: x\n", json!({"true": true, "1": 2, "1.5": "x"})),
            (
                "m: \"yes\"\nn: 'no'\no: no\nq:\n",
                json!({"m": "yes", "false": "no", "o": false, "q": null}),
            ),
            (
                "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\n",
                json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
            ),
            ("a: |\n  x\n  y\nb: >-\n  c\n  d\n", json!({"a": "x\ny\n", "b": "c d"})),
            ("{\"a\": [1, \"2\"]}", json!({"a": [1, "2"]})),
            ("mode: 0644\nname: 한글\n", json!({"mode": 420, "name": "한글"})),
            ("- [yes, 'yes']\n", json!([[true, "yes"]])),
            ("a: !mine b\n", json!({"a": "b"})),
            ("a: !mine yes\n", json!({"a": "yes"})),
            ("a: !mine [yes]\n", json!({"a": [true]})),
        ];
        for (text, value) in table {
            assert_eq!(parse(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn streams() {
        let read = |text: &str| documents(text).into_iter().collect::<Result<Vec<_>, _>>();
        assert_eq!(read("a: 1\n---\nb: 2\n"), Ok(vec![json!({"a": 1}), json!({"b": 2})]));
        assert_eq!(
            read("---\na: 1\n--- # two\n---\n# only a comment\n"),
            Ok(vec![json!({"a": 1})])
        );
        assert_eq!(read(""), Ok(vec![]));
        let error = read("a: 1\n--- b: 2\n").unwrap_err();
        assert_eq!(error.to_string(), "invalid Yaml document separator: b: 2");
        let documents = documents("a: 1\n---\nx: 1\nb: c: d\n---\ne: f\n");
        assert_eq!(documents.len(), 2);
        let text = documents[1].as_ref().unwrap_err().to_string();
        assert!(text.ends_with("yaml: line 2: mapping values are not allowed in this context"));
    }

    #[test]
    fn hostile_documents_end() {
        let bomb = "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n";
        let _ = parse(&format!("{bomb}g: [{}]", "*e,".repeat(2000)));
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&"- ".repeat(10_000)).is_err());
    }
}
