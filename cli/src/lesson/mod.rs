//! `naru lesson`: lessons without the page.

mod against;
mod check;
mod course;
mod elsewhere;
mod library;
mod new;
mod play;

use clap::{Args, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// Arguments of `naru lesson`.
#[derive(Args)]
pub struct Lesson {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play lessons by themselves, and say what is wrong with them.
    Check(check::Check),
    /// Begin a lesson: write a file to fill in.
    New(new::New),
    /// Play a lesson in this terminal.
    Play(play::Play),
    /// Write docs/course.md anew: which lesson teaches which heading of the five texts.
    Course(course::Course),
    /// Print the JSON Schema of lesson files, for editors.
    Schema,
}

impl Lesson {
    /// Does it.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::New(new) => new.run(),
            Command::Play(play) => play.run(),
            Command::Course(course) => course.run(),
            Command::Schema => {
                println!("{}", serde_json::to_string_pretty(&naru_lesson::schema())?);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
