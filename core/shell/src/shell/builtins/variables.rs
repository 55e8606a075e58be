//! `export`, `readonly`, `local`, `declare`, `unset`, `shift`, `getopts`, `let`.

use crate::Sys;
use crate::shell::Shell;
use crate::shell::arith;
use crate::shell::array::Value;
use crate::shell::parse::is_name;
use crate::shell::state::{Flavor, Variable};
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
    if let Some(at) = shell.given_arrays.iter().position(|array| array.name == name) {
        let array = shell.given_arrays.remove(at);
        if let Err(message) = shell.state.set_array(name, array.elements, append) {
            shell.complain(&message);
            return Err(());
        }
        return Ok(name.to_string());
    }
    if let Some(value) = value {
        let before = if append { shell.state.text(name).to_string() } else { String::new() };
        if let Err(message) = shell.state.set(name, format!("{before}{value}")) {
            shell.complain(&message);
            return Err(());
        }
    }
    shell.state.variables_mut().entry(name.to_string()).or_default();
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
    set: impl Fn(&mut Variable, bool),
    is_set: impl Fn(&Variable) -> bool,
) -> i32 {
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let on = !args.iter().any(|arg| arg == "-n");
    if names.is_empty() {
        let lines: Vec<String> = shell
            .state
            .variables
            .iter()
            .filter(|(_, variable)| is_set(variable))
            .map(|(name, variable)| {
                let value = variable.text();
                match shell.state.flavor {
                    Flavor::Bash => declaration(name, variable),
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
                if let Some(variable) = shell.state.variables_mut().get_mut(&name) {
                    set(variable, on);
                }
            }
            Err(()) => status = 1,
        }
    }
    status
}

/// The line by which bash would declare the variable anew.
fn declaration(name: &str, variable: &Variable) -> String {
    let mut flags = String::new();
    match &variable.value {
        Some(Value::Indexed(_)) => flags.push('a'),
        Some(Value::Keyed(_)) => flags.push('A'),
        _ => {}
    }
    if variable.readonly {
        flags.push('r');
    }
    if variable.exported {
        flags.push('x');
    }
    if flags.is_empty() {
        flags.push('-');
    }
    let array = variable.value.as_ref().and_then(Value::written);
    let value = array.or_else(|| variable.text().map(declared));
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    format!("declare -{flags} {name}{value}\n")
}

/// A text as `declare -p` quotes it.
pub fn declared(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return ansi_quoted(text);
    }
    format!("\"{}\"", escape(text))
}

/// `$'…'`
fn ansi_quoted(text: &str) -> String {
    let mut quoted = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{1b}' => quoted.push_str("\\E"),
            c if c.is_control() => quoted.push_str(&format!("\\{:03o}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
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

/// `local [-aA…] [name[=value]…]`
pub fn local(shell: &mut Shell, args: &[String]) -> i32 {
    let mut status = 0;
    let flags: String = args.iter().filter(|arg| arg.starts_with('-')).cloned().collect();
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
        if make_array(shell, "local", name, &flags).is_err() || assign(shell, "local", arg).is_err()
        {
            status = 1;
        }
    }
    status
}

/// `declare -p` and its like without names: what has all these flags.
fn list(shell: &mut Shell, flags: &str) {
    let has = |variable: &Variable| {
        flags.chars().all(|flag| match flag {
            'a' => matches!(variable.value, Some(Value::Indexed(_))),
            'A' => matches!(variable.value, Some(Value::Keyed(_))),
            'r' => variable.readonly,
            'x' => variable.exported,
            'f' | 'F' => false,
            _ => true,
        })
    };
    let shown = shell.state.variables.iter().filter(|(_, variable)| has(variable));
    let lines: String = shown.map(|(name, variable)| declaration(name, variable)).collect();
    shell.print(1, lines);
}

/// Makes the variable an array where `-a` or `-A` says so. `Err` was said.
fn make_array(shell: &mut Shell, command: &str, name: &str, flags: &str) -> Result<(), ()> {
    if shell.state.flavor != Flavor::Bash || !is_name(name) || !flags.contains(['a', 'A']) {
        return Ok(());
    }
    shell.state.make_array(name, flags.contains('A')).map_err(|message| {
        shell.complain(&format!("{command}: {message}"));
    })
}

/// `declare [-aAxrp…] [name[=value]…]`
pub fn declare(shell: &mut Shell, args: &[String]) -> i32 {
    let flags: String = args.iter().filter(|arg| arg.starts_with('-')).cloned().collect();
    let mut status = 0;
    if args.iter().all(|arg| arg.starts_with('-')) {
        list(shell, &flags);
    }
    for arg in args.iter().filter(|arg| !arg.starts_with('-')) {
        let name = arg.split('=').next().unwrap_or_default().trim_end_matches('+');
        if flags.contains('p') {
            match shell.state.variables.get(name) {
                Some(variable) => shell.print(1, declaration(name, variable)),
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
        let made = make_array(shell, "declare", name, &flags);
        match made.and_then(|()| assign(shell, "declare", arg)) {
            Ok(name) => {
                if let Some(variable) = shell.state.variables_mut().get_mut(&name) {
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
            name if name.ends_with(']') && shell.state.flavor == Flavor::Bash => {
                if let Err(message) = unset_element(shell, name) {
                    shell.complain(&format!("unset: {message}"));
                    status = 1;
                }
            }
            name if shell.state.variables.get(name).is_some_and(|v| v.readonly) => {
                shell.complain(&format!("unset: {name}: cannot unset: readonly variable"));
                status = 1;
            }
            name => {
                if shell.state.variables_mut().remove(name).is_none() {
                    shell.state.functions.remove(name);
                }
            }
        }
    }
    status
}

/// `unset name[subscript]`. `Err` is the message.
fn unset_element(shell: &mut Shell, arg: &str) -> Result<(), String> {
    let (name, brackets) = arg.split_at(arg.find('[').unwrap_or(arg.len()));
    let Some((subscript, "")) = arith::subscript_at(brackets) else {
        return Err(format!("`{arg}': not a valid identifier"));
    };
    match subscript {
        "@" | "*" => {
            shell.state.writable(name)?;
            shell.state.variables_mut().remove(name);
            Ok(())
        }
        subscript => shell.state.unset_element(name, subscript),
    }
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
            None => drop(shell.state.variables_mut().remove(name)),
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
