//! Suites that cross crates: what they share. The tests themselves are beside this file.

mod transcript;

pub use transcript::{Case, Outcome, Transcript, compare, find, play};
