//! Defaults of a schema, and the nulls that make room for them.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema/defaulting`.

use super::{Schema, additional, default_of, field, items, property};
use serde_json::Value;

/// Fills in what is not there, or null where it must not be, by the schema's defaults.
pub fn default(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, property) in schema.properties.iter().flatten() {
                let Some(default) = default_of(property) else { continue };
                if fields.get(name).is_none_or(|value| must_not_be(value, property)) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(property) = property(schema, name) {
                    default(value, property);
                } else if let Some(additional) = additional(schema) {
                    default_item(value, additional);
                }
            }
        }
        Value::Array(values) => {
            if let Some(items) = items(schema) {
                values.iter_mut().for_each(|value| default_item(value, items));
            }
        }
        _ => {}
    }
}

fn default_item(value: &mut Value, schema: &Schema) {
    if must_not_be(value, schema) {
        *value = default_of(schema).cloned().unwrap_or(Value::Null);
    }
    default(value, schema);
}

/// Takes the nulls away that the schema neither allows nor gives a default for.
pub fn prune_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let schema = schema.and_then(|schema| field(schema, name));
            let stays = schema
                .is_none_or(|schema| !must_not_be(value, schema) || default_of(schema).is_some());
            if stays {
                prune_nulls(value, schema);
            }
            stays
        }),
        Value::Array(values) => {
            let items = schema.and_then(items);
            values.iter_mut().for_each(|value| prune_nulls(value, items));
        }
        _ => {}
    }
}

/// Whether the value is a null that is not allowed.
fn must_not_be(value: &Value, schema: &Schema) -> bool {
    value.is_null() && schema.nullable != Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_filled_in_and_stray_nulls_go() {
        let schema: Schema = serde_json::from_value(json!({"type": "object", "properties": {
            "a": {"type": "integer", "default": 1},
            "b": {"type": "object", "default": {}, "properties": {
                "c": {"type": "string", "default": "x"}}},
            "n": {"type": "string", "nullable": true, "default": "y"},
            "m": {"type": "string"},
            "l": {"type": "array", "items": {"type": "object", "properties": {
                "d": {"type": "integer", "default": 2}}}},
            "p": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                "e": {"type": "boolean", "default": true}}}},
        }}))
        .unwrap();
        let table = [
            (json!({}), json!({"a": 1, "b": {"c": "x"}, "n": "y"})),
            (
                json!({"a": null, "n": null, "m": null, "b": {"c": "z"}}),
                json!({"a": 1, "b": {"c": "z"}, "n": null}),
            ),
            (
                json!({"a": 0, "b": {}, "n": "", "l": [{}, {"d": 0}], "p": {"k": {}}}),
                json!({"a": 0, "b": {"c": "x"}, "n": "", "l": [{"d": 2}, {"d": 0}],
                    "p": {"k": {"e": true}}}),
            ),
        ];
        for (mut value, expected) in table {
            prune_nulls(&mut value, Some(&schema));
            default(&mut value, &schema);
            assert_eq!(value, expected);
        }
    }
}
