//! The strategic merge patch that brings a live object to a new configuration, without touching
//! what others have set.
//!
//! Upstream: `strategicpatch.CreateThreeWayMergePatch`.

use crate::schema::{Merge, Node};
use serde_json::{Map, Value, json};

/// What leads from `current` to `modified`, and takes away what `original`, the configuration
/// before, had and `modified` has not, all of the schema `node`. Empty when there is nothing to do.
pub fn three_way(
    node: Node<'_>,
    original: &Value,
    modified: &Value,
    current: &Value,
) -> Map<String, Value> {
    let none = Map::new();
    let fields = |value: &Value| value.as_object().unwrap_or(&none).clone();
    objects(node, &fields(original), &fields(modified), &fields(current))
}

type Fields = Map<String, Value>;

fn objects(node: Node<'_>, original: &Fields, modified: &Fields, current: &Fields) -> Fields {
    let mut patch = Fields::new();
    for name in original.keys().filter(|name| modified.get(*name).is_none_or(Value::is_null)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, wanted) in modified.iter().filter(|(_, wanted)| !wanted.is_null()) {
        let before = original.get(name).unwrap_or(&Value::Null);
        match (wanted, current.get(name)) {
            (wanted, Some(live)) if wanted == live && wanted == before => {}
            (Value::Object(wanted), Some(Value::Object(live))) => {
                let none = Fields::new();
                let below = node.field(name).0;
                let changes = objects(below, before.as_object().unwrap_or(&none), wanted, live);
                if !changes.is_empty() {
                    patch.insert(name.clone(), Value::Object(changes));
                }
            }
            (Value::Array(wanted), Some(Value::Array(live))) => {
                let before = before.as_array().map(Vec::as_slice).unwrap_or_default();
                lists(node, name, before, wanted, live, &mut patch);
            }
            (wanted, live) if live != Some(wanted) => {
                patch.insert(name.clone(), wanted.clone());
            }
            _ => {}
        }
    }
    patch
}

fn lists(
    node: Node<'_>,
    name: &str,
    original: &[Value],
    modified: &[Value],
    current: &[Value],
    patch: &mut Fields,
) {
    match node.patch(name).merge {
        None if modified == current => {}
        None => drop(patch.insert(name.to_owned(), Value::from(modified.to_vec()))),
        Some(Merge::Union) => {
            if current != modified {
                patch.insert(format!("$setElementOrder/{name}"), Value::from(modified.to_vec()));
            }
            let missing = |from: &[Value], of: &[Value]| -> Vec<Value> {
                of.iter().filter(|item| !from.contains(item)).cloned().collect()
            };
            let (added, removed) = (missing(current, modified), missing(modified, original));
            if !added.is_empty() {
                patch.insert(name.to_owned(), Value::from(added));
            }
            if !removed.is_empty() {
                patch.insert(format!("$deleteFromPrimitiveList/{name}"), Value::from(removed));
            }
        }
        Some(Merge::ByKey(key)) => {
            let ids = |list: &[Value]| -> Vec<Option<Value>> {
                list.iter().map(|item| item.get(key).cloned()).collect()
            };
            let (wanted, before) = (ids(modified), ids(original));
            if ids(current) != wanted || before.iter().any(|id| !wanted.contains(id)) {
                let order: Vec<Value> =
                    wanted.into_iter().flatten().map(|id| json!({ key: id })).collect();
                patch.insert(format!("$setElementOrder/{name}"), Value::from(order));
            }
            let items = keyed(node.field(name).0.item(), key, original, modified, current);
            if !items.is_empty() {
                patch.insert(name.to_owned(), Value::from(items));
            }
        }
    }
}

fn keyed(
    node: Node<'_>,
    key: &str,
    original: &[Value],
    modified: &[Value],
    current: &[Value],
) -> Vec<Value> {
    let find = |list: &[Value], id: Option<&Value>| -> Option<Fields> {
        list.iter().find(|item| item.get(key) == id)?.as_object().cloned()
    };
    let mut changes = Vec::new();
    for item in modified {
        let id = item.get(key);
        let (Some(wanted), Some(live)) = (item.as_object(), find(current, id)) else {
            changes.push(item.clone());
            continue;
        };
        let before = find(original, id).unwrap_or_default();
        let mut change = objects(node, &before, wanted, &live);
        if let Some(id) = id.filter(|_| !change.is_empty()) {
            change.insert(key.to_owned(), id.clone());
            changes.push(Value::Object(change));
        }
    }
    for item in original {
        let id = item.get(key);
        if let Some(id) = id.filter(|id| find(modified, Some(id)).is_none()) {
            let mut change = Fields::new();
            change.insert("$patch".to_owned(), Value::from("delete"));
            change.insert(key.to_owned(), id.clone());
            changes.push(Value::Object(change));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_set_stays() {
        let container = |image: &str| json!({"name": "a", "image": image});
        let live = json!({"name": "a", "image": "x:1", "terminationMessagePath": "/dev/log"});
        let table = [
            (
                json!({"spec": {"containers": [container("x:1")]}}),
                json!({"spec": {"containers": [container("x:1")]}}),
                json!({"spec": {"containers": [live], "nodeName": "n"}}),
                json!({}),
            ),
            (
                json!({"spec": {"containers": [container("x:1")], "replicas": 2}}),
                json!({"spec": {"containers": [container("x:2"), {"name": "b"}]}}),
                json!({"spec": {"containers": [live], "replicas": 5}}),
                json!({"spec": {"replicas": null,
                    "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                    "containers": [{"name": "a", "image": "x:2"}, {"name": "b"}]}}),
            ),
            (
                json!({"spec": {"containers": [container("x:1"), {"name": "b"}]}}),
                json!({"spec": {"containers": [container("x:1")]}}),
                json!({"spec": {"containers": [live, {"name": "b"}, {"name": "injected"}]}}),
                json!({"spec": {"$setElementOrder/containers": [{"name": "a"}],
                    "containers": [{"$patch": "delete", "name": "b"}]}}),
            ),
        ];
        let pod = Node::built_in("", "v1", "Pod");
        for (original, modified, current, patch) in table {
            let made = Value::Object(three_way(pod, &original, &modified, &current));
            assert_eq!(made, patch);
            let changed = super::super::strategic(pod, current, &made).unwrap();
            // Upstream's patch says the order again where others have added elements.
            let again = Value::Object(three_way(pod, &modified, &modified, &changed));
            assert_eq!(super::super::strategic(pod, changed.clone(), &again).unwrap(), changed);
        }
    }
}
