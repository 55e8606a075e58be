//! What a process has seen of the cluster.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/cache`.

use naru_api::{Key, KindRef, Kube, Object, WatchEvent, WatchEventType};
use rustc_hash::FxHashMap;
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
    objects: Objects,
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
            .flat_map(move |store| store.objects.from(&start))
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
        self.store(&K::kind()).is_none_or(|store| store.objects.order.is_empty())
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
        Store { kind, objects: Objects::default(), by_controller: BTreeMap::new() }
    }

    fn insert(&mut self, object: &Object) -> Option<Object> {
        let key = object.key();
        let old = self.objects.insert(&key, object.clone());
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

/// Objects by their keys, in the order of these. To find one among thousands by comparing keys
/// would go through a dozen of them, each somewhere else in memory; so the place of each is looked
/// up, and the order asked only when objects come and go.
#[derive(Clone, Debug, Default)]
struct Objects {
    /// `None`: the place is free.
    places: Vec<Option<Object>>,
    free: Vec<usize>,
    /// Nobody goes through it.
    found: FxHashMap<Arc<Key>, usize>,
    order: BTreeMap<Arc<Key>, usize>,
}

impl Objects {
    fn get(&self, key: &Key) -> Option<&Object> {
        self.places.get(*self.found.get(key)?)?.as_ref()
    }

    /// The keys from this one on and what they name.
    fn from<'a>(&'a self, start: &Key) -> impl Iterator<Item = (&'a Key, &'a Object)> + use<'a> {
        let range = self.order.range::<Key, _>(start..);
        range.filter_map(|(key, place)| Some((&**key, self.places.get(*place)?.as_ref()?)))
    }

    fn insert(&mut self, key: &Key, object: Object) -> Option<Object> {
        if let Some(place) = self.found.get(key) {
            return self.places.get_mut(*place)?.replace(object);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        *self.places.get_mut(place)? = Some(object);
        let key = Arc::new(key.clone());
        self.found.insert(Arc::clone(&key), place);
        self.order.insert(key, place);
        None
    }

    fn remove(&mut self, key: &Key) -> Option<Object> {
        let place = self.found.remove(key)?;
        self.order.remove(key);
        self.free.push(place);
        self.places.get_mut(place)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::k8s_openapi::api::core::v1::ConfigMap;
    use naru_sim::CauseId;

    fn event(kind: WatchEventType, namespace: &str, name: &str) -> WatchEvent {
        let mut map = ConfigMap::default();
        map.metadata.namespace = Some(namespace.to_owned());
        map.metadata.name = Some(name.to_owned());
        WatchEvent { kind, object: Object::new(map), cause: CauseId::ROOT }
    }

    #[test]
    fn objects_are_listed_in_order_whatever_came_and_went() {
        let mut cache = Cache::default();
        let mut apply = |kind, namespace, name| {
            let before = cache.apply(&event(kind, namespace, name)).is_some();
            let list = |namespace| {
                let names = cache.list::<ConfigMap>(namespace);
                names.filter_map(|map| map.metadata.name.clone()).collect::<String>()
            };
            (before, list(""), list("b"))
        };
        use WatchEventType::{Added, Deleted, Modified};
        let table = [
            (Added, "b", "x", (false, "x", "x")),
            (Added, "a", "z", (false, "zx", "x")),
            (Added, "b", "w", (false, "zwx", "wx")),
            (Modified, "b", "x", (true, "zwx", "wx")),
            (Deleted, "a", "z", (true, "wx", "wx")),
            (Deleted, "a", "z", (false, "wx", "wx")),
            (Added, "c", "y", (false, "wxy", "wx")),
        ];
        for (kind, namespace, name, (before, all, in_b)) in table {
            let wanted = (before, all.to_owned(), in_b.to_owned());
            assert_eq!(apply(kind, namespace, name), wanted, "{namespace}/{name}");
        }
        assert!(cache.get::<ConfigMap>(&Key::new("c", "y")).is_some());
        assert!(cache.get::<ConfigMap>(&Key::new("a", "z")).is_none());
    }
}
