//! The API server: request → authenticate → authorize → admit → validate → store → watch.
//!
//! Only this crate touches the store. A verb is one file: [`create`], [`update`], [`delete`],
//! [`patch`], [`read`].

mod admit;
mod aggregated;
mod allocate;
mod apiservices;
mod authenticate;
mod authorize;
mod binding;
mod compact;
mod continue_token;
mod crd;
mod create;
mod decode;
mod delete;
mod etcd;
mod flowcontrol;
mod granted;
pub mod identity;
mod ipaddresses;
mod keys;
pub mod limits;
pub mod list_options;
mod managed;
mod measured;
mod metadata;
mod patch;
mod patched_metadata;
mod publish;
mod read;
mod renew;
pub mod rest;
mod reviews;
mod server;
mod standing;
pub mod store;
mod streams;
mod subresource;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod update;
mod versions;
mod watch;
mod watches;

pub use authenticate::{AuthenticationConfig, StaticToken};
pub use authorize::{AuthorizationMode, Permission, PermissionFor};
pub use server::{ApiServer, etcd_timed_out};
pub use store::Change;
pub use streams::StreamMark;
