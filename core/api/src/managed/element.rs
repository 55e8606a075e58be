//! One step of a path through an object, as field sets name it.
//!
//! Upstream: `structured-merge-diff/fieldpath/element.go`, `serialize-pe.go`, `value/value.go`.

use serde_json::Value;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A step: a field, or an item of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathElement {
    /// A field of a struct or a key of a map: `f:replicas`.
    Field(Arc<str>),
    /// The item of a list whose fields are these: `k:{"name":"web"}`.
    Key(Vec<(Arc<str>, Scalar)>),
    /// The item of a set: `v:"kubernetes"`.
    Value(Scalar),
    /// The item at a place: `i:0`.
    Index(usize),
}

/// A JSON value with upstream's order: by type, and numbers by what they are worth.
#[derive(Clone, Debug)]
pub struct Scalar(pub Value);

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scalar {}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// Upstream's order of values. Equal are values that are worth the same: `1` and `1.0`.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let differ = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            differ.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let entries = a.iter().zip(b).map(|((k, v), (l, w))| k.cmp(l).then(compare(v, w)));
            entries.into_iter().find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len()))
        }
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

impl PathElement {
    /// A field.
    pub fn field(name: &str) -> Self {
        PathElement::Field(name.into())
    }

    /// Reads `f:replicas`; `None` for what is no path element or of an unknown form.
    pub fn parse(text: &str) -> Option<Self> {
        let (form, rest) = text.split_at_checked(2)?;
        match form {
            "f:" => Some(PathElement::field(rest)),
            "v:" => serde_json::from_str(rest).ok().map(|value| PathElement::Value(Scalar(value))),
            "i:" => rest.parse().ok().map(PathElement::Index),
            "k:" => {
                let Ok(Value::Object(map)) = serde_json::from_str(rest) else { return None };
                let mut fields: Vec<(Arc<str>, Scalar)> = map
                    .into_iter()
                    .map(|(name, value)| (Arc::from(name.as_str()), Scalar(value)))
                    .collect();
                fields.sort();
                Some(PathElement::Key(fields))
            }
            _ => None,
        }
    }

    /// Writes `f:replicas`, as a key of `fieldsV1`.
    pub fn push_key(&self, out: &mut String) {
        match self {
            PathElement::Field(name) => {
                out.push_str("f:");
                out.push_str(name);
            }
            PathElement::Value(value) => {
                out.push_str("v:");
                push_json(&value.0, out);
            }
            PathElement::Index(index) => {
                out.push_str("i:");
                out.push_str(&index.to_string());
            }
            PathElement::Key(fields) => {
                out.push_str("k:{");
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    push_quoted(name, out);
                    out.push(':');
                    push_json(&value.0, out);
                }
                out.push('}');
            }
        }
    }
}

/// As in the messages of conflicts: `.spec`, `[name="web"]`, `[="a"]`, `[0]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathElement::Field(name) => write!(f, ".{name}"),
            PathElement::Value(value) => write!(f, "[={}]", text(&value.0)),
            PathElement::Index(index) => write!(f, "[{index}]"),
            PathElement::Key(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}={}", text(&value.0)))
                    .collect();
                write!(f, "[{}]", fields.join(","))
            }
        }
    }
}

/// A value as JSON.
fn push_json(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => push_quoted(text, out),
        value => out.push_str(&value.to_string()),
    }
}

/// A text as JSON.
fn push_quoted(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-'..=b'/' | b'_')) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}

/// Upstream: `value.ToString`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => crate::gofmt::quote(text),
        Value::Null => "null".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn are_written_and_read() {
        let table = [
            ("f:replicas", ".replicas"),
            ("f:a.b/c", ".a.b/c"),
            (r#"k:{"name":"web"}"#, r#"[name="web"]"#),
            (r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"[containerPort=80,protocol="TCP"]"#),
            (r#"v:"kubernetes""#, r#"[="kubernetes"]"#),
            ("v:1", "[=1]"),
            ("i:3", "[3]"),
        ];
        for (key, shown) in table {
            let element = PathElement::parse(key).unwrap();
            assert_eq!(key_of(&element), key);
            assert_eq!(element.to_string(), shown);
        }
        for wrong in ["", "f", "x:a", "k:1", "k:{", "v:", "i:a", "나루"] {
            assert_eq!(PathElement::parse(wrong), None, "{wrong}");
        }
        let sorted = PathElement::parse(r#"k:{"b":1,"a":2}"#).unwrap();
        assert_eq!(key_of(&sorted), r#"k:{"a":2,"b":1}"#);
    }

    fn key_of(element: &PathElement) -> String {
        let mut key = String::new();
        element.push_key(&mut key);
        key
    }

    #[test]
    fn the_order_is_upstreams() {
        let sorted = [
            PathElement::field("a"),
            PathElement::field("b"),
            PathElement::parse(r#"k:{"name":"a"}"#).unwrap(),
            PathElement::parse(r#"k:{"name":"a","port":1}"#).unwrap(),
            PathElement::parse(r#"k:{"name":"b"}"#).unwrap(),
            PathElement::Value(Scalar(json!(9))),
            PathElement::Value(Scalar(json!(80))),
            PathElement::Value(Scalar(json!("a"))),
            PathElement::Value(Scalar(json!(true))),
            PathElement::Index(0),
            PathElement::Index(1),
        ];
        assert!(sorted.is_sorted());
        assert_eq!(compare(&json!(1), &json!(1.0)), Ordering::Equal);
        assert_eq!(compare(&json!({"a": [1]}), &json!({"a": [1]})), Ordering::Equal);
        assert_eq!(compare(&json!({"a": 1}), &json!({"b": 1})), Ordering::Less);
        assert_eq!(compare(&json!([1]), &json!([1, 2])), Ordering::Less);
        assert_eq!(compare(&json!(null), &json!({})), Ordering::Greater);
    }
}
