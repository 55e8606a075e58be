//! The native binary `naru`.

mod bench;
mod lesson;
mod openapi;
mod run;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A cluster is many small things that come and go: the system's allocator takes a fifth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Run a script, and explain an object at its end: why it is there, and why a pod is on its node.
    Why(run::Why),
    /// Measure how fast this program is on this machine.
    Bench(bench::Bench),
    /// Check, play and begin lessons.
    Lesson(lesson::Lesson),
    /// Serve the cluster's API over HTTP: to kubectl, client libraries, controllers.
    Serve(serve::Serve),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Why(why) => why.run(),
        Command::Bench(bench) => bench.run(),
        Command::Lesson(lesson) => lesson.run(),
        Command::Serve(serve) => serve.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("naru: {error}");
        ExitCode::FAILURE
    })
}
