//! What a process has seen of the cluster.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/cache`.

use naru_api::{Key, KindRef, Kube, Object, WatchEvent, WatchEventType};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The objects that a process's watches have delivered, shared by its controllers. It lags behind
/// the API server as a real informer's does.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    stores: Vec<Store>,
}

#[derive(Clone, Debug)]
struct Store {
    kind: KindRef,
    objects: BTreeMap<Key, Object>,
    /// Keys by the uid of the owner that controls them.
    by_controller: BTreeMap<String, BTreeSet<Key>>,
}

impl Cache {
    /// One object; "" is the namespace of cluster-scoped kinds.
    pub fn get<K: Kube>(&self, key: &Key) -> Option<&K> {
        self.object(&K::kind(), key)?.get()
    }

    /// One object, shared.
    pub fn arc<K: Kube>(&self, key: &Key) -> Option<Arc<K>> {
        self.object(&K::kind(), key)?.arc()
    }

    /// One object of a kind known at run time.
    pub fn object(&self, kind: &KindRef, key: &Key) -> Option<&Object> {
        self.store(kind)?.objects.get(key)
    }

    /// All objects of a kind in order of namespace and name; "" is all namespaces.
    pub fn list<'a, K: Kube>(
        &'a self,
        namespace: &str,
    ) -> impl Iterator<Item = &'a K> + use<'a, K> {
        self.objects(&K::kind(), namespace).filter_map(Object::get)
    }

    /// All objects of a kind known at run time; "" is all namespaces.
    pub fn objects<'a>(
        &'a self,
        kind: &KindRef,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        let namespace = namespace.to_owned();
        let start = Key::new(namespace.clone(), "");
        self.store(kind)
            .into_iter()
            .flat_map(move |store| store.objects.range(start.clone()..))
            .take_while(move |(key, _)| namespace.is_empty() || key.namespace == namespace)
            .map(|(_, object)| object)
    }

    /// The objects of a kind that the owner with this uid controls.
    pub fn controlled<'a, K: Kube>(
        &'a self,
        owner_uid: &str,
    ) -> impl Iterator<Item = &'a K> + use<'a, K> {
        let store = self.store(&K::kind());
        let keys = store.and_then(|store| store.by_controller.get(owner_uid));
        keys.into_iter()
            .flatten()
            .filter_map(move |key| store?.objects.get(key))
            .filter_map(Object::get)
    }

    /// Whether anything of this kind was seen.
    pub fn is_empty<K: Kube>(&self) -> bool {
        self.store(&K::kind()).is_none_or(|store| store.objects.is_empty())
    }

    /// Takes over one delivery; returns the state before it.
    pub(crate) fn apply(&mut self, event: &WatchEvent) -> Option<Object> {
        let kind = event.object.kind();
        let index = match self.stores.iter().position(|store| store.kind == kind) {
            Some(index) => index,
            None => {
                self.stores.push(Store::new(kind));
                self.stores.len() - 1
            }
        };
        let store = self.stores.get_mut(index)?;
        match event.kind {
            WatchEventType::Deleted => store.remove(&event.object.key()),
            WatchEventType::Added | WatchEventType::Modified => store.insert(&event.object),
            WatchEventType::Bookmark => None,
        }
    }

    fn store(&self, kind: &KindRef) -> Option<&Store> {
        self.stores.iter().find(|store| store.kind == *kind)
    }
}

impl Store {
    fn new(kind: KindRef) -> Self {
        Store { kind, objects: BTreeMap::new(), by_controller: BTreeMap::new() }
    }

    fn insert(&mut self, object: &Object) -> Option<Object> {
        let key = object.key();
        let old = self.objects.insert(key.clone(), object.clone());
        let owner = |object: &Object| object.controller().map(|owner| owner.uid.clone());
        let (before, after) = (old.as_ref().and_then(owner), owner(object));
        if before != after {
            self.unindex(before.as_deref(), &key);
            if let Some(uid) = after {
                self.by_controller.entry(uid).or_default().insert(key);
            }
        }
        old
    }

    fn remove(&mut self, key: &Key) -> Option<Object> {
        let old = self.objects.remove(key)?;
        self.unindex(old.controller().map(|owner| owner.uid.as_str()), key);
        Some(old)
    }

    fn unindex(&mut self, owner: Option<&str>, key: &Key) {
        let Some(uid) = owner else { return };
        if let Some(keys) = self.by_controller.get_mut(uid) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_controller.remove(uid);
            }
        }
    }
}
