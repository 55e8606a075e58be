//! Limits of the API server and its store.

/// Bytes of an object's JSON: etcd's `--max-request-bytes`.
pub const OBJECT_BYTES_MAX: usize = 1_572_864;

/// Objects in the store.
pub const OBJECTS_MAX: usize = 400_000;

/// Events kept for watches that start in the past.
pub const HISTORY_MAX: usize = 2_000;

/// Watches at one time.
pub const WATCHES_MAX: usize = 50_000;

/// Events that wait for one watch, beyond what it began with, before it expires.
pub const WATCH_BACKLOG_MAX: usize = 1_000;

/// Streams at one time.
pub const STREAMS_MAX: usize = 1_000;

/// How long an Event is kept: `--event-ttl`.
pub const EVENT_TTL_SECONDS: u64 = 3_600;
