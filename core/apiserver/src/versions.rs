//! Kinds with several versions, of which one is stored.
//!
//! Whoever asks for a version sees objects of that version only: they are converted on their way
//! out of the store and on their way into it. The rules of a built-in kind are those of its stored
//! version, so a new object is converted before it is checked.
//!
//! Upstream: `apiserver/pkg/storage/etcd3` with a versioning codec; internal versions.

use naru_api::{KindRef, Object, Request, StrategyRef};
use std::borrow::Cow;

/// The kind as it is stored.
pub(crate) fn stored(kind: &KindRef) -> KindRef {
    kind.strategy.storage_kind().unwrap_or_else(|| kind.clone())
}

/// The same request on the stored kind, when its rules are those that count: for built-in kinds.
/// Each version of a custom resource has its own schema.
pub(crate) fn by_stored_rules(request: &Request) -> Option<Request> {
    if matches!(request.kind.strategy, StrategyRef::Custom(_)) {
        return None;
    }
    let kind = request.kind.strategy.storage_kind()?;
    Some(Request { kind, ..request.clone() })
}

/// An object as it is to be stored.
pub(crate) fn to_storage(object: Object) -> Object {
    let strategy = object.strategy();
    if strategy.storage_kind().is_none() {
        return object;
    }
    let mut stored = strategy.to_storage(object.clone());
    stored.inherit_owners(&object);
    stored
}

/// A stored object as one of `kind`.
pub(crate) fn view<'a>(kind: &KindRef, object: &'a Object) -> Cow<'a, Object> {
    if let Some(rules) = kind.strategy.custom() {
        return rules.read(kind, object).map_or(Cow::Borrowed(object), Cow::Owned);
    }
    if kind.strategy.storage_kind().is_some() {
        let mut view = kind.strategy.from_storage(object.clone());
        view.inherit_owners(object);
        Cow::Owned(view)
    } else {
        Cow::Borrowed(object)
    }
}
