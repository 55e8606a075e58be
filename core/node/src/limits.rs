//! Limits of one node.

/// Container runs of one `advance`; what is more goes on at the same moment with the next call.
pub const RUNS_PER_ADVANCE_MAX: usize = 10_000;
/// Pods that a node takes. Upstream: `maxPods`.
pub const PODS_MAX: u32 = 110;
/// Streams (exec, attach, logs) of one node at once.
pub const STREAMS_MAX: usize = 256;
