//! OpenAPI 2, made from the parts of OpenAPI 3.
//!
//! Upstream: `kube-openapi/pkg/openapiconv`, `pkg/builder`.

use super::names;
use serde_json::{Map, Value, json};

/// `/openapi/v2`.
pub(super) fn document(schemas: &Map<String, Value>, paths: &Value) -> Value {
    let definitions: Map<String, Value> =
        schemas.iter().map(|(name, value)| (name.clone(), schema(value))).collect();
    let paths: Map<String, Value> = paths
        .as_object()
        .into_iter()
        .flatten()
        .map(|(path, item)| (path.clone(), path_item(item)))
        .collect();
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": "v1.33.1" },
        "paths": paths,
        "definitions": definitions,
    })
}

/// A schema: references stand alone, and what is a scalar in two ways is a string.
fn schema(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                match key.as_str() {
                    "$ref" => {
                        let name = inner.as_str().unwrap_or_default();
                        let name = name.strip_prefix(names::SCHEMAS).unwrap_or(name);
                        out.insert("$ref".to_owned(), json!(format!("#/definitions/{name}")));
                    }
                    "allOf" => {
                        if let Some(Value::Object(one)) = inner.get(0).map(schema) {
                            out.extend(one);
                        }
                    }
                    "oneOf" => drop(out.insert("type".to_owned(), json!("string"))),
                    "default" if map.contains_key("allOf") => {}
                    _ => drop(out.insert(key.clone(), schema(inner))),
                }
            }
            Value::Object(out)
        }
        Value::Array(list) => Value::Array(list.iter().map(schema).collect()),
        other => other.clone(),
    }
}

fn path_item(item: &Value) -> Value {
    let mut out = Map::new();
    for (key, value) in item.as_object().into_iter().flatten() {
        let value = if key == "parameters" { parameters(value) } else { operation(value) };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

fn parameters(list: &Value) -> Value {
    list.as_array().into_iter().flatten().map(parameter).collect()
}

fn parameter(parameter: &Value) -> Value {
    let mut out = parameter.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(schema)) = out.remove("schema") {
        out.extend(schema);
    }
    Value::Object(out)
}

fn operation(operation: &Value) -> Value {
    let mut out = operation.as_object().cloned().unwrap_or_default();
    let mut all: Vec<Value> = out
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(parameter)
        .collect();
    let mut consumes = vec!["*/*".to_owned()];
    if let Some(body) = out.remove("requestBody") {
        let content = body["content"].as_object().cloned().unwrap_or_default();
        consumes = content.keys().cloned().collect();
        let of = content.values().next().map(|one| schema(&one["schema"])).unwrap_or_default();
        let required = body["required"].as_bool().unwrap_or(false);
        let mut parameter = json!({ "in": "body", "name": "body", "schema": of });
        if let (Some(map), true) = (parameter.as_object_mut(), required) {
            map.insert("required".to_owned(), json!(true));
        }
        all.insert(0, parameter);
    }
    let mut responses = Map::new();
    for (code, answer) in out.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let mut plain = json!({ "description": answer["description"] });
        let content = answer["content"].as_object().and_then(|content| content.values().next());
        if let (Some(content), Some(map)) = (content, plain.as_object_mut()) {
            map.insert("schema".to_owned(), schema(&content["schema"]));
        }
        responses.insert(code.clone(), plain);
    }
    out.insert("parameters".to_owned(), Value::Array(all));
    out.insert("responses".to_owned(), Value::Object(responses));
    out.insert("consumes".to_owned(), json!(consumes));
    out.insert("produces".to_owned(), json!(["application/json", "application/yaml"]));
    out.insert("schemes".to_owned(), json!(["https"]));
    Value::Object(out)
}
