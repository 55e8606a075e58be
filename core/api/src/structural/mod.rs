//! Structural schemas: what a CustomResourceDefinition says of its objects.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema` and
//! `apiextensions-apiserver/pkg/apiserver/validation`.

pub mod default;
pub mod embedded;
pub mod expressions;
pub mod format;
pub mod invariants;
pub mod listtype;
pub mod path;
pub mod prune;
pub mod rules;
pub mod validate;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// The schema of one value.
pub type Schema = JSONSchemaProps;

/// The fields that every object has and no schema need name.
pub(crate) const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The schema of a property.
pub(crate) fn property<'s>(schema: &'s Schema, name: &str) -> Option<&'s Schema> {
    schema.properties.as_ref()?.get(name)
}

/// The schema of an array's items.
pub(crate) fn items(schema: &Schema) -> Option<&Schema> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The schema of properties that have no name of their own, if `additionalProperties` is one.
pub(crate) fn additional(schema: &Schema) -> Option<&Schema> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(additional) => Some(additional),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// The schema of the property `name`, by its name or by `additionalProperties`.
pub(crate) fn field<'s>(schema: &'s Schema, name: &str) -> Option<&'s Schema> {
    property(schema, name).or_else(|| additional(schema))
}

/// `type`, or "".
pub(crate) fn type_of(schema: &Schema) -> &str {
    schema.type_.as_deref().unwrap_or_default()
}

/// `x-kubernetes-preserve-unknown-fields`.
pub(crate) fn preserves(schema: &Schema) -> bool {
    schema.x_kubernetes_preserve_unknown_fields == Some(true)
}

/// `x-kubernetes-embedded-resource`.
pub(crate) fn is_embedded(schema: &Schema) -> bool {
    schema.x_kubernetes_embedded_resource == Some(true)
}

/// `x-kubernetes-int-or-string`.
pub(crate) fn is_int_or_string(schema: &Schema) -> bool {
    schema.x_kubernetes_int_or_string == Some(true)
}

/// The default; `default: null` is none.
pub(crate) fn default_of(schema: &Schema) -> Option<&serde_json::Value> {
    schema.default.as_ref().map(|default| &default.0).filter(|default| !default.is_null())
}
