//! Splits a module of WebAssembly by what is run in a trial.
//!
//! ```text
//! naru-split mark MODULE MARKED                   a module that notes what of it is run
//! naru-split split MODULE LINKED MARKS FIRST REST two modules: what was run, and the rest
//! ```
//!
//! LINKED is what the linker made, of which MODULE was made.

mod body;
mod data;
mod liveness;
mod mark;
mod module;
mod outline;
mod split;
mod write;

use std::process::ExitCode;
use std::{env, fs};

use module::Module;

/// The error is a message for a person.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str =
    "naru-split mark MODULE MARKED\nnaru-split split MODULE LINKED MARKS FIRST REST";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    match args {
        ["mark", from, to] => {
            let bytes = read(from)?;
            write(to, &mark::marked(&Module::read(&bytes)?)?)
        }
        ["split", from, linked, marks, first, rest] => {
            let bytes = read(from)?;
            let things = data::Things::read(&read(linked)?)?;
            let outlined = outline::outlined(&Module::read(&bytes)?, &bytes, &read(marks)?)?;
            let module = Module::read(&outlined.bytes)?;
            let halves = split::split(&module, &outlined.called, &things)?;
            write(first, &halves.first)?;
            write(rest, &halves.rest)
        }
        _ => Err(USAGE.to_owned()),
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))
}

fn write(path: &str, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| format!("cannot write {path}: {error}"))
}
