//! The scheduler: queue, framework, one file per plugin.
//!
//! A pod without a node waits in the [`queue`]; one decision ([`cycle`]) asks the [`plugins`] at
//! the points which the [`framework`] names, and is kept ([`decision`]) so that it can be told
//! why.

mod affinity;
mod cycle;
mod decision;
mod framework;
mod known;
mod nodes;
mod nominator;
mod plugins;
mod queue;
mod resources;
mod scheduler;
#[cfg(test)]
mod testing;
mod waiting;

pub use cycle::{NodeScores, Points};
pub use decision::{DECISION_NODES_MAX, DECISIONS_MAX, Decision, Decisions};
pub use scheduler::Scheduler;
