//! Running other programs: in the open, or quietly into a log with a line of progress.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::project::{Project, create_dir};

/// How often a quiet program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(100);
/// How often a long step says that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How many of a failed program's last lines are shown.
const TAIL_LINES: usize = 60;
/// How much of a log is read to find its last lines, in bytes.
const TAIL_BYTES: u64 = 16 * 1024;
/// How many lines about failed tests are said again at the end.
const FAILURE_LINES_MAX: usize = 300;

/// A program that runs quietly: a line when it starts, one now and then, one when it is done. What
/// it prints goes to `.tools/log/NAME.log`, and its end is shown when it fails.
pub struct Step<'a> {
    name: &'a str,
    title: &'a str,
    time_limit: Option<Duration>,
}

impl<'a> Step<'a> {
    /// A step whose log is called `name`, told to a person as `title`.
    pub fn new(name: &'a str, title: &'a str) -> Self {
        Self { name, title, time_limit: None }
    }

    /// Ends the program when it takes longer: for downloads that may hang where there is no network.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Runs the program to its end. The error carries the last lines it printed.
    pub fn run(&self, project: &Project, command: &mut Command) -> Result<()> {
        let dir = project.tools().join("log");
        create_dir(&dir)?;
        let path = dir.join(format!("{}.log", self.name));
        let log =
            File::create(&path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        let errors =
            log.try_clone().map_err(|e| format!("cannot write {}: {e}", path.display()))?;

        println!("==> {}", self.title);
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|e| cannot_run(command, &e))?;
        let status = self.wait(child, begun, &path)?;
        let seconds = begun.elapsed().as_secs_f32();
        if status.is_some_and(|s| s.success()) {
            println!("    done in {seconds:.1} s");
            return Ok(());
        }
        let how = status.map_or_else(|| "took too long".to_owned(), |s| s.to_string());
        let tail = last_lines(&path, TAIL_LINES).join("\n    ");
        Err(format!(
            "{}: {how} after {seconds:.1} s\n    {tail}\n    (all of it: {})",
            self.title,
            path.display()
        ))
    }

    /// Waits and reports. `None` when the time limit was passed and the program was ended.
    fn wait(&self, mut child: Child, begun: Instant, log: &Path) -> Result<Option<ExitStatus>> {
        let mut next_heartbeat = HEARTBEAT;
        loop {
            if let Some(status) = child.try_wait().map_err(|e| format!("{}: {e}", self.title))? {
                return Ok(Some(status));
            }
            if self.time_limit.is_some_and(|limit| begun.elapsed() > limit) {
                // Both fail only when the program has just ended by itself.
                child.kill().ok();
                child.wait().ok();
                return Ok(None);
            }
            if begun.elapsed() > next_heartbeat {
                let doing = last_lines(log, 1).pop().unwrap_or_default();
                println!("    {} s: {}", next_heartbeat.as_secs(), doing.trim());
                next_heartbeat += HEARTBEAT;
            }
            thread::sleep(POLL);
        }
    }
}

/// Runs a program whose output people want to see as it comes.
pub fn run_in_the_open(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|e| cannot_run(command, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{}: {status}", name_of(command)))
}

/// Runs Rust's test programs in the open. The error says again what they said of the tests that
/// failed: between it and the end of the log there may be an hour of other stages.
pub fn run_tests(command: &mut Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| cannot_run(command, &e))?;
    let mut failures = Failures::default();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).split(b'\n')) {
        let line = line.map_err(|e| cannot_run(command, &e))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        failures.read(&line);
    }
    let status = child.wait().map_err(|e| cannot_run(command, &e))?;
    if status.success() {
        return Ok(());
    }
    let said: String = failures.lines.iter().map(|line| format!("\n    {line}")).collect();
    Err(format!("{}: {status}{said}", name_of(command)))
}

/// What test programs print of failed tests: from `failures:` to `test result:`.
#[derive(Default)]
struct Failures {
    lines: Vec<String>,
    inside: bool,
}

impl Failures {
    fn read(&mut self, line: &str) {
        self.inside |= line == "failures:";
        if self.inside && self.lines.len() < FAILURE_LINES_MAX {
            self.lines.push(without_colours(line));
        }
        self.inside &= !line.starts_with("test result:");
    }
}

/// What a program prints on stdout, when it runs and ends well.
pub fn stdout_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()
}

/// The last lines of a log that say something, without a terminal's colours.
fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = read_end(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| without_colours(line)).collect()
}

/// The last [`TAIL_BYTES`] of a file.
fn read_end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = fs::metadata(path)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Drops the escape sequences that set colours (`ESC [ … m`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, tail)| tail);
    }
    plain.push_str(rest);
    plain
}

fn cannot_run(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", name_of(command))
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_kept() {
        let mut failures = Failures::default();
        for line in [
            "test a ... ok",
            "test result: ok. 1 passed",
            "test b ... FAILED",
            "failures:",
            "---- b ----",
            "why",
            "failures:",
            "    b",
            "test result: FAILED. 0 passed",
            "test c ... ok",
        ] {
            failures.read(line);
        }
        let kept = ["failures:", "---- b ----", "why", "failures:", "    b"];
        assert_eq!(failures.lines, [&kept[..], &["test result: FAILED. 0 passed"]].concat());
    }

    #[test]
    fn colours_are_dropped() {
        for (line, plain) in [
            ("", ""),
            ("plain", "plain"),
            ("\u{1b}[1m\u{1b}[32m   Compiling\u{1b}[0m serde", "   Compiling serde"),
            ("cut \u{1b}[3", "cut "),
        ] {
            assert_eq!(without_colours(line), plain);
        }
    }
}
