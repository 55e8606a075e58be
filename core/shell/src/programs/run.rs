//! `env`, `xargs`, `time`, `timeout`, `watch`, `nohup`: programs that run programs.

use super::endless::duration;
use super::tool::{Out, finish};
use crate::{Errno, Fd, Pid, Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

const STANDARD: [(Fd, Fd); 3] = [(0, 0), (1, 1), (2, 2)];

/// What the exit code is if the program cannot be started, and why.
pub(super) fn not_started(program: &str, name: &str, errno: Errno, out: &mut Out) -> i32 {
    let quoted = if program == "env" || program == "chroot" {
        format!("‘{name}’")
    } else {
        name.to_string()
    };
    out.error(match program {
        "timeout" => format!("timeout: failed to run command ‘{name}’: {errno}"),
        "chroot" => format!("chroot: failed to run command {quoted}: {errno}"),
        program => format!("{program}: {quoted}: {errno}"),
    });
    if errno == Errno::NotFound { 127 } else { 126 }
}

/// `env [-i] [-u name] [name=value…] [command…]`
#[derive(Clone, Debug, Default)]
pub struct Env {
    out: Out,
    code: Option<i32>,
}

impl Program for Env {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let mut env = sys.env().clone();
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1).peekable();
        while let Some(arg) = rest.peek() {
            match arg.as_str() {
                "-i" | "-" | "--ignore-environment" => env.clear(),
                "-u" => {
                    rest.next();
                    env.remove(rest.peek().map_or("", |name| name.as_str()));
                }
                "--" => {}
                arg => match arg.split_once('=') {
                    Some((name, value)) => {
                        env.insert(name.to_string(), value.to_string());
                    }
                    None => break,
                },
            }
            rest.next();
        }
        let command: Vec<String> = rest.cloned().collect();
        let Some(name) = command.first().cloned() else {
            for (name, value) in &env {
                self.out.line(format!("{name}={value}"));
            }
            self.code = Some(0);
            return finish(&mut self.out, sys, 0);
        };
        match sys.exec(command, env) {
            Ok(()) => Step::Yield,
            Err(errno) => {
                let code = not_started("env", &name, errno, &mut self.out);
                self.code = Some(code);
                finish(&mut self.out, sys, code)
            }
        }
    }
}

/// `xargs [-n count] [-I text] [-r] [-0] [-d separator] [-t] [command…]`
#[derive(Clone, Debug, Default)]
pub struct Xargs {
    out: Out,
    input: Vec<u8>,
    started: bool,
    at_end: bool,
    command: Vec<String>,
    count: Option<usize>,
    replace: Option<String>,
    separator: Option<u8>,
    skips_empty: bool,
    shows: bool,
    batches: Vec<Vec<String>>,
    child: Option<Pid>,
    code: i32,
}

/// Most input that `xargs` takes.
const INPUT_BYTES_MAX: usize = 8 << 20;
/// Most words of one command line, unless `-n` says fewer.
const WORDS_PER_COMMAND: usize = 5000;

impl Xargs {
    fn start(&mut self, sys: &dyn Sys) -> Result<(), String> {
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            let flag = arg.get(..2).unwrap_or(arg);
            let attached = arg.get(2..).unwrap_or_default();
            let mut value = || {
                if attached.is_empty() {
                    rest.next().cloned().unwrap_or_default()
                } else {
                    attached.to_string()
                }
            };
            match flag {
                "-n" | "-L" => {
                    let value = value();
                    let count = value.parse().ok().filter(|count| *count > 0);
                    self.count =
                        Some(count.ok_or(format!("invalid number \"{value}\" for -n option"))?);
                }
                "-I" => self.replace = Some(value()),
                "-P" => drop(value()),
                "-d" => {
                    self.separator = crate::shell::escape::unescape(&value()).0.first().copied()
                }
                "-0" => self.separator = Some(0),
                "-r" => self.skips_empty = true,
                "-t" => self.shows = true,
                flag if flag.starts_with('-') && flag.len() > 1 && arg != "--" => {
                    return Err(format!("invalid option -- '{}'", flag.trim_start_matches('-')));
                }
                _ => {
                    if arg != "--" {
                        self.command.push(arg.clone());
                    }
                    self.command.extend(rest.by_ref().cloned());
                }
            }
        }
        if self.command.is_empty() {
            self.command.push("echo".to_string());
        }
        Ok(())
    }

    /// The words of the input: quotes and backslashes protect blanks.
    fn words(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.input).into_owned();
        if let Some(separator) = self.separator {
            let separator = char::from(separator);
            let text = text.strip_suffix(separator).unwrap_or(&text);
            return if text.is_empty() {
                Vec::new()
            } else {
                text.split(separator).map(str::to_string).collect()
            };
        }
        if self.replace.is_some() {
            let lines = text.lines().map(|line| line.trim_start().to_string());
            return lines.filter(|line| !line.is_empty()).collect();
        }
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                ' ' | '\t' | '\n' => words.extend(word.take()),
                '\'' | '"' => {
                    let word = word.get_or_insert_with(String::new);
                    word.extend(chars.by_ref().take_while(|other| *other != c));
                }
                '\\' => word.get_or_insert_with(String::new).extend(chars.next()),
                c => word.get_or_insert_with(String::new).push(c),
            }
        }
        words.extend(word);
        words
    }

    fn plan(&mut self) {
        let words = self.words();
        if let Some(mark) = &self.replace {
            for word in words.iter().rev() {
                self.batches.push(self.command.iter().map(|arg| arg.replace(mark, word)).collect());
            }
            return;
        }
        let size = self.count.unwrap_or(WORDS_PER_COMMAND);
        let batches = words.chunks(size).map(|batch| [self.command.as_slice(), batch].concat());
        self.batches = batches.collect();
        if self.batches.is_empty() && !self.skips_empty {
            self.batches.push(self.command.clone());
        }
        self.batches.reverse();
    }

    /// Waits for the child; `None` when it has ended.
    fn wait(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let child = self.child?;
        match sys.wait(child) {
            Err(Errno::Again) => return Some(Step::Block { until: None }),
            Ok(0) => {}
            Ok(255) => {
                self.out.error("xargs: exited with status 255; aborting");
                self.code = 124;
                self.batches.clear();
            }
            Ok(_) | Err(_) => self.code = 123,
        }
        self.child = None;
        None
    }
}

impl Program for Xargs {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            if let Err(message) = self.start(sys) {
                self.out.error(format!("xargs: {message}"));
                self.out.error("Try 'xargs --help' for more information.");
                self.code = 1;
                return finish(&mut self.out, sys, 1);
            }
        }
        while !self.at_end {
            match sys.read(0, 1 << 16) {
                Ok(bytes) if bytes.is_empty() => self.at_end = true,
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return Step::Block { until: None },
                Err(_) => self.at_end = true,
            }
            if self.input.len() > INPUT_BYTES_MAX {
                self.out.error("xargs: argument list too long");
                self.at_end = true;
            }
            if self.at_end {
                self.plan();
            }
        }
        loop {
            if !self.out.flush(sys) {
                return Step::Block { until: None };
            }
            if let Some(step) = self.wait(sys) {
                return step;
            }
            let Some(command) = self.batches.pop() else {
                return finish(&mut self.out, sys, self.code);
            };
            if self.shows {
                self.out.error(command.join(" "));
                self.out.flush(sys);
            }
            let name = command.first().cloned().unwrap_or_default();
            let env = sys.env().clone();
            match sys.spawn(command, env, &[(1, 1), (2, 2)]) {
                Ok(pid) => self.child = Some(pid),
                Err(errno) => {
                    self.code = not_started("xargs", &name, errno, &mut self.out);
                    self.batches.clear();
                }
            }
        }
    }
}

/// `time command…`
#[derive(Clone, Debug, Default)]
pub struct TimeProgram {
    out: Out,
    child: Option<(Pid, Time)>,
    code: Option<i32>,
}

impl Program for TimeProgram {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let (child, since) = match self.child {
            Some(child) => child,
            None => {
                let command: Vec<String> =
                    sys.args().iter().skip(1).filter(|arg| *arg != "-p").cloned().collect();
                let Some(name) = command.first().cloned() else { return Step::Exit(0) };
                let env = sys.env().clone();
                match sys.spawn(command, env, &STANDARD) {
                    Ok(pid) => *self.child.insert((pid, sys.now())),
                    Err(errno) => {
                        let code = not_started("time", &name, errno, &mut self.out);
                        self.code = Some(code);
                        return finish(&mut self.out, sys, code);
                    }
                }
            }
        };
        let code = match sys.wait(child) {
            Err(Errno::Again) => return Step::Block { until: None },
            Err(_) => 127,
            Ok(code) => code,
        };
        let elapsed = sys.now().since(since);
        let (minutes, seconds) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
        let millis = elapsed.subsec_millis();
        self.out.error(format!(
            "real\t{minutes}m {seconds}.{:02}s\nuser\t0m 0.00s\nsys\t0m 0.00s",
            millis / 10
        ));
        self.code = Some(code);
        finish(&mut self.out, sys, code)
    }
}

/// `timeout [-s signal] [-k duration] duration command…`
#[derive(Clone, Debug, Default)]
pub struct Timeout {
    out: Out,
    child: Option<(Pid, Option<Time>, Signal)>,
    timed_out: bool,
    code: Option<i32>,
}

impl Timeout {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(Pid, Option<Time>, Signal), i32> {
        let args = sys.args().to_vec();
        let mut signal = Signal::Term;
        let mut rest = args.iter().skip(1);
        let wait = loop {
            match rest.next().map(String::as_str) {
                Some("-s" | "--signal") => {
                    signal = rest.next().and_then(|name| Signal::parse(name)).unwrap_or(signal);
                }
                Some("-k") => drop(rest.next()),
                Some(arg) if arg.starts_with('-') => {}
                Some(arg) => match duration(arg) {
                    Ok(wait) => break wait,
                    Err(()) => {
                        self.out.error(format!("timeout: invalid time interval ‘{arg}’"));
                        self.out.error("Try 'timeout --help' for more information.");
                        return Err(125);
                    }
                },
                None => {
                    self.out.error("timeout: missing operand");
                    return Err(125);
                }
            }
        };
        let command: Vec<String> = rest.cloned().collect();
        let Some(name) = command.first().cloned() else {
            self.out.error("timeout: missing operand");
            return Err(125);
        };
        let env = sys.env().clone();
        match sys.spawn(command, env, &STANDARD) {
            Ok(pid) => {
                let until = wait.filter(|wait| !wait.is_zero()).map(|wait| sys.now() + wait);
                Ok((pid, until, signal))
            }
            Err(errno) => Err(not_started("timeout", &name, errno, &mut self.out)),
        }
    }
}

impl Program for Timeout {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let (child, until, signal) = match self.child {
            Some(child) => child,
            None => match self.start(sys) {
                Ok(child) => *self.child.insert(child),
                Err(code) => {
                    self.code = Some(code);
                    return finish(&mut self.out, sys, code);
                }
            },
        };
        match sys.wait(child) {
            Err(Errno::Again) => {}
            Err(_) => return Step::Exit(127),
            Ok(_) if self.timed_out => return Step::Exit(124),
            Ok(code) => return Step::Exit(code),
        }
        match until {
            Some(at) if sys.now() >= at && !self.timed_out => {
                self.timed_out = true;
                // The child may have just ended, which the next look sees.
                let _ = sys.kill(child, signal);
                Step::Yield
            }
            Some(_) if self.timed_out => Step::Block { until: None },
            until => Step::Block { until },
        }
    }
}

/// `watch [-n seconds] [-t] command…`
#[derive(Clone, Debug)]
pub struct Watch {
    out: Out,
    interval: Duration,
    titled: bool,
    command: String,
    child: Option<(Pid, Fd)>,
    output: Vec<u8>,
    next: Option<Time>,
    started: bool,
}

impl Watch {
    /// A `watch` that has yet to look at its arguments.
    pub fn new() -> Self {
        Watch {
            out: Out::default(),
            interval: Duration::from_secs(2),
            titled: true,
            command: String::new(),
            child: None,
            output: Vec::new(),
            next: None,
            started: false,
        }
    }

    fn start(&mut self, sys: &dyn Sys) -> bool {
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-n" | "--interval" => {
                    let seconds = rest.next().and_then(|text| text.parse::<f64>().ok());
                    let seconds = seconds.unwrap_or(2.0).max(0.1);
                    self.interval = Duration::try_from_secs_f64(seconds).unwrap_or(self.interval);
                }
                "-t" | "--no-title" => self.titled = false,
                arg if arg.starts_with('-') => {
                    let attached = arg.strip_prefix("-n").and_then(|text| text.parse::<f64>().ok());
                    if let Some(seconds) = attached {
                        self.interval =
                            Duration::try_from_secs_f64(seconds.max(0.1)).unwrap_or(self.interval);
                    }
                }
                arg => {
                    let words: Vec<&str> =
                        std::iter::once(arg).chain(rest.by_ref().map(String::as_str)).collect();
                    self.command = words.join(" ");
                }
            }
        }
        !self.command.is_empty()
    }

    fn run(&mut self, sys: &mut dyn Sys) -> Result<(), Errno> {
        let (reader, writer) = sys.pipe()?;
        let argv = vec!["sh".to_string(), "-c".to_string(), self.command.clone()];
        let env: BTreeMap<String, String> = sys.env().clone();
        let pid = sys.spawn(argv, env, &[(0, 0), (1, writer), (2, writer)]);
        sys.close(writer);
        match pid {
            Ok(pid) => {
                self.child = Some((pid, reader));
                Ok(())
            }
            Err(errno) => {
                sys.close(reader);
                Err(errno)
            }
        }
    }

    /// Draws one screen: only as much as fits.
    fn draw(&mut self, sys: &mut dyn Sys) {
        let (columns, rows) = sys.tty_size(1).unwrap_or((80, 24));
        let (columns, mut rows) = (usize::from(columns), usize::from(rows));
        self.out.put("\x1b[H\x1b[2J");
        if self.titled {
            let left = format!("Every {:.1}s: {}", self.interval.as_secs_f64(), self.command);
            let date = super::date::format(sys.now(), "%a %b %e %H:%M:%S %Y");
            let right = format!("{}: {date}", sys.hostname());
            let gap = columns.saturating_sub(left.chars().count() + right.chars().count()).max(1);
            let title: String =
                format!("{left}{}{right}", " ".repeat(gap)).chars().take(columns).collect();
            self.out.put(format!("{title}\n\n"));
            rows = rows.saturating_sub(2);
        }
        let text = String::from_utf8_lossy(&self.output).into_owned();
        let lines: Vec<String> =
            text.lines().take(rows).map(|line| line.chars().take(columns).collect()).collect();
        self.out.put(lines.join("\n"));
        self.output.clear();
    }
}

impl Program for Watch {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            if !self.start(sys) {
                self.out.error("Usage:\n watch [options] command");
                return finish(&mut self.out, sys, 1);
            }
        }
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        if let Some((pid, fd)) = self.child {
            loop {
                match sys.read(fd, 1 << 16) {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) if self.output.len() < INPUT_BYTES_MAX => self.output.extend(bytes),
                    Ok(_) => {}
                    Err(Errno::Again) => return Step::Block { until: None },
                    Err(_) => break,
                }
            }
            if sys.wait(pid) == Err(Errno::Again) {
                return Step::Block { until: None };
            }
            sys.close(fd);
            self.child = None;
            self.next = Some(sys.now() + self.interval);
            self.draw(sys);
            if !self.out.flush(sys) {
                return Step::Block { until: None };
            }
        }
        match self.next {
            Some(next) if sys.now() < next => Step::Block { until: Some(next) },
            _ => match self.run(sys) {
                Ok(()) => Step::Block { until: None },
                Err(errno) => {
                    self.out.error(format!("watch: {errno}"));
                    finish(&mut self.out, sys, 1)
                }
            },
        }
    }
}
