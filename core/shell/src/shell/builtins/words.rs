//! `cd`, `alias`, `type`, `command`, `history`: what names mean.

use crate::shell::Shell;
use crate::shell::simple::Redirects;
use crate::shell::state::{Flavor, State};
use crate::{Sys, join, normalize};

/// `cd [dir]`
pub fn cd(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    let args: Vec<&String> =
        args.iter().filter(|arg| !matches!(arg.as_str(), "-L" | "-P" | "--")).collect();
    if args.len() > 1 && shell.state.flavor == Flavor::Bash {
        shell.complain("cd: too many arguments");
        return 1;
    }
    let (target, says) = match args.first().map(|arg| arg.as_str()) {
        None => match shell.state.get("HOME") {
            Some(home) => (home.to_string(), false),
            None if shell.state.flavor == Flavor::Bash => {
                shell.complain("cd: HOME not set");
                return 1;
            }
            None => return 0,
        },
        Some("-") => match shell.state.get("OLDPWD") {
            Some(old) => (old.to_string(), true),
            None => {
                shell.complain("cd: OLDPWD not set");
                return 1;
            }
        },
        Some(target) => (target.to_string(), false),
    };
    let old = sys.cwd().to_string();
    if let Err(errno) = sys.chdir(&target) {
        let message = match shell.state.flavor {
            Flavor::Bash => format!("cd: {target}: {errno}"),
            Flavor::Dash => format!("cd: can't cd to {target}"),
            Flavor::Ash => format!("cd: can't cd to {target}: {errno}"),
        };
        shell.complain(&message);
        return if shell.state.flavor == Flavor::Dash { 2 } else { 1 };
    }
    let new = sys.cwd().to_string();
    if says {
        shell.print(1, format!("{new}\n"));
    }
    for (name, value) in [("OLDPWD", old), ("PWD", new)] {
        if let Err(message) = shell.state.set(name, value) {
            shell.complain(&message);
        }
    }
    0
}

/// `alias [name[=value]…]`
pub fn alias(shell: &mut Shell, args: &[String]) -> i32 {
    let show = |shell: &Shell, name: &str, value: &str| {
        let value = value.replace('\'', "'\\''");
        match shell.state.flavor {
            Flavor::Bash => format!("alias {name}='{value}'\n"),
            _ => format!("{name}='{value}'\n"),
        }
    };
    if args.iter().all(|arg| arg == "-p") {
        let lines: Vec<String> =
            shell.state.aliases.iter().map(|(name, value)| show(shell, name, value)).collect();
        shell.print(1, lines.concat());
        return 0;
    }
    let mut status = 0;
    for arg in args {
        if let Some((name, value)) = arg.split_once('=').filter(|(name, _)| !name.is_empty()) {
            shell.state.aliases.insert(name.to_string(), value.to_string());
            continue;
        }
        match shell.state.aliases.get(arg) {
            Some(value) => {
                let line = show(shell, arg, value);
                shell.print(1, line);
            }
            None => {
                let message = match shell.state.flavor {
                    Flavor::Bash => format!("alias: {arg}: not found"),
                    _ => format!("alias: {arg} not found"),
                };
                shell.complain(&message);
                status = 1;
            }
        }
    }
    status
}

/// `unalias [-a] names…`
pub fn unalias(shell: &mut Shell, args: &[String]) -> i32 {
    let mut status = 0;
    for arg in args {
        if arg == "-a" {
            shell.state.aliases.clear();
        } else if shell.state.aliases.remove(arg).is_none() {
            shell.complain(&format!("unalias: {arg}: not found"));
            status = 1;
        }
    }
    status
}

/// The path of the program that the name runs.
pub fn find_program(state: &State, sys: &mut dyn Sys, name: &str) -> Option<String> {
    let cwd = sys.cwd().to_string();
    if name.contains('/') {
        let path = normalize(&cwd, name);
        return (sys.fs().access(&path, 1) && !sys.fs().is_dir(&path)).then(|| name.to_string());
    }
    super::path_dirs(state).into_iter().map(|dir| join(&dir, name)).find(|path| {
        let path = normalize(&cwd, path);
        sys.fs().access(&path, 1) && !sys.fs().is_dir(&path)
    })
}

/// The path of the file in `PATH` that `.` reads.
pub fn find_file_in_path(shell: &Shell, sys: &mut dyn Sys, name: &str) -> Option<String> {
    let cwd = sys.cwd().to_string();
    super::path_dirs(&shell.state)
        .into_iter()
        .map(|dir| normalize(&cwd, &join(&dir, name)))
        .find(|path| sys.fs().stat(path).is_ok_and(|stat| !stat.is_dir()))
}

/// `type names…`
pub fn type_of(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    let only_kind = args.iter().any(|arg| arg == "-t");
    let mut status = 0;
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let (kind, text) = if let Some(value) = shell.state.aliases.get(name) {
            match shell.state.flavor {
                Flavor::Bash => ("alias", format!("{name} is aliased to `{value}'")),
                _ => ("alias", format!("{name} is an alias for {value}")),
            }
        } else if crate::shell::parse::is_keyword(name) {
            ("keyword", format!("{name} is a shell keyword"))
        } else if shell.state.functions.contains_key(name) {
            match shell.state.flavor {
                Flavor::Bash => ("function", format!("{name} is a function")),
                _ => ("function", format!("{name} is a shell function")),
            }
        } else if super::is_builtin(name, shell.state.flavor) {
            ("builtin", format!("{name} is a shell builtin"))
        } else if let Some(path) = find_program(&shell.state, sys, name) {
            ("file", format!("{name} is {path}"))
        } else {
            match shell.state.flavor {
                Flavor::Bash if only_kind => {}
                Flavor::Bash => shell.complain(&format!("type: {name}: not found")),
                _ => shell.print(1, format!("{name}: not found\n")),
            }
            status = if shell.state.flavor == Flavor::Bash { 1 } else { 127 };
            continue;
        };
        shell.print(1, format!("{}\n", if only_kind { kind } else { &text }));
    }
    status
}

/// `command [-vV] words…`, `builtin words…`
pub fn command(
    shell: &mut Shell,
    sys: &mut dyn Sys,
    command: &str,
    args: &[String],
) -> Option<i32> {
    match args.first().map(String::as_str) {
        None => Some(0),
        Some("-V") => Some(type_of(shell, sys, args.get(1..).unwrap_or_default())),
        Some("-v") => Some(where_is(shell, sys, args.get(1..).unwrap_or_default())),
        Some(first) => {
            let words = if first == "-p" || first == "--" { args.get(1..) } else { Some(args) };
            let words = words.unwrap_or_default().to_vec();
            let name = words.first()?.clone();
            if super::is_builtin(&name, shell.state.flavor) && name != "exec" {
                return super::run(shell, sys, &words);
            }
            if command == "builtin" {
                shell.complain(&format!("builtin: {name}: not a shell builtin"));
                return Some(1);
            }
            let redirects = Redirects::new(&shell.state.fds);
            shell.run_program(sys, words, redirects, Vec::new());
            None
        }
    }
}

fn where_is(shell: &mut Shell, sys: &mut dyn Sys, names: &[String]) -> i32 {
    let mut status = 0;
    for name in names {
        let shown = if let Some(value) = shell.state.aliases.get(name) {
            Some(format!("alias {name}='{value}'"))
        } else if shell.state.functions.contains_key(name)
            || super::is_builtin(name, shell.state.flavor)
            || crate::shell::parse::is_keyword(name)
        {
            Some(name.clone())
        } else {
            find_program(&shell.state, sys, name)
        };
        match shown {
            Some(shown) => shell.print(1, format!("{shown}\n")),
            None => status = if shell.state.flavor == Flavor::Bash { 1 } else { 127 },
        }
    }
    status
}

/// `history [n]`
pub fn history(shell: &mut Shell, args: &[String]) -> i32 {
    if args.first().is_some_and(|arg| arg == "-c") {
        shell.clear_history();
        return 0;
    }
    let lines = shell.history_lines();
    let count = args.first().and_then(|text| text.parse().ok()).unwrap_or(lines.len());
    let skipped = lines.len().saturating_sub(count);
    let shown: Vec<String> = lines
        .iter()
        .enumerate()
        .skip(skipped)
        .map(|(index, line)| format!("{:>5}  {line}\n", index + 1))
        .collect();
    shell.print(1, shown.concat());
    0
}

/// The text, quoted so that a shell reads it as one word.
pub fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,^".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
