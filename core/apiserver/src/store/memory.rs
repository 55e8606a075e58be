//! A store in memory, of one member.

use super::history::{self, History};
use super::{Change, KeyRange, KeyValue, Store, StoreError, Transaction};
use crate::limits;
use imbl::{OrdMap, OrdSet};
use naru_api::Object;
use naru_sim::Time;
use std::sync::Arc;

/// A store in memory. Cloning it is O(1): the maps share their structure.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    revision: u64,
    entries: OrdMap<Arc<str>, Entry>,
    history: History,
    expiries: OrdSet<(Time, Arc<str>)>,
}

#[derive(Clone, Debug)]
struct Entry {
    object: Object,
    created: u64,
    modified: u64,
    version: u64,
    expires: Option<Time>,
}

impl MemoryStore {
    fn iter<'a>(
        &'a self,
        range: &KeyRange,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Entry)> + use<'a> {
        let found = range.bounds().map(|bounds| self.entries.range::<_, str>(bounds));
        found.into_iter().flatten()
    }
}

fn key_value<'a>((key, entry): (&'a Arc<str>, &'a Entry)) -> KeyValue<'a> {
    let Entry { object, created, modified, version, expires } = entry;
    KeyValue {
        key,
        object,
        created: *created,
        modified: *modified,
        version: *version,
        expires: *expires,
    }
}

impl Store for MemoryStore {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn compacted(&self) -> u64 {
        self.history.compacted()
    }

    fn get(&self, key: &str) -> Option<Object> {
        self.entries.get(key).map(|entry| entry.object.clone())
    }

    fn read<'a>(
        &'a self,
        range: &KeyRange,
        revision: u64,
    ) -> Result<Box<dyn Iterator<Item = KeyValue<'a>> + 'a>, StoreError> {
        if revision > self.revision {
            return Err(StoreError::Future);
        }
        let today = self.iter(range).map(key_value);
        if revision == 0 || revision == self.revision {
            return Ok(Box::new(today));
        }
        Ok(Box::new(history::merge(today, self.history.overlay(range, revision)?)))
    }

    fn range<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = &'a Object> + 'a> {
        Box::new(self.iter(&KeyRange::prefix(prefix)).map(|(_, entry)| &entry.object))
    }

    fn keys<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        Box::new(self.iter(&KeyRange::prefix(prefix)).map(|(key, _)| &**key))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Change, StoreError> {
        let Transaction { key, expect, put, expires, cause } = transaction;
        let revision = self.revision + 1;
        let after = put.map(|mut object| {
            object.meta_mut().resource_version = Some(revision.to_string());
            object
        });
        let room = self.entries.len() < limits::OBJECTS_MAX;
        let (key, before) = match self.entries.get_key_value_mut(key.as_str()) {
            Some((_, entry)) if entry.modified != expect => return Err(StoreError::Changed),
            Some((key, entry)) => {
                let key = Arc::clone(key);
                let before = entry.clone();
                match &after {
                    Some(object) => {
                        entry.object = object.clone();
                        entry.modified = revision;
                        entry.version += 1;
                        entry.expires = expires;
                    }
                    None => drop(self.entries.remove(&*key)),
                }
                (key, Some(before))
            }
            None if expect != 0 || after.is_none() => return Err(StoreError::Changed),
            None if !room => return Err(StoreError::Full),
            None => {
                let key: Arc<str> = key.into();
                let (created, modified) = (revision, revision);
                let entry = |object| Entry { object, created, modified, version: 1, expires };
                self.entries.extend(after.clone().map(|object| (Arc::clone(&key), entry(object))));
                (key, None)
            }
        };
        self.revision = revision;
        if let Some(expires) = before.as_ref().and_then(|entry| entry.expires) {
            self.expiries.remove(&(expires, Arc::clone(&key)));
        }
        let stays = expires.filter(|_| after.is_some());
        self.expiries.extend(stays.map(|expires| (expires, Arc::clone(&key))));
        let (created, version) =
            before.as_ref().map_or((revision, 1), |entry| (entry.created, entry.version + 1));
        let before = before.map(|entry| entry.object);
        let change = Change { revision, key, before, after, created, version, cause };
        self.history.push(change.clone());
        Ok(change)
    }

    fn since<'a>(
        &'a self,
        revision: u64,
    ) -> Result<Box<dyn Iterator<Item = &'a Change> + 'a>, StoreError> {
        Ok(Box::new(self.history.since(revision)?))
    }

    fn compact(&mut self, revision: u64) -> Result<(), StoreError> {
        self.history.compact(revision)
    }

    fn expired(&self, now: Time) -> Vec<Arc<str>> {
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, key)| Arc::clone(key)).collect()
    }

    fn next_expiry(&self) -> Option<Time> {
        self.expiries.get_min().map(|(at, _)| *at)
    }

    fn keep_digest(&mut self, on: bool) {
        self.history.keep_digest(on);
    }

    fn digest(&self) -> Option<String> {
        self.history.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::k8s_openapi::api::core::v1::ConfigMap;
    use naru_sim::CauseId;

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
        let since = |revision| store.since(revision).map(Iterator::count);
        assert_eq!(since(over - 1), Ok(1));
        assert_eq!(since(over), Ok(0));
        assert_eq!(since(over + 9), Ok(0));
        assert_eq!(since(5), Ok(limits::HISTORY_MAX));
        assert_eq!(since(4), Err(StoreError::Compacted));
        assert_eq!(store.compacted(), 5);
    }

    /// Key, mod_revision, create_revision and version.
    fn read(store: &MemoryStore, prefix: &str, at: u64) -> Result<Vec<String>, StoreError> {
        let line = |kv: KeyValue<'_>| {
            assert_eq!(kv.object.revision(), kv.modified);
            format!("{} {} {} {}", kv.key, kv.modified, kv.created, kv.version)
        };
        Ok(store.read(&KeyRange::prefix(prefix), at)?.map(line).collect())
    }

    #[test]
    fn the_past_can_be_read_until_it_is_compacted() {
        let mut store = MemoryStore::default();
        store.commit(put("/a/1", 0)).unwrap();
        store.commit(put("/a/3", 0)).unwrap();
        store.commit(put("/a/3", 2)).unwrap();
        store.commit(put("/b/1", 0)).unwrap();
        store.commit(delete("/a/1", 1)).unwrap();
        store.commit(put("/a/2", 0)).unwrap();
        store.commit(put("/a/1", 0)).unwrap();
        let table: [(u64, &[&str]); 7] = [
            (1, &["/a/1 1 1 1"]),
            (2, &["/a/1 1 1 1", "/a/3 2 2 1"]),
            (4, &["/a/1 1 1 1", "/a/3 3 2 2"]),
            (5, &["/a/3 3 2 2"]),
            (6, &["/a/2 6 6 1", "/a/3 3 2 2"]),
            (7, &["/a/1 7 7 1", "/a/2 6 6 1", "/a/3 3 2 2"]),
            (0, &["/a/1 7 7 1", "/a/2 6 6 1", "/a/3 3 2 2"]),
        ];
        for (at, wanted) in table {
            assert_eq!(read(&store, "/a/", at).unwrap(), wanted, "{at}");
        }
        assert_eq!(store.count(&KeyRange::prefix("/"), 4), Ok(3));
        assert_eq!(read(&store, "/a/", 8), Err(StoreError::Future));
        store.compact(5).unwrap();
        assert_eq!(read(&store, "/a/", 4), Err(StoreError::Compacted));
        assert_eq!(read(&store, "/a/", 5).unwrap(), ["/a/3 3 2 2"]);
        assert_eq!(store.compact(5), Err(StoreError::Compacted));
        assert_eq!(store.compact(8), Err(StoreError::Future));
        assert_eq!(store.compact(7), Ok(()));
        assert_eq!(store.since(7).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_there_cannot_be_deleted() {
        let mut store = MemoryStore::default();
        assert_eq!(store.commit(delete("/a", 0)).unwrap_err(), StoreError::Changed);
        assert_eq!(store.revision(), 0);
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
            store.keep_digest(true);
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
    fn a_digest_that_was_not_kept_ends_with_the_history() {
        let mut store = MemoryStore::default();
        for revision in 0..3 {
            store.commit(put("/a", revision)).unwrap();
        }
        let digest = store.digest();
        assert!(digest.is_some());
        let mut kept = store.clone();
        kept.keep_digest(true);
        for store in [&mut store, &mut kept] {
            store.compact(2).unwrap();
        }
        assert_eq!(kept.digest(), digest);
        assert_eq!(store.digest(), None);
        store.keep_digest(true);
        assert_eq!(store.digest(), None);
    }
}
