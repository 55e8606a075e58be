//! `helm`: charts, rendered and installed as releases.
//!
//! The texts are those of Helm v3.18. Charts come from the sandbox's copy of two repositories and
//! from folders. Hooks and dependencies are not there.

mod charts;
mod functions;
mod options;
mod release;
mod releases;
mod render;
mod repo;
mod table;
mod values;
mod wait;

use crate::batch::{Batch, Output, Work};
use naru_shell::{Program, Sys};
use serde_json::Value;

const VERSION: &str = "version.BuildInfo{Version:\"v3.18.4\", \
                       GitCommit:\"d80839cf37d860c8aa9a0503fe463278f26cd5e2\", \
                       GitTreeState:\"clean\", GoVersion:\"go1.24.4\"}";

/// The program.
pub fn program() -> Box<dyn Program> {
    Box::new(Batch::new(Work { reads, run, go_on }))
}

/// What a command gives: what it printed, or what it printed before it failed.
type Done = Result<Output, Output>;

/// `Error: …`, and exit code 1.
fn error(text: impl AsRef<str>) -> Output {
    Output::failed(format!("Error: {}", text.as_ref()))
}

/// Whether values come from standard input: `-f -`.
fn reads(args: &[String]) -> bool {
    options::parse(args).is_ok_and(|flags| flags.values("values").iter().any(|file| file == "-"))
}

fn run(sys: &mut dyn Sys, args: &[String], stdin: &[u8]) -> Output {
    let flags = match options::parse(args) {
        Ok(flags) => flags,
        Err(why) => return error(why),
    };
    let Some(command) = flags.words.first().cloned() else { return help() };
    if flags.is_on("help") {
        return help();
    }
    if let Err(why) = wait::timeout(&flags) {
        return error(why);
    }
    let done = match command.as_str() {
        "version" => {
            let mut output = Output::default();
            output.line(if flags.is_on("short") { "v3.18.4+gd80839c" } else { VERSION });
            Ok(output)
        }
        "help" => Ok(help()),
        "repo" => repo::run(sys, &flags),
        "search" => repo::search(sys, &flags),
        "show" | "inspect" => repo::show(sys, &flags),
        "create" => repo::create(sys, &flags),
        "install" => releases::install(sys, &flags, stdin),
        "upgrade" => releases::upgrade(sys, &flags, stdin),
        "template" => releases::template(sys, &flags, stdin),
        "lint" => releases::lint(sys, &flags),
        "uninstall" | "delete" | "del" | "un" => releases::uninstall(sys, &flags),
        "rollback" => releases::rollback(sys, &flags),
        "list" | "ls" => releases::list(sys, &flags),
        "status" => releases::status(sys, &flags),
        "history" | "hist" => releases::history(sys, &flags),
        "get" => releases::get(sys, &flags),
        name => {
            let mut output = error(format!("unknown command {name:?} for \"helm\""));
            output.error("Run 'helm --help' for usage.");
            Err(output)
        }
    };
    match done {
        Ok(output) | Err(output) => output,
    }
}

/// Goes on with a release that is waited for.
fn go_on(sys: &mut dyn Sys, args: &[String], state: Value) -> Output {
    match options::parse(args) {
        Ok(flags) => match wait::go_on(sys, &flags, &state) {
            Ok(output) | Err(output) => output,
        },
        Err(why) => error(why),
    }
}

fn help() -> Output {
    let mut output = Output::default();
    output.line(
        "The Kubernetes package manager\n\nUsage:\n  helm [command]\n\nAvailable Commands:\n  \
         create      create a new chart with the given name\n  \
         get         download extended information of a named release\n  \
         history     fetch release history\n  \
         install     install a chart\n  \
         lint        examine a chart for possible issues\n  \
         list        list releases\n  \
         repo        add, list, remove, update, and index chart repositories\n  \
         rollback    roll back a release to a previous revision\n  \
         search      search for a keyword in charts\n  \
         show        show information of a chart\n  \
         status      display the status of the named release\n  \
         template    locally render templates\n  \
         uninstall   uninstall a release\n  \
         upgrade     upgrade a release\n  \
         version     print the helm version information",
    );
    output
}
