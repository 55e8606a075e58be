//! `cargo xtask`: everything a person or a machine does with this repository besides editing it.
//!
//! Each command sets up what it needs first (see [`setup`]), so that a fresh clone needs no other
//! instruction than the command itself.

mod build;
mod command;
mod npm;
mod perf;
mod project;
mod serve;
mod setup;
mod size;
mod test;

use std::process::ExitCode;

use project::Project;
use serve::Server;

/// What the commands end with when they cannot go on: a message for a person.
pub type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
Sets up the tools, builds, serves and tests Naru.

Usage: cargo xtask COMMAND

  serve [--port N] [--quick]   set up, build, serve dist/ on http://127.0.0.1:8080
  test [--native] [--browser]  set up, run every test, or one half of them
  build [--force] [--quick]    set up, make dist/ (does nothing when nothing changed); quick:
                               sooner, larger, for who works on it
  npm [--test]                 pack dist/ as an npm package, into target/npm/; and use it as others would
  size [--json]                sizes of dist/ and the time until the page answers
  perf [--json]                frames and memory while 1,000 pods start
  setup                        fetch and build the tools only; the others do it by themselves

Tools and stamps are kept in .tools/; remove that folder to start over.

Environment:
  NARU_WASM_TOOLCHAIN=rustup|debian  which compiler makes wasm (chosen by itself when not set)
  NARU_CHROMIUM=PATH                 the browser of the tests
  CHROMEDRIVER=PATH                  its driver
";

fn main() -> ExitCode {
    match run(pico_args::Arguments::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the command line and runs one command.
fn run(mut args: pico_args::Arguments) -> Result<()> {
    if args.contains(["-h", "--help"]) {
        print!("{HELP}");
        return Ok(());
    }
    let command = args.subcommand().map_err(|e| e.to_string())?;
    let project = Project::locate()?;
    match command.as_deref() {
        Some("setup") => {
            finish(args)?;
            setup::for_build(&project)?;
            setup::for_browser_tests(&project)?;
            setup::for_client_tests(&project);
            println!("ready: cargo xtask serve, cargo xtask test");
            Ok(())
        }
        Some("build") => {
            let force = args.contains("--force");
            let mode = mode(&mut args);
            finish(args)?;
            build::run(&project, force, mode)
        }
        Some("serve") => {
            let port = args.opt_value_from_str("--port").map_err(|e| e.to_string())?;
            let mode = mode(&mut args);
            finish(args)?;
            // The port first: that it is taken is better known before minutes of building.
            let server = Server::bind(&project.dist(), port.unwrap_or(serve::DEFAULT_PORT))?;
            build::run(&project, false, mode)?;
            println!("serving dist/ on {} (Ctrl-C ends it)", server.url());
            server.run();
            Ok(())
        }
        Some("test") => {
            let native = args.contains("--native");
            let browser = args.contains("--browser");
            finish(args)?;
            let both = native == browser;
            test::run(&project, test::Parts { native: native || both, browser: browser || both })
        }
        Some("npm") => {
            let test = args.contains("--test");
            finish(args)?;
            npm::run(&project, test)
        }
        Some("size") => {
            let json = args.contains("--json");
            finish(args)?;
            size::run(&project, json)
        }
        Some("perf") => {
            let json = args.contains("--json");
            finish(args)?;
            perf::run(&project, json)
        }
        Some(other) => Err(format!("unknown command \"{other}\" (see cargo xtask --help)")),
        None => Err(format!("which command?\n\n{HELP}")),
    }
}

/// Whether the site is to be small or soon there.
fn mode(args: &mut pico_args::Arguments) -> build::Mode {
    if args.contains("--quick") { build::Mode::Quick } else { build::Mode::Release }
}

/// Refuses arguments that no command took.
fn finish(args: pico_args::Arguments) -> Result<()> {
    match args.finish().as_slice() {
        [] => Ok(()),
        [first, ..] => Err(format!("unexpected argument {first:?} (see cargo xtask --help)")),
    }
}
