//! `wait`, `jobs`, `fg`, `kill`.

use crate::shell::Shell;
use crate::shell::machine::Frame;
use crate::shell::state::Flavor;
use crate::{Errno, Pid, Signal, Sys};

/// `wait [job…]`
pub fn wait(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    shell.look_at_jobs(sys);
    let mut pids: Vec<Pid> = Vec::new();
    shell.state.status = 0;
    for arg in args.iter().filter(|arg| *arg != "-n") {
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
    } else if pids.is_empty() {
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
    shell.push(Frame::WaitFor { pids });
    None
}

/// `jobs [-l|-p]`
pub fn list(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> i32 {
    shell.look_at_jobs(sys);
    let option = args.first().map(String::as_str);
    let lines: Vec<String> = shell
        .state
        .jobs
        .iter()
        .map(|job| match option {
            Some("-p") => format!("{}\n", job.pid),
            option => shell.job_line(job, option == Some("-l")),
        })
        .collect();
    shell.print(1, lines.concat());
    shell.state.jobs.retain(|job| job.status.is_none());
    0
}

/// `fg [job]`
pub fn foreground(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    let name = args.first().map_or("%+", String::as_str);
    let pid = shell.job_pid(name);
    let Some(at) = shell.state.jobs.iter().position(|job| Some(job.pid) == pid) else {
        let shown = args.first().map_or("current", String::as_str);
        shell.complain(&format!("fg: {shown}: no such job"));
        return Some(1);
    };
    let job = shell.state.jobs.remove(at);
    shell.print(1, format!("{}\n", job.text));
    shell.wait_in_foreground(sys, vec![job.pid], false);
    None
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
            "--" => continue,
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
    let Some(pid) = shell.job_pid(target) else {
        return Err(match (target.starts_with('%'), shell.state.flavor) {
            (true, Flavor::Dash) => format!("No such job: {target}"),
            (true, _) => format!("{target}: no such job"),
            (false, Flavor::Dash) => format!("Illegal number: {target}"),
            (false, _) => format!("{target}: arguments must be process or job IDs"),
        });
    };
    let result = match signal {
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
