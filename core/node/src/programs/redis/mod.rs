//! Redis: strings, counters, lists, hashes and sets in memory.

mod client;
mod resp;
mod server;
mod store;

pub use client::RedisCli;
pub use server::RedisServer;

/// The server's port.
const PORT: u16 = 6379;
/// Bytes read at once.
const READ_MAX: usize = 16 * 1024;
