//! What a CustomResourceDefinition's schema may say.
//!
//! Upstream: `validateCustomResourceDefinitionValidation` and
//! `ValidateCustomResourceDefinitionOpenAPISchema` in
//! `apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`, `ValidateDefaults`
//! in `pkg/apiserver/schema/defaulting/validation.go`.

use super::{
    META_FIELDS, Schema, additional, default_of, embedded, invariants, is_embedded, items,
    path::schema_at, property, prune, type_of, validate,
};
use crate::cel::{CompileError, Expression};
use crate::gofmt::quote;
use crate::{FieldError, Path, encode};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};
use serde_json::Value;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// What may stand at the root of a schema whose objects have the status subresource, as it is
/// written and as Go calls it.
const AT_ROOT: [(&str, &str); 22] = [
    ("description", "Description"),
    ("type", "Type"),
    ("format", "Format"),
    ("title", "Title"),
    ("maximum", "Maximum"),
    ("exclusiveMaximum", "ExclusiveMaximum"),
    ("minimum", "Minimum"),
    ("exclusiveMinimum", "ExclusiveMinimum"),
    ("maxLength", "MaxLength"),
    ("minLength", "MinLength"),
    ("pattern", "Pattern"),
    ("maxItems", "MaxItems"),
    ("minItems", "MinItems"),
    ("uniqueItems", "UniqueItems"),
    ("multipleOf", "MultipleOf"),
    ("required", "Required"),
    ("items", "Items"),
    ("properties", "Properties"),
    ("externalDocs", "ExternalDocs"),
    ("example", "Example"),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
    ("x-kubernetes-validations", "XValidations"),
];

/// What is wrong with the schema of a version, `path` being that of `openAPIV3Schema`.
pub fn validate_schema(schema: &Schema, has_status: bool, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if has_status {
        errors.extend(root_with_status(schema, path));
    }
    if schema.nullable == Some(true) {
        let detail = "nullable cannot be true at the root";
        errors.push(FieldError::forbidden(path.child("nullable"), detail));
    }
    let unsupported = invariants::unsupported(schema);
    if unsupported.is_none() {
        let before = errors.len();
        errors.extend(invariants::validate(schema, path));
        if errors.len() == before {
            defaults(schema, true, path, &mut errors);
        }
    }
    let place = Place { is_root: true, in_meta: false, no_defaults: None };
    each(schema, &place, path, &mut errors);
    if errors.is_empty()
        && let Some(why) = unsupported
    {
        errors.push(FieldError::invalid(path, "", &why));
    }
    errors
}

fn root_with_status(schema: &Schema, path: &Path<'_>) -> Option<FieldError> {
    if type_of(schema) != "object" && !type_of(schema).is_empty() {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the \
                      status subresource is enabled";
        return Some(FieldError::invalid(path.child("type"), type_of(schema), detail));
    }
    let Ok(Value::Object(said)) = encode::to_value(schema) else { return None };
    let allowed = |name: &String| AT_ROOT.iter().any(|(known, _)| known == name);
    said.keys().find(|name| !allowed(name))?;
    let names: Vec<&str> = AT_ROOT.iter().map(|(_, name)| *name).collect();
    let detail = format!(
        "only [{}] fields are allowed at the root of the schema if the status subresource is \
         enabled",
        names.join(" ")
    );
    Some(FieldError::invalid_raw(path, "apiextensions.JSONSchemaProps", &detail))
}

/// Where a schema stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    is_root: bool,
    /// In `apiVersion`, `kind` or `metadata` of a whole object.
    in_meta: bool,
    /// Why defaults are not allowed.
    no_defaults: Option<&'a str>,
}

fn each(schema: &Schema, place: &Place<'_>, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let below = Place { is_root: false, ..*place };
    openapi(schema, place, path, errors);
    if schema.unique_items == Some(true) {
        let detail =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(path.child("uniqueItems"), detail));
    }
    if let Some(kind) = &schema.additional_properties {
        let path = path.child("additionalProperties");
        let has_properties = schema.properties.as_ref().is_some_and(|map| !map.is_empty());
        if has_properties && *kind != JSONSchemaPropsOrBool::Bool(true) {
            let detail = "additionalProperties and properties are mutual exclusive";
            errors.push(FieldError::forbidden(path, detail));
        }
        if let Some(schema) = additional(schema) {
            let why = "inside additionalProperties applying to object metadata";
            let no_defaults = if place.in_meta { Some(why) } else { place.no_defaults };
            each(schema, &Place { no_defaults, ..below }, &path, errors);
        }
    }
    for (name, property) in schema.properties.iter().flatten() {
        let meta = (place.is_root || is_embedded(schema)) && META_FIELDS.contains(&name.as_str());
        let why = format!("in top-level {name}");
        let place = Place {
            in_meta: place.in_meta || meta,
            no_defaults: if meta && place.is_root { Some(&why) } else { place.no_defaults },
            ..below
        };
        each(property, &place, &path.child("properties").key(name), errors);
    }
    if let Some(not) = schema.not.as_deref() {
        each(not, &below, &path.child("not"), errors);
    }
    let lists = [(&schema.all_of, "allOf"), (&schema.one_of, "oneOf"), (&schema.any_of, "anyOf")];
    for (list, name) in lists {
        for (index, nested) in list.iter().flatten().enumerate() {
            each(nested, &below, &path.child(name).index(index), errors);
        }
    }
    if let Some(items) = items(schema) {
        each(items, &below, &path.child("items"), errors);
    }
    lists_and_maps(schema, path, errors);
    for (index, rule) in schema.x_kubernetes_validations.iter().flatten().enumerate() {
        cel_rule(rule, schema, &path.child("x-kubernetes-validations").index(index), errors);
    }
}

fn openapi(schema: &Schema, place: &Place<'_>, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let name = type_of(schema);
    if !name.is_empty() && !TYPES.contains(&name) {
        errors.push(FieldError::not_supported(path.child("type"), name, &TYPES));
    }
    if let (Some(_), Some(why)) = (default_of(schema), place.no_defaults) {
        let detail = format!("must not be set {why}");
        errors.push(FieldError::forbidden(path.child("default"), &detail));
    }
    let is_list =
        matches!(&schema.items, Some(JSONSchemaPropsOrArray::Schemas(list)) if !list.is_empty());
    let forbidden = [
        (schema.id.as_ref().is_some_and(|id| !id.is_empty()), "id", "id is not supported"),
        (schema.additional_items.is_some(), "additionalItems", "additionalItems is not supported"),
        (
            schema.pattern_properties.as_ref().is_some_and(|map| !map.is_empty()),
            "patternProperties",
            "patternProperties is not supported",
        ),
        (
            schema.definitions.as_ref().is_some_and(|map| !map.is_empty()),
            "definitions",
            "definitions is not supported",
        ),
        (schema.dependencies.is_some(), "dependencies", "dependencies is not supported"),
        (schema.ref_path.is_some(), "$ref", "$ref is not supported"),
        (name == "null", "type", "type cannot be set to null, use nullable as an alternative"),
        (is_list, "items", "items must be a schema object and not an array"),
        (
            place.in_meta && is_embedded(schema),
            "x-kubernetes-embedded-resource",
            "must not be used inside of resource meta",
        ),
    ];
    for (_, name, detail) in forbidden.iter().filter(|(set, ..)| *set) {
        errors.push(FieldError::forbidden(path.child(name), detail));
    }
}

fn lists_and_maps(schema: &Schema, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if schema.x_kubernetes_preserve_unknown_fields == Some(false) {
        let path = path.child("x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid_raw(path, false, "must be true or undefined"));
    }
    let needs = |wanted: &str, marker: &str| {
        let (found, at) = (type_of(schema), path.child("type"));
        let detail = format!("must be {wanted} if {marker} is specified");
        match found {
            found if found == wanted => None,
            "" => Some(FieldError::required(at, &detail)),
            found => Some(FieldError::invalid(at, found, &detail)),
        }
    };
    if let Some(map_type) = schema.x_kubernetes_map_type.as_deref() {
        errors.extend(needs("object", "x-kubernetes-map-type"));
        if !matches!(map_type, "atomic" | "granular") {
            let at = path.child("x-kubernetes-map-type");
            errors.push(FieldError::not_supported(at, map_type, &["atomic", "granular"]));
        }
    }
    let at = path.child("x-kubernetes-list-type");
    let list_type = schema.x_kubernetes_list_type.as_deref();
    if let Some(list_type) = list_type {
        match needs("array", "x-kubernetes-list-type") {
            Some(error) => errors.push(error),
            None if list_type == "set" => set_items(schema, path, errors),
            None => {}
        }
        if !matches!(list_type, "atomic" | "set" | "map") {
            errors.push(FieldError::not_supported(at, list_type, &["atomic", "set", "map"]));
        }
    }
    let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
    let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
    match list_type {
        None if !keys.is_empty() => errors.push(FieldError::required(at, detail)),
        Some(other) if !keys.is_empty() && other != "map" => {
            errors.push(FieldError::invalid(at, other, detail));
        }
        Some("map") => map_items(schema, keys, path, errors),
        _ => {}
    }
    if matches!(list_type, Some("map" | "set")) {
        unique_items(schema, keys, path, errors);
    }
}

fn set_items(schema: &Schema, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const DETAIL: &str = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let Some(schema) = items(schema) else { return };
    let path = path.child("items");
    // Upstream shows the list's type for both.
    let shown = || match schema.x_kubernetes_list_type.as_deref() {
        Some(list_type) => crate::gofmt::quote(list_type),
        None => crate::gofmt::quote("null"),
    };
    let list_type = schema.x_kubernetes_list_type.as_deref();
    let name = match type_of(schema) {
        "array" if list_type.is_some_and(|name| name != "atomic") => "x-kubernetes-list-type",
        "object" if schema.x_kubernetes_map_type.as_deref() != Some("atomic") => {
            "x-kubernetes-map-type"
        }
        _ => return,
    };
    errors.push(FieldError::invalid_raw(path.child(name), shown(), DETAIL));
}

fn map_items(schema: &Schema, keys: &[String], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let at = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(at, detail));
    }
    let below = path.child("items");
    if schema.items.is_none() {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        errors.push(FieldError::required(below, detail));
    }
    let Some(items) = items(schema) else { return };
    if type_of(items) != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(below.child("type"), type_of(items), detail));
        return;
    }
    let shown = format!("[]string{{{}}}", crate::gofmt::quote_all(keys));
    for (index, key) in keys.iter().enumerate() {
        match property(items, key).map(type_of) {
            Some("array" | "object") => {
                let detail =
                    "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let properties = below.child("properties");
                let at = properties.key(key);
                errors.push(FieldError::invalid(at.child("type"), type_of(items), detail));
            }
            Some(_) => {}
            None => {
                let detail = "entries must all be names of item properties";
                errors.push(FieldError::invalid_raw(at, &shown, detail));
            }
        }
        if keys.iter().take(index).any(|earlier| earlier == key) {
            let detail = "must not contain duplicate entries";
            errors.push(FieldError::invalid_raw(at, &shown, detail));
        }
    }
}

/// Upstream: `validateMapListKeysMapSet`.
fn unique_items(schema: &Schema, keys: &[String], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let Some(items) = items(schema) else { return };
    let list_type = schema.x_kubernetes_list_type.as_deref().unwrap_or_default();
    let below = path.child("items");
    if items.nullable == Some(true) {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(FieldError::forbidden(below.child("nullable"), &detail));
    }
    if list_type != "map" {
        return;
    }
    let properties = below.child("properties");
    for key in keys {
        let Some(property) = property(items, key) else { continue };
        let at = properties.key(key);
        let required = items.required.iter().flatten().any(|name| name == key);
        if !required && default_of(property).is_none() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a \
                          default or be a required property";
            errors.push(FieldError::required(at.child("default"), detail));
        }
        if property.nullable == Some(true) {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(at.child("nullable"), detail));
        }
    }
}

/// The form of a rule in CEL.
fn cel_rule(rule: &ValidationRule, schema: &Schema, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    let message = rule.message.as_deref().unwrap_or_default();
    let breaks = |text: &str| text.trim().contains(['\n', '\r']);
    let at = path.child("message");
    if rule.rule.trim().is_empty() {
        errors.push(FieldError::required(path.child("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid(at, message, "message must be non-empty if specified"));
    } else if breaks(message) {
        errors.push(FieldError::invalid(at, message, "message must not contain line breaks"));
    } else if breaks(&rule.rule) && message.trim().is_empty() {
        let detail = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(at, detail));
    }
    if !rule.rule.trim().is_empty()
        && let Err(CompileError::Wrong(why)) = Expression::compile(&rule.rule)
    {
        errors.push(FieldError::invalid_raw(path.child("rule"), go_rule(rule), &why));
    }
    if let Some(text) = rule.message_expression.as_deref().filter(|text| !text.trim().is_empty())
        && let Err(CompileError::Wrong(why)) = Expression::compile(text)
    {
        let at = path.child("messageExpression");
        let detail = format!("messageExpression {why}");
        errors.push(FieldError::invalid_raw(at, go_rule(rule), &detail));
    }
    if rule
        .message_expression
        .as_deref()
        .is_some_and(|text| !text.is_empty() && text.trim().is_empty())
    {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(path.child("messageExpression"), detail));
    }
    if let Some(reason) = rule.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
        errors.push(FieldError::not_supported(path.child("reason"), reason, &REASONS));
    }
    let field = rule.field_path.as_deref().unwrap_or_default();
    if !field.is_empty() && field.trim().is_empty() {
        let detail = "fieldPath must be non-empty if specified";
        errors.push(FieldError::invalid(path.child("fieldPath"), field, detail));
    }
    if field.contains(['\n', '\r']) {
        let detail = "fieldPath must not contain line breaks";
        errors.push(FieldError::invalid(path.child("fieldPath"), field, detail));
    }
    if !field.is_empty() && schema_at(schema, field, true).is_err() {
        let detail = "fieldPath must be a valid path";
        errors.push(FieldError::invalid(path.child("fieldPath"), field, detail));
    }
}

/// A rule as Go's `%#v` writes it.
fn go_rule(rule: &ValidationRule) -> String {
    let text = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
    // A pointer's address is another one each time.
    let pointer = |type_: &str, is_set: bool| match is_set {
        true => format!("(*{type_})(0xc000a5f0e0)"),
        false => format!("(*{type_})(nil)"),
    };
    format!(
        "apiextensions.ValidationRule{{Rule:{}, Message:{}, MessageExpression:{}, Reason:{}, \
         FieldPath:{}, OptionalOldSelf:{}}}",
        quote(&rule.rule),
        text(&rule.message),
        text(&rule.message_expression),
        pointer("apiextensions.FieldValueErrorReason", rule.reason.is_some()),
        text(&rule.field_path),
        pointer("bool", rule.optional_old_self.is_some())
    )
}

/// Defaults have to be values that their schemas take.
fn defaults(schema: &Schema, is_root: bool, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(value) = default_of(schema) {
        let at = path.child("default");
        if !prune::is_pruned(value, schema) {
            errors.push(FieldError::invalid_value(at, value, "must not have unknown fields"));
        }
        let wrong_meta = match embedded::coerce(&mut value.clone(), schema) {
            Err(error) => vec![error],
            Ok(()) => embedded::validate(value, schema),
        };
        if wrong_meta.is_empty() {
            errors.extend(validate::validate(value, None, schema, &at.to_string()));
        } else {
            errors.extend(wrong_meta.into_iter().map(|error| below(error, &at)));
        }
    }
    if let Some(items) = items(schema) {
        defaults(items, false, &path.child("items"), errors);
    }
    for (name, property) in schema.properties.iter().flatten() {
        // Defaults in the metadata of whole objects stand for parts of it only.
        let meta = (is_root || is_embedded(schema)) && META_FIELDS.contains(&name.as_str());
        if !meta {
            defaults(property, false, &path.child("properties").key(name), errors);
        }
    }
}

fn below(error: FieldError, path: &Path<'_>) -> FieldError {
    FieldError { field: format!("{path}.{}", error.field), ..error }
}
