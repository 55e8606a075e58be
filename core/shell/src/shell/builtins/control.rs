//! Builtins that change what is run next: `exit`, `return`, `break`, `eval`, `.`, `trap`.

use crate::shell::Shell;
use crate::shell::machine::{Frame, Script};
use crate::shell::state::Flavor;
use crate::{Signal, Sys};
use std::sync::Arc;

fn status_argument(shell: &mut Shell, name: &str, args: &[String]) -> i32 {
    match args.first() {
        None => shell.state.status,
        Some(text) => match text.parse::<i64>() {
            Ok(code) => (code & 0xff) as i32,
            Err(_) => {
                let message = match shell.state.flavor {
                    Flavor::Bash => format!("{name}: {text}: numeric argument required"),
                    Flavor::Dash => format!("{name}: Illegal number: {text}"),
                    Flavor::Ash => format!("{name}: Illegal number: {text}"),
                };
                shell.complain(&message);
                2
            }
        },
    }
}

/// `exit [n]`
pub fn exit(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    if shell.has_terminal() {
        shell.print(2, "exit\n");
    }
    let warned = std::mem::take(&mut shell.warned);
    if !shell.may_leave(sys, warned) {
        return Some(1);
    }
    let code = status_argument(shell, "exit", args);
    shell.state.status = code;
    shell.leave(sys, code);
    None
}

/// `return [n]`
pub fn return_from(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    let code = status_argument(shell, "return", args);
    if !shell.leave_function(sys) {
        if shell.state.flavor == Flavor::Bash {
            shell.complain("return: can only `return' from a function or sourced script");
            return Some(2);
        }
        shell.leave(sys, code);
    }
    shell.state.status = code;
    // The function has ended with this status.
    shell.check_errexit(sys);
    None
}

/// `break [n]`, `continue [n]`
pub fn leave_loops(
    shell: &mut Shell,
    sys: &mut dyn Sys,
    args: &[String],
    again: bool,
) -> Option<i32> {
    let name = if again { "continue" } else { "break" };
    let levels = args.first().map_or(Some(1), |text| text.parse::<usize>().ok());
    let Some(levels) = levels.filter(|levels| *levels > 0) else {
        let text = args.first().cloned().unwrap_or_default();
        shell.complain(&format!("{name}: {text}: loop count out of range"));
        return Some(1);
    };
    shell.state.status = 0;
    if !shell.leave_loops(sys, levels, again) && shell.state.flavor == Flavor::Bash {
        shell.complain(&format!("{name}: only meaningful in a `for', `while', or `until' loop"));
    }
    None
}

/// `eval words…`
pub fn eval(shell: &mut Shell, args: &[String]) -> Option<i32> {
    let text = args.join(" ");
    if text.trim().is_empty() {
        return Some(0);
    }
    shell.state.status = 0;
    let line = shell.state.line.max(1);
    shell.push(Frame::Script { text: text.into(), at: 0, line, kind: Script::Eval });
    None
}

/// `. file [words…]`
pub fn source(shell: &mut Shell, sys: &mut dyn Sys, name: &str, args: &[String]) -> Option<i32> {
    let Some((file, rest)) = args.split_first() else {
        shell.complain(&format!("{name}: filename argument required"));
        if shell.state.flavor == Flavor::Bash {
            shell.print(2, format!("{name}: usage: {name} filename [arguments]\n"));
        }
        return Some(2);
    };
    let path = if file.contains('/') {
        sys.absolute(file)
    } else {
        let found = super::find_file_in_path(shell, sys, file);
        found.unwrap_or_else(|| sys.absolute(file))
    };
    match sys.fs().read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut positional = None;
            if !rest.is_empty() {
                let words = Arc::new(rest.to_vec());
                positional = Some(std::mem::replace(&mut shell.state.positional, words));
            }
            shell.state.status = 0;
            let kind = Script::Dot { positional };
            shell.push(Frame::Script { text: text.into(), at: 0, line: 1, kind });
            None
        }
        Err(errno) => {
            let message = match shell.state.flavor {
                Flavor::Bash if errno == crate::Errno::IsDirectory => {
                    format!("{name}: {file}: is a directory")
                }
                Flavor::Bash => format!("{file}: {errno}"),
                Flavor::Dash => format!("{name}: cannot open {file}: No such file"),
                Flavor::Ash => format!("{name}: can't open '{file}': {errno}"),
            };
            shell.complain(&message);
            if shell.state.flavor != Flavor::Bash {
                shell.abort(sys, 2);
                return None;
            }
            Some(1)
        }
    }
}

/// `trap [action] [signals…]`
pub fn trap(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    let args = match args {
        [dashes, rest @ ..] if dashes == "--" => rest,
        args => args,
    };
    let shown = match args {
        [print, names @ ..] if print == "-p" => Some(names),
        [] => Some(args),
        _ => None,
    };
    if let Some(names) = shown {
        let mut traps: Vec<(&String, &String)> = shell.state.traps.iter().collect();
        traps.retain(|(name, _)| {
            names.is_empty() || names.iter().any(|other| parse_condition(other) == Some(name))
        });
        // By number: `EXIT` is 0, and what is no signal comes last.
        let number = |name: &str| match name {
            "EXIT" => 0,
            name => Signal::parse(name).map_or(i32::MAX, Signal::number),
        };
        traps.sort_by_key(|(name, _)| number(name));
        let lines: Vec<String> = traps
            .into_iter()
            .map(|(name, action)| {
                let bash = shell.state.flavor == Flavor::Bash && name != "EXIT" && name != "ERR";
                let prefix = if bash { "SIG" } else { "" };
                format!("trap -- '{}' {prefix}{name}\n", action.replace('\'', "'\\''"))
            })
            .collect();
        shell.print(1, lines.concat());
        return 0;
    }
    let Some((action, mut signals)) = args.split_first() else { return 0 };
    let resets = action == "-" || (signals.is_empty() && parse_condition(action).is_some());
    if action != "-" && resets {
        signals = args;
    }
    let mut status = 0;
    for signal in signals {
        let Some(name) = parse_condition(signal) else {
            let message = match shell.state.flavor {
                Flavor::Bash => format!("trap: {signal}: invalid signal specification"),
                Flavor::Dash => format!("trap: {signal}: bad trap"),
                Flavor::Ash => format!("trap: {signal}: invalid signal specification"),
            };
            shell.complain(&message);
            status = 1;
            continue;
        };
        if resets {
            shell.state.traps.remove(name);
            continue;
        }
        shell.state.traps.insert(name.to_string(), action.clone());
        if let Some(signal) = Signal::parse(name) {
            sys.catch(signal);
        }
    }
    status
}

fn parse_condition(text: &str) -> Option<&'static str> {
    if text == "ERR" {
        return Some("ERR");
    }
    if text == "EXIT" || text == "0" {
        return Some("EXIT");
    }
    Signal::parse(text).map(Signal::name)
}
