//! Which objects a controller owns: adoption and release by label.
//!
//! Upstream: `pkg/controller/controller_ref_manager.go`.

use crate::util::keys_of;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::labels::Selector;
use naru_api::request::Patch;
use naru_api::{Key, Kube, Object, Op, Response, WatchEvent, WatchEventType};
use naru_client::{Cache, Context, Error};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A reference to `owner` as the one that controls.
pub fn new_controller_ref(owner: &Object) -> OwnerReference {
    OwnerReference {
        api_version: owner.kind().api_version(),
        kind: owner.kind().kind.to_string(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference to the owner that controls the object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The key of the `O` that controls the object, if the cache knows it and it is the same one.
pub fn resolve_controller<O: Kube>(cache: &Cache, meta: &ObjectMeta) -> Option<Key> {
    let owner = controller_of(meta)?;
    if owner.kind != O::kind().kind {
        return None;
    }
    let key = Key::new(meta.namespace.clone().unwrap_or_default(), owner.name.clone());
    let found = cache.object(&O::kind(), &key)?;
    (found.uid() == owner.uid).then_some(key)
}

/// Which `O`s a change of a dependent object concerns: the one that controls it, and besides, the
/// one that did before, and of an orphan with news all that select it.
pub fn concerned<O: Kube>(
    event: &WatchEvent,
    old: Option<&Object>,
    cache: &Cache,
    selects: impl Fn(&O, Option<&BTreeMap<String, String>>) -> bool,
) -> (Option<Key>, Vec<Key>) {
    let object = &event.object;
    let owner = resolve_controller::<O>(cache, object.meta());
    let mut others = Vec::new();
    let changed_hands = old.is_some_and(|old| old.controller() != object.controller());
    if let Some(old) = old
        && changed_hands
    {
        others.extend(resolve_controller::<O>(cache, old.meta()));
    }
    let labels = object.meta().labels.as_ref();
    let news = changed_hands || old.is_none_or(|old| old.meta().labels.as_ref() != labels);
    if news && object.controller().is_none() && !goes(event) {
        others.extend(keys_of::<O>(cache, object.namespace(), |owner| selects(owner, labels)));
    }
    (owner, others)
}

/// Whether the object is gone or is about to go.
pub fn goes(event: &WatchEvent) -> bool {
    event.kind == WatchEventType::Deleted || event.object.meta().deletion_timestamp.is_some()
}

/// Claims objects for one owner: adopts orphans that its selector selects, releases what it does
/// not select any more.
pub struct Claimer<'a> {
    owner: &'a Object,
    selector: &'a Selector,
    finalizers: &'a [&'a str],
    may_adopt: Option<Result<(), Error>>,
}

impl<'a> Claimer<'a> {
    /// Claims for `owner` what `selector` selects.
    pub fn new(owner: &'a Object, selector: &'a Selector) -> Self {
        Claimer { owner, selector, finalizers: &[], may_adopt: None }
    }

    /// Gives these finalizers to what it adopts, and takes them from what it releases.
    pub fn with_finalizers(self, finalizers: &'a [&'a str]) -> Self {
        Claimer { finalizers, ..self }
    }

    /// Those of the candidates that belong to the owner now. Every candidate is tried; the first
    /// failure is returned afterwards.
    pub fn claim_all<'c, K: Kube>(
        &mut self,
        context: &mut Context<'_>,
        candidates: impl Iterator<Item = &'c K>,
    ) -> Result<Vec<&'c K>, Error> {
        self.claim_those(context, candidates, |_| true)
    }

    /// As [`Claimer::claim_all`]; what does not pass the test counts as not selected.
    pub fn claim_those<'c, K: Kube>(
        &mut self,
        context: &mut Context<'_>,
        candidates: impl Iterator<Item = &'c K>,
        test: impl Fn(&K) -> bool,
    ) -> Result<Vec<&'c K>, Error> {
        let mut claimed = Vec::new();
        let mut failure = None;
        for candidate in candidates {
            match self.claim(context, candidate, test(candidate)) {
                Ok(true) => claimed.push(candidate),
                Ok(false) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(claimed), Err)
    }

    fn claim<K: Kube>(
        &mut self,
        context: &mut Context<'_>,
        object: &K,
        passes: bool,
    ) -> Result<bool, Error> {
        let meta = object.metadata();
        let selected = passes && self.selector.matches(meta.labels.as_ref());
        let owner_goes = self.owner.meta().deletion_timestamp.is_some();
        match controller_of(meta) {
            Some(owner) if owner.uid != self.owner.uid() => Ok(false),
            Some(_) if selected => Ok(true),
            Some(_) if owner_goes => Ok(false),
            Some(_) => self.release::<K>(context, meta).map(|()| false),
            None if owner_goes || !selected || meta.deletion_timestamp.is_some() => Ok(false),
            None => self.adopt::<K>(context, meta),
        }
    }

    fn adopt<K: Kube>(
        &mut self,
        context: &mut Context<'_>,
        meta: &ObjectMeta,
    ) -> Result<bool, Error> {
        self.check_may_adopt(context)?;
        let mut patch = json!({"metadata": {
            "ownerReferences": [new_controller_ref(self.owner)],
            "uid": meta.uid,
        }});
        if !self.finalizers.is_empty() {
            patch["metadata"]["finalizers"] = json!(self.finalizers);
        }
        match patch_meta::<K>(context, meta, patch) {
            // It went away meanwhile.
            Err(Error::Api(error)) if error.is_not_found() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn release<K: Kube>(&self, context: &mut Context<'_>, meta: &ObjectMeta) -> Result<(), Error> {
        let mut patch = json!({"metadata": {
            "ownerReferences": [{"$patch": "delete", "uid": self.owner.uid()}],
            "uid": meta.uid,
        }});
        if !self.finalizers.is_empty() {
            patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = json!(self.finalizers);
        }
        match patch_meta::<K>(context, meta, patch) {
            // Gone, or released by someone else meanwhile: what was wanted.
            Err(Error::Api(error)) if error.is_not_found() || error.reason() == "Invalid" => Ok(()),
            other => other,
        }
    }

    /// The cache may show an owner that is being deleted, or another of the same name: asks the
    /// API server once.
    fn check_may_adopt(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let owner = self.owner;
        self.may_adopt
            .get_or_insert_with(|| {
                let kind = owner.kind();
                let (namespace, name) = (owner.namespace(), owner.name());
                let fresh = context.client.send(kind, namespace, name, "", Op::Get)?;
                let Response::Object(fresh) = fresh else { return Ok(()) };
                let label = format!("original {} {}", owner.kind().kind, owner.key());
                if fresh.uid() != owner.uid() {
                    let (got, wanted) = (fresh.uid(), owner.uid());
                    let text = format!("{label} is gone: got uid {got}, wanted {wanted}");
                    return Err(Error::Other(text));
                }
                if fresh.meta().deletion_timestamp.is_some() {
                    return Err(Error::Other(format!("{label} is being deleted")));
                }
                Ok(())
            })
            .clone()
    }
}

fn patch_meta<K: Kube>(
    context: &mut Context<'_>,
    meta: &ObjectMeta,
    patch: serde_json::Value,
) -> Result<(), Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    context.client.patch::<K>(namespace, name, "", Patch::Strategic(patch))?;
    Ok(())
}

/// The objects of one kind that nobody controls, kept up by the watch, so that a controller which
/// looks for something to adopt need not look at everything.
#[derive(Clone, Debug, Default)]
pub struct Orphans {
    keys: BTreeSet<Key>,
}

impl Orphans {
    /// Takes over a delivery about an object of the kind, of which `old` was seen before.
    pub fn observe(&mut self, event: &WatchEvent, old: Option<&Object>) {
        let gone = event.kind == WatchEventType::Deleted;
        let owned = |object: &Object| object.controller().is_some();
        if !gone && old.is_some_and(|old| owned(old) == owned(&event.object)) {
            return;
        }
        if gone || event.object.controller().is_some() {
            self.keys.remove(&event.object.key());
        } else {
            self.keys.insert(event.object.key());
        }
    }

    /// The orphans of a namespace.
    pub fn list<'s, 'c: 's, K: Kube>(
        &'s self,
        cache: &'c Cache,
        namespace: &'s str,
    ) -> impl Iterator<Item = &'c K> + use<'s, 'c, K> {
        self.keys
            .range(Key::new(namespace, "")..)
            .take_while(move |key| key.namespace == namespace)
            .filter_map(|key| cache.get::<K>(key))
    }
}
