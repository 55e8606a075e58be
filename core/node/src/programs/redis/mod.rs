//! Redis: a server of keys and values in memory, with replicas, and its client.
//!
//! Upstream: `redis/redis`: `src/server.c`, `src/replication.c`, `src/config.c`, `src/redis-cli.c`.

mod ask;
mod client;
mod commands;
mod config;
mod db;
mod dump;
mod info;
mod link;
mod resp;
mod server;
mod session;

pub use ask::{Ask, AskError};
pub use client::RedisCli;
pub use server::RedisServer;

/// The server's port where nothing else is said.
const PORT: u16 = 6379;
/// Bytes read at once.
const READ_MAX: usize = 16 * 1024;
