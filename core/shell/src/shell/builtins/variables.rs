//! `export`, `readonly`, `local`, `declare`, `unset`, `shift`, `getopts`, `let`.

use crate::Sys;
use crate::shell::Shell;
use crate::shell::arith;
use crate::shell::parse::is_name;
use crate::shell::state::Flavor;
use std::sync::Arc;

/// Sets `name=value` or names a variable; gives the name. `Err` was said.
fn assign(shell: &mut Shell, command: &str, arg: &str) -> Result<String, ()> {
    let (name, value) = match arg.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (arg, None),
    };
    let (name, append) = match name.strip_suffix('+') {
        Some(name) => (name, true),
        None => (name, false),
    };
    if !is_name(name) {
        let message = match shell.state.flavor {
            Flavor::Bash => format!("{command}: `{arg}': not a valid identifier"),
            _ => format!("{command}: {arg}: bad variable name"),
        };
        shell.complain(&message);
        return Err(());
    }
    if let Some(value) = value {
        let before = if append { shell.state.text(name).to_string() } else { String::new() };
        if let Err(message) = shell.state.set(name, format!("{before}{value}")) {
            shell.complain(&message);
            return Err(());
        }
    }
    shell.state.variables.entry(name.to_string()).or_default();
    Ok(name.to_string())
}

/// `export [-p] [-n] [name[=value]…]`
pub fn export(shell: &mut Shell, args: &[String]) -> i32 {
    mark(shell, args, "export", |variable, on| variable.exported = on, |variable| variable.exported)
}

/// `readonly [name[=value]…]`
pub fn readonly(shell: &mut Shell, args: &[String]) -> i32 {
    mark(shell, args, "readonly", |variable, _| variable.readonly = true, |v| v.readonly)
}

fn mark(
    shell: &mut Shell,
    args: &[String],
    command: &str,
    set: impl Fn(&mut crate::shell::state::Variable, bool),
    is_set: impl Fn(&crate::shell::state::Variable) -> bool,
) -> i32 {
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let on = !args.iter().any(|arg| arg == "-n");
    if names.is_empty() {
        let flag = if command == "export" { "x" } else { "r" };
        let lines: Vec<String> = shell
            .state
            .variables
            .iter()
            .filter(|(_, variable)| is_set(variable))
            .map(|(name, variable)| {
                let value = variable.value.as_ref();
                match shell.state.flavor {
                    Flavor::Bash => {
                        let value = value.map(|value| format!("=\"{}\"", escape(value)));
                        format!("declare -{flag} {name}{}\n", value.unwrap_or_default())
                    }
                    _ => {
                        let value =
                            value.map(|value| format!("='{}'", value.replace('\'', "'\\''")));
                        format!("{command} {name}{}\n", value.unwrap_or_default())
                    }
                }
            })
            .collect();
        shell.print(1, lines.concat());
        return 0;
    }
    let mut status = 0;
    for arg in names {
        match assign(shell, command, arg) {
            Ok(name) => {
                if let Some(variable) = shell.state.variables.get_mut(&name) {
                    set(variable, on);
                }
            }
            Err(()) => status = 1,
        }
    }
    status
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `local [name[=value]…]`
pub fn local(shell: &mut Shell, args: &[String]) -> i32 {
    let mut status = 0;
    for arg in args.iter().filter(|arg| !arg.starts_with('-')) {
        let name = arg.split('=').next().unwrap_or_default().trim_end_matches('+');
        if is_name(name) && !shell.make_local(name) {
            let message = match shell.state.flavor {
                Flavor::Bash => "local: can only be used in a function",
                _ => "local: not in a function",
            };
            shell.complain(message);
            return 1;
        }
        if assign(shell, "local", arg).is_err() {
            status = 1;
        }
    }
    status
}

/// `declare [-xrp…] [name[=value]…]`
pub fn declare(shell: &mut Shell, args: &[String]) -> i32 {
    let flags: String = args.iter().filter(|arg| arg.starts_with('-')).cloned().collect();
    let mut status = 0;
    for arg in args.iter().filter(|arg| !arg.starts_with('-')) {
        let name = arg.split('=').next().unwrap_or_default().trim_end_matches('+');
        if flags.contains('p') {
            let value = shell.state.get(name).map(|value| format!("=\"{}\"", escape(value)));
            match value {
                Some(value) => shell.print(1, format!("declare -- {name}{value}\n")),
                None => {
                    shell.complain(&format!("declare: {name}: not found"));
                    status = 1;
                }
            }
            continue;
        }
        if is_name(name) && !flags.contains('g') {
            shell.make_local(name);
        }
        match assign(shell, "declare", arg) {
            Ok(name) => {
                if let Some(variable) = shell.state.variables.get_mut(&name) {
                    variable.exported |= flags.contains('x');
                    variable.readonly |= flags.contains('r');
                }
            }
            Err(()) => status = 1,
        }
    }
    status
}

/// `unset [-fv] names…`
pub fn unset(shell: &mut Shell, args: &[String]) -> i32 {
    let mut functions = false;
    let mut status = 0;
    for arg in args {
        match arg.as_str() {
            "-f" => functions = true,
            "-v" => functions = false,
            name if functions => {
                shell.state.functions.remove(name);
            }
            name if shell.state.variables.get(name).is_some_and(|v| v.readonly) => {
                shell.complain(&format!("unset: {name}: cannot unset: readonly variable"));
                status = 1;
            }
            name => {
                if shell.state.variables.remove(name).is_none() {
                    shell.state.functions.remove(name);
                }
            }
        }
    }
    status
}

/// `shift [n]`
pub fn shift(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    let count = args.first().map_or(Ok(1), |text| text.parse::<usize>());
    let Ok(count) = count else {
        let text = args.first().cloned().unwrap_or_default();
        shell.complain(&format!("shift: {text}: numeric argument required"));
        return Some(1);
    };
    if count > shell.state.positional.len() {
        if shell.state.flavor == Flavor::Dash {
            shell.complain("shift: can't shift that many");
            shell.abort(sys, 2);
            return None;
        }
        return Some(1);
    }
    shell.state.positional = Arc::new(shell.state.positional.iter().skip(count).cloned().collect());
    Some(0)
}

/// `getopts options name [words…]`
pub fn getopts(shell: &mut Shell, args: &[String]) -> i32 {
    let [spec, name, words @ ..] = args else {
        shell.complain("getopts: usage: getopts optstring name [arg ...]");
        return 2;
    };
    let words = if words.is_empty() { shell.state.positional.to_vec() } else { words.to_vec() };
    let mut index: usize = shell.state.text("OPTIND").parse().unwrap_or(1).max(1);
    if index == 1 && shell.state.getopts_at > 1 && words.is_empty() {
        shell.state.getopts_at = 0;
    }
    let word = words.get(index - 1).cloned().unwrap_or_default();
    let at = shell.state.getopts_at.max(1);
    let chars: Vec<char> = word.chars().collect();
    let mut result = "?".to_string();
    let mut argument = None;
    let mut message = None;
    let silent = spec.starts_with(':');
    let ends = !word.starts_with('-') || word == "-" || word == "--";
    if ends {
        if word == "--" {
            index += 1;
        }
        shell.state.getopts_at = 0;
    } else {
        let flag = chars.get(at).copied().unwrap_or('?');
        let takes = spec.find(flag).filter(|_| flag != ':');
        let last = at + 1 >= chars.len();
        shell.state.getopts_at = at + 1;
        let with_argument =
            takes.is_some_and(|place| spec.get(place + 1..).is_some_and(|t| t.starts_with(':')));
        if with_argument {
            index += 1;
            shell.state.getopts_at = 0;
            if !last {
                argument = Some(chars.iter().skip(at + 1).collect());
                result = flag.to_string();
            } else if let Some(value) = words.get(index - 1) {
                argument = Some(value.clone());
                index += 1;
                result = flag.to_string();
            } else if silent {
                result = ":".to_string();
                argument = Some(flag.to_string());
            } else {
                message = Some(format!("option requires an argument -- {flag}"));
            }
        } else {
            match takes {
                Some(_) => result = flag.to_string(),
                None if silent => argument = Some(flag.to_string()),
                None => message = Some(format!("illegal option -- {flag}")),
            }
            if last {
                index += 1;
                shell.state.getopts_at = 0;
            }
        }
    }
    if let Some(message) = message {
        let line = match shell.state.flavor {
            Flavor::Dash => {
                let message = message.replace("illegal option -- ", "Illegal option -");
                format!("{}\n", message.replace("option requires an argument -- ", "No arg for -"))
            }
            _ => format!("{}: {message}\n", shell.state.name),
        };
        shell.print(2, line);
    }
    if argument.is_none() && result != "?" && shell.state.flavor == Flavor::Dash {
        argument = Some(String::new());
    }
    let updates = [("OPTIND", Some(index.to_string())), (name, Some(result)), ("OPTARG", argument)];
    for (name, value) in updates {
        match value {
            // These are the script's own variables; a read-only one keeps its value.
            Some(value) => drop(shell.state.set(name, value)),
            None => drop(shell.state.variables.remove(name)),
        }
    }
    i32::from(ends)
}

/// `let expressions…`
pub fn calculate(shell: &mut Shell, args: &[String]) -> i32 {
    let mut last = 0;
    for arg in args {
        match arith::evaluate(&mut shell.state, arg) {
            Ok(value) => last = value,
            Err(message) => {
                shell.complain(&format!("let: {message}"));
                return 1;
            }
        }
    }
    i32::from(last == 0)
}
