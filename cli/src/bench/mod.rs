//! `naru bench`: how fast the whole machine is, one file a measurement.
//!
//! What is measured is real work of the real parts; what a figure includes is told by the
//! description of its command. Figures of two machines, or of a busy one, say little.

mod commands;
mod figures;
mod idle;
mod pods;
mod probes;
mod requests;
mod rules;
mod scaling;
mod schedule;
mod startup;
mod turns;

use clap::{Args, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// Arguments of `naru bench`.
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
    /// Print the figures as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Decides everything that is left to chance.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum What {
    Startup(startup::Startup),
    Schedule(schedule::Schedule),
    Scaling(scaling::Scaling),
    Idle(idle::Idle),
    Probes(probes::Probes),
    Requests(requests::Requests),
    Rules(rules::Rules),
    Commands(commands::Commands),
    Turns(turns::Turns),
}

impl Bench {
    /// Measures, and prints the figures.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let figures = match &self.what {
            What::Startup(bench) => bench.run(self.seed)?,
            What::Schedule(bench) => bench.run(self.seed)?,
            What::Scaling(bench) => bench.run(self.seed)?,
            What::Idle(bench) => bench.run(self.seed)?,
            What::Probes(bench) => bench.run(self.seed)?,
            What::Requests(bench) => bench.run(self.seed)?,
            What::Rules(bench) => bench.run(self.seed)?,
            What::Commands(bench) => bench.run(self.seed)?,
            What::Turns(bench) => bench.run(self.seed)?,
        };
        if self.json {
            println!("{}", figures.json());
        } else {
            print!("{figures}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
