//! `wait`, `jobs`, `fg`, `bg`, `disown`, `kill`.

use crate::shell::Shell;
use crate::shell::machine::Frame;
use crate::shell::state::{Flavor, Job};
use crate::{Errno, Pid, Signal, Sys};

/// `wait [job…]`
pub fn wait(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    shell.look_at_jobs(sys);
    let mut pids: Vec<Pid> = Vec::new();
    shell.state.status = 0;
    let next = args.iter().any(|arg| arg == "-n");
    let args: Vec<&String> = args.iter().filter(|arg| *arg != "-n").collect();
    for arg in args.iter().copied() {
        let pid = shell.job_pid(arg);
        match pid.filter(|pid| shell.state.jobs.iter().any(|job| job.pid == *pid)) {
            Some(pid) => pids.push(pid),
            None => {
                if shell.state.flavor == Flavor::Bash {
                    let message = if arg.starts_with('%') {
                        format!("wait: {arg}: no such job")
                    } else {
                        format!("wait: pid {arg} is not a child of this shell")
                    };
                    shell.complain(&message);
                }
                shell.state.status = 127;
            }
        }
    }
    if args.is_empty() {
        pids = shell.state.jobs.iter().map(|job| job.pid).collect();
    }
    if next {
        shell.push(Frame::WaitFor { pids, next });
        return None;
    }
    if !args.is_empty() && pids.is_empty() {
        return Some(shell.state.status);
    }
    // Waiting for all of them succeeds, however they ended.
    if args.is_empty() {
        shell.push(Frame::Script {
            text: ":".into(),
            at: 0,
            line: shell.state.line.max(1),
            kind: crate::shell::machine::Script::Eval,
        });
    }
    shell.push(Frame::WaitFor { pids, next });
    None
}

/// `jobs [-lprs] [jobs…]`
pub fn list(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    shell.look_at_jobs(sys);
    let (options, names): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with('-'));
    let has = |flag: char| options.iter().any(|option| option.contains(flag));
    let mut wanted = Vec::new();
    for name in &names {
        match shell.job_pid(name).filter(|_| name.starts_with('%')) {
            Some(pid) => wanted.push(pid),
            None => {
                shell.complain(&format!("jobs: {name}: no such job"));
                return 1;
            }
        }
    }
    let mut shown: Vec<&Job> = shell.state.jobs.iter().collect();
    shown.retain(|job| names.is_empty() || wanted.contains(&job.pid));
    shown.retain(|job| !has('r') || (job.status.is_none() && job.stopped.is_none()));
    shown.retain(|job| !has('s') || job.stopped.is_some());
    shown.sort_by_key(|job| job.number);
    let line = |job: &&Job| match has('p') {
        true => format!("{}\n", job.group),
        false => shell.job_line(job, has('l')),
    };
    let lines: String = shown.iter().map(line).collect();
    shell.print(1, lines);
    shell.state.jobs.retain(|job| job.status.is_none());
    shell.state.jobs.iter_mut().for_each(|job| job.told |= job.stopped.is_some());
    0
}

/// The place of a job, by its name. `Err` was said.
fn place_of(shell: &mut Shell, command: &str, name: Option<&String>) -> Result<usize, ()> {
    let pid = shell.job_pid(name.map_or("%+", String::as_str));
    let place = shell.state.jobs.iter().position(|job| Some(job.pid) == pid);
    place.ok_or_else(|| {
        let shown = name.map_or("current", String::as_str);
        let message = match (shell.state.flavor, name) {
            (Flavor::Bash, _) => format!("{command}: {shown}: no such job"),
            (_, None) => format!("{command}: No current job"),
            (_, Some(name)) => format!("{command}: No such job: {name}"),
        };
        shell.complain(&message);
    })
}

/// `fg` and `bg` are for a person only. Tells whether it said so.
fn lacks_control(shell: &mut Shell, command: &str) -> bool {
    if !shell.state.interactive {
        shell.complain(&format!("{command}: no job control"));
    }
    !shell.state.interactive
}

/// `fg [job]`
pub fn foreground(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    if lacks_control(shell, "fg") {
        return Some(1);
    }
    shell.look_at_jobs(sys);
    let Ok(at) = place_of(shell, "fg", args.first()) else { return Some(1) };
    let job = shell.state.jobs.remove(at);
    if job.status.is_some() {
        shell.complain("fg: job has terminated");
        return Some(1);
    }
    shell.print(1, format!("{}\n", job.text));
    shell.foreground = (job.text, Some(job.number));
    let pids = job.others.into_iter().chain([job.pid]).collect();
    shell.wait_for_group(sys, pids, job.group);
    // One that runs has nothing to go on with.
    let _ = sys.kill_group(job.group, Signal::Cont);
    None
}

/// `bg [jobs…]`
pub fn background(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    if lacks_control(shell, "bg") {
        return 1;
    }
    shell.look_at_jobs(sys);
    let names: Vec<Option<&String>> =
        if args.is_empty() { vec![None] } else { args.iter().map(Some).collect() };
    let mut status = 0;
    for name in names {
        let Ok(at) = place_of(shell, "bg", name) else {
            status = 1;
            continue;
        };
        let Some(job) = shell.state.jobs.get_mut(at) else { continue };
        if job.stopped.is_none() {
            let number = job.number;
            shell.complain(&format!("bg: job {number} already in background"));
            continue;
        }
        (job.stopped, job.told) = (None, false);
        let group = job.group;
        let (number, text) = (job.number, job.text.clone());
        let mark =
            if shell.job_pid("%+") == shell.job_pid(&format!("%{number}")) { "+" } else { "-" };
        shell.print(1, format!("[{number}]{mark} {text} &\n"));
        let _ = sys.kill_group(group, Signal::Cont);
    }
    status
}

/// `disown [-a] [jobs…]`
pub fn disown(shell: &mut Shell, args: &[String]) -> i32 {
    if args.iter().any(|arg| arg.starts_with("-a")) {
        shell.strays.extend(shell.state.jobs.drain(..).map(|job| job.pid));
        return 0;
    }
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
    for name in names {
        let Ok(at) = place_of(shell, "disown", name) else { return 1 };
        let job = shell.state.jobs.remove(at);
        shell.strays.push(job.pid);
    }
    0
}

/// `kill [-signal] process…`
pub fn kill(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    let mut signal = Some(Signal::Term);
    let mut targets = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let name = match arg.as_str() {
            "-l" => {
                let names: Vec<&str> = Signal::ALL.into_iter().map(Signal::name).collect();
                shell.print(1, format!("{}\n", names.join(" ")));
                return 0;
            }
            "-s" | "-n" => rest.next().cloned().unwrap_or_default(),
            "--" => {
                targets.extend(rest.by_ref().cloned());
                continue;
            }
            arg if arg.starts_with('-') && targets.is_empty() => {
                arg.trim_start_matches('-').to_string()
            }
            arg => {
                targets.push(arg.to_string());
                continue;
            }
        };
        if name == "0" {
            signal = None;
            continue;
        }
        match Signal::parse(&name) {
            Some(parsed) => signal = Some(parsed),
            None => {
                shell.complain(&format!("kill: {name}: invalid signal specification"));
                return 1;
            }
        }
    }
    if targets.is_empty() {
        let usage = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n";
        shell.print(2, usage);
        return 2;
    }
    let mut status = 0;
    for target in targets {
        if let Err(message) = kill_one(shell, sys, &target, signal) {
            shell.complain(&format!("kill: {message}"));
            status = 1;
        }
    }
    status
}

fn kill_one(
    shell: &Shell,
    sys: &mut dyn Sys,
    target: &str,
    signal: Option<Signal>,
) -> Result<(), String> {
    let Some(pid) = shell.job_pid(target.strip_prefix('-').unwrap_or(target)) else {
        return Err(match (target.starts_with('%'), shell.state.flavor) {
            (true, Flavor::Dash) => format!("No such job: {target}"),
            (true, _) => format!("{target}: no such job"),
            (false, Flavor::Dash) => format!("Illegal number: {target}"),
            (false, _) => format!("{target}: arguments must be process or job IDs"),
        });
    };
    let group = shell.state.jobs.iter().find(|job| job.pid == pid && target.starts_with('%'));
    // Without job control its processes are in the shell's own group.
    let group = group.filter(|_| shell.state.interactive).map(|job| job.group);
    let group = group.or_else(|| target.strip_prefix('-').and_then(|group| group.parse().ok()));
    let job = shell.state.jobs.iter().find(|job| job.pid == pid);
    let result = match signal {
        Some(signal) if group.is_some() => {
            let group = group.unwrap_or(pid);
            let sent = sys.kill_group(group, signal);
            // A job that was stopped goes on to its end.
            if matches!(signal, Signal::Term | Signal::Hup)
                && job.is_some_and(|job| job.stopped.is_some())
            {
                let _ = sys.kill_group(group, Signal::Cont);
            }
            sent
        }
        Some(signal) => sys.kill(pid, signal),
        None if sys.processes().iter().any(|process| process.pid == pid) => Ok(()),
        None => Err(Errno::NoProcess),
    };
    result.map_err(|errno| match (shell.state.flavor, errno) {
        (Flavor::Bash, errno) => format!("({pid}) - {errno}"),
        (_, Errno::NoProcess) => Errno::NoProcess.to_string(),
        (_, errno) => errno.to_string(),
    })
}
