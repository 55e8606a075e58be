//! The schemas of a server: the built-in types, made whole, and those of custom resources.
//!
//! Upstream: `kube-openapi/pkg/builder3`,
//! `apiextensions-apiserver/pkg/controller/openapi/builder`.

use super::{Schemas, markers, names};
use naru_api::KindRef;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Every schema by its name.
pub(super) fn all(built_in: &Schemas, kinds: &[KindRef]) -> Map<String, Value> {
    let mut schemas = built_in.0.clone();
    scalars(&mut schemas);
    schemas.iter_mut().for_each(|(name, schema)| normalize(name, schema));
    for kind in kinds {
        let name = names::of(kind);
        if let Some(schema) = kind.strategy.open_api() {
            schemas.insert(name.clone(), custom(schema));
        } else if !schemas.contains_key(&name) {
            schemas.insert(name.clone(), json!({ "type": "object" }));
        }
        let gvk = json!({ "group": kind.group, "kind": kind.kind, "version": kind.version });
        if let Some(Value::Object(schema)) = schemas.get_mut(&name) {
            schema.insert("x-kubernetes-group-version-kind".to_owned(), json!([gvk]));
        }
        if kind.verbs.contains(&"list") {
            schemas.insert(format!("{name}List"), list(kind, &name));
        }
        markers::mark(&mut schemas, kind, &name);
    }
    of_every_group(&mut schemas, kinds);
    schemas
}

/// Types that are written as scalars.
fn scalars(schemas: &mut Map<String, Value>) {
    let table = [
        ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "integer", Some("int-or-string")),
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", "number", None),
    ];
    for (name, other, format) in table {
        let Some(Value::Object(schema)) = schemas.get_mut(name) else { continue };
        schema.remove("x-kubernetes-int-or-string");
        schema.insert("oneOf".to_owned(), json!([{ "type": "string" }, { "type": other }]));
        if let Some(format) = format {
            schema.insert("format".to_owned(), json!(format));
        }
    }
}

/// Writes what `k8s-openapi` says in other words as upstream says it.
fn normalize(name: &str, schema: &mut Value) {
    // Types whose name may be missing, which Rust's types do not let be so.
    const MAY_BE_NAMELESS: [&str; 8] = [
        "ConfigMapEnvSource",
        "ConfigMapKeySelector",
        "ConfigMapProjection",
        "ConfigMapVolumeSource",
        "LocalObjectReference",
        "SecretEnvSource",
        "SecretKeySelector",
        "SecretProjection",
    ];
    let Some(map) = schema.as_object_mut() else { return };
    let short = name.rsplit('.').next().unwrap_or_default();
    let nameless = MAY_BE_NAMELESS.contains(&short);
    let is_kind = map.get("properties").is_some_and(|fields| fields.get("kind").is_some());
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|field| !(is_kind && field == "metadata" || nameless && field == "name"));
        if required.is_empty() {
            map.remove("required");
        }
    }
    let fields = map.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(|fields| fields.values_mut()) {
        if let Some(items) = field.get_mut("items")
            && items.get("$ref").is_some()
        {
            let reference = items.take();
            *items = json!({ "allOf": [reference], "default": {} });
        }
    }
}

/// The schema of a custom resource, with what all objects have.
fn custom(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let text = |what: &str| json!({ "description": what, "type": "string" });
    let meta = format!("{}ObjectMeta", names::META);
    let common = [
        ("apiVersion", text("The group and version of the object.")),
        ("kind", text("The kind of the object.")),
        (
            "metadata",
            json!({ "allOf": [names::reference(&meta)], "description": "The object's metadata." }),
        ),
    ];
    if let Some(map) = schema.as_object_mut() {
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(common.map(|(name, schema)| (name.to_owned(), schema)));
        }
    }
    schema
}

fn list(kind: &KindRef, name: &str) -> Value {
    let text = |what: &str| json!({ "description": what, "type": "string" });
    let meta = format!("{}ListMeta", names::META);
    json!({
        "description": format!("{}List is a list of {}", kind.kind, kind.plural),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text("The group and version of the list."),
            "items": { "type": "array", "items": { "allOf": [names::reference(name)], "default": {} } },
            "kind": text("The kind of the list."),
            "metadata": { "allOf": [names::reference(&meta)], "default": {} },
        },
        "x-kubernetes-group-version-kind": [
            { "group": kind.group, "kind": format!("{}List", kind.kind), "version": kind.version },
        ],
    })
}

/// Options and statuses are of every group version.
fn of_every_group(schemas: &mut Map<String, Value>, kinds: &[KindRef]) {
    let versions: BTreeSet<(&str, &str)> =
        kinds.iter().map(|kind| (&*kind.group, &*kind.version)).collect();
    let gvks: Vec<Value> = versions
        .into_iter()
        .map(|(group, version)| json!({ "group": group, "kind": "DeleteOptions", "version": version }))
        .collect();
    let of = |name: &str| format!("{}{name}", names::META);
    if let Some(Value::Object(schema)) = schemas.get_mut(&of("DeleteOptions")) {
        schema.insert("x-kubernetes-group-version-kind".to_owned(), Value::Array(gvks));
    }
    if let Some(Value::Object(schema)) = schemas.get_mut(&of("Status")) {
        let gvk = json!([{ "group": "", "kind": "Status", "version": "v1" }]);
        schema.insert("x-kubernetes-group-version-kind".to_owned(), gvk);
    }
}

/// The schemas that `root` refers to, and those that these refer to.
pub(super) fn closure(schemas: &Map<String, Value>, root: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut waiting = references(root);
    while let Some(name) = waiting.pop_first() {
        let Some(schema) = schemas.get(&name).filter(|_| !found.contains_key(&name)) else {
            continue;
        };
        waiting.extend(references(schema));
        found.insert(name, schema.clone());
    }
    found
}

/// The names of the schemas that a value refers to.
fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str);
                found.extend(
                    name.and_then(|name| name.strip_prefix(names::SCHEMAS)).map(str::to_owned),
                );
                waiting.extend(map.values());
            }
            Value::Array(list) => waiting.extend(list),
            _ => {}
        }
    }
    found
}
