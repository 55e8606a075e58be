//! Pruning: what a schema does not name is dropped.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go`.

use super::{META_FIELDS, Schema, additional, is_embedded, items, preserves, property};
use serde_json::Value;

/// Drops the fields that the schema of a whole object does not name, but for `apiVersion`, `kind`
/// and `metadata`; returns their paths in order: `spec.foo`, `spec.list[0].bar`.
pub fn prune(object: &mut Value, schema: Option<&Schema>) -> Vec<String> {
    let mut pruner = Pruner::default();
    pruner.at_root(object, schema);
    pruner.unknown.sort();
    pruner.unknown
}

/// Whether pruning the default of a field would change it.
pub(super) fn is_pruned(value: &Value, schema: &Schema) -> bool {
    let mut pruned = value.clone();
    Pruner::default().walk(&mut pruned, Some(schema), is_embedded(schema));
    pruned == *value
}

#[derive(Default)]
struct Pruner {
    path: Vec<String>,
    unknown: Vec<String>,
}

impl Pruner {
    fn at_root(&mut self, object: &mut Value, schema: Option<&Schema>) {
        match schema {
            Some(schema) => self.walk(object, Some(schema), true),
            None => self.walk(object, Some(&Schema::default()), true),
        }
    }

    fn walk(&mut self, value: &mut Value, schema: Option<&Schema>, embedded: bool) {
        if let Some(schema) = schema
            && preserves(schema)
        {
            return self.walk_preserved(value, schema, embedded);
        }
        match value {
            Value::Object(fields) => fields.retain(|name, value| {
                if embedded && META_FIELDS.contains(&name.as_str()) {
                    return true;
                }
                let known = schema.is_some_and(|schema| {
                    property(schema, name).is_some() || schema.additional_properties.is_some()
                });
                if known {
                    self.child(name, value, schema);
                } else if !self.path.is_empty() || !META_FIELDS.contains(&name.as_str()) {
                    self.note(name);
                }
                known
            }),
            Value::Array(values) => {
                let items = schema.and_then(items);
                self.each(values, |pruner, value| {
                    pruner.walk(value, items, items.is_some_and(is_embedded));
                });
            }
            _ => {}
        }
    }

    /// Where unknown fields are kept, only fields that have a schema are looked into.
    fn walk_preserved(&mut self, value: &mut Value, schema: &Schema, embedded: bool) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let meta = embedded && META_FIELDS.contains(&name.as_str());
                    let known =
                        property(schema, name).is_some() || schema.additional_properties.is_some();
                    if known && !meta {
                        self.child(name, value, Some(schema));
                    }
                }
            }
            Value::Array(values) => {
                let Some(items) = items(schema) else { return };
                self.each(values, |pruner, value| {
                    pruner.walk_preserved(value, items, is_embedded(items));
                });
            }
            _ => {}
        }
    }

    fn child(&mut self, name: &str, value: &mut Value, schema: Option<&Schema>) {
        let schema = schema
            .and_then(|schema| property(schema, name).map_or_else(|| additional(schema), Some));
        self.path.push(self.step(name));
        self.walk(value, schema, schema.is_some_and(is_embedded));
        self.path.pop();
    }

    fn each(&mut self, values: &mut [Value], mut visit: impl FnMut(&mut Self, &mut Value)) {
        for (index, value) in values.iter_mut().enumerate() {
            self.path.push(format!("[{index}]"));
            visit(self, value);
            self.path.pop();
        }
    }

    fn step(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!(".{name}") }
    }

    fn note(&mut self, name: &str) {
        let path = self.path.concat() + &self.step(name);
        self.unknown.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_go_and_are_told() {
        let schema: Schema = serde_json::from_value(json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string"},
                "map": {"type": "object", "additionalProperties": {"type": "object",
                    "properties": {"b": {"type": "string"}}}},
                "list": {"type": "array", "items": {"type": "object",
                    "properties": {"c": {"type": "string"}}}},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"strict": {"type": "object"}}},
                "embedded": {"type": "object", "x-kubernetes-embedded-resource": true,
                    "properties": {"spec": {"type": "object"}}},
            }},
        }}))
        .unwrap();
        let mut object = json!({
            "apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "other": 1,
            "spec": {
                "a": "x", "z": 1,
                "map": {"k": {"b": "x", "y": 2}},
                "list": [{"c": "x"}, {"x": {"w": 3}}],
                "any": {"thing": {"deep": 1}, "strict": {"v": 4}},
                "embedded": {"apiVersion": "v1", "kind": "B", "metadata": {"name": "b"}, "u": 5},
            },
        });
        let unknown = prune(&mut object, Some(&schema));
        let paths = [
            "other",
            "spec.any.strict.v",
            "spec.embedded.u",
            "spec.list[1].x",
            "spec.map.k.y",
            "spec.z",
        ];
        assert_eq!(unknown, paths);
        assert_eq!(
            object,
            json!({
                "apiVersion": "v1", "kind": "A", "metadata": {"name": "x"},
                "spec": {
                    "a": "x",
                    "map": {"k": {"b": "x"}},
                    "list": [{"c": "x"}, {}],
                    "any": {"thing": {"deep": 1}, "strict": {}},
                    "embedded": {"apiVersion": "v1", "kind": "B", "metadata": {"name": "b"}},
                },
            })
        );
    }

    #[test]
    fn without_a_schema_nothing_stays() {
        let mut object = json!({"kind": "A", "metadata": {}, "spec": {"a": 1}});
        assert_eq!(prune(&mut object, None), ["spec"]);
        assert_eq!(object, json!({"kind": "A", "metadata": {}}));
    }
}
