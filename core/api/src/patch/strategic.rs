//! Kubernetes' strategic merge: like RFC 7386, but lists are merged by key and the patch may hold
//! directives.
//!
//! Upstream: `apimachinery/pkg/util/strategicpatch/patch.go`.

use super::PatchError;
use crate::gofmt::plain;
use crate::schema::{Merge, Node};
use serde_json::{Map, Value};
use std::mem::discriminant;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";

type Fields = Map<String, Value>;

/// Merges `patch` into `target`, an object of the schema `node`.
pub fn strategic(node: Node<'_>, target: Value, patch: &Value) -> Result<Value, PatchError> {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            merge_map(node, target, patch).map(Value::Object)
        }
        (_, other) => Err(PatchError::Malformed(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            crate::decode::Misfit::type_of(other)
        ))),
    }
}

fn malformed(text: &str) -> PatchError {
    PatchError::Malformed(text.to_owned())
}

fn failed(text: impl Into<String>) -> PatchError {
    PatchError::Failed(text.into())
}

fn bad_order() -> PatchError {
    malformed("invalid patch format of setElementOrder list")
}

fn merge_map(node: Node<'_>, mut target: Fields, patch: &Fields) -> Result<Fields, PatchError> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(directive) if directive == "replace" => {
            let mut patch = patch.clone();
            patch.remove(DIRECTIVE);
            return Ok(patch);
        }
        Some(directive) if directive == "delete" => return Ok(Fields::new()),
        Some(directive) => return Err(unknown_directive(directive, patch)),
    }
    if let Some(kept) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut target, patch, kept)?;
    }
    let mut done = Vec::new();
    for (key, order) in patch.iter().filter(|(key, _)| key.starts_with(ORDER)) {
        let field = field_of(key).ok_or_else(bad_order)?;
        if set_order(node, &mut target, patch, field, order)? {
            done.push(field);
        }
    }
    for (key, change) in patch {
        if key == RETAIN_KEYS || key.starts_with(ORDER) || done.contains(&key.as_str()) {
            continue;
        }
        if key.starts_with(DELETE_FROM) {
            let field =
                field_of(key).ok_or_else(|| malformed("invalid patch format of primitive list"))?;
            delete_values(&mut target, field, change)?;
            continue;
        }
        let merged = merge_field(node, key, target.remove(key), change)?;
        if let Some(merged) = merged {
            target.insert(key.clone(), merged);
        }
    }
    Ok(target)
}

/// The field of `$setElementOrder/field`.
fn field_of(directive: &str) -> Option<&str> {
    let (prefix, field) = directive.split_once('/')?;
    matches!(prefix, ORDER | DELETE_FROM).then_some(field)
}

fn unknown_directive(directive: &Value, patch: &Fields) -> PatchError {
    let (directive, patch) = (plain(directive), plain(&Value::Object(patch.clone())));
    failed(format!("unknown patch type: {directive} in map: {patch}"))
}

fn merge_field(
    node: Node<'_>,
    field: &str,
    old: Option<Value>,
    change: &Value,
) -> Result<Option<Value>, PatchError> {
    let patch = node.patch(field);
    Ok(match (old, change) {
        (_, Value::Null) => None,
        (Some(Value::Object(_)), Value::Object(_)) if patch.replace => Some(change.clone()),
        (Some(Value::Object(old)), Value::Object(change)) => {
            Some(Value::Object(merge_map(node.field(field).0, old, change)?))
        }
        (Some(Value::Array(old)), Value::Array(changes)) => match patch.merge {
            Some(merge) => {
                let items = node.field(field).0.item();
                Some(Value::Array(merge_list(items, old, changes, merge)?))
            }
            None => Some(change.clone()),
        },
        (Some(old), change) if discriminant(&old) == discriminant(change) => Some(change.clone()),
        (_, change) => without_directives(&without_nulls(change)),
    })
}

/// Only the named keys stay, and the patch may have no others.
fn retain_keys(target: &mut Fields, patch: &Fields, kept: &Value) -> Result<(), PatchError> {
    let bad = || malformed("invalid patch format of retainKeys");
    let kept = kept.as_array().ok_or_else(bad)?;
    let is_kept = |key: &str| kept.iter().any(|name| name == key);
    let is_directive =
        |key: &str| key == RETAIN_KEYS || key.starts_with(DELETE_FROM) || key.starts_with(ORDER);
    let stray =
        |(key, value): (&String, &Value)| !value.is_null() && !is_directive(key) && !is_kept(key);
    if patch.iter().any(stray) {
        return Err(bad());
    }
    target.retain(|key, _| is_kept(key));
    Ok(())
}

fn delete_values(target: &mut Fields, field: &str, values: &Value) -> Result<(), PatchError> {
    let Some(Value::Array(list)) = target.get_mut(field) else {
        if values.is_null() {
            target.remove(field);
        }
        return Ok(());
    };
    match values {
        Value::Null => drop(target.remove(field)),
        Value::Array(values) => {
            if is_of_maps(list, values)? {
                return Err(failed("cannot merge lists without merge key for "));
            }
            list.retain(|value| !values.contains(value));
        }
        _ => {}
    }
    Ok(())
}

/// Merges a list and puts it into the order that the patch asks for: whether it did.
fn set_order(
    node: Node<'_>,
    target: &mut Fields,
    patch: &Fields,
    field: &str,
    order: &Value,
) -> Result<bool, PatchError> {
    let list = |value: Option<&Value>| match value {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list.clone())),
        Some(other) => {
            let kind = go_type(other);
            Err(failed(format!("expected a []interface {{}}, but received a {kind}")))
        }
    };
    let order = list(Some(order))?.unwrap_or_default();
    let (old, changes) = (list(target.get(field))?, list(patch.get(field))?);
    let strategy = node.patch(field);
    let key = match strategy.merge {
        Some(Merge::ByKey(key)) => Some(key),
        _ => None,
    };
    check_order(changes.as_deref().unwrap_or_default(), &order, key)?;
    let before = old.clone().unwrap_or_default();
    let none = [old.as_deref(), changes.as_deref()].into_iter().flatten().all(<[Value]>::is_empty);
    if none && (old.is_some() || changes.is_some()) {
        return Err(failed("no elements in any of the given slices"));
    }
    let merged = match (old, changes) {
        (None, None) => return Ok(false),
        (Some(old), None) => old,
        (None, Some(changes)) => changes.iter().filter_map(without_directives).collect(),
        (Some(old), Some(changes)) => match strategy.merge {
            Some(merge) => merge_list(node.field(field).0.item(), old, &changes, merge)?,
            None => changes,
        },
    };
    target.insert(field.to_owned(), Value::Array(ordered(merged, &before, &order, key)?));
    Ok(true)
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// The items of a patch must stand in the order that it asks for.
fn check_order(changes: &[Value], order: &[Value], key: Option<&str>) -> Result<(), PatchError> {
    if order.is_empty() || changes.is_empty() {
        return Ok(());
    }
    let deletes =
        |change: &&Value| key.is_some() && change.get(DIRECTIVE) == Some(&"delete".into());
    let mut rest = changes.iter().filter(|change| !deletes(change)).peekable();
    let mut wanted = order.iter();
    while let Some(change) = rest.peek() {
        if change.get(DIRECTIVE).is_some() && wanted.len() > 0 {
            rest.next();
            continue;
        }
        let Some(named) = wanted.next() else {
            return Err(failed(format!(
                "The order in patch list:\n{}\n doesn't match {ORDER} list:\n{}\n",
                plain(&Value::from(changes)),
                plain(&Value::from(order))
            )));
        };
        if same(named, change, key) {
            rest.next();
        }
    }
    Ok(())
}

/// Whether two items of a list are one: by their key, or by their value.
fn same(a: &Value, b: &Value, key: Option<&str>) -> bool {
    match key {
        Some(key) => a.get(key).is_some() && a.get(key) == b.get(key),
        None => a == b,
    }
}

fn merge_list(
    item: Node<'_>,
    old: Vec<Value>,
    changes: &[Value],
    merge: Merge,
) -> Result<Vec<Value>, PatchError> {
    if old.is_empty() && changes.is_empty() {
        return Ok(old);
    }
    let maps = is_of_maps(&old, changes)?;
    match merge {
        Merge::ByKey(key) if maps => merge_items(item, old, changes, key),
        Merge::Union if maps => Err(failed("cannot merge lists without merge key for ")),
        _ => {
            let before = old.clone();
            let mut list: Vec<Value> = Vec::with_capacity(old.len() + changes.len());
            for value in old.iter().chain(changes) {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            ordered(list, &before, changes, None)
        }
    }
}

/// Whether lists hold maps. All items must be of one type.
fn is_of_maps(one: &[Value], other: &[Value]) -> Result<bool, PatchError> {
    let mut items = one.iter().chain(other);
    let Some(first) = items.next() else { return Ok(false) };
    if first.is_array() {
        let text = "lists of lists are not supported".to_owned();
        return Err(PatchError::DoesNotApply(text));
    }
    if items.any(|item| go_type(item) != go_type(first)) {
        return Err(failed("list element types are not identical"));
    }
    Ok(first.is_object())
}

fn no_key(item: &Value, key: &str) -> PatchError {
    failed(format!("map: {} does not contain declared merge key: {key}", plain(item)))
}

fn merge_items(
    node: Node<'_>,
    mut list: Vec<Value>,
    changes: &[Value],
    key: &str,
) -> Result<Vec<Value>, PatchError> {
    let mut rest = Vec::new();
    let mut replaces = false;
    for item in changes {
        match item.get(DIRECTIVE) {
            None => rest.push(item.clone()),
            Some(directive) if directive == "delete" => {
                let id = item.get(key).ok_or_else(|| no_key(item, key))?;
                list.retain(|old| old.get(key) != Some(id));
            }
            Some(directive) if directive == "replace" => replaces = true,
            Some(directive) if directive == "merge" => {
                return Err(failed("merging lists cannot yet be specified in the patch"));
            }
            Some(directive) => {
                let none = Fields::new();
                return Err(unknown_directive(directive, item.as_object().unwrap_or(&none)));
            }
        }
    }
    if replaces {
        list = std::mem::take(&mut rest);
    }
    let before = list.clone();
    for item in &rest {
        let id = item.get(key).ok_or_else(|| no_key(item, key))?;
        let place = list.iter_mut().find(|old| old.get(key) == Some(id));
        match (place, item) {
            (Some(place), Value::Object(change)) => {
                let Value::Object(old) = place.take() else { continue };
                *place = Value::Object(merge_map(node, old, change)?);
            }
            _ => list.push(item.clone()),
        }
    }
    ordered(list, &before, &rest, Some(key))
}

/// Puts a merged list into the order that the patch asks for. Items that the patch does not name
/// keep their place among those that were there before.
fn ordered(
    list: Vec<Value>,
    before: &[Value],
    order: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, PatchError> {
    if let Some(key) = key
        && let Some(item) = list.iter().chain(order).find(|item| item.get(key).is_none())
    {
        return Err(no_key(item, key));
    }
    let place = |among: &[Value], item: &Value| among.iter().position(|o| same(o, item, key));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        list.into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    sort_by(&mut others, |item| place(before, item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) =
            others.next_if(|other| match (place(before, &item), place(before, other)) {
                (Some(item), Some(other)) => other < item,
                _ => false,
            })
        {
            result.push(other);
        }
        result.push(item);
    }
    result.extend(others);
    Ok(result)
}

/// Sorts items by their places; those without one come out as upstream's comparison, which calls
/// each of them less than any other, leaves them: backwards.
fn sort_by(items: &mut [Value], place: impl Fn(&Value) -> Option<usize>) {
    /// Go's stable sort goes by insertion up to here.
    const BLOCK: usize = 20;
    if items.len() > BLOCK || items.iter().all(|item| place(item).is_some()) {
        items.sort_by_key(place);
        return;
    }
    let less = |a: &Value, b: &Value| match (place(a), place(b)) {
        (Some(a), Some(b)) => a < b,
        _ => true,
    };
    for end in 1..items.len() {
        let mut at = end;
        while at > 0
            && let Some([before, item]) = items.get(at - 1..=at)
            && less(item, before)
        {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let some = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(some.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        value => value.clone(),
    }
}

/// A value that is new, without what is a directive itself; `None` if all of it is.
fn without_directives(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => return None,
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_directives(value)?)));
            Value::Object(kept.collect())
        }
        Value::Array(items) => Value::Array(items.iter().filter_map(without_directives).collect()),
        value => value.clone(),
    })
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
                json!({"metadata": {"finalizers": ["c", "b"]}}),
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
            let node = match what {
                what if what.starts_with("a service") => Node::built_in("", "v1", "Service"),
                what if what.contains("map") || what.contains("keys") => {
                    Node::built_in("apps", "v1", "Deployment")
                }
                _ => Node::built_in("", "v1", "Pod"),
            };
            assert_eq!(strategic(node, target, &patch), Ok(result), "{what}");
        }
    }

    #[test]
    fn errors() {
        let pod = Node::built_in("", "v1", "Pod");
        let target = json!({"spec": {"containers": [{"name": "a"}]}});
        let patch = json!({"spec": {"containers": [{"image": "b"}]}});
        let error = strategic(pod, target.clone(), &patch).unwrap_err();
        let text = "map: map[image:b] does not contain declared merge key: name";
        assert_eq!(error.to_string(), text);
        assert!(strategic(pod, target.clone(), &json!([])).is_err());
        assert!(strategic(pod, target, &json!({"spec": {"$patch": "twist"}})).is_err());
    }
}
