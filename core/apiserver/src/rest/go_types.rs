//! JSON in the order of Go's structs, which is how the API server writes it.
//!
//! Types here have their fields in the order of the alphabet. Clients that read JSON do not mind; people
//! who look at it with `kubectl get --raw` or `curl` see the names first, and containers before tolerations.

use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::read(include_str!("go_types.txt")));

/// The package of what all groups share.
const META: &str = "meta/v1";

/// An object of any kind, or a list, to be written in that order. What Go has no type for comes after the rest,
/// in the order of the alphabet.
pub(crate) struct Ordered<'a>(pub &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part { value: self.0, of: Of::Any }.serialize(serializer)
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A text, a number, or a map whose keys are anybody's.
    Plain,
    /// An object that says its kind.
    Any,
    /// This type, or a list of it.
    Type(usize),
    /// A map of this type.
    Map(usize),
}

struct Field {
    /// Where it stands.
    place: usize,
    of: Of,
}

/// A package and a name.
type Name = (&'static str, &'static str);

struct Types {
    numbers: BTreeMap<Name, usize>,
    fields: Vec<BTreeMap<&'static str, Field>>,
}

impl Types {
    fn read(text: &'static str) -> Self {
        let mut package = "";
        let mut lines: Vec<(Name, &'static str)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with("//")) {
            match (line.strip_prefix("# "), line.split_once(' ')) {
                (Some(name), _) => package = name,
                (None, Some((name, fields))) => lines.push(((package, name), fields)),
                (None, None) => {}
            }
        }
        let numbers: BTreeMap<Name, usize> =
            lines.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect();
        let fields =
            lines.iter().map(|((package, _), fields)| read_fields(package, fields, &numbers));
        Types { fields: fields.collect(), numbers }
    }

    /// The type of an object that says its kind.
    fn of(&self, value: &Value) -> Option<usize> {
        let text = |name| value.get(name).and_then(Value::as_str);
        let kind = text("kind")?;
        let (group, version) =
            match text("apiVersion").map(|it| it.split_once('/').unwrap_or(("core", it))) {
                Some((group, version)) => (group.split('.').next().unwrap_or(group), version),
                None => ("meta", "v1"),
            };
        let find = |group: &str, version: &str, kind: &str| {
            let own =
                |name: &Name| name.1 == kind && name.0.split_once('/') == Some((group, version));
            self.numbers.iter().find(|(name, _)| own(name)).map(|(_, number)| *number)
        };
        let unknown = || self.numbers.get(&(META, "PartialObjectMetadata")).copied();
        find(group, version, kind).or_else(|| find("meta", "v1", kind)).or_else(unknown)
    }
}

fn read_fields(
    package: &'static str,
    fields: &'static str,
    numbers: &BTreeMap<Name, usize>,
) -> BTreeMap<&'static str, Field> {
    let number = |name: &'static str| {
        let name = name.rsplit_once('.').unwrap_or((package, name));
        numbers.get(&name).copied()
    };
    let read = |(place, field): (usize, &'static str)| {
        let (name, of) = field.split_once(':').unwrap_or((field, ""));
        let of = match (of, of.strip_prefix('*')) {
            ("?", _) => Of::Any,
            (_, Some(of)) => number(of).map_or(Of::Plain, Of::Map),
            (of, None) => number(of).map_or(Of::Plain, Of::Type),
        };
        (name, Field { place, of })
    };
    fields.split(' ').enumerate().map(read).collect()
}

struct Part<'a> {
    value: &'a Value,
    of: Of,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Part { value, of } = *self;
        match (value, of) {
            (_, Of::Plain) => value.serialize(serializer),
            (Value::Array(items), _) => {
                serializer.collect_seq(items.iter().map(|value| Part { value, of }))
            }
            (Value::Object(map), Of::Map(number)) => {
                let of = Of::Type(number);
                serializer.collect_map(map.iter().map(|(key, value)| (key, Part { value, of })))
            }
            (Value::Object(_), Of::Any) => {
                let of = TYPES.of(value).map_or(Of::Plain, Of::Type);
                Part { value, of }.serialize(serializer)
            }
            (Value::Object(map), Of::Type(number)) => {
                let fields = TYPES.fields.get(number);
                let mut parts: Vec<(usize, &String, Part<'_>)> = map
                    .iter()
                    .map(|(name, value)| match fields.and_then(|fields| fields.get(&**name)) {
                        Some(field) => (field.place, name, Part { value, of: field.of }),
                        None => (usize::MAX, name, Part { value, of: Of::Plain }),
                    })
                    .collect();
                // Those without a place keep the order that they have.
                parts.sort_by_key(|(place, ..)| *place);
                serializer.collect_map(parts.into_iter().map(|(_, name, part)| (name, part)))
            }
            _ => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: &Value) -> String {
        serde_json::to_string(&Ordered(value)).unwrap_or_default()
    }

    #[test]
    fn fields_stand_as_in_go() {
        let list = json!({
            "apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "7"},
            "items": [{
                "metadata": {"labels": {"b": "1", "a": "2"}, "name": "web", "managedFields": []},
                "spec": {
                    "tolerations": [{"key": "a", "effect": "NoExecute", "operator": "Exists"}],
                    "containers": [{"resources": {"limits": {}, "requests": {}}, "image": "nginx", "name": "web"}],
                },
                "status": {"podIP": "10.0.0.1", "phase": "Running"},
            }],
        });
        assert_eq!(
            written(&list),
            concat!(
                r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":["#,
                r#"{"metadata":{"name":"web","labels":{"a":"2","b":"1"},"managedFields":[]},"#,
                r#""spec":{"containers":[{"name":"web","image":"nginx","resources":{"limits":{},"requests":{}}}],"#,
                r#""tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute"}]},"#,
                r#""status":{"phase":"Running","podIP":"10.0.0.1"}}]}"#,
            )
        );
    }

    #[test]
    fn what_is_nobodys_type_stays_as_it_is() {
        let map = json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "data": {"kind": "Pod", "apiVersion": "v1", "a": "b"},
        });
        assert!(written(&map).ends_with(r#""data":{"a":"b","apiVersion":"v1","kind":"Pod"}}"#));
        let unknown = json!({"b": 1, "a": 2, "kind": "No", "apiVersion": "a/v1", "metadata": {"uid": "", "name": ""}});
        assert_eq!(
            written(&unknown),
            r#"{"kind":"No","apiVersion":"a/v1","metadata":{"name":"","uid":""},"a":2,"b":1}"#
        );
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        let table = include_str!("go_types.txt").lines().filter(|line| !line.starts_with("//"));
        let named =
            table.flat_map(|line| line.split(' ')).filter(|word| word.contains(':')).count();
        let all = TYPES.fields.iter().flat_map(BTreeMap::values);
        assert_eq!(all.filter(|field| field.of != Of::Plain).count(), named);
    }
}
