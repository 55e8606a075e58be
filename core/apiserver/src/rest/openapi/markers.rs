//! Marks in the schemas how lists and maps are merged: `x-kubernetes-list-type`,
//! `x-kubernetes-patch-merge-key`, ….

use super::names;
use naru_api::schema::{List, Merge, Node};
use naru_api::{Kind, StrategyRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How deep types lie in one another at most.
const DEPTH_MAX: usize = 64;

/// Marks the schema of a built-in kind and those that it refers to.
pub(super) fn mark(schemas: &mut Map<String, Value>, kind: &Kind, name: &str) {
    if matches!(kind.strategy, StrategyRef::Custom(_)) {
        return;
    }
    let mut seen = BTreeSet::new();
    mark_type(schemas, name, Node::of(kind), &mut seen, 0);
}

fn mark_type(
    schemas: &mut Map<String, Value>,
    name: &str,
    node: Node<'_>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    if depth > DEPTH_MAX || !seen.insert(name.to_owned()) {
        return;
    }
    // Taken out, since the schemas that it refers to are changed at the same time.
    let Some(mut schema) = schemas.get_mut(name).map(Value::take) else { return };
    if node.is_atomic_map()
        && let Some(map) = schema.as_object_mut()
    {
        map.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (field, property) in properties.into_iter().flatten() {
        let Some(property) = property.as_object_mut() else { continue };
        mark_field(property, node, field);
        let (below, _) = node.field(field);
        let below = if property.contains_key("items") { below.item() } else { below };
        if let Some(name) = type_of(property) {
            mark_type(schemas, &name, below, seen, depth + 1);
        }
    }
    schemas.insert(name.to_owned(), schema);
}

fn mark_field(property: &mut Map<String, Value>, node: Node<'_>, field: &str) {
    let mut mark = |name: &str, value: Value| drop(property.insert(name.to_owned(), value));
    let patch = node.patch(field);
    let strategies = [
        (patch.retain_keys, "retainKeys"),
        (patch.merge.is_some(), "merge"),
        (patch.replace, "replace"),
    ];
    let strategies: Vec<&str> =
        strategies.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
    if !strategies.is_empty() {
        // Upstream writes the tag as it stands: `merge,retainKeys`.
        let mut sorted = strategies;
        sorted.sort_unstable();
        mark("x-kubernetes-patch-strategy", json!(sorted.join(",")));
    }
    if let Some(Merge::ByKey(key)) = patch.merge {
        mark("x-kubernetes-patch-merge-key", json!(key));
    }
    let is_map = property.contains_key("additionalProperties");
    let is_list = property.get("type").is_some_and(|of| of == "array");
    let mut mark = |name: &str, value: Value| drop(property.insert(name.to_owned(), value));
    if is_map && node.field(field).0.is_atomic_map() {
        mark("x-kubernetes-map-type", json!("atomic"));
    }
    if !is_list {
        return;
    }
    match node.field(field).0.list() {
        List::Atomic => mark("x-kubernetes-list-type", json!("atomic")),
        List::Set => mark("x-kubernetes-list-type", json!("set")),
        List::Keyed(keys) => {
            let keys: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            mark("x-kubernetes-list-type", json!("map"));
            mark("x-kubernetes-list-map-keys", json!(keys));
        }
    }
}

/// The type that a field is of, or its items or values are.
fn type_of(property: &Map<String, Value>) -> Option<String> {
    let inner = property.get("items").or_else(|| property.get("additionalProperties"));
    let holder = inner.and_then(Value::as_object).unwrap_or(property);
    let all_of = holder.get("allOf").and_then(|all| all.get(0));
    let name = all_of.unwrap_or(&Value::Null).get("$ref").or_else(|| holder.get("$ref"))?;
    name.as_str()?.strip_prefix(names::SCHEMAS).map(str::to_owned)
}
