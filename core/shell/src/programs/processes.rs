//! `pgrep`, `pkill` and `killall`: processes by their names.

use super::tool::Out;
use crate::{Signal, Sys};

fn named(sys: &mut dyn Sys, pattern: &str, whole: bool, full: bool) -> Result<Vec<u32>, String> {
    let pattern = match whole {
        true => format!("^{}$", super::regex::escape(pattern)),
        false => pattern.to_owned(),
    };
    let regex = super::regex::compile(&pattern, true, false)?;
    let own = sys.pid();
    let all = sys.processes().into_iter().filter(|process| process.pid != own);
    let fits = all.filter(|process| {
        let first = process.argv.first().map(String::as_str).unwrap_or_default();
        let name = first.rsplit('/').next().unwrap_or(first);
        if full { regex.is_match(&process.argv.join(" ")) } else { regex.is_match(name) }
    });
    Ok(fits.map(|process| process.pid).collect())
}

/// What the arguments ask for: a signal, flags, and names.
fn parse(args: &[String]) -> Result<(Signal, String, Vec<String>), String> {
    let (mut signal, mut flags, mut names) = (Signal::Term, String::new(), Vec::new());
    for arg in args {
        match arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            Some(rest) => match Signal::parse(rest) {
                Some(found) => signal = found,
                None => flags.push_str(rest),
            },
            None => names.push(arg.clone()),
        }
    }
    match names.is_empty() {
        true => Err("no matching criteria specified".to_owned()),
        false => Ok((signal, flags, names)),
    }
}

/// `pgrep [-fl] pattern`
pub fn pgrep(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let found = parse(args).and_then(|(_, flags, names)| {
        let pattern = names.first().cloned().unwrap_or_default();
        named(sys, &pattern, flags.contains('x'), flags.contains('f'))
    });
    match found {
        Ok(pids) => {
            for pid in &pids {
                out.line(pid.to_string());
            }
            i32::from(pids.is_empty())
        }
        Err(why) => {
            out.error(format!("pgrep: {why}"));
            2
        }
    }
}

/// `pkill [-SIGNAL] [-f] pattern`
pub fn pkill(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let found = parse(args).and_then(|(signal, flags, names)| {
        let pattern = names.first().cloned().unwrap_or_default();
        let pids = named(sys, &pattern, flags.contains('x'), flags.contains('f'))?;
        Ok((signal, pids))
    });
    match found {
        Ok((signal, pids)) => {
            for pid in &pids {
                if let Err(errno) = sys.kill(*pid, signal) {
                    out.error(format!("pkill: killing pid {pid} failed: {errno}"));
                }
            }
            i32::from(pids.is_empty())
        }
        Err(why) => {
            out.error(format!("pkill: {why}"));
            2
        }
    }
}

/// `killall [-SIGNAL] name…`
pub fn killall(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let (signal, _, names) = match parse(args) {
        Ok(parsed) => parsed,
        Err(_) => {
            out.error("Usage: killall [OPTION]... [--] NAME...");
            return 1;
        }
    };
    let mut code = 0;
    for name in names {
        let pids = named(sys, &name, true, false).unwrap_or_default();
        if pids.is_empty() {
            out.error(format!("{name}: no process found"));
            code = 1;
        }
        for pid in pids {
            if let Err(errno) = sys.kill(pid, signal) {
                out.error(format!("{name}({pid}): {errno}"));
                code = 1;
            }
        }
    }
    code
}
