//! Suites that cross crates: what they share. The tests themselves are beside this file.

mod codeblocks;
mod transcript;

pub use codeblocks::{CodeBlock, code_blocks};
pub use transcript::{Case, Outcome, Transcript, compare, find, play};
