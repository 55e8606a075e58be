//! JSON as values of CEL.
//!
//! Upstream: `apiserver/pkg/cel/common/values.go`, `apiserver/pkg/cel/escaping.go`.

use crate::structural::{self, Schema, type_of};
use cel::ExecutionError;
use cel::common::traits::{self, Container, Indexer, Iterable, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelOptional, CelString, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;

/// Words of CEL that a field's name is written around: `__namespace__`.
pub const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A value to evaluate expressions on.
#[derive(Debug)]
pub struct Given {
    pub(super) value: Box<dyn Val>,
    /// Items of its longest list or map.
    pub(super) width: u64,
}

/// A value of JSON, by its schema. `is_object`: whether it is a whole object, of whose metadata
/// rules see the name only.
pub fn given(json: &Value, schema: Option<&Schema>, is_object: bool) -> Given {
    Given { value: value(json, schema, is_object), width: width(json) }
}

/// `oldSelf` of a rule that is looked at for new objects too.
pub fn optional(old: Option<Given>) -> Given {
    match old {
        Some(old) => Given { value: Box::new(CelOptional::of(old.value)), width: old.width },
        None => Given { value: Box::new(CelOptional::none()), width: 0 },
    }
}

fn width(json: &Value) -> u64 {
    match json {
        Value::Array(items) => items.iter().map(width).fold(items.len() as u64, u64::max),
        Value::Object(fields) => fields.values().map(width).fold(fields.len() as u64, u64::max),
        Value::String(text) => text.len() as u64 / 64,
        _ => 0,
    }
}

fn value(json: &Value, schema: Option<&Schema>, is_object: bool) -> Box<dyn Val> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|_| schema.map(type_of) != Some("number"));
            match whole {
                Some(whole) => Box::new(CelInt::from(whole)),
                None => Box::new(CelDouble::from(number.as_f64().unwrap_or_default())),
            }
        }
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(items) => {
            let of = schema.and_then(structural::items);
            let items = items.iter().map(|item| value(item, of, false)).collect::<Vec<_>>();
            Box::new(CelList::from(items))
        }
        Value::Object(fields) => Box::new(Fields::of(fields, schema, is_object)),
    }
}

/// An object or a map. Unlike the interpreter's own maps it is gone through in the order of its
/// keys.
#[derive(Clone, Debug)]
struct Fields(Arc<Vec<(CelString<'static>, Box<dyn Val>)>>);

impl Fields {
    fn of(
        fields: &serde_json::Map<String, Value>,
        schema: Option<&Schema>,
        is_object: bool,
    ) -> Self {
        let is_map = schema.is_some_and(|schema| structural::additional(schema).is_some());
        let field = |(name, json): (&String, &Value)| {
            let of = schema.and_then(|schema| structural::field(schema, name));
            let inner = match (is_object, name.as_str(), json) {
                (true, "metadata", Value::Object(meta)) => {
                    let named = |(key, _): &(&String, &Value)| {
                        matches!(key.as_str(), "name" | "generateName")
                    };
                    let seen = meta.iter().filter(named);
                    let seen = seen.map(|(key, json)| (key.clone(), json.clone())).collect();
                    value(&Value::Object(seen), of, false)
                }
                _ => value(json, of, structural_object(of)),
            };
            let name = if is_map { name.clone() } else { escape(name) };
            (CelString::from(name), inner)
        };
        let mut fields: Vec<_> = fields.iter().map(field).collect();
        fields.sort_by(|(a, _), (b, _)| a.inner().cmp(b.inner()));
        Fields(Arc::new(fields))
    }

    fn find(&self, key: &dyn Val) -> Option<&(dyn Val + 'static)> {
        let key = key.downcast_ref::<CelString<'_>>()?;
        let place = self.0.binary_search_by(|(name, _)| name.inner().cmp(key.inner())).ok()?;
        self.0.get(place).map(|(_, value)| &**value)
    }
}

fn structural_object(schema: Option<&Schema>) -> bool {
    schema.is_some_and(structural::is_embedded)
}

/// Upstream: `Escape` in `apiserver/pkg/cel/escaping.go`.
fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    let name = name.replace("__", "__underscores__");
    name.replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}

impl StaticVal for Fields {}

impl Val for Fields {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn into_indexer<'w>(self: Box<Self>) -> Option<Box<dyn Indexer + 'w>>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        if let Some(other) = other.downcast_ref::<Fields>() {
            let mut pairs = self.0.iter().zip(other.0.iter());
            return self.0.len() == other.0.len()
                && pairs.all(|((a, one), (b, two))| {
                    a.inner() == b.inner() && one.equals(two.as_ref())
                });
        }
        let Some(other) = other.downcast_ref::<CelMap<'_>>() else { return false };
        self.0.len() == other.inner().len()
            && self.0.iter().all(|(key, value)| {
                Indexer::get(other, key).is_ok_and(|found| value.equals(found.as_ref()))
            })
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

fn no_such_key(key: &dyn Val) -> ExecutionError {
    let key = key.downcast_ref::<CelString<'_>>().map(|key| key.inner().to_owned());
    ExecutionError::NoSuchKey(Arc::new(key.unwrap_or_default()))
}

impl Container for Fields {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key).is_some())
    }
}

impl Indexer for Fields {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.find(key).map(CowVal::Borrowed).ok_or_else(|| no_such_key(key))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.find(key).map(|found| found.clone_as_boxed()).ok_or_else(|| no_such_key(key))
    }
}

impl Iterable for Fields {
    fn iter<'b, 'w>(&'b self) -> Box<dyn traits::Iterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.0.iter()))
    }
}

struct Keys<'b>(std::slice::Iter<'b, (CelString<'static>, Box<dyn Val>)>);

impl<'b, 'w> traits::Iterator<'b, 'w> for Keys<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|(key, _)| key as &(dyn Val + 'w))
    }
}

impl Sizer for Fields {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}
