//! An object of any kind, typed inside.

use crate::encode::{self, Sink};
use crate::managed::{self, Ledger, Managers, WithOwners, Writer};
use crate::omitempty::Completed;
use crate::wanted::Wanted;
use crate::{KindRef, StrategyRef};
use dyn_clone::DynClone;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    ManagedFieldsEntry, ObjectMeta, OwnerReference,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A Rust type of a kind that Naru serves. Implemented once for each kind, in its file in
/// [`crate::kinds`].
pub trait Kube:
    k8s_openapi::Metadata<Ty = ObjectMeta>
    + Serialize
    + DeserializeOwned
    + Clone
    + PartialEq
    + fmt::Debug
    + Default
    + Send
    + Sync
    + 'static
{
    /// The kind's entry in the scheme.
    fn kind() -> KindRef;
}

/// What every object can do, whatever its kind. Implemented for every [`Kube`]; a dynamic object
/// of a CustomResourceDefinition implements it by hand.
pub trait KubeObject: Any + DynClone + fmt::Debug + Send + Sync {
    /// The kind's entry in the scheme.
    fn kind(&self) -> KindRef;
    /// The object's metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The object's metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// Tells the object to a sink, with `apiVersion` and `kind`, its fields in the order of the alphabet.
    fn tell(&self, sink: &mut dyn Sink) -> Result<(), serde_json::Error>;
    /// The object as JSON.
    fn to_json(&self) -> Result<Value, serde_json::Error> {
        encode::value_of(|sink| self.tell(sink))
    }
    /// The same as text, without empty fields: always the same bytes for equal objects.
    fn to_json_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = encode::Text::new(encode::Style::COMPACT);
        self.tell(&mut text)?;
        Ok(text.into_bytes())
    }
    /// Whether `other` is of the same type and equal.
    fn equals(&self, other: &dyn KubeObject) -> bool;
    /// What objects with the same fields have in common; `None` if that takes as long as working
    /// out the fields.
    fn shape(&self) -> Option<u128> {
        None
    }
}

impl<K: Kube> KubeObject for K {
    fn kind(&self) -> KindRef {
        K::kind()
    }
    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.metadata_mut()
    }
    fn tell(&self, sink: &mut dyn Sink) -> Result<(), serde_json::Error> {
        let kind = K::kind();
        encode::tell(self, &mut Completed::new(&kind.api_version(), &kind.kind, sink))
    }
    fn to_json_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        encode::to_vec(self)
    }
    fn equals(&self, other: &dyn KubeObject) -> bool {
        (other as &dyn Any).downcast_ref::<K>().is_some_and(|other| self == other)
    }
    fn shape(&self) -> Option<u128> {
        managed::shape::of(self)
    }
}

/// A shared object, copied when it is changed while others hold it. Who owns its fields is kept
/// beside it (see [`managed`]) and not in its metadata.
#[derive(Clone, Debug)]
pub struct Object {
    content: Arc<dyn KubeObject>,
    ledger: Option<Arc<Ledger>>,
}

impl Object {
    /// Wraps a typed object.
    pub fn new<K: KubeObject>(object: K) -> Self {
        Object { content: Arc::new(object), ledger: None }
    }

    /// The kind's entry in the scheme.
    pub fn kind(&self) -> KindRef {
        self.content.kind()
    }

    /// The object's metadata.
    pub fn meta(&self) -> &ObjectMeta {
        self.content.meta()
    }

    /// The object's metadata, to change; copies the object if it is shared.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.make_mut().meta_mut()
    }

    /// The typed object, if it is a `K`.
    pub fn get<K: Kube>(&self) -> Option<&K> {
        (&*self.content as &dyn Any).downcast_ref::<K>()
    }

    /// The typed object, shared, if it is a `K`.
    pub fn arc<K: Kube>(&self) -> Option<Arc<K>> {
        let any: Arc<dyn Any + Send + Sync> =
            Arc::clone(&self.content) as Arc<dyn Any + Send + Sync>;
        any.downcast::<K>().ok()
    }

    /// The typed object, to change, if it is a `K`; copies the object if it is shared.
    pub fn edit<K: Kube>(&mut self) -> Option<&mut K> {
        (self.make_mut() as &mut dyn Any).downcast_mut::<K>()
    }

    /// Tells the object to a sink, with `apiVersion` and `kind`, its fields in the order of the alphabet; with
    /// `metadata.managedFields` or, since these take longer than all the rest, without.
    pub fn tell(&self, managed: bool, sink: &mut dyn Sink) -> Result<(), serde_json::Error> {
        let managers = if managed { self.managers() } else { Arc::default() };
        match managers.is_empty() {
            true => self.content.tell(sink),
            false => self.content.tell(&mut WithOwners::new(&managers, sink)),
        }
    }

    /// The object as JSON, with `apiVersion`, `kind` and `metadata.managedFields`.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        encode::value_of(|sink| self.tell(true, sink))
    }

    /// The object as JSON, without `metadata.managedFields`.
    pub fn content_json(&self) -> Result<Value, serde_json::Error> {
        encode::value_of(|sink| self.tell(false, sink))
    }

    /// The part of it that is wanted.
    pub fn content_part(&self, wanted: &Wanted) -> Result<Value, serde_json::Error> {
        encode::part_of(wanted, |sink| self.tell(false, sink))
    }

    /// The same as text: always the same bytes for equal objects.
    pub fn content_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        self.content.to_json_bytes()
    }

    /// `metadata.managedFields`: who owns which fields.
    pub fn managed_fields(&self) -> Vec<ManagedFieldsEntry> {
        self.managers().encode()
    }

    /// Who owns which fields.
    pub fn managers(&self) -> Arc<Managers> {
        match &self.ledger {
            Some(ledger) => ledger.managers(&self.content),
            None => Arc::default(),
        }
    }

    /// Says who owns which fields.
    pub fn set_managers(&mut self, managers: Arc<Managers>) {
        self.ledger = (!managers.is_empty()).then(|| Arc::new(Ledger::known(managers)));
    }

    /// Notes that `writer` (`None`: nobody who owns fields) made this object of `before`, through
    /// `kind`, at `now`.
    pub fn note_write(
        &mut self,
        before: &Object,
        writer: Option<&Writer>,
        kind: &KindRef,
        now: Timestamp,
    ) {
        let ledger = before.ledger.as_ref();
        self.ledger = ledger.map(|l| Arc::new(l.after(&before.content, writer, kind, now)));
    }

    /// Whether who owns which fields waits to be worked out from notes.
    pub fn has_notes(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.waits())
    }

    /// Whether `before` has the same notes, so that the write from `before` to this object is not
    /// noted yet.
    pub fn is_unnoted(&self, before: &Object) -> bool {
        match (&self.ledger, &before.ledger) {
            (Some(mine), Some(before)) => Arc::ptr_eq(mine, before),
            _ => false,
        }
    }

    /// Takes over who owns which fields from the same object in another version.
    pub fn inherit_owners(&mut self, other: &Object) {
        self.ledger.clone_from(&other.ledger);
    }

    /// What objects with the same fields have in common.
    pub fn shape(&self) -> Option<u128> {
        self.content.shape()
    }

    /// `metadata.name`, or "" when it is not set.
    pub fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`, or "" for an object without one.
    pub fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    /// `metadata.uid`, or "" before the object was stored.
    pub fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    /// `metadata.resourceVersion` as the store's revision; 0 before the object was stored.
    pub fn revision(&self) -> u64 {
        self.meta().resource_version.as_deref().and_then(|rv| rv.parse().ok()).unwrap_or(0)
    }

    /// Namespace and name.
    pub fn key(&self) -> Key {
        Key::new(self.namespace(), self.name())
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.meta().labels.as_ref()?.get(name).map(String::as_str)
    }

    /// The owner that controls this object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.meta().owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
    }

    /// The strategy of its kind.
    pub fn strategy(&self) -> StrategyRef {
        self.kind().strategy.clone()
    }

    /// The same object with other content, its fields still owned by whom they were.
    pub(crate) fn with_content<K: KubeObject>(&self, content: K) -> Self {
        Object { content: Arc::new(content), ledger: self.ledger.clone() }
    }

    /// The object itself, of whatever type.
    pub(crate) fn any(&self) -> &dyn Any {
        &*self.content
    }

    /// The object itself, of whatever type, to change; copies the object if it is shared.
    pub(crate) fn any_mut(&mut self) -> &mut dyn Any {
        self.make_mut()
    }

    fn make_mut(&mut self) -> &mut dyn KubeObject {
        dyn_clone::arc_make_mut(&mut self.content)
    }
}

impl<K: Kube> From<K> for Object {
    fn from(object: K) -> Self {
        Object::new(object)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content) || self.content.equals(&*other.content)
    }
}

/// Namespace and name; the namespace is "" for cluster-scoped objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace, or "".
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key of these two.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Key { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}
