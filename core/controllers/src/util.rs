//! Small things that most controllers need.

use naru_api::{Key, Kube};
use naru_client::Cache;

/// A count as upstream writes it: nothing instead of 0.
pub fn nonzero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// The key of a typed object.
pub fn key_of<K: Kube>(object: &K) -> Key {
    let meta = object.metadata();
    Key::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// The keys of the objects of a namespace that pass a test.
pub fn keys_of<K: Kube>(cache: &Cache, namespace: &str, test: impl Fn(&K) -> bool) -> Vec<Key> {
    cache.list::<K>(namespace).filter(|object| test(object)).map(key_of).collect()
}
