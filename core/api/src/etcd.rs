//! etcd as its own clients see it: what `etcdctl` asks and is answered.
//!
//! Upstream: `api/etcdserverpb/rpc.proto` and `api/mvccpb/kv.proto` of etcd v3.5.

/// Keys from one on: `key` and `range_end` of etcd's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Just this key.
    One(String),
    /// The keys from the first on and before the second.
    Between(String, String),
    /// The keys from this one on.
    From(String),
    /// The keys that begin with this.
    Prefix(String),
}

/// A key and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// `/registry/pods/default/web`.
    pub key: String,
    /// The object as JSON, as `--storage-media-type=application/json` stores it.
    pub value: Vec<u8>,
    /// The revision at which the key came into being.
    pub create_revision: u64,
    /// The revision of its last change.
    pub mod_revision: u64,
    /// How many changes the key has seen since it came into being.
    pub version: u64,
    /// The lease with which it goes; 0 for none.
    pub lease: i64,
}

/// What keys hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Keys and values in the order of keys.
    pub kvs: Vec<KeyValue>,
    /// The latest revision, whichever was asked for.
    pub revision: u64,
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key after it; only key and `mod_revision` if it was deleted.
    pub kv: KeyValue,
    /// The key before it.
    pub prev_kv: Option<KeyValue>,
    /// Whether the key was deleted.
    pub deleted: bool,
}

/// How one member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The latest revision.
    pub revision: u64,
    /// Bytes of the database's file.
    pub db_size: u64,
    /// Bytes of it that hold something.
    pub db_size_in_use: u64,
    /// The term of the leader.
    pub raft_term: u64,
    /// The latest entry of the log.
    pub raft_index: u64,
}

/// What etcd does for its clients. An error is the text of the gRPC status.
pub trait Etcd {
    /// Reads keys as they were at a revision; 0 is now.
    fn range(&self, keys: &Keys, revision: u64) -> Result<Range, String>;

    /// Changes of keys after a revision, oldest first, and the latest revision.
    fn changes(&self, keys: &Keys, after: u64) -> Result<(Vec<Event>, u64), String>;

    /// Writes a key past the API server: nothing is checked but that it is an object.
    fn put(&mut self, key: &str, value: &[u8]) -> Result<Option<KeyValue>, String>;

    /// Deletes keys past the API server; answers with what they held.
    fn delete(&mut self, keys: &Keys) -> Vec<KeyValue>;

    /// Forgets the history up to a revision.
    fn compact(&mut self, revision: u64) -> Result<(), String>;

    /// How the member is.
    fn status(&self) -> Status;
}
