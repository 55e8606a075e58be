//! The native binary `naru`.

mod run;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Kubernetes for learning, in virtual time.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a script of the terminal's language; `sleep 30` takes no time at all.
    Run(run::Run),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(run) => run.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("naru: {error}");
        ExitCode::FAILURE
    })
}
