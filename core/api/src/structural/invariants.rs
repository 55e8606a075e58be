//! What makes a schema structural: every field that a rule speaks of has a type of its own.
//!
//! Upstream: `ValidateStructural` in `apiextensions-apiserver/pkg/apiserver/schema/validation.go`,
//! and `NewStructural` in `convert.go`.

use super::{
    META_FIELDS, Schema, additional, is_embedded, is_int_or_string, items, preserves, property,
    type_of,
};
use crate::{FieldError, Path, encode};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
use regex_lite::Regex;
use serde_json::Value;

/// Where in a schema a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What keeps a schema from being structural, in order of its text.
pub fn validate(schema: &Schema, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, path, &mut errors);
    complete_rules(schema, Some(schema), path, path, &mut errors);
    errors.sort_by_cached_key(|error| format!("{}: {}", error.field, error.message));
    errors
}

/// The first part of OpenAPI that a structural schema does not have.
pub fn unsupported(schema: &Schema) -> Option<String> {
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let named = [
        (text(&schema.id), "id"),
        (text(&schema.schema), "schema"),
        (text(&schema.ref_path), "$ref"),
        (
            schema.pattern_properties.as_ref().is_some_and(|map| !map.is_empty()),
            "patternProperties",
        ),
        (schema.dependencies.as_ref().is_some_and(|map| !map.is_empty()), "dependencies"),
        (schema.additional_items.is_some(), "additionalItems"),
        (schema.definitions.as_ref().is_some_and(|map| !map.is_empty()), "definitions"),
    ];
    if let Some((_, name)) = named.iter().find(|(set, _)| *set) {
        return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
    }
    if schema.x_kubernetes_preserve_unknown_fields == Some(false) {
        let why =
            "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
        return Some(why.to_owned());
    }
    if matches!(&schema.items, Some(JSONSchemaPropsOrArray::Schemas(list)) if !list.is_empty()) {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    children(schema).into_iter().find_map(unsupported)
}

/// Every schema right below.
pub(crate) fn children(schema: &Schema) -> Vec<&Schema> {
    let lists = [&schema.all_of, &schema.any_of, &schema.one_of];
    schema
        .properties
        .iter()
        .flatten()
        .map(|(_, property)| property)
        .chain(items(schema))
        .chain(additional(schema))
        .chain(schema.not.as_deref())
        .chain(lists.into_iter().flatten().flatten())
        .collect()
}

fn invariants(schema: &Schema, level: Level, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    match items(schema) {
        None if type_of(schema) == "array" => {
            errors.push(FieldError::required(path.child("items"), "must be specified"));
        }
        None => {}
        Some(items) => invariants(items, Level::Item, &path.child("items"), errors),
    }
    for (name, property) in schema.properties.iter().flatten() {
        invariants(property, Level::Field, &path.child("properties").key(name), errors);
    }
    if schema.additional_properties.is_some() {
        let path = path.child("additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(path, "must not be used at the root"));
        }
        if let Some(additional) = additional(schema) {
            invariants(additional, Level::Field, &path, errors);
        }
    }
    extensions(schema, path, errors);
    let skip = is_int_or_string_any_of(schema);
    let skip_first = schema.all_of.iter().flatten().next().is_some_and(is_int_or_string_any_of);
    rules(schema, skip, skip_first, path, errors);
    types(schema, level, path, errors);
    metadata(schema, level, path, errors);
}

fn extensions(schema: &Schema, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const DETAIL: &str = "must be false if x-kubernetes-int-or-string is true";
    if !is_int_or_string(schema) {
        return;
    }
    let both = [
        (preserves(schema), "x-kubernetes-preserve-unknown-fields"),
        (is_embedded(schema), "x-kubernetes-embedded-resource"),
    ];
    for (_, name) in both.iter().filter(|(set, _)| *set) {
        errors.push(FieldError::invalid_raw(path.child(name), true, DETAIL));
    }
}

fn types(schema: &Schema, level: Level, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const OBJECT: &str = "must be object if x-kubernetes-embedded-resource is true";
    let (name, at) = (type_of(schema), path.child("type"));
    if is_embedded(schema) && name != "object" {
        errors.push(match name {
            "" => FieldError::required(at, OBJECT),
            name => FieldError::invalid(at, name, OBJECT),
        });
    } else if name.is_empty() && !is_int_or_string(schema) && !preserves(schema) {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(at, detail));
    }
    if is_embedded(schema) && schema.additional_properties.is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(path.child("additionalProperties"), detail));
    }
    if level == Level::Root && !name.is_empty() && name != "object" {
        errors.push(FieldError::invalid(at, name, "must be object at the root"));
    }
}

/// A schema says little of the metadata of whole objects: all have the same.
fn metadata(schema: &Schema, level: Level, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let whole = level == Level::Root || is_embedded(schema);
    let properties = path.child("properties");
    for name in ["kind", "apiVersion"] {
        if let Some(property) = property(schema, name).filter(|_| whole)
            && type_of(property) != "string"
        {
            let at = properties.key(name);
            errors.push(FieldError::invalid(at.child("type"), type_of(property), "must be string"));
        }
    }
    if let Some(property) = property(schema, "metadata") {
        let at = properties.key("metadata");
        if whole && type_of(property) != "object" {
            errors.push(FieldError::invalid(at.child("type"), type_of(property), "must be object"));
        }
        if level == Level::Root && !is_plain_metadata(property) {
            let detail = "must not specify anything other than name and generateName, but metadata \
                          is implicitly specified";
            errors.push(FieldError::forbidden(at, detail));
        }
    }
    let no_properties = schema.properties.as_ref().is_none_or(|map| map.is_empty());
    if is_embedded(schema) && !preserves(schema) && no_properties {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(properties, detail));
    }
}

/// Whether a schema of metadata says nothing but its type and rules for the name.
fn is_plain_metadata(schema: &Schema) -> bool {
    let Ok(Value::Object(mut said)) = encode::to_value(schema) else { return false };
    for name in ["type", "default", "externalDocs", "example"] {
        said.remove(name);
    }
    said.retain(|_, value| !matches!(value, Value::Bool(false)) && value != "");
    let names = schema.properties.iter().flatten();
    if names.map(|(name, _)| name).all(|name| matches!(name.as_str(), "name" | "generateName")) {
        said.remove("properties");
    }
    said.is_empty()
}

/// `anyOf: [{type: integer}, {type: string}]`, which may stand beside
/// `x-kubernetes-int-or-string` though types are not allowed there.
fn is_int_or_string_any_of(schema: &Schema) -> bool {
    let of_type = |name: &str| Schema { type_: Some(name.to_owned()), ..Schema::default() };
    let any_of = schema.any_of.as_deref().unwrap_or_default();
    any_of.len() == 2 && any_of == [of_type("integer"), of_type("string")]
}

/// The rules of a value, and those under `allOf` and its like.
fn rules(
    schema: &Schema,
    skip_any_of: bool,
    skip_first_all_of_any_of: bool,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if !skip_any_of {
        for (index, nested) in schema.any_of.iter().flatten().enumerate() {
            nested_rules(nested, false, &path.child("anyOf").index(index), errors);
        }
    }
    for (index, nested) in schema.all_of.iter().flatten().enumerate() {
        let skip = skip_first_all_of_any_of && index == 0;
        nested_rules(nested, skip, &path.child("allOf").index(index), errors);
    }
    for (index, nested) in schema.one_of.iter().flatten().enumerate() {
        nested_rules(nested, false, &path.child("oneOf").index(index), errors);
    }
    if let Some(not) = schema.not.as_deref() {
        nested_rules(not, false, &path.child("not"), errors);
    }
    if let Some(pattern) = schema.pattern.as_deref()
        && let Err(error) = Regex::new(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(path.child("pattern"), pattern, &detail));
    }
}

/// Under `allOf` and its like there are rules only, no types.
fn nested_rules(schema: &Schema, skip_any_of: bool, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    rules(schema, skip_any_of, false, path, errors);
    if let Some(items) = items(schema) {
        nested_rules(items, false, &path.child("items"), errors);
    }
    for (name, property) in schema.properties.iter().flatten() {
        nested_rules(property, false, &path.child("properties").key(name), errors);
    }
    const EMPTY: &str = "must be empty to be structural";
    const UNDEFINED: &str = "must be undefined to be structural";
    const FALSE: &str = "must be false to be structural";
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let forbidden = [
        (!type_of(schema).is_empty(), "type", EMPTY),
        (schema.additional_properties.is_some(), "additionalProperties", UNDEFINED),
        (super::default_of(schema).is_some(), "default", UNDEFINED),
        (text(&schema.title), "title", EMPTY),
        (text(&schema.description), "description", EMPTY),
        (schema.nullable == Some(true), "nullable", FALSE),
        (preserves(schema), "x-kubernetes-preserve-unknown-fields", FALSE),
        (is_embedded(schema), "x-kubernetes-embedded-resource", FALSE),
        (is_int_or_string(schema), "x-kubernetes-int-or-string", FALSE),
        (
            schema.x_kubernetes_list_map_keys.as_ref().is_some_and(|keys| !keys.is_empty()),
            "x-kubernetes-list-map-keys",
            EMPTY,
        ),
        (schema.x_kubernetes_list_type.is_some(), "x-kubernetes-list-type", UNDEFINED),
        (schema.x_kubernetes_map_type.is_some(), "x-kubernetes-map-type", UNDEFINED),
        (
            schema.x_kubernetes_validations.as_ref().is_some_and(|rules| !rules.is_empty()),
            "x-kubernetes-validations",
            EMPTY,
        ),
    ];
    for (_, name, detail) in forbidden.iter().filter(|(set, ..)| *set) {
        errors.push(FieldError::forbidden(path.child(name), detail));
    }
    let metadata = META_FIELDS.last().filter(|name| property(schema, name).is_some());
    if let Some(name) = metadata {
        let detail = "must not be specified in a nested context";
        errors.push(FieldError::forbidden(path.child("properties").key(name), detail));
    }
}

/// Every value that nested rules speak of has a schema: of `rules` at `at`, in `schema` at `path`.
fn complete_rules(
    rules: &Schema,
    schema: Option<&Schema>,
    path: &Path<'_>,
    at: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if let Some(not) = rules.not.as_deref() {
        complete_nested(not, schema, path, &at.child("not"), errors);
    }
    let lists = [(&rules.all_of, "allOf"), (&rules.any_of, "anyOf"), (&rules.one_of, "oneOf")];
    for (list, name) in lists {
        for (index, nested) in list.iter().flatten().enumerate() {
            complete_nested(nested, schema, path, &at.child(name).index(index), errors);
        }
    }
}

fn complete_nested(
    rules: &Schema,
    schema: Option<&Schema>,
    path: &Path<'_>,
    at: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let Some(schema) = schema else {
        errors.push(FieldError::required(path, &format!("because it is defined in {at}")));
        return;
    };
    complete_rules(rules, Some(schema), path, at, errors);
    if let Some(nested) = items(rules) {
        complete_nested(nested, items(schema), &path.child("items"), &at.child("items"), errors);
    }
    for (name, nested) in rules.properties.iter().flatten() {
        let (path, at) = (path.child("properties"), at.child("properties"));
        complete_nested(nested, property(schema, name), &path.key(name), &at.key(name), errors);
    }
}
