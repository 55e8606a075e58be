//! Cassandra, as far as a ring of nodes shows: who is in it, by `nodetool`. It stores nothing.
//!
//! Upstream: `apache/cassandra`, and the image of the documentation's tutorial
//! (`kubernetes/examples`, `cassandra`).

mod node;
mod nodetool;

pub use node::Cassandra;
pub use nodetool::Nodetool;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where nodes tell each other of themselves, where tools ask, where clients connect.
const GOSSIP_PORT: u16 = 7_000;
const TOOL_PORT: u16 = 7_199;
const CLIENT_PORT: u16 = 9_042;
/// Bytes read at once, and of what a connection says.
const READ_MAX: usize = 64 * 1024;

/// What a node tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    host_id: String,
    datacenter: String,
    rack: String,
    /// `N`ormal, `J`oining or `L`eaving.
    state: char,
    /// When it was heard, in seconds of the simulation.
    heard: u64,
}

/// The nodes by their addresses.
type Ring = BTreeMap<String, Member>;
