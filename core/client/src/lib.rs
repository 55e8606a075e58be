//! What every component of the cluster shares, as `client-go` is shared upstream: the client, the
//! informers' cache, work queues, the reconcile loop and the event recorder.
//!
//! A component is one or more [`Controller`]s in a [`Process`]. It sees the cluster through its
//! [`Cache`], fed by watches, and changes it through its [`Client`]. It never waits: it returns an
//! [`Action`].

mod cache;
mod client;
mod controller;
mod events;
mod leaderelection;
mod process;
mod queue;
mod reflector;
mod renewal;

pub use cache::Cache;
pub use client::Client;
pub use controller::{Action, Context, Controller, Error, Reconcile, Watch};
pub use events::{EventRecorder, EventStyle, EventType, object_reference};
pub use leaderelection::{LeaderElector, Turned};
pub use process::Process;
pub use queue::WorkQueue;
pub use renewal::HeldLease;
