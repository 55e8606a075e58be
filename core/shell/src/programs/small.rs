//! Programs of a few lines: `pwd`, `env`, `hostname`, `basename`, `which`, `kill`, `ps`, …

use super::tool::{Options, Out};
use crate::{DEFAULT_PATH, Errno, Signal, Sys, join};

/// Where a machine says which version of the kernel it has.
const OSRELEASE: &str = "/proc/sys/kernel/osrelease";
/// The version where nothing says it.
const KERNEL: &str = "6.8.0-60-generic";

/// `true`
pub fn yes_indeed(_sys: &mut dyn Sys, _args: &[String], _out: &mut Out) -> i32 {
    0
}

/// `false`
pub fn no_indeed(_sys: &mut dyn Sys, _args: &[String], _out: &mut Out) -> i32 {
    1
}

/// `pwd`
pub fn pwd(sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.line(sys.cwd());
    0
}

/// `printenv [names…]`
pub fn printenv(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    if args.is_empty() {
        for (name, value) in sys.env().iter() {
            out.line(format!("{name}={value}"));
        }
        return 0;
    }
    let mut code = 0;
    for name in args {
        match sys.env().get(name) {
            Some(value) => out.line(value),
            None => code = 1,
        }
    }
    code
}

/// `hostname [-f|-s|-i]`
pub fn hostname(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    if let Some(name) = args.first().filter(|arg| !arg.starts_with('-')) {
        if sys.set_hostname(name).is_ok() {
            return 0;
        }
        out.error(match super::tool::is_busybox(sys) {
            true => "hostname: sethostname: Operation not permitted",
            false => "hostname: you must be root to change the host name",
        });
        return 1;
    }
    let name = sys.hostname().to_string();
    if args.iter().any(|arg| arg == "-i" || arg == "-I") {
        let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
        let line = hosts.lines().find(|line| line.split_whitespace().skip(1).any(|n| n == name));
        let address = line.and_then(|line| line.split_whitespace().next());
        match address {
            Some(address) => out.line(address),
            None => {
                out.error("hostname: Name or service not known");
                return 1;
            }
        }
        return 0;
    }
    if args.iter().any(|arg| arg == "-f") {
        let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
        let names = |line: &str| {
            let words = line.split('#').next().unwrap_or_default().split_whitespace();
            words.skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut lines = hosts.lines().map(names);
        let own = lines.find(|names| names.contains(&name));
        out.line(own.and_then(|names| names.into_iter().next()).unwrap_or(name));
    } else if args.iter().any(|arg| arg == "-s") {
        out.line(name.split('.').next().unwrap_or_default());
    } else if args.iter().any(|arg| arg == "-f" || arg == "--fqdn") {
        // The first name of its line: libc takes that for the true one.
        let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
        let names = hosts.lines().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
        let own = names.into_iter().find(|names| names.iter().any(|own| *own == name));
        out.line(own.and_then(|names| names.first().copied()).unwrap_or(name.as_str()));
    } else {
        out.line(name);
    }
    0
}

/// `uname [-asnrvmo]`
pub fn uname(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "asnrvmop", &[], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let host = sys.hostname().to_string();
    let release = sys.fs().read_text(OSRELEASE).unwrap_or_else(|_| KERNEL.to_owned());
    let fields = [
        ('s', "Linux"),
        ('n', host.as_str()),
        ('r', release.trim()),
        ('v', "#1 SMP PREEMPT_DYNAMIC"),
        ('m', "x86_64"),
        ('o', "GNU/Linux"),
    ];
    let plain = options.flags.is_empty();
    let shown: Vec<&str> = fields
        .into_iter()
        .filter(|(flag, _)| options.has('a') || options.has(*flag) || (plain && *flag == 's'))
        .map(|(_, text)| text)
        .collect();
    out.line(shown.join(" "));
    0
}

/// `basename name [suffix]`
pub fn basename(_sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let Some(name) = args.first() else {
        out.error("basename: missing operand");
        out.error("Try 'basename --help' for more information.");
        return 1;
    };
    let trimmed = name.trim_end_matches('/');
    let base = if trimmed.is_empty() && !name.is_empty() {
        "/"
    } else {
        trimmed.rsplit('/').next().unwrap_or_default()
    };
    let suffix = args.get(1).map_or("", String::as_str);
    let shorter = base.strip_suffix(suffix).filter(|rest| !rest.is_empty());
    out.line(shorter.unwrap_or(base));
    0
}

/// `dirname names…`
pub fn dirname(_sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    if args.is_empty() {
        out.error("dirname: missing operand");
        out.error("Try 'dirname --help' for more information.");
        return 1;
    }
    for name in args {
        let trimmed = name.trim_end_matches('/');
        let dir = match trimmed.rsplit_once('/') {
            Some((dir, _)) => dir.trim_end_matches('/'),
            None if trimmed.is_empty() && !name.is_empty() => "",
            None => ".",
        };
        out.line(if dir.is_empty() { "/" } else { dir });
    }
    0
}

/// `which names…`
pub fn which(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let path = sys.env().get("PATH").cloned().unwrap_or_else(|| DEFAULT_PATH.to_string());
    let mut code = 0;
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let candidates: Vec<String> = if name.contains('/') {
            vec![name.clone()]
        } else {
            path.split(':').map(|dir| join(dir, name)).collect()
        };
        let found = candidates.into_iter().find(|path| {
            let absolute = sys.absolute(path);
            sys.fs().access(&absolute, 1) && !sys.fs().is_dir(&absolute)
        });
        match found {
            Some(path) => out.line(path),
            None => code = 1,
        }
    }
    code
}

/// `clear`
pub fn clear(_sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.put("\x1b[H\x1b[2J\x1b[3J");
    0
}

/// `nproc`
pub fn nproc(_sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.line("2");
    0
}

/// `kill [-signal] processes…`
pub fn kill(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let mut signal = Some(Signal::Term);
    let mut code = 0;
    let mut rest = args.iter();
    let mut any = false;
    while let Some(arg) = rest.next() {
        let name = match arg.as_str() {
            "-s" | "-n" => rest.next().map(String::as_str).unwrap_or_default(),
            "-l" => {
                let names: Vec<&str> = Signal::ALL.into_iter().map(Signal::name).collect();
                out.line(names.join(" "));
                return 0;
            }
            arg if arg.starts_with('-') && !any => arg.trim_start_matches('-'),
            arg => {
                any = true;
                let result = match arg.parse() {
                    Ok(pid) => match signal {
                        Some(signal) => sys.kill(pid, signal),
                        None if sys.processes().iter().any(|process| process.pid == pid) => Ok(()),
                        None => Err(Errno::NoProcess),
                    },
                    Err(_) => {
                        out.error(format!("kill: failed to parse argument: '{arg}'"));
                        return 1;
                    }
                };
                if let Err(errno) = result {
                    out.error(format!("kill: sending signal to {arg} failed: {errno}"));
                    code = 1;
                }
                continue;
            }
        };
        match Signal::parse(name) {
            Some(parsed) => signal = Some(parsed),
            None if name == "0" => signal = None,
            None => {
                out.error(format!("kill: unknown signal: {name}"));
                return 1;
            }
        }
    }
    if !any {
        out.error("kill: not enough arguments");
        return 1;
    }
    code
}

/// `ps [-ef] [aux]`
pub fn ps(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let flags: String = args.concat();
    let all = flags.contains(['e', 'a', 'x', 'A']);
    let time = |micros: u64| {
        let seconds = micros / 1_000_000;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let mine = sys.processes().iter().find(|process| process.pid == sys.pid()).and_then(|p| p.tty);
    let processes = sys.processes();
    let shown = processes.iter().filter(|process| all || process.tty == mine);
    if flags.contains('u') || flags.contains('f') {
        let title = if flags.contains('u') {
            "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"
        } else {
            "UID          PID    PPID  C STIME TTY          TIME CMD"
        };
        out.line(title);
        for process in shown {
            let user = super::id::user_name(sys, process.uid);
            let tty = process.tty.map_or("?".to_string(), |tty| format!("pts/{}", tty.0));
            let command = process.argv.join(" ");
            let start = super::date::format(process.started, "%H:%M");
            if flags.contains('u') {
                let seconds = process.cpu_micros / 1_000_000;
                out.line(format!(
                    "{user:<8} {:>7}  0.0  0.0   2576  1536 {tty:<8} S    {start} {:>3}:{:02} {command}",
                    process.pid, seconds / 60, seconds % 60
                ));
            } else {
                out.line(format!(
                    "{user:<8} {:>7} {:>7}  0 {start} {tty:<8} {} {command}",
                    process.pid,
                    process.ppid,
                    time(process.cpu_micros)
                ));
            }
        }
        return 0;
    }
    out.line("    PID TTY          TIME CMD");
    for process in shown {
        let name = process.argv.first().map_or("", String::as_str);
        let name = name.rsplit('/').next().unwrap_or(name).trim_start_matches('-');
        let tty = process.tty.map_or("?".to_string(), |tty| format!("pts/{}", tty.0));
        out.line(format!("{:>7} {tty:<8} {} {name}", process.pid, time(process.cpu_micros)));
    }
    0
}

/// `ps` of busybox: every process, whatever the options.
pub fn busybox_ps(sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.line("PID   USER     TIME  COMMAND");
    for process in sys.processes() {
        let user: String = super::id::user_name(sys, process.uid).chars().take(8).collect();
        let (seconds, command) = (process.cpu_micros / 1_000_000, process.argv.join(" "));
        let time = format!("{:>3}:{:02}", seconds / 60, seconds % 60);
        out.line(format!("{:>5} {user:<8} {time} {command}", process.pid));
    }
    0
}

/// `mktemp [-d]`
pub fn mktemp(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut name = "/tmp/tmp.".to_string();
    for _ in 0..10 {
        let at = sys.rng().below(alphabet.len() as u64) as usize;
        name.push(char::from(alphabet.get(at).copied().unwrap_or(b'x')));
    }
    let is_dir = args.iter().any(|arg| arg == "-d");
    let made = if is_dir { sys.fs().mkdir(&name) } else { sys.fs().touch(&name) };
    match made {
        Ok(()) => {
            out.line(name);
            0
        }
        Err(errno) => {
            out.error(format!("mktemp: failed to create file via template '{name}': {errno}"));
            1
        }
    }
}

/// `find [dirs…] [-name p] [-iname p] [-type f|d|l] [-maxdepth n] [-mindepth n] [-empty] [-delete]`
pub fn find(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let first_test =
        args.iter().position(|arg| arg.starts_with(['-', '!', '('])).unwrap_or(args.len());
    let (roots, tests) = args.split_at(first_test);
    let mut conditions = Vec::new();
    let (mut deepest, mut shallowest, mut deletes) = (usize::MAX, 0, false);
    let mut negated = false;
    let mut rest = tests.iter();
    while let Some(test) = rest.next() {
        let test = test.as_str();
        match test {
            "-delete" => deletes = true,
            "-print" | "-depth" | "-a" | "-and" => {}
            "!" | "-not" => negated = true,
            "-empty" => conditions.push((std::mem::take(&mut negated), test, String::new())),
            "-name" | "-iname" | "-type" | "-path" | "-maxdepth" | "-mindepth" => {
                let Some(value) = rest.next() else {
                    out.error(format!("find: missing argument to `{test}'"));
                    return 1;
                };
                match (test, value.parse::<usize>()) {
                    ("-maxdepth", Ok(depth)) => deepest = depth,
                    ("-mindepth", Ok(depth)) => shallowest = depth,
                    ("-maxdepth" | "-mindepth", Err(_)) => {
                        out.error(format!("find: Expected a positive decimal integer argument to {test}, but got ‘{value}’"));
                        return 1;
                    }
                    _ => conditions.push((std::mem::take(&mut negated), test, value.clone())),
                }
            }
            other => {
                out.error(format!("find: unknown predicate `{other}'"));
                return 1;
            }
        }
    }
    let mut pending: Vec<(String, usize)> =
        roots.iter().rev().map(|root| (root.clone(), 0)).collect();
    if roots.is_empty() {
        pending.push((".".to_string(), 0));
    }
    let mut code = 0;
    let mut found = Vec::new();
    while let Some((path, depth)) = pending.pop() {
        let absolute = sys.absolute(&path);
        let stat = match sys.fs().lstat(&absolute) {
            Ok(stat) => stat,
            Err(errno) => {
                out.error(format!("find: ‘{path}’: {errno}"));
                code = 1;
                continue;
            }
        };
        if stat.is_dir() && depth < deepest {
            match sys.fs().list(&absolute) {
                Ok(entries) => {
                    let below = entries.iter().rev();
                    pending.extend(below.map(|e| (join(&path, &e.name), depth + 1)));
                }
                Err(errno) => {
                    out.error(format!("find: ‘{path}’: {errno}"));
                    code = 1;
                }
            }
        }
        let fits = conditions.iter().all(|(negated, test, value)| {
            fits(sys, &path, &absolute, &stat, test, value) != *negated
        });
        if depth >= shallowest && fits {
            found.push((path, absolute));
        }
    }
    for (path, absolute) in found.iter().rev().filter(|_| deletes) {
        if let Err(errno) = sys.fs().remove(absolute) {
            out.error(format!("find: cannot delete ‘{path}’: {errno}"));
            code = 1;
        }
    }
    if !deletes {
        found.iter().for_each(|(path, _)| out.line(path));
    }
    code
}

fn fits(
    sys: &mut dyn Sys,
    path: &str,
    absolute: &str,
    stat: &crate::Stat,
    test: &str,
    value: &str,
) -> bool {
    use crate::FileType;
    let base = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    match test {
        "-name" => crate::shell::Pattern::parse(value).matches(base),
        "-iname" => {
            crate::shell::Pattern::parse(&value.to_lowercase()).matches(&base.to_lowercase())
        }
        "-path" => crate::shell::Pattern::parse(value).matches(path),
        "-type" => match value {
            "f" => stat.kind == FileType::File,
            "d" => stat.kind == FileType::Directory,
            "l" => stat.kind == FileType::Symlink,
            "c" => stat.kind == FileType::Device,
            "b" => stat.kind == FileType::BlockDevice,
            "s" => stat.kind == FileType::Socket,
            _ => false,
        },
        _ if stat.is_dir() => sys.fs().list(absolute).is_ok_and(|entries| entries.is_empty()),
        _ => stat.size == 0,
    }
}
