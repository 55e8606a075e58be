//! What tells of the machine: `arch`, `du`, `pgrep`, `pkill`, `killall`, `realpath`, `sync`, `tty`.

use super::tool::{Options, Out, program_name};
use crate::{FileType, Signal, Sys, join};

/// Deepest directory that `du` goes to, and most entries.
const ENTRIES_MAX: usize = 100_000;

/// `arch`
pub fn arch(_sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.line("x86_64");
    0
}

/// `sync`
pub fn sync(_sys: &mut dyn Sys, _args: &[String], _out: &mut Out) -> i32 {
    0
}

/// `tty`
pub fn tty(sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    let mine = sys.processes().iter().find(|process| process.pid == sys.pid()).and_then(|p| p.tty);
    match mine.filter(|_| sys.is_tty(0)) {
        Some(tty) => out.line(format!("/dev/pts/{}", tty.0)),
        None => {
            out.line("not a tty");
            return 1;
        }
    }
    0
}

/// Kibibytes as `-h` shows them.
fn human(kib: u64) -> String {
    let (mut value, mut units) = (kib as f64, "KMGT".chars());
    let mut unit = units.next().unwrap_or('K');
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1024.0, next);
    }
    match value {
        0.0 => "0".to_string(),
        value if value < 10.0 => format!("{:.1}{unit}", (value * 10.0).ceil() / 10.0),
        value => format!("{:.0}{unit}", value.ceil()),
    }
}

/// `du [-shac] [paths…]`
pub fn du(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("human-readable", 'h'), ("summarize", 's'), ("all", 'a')];
    let options = match Options::parse(sys, args, "shacd:k", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let roots = match options.operands.as_slice() {
        [] => vec![".".to_string()],
        roots => roots.to_vec(),
    };
    let shown = |kib: u64| if options.has('h') { human(kib) } else { kib.to_string() };
    let (mut code, mut total) = (0, 0);
    for root in roots {
        match usage(sys, &root) {
            Ok(rows) => {
                for (path, kib, is_dir) in &rows {
                    let wanted =
                        if options.has('s') { path == &root } else { *is_dir || options.has('a') };
                    if wanted || path == &root {
                        out.line(format!("{}\t{path}", shown(*kib)));
                    }
                }
                total += rows.last().map_or(0, |(_, kib, _)| *kib);
            }
            Err(message) => {
                out.error(format!("du: {message}"));
                code = 1;
            }
        }
    }
    if options.has('c') {
        out.line(format!("{}\ttotal", shown(total)));
    }
    code
}

/// Paths below and with `root`, each with the kibibytes that are in it, what is inside first.
fn usage(sys: &mut dyn Sys, root: &str) -> Result<Vec<(String, u64, bool)>, String> {
    let absolute = sys.absolute(root);
    let stat =
        sys.fs().lstat(&absolute).map_err(|errno| format!("cannot access '{root}': {errno}"))?;
    let blocks = |bytes: u64| bytes.div_ceil(4096) * 4;
    let mut pending = vec![(root.to_string(), absolute, stat.is_dir())];
    let mut order = Vec::new();
    while let Some((path, absolute, is_dir)) = pending.pop() {
        let size = match is_dir {
            true => 4096,
            false => sys.fs().lstat(&absolute).map_or(0, |stat| stat.size),
        };
        if is_dir {
            for entry in sys.fs().list(&absolute).unwrap_or_default() {
                let below = join(&absolute, &entry.name);
                let is_dir =
                    sys.fs().lstat(&below).is_ok_and(|stat| stat.kind == FileType::Directory);
                pending.push((join(&path, &entry.name), below, is_dir));
            }
        }
        order.push((path, blocks(size), is_dir));
        if order.len() > ENTRIES_MAX {
            return Err(format!("{root}: too many files"));
        }
    }
    // Parents come before what is in them: add up from behind.
    order.reverse();
    let mut sums: Vec<(String, u64, bool)> = Vec::new();
    let mut open: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for (path, own, is_dir) in order {
        let kib = own + open.remove(&path).unwrap_or(0);
        if let Some((parent, _)) = path.rsplit_once('/').filter(|_| path != root) {
            *open.entry(parent.to_string()).or_default() += kib;
        }
        sums.push((path, kib, is_dir));
    }
    Ok(sums)
}

/// `realpath paths…`
pub fn realpath(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let paths: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    if paths.is_empty() {
        out.error("realpath: missing operand");
        out.error("Try 'realpath --help' for more information.");
        return 1;
    }
    let mut code = 0;
    for path in paths {
        let absolute = sys.absolute(path);
        match sys.fs().real_path(&absolute) {
            Ok(path) => out.line(path),
            Err(errno) => {
                out.error(format!("realpath: {path}: {errno}"));
                code = 1;
            }
        }
    }
    code
}

/// `pgrep [-lf] pattern`, `pkill [-signal] [-f] pattern`, `killall [-signal] names…`
pub fn by_name(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let program = program_name(sys);
    let mut signal = Signal::Term;
    let (mut full, mut long, mut names) = (false, false, Vec::new());
    for arg in args {
        match arg.strip_prefix('-') {
            Some("f") => full = true,
            Some("l" | "a") => long = true,
            Some(name) => match Signal::parse(name) {
                Some(parsed) => signal = parsed,
                None => {
                    out.error(format!("{program}: invalid option -- '{name}'"));
                    return 2;
                }
            },
            None => names.push(arg.as_str()),
        }
    }
    if names.is_empty() {
        out.error(format!("{program}: no matching criteria specified"));
        return 2;
    }
    let me = sys.pid();
    let mut found = false;
    for process in sys.processes().into_iter().filter(|process| process.pid != me) {
        let command = process.argv.join(" ");
        let first = process.argv.first().map_or("", String::as_str);
        let name = first.rsplit('/').next().unwrap_or(first);
        let fits = names.iter().any(|wanted| match (program.as_str(), full) {
            ("killall", _) => name == *wanted,
            (_, true) => command.contains(wanted),
            (_, false) => name.contains(wanted),
        });
        if !fits {
            continue;
        }
        found = true;
        match (program.as_str(), long) {
            ("pgrep", true) => out.line(format!("{} {name}", process.pid)),
            ("pgrep", false) => out.line(process.pid.to_string()),
            _ => {
                if let Err(errno) = sys.kill(process.pid, signal) {
                    out.error(format!("{program}: killing pid {} failed: {errno}", process.pid));
                }
            }
        }
    }
    if !found && program == "killall" {
        names.iter().for_each(|name| out.error(format!("{name}: no process found")));
    }
    i32::from(!found)
}
