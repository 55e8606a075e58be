//! Programs that use the network, and what they share.

pub mod ab;
pub mod admin;
mod ask;
mod connect;
pub mod curl;
pub mod dig;
pub mod nc;
pub mod nslookup;
pub mod ping;
mod resolver;
pub mod secure;
mod url;
pub mod wget;

pub use connect::Connecting;
pub use resolver::{ResolveError, Resolver};
pub use url::Url;

use naru_sim::Time;

/// What something that may have to wait came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// It is done.
    Done(T),
    /// It waits for the network, until this moment at the latest.
    Waits(Option<Time>),
}

/// The earlier of two moments, where none is never.
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
