//! Virtual time, the event queue, seeded randomness, causes and limits.
//!
//! Nothing here knows Kubernetes. Everything is a plain value: cloning a [`Queue`], an [`Rng`] or a
//! [`CauseLog`] is a snapshot of it.

mod cause;
pub mod limits;
mod queue;
mod rng;
mod time;

pub use cause::{Cause, CauseId, CauseLog, Outcome};
pub use queue::{Place, Queue};
pub use rng::Rng;
pub use time::Time;
