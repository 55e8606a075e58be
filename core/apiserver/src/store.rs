//! The store: revisioned keys, transactions, history. What etcd is to a real API server.
//!
//! Upstream: `apiserver/pkg/storage/etcd3`, and etcd's own data model.

use crate::digest::Digest;
use crate::limits;
use dyn_clone::DynClone;
use imbl::{OrdMap, OrdSet, Vector};
use naru_api::Object;
use naru_sim::{CauseId, Time};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// One committed change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that the commit made.
    pub revision: u64,
    /// `/registry/pods/default/web`.
    pub key: Arc<str>,
    /// The object before; `None` when it is new.
    pub before: Option<Object>,
    /// The object after; `None` when it is gone.
    pub after: Option<Object>,
    /// The request that made the change.
    pub cause: CauseId,
}

/// A change to be made if nothing else has changed the key.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// `/registry/pods/default/web`.
    pub key: String,
    /// The revision at which the key must have been changed last; 0: it must not be there.
    pub expect: u64,
    /// The new value; `None` deletes the key.
    pub put: Option<Object>,
    /// When the key goes by itself.
    pub expires: Option<Time>,
    /// The request that makes the change.
    pub cause: CauseId,
}

/// Why a transaction was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the key first.
    #[error("the key was changed")]
    Changed,
    /// The store holds as much as it may.
    #[error("etcdserver: mvcc: database space exceeded")]
    Full,
    /// The history from there on is not kept any more.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
}

/// What the API server needs of a store: narrow, so that a replicated one can take its place.
pub trait Store: DynClone + fmt::Debug + Send + Sync {
    /// The latest revision.
    fn revision(&self) -> u64;

    /// The value of a key.
    fn get(&self, key: &str) -> Option<Object>;

    /// The values of all keys that begin with `prefix`, in the order of keys.
    fn range<'a>(&'a self, prefix: &'a str) -> Box<dyn Iterator<Item = &'a Object> + 'a>;

    /// All keys that begin with `prefix`, in order.
    fn keys<'a>(&'a self, prefix: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a>;

    /// Makes a change at a new revision.
    fn commit(&mut self, transaction: Transaction) -> Result<Change, StoreError>;

    /// The changes after a revision.
    fn since(&self, revision: u64) -> Result<Vec<Change>, StoreError>;

    /// Keys that are due to go by themselves, and when the next one will be.
    fn expired(&self, now: Time) -> Vec<Arc<str>>;

    /// When the next key goes by itself.
    fn next_expiry(&self) -> Option<Time>;

    /// Switches the digest of the whole history on or off.
    fn set_digest(&mut self, on: bool);

    /// The digest of the whole history, in hexadecimal; `None` when it was switched off.
    fn digest(&self) -> Option<String>;
}

dyn_clone::clone_trait_object!(Store);

/// A store in memory. Cloning it is O(1): the maps share their structure.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    revision: u64,
    entries: OrdMap<Arc<str>, Entry>,
    history: Vector<Change>,
    expiries: OrdSet<(Time, Arc<str>)>,
    digest: Digest,
}

#[derive(Clone, Debug)]
struct Entry {
    object: Object,
    revision: u64,
    expires: Option<Time>,
}

impl MemoryStore {
    fn range_from(&self, prefix: &str) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.entries
            .range::<(Bound<&str>, Bound<&str>), str>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn remember(&mut self, change: Change) {
        self.history.push_back(change);
        while self.history.len() > limits::HISTORY_MAX {
            if let Some(change) = self.history.pop_front() {
                self.digest.forget(&change);
            }
        }
    }
}

impl Store for MemoryStore {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn get(&self, key: &str) -> Option<Object> {
        self.entries.get(key).map(|entry| entry.object.clone())
    }

    fn range<'a>(&'a self, prefix: &'a str) -> Box<dyn Iterator<Item = &'a Object> + 'a> {
        Box::new(self.range_from(prefix).map(|(_, entry)| &entry.object))
    }

    fn keys<'a>(&'a self, prefix: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        Box::new(self.range_from(prefix).map(|(key, _)| &**key))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Change, StoreError> {
        let Transaction { key, expect, put, expires, cause } = transaction;
        let found = self.entries.get_key_value(key.as_str());
        if found.map_or(0, |(_, entry)| entry.revision) != expect {
            return Err(StoreError::Changed);
        }
        if found.is_none() && self.entries.len() >= limits::OBJECTS_MAX {
            return Err(StoreError::Full);
        }
        let key: Arc<str> = found.map_or_else(|| key.into(), |(key, _)| Arc::clone(key));
        let before = found.map(|(_, entry)| entry.clone());
        if let Some(expires) = before.as_ref().and_then(|entry| entry.expires) {
            self.expiries.remove(&(expires, Arc::clone(&key)));
        }
        self.revision += 1;
        let revision = self.revision;
        let stamp = |mut object: Object| {
            object.meta_mut().resource_version = Some(revision.to_string());
            object
        };
        let after = put.map(stamp);
        match &after {
            Some(object) => {
                let entry = Entry { object: object.clone(), revision, expires };
                self.entries.insert(Arc::clone(&key), entry);
                self.expiries.extend(expires.map(|expires| (expires, Arc::clone(&key))));
            }
            None => {
                self.entries.remove(&*key);
            }
        }
        let before = before.map(|entry| entry.object);
        let change = Change { revision, key, before, after, cause };
        self.remember(change.clone());
        Ok(change)
    }

    fn since(&self, revision: u64) -> Result<Vec<Change>, StoreError> {
        let first = self.history.front().map_or(self.revision + 1, |change| change.revision);
        if revision + 1 < first {
            return Err(StoreError::Compacted);
        }
        let skip = usize::try_from(revision + 1 - first).unwrap_or(usize::MAX);
        Ok(self.history.iter().skip(skip).cloned().collect())
    }

    fn expired(&self, now: Time) -> Vec<Arc<str>> {
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, key)| Arc::clone(key)).collect()
    }

    fn next_expiry(&self) -> Option<Time> {
        self.expiries.get_min().map(|(at, _)| *at)
    }

    fn set_digest(&mut self, on: bool) {
        self.digest.set(on);
    }

    fn digest(&self) -> Option<String> {
        self.digest.of(self.history.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::k8s_openapi::api::core::v1::ConfigMap;

    fn put(key: &str, expect: u64) -> Transaction {
        Transaction {
            key: key.to_owned(),
            expect,
            put: Some(Object::new(ConfigMap::default())),
            expires: None,
            cause: CauseId::ROOT,
        }
    }

    fn delete(key: &str, expect: u64) -> Transaction {
        Transaction { put: None, ..put(key, expect) }
    }

    #[test]
    fn compares_before_it_swaps() {
        let mut store = MemoryStore::default();
        let first = store.commit(put("/a", 0)).unwrap();
        assert_eq!(first.revision, 1);
        assert_eq!(first.after.unwrap().revision(), 1);
        assert_eq!(store.commit(put("/a", 0)).unwrap_err(), StoreError::Changed);
        let second = store.commit(put("/a", 1)).unwrap();
        assert_eq!(second.before.unwrap().revision(), 1);
        assert_eq!(store.commit(delete("/a", 1)).unwrap_err(), StoreError::Changed);
        store.commit(delete("/a", 2)).unwrap();
        assert!(store.get("/a").is_none());
        assert_eq!(store.revision(), 3);
    }

    #[test]
    fn ranges_over_a_prefix() {
        let mut store = MemoryStore::default();
        for key in ["/a/2", "/a/1", "/b/1", "/aa"] {
            store.commit(put(key, 0)).unwrap();
        }
        assert_eq!(store.keys("/a/").collect::<Vec<_>>(), ["/a/1", "/a/2"]);
        assert_eq!(store.range("/").count(), 4);
    }

    #[test]
    fn history_is_bounded() {
        let mut store = MemoryStore::default();
        let over = limits::HISTORY_MAX as u64 + 5;
        for revision in 0..over {
            store.commit(put("/a", revision)).unwrap();
        }
        assert_eq!(store.since(over - 1).unwrap().len(), 1);
        assert_eq!(store.since(over).unwrap().len(), 0);
        assert_eq!(store.since(5).unwrap().len(), limits::HISTORY_MAX);
        assert_eq!(store.since(4).unwrap_err(), StoreError::Compacted);
    }

    #[test]
    fn keys_expire_unless_they_are_written_again() {
        let mut store = MemoryStore::default();
        let at = |secs| Some(Time::from_secs(secs));
        store.commit(Transaction { expires: at(1), ..put("/a", 0) }).unwrap();
        store.commit(Transaction { expires: at(2), ..put("/b", 0) }).unwrap();
        assert_eq!(store.next_expiry(), at(1));
        store.commit(Transaction { expires: at(3), ..put("/a", 1) }).unwrap();
        assert_eq!(store.expired(Time::from_secs(2)), [Arc::from("/b")]);
    }

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut store = MemoryStore::default();
        store.commit(put("/a", 0)).unwrap();
        let snapshot = store.clone();
        store.commit(delete("/a", 1)).unwrap();
        assert!(snapshot.get("/a").is_some());
        assert_ne!(snapshot.digest(), store.digest());
    }

    #[test]
    fn the_digest_covers_what_history_has_forgotten() {
        let run = |keep_asking: bool, first: &str| {
            let mut store = MemoryStore::default();
            store.commit(put(first, 0)).unwrap();
            for revision in 0..limits::HISTORY_MAX as u64 + 5 {
                store.commit(put("/x", if revision == 0 { 0 } else { revision + 1 })).unwrap();
                if keep_asking && revision % 500 == 0 {
                    store.digest();
                }
            }
            store.digest().unwrap()
        };
        assert_eq!(run(false, "/a"), run(true, "/a"));
        assert_ne!(run(false, "/a"), run(false, "/b"));
    }

    #[test]
    fn a_digest_that_was_off_says_so() {
        let mut store = MemoryStore::default();
        store.set_digest(false);
        assert_eq!(store.digest(), None);
    }
}
