//! Bodies in protobuf, which Go's typed clients write: to JSON.
//!
//! Answers are always JSON or YAML, which these clients take too.
//!
//! Upstream: `apimachinery/pkg/runtime/serializer/protobuf`, `generated.proto` of `k8s.io/api`.

mod table;
mod wire;

use naru_api::k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};
use table::{Field, Form, Message, TABLE};
use wire::{Piece, Reader};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What a body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may lie in one another.
const DEPTH_MAX: usize = 64;

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not begin as upstream's protobuf does, or breaks off.
    Malformed,
    /// It is of a kind that is not in the table.
    UnknownKind,
}

/// Reads a body: an envelope with the kind's name and the object.
pub fn to_json(body: &[u8]) -> Result<Value, Unreadable> {
    let envelope = body.strip_prefix(MAGIC).ok_or(Unreadable::Malformed)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for (number, piece) in pieces(envelope)? {
        match (number, piece) {
            (1, Piece::Bytes(meta)) => {
                for (number, piece) in pieces(meta)? {
                    match (number, piece) {
                        (1, Piece::Bytes(text)) => api_version = string(text),
                        (2, Piece::Bytes(text)) => kind = string(text),
                        _ => {}
                    }
                }
            }
            (2, Piece::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let message = TABLE.kind(&api_version, &kind).ok_or(Unreadable::UnknownKind)?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    fill(&mut object, message, raw, 0)?;
    Ok(Value::Object(object))
}

fn pieces(bytes: &[u8]) -> Result<Vec<(u64, Piece<'_>)>, Unreadable> {
    Reader::new(bytes).collect::<Option<_>>().ok_or(Unreadable::Malformed)
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Puts the fields of a message into an object.
fn fill(
    object: &mut Map<String, Value>,
    message: &Message,
    bytes: &[u8],
    depth: usize,
) -> Result<(), Unreadable> {
    if depth > DEPTH_MAX {
        return Err(Unreadable::Malformed);
    }
    for (number, piece) in pieces(bytes)? {
        // A field that is not known is of a later version.
        let Some(field) = message.field(number) else { continue };
        match (&*field.name, &field.form, &piece) {
            ("", Form::Message(inner), Piece::Bytes(bytes)) => {
                if let Some(inner) = TABLE.message(*inner) {
                    fill(object, inner, bytes, depth + 1)?;
                }
            }
            _ => put(object, field, &piece, depth)?,
        }
    }
    Ok(())
}

fn put(
    object: &mut Map<String, Value>,
    field: &Field,
    piece: &Piece<'_>,
    depth: usize,
) -> Result<(), Unreadable> {
    let name = field.name.clone();
    match (&field.form, piece) {
        (Form::List(form), Piece::Bytes(bytes)) if matches!(**form, Form::Integer) => {
            // Numbers in one piece.
            let numbers = Reader::new(bytes).numbers().ok_or(Unreadable::Malformed)?;
            if let Some(list) = list(object, name) {
                list.extend(numbers.into_iter().map(Value::from));
            }
        }
        (Form::List(form), piece) => {
            let item = value(form, piece, depth)?;
            if let Some(list) = list(object, name) {
                list.push(item);
            }
        }
        (Form::Map(form), Piece::Bytes(entry)) => {
            let (mut key, mut item) = (String::new(), None);
            for (number, piece) in pieces(entry)? {
                match (number, &piece) {
                    (1, Piece::Bytes(text)) => key = string(text),
                    (2, piece) => item = Some(value(form, piece, depth)?),
                    _ => {}
                }
            }
            let map = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Some(map) = map.as_object_mut() {
                map.insert(key, item.unwrap_or_else(|| "".into()));
            }
        }
        (form, piece) => {
            let value = value(form, piece, depth)?;
            object.insert(name, value);
        }
    }
    Ok(())
}

/// The list of this name; it is made if it is not there.
fn list(object: &mut Map<String, Value>, name: String) -> Option<&mut Vec<Value>> {
    object.entry(name).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
}

fn value(form: &Form, piece: &Piece<'_>, depth: usize) -> Result<Value, Unreadable> {
    Ok(match (form, piece) {
        (Form::Integer, Piece::Number(number)) => Value::from(*number),
        (Form::Flag, Piece::Number(number)) => Value::from(*number != 0),
        (Form::Float, Piece::Fixed64(bits)) => Value::from(f64::from_bits(*bits)),
        (Form::Text, Piece::Bytes(bytes)) => string(bytes).into(),
        (Form::Bytes, Piece::Bytes(bytes)) => super::base64::encode(bytes).into(),
        (Form::Message(inner), Piece::Bytes(bytes)) => {
            let mut object = Map::new();
            if let Some(inner) = TABLE.message(*inner) {
                fill(&mut object, inner, bytes, depth + 1)?;
            }
            Value::Object(object)
        }
        (form, Piece::Bytes(bytes)) => special(form, bytes)?,
        _ => return Err(Unreadable::Malformed),
    })
}

/// Types that JSON writes in a form of their own.
fn special(form: &Form, bytes: &[u8]) -> Result<Value, Unreadable> {
    let pieces = pieces(bytes)?;
    let number = |wanted: u64| {
        let found = pieces.iter().rev().find(|(number, _)| *number == wanted);
        found.and_then(|(_, piece)| match piece {
            Piece::Number(number) => Some(*number),
            _ => None,
        })
    };
    let text = |wanted: u64| {
        let found = pieces.iter().rev().find(|(number, _)| *number == wanted);
        found.and_then(|(_, piece)| match piece {
            Piece::Bytes(bytes) => Some(*bytes),
            _ => None,
        })
    };
    Ok(match form {
        // An empty message is no time at all.
        Form::Time | Form::MicroTime if pieces.is_empty() => Value::Null,
        Form::Time => time(number(1).unwrap_or(0), 0),
        Form::MicroTime => time(number(1).unwrap_or(0), number(2).unwrap_or(0)),
        Form::Duration => Value::from(go_duration(number(1).unwrap_or(0))),
        Form::Quantity => string(text(1).unwrap_or_default()).into(),
        Form::NumberOrText => match number(1).unwrap_or(0) {
            0 => Value::from(number(2).unwrap_or(0)),
            _ => string(text(3).unwrap_or_default()).into(),
        },
        Form::Json => serde_json::from_slice(text(1).unwrap_or(b"null")).unwrap_or(Value::Null),
        Form::Texts => pieces
            .iter()
            .filter_map(|(_, piece)| match piece {
                Piece::Bytes(bytes) => Some(Value::from(string(bytes))),
                _ => None,
            })
            .collect(),
        _ => return Err(Unreadable::Malformed),
    })
}

/// Seconds of the Unix epoch, and nanoseconds, as RFC 3339.
fn time(seconds: i64, nanos: i64) -> Value {
    let nanos = i32::try_from(nanos).unwrap_or(0);
    match Timestamp::new(seconds, nanos) {
        Ok(time) if nanos != 0 => format!("{time:.6}").into(),
        Ok(time) => format!("{time:.0}").into(),
        Err(_) => Value::Null,
    }
}

/// `1m30s`, in whole seconds and a fraction, which is all that Go needs to read it.
fn go_duration(nanos: i64) -> String {
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if rest == 0 { format!("{sign}{seconds}s") } else { format!("{sign}{seconds}.{rest:09}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A field whose value is bytes.
    fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(value.len()).unwrap()];
        out.extend(value);
        out
    }

    fn number(field: u8, value: u8) -> Vec<u8> {
        vec![field << 3, value]
    }

    fn body(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &meta), bytes(2, object)].concat()
    }

    #[test]
    fn objects_are_read() {
        let entry = [bytes(1, b"app"), bytes(2, b"web")].concat();
        let stamp = number(1, 100);
        let meta = [bytes(1, b"a"), bytes(8, &stamp), bytes(11, &entry)].concat();
        let target = [number(1, 1), bytes(3, b"http")].concat();
        let port = [bytes(1, b""), number(3, 80), bytes(4, &target)].concat();
        let spec = [bytes(1, &port), bytes(1, &number(3, 81))].concat();
        let object = [bytes(1, &meta), bytes(2, &spec)].concat();
        assert_eq!(
            to_json(&body("v1", "Service", &object)),
            Ok(json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": "a", "creationTimestamp": "1970-01-01T00:01:40Z", "labels": {"app": "web"},
                },
                "spec": {"ports": [{"name": "", "port": 80, "targetPort": "http"}, {"port": 81}]},
            }))
        );
    }

    #[test]
    fn what_stands_inline_stays_inline() {
        // Volume{name, volumeSource{emptyDir{}}}
        let volume = [bytes(1, b"v"), bytes(2, &bytes(2, b""))].concat();
        let object = bytes(2, &bytes(1, &volume));
        let found = to_json(&body("v1", "Pod", &object)).unwrap();
        assert_eq!(found["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    }

    #[test]
    fn what_is_not_protobuf_is_refused() {
        assert_eq!(to_json(b"{}"), Err(Unreadable::Malformed));
        assert_eq!(to_json(&body("v1", "Thing", b"")), Err(Unreadable::UnknownKind));
        assert_eq!(to_json(&body("v1", "Pod", b"\x0a\x7f")), Err(Unreadable::Malformed));
        let mut deep = Vec::new();
        for _ in 0..20 {
            deep = bytes(1, &deep);
        }
        assert!(to_json(&body("v1", "Pod", &deep)).is_ok(), "unknown fields are passed over");
    }

    #[test]
    fn durations() {
        assert_eq!(go_duration(90_000_000_000), "90s");
        assert_eq!(go_duration(-1_500_000_000), "-1.500000000s");
    }
}
