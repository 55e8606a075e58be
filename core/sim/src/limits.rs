//! Limits that hold everywhere. A limit of one room lives in that room.

/// Causes kept for `why` and for the diagram.
pub const CAUSES_MAX: usize = 20_000;

/// Events that one moment of virtual time may hold before the machine gives up on it: a loop that
/// never lets time pass would otherwise hang the page.
pub const EVENTS_PER_MOMENT_MAX: u64 = 1_000_000;
