//! The store: revisioned keys, transactions, history. What etcd is to a real API server.
//!
//! Upstream: `apiserver/pkg/storage/etcd3`, and etcd's own data model.

mod digest;
mod history;
mod memory;
mod range;

pub use memory::MemoryStore;
pub use range::KeyRange;

use dyn_clone::DynClone;
use naru_api::Object;
use naru_sim::{CauseId, Time};
use std::fmt;
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
    /// The revision at which the key came into being.
    pub created: u64,
    /// Which change of the key since then this is; the first is 1.
    pub version: u64,
    /// The request that made the change.
    pub cause: CauseId,
}

/// A key, its value, and what the store knows of it: etcd's `mvccpb.KeyValue`.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// `/registry/pods/default/web`.
    pub key: &'a Arc<str>,
    /// The value.
    pub object: &'a Object,
    /// The revision at which the key came into being: `create_revision`.
    pub created: u64,
    /// The revision of its last change: `mod_revision`.
    pub modified: u64,
    /// How many changes the key has seen since it came into being.
    pub version: u64,
    /// When the key goes by itself; not told of a value of the past.
    pub expires: Option<Time>,
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

/// Why the store did not do something. The texts are etcd's.
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
    /// There is no such revision yet.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    Future,
}

/// What the API server needs of a store: narrow, so that a replicated one can take its place.
pub trait Store: DynClone + fmt::Debug + Send + Sync {
    /// The latest revision.
    fn revision(&self) -> u64;

    /// The revision up to which history is forgotten: values of this revision can be read, values
    /// of older ones cannot.
    fn compacted(&self) -> u64;

    /// The value of a key.
    fn get(&self, key: &str) -> Option<Object>;

    /// The keys of a range and their values in the order of keys, as they were at a revision; 0 is
    /// the latest.
    fn read<'a>(
        &'a self,
        range: &KeyRange,
        revision: u64,
    ) -> Result<Box<dyn Iterator<Item = KeyValue<'a>> + 'a>, StoreError>;

    /// How many keys a range has; 0 is the latest revision.
    fn count(&self, range: &KeyRange, revision: u64) -> Result<usize, StoreError> {
        self.read(range, revision).map(Iterator::count)
    }

    /// The values of all keys that begin with `prefix`, in the order of keys.
    fn range<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = &'a Object> + 'a>;

    /// All keys that begin with `prefix`, in order.
    fn keys<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = &'a str> + 'a>;

    /// Makes a change at a new revision.
    fn commit(&mut self, transaction: Transaction) -> Result<Change, StoreError>;

    /// The changes after a revision.
    fn since<'a>(
        &'a self,
        revision: u64,
    ) -> Result<Box<dyn Iterator<Item = &'a Change> + 'a>, StoreError>;

    /// Forgets the history up to a revision, whose own values can still be read.
    fn compact(&mut self, revision: u64) -> Result<(), StoreError>;

    /// Keys that are due to go by themselves, and when the next one will be.
    fn expired(&self, now: Time) -> Vec<Arc<str>>;

    /// When the next key goes by itself.
    fn next_expiry(&self) -> Option<Time>;

    /// From now on, goes on with the digest when history is forgotten (`true`), or does not
    /// (`false`, as from the start, since it takes longer than the writing itself).
    fn keep_digest(&mut self, on: bool);

    /// The digest of the whole history, in hexadecimal; `None` when a part of it was forgotten
    /// while the digest was not kept.
    fn digest(&self) -> Option<String>;
}

dyn_clone::clone_trait_object!(Store);
