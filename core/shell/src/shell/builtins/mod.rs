//! What the shell does itself.

pub(super) mod condition;
mod control;
mod jobs;
mod options;
pub(super) mod read;
mod variables;
mod words;

use super::Shell;
use super::state::{Flavor, State};
use crate::{DEFAULT_PATH, Sys, join};

pub(super) use variables::declared;
pub(crate) use words::quote;
pub(super) use words::{find_file_in_path, find_program};

/// The special builtins of POSIX: in dash and ash, assignments before them stay, and errors in
/// them end a script.
const SPECIAL: [&str; 14] = [
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
    "shift", "trap", "unset",
];

/// The others, in every shell.
const COMMON: [&str; 29] = [
    "[", "alias", "bg", "cd", "command", "echo", "false", "fg", "getopts", "hash", "help", "jobs",
    "kill", "let", "local", "printf", "pwd", "read", "test", "times", "true", "type", "ulimit",
    "umask", "unalias", "wait", "history", "source", "chdir",
];

/// Those of bash alone.
const BASH: [&str; 9] =
    ["builtin", "declare", "typeset", "shopt", "dirs", "logout", "disown", "mapfile", "readarray"];

/// Whether the name is a special builtin.
pub(super) fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

/// Whether the name is a builtin of this shell.
pub(super) fn is_builtin(name: &str, flavor: Flavor) -> bool {
    match name {
        "source" | "history" | "let" | "help" => flavor != Flavor::Dash,
        "chdir" => flavor != Flavor::Bash,
        name => {
            is_special(name)
                || COMMON.contains(&name)
                || (flavor == Flavor::Bash && BASH.contains(&name))
        }
    }
}

/// Every builtin of this shell.
pub(super) fn names(flavor: Flavor) -> impl Iterator<Item = &'static str> {
    SPECIAL.into_iter().chain(COMMON).chain(BASH).filter(move |name| is_builtin(name, flavor))
}

/// Whether arguments like `name=value` of this command are treated as assignments.
pub(super) fn declares(name: &str) -> bool {
    matches!(name, "export" | "readonly" | "local" | "declare" | "typeset" | "alias")
}

/// Runs a builtin. `None`: it has left frames that set the status, or changed the stack.
pub(super) fn run(shell: &mut Shell, sys: &mut dyn Sys, words: &[String]) -> Option<i32> {
    let (name, args) = words.split_first()?;
    match name.as_str() {
        ":" | "true" | "times" | "hash" | "ulimit" => Some(0),
        "false" => Some(1),
        "echo" => {
            let bytes = crate::programs::echo::text(args, shell.state.flavor != Flavor::Dash);
            shell.print(1, bytes);
            Some(0)
        }
        "printf" => Some(printf(shell, args)),
        "test" | "[" => Some(test(shell, sys, name, args)),
        "cd" | "chdir" => Some(words::cd(shell, sys, args)),
        "pwd" => {
            let cwd = shell.state.get("PWD").unwrap_or(sys.cwd()).to_string();
            shell.print(1, format!("{cwd}\n"));
            Some(0)
        }
        "umask" => {
            shell.print(1, "0022\n");
            Some(0)
        }
        "dirs" => {
            let cwd = sys.cwd().to_string();
            shell.print(1, format!("{cwd}\n"));
            Some(0)
        }
        "export" => Some(variables::export(shell, args)),
        "readonly" => Some(variables::readonly(shell, args)),
        "local" => Some(variables::local(shell, args)),
        "declare" | "typeset" => Some(variables::declare(shell, args)),
        "unset" => Some(variables::unset(shell, args)),
        "shift" => variables::shift(shell, sys, args),
        "getopts" => Some(variables::getopts(shell, args)),
        "let" => Some(variables::calculate(shell, args)),
        "read" => read::start(shell, sys, args),
        "mapfile" | "readarray" => read::lines(shell, args),
        "set" => Some(options::set(shell, args)),
        "shopt" => Some(options::shopt(shell, args)),
        "alias" => Some(words::alias(shell, args)),
        "unalias" => Some(words::unalias(shell, args)),
        "type" => Some(words::type_of(shell, sys, args)),
        "command" | "builtin" => words::command(shell, sys, name, args),
        "history" => Some(words::history(shell, args)),
        "help" => {
            let all: Vec<&str> = names(shell.state.flavor).collect();
            shell.print(1, format!("Built-in commands:\n{}\n", all.join(" ")));
            Some(0)
        }
        "exit" | "logout" => control::exit(shell, sys, args),
        "return" => control::return_from(shell, sys, args),
        "break" => control::leave_loops(shell, sys, args, false),
        "continue" => control::leave_loops(shell, sys, args, true),
        "eval" => control::eval(shell, args),
        "." | "source" => control::source(shell, sys, name, args),
        "trap" => Some(control::trap(shell, sys, args)),
        "wait" => jobs::wait(shell, sys, args),
        "jobs" => Some(jobs::list(shell, sys, args)),
        "fg" => jobs::foreground(shell, sys, args),
        "bg" => Some(jobs::background(shell, sys, args)),
        "disown" => Some(jobs::disown(shell, args)),
        "kill" => Some(jobs::kill(shell, sys, args)),
        // `exec` is run before it comes here.
        _ => Some(0),
    }
}

fn printf(shell: &mut Shell, args: &[String]) -> i32 {
    let args = match args {
        [option, name, rest @ ..] if option == "-v" && shell.state.flavor == Flavor::Bash => {
            let printed = crate::programs::printf::format(rest);
            let text = String::from_utf8_lossy(&printed.bytes).into_owned();
            return match shell.state.set(name, text) {
                Ok(()) => printed.code,
                Err(message) => {
                    shell.complain(&message);
                    1
                }
            };
        }
        args => args,
    };
    if args.is_empty() {
        let usage = match shell.state.flavor {
            Flavor::Bash => "printf: usage: printf [-v var] format [arguments]\n".to_string(),
            _ => "usage: printf format [arg ...]\n".to_string(),
        };
        shell.print(2, usage);
        return 2;
    }
    let printed = crate::programs::printf::format(args);
    shell.print(1, printed.bytes);
    for error in printed.errors {
        let error = match shell.state.flavor {
            Flavor::Dash => error.replace(": invalid number", ": expected numeric value"),
            _ => error,
        };
        shell.complain(&format!("printf: {error}"));
    }
    printed.code
}

fn test(shell: &mut Shell, sys: &mut dyn Sys, name: &str, args: &[String]) -> i32 {
    let args = match (name, args) {
        ("[", [inner @ .., last]) if last == "]" => inner,
        ("[", _) => {
            let bracket = if shell.state.flavor == Flavor::Bash { "`]'" } else { "]" };
            shell.complain(&format!("[: missing {bracket}"));
            return 2;
        }
        (_, args) => args,
    };
    let fds: Vec<(u32, u32)> = shell.child_fds();
    match crate::programs::test::evaluate(sys, args, &fds) {
        Ok(holds) => i32::from(!holds),
        Err(message) => {
            let number = message.strip_suffix(": integer expression expected");
            let message = match (shell.state.flavor, number) {
                (Flavor::Dash, Some(number)) => format!("{name}: Illegal number: {number}"),
                (Flavor::Ash, Some(number)) => format!("{number}: bad number"),
                _ => format!("{name}: {message}"),
            };
            shell.complain(&message);
            2
        }
    }
}

/// The directories of `PATH`.
pub(super) fn path_dirs(state: &State) -> Vec<String> {
    let path = state.get("PATH").unwrap_or(DEFAULT_PATH);
    path.split(':').map(str::to_string).collect()
}

/// The programs of `PATH` that begin with `prefix`, sorted.
pub(super) fn programs_like(state: &State, sys: &mut dyn Sys, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    for dir in path_dirs(state) {
        for entry in sys.fs().list(&dir).unwrap_or_default() {
            if entry.name.starts_with(prefix) && sys.fs().access(&join(&dir, &entry.name), 1) {
                all.push(entry.name);
            }
        }
    }
    all.sort();
    all.dedup();
    all
}
