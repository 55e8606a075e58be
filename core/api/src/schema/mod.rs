//! What the merging of objects has to know of their types: which lists are sets or maps and by
//! which keys, which structs are one value, and the strategic merge's keys.
//!
//! Built-in kinds have their table in [`built_in`]; kinds that a CustomResourceDefinition defines
//! bring an OpenAPI schema, which is read where it stands. What neither knows is deduced: maps are
//! merged by field, lists are one value.
//!
//! Upstream: the markers `x-kubernetes-list-type`, `x-kubernetes-list-map-keys`,
//! `x-kubernetes-map-type`, `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key` of
//! `api/openapi-spec/swagger.json`, and the tags of the types in `k8s.io/api`.

mod built_in;

use crate::Kind;
use serde_json::Value;

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Not in the table: a scalar, a map of such, or a list that is one value.
    Deduced,
    /// A struct with these fields.
    Struct(&'static Struct),
    /// A list of scalars each of which is there once.
    Set,
    /// A list of structs that are told apart by these keys.
    Keyed(&'static [Key], &'static Struct),
}

/// A struct's fields, as far as there is something to know of them.
#[derive(Debug)]
pub struct Struct {
    fields: &'static [Field],
    /// Whether it is one value: whoever sets a part of it sets all of it.
    atomic: bool,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    type_: Type,
    patch: FieldPatch,
}

/// How the strategic merge patch changes a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldPatch {
    /// The list is merged, and how; `None`: it is replaced.
    pub merge: Option<Merge>,
    /// The map is replaced and not merged.
    pub replace: bool,
    /// Maps may say by `$retainKeys` which of their keys stay.
    pub retain_keys: bool,
}

/// How a strategic merge patch merges a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Items with the same value of this field are one item.
    ByKey(&'static str),
    /// Scalars, each of which is there once.
    Union,
}

/// A field by which items of a list are told apart.
#[derive(Debug)]
pub struct Key {
    name: &'static str,
    default: KeyDefault,
}

#[derive(Clone, Copy, Debug)]
enum KeyDefault {
    None,
    Text(&'static str),
    Number(i64),
}

impl Key {
    /// Without a default.
    const fn required(name: &'static str) -> Self {
        Key { name, default: KeyDefault::None }
    }

    const fn text(name: &'static str, default: &'static str) -> Self {
        Key { name, default: KeyDefault::Text(default) }
    }

    const fn number(name: &'static str, default: i64) -> Self {
        Key { name, default: KeyDefault::Number(default) }
    }
}

impl Struct {
    const fn new(fields: &'static [Field]) -> Self {
        Struct { fields, atomic: false }
    }

    /// It is one value.
    const fn atomic(self) -> Self {
        Struct { atomic: true, ..self }
    }

    fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn field(name: &'static str, type_: Type) -> Field {
    let patch = FieldPatch { merge: None, replace: false, retain_keys: false };
    Field { name, type_, patch }
}

impl Field {
    const fn merge(mut self, key: &'static str) -> Self {
        self.patch.merge = Some(Merge::ByKey(key));
        self
    }

    const fn unite(mut self) -> Self {
        self.patch.merge = Some(Merge::Union);
        self
    }

    const fn replace(mut self) -> Self {
        self.patch.replace = true;
        self
    }

    const fn retain_keys(mut self) -> Self {
        self.patch.retain_keys = true;
        self
    }
}

/// The schema of one place in an object.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// Of a built-in kind.
    BuiltIn(Type),
    /// Of a kind defined at run time: an OpenAPI schema.
    OpenApi(&'a Value),
    /// The root of an OpenAPI schema, whose metadata is every object's.
    Root(&'a Value),
}

/// What a list is.
#[derive(Debug)]
pub enum List<'a> {
    /// One value.
    Atomic,
    /// Scalars each of which is there once.
    Set,
    /// Maps that are told apart by these fields, each with its default.
    Keyed(Vec<(&'a str, Option<Value>)>),
}

impl<'a> Node<'a> {
    /// Where nothing is known.
    pub const DEDUCED: Node<'static> = Node::BuiltIn(Type::Deduced);

    /// The schema of a kind's objects.
    pub fn of(kind: &'a Kind) -> Self {
        if let Some(schema) = kind.strategy.open_api() {
            return Node::Root(schema);
        }
        Node::built_in(&kind.group, &kind.version, &kind.kind)
    }

    /// The schema of a built-in kind's objects.
    pub fn built_in(group: &str, version: &str, kind: &str) -> Node<'static> {
        built_in::of(group, version, kind).map_or(Node::DEDUCED, Node::BuiltIn)
    }

    /// The schema of a field, and whether the field is a struct's (and not just a map's key).
    pub fn field(self, name: &str) -> (Node<'a>, bool) {
        match self {
            Node::BuiltIn(Type::Struct(fields) | Type::Keyed(_, fields)) => {
                let known = fields.field(name);
                (known.map_or(Node::DEDUCED, |field| Node::BuiltIn(field.type_)), true)
            }
            Node::BuiltIn(_) => (Node::DEDUCED, false),
            Node::Root(_) if name == "metadata" => (built_in::metadata(), true),
            Node::OpenApi(schema) | Node::Root(schema) => {
                if is_set(schema, "x-kubernetes-embedded-resource") && name == "metadata" {
                    return (built_in::metadata(), true);
                }
                if let Some(field) = schema.get("properties").and_then(|all| all.get(name)) {
                    return (Node::OpenApi(field), true);
                }
                let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
                (rest.map_or(Node::DEDUCED, Node::OpenApi), false)
            }
        }
    }

    /// The schema of a list's items.
    pub fn item(self) -> Node<'a> {
        match self {
            // The fields of the items are found by `field`.
            Node::BuiltIn(Type::Keyed(..)) => self,
            Node::BuiltIn(_) => Node::DEDUCED,
            Node::OpenApi(schema) | Node::Root(schema) => {
                schema.get("items").map_or(Node::DEDUCED, Node::OpenApi)
            }
        }
    }

    /// What a list here is.
    pub fn list(self) -> List<'a> {
        match self {
            Node::BuiltIn(Type::Set) => List::Set,
            Node::BuiltIn(Type::Keyed(keys, _)) => {
                let default = |key: &Key| match key.default {
                    KeyDefault::None => None,
                    KeyDefault::Text(text) => Some(Value::from(text)),
                    KeyDefault::Number(number) => Some(Value::from(number)),
                };
                List::Keyed(keys.iter().map(|key| (key.name, default(key))).collect())
            }
            Node::BuiltIn(_) => List::Atomic,
            Node::OpenApi(schema) | Node::Root(schema) => open_api_list(schema),
        }
    }

    /// Whether a map here is one value.
    pub fn is_atomic_map(self) -> bool {
        match self {
            Node::BuiltIn(Type::Struct(fields) | Type::Keyed(_, fields)) => fields.atomic,
            Node::BuiltIn(_) => false,
            Node::OpenApi(schema) | Node::Root(schema) => {
                schema.get("x-kubernetes-map-type").is_some_and(|of| of == "atomic")
            }
        }
    }

    /// How a strategic merge patch changes a field.
    pub fn patch(self, name: &str) -> FieldPatch {
        match self {
            Node::BuiltIn(Type::Struct(fields) | Type::Keyed(_, fields)) => {
                fields.field(name).map(|field| field.patch).unwrap_or_default()
            }
            _ => FieldPatch::default(),
        }
    }
}

fn is_set(schema: &Value, marker: &str) -> bool {
    schema.get(marker).and_then(Value::as_bool).unwrap_or(false)
}

fn open_api_list(schema: &Value) -> List<'_> {
    match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => List::Set,
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let fields = schema.get("items").and_then(|items| items.get("properties"));
            let default = |key: &str| fields?.get(key)?.get("default").cloned();
            let keys = keys.into_iter().flatten().filter_map(Value::as_str);
            List::Keyed(keys.map(|key| (key, default(key))).collect())
        }
        _ => List::Atomic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> Node<'static> {
        Node::built_in("apps", "v1", "Deployment")
    }

    fn at<'a>(node: Node<'a>, path: &[&str]) -> Node<'a> {
        path.iter().fold(node, |node, name| node.field(name).0)
    }

    #[test]
    fn the_table_knows_lists_and_maps() {
        let spec = at(deployment(), &["spec", "template", "spec"]);
        let List::Keyed(keys) = spec.field("containers").0.list() else { panic!() };
        assert_eq!(keys, [("name", Some(json!("")))]);
        let List::Keyed(keys) = at(spec, &["containers", "ports"]).list() else { panic!() };
        assert_eq!(keys, [("containerPort", Some(json!(0))), ("protocol", Some(json!("TCP")))]);
        assert!(matches!(spec.field("tolerations").0.list(), List::Atomic));
        assert!(matches!(at(deployment(), &["metadata", "finalizers"]).list(), List::Set));
        assert!(at(deployment(), &["spec", "selector"]).is_atomic_map());
        assert!(!at(deployment(), &["metadata", "labels"]).is_atomic_map());
        assert_eq!(spec.patch("containers").merge, Some(Merge::ByKey("name")));
        assert!(at(deployment(), &["spec"]).patch("strategy").retain_keys);
        assert_eq!(spec.patch("tolerations"), FieldPatch::default());
    }

    #[test]
    fn an_open_api_schema_is_read_where_it_stands() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "ports": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {"protocol": {"default": "TCP"}}}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "rest": {"type": "object", "additionalProperties": {"type": "string"}},
        }}}});
        let root = Node::Root(&schema);
        let spec = root.field("spec").0;
        assert!(matches!(at(spec, &["tags"]).list(), List::Set));
        let List::Keyed(keys) = at(spec, &["ports"]).list() else { panic!() };
        assert_eq!(keys, [("port", None), ("protocol", Some(json!("TCP")))]);
        assert!(at(spec, &["whole"]).is_atomic_map());
        assert!(spec.field("rest").1);
        assert!(!at(spec, &["rest"]).field("a").1);
        assert!(matches!(at(root, &["metadata", "finalizers"]).list(), List::Set));
    }
}
