//! Limits of the API server and its store.

/// Bytes of an object's JSON: etcd's `--max-request-bytes`.
pub const OBJECT_BYTES_MAX: usize = 1_572_864;

/// Objects in the store.
pub const OBJECTS_MAX: usize = 400_000;

/// Changes kept for watches that start in the past and for lists that are read in chunks, beyond
/// what compaction forgets.
pub const HISTORY_MAX: usize = 4_096;

/// How often history is compacted: `--etcd-compaction-interval`. What is forgotten is older than
/// this, and twice this at most.
pub const COMPACTION_INTERVAL_SECONDS: u64 = 300;

/// How often a watch that asked for bookmarks gets one. Upstream: `defaultBookmarkFrequency`.
pub const BOOKMARK_INTERVAL_SECONDS: u64 = 60;

/// How long before its client's deadline a watch gets its last bookmark.
pub const BOOKMARK_BEFORE_DEADLINE_SECONDS: u64 = 2;

/// Watches at one time.
pub const WATCHES_MAX: usize = 50_000;

/// Events that wait for one watch, beyond what it began with, before it expires.
pub const WATCH_BACKLOG_MAX: usize = 1_000;

/// Streams at one time.
pub const STREAMS_MAX: usize = 1_000;

/// How long an Event is kept: `--event-ttl`.
pub const EVENT_TTL_SECONDS: u64 = 3_600;
