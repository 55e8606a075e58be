//! A strategy written for the kind's own type.

use crate::decode::DecodeError;
use crate::{Cell, Column, FieldError, KindRef, Kube, Object, Strategy, UserInfo, names};
use k8s_openapi::api::autoscaling::v1::Scale;
use naru_sim::Time;
use serde_json::Value;
use std::borrow::Cow;

/// What [`Strategy`] asks, of typed objects. Every kind here implements this; the
/// implementation of [`Strategy`] that follows from it unpacks the objects.
pub trait Typed: Sync {
    /// The kind's type.
    type Object: Kube;

    /// The printer's columns.
    const COLUMNS: &'static [Column];

    /// The fields, beyond metadata, that selectors may name.
    const FIELDS: &'static [&'static str] = &[];

    /// See [`Strategy::deprecation`].
    const DEPRECATION: Option<&'static str> = None;

    /// See [`Strategy::returns_deleted`].
    const RETURNS_DELETED: bool = false;

    /// See [`Strategy::orphans_dependents`].
    const ORPHANS_DEPENDENTS: bool = false;

    /// See [`Strategy::deletion_warning`].
    const DELETION_WARNING: Option<&'static str> = None;

    /// See [`Strategy::allow_create_on_update`].
    const ALLOW_CREATE_ON_UPDATE: bool = false;

    /// See [`Strategy::allow_unconditional_update`].
    const ALLOW_UNCONDITIONAL_UPDATE: bool = true;

    /// See [`Strategy::default`].
    fn default(&self, _object: &mut Self::Object) {}

    /// See [`Strategy::prepare_for_create`].
    fn prepare_for_create(&self, _object: &mut Self::Object) {}

    /// See [`Strategy::prepare_for_update`].
    fn prepare_for_update(&self, _new: &mut Self::Object, _old: &Self::Object, _sub: &str) {}

    /// See [`Strategy::stamp`].
    fn stamp(
        &self,
        _new: &mut Self::Object,
        _old: Option<&Self::Object>,
        _user: &UserInfo,
        _now: Time,
    ) {
    }

    /// See [`Strategy::validate_name`].
    fn validate_name(&self, name: &str) -> Vec<String> {
        names::dns1123_subdomain(name)
    }

    /// See [`Strategy::validate`].
    fn validate(&self, _object: &Self::Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// See [`Strategy::validate_update`].
    fn validate_update(
        &self,
        new: &Self::Object,
        _old: &Self::Object,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource.is_empty() { self.validate(new) } else { Vec::new() }
    }

    /// See [`Strategy::default_grace_period_seconds`].
    fn default_grace_period_seconds(&self, _object: &Self::Object) -> i64 {
        0
    }

    /// See [`Strategy::warnings`].
    fn warnings(&self, _object: &Self::Object, _old: Option<&Self::Object>) -> Vec<String> {
        Vec::new()
    }

    /// See [`Strategy::scale`].
    fn scale(&self, _object: &Self::Object) -> Option<Scale> {
        None
    }

    /// See [`Strategy::set_replicas`].
    fn set_replicas(&self, _object: &mut Self::Object, _replicas: i32) -> bool {
        false
    }

    /// See [`Strategy::made_up`].
    fn made_up(&self) -> Option<Vec<Object>> {
        None
    }

    /// See [`Strategy::storage_kind`].
    fn storage_kind(&self) -> Option<KindRef> {
        None
    }

    /// See [`Strategy::to_storage`].
    fn to_storage(&self, object: Object) -> Object {
        object
    }

    /// See [`Strategy::from_storage`].
    #[expect(clippy::wrong_self_convention, reason = "the pair of `to_storage`")]
    fn from_storage(&self, object: Object) -> Object {
        object
    }

    /// The cells of a row, one for each column.
    fn cells(&self, object: &Self::Object, now: Time) -> Vec<Cell>;

    /// See [`Strategy::row_order`].
    fn row_order(&self, _object: &Self::Object) -> Option<i64> {
        None
    }

    /// The value of one of [`Typed::FIELDS`].
    fn field(&self, _object: &Self::Object, _path: &str) -> Option<String> {
        None
    }
}

impl<T: Typed> Strategy for T {
    fn decode(&self, json: Value) -> Result<Object, String> {
        super::decode_as::<T::Object>(json)
    }

    fn read(&self, json: Value) -> Result<(Object, Vec<String>), DecodeError> {
        super::read_as::<T::Object>(json)
    }

    fn default(&self, object: &mut Object) {
        if let Some(object) = object.edit() {
            Typed::default(self, object);
        }
    }

    fn prepare_for_create(&self, object: &mut Object) {
        if let Some(object) = object.edit() {
            Typed::prepare_for_create(self, object);
        }
    }

    fn prepare_for_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if let (Some(new), Some(old)) = (new.edit(), old.get()) {
            Typed::prepare_for_update(self, new, old, subresource);
        }
    }

    fn stamp(&self, new: &mut Object, old: Option<&Object>, user: &UserInfo, now: Time) {
        if let Some(new) = new.edit() {
            Typed::stamp(self, new, old.and_then(Object::get), user, now);
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        Typed::validate_name(self, name)
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        object.get().map(|object| Typed::validate(self, object)).unwrap_or_default()
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        match (new.get(), old.get()) {
            (Some(new), Some(old)) => Typed::validate_update(self, new, old, subresource),
            _ => Vec::new(),
        }
    }

    fn default_grace_period_seconds(&self, object: &Object) -> i64 {
        object.get().map_or(0, |object| Typed::default_grace_period_seconds(self, object))
    }

    fn deprecation(&self) -> Option<&str> {
        T::DEPRECATION
    }

    fn warnings(&self, object: &Object, old: Option<&Object>) -> Vec<String> {
        let old = old.and_then(Object::get);
        object.get().map(|object| Typed::warnings(self, object, old)).unwrap_or_default()
    }

    fn scale(&self, object: &Object) -> Option<Scale> {
        object.get().and_then(|object| Typed::scale(self, object))
    }

    fn set_replicas(&self, object: &mut Object, replicas: i32) -> bool {
        object.edit().is_some_and(|object| Typed::set_replicas(self, object, replicas))
    }

    fn returns_deleted(&self) -> bool {
        T::RETURNS_DELETED
    }

    fn orphans_dependents(&self) -> bool {
        T::ORPHANS_DEPENDENTS
    }

    fn deletion_warning(&self) -> Option<&str> {
        T::DELETION_WARNING
    }

    fn allow_create_on_update(&self) -> bool {
        T::ALLOW_CREATE_ON_UPDATE
    }

    fn allow_unconditional_update(&self) -> bool {
        T::ALLOW_UNCONDITIONAL_UPDATE
    }

    fn made_up(&self) -> Option<Vec<Object>> {
        Typed::made_up(self)
    }

    fn storage_kind(&self) -> Option<KindRef> {
        Typed::storage_kind(self)
    }

    fn to_storage(&self, object: Object) -> Object {
        Typed::to_storage(self, object)
    }

    fn from_storage(&self, object: Object) -> Object {
        Typed::from_storage(self, object)
    }

    fn columns(&self) -> Cow<'static, [Column]> {
        Cow::Borrowed(T::COLUMNS)
    }

    fn row(&self, object: &Object, now: Time) -> Vec<Cell> {
        object.get().map(|object| Typed::cells(self, object, now)).unwrap_or_default()
    }

    fn row_order(&self, object: &Object) -> Option<i64> {
        object.get().and_then(|object| Typed::row_order(self, object))
    }

    fn field(&self, object: &Object, path: &str) -> Option<String> {
        object.get().and_then(|object| Typed::field(self, object, path))
    }

    fn field_labels(&self) -> &'static [&'static str] {
        T::FIELDS
    }
}

/// Carries `old` over to `new`, copying only what differs.
pub(crate) fn keep<V: Clone + PartialEq>(new: &mut V, old: &V) {
    if new != old {
        new.clone_from(old);
    }
}
