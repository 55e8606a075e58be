//! The store as etcd's own clients see it.
//!
//! Values are JSON, as a cluster with `--storage-media-type=application/json` has them; without
//! that flag a real one stores built-in kinds as protobuf.

use crate::ApiServer;
use crate::store::{Change, KeyRange, KeyValue, StoreError, Transaction};
use naru_api::etcd::{Etcd, Event, KeyValue as EtcdKeyValue, Keys, Range, Status};
use naru_api::{Object, scheme};
use naru_sim::{CauseId, Time};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of an empty database's file.
const DB_BYTES_MIN: u64 = 20_480;
/// Bytes of a page of it.
const PAGE_BYTES: u64 = 4_096;
/// Bytes that a key takes beside its name and its value.
const KEY_OVERHEAD_BYTES: u64 = 64;
/// Entries of the log that came before the first revision but one: membership, the first leader,
/// the member's name, the cluster's version; etcd's first revision is an empty one.
const RAFT_START: u64 = 3;
/// The first leader is elected in the second term.
const RAFT_TERM: u64 = 2;
/// Keys that go within the same minute share a lease, as the API server's lease manager has it.
const LEASE_SECONDS: u64 = 60;
const LEASE_FIRST: i64 = 0x694d_7a10_0000_0000;

impl From<&Keys> for KeyRange {
    fn from(keys: &Keys) -> Self {
        match keys {
            Keys::One(key) => KeyRange::key(key),
            Keys::Between(start, end) => KeyRange::between(start, end),
            Keys::From(start) => KeyRange::all_from(start),
            Keys::Prefix(prefix) => KeyRange::prefix(prefix),
        }
    }
}

impl Etcd for ApiServer {
    fn range(&self, keys: &Keys, revision: u64) -> Result<Range, String> {
        let found = self.store.read(&keys.into(), revision).map_err(text)?;
        Ok(Range { kvs: found.map(key_value).collect(), revision: self.store.revision() })
    }

    fn changes(&self, keys: &Keys, after: u64) -> Result<(Vec<Event>, u64), String> {
        let range = KeyRange::from(keys);
        let changes = self.store.since(after).map_err(text)?;
        let mine = changes.filter(|change| range.contains(&change.key));
        Ok((mine.map(event).collect(), self.store.revision()))
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<Option<EtcdKeyValue>, String> {
        let object = self.read_value(value)?;
        let before = self.store.read(&KeyRange::key(key), 0).map_err(text)?.next().map(key_value);
        let expect = before.as_ref().map_or(0, |before| before.mod_revision);
        let (kind, name) = (object.kind(), object.name().to_owned());
        let (key, put, expires) = (key.to_owned(), Some(object), None);
        let cause = self.record_etcd("put", &key);
        let transaction = Transaction { key, expect, put, expires, cause };
        self.commit(&kind, &name, transaction).map_err(|error| error.to_string())?;
        Ok(before)
    }

    fn delete(&mut self, keys: &Keys) -> Vec<EtcdKeyValue> {
        let found = self.store.read(&keys.into(), 0);
        let found: Vec<EtcdKeyValue> = found.into_iter().flatten().map(key_value).collect();
        for kv in &found {
            let cause = self.record_etcd("del", &kv.key);
            let removed = self.remove(kv.key.clone(), kv.mod_revision, cause);
            // Nothing else writes between the look and the deletion.
            debug_assert!(removed.is_ok());
        }
        found
    }

    fn compact(&mut self, revision: u64) -> Result<(), String> {
        self.store.compact(revision).map_err(text)
    }

    fn status(&self) -> Status {
        let revision = self.store.revision();
        let size =
            |kv: KeyValue<'_>| (kv.key.len() + value(kv.object).len()) as u64 + KEY_OVERHEAD_BYTES;
        let all = self.store.read(&KeyRange::all_from(""), 0);
        let used: u64 = all.into_iter().flatten().map(size).sum();
        let db_size_in_use = used.next_multiple_of(PAGE_BYTES);
        Status {
            revision,
            db_size: (db_size_in_use + PAGE_BYTES).max(DB_BYTES_MIN),
            db_size_in_use,
            raft_term: RAFT_TERM,
            raft_index: revision + RAFT_START,
        }
    }
}

impl ApiServer {
    fn record_etcd(&mut self, verb: &'static str, key: &str) -> CauseId {
        let actor: Arc<str> = "etcdctl".into();
        self.causes.record(self.now, CauseId::ROOT, &actor, verb, key.into())
    }

    /// The object that a value is. A real etcd takes anything.
    fn read_value(&self, value: &[u8]) -> Result<Object, String> {
        let refused = |why: &dyn std::fmt::Display| {
            format!("naru's etcd holds objects of the API only, as JSON: {why}")
        };
        let json: Value = serde_json::from_slice(value).map_err(|error| refused(&error))?;
        let text = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let kind = scheme::by_kind(&self.kinds, version, kind)
            .ok_or_else(|| refused(&format_args!("no kind \"{kind}\" in \"{version}\"")))?;
        kind.strategy.decode(json).map_err(|error| refused(&error))
    }
}

fn text(error: StoreError) -> String {
    error.to_string()
}

fn key_value(kv: KeyValue<'_>) -> EtcdKeyValue {
    EtcdKeyValue {
        key: kv.key.to_string(),
        value: value(kv.object),
        create_revision: kv.created,
        mod_revision: kv.modified,
        version: kv.version,
        lease: kv.expires.map_or(0, lease),
    }
}

fn lease(expires: Time) -> i64 {
    let minute = i64::try_from(expires.as_secs() / LEASE_SECONDS).unwrap_or(i64::MAX);
    LEASE_FIRST.saturating_add(minute)
}

fn event(change: &Change) -> Event {
    let kv = |object: &Object, mod_revision, version| EtcdKeyValue {
        key: change.key.to_string(),
        value: value(object),
        create_revision: change.created,
        mod_revision,
        version,
        lease: 0,
    };
    let gone = EtcdKeyValue {
        key: change.key.to_string(),
        mod_revision: change.revision,
        ..EtcdKeyValue::default()
    };
    let before = |object: &Object| kv(object, object.revision(), change.version.saturating_sub(1));
    Event {
        kv: change
            .after
            .as_ref()
            .map_or(gone, |object| kv(object, change.revision, change.version)),
        prev_kv: change.before.as_ref().map(before),
        deleted: change.after.is_none(),
    }
}

/// An object as it is stored: without its version, which is the key's, and with what it is first.
fn value(object: &Object) -> Vec<u8> {
    let Ok(Value::Object(mut json)) = object.to_json() else { return Vec::new() };
    if let Some(Value::Object(meta)) = json.get_mut("metadata") {
        meta.remove("resourceVersion");
    }
    let mut fields = Vec::new();
    for name in ["kind", "apiVersion", "metadata"] {
        fields.extend(json.remove(name).map(|value| format!("\"{name}\":{value}")));
    }
    fields.extend(json.iter().map(|(name, value)| format!("\"{name}\":{value}")));
    // The API server's serializer ends with a line feed.
    format!("{{{}}}\n", fields.join(",")).into_bytes()
}
