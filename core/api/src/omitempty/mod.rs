//! Which empty fields JSON has: those that Go writes, and no others.
//!
//! Go writes `status: {}`, `creationTimestamp: null` or `rules: null`, since a field of a struct
//! that is no pointer is never left out; and it forgets that a client wrote `protocol: ""`, since
//! its types do not know this from nothing. `k8s-openapi` knows only that a field is not set.
//!
//! Upstream: the tags (`omitempty`) of the types in `k8s.io/api`.

mod table;

use serde_json::{Map, Value};
use table::{KINDS, MAPS, POINTERS, TYPES};

/// A field that is written when it is empty, or that leads to one.
struct Field {
    name: &'static str,
    /// JSON of its zero value; "" when it is left out.
    zero: &'static str,
    /// An index into [`TYPES`].
    type_: Option<usize>,
}

impl Field {
    const fn leaf(name: &'static str, zero: &'static str) -> Self {
        Field { name, zero, type_: None }
    }

    const fn node(name: &'static str, zero: &'static str, type_: usize) -> Self {
        Field { name, zero, type_: Some(type_) }
    }
}

/// Adds to an object of a built-in kind what Go would have written.
pub fn complete(object: &mut Value) {
    let Value::Object(map) = object else { return };
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = (text("apiVersion"), text("kind"));
    let found = KINDS.binary_search_by(|(version, kind, _)| (*version, *kind).cmp(&name));
    if let Some((_, _, type_)) = found.ok().and_then(|index| KINDS.get(index)) {
        complete_type(map, *type_);
    }
}

fn complete_type(map: &mut Map<String, Value>, type_: usize) {
    for field in TYPES.get(type_).copied().unwrap_or_default() {
        match (map.get_mut(field.name), field.type_) {
            (None, _) if field.zero.is_empty() => {}
            (None, _) => drop(map.insert(field.name.to_owned(), zero(field.zero))),
            // An empty list does not survive upstream's storage.
            (Some(list @ Value::Array(_)), _) if *list == Value::Array(Vec::new()) => {
                *list = zero(field.zero);
            }
            (Some(value), Some(type_)) => complete_value(value, type_),
            (Some(_), None) => {}
        }
    }
}

fn complete_value(value: &mut Value, type_: usize) {
    match value {
        Value::Object(map) => complete_type(map, type_),
        Value::Array(items) => items.iter_mut().for_each(|item| complete_value(item, type_)),
        _ => {}
    }
}

/// The table holds valid JSON only: a test reads all of it.
fn zero(text: &str) -> Value {
    match text {
        "null" | "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_default(),
    }
}

/// Whether Go forgets a value that a client wrote, because its type has no other word for nothing.
pub(crate) fn forgets(struct_: &str, field: &str, value: &Value) -> bool {
    let listed = |list: &[&str]| {
        list.binary_search_by(|entry| {
            let (of, name) = entry.split_once('.').unwrap_or_default();
            (of, name).cmp(&(struct_, field))
        })
        .is_ok()
    };
    match value {
        Value::Bool(false) => !listed(POINTERS),
        Value::Number(number) => number.as_f64() == Some(0.0) && !listed(POINTERS),
        Value::String(text) => text.is_empty() && !listed(POINTERS),
        Value::Array(items) => items.is_empty() && !listed(POINTERS),
        Value::Object(map) => map.is_empty() && listed(MAPS),
        Value::Null | Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Object, scheme};
    use serde_json::json;

    #[test]
    fn the_table_is_whole() {
        assert!(KINDS.is_sorted());
        let pairs = |list: &[&'static str]| -> Vec<(&str, &str)> {
            list.iter().map(|entry| entry.split_once('.').unwrap()).collect()
        };
        assert!(pairs(POINTERS).is_sorted() && pairs(MAPS).is_sorted());
        let served = scheme::built_in();
        let missing = served.iter().find(|kind| {
            !KINDS
                .iter()
                .any(|(version, name, _)| kind.api_version() == *version && kind.kind == *name)
        });
        assert_eq!(missing, None);
        for field in TYPES.iter().copied().flatten() {
            assert!(field.zero.is_empty() || serde_json::from_str::<Value>(field.zero).is_ok());
            assert!(field.type_.is_none_or(|type_| type_ < TYPES.len()), "{}", field.name);
        }
    }

    /// What a kind's decoder and encoder make of an object.
    fn through(api_version: &str, kind: &str, mut json: Value) -> Value {
        json["apiVersion"] = json!(api_version);
        json["kind"] = json!(kind);
        let kind = scheme::by_kind(&scheme::built_in(), api_version, kind).unwrap();
        let object: Object = kind.strategy.decode(json).unwrap();
        let mut json = object.to_json().unwrap();
        let map = json.as_object_mut().unwrap();
        map.remove("apiVersion");
        map.remove("kind");
        json
    }

    // The objects on the right were written by `encoding/json` with the types of `k8s.io/api`
    // v0.33.4 that had read those on the left.
    #[test]
    fn writes_what_go_writes() {
        let meta = json!({"name": "a", "creationTimestamp": null});
        let named = || json!({"metadata": {"name": "a"}});
        let table = [
            ("v1", "Namespace", named(), json!({"metadata": meta, "spec": {}, "status": {}})),
            (
                "v1",
                "Service",
                named(),
                json!({"metadata": meta, "spec": {}, "status": {"loadBalancer": {}}}),
            ),
            (
                "rbac.authorization.k8s.io/v1",
                "Role",
                named(),
                json!({"metadata": meta, "rules": null}),
            ),
            (
                "v1",
                "Pod",
                json!({"metadata": {"name": "a", "labels": {}}, "spec": {"nodeName": "", "hostNetwork": false,
                    "terminationGracePeriodSeconds": 0, "securityContext": {}, "nodeSelector": {},
                    "volumes": [], "containers": [{"name": "c", "image": "b",
                        "ports": [{"containerPort": 80, "hostPort": 0, "protocol": ""}]}]}}),
                json!({"metadata": meta, "status": {}, "spec": {"securityContext": {},
                    "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "b",
                        "resources": {}, "ports": [{"containerPort": 80}]}]}}),
            ),
            (
                "v1",
                "Event",
                json!({"metadata": {"name": "a"}, "involvedObject": {}}),
                json!({"metadata": meta, "involvedObject": {}, "source": {}, "firstTimestamp": null,
                    "lastTimestamp": null, "eventTime": null, "reportingComponent": "",
                    "reportingInstance": ""}),
            ),
            (
                "apps/v1",
                "Deployment",
                json!({"metadata": {"name": "a"}, "spec": {"replicas": 0, "paused": false,
                    "selector": {"matchLabels": {}}, "template": {"metadata": {"labels": {"a": ""}}}}}),
                json!({"metadata": meta, "status": {}, "spec": {"replicas": 0, "selector": {},
                    "strategy": {}, "template": {"spec": {"containers": null},
                        "metadata": {"creationTimestamp": null, "labels": {"a": ""}}}}}),
            ),
        ];
        for (version, kind, json, wanted) in table {
            assert_eq!(through(version, kind, json), wanted, "{kind}");
        }
    }
}
