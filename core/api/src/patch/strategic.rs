//! Kubernetes' strategic merge: like RFC 7386, but lists are merged by key and the patch may hold
//! directives.
//!
//! Upstream: `apimachinery/pkg/util/strategicpatch/patch.go`.

use super::PatchError;
use super::merge_keys::{Strategy, of_list};
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Merges `patch` into `target`, an object of a built-in kind.
pub fn strategic(target: Value, patch: &Value) -> Result<Value, PatchError> {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            merge_map(target, patch, "").map(Value::Object)
        }
        _ => Err(PatchError::Malformed("expected a map in the patch".to_owned())),
    }
}

fn malformed(text: impl Into<String>) -> PatchError {
    PatchError::Malformed(text.into())
}

fn merge_map(
    mut target: Map<String, Value>,
    patch: &Map<String, Value>,
    name: &str,
) -> Result<Map<String, Value>, PatchError> {
    match patch.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => return Ok(without_directives(patch)),
        Some("delete") => return Ok(Map::new()),
        Some(_) => {
            return Err(malformed(format!(
                "unknown patch type found: {}",
                patch.get(DIRECTIVE).unwrap_or(&Value::Null)
            )));
        }
    }
    if let Some(kept) = patch.get(RETAIN_KEYS) {
        let kept = kept.as_array().ok_or_else(|| malformed("$retainKeys is not a list"))?;
        target.retain(|key, _| kept.iter().any(|name| name == key));
    }
    for (key, change) in patch {
        if key == DIRECTIVE || key == RETAIN_KEYS || key.starts_with(ORDER) {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE_FROM) {
            delete_values(&mut target, field, change);
            continue;
        }
        let merged = match (target.remove(key), change) {
            (_, Value::Null) => continue,
            (Some(Value::Object(old)), Value::Object(change)) => {
                Value::Object(merge_map(old, change, key)?)
            }
            (Some(Value::Array(old)), Value::Array(changes)) => {
                let order = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
                Value::Array(merge_list(old, changes, of_list(name, key), order, key)?)
            }
            (_, change) => clean(change),
        };
        target.insert(key.clone(), merged);
    }
    Ok(target)
}

fn delete_values(target: &mut Map<String, Value>, field: &str, values: &Value) {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(Value::Array(list)) = target.get_mut(field) {
        list.retain(|value| !values.contains(value));
    }
}

fn merge_list(
    old: Vec<Value>,
    changes: &[Value],
    strategy: Strategy,
    order: Option<&Vec<Value>>,
    name: &str,
) -> Result<Vec<Value>, PatchError> {
    match strategy {
        Strategy::Replace => Ok(changes.iter().map(clean).collect()),
        Strategy::Union => {
            let before = old.clone();
            let mut list = old;
            for value in changes {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            Ok(ordered(list, &before, order, |a, b| a == b))
        }
        Strategy::ByKey(key) => {
            let before = old.clone();
            let list = merge_items(old, changes, key, name)?;
            Ok(ordered(list, &before, order, |a, b| {
                a.get(key).is_some() && a.get(key) == b.get(key)
            }))
        }
    }
}

fn merge_items(
    mut list: Vec<Value>,
    changes: &[Value],
    key: &str,
    name: &str,
) -> Result<Vec<Value>, PatchError> {
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if changes.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        let kept = changes.iter().filter(|item| directive(item).is_none());
        return Ok(kept.map(clean).collect());
    }
    for item in changes {
        let id = item.get(key).ok_or_else(|| {
            malformed(format!("map: {} does not contain declared merge key: {key}", go_text(item)))
        })?;
        let place = list.iter().position(|old| old.get(key) == Some(id));
        match (directive(item).as_deref(), place) {
            (Some("delete"), Some(place)) => drop(list.remove(place)),
            (Some("delete"), None) => {}
            (_, Some(place)) => {
                if let (Some(Value::Object(old)), Value::Object(change)) =
                    (list.get(place).cloned(), item)
                    && let Some(slot) = list.get_mut(place)
                {
                    *slot = Value::Object(merge_map(old, change, name)?);
                }
            }
            (_, None) => list.push(clean(item)),
        }
    }
    Ok(list)
}

/// Puts a merged list into the order that the patch asks for. Items that the patch does not name
/// keep their place among those that were there before.
fn ordered(
    list: Vec<Value>,
    before: &[Value],
    order: Option<&Vec<Value>>,
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let Some(order) = order else { return list };
    let rank = |item: &Value| order.iter().position(|named| same(named, item));
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        list.into_iter().partition(|item| rank(item).is_some());
    named.sort_by_key(rank);
    let was = |item: &Value| before.iter().position(|old| same(old, item));
    let mut result = Vec::new();
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) = others.next_if(|other| match (was(&item), was(other)) {
            (Some(item), Some(other)) => other < item,
            _ => false,
        }) {
            result.push(other);
        }
        result.push(item);
    }
    result.extend(others);
    result
}

/// A value without the patch's directives and nulls.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_directives(map)),
        Value::Array(list) => Value::Array(list.iter().map(clean).collect()),
        value => value.clone(),
    }
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let directive = |key: &str| {
        key == DIRECTIVE
            || key == RETAIN_KEYS
            || key.starts_with(ORDER)
            || key.starts_with(DELETE_FROM)
    };
    map.iter()
        .filter(|(key, value)| !directive(key) && !value.is_null())
        .map(|(key, value)| (key.clone(), clean(value)))
        .collect()
}

/// A value as Go's `%v` writes it.
fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            format!("[{}]", list.iter().map(go_text).collect::<Vec<_>>().join(" "))
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}:{}", go_text(value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merges() {
        let containers = |list: Value| json!({"spec": {"containers": list}});
        let table = [
            (
                "maps merge and nulls delete",
                json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
                json!({"metadata": {"labels": {"b": null, "c": "3"}}}),
                json!({"metadata": {"labels": {"a": "1", "c": "3"}}}),
            ),
            (
                "containers merge by name",
                containers(json!([{"name": "a", "image": "x"}, {"name": "b", "image": "y"}])),
                containers(json!([{"name": "b", "image": "z"}, {"name": "c", "image": "w"}])),
                containers(json!([{"name": "a", "image": "x"}, {"name": "b", "image": "z"},
                    {"name": "c", "image": "w"}])),
            ),
            (
                "an item is deleted",
                containers(json!([{"name": "a"}, {"name": "b"}])),
                containers(json!([{"name": "a", "$patch": "delete"}])),
                containers(json!([{"name": "b"}])),
            ),
            (
                "a list is replaced by directive",
                containers(json!([{"name": "a"}, {"name": "b"}])),
                containers(json!([{"name": "c"}, {"$patch": "replace"}])),
                containers(json!([{"name": "c"}])),
            ),
            (
                "a container's ports merge by their number, its arguments do not",
                containers(json!([{"name": "a", "args": ["x"], "ports": [{"containerPort": 80}]}])),
                containers(json!([{"name": "a", "args": ["y"],
                    "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}])),
                containers(json!([{"name": "a", "args": ["y"],
                    "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}])),
            ),
            (
                "a service's ports merge by port",
                json!({"spec": {"ports": [{"port": 80}]}}),
                json!({"spec": {"ports": [{"port": 80, "nodePort": 30000}]}}),
                json!({"spec": {"ports": [{"port": 80, "nodePort": 30000}]}}),
            ),
            (
                "tolerations are replaced",
                json!({"spec": {"tolerations": [{"key": "a"}]}}),
                json!({"spec": {"tolerations": [{"key": "b"}]}}),
                json!({"spec": {"tolerations": [{"key": "b"}]}}),
            ),
            (
                "finalizers are united and deleted from",
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
            ),
            (
                "a map is replaced by directive",
                json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}}),
                json!({"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}),
                json!({"spec": {"strategy": {"type": "Recreate"}}}),
            ),
            (
                "only retained keys stay",
                json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}}),
                json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
                json!({"spec": {"strategy": {"type": "Recreate"}}}),
            ),
            (
                "the patch sets the order",
                containers(json!([{"name": "a"}, {"name": "s"}, {"name": "b"}])),
                json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                    "containers": [{"name": "c"}]}}),
                containers(json!([{"name": "c"}, {"name": "s"}, {"name": "b"}, {"name": "a"}])),
            ),
            (
                "conditions merge by type",
                json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}),
                json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
                json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            ),
        ];
        for (what, target, patch, result) in table {
            assert_eq!(strategic(target, &patch), Ok(result), "{what}");
        }
    }

    #[test]
    fn errors() {
        let target = json!({"spec": {"containers": [{"name": "a"}]}});
        let patch = json!({"spec": {"containers": [{"image": "b"}]}});
        let error = strategic(target.clone(), &patch).unwrap_err();
        let text = "map: map[image:b] does not contain declared merge key: name";
        assert_eq!(error.to_string(), text);
        assert!(strategic(target.clone(), &json!([])).is_err());
        assert!(strategic(target, &json!({"spec": {"$patch": "twist"}})).is_err());
    }
}
