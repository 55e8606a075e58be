//! Lists that are sets or maps: no item, or no key, twice.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema/listtype/validation.go`.

use super::{Schema, additional, items, property};
use crate::FieldError;
use crate::gofmt::bad_value;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is wrong with the lists in a value.
pub fn validate(object: &Value, schema: &Schema) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(object, schema, "", &mut errors);
    errors
}

fn walk(value: &Value, schema: &Schema, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(additional) = additional(schema) {
                    walk(value, additional, &format!("{path}[{name}]"), errors);
                }
                if let Some(property) = property(schema, name) {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, property, &format!("{path}{dot}{name}"), errors);
                }
            }
        }
        Value::Array(values) => {
            match schema.x_kubernetes_list_type.as_deref() {
                Some("set") => duplicates(values.iter().cloned(), path, errors),
                Some("map") => walk_map(values, schema, path, errors),
                _ => {}
            }
            if let Some(items) = items(schema) {
                for (index, value) in values.iter().enumerate() {
                    walk(value, items, &format!("{path}[{index}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn walk_map(values: &[Value], schema: &Schema, path: &str, errors: &mut Vec<FieldError>) {
    let strange = values.iter().position(|value| !value.is_null() && !value.is_object());
    if let Some(index) = strange {
        let detail = "must be an object for an array of list-type map";
        let value = values.get(index).unwrap_or(&Value::Null);
        errors.push(FieldError::invalid_value(format!("{path}[{index}]"), value, detail));
        return;
    }
    let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
    let key_of = |value: &Value| {
        let named = |key: &String| Some((key.clone(), value.get(key)?.clone()));
        Value::Object(keys.iter().filter_map(named).collect::<Map<String, Value>>())
    };
    duplicates(values.iter().map(key_of), path, errors);
}

/// Tells each value once that is there more than once, where it is met the second time.
fn duplicates(values: impl Iterator<Item = Value>, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, value) in values.enumerate() {
        let times = seen.entry(value.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            errors.push(FieldError::duplicate_raw(format!("{path}[{index}]"), bad_value(&value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn doubles_are_told() {
        let schema: Schema = serde_json::from_value(json!({"type": "object", "properties": {
            "set": {"type": "array", "x-kubernetes-list-type": "set",
                "items": {"type": "string"}},
            "map": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
        }}))
        .unwrap();
        let object = json!({"set": ["a", "b", "a", "a"],
            "map": [{"k": "x"}, {"k": "y"}, {"k": "x", "v": 1}]});
        let errors = validate(&object, &schema);
        let texts: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        assert_eq!(
            texts,
            [
                "map[2]: Duplicate value: map[string]interface {}{\"k\":\"x\"}",
                "set[2]: Duplicate value: \"a\"",
            ]
        );
    }
}
