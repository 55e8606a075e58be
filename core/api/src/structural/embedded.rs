//! Whole objects inside objects: `x-kubernetes-embedded-resource`.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema/objectmeta`.

use super::{Schema, additional, is_embedded, items, property};
use crate::gofmt::quote;
use crate::{FieldError, decode, encode, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// Checks the type and the metadata of embedded objects and writes the metadata as the API server
/// understands it; the error is the first that is found.
pub fn coerce(value: &mut Value, schema: &Schema) -> Result<(), FieldError> {
    coerce_at(value, schema, "")
}

fn coerce_at(value: &mut Value, schema: &Schema, path: &str) -> Result<(), FieldError> {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_embedded(schema) {
                    coerce_meta(name, value, path)?;
                }
                if let Some(property) = property(schema, name) {
                    coerce_at(value, property, &child(path, name))?;
                } else if let Some(additional) = additional(schema) {
                    coerce_at(value, additional, &format!("{path}[{name}]"))?;
                }
            }
        }
        Value::Array(values) => {
            let Some(items) = items(schema) else { return Ok(()) };
            for (index, value) in values.iter_mut().enumerate() {
                coerce_at(value, items, &format!("{path}[{index}]"))?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn coerce_meta(name: &str, value: &mut Value, path: &str) -> Result<(), FieldError> {
    match name {
        "apiVersion" | "kind" if !value.is_string() => {
            Err(FieldError::invalid_value(child(path, name), value, "must be a string"))
        }
        "metadata" => {
            let wrong = |error: String| {
                FieldError::invalid_value(child(path, name), &value.clone(), &error)
            };
            let (meta, _) = decode::decode_leniently::<ObjectMeta>(value).map_err(wrong)?;
            *value = encode::to_value(&meta).map_err(|error| wrong(error.to_string()))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What is wrong with embedded objects.
pub fn validate(value: &Value, schema: &Schema) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(value, schema, "", &mut errors);
    errors
}

fn walk(value: &Value, schema: &Schema, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            if is_embedded(schema) {
                validate_object(value, path, errors);
            }
            for (name, value) in fields {
                if let Some(property) = property(schema, name) {
                    walk(value, property, &child(path, name), errors);
                } else if let Some(additional) = additional(schema) {
                    walk(value, additional, &format!("{path}[{name}]"), errors);
                }
            }
        }
        Value::Array(values) => {
            let Some(items) = items(schema) else { return };
            for (index, value) in values.iter().enumerate() {
                walk(value, items, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn validate_object(object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    const EMPTY: &str = "must not be empty";
    for name in ["apiVersion", "kind"] {
        let path = child(path, name);
        match object.get(name) {
            None => errors.push(FieldError::required(path, EMPTY)),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(path, text, EMPTY));
            }
            Some(Value::String(text)) if name == "apiVersion" && text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                errors.push(FieldError::invalid(path, text, &detail));
            }
            Some(Value::String(text)) if name == "kind" => {
                let found = names::dns1035_label(&text.to_lowercase());
                if !found.is_empty() {
                    let detail = format!(
                        "may have mixed case, but should otherwise match: {}",
                        found.join(",")
                    );
                    errors.push(FieldError::invalid(path, text, &detail));
                }
            }
            Some(Value::String(_)) => {}
            Some(other) => errors.push(FieldError::invalid_value(path, other, "must be a string")),
        }
    }
    let Some(meta) = object.get("metadata") else { return };
    let path = child(path, "metadata");
    match decode::decode_leniently::<ObjectMeta>(meta) {
        Ok((meta, _)) => validate_meta(&meta, &path, errors),
        Err(error) => errors.push(FieldError::invalid_value(path, meta, &error)),
    }
}

fn validate_meta(meta: &ObjectMeta, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(name) = meta.name.as_deref() {
        for problem in path_segment(name) {
            errors.push(FieldError::invalid(child(path, "name"), name, &problem));
        }
    }
    if let Some(namespace) = meta.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        for problem in names::dns1123_label(namespace) {
            errors.push(FieldError::invalid(child(path, "namespace"), namespace, &problem));
        }
    }
    errors.extend(labels::validate(meta.labels.as_ref(), child(path, "labels")));
    for key in meta.annotations.iter().flatten().map(|(key, _)| key) {
        for problem in names::qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid(child(path, "annotations"), key, &problem));
        }
    }
}

/// Upstream: `IsValidPathSegmentName`.
fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be {}", quote(name).replace('"', "'"))];
    }
    let contains = |part: &&str| name.contains(*part);
    ["/", "%"]
        .iter()
        .filter(|part| contains(part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
