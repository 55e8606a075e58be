//! Commands that upstream has and Naru has not yet: each says so.

use crate::command::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::process::Outcome;

const fn unavailable(usage: &'static str, short: &'static str) -> Command {
    Command { usage, short, run, ..Command::EMPTY }
}

/// `expose`
pub static EXPOSE: Command = unavailable("expose", "x");

/// Says that the command is not there yet.
pub fn run(cx: &mut Context<'_>) -> Outcome {
    let path = cx.invocation.command_path();
    Err(Failure::message(format!("{path} is not yet in Naru")))
}
