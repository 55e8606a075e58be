//! Objects whose kind was defined at run time.
//!
//! Upstream: `unstructured.Unstructured`, and how `apiextensions-apiserver` reads and writes it.

use crate::encode::Sink;
use crate::{KindRef, KubeObject, Object, encode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};
use std::any::Any;
use std::sync::Arc;

/// An object of a custom resource: its metadata is every object's, the rest is JSON. What it holds
/// is shared, and copied when it is changed.
#[derive(Clone, Debug)]
pub struct DynamicObject {
    kind: KindRef,
    body: Arc<Body>,
}

#[derive(Clone, Debug, PartialEq)]
struct Body {
    meta: ObjectMeta,
    fields: Map<String, Value>,
}

impl DynamicObject {
    /// An object of these parts. `fields` has neither `apiVersion` nor `kind` nor `metadata`.
    pub fn new(kind: KindRef, meta: ObjectMeta, fields: Map<String, Value>) -> Self {
        DynamicObject { kind, body: Arc::new(Body { meta, fields }) }
    }

    /// The dynamic object inside an object, if it is one.
    pub fn of(object: &Object) -> Option<&DynamicObject> {
        object.any().downcast_ref()
    }

    /// The same, to change.
    pub fn of_mut(object: &mut Object) -> Option<&mut DynamicObject> {
        object.any_mut().downcast_mut()
    }

    /// Everything but `apiVersion`, `kind` and `metadata`.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.body.fields
    }

    /// The same, to change.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut Arc::make_mut(&mut self.body).fields
    }

    /// The same object of another version of its kind, or of the kind as it is defined now.
    pub fn with_kind(&self, kind: KindRef) -> Self {
        DynamicObject { kind, body: Arc::clone(&self.body) }
    }

    /// The object as JSON, for whoever looks into it by paths.
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        let mut map = self.body.fields.clone();
        map.insert("apiVersion".to_owned(), Value::from(self.kind.api_version()));
        map.insert("kind".to_owned(), Value::from(&*self.kind.kind));
        map.insert("metadata".to_owned(), encode::to_value(&self.body.meta)?);
        Ok(Value::Object(map))
    }
}

impl KubeObject for DynamicObject {
    fn kind(&self) -> KindRef {
        self.kind.clone()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.body.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut Arc::make_mut(&mut self.body).meta
    }

    fn tell(&self, sink: &mut dyn Sink) -> Result<(), serde_json::Error> {
        encode::tell(&self.to_value()?, sink)
    }

    fn equals(&self, other: &dyn KubeObject) -> bool {
        (other as &dyn Any).downcast_ref::<DynamicObject>().is_some_and(|other| {
            self.kind.is_same_version(&other.kind)
                && (Arc::ptr_eq(&self.body, &other.body) || self.body == other.body)
        })
    }
}
