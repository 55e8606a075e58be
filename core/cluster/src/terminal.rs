//! Terminals, scripts and files of the learner, as the cluster's owner uses them.

use crate::Cluster;
use crate::agenda::Part;
use crate::workstation::{FinishedCommand, JobId, JobOutput, TerminalId};
use naru_shell::Errno;
use naru_sim::Time;
use std::time::Duration;

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecResult {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; 124 if it was stopped since its time was over (as `timeout` does).
    pub code: i32,
}

impl Cluster {
    /// Bytes of output that [`Cluster::exec`] keeps; what comes after is cut off.
    pub const EXEC_OUTPUT_MAX: usize = 4 * 1024 * 1024;
    /// Exit code of a command whose time was over.
    const TIMED_OUT: i32 = 124;

    /// Opens a terminal with a shell in it; a shell that ends is followed by a new one.
    pub fn open_terminal(&mut self, columns: u16, rows: u16) -> TerminalId {
        self.net.set_tracing(true);
        let id = self.workstation.open_terminal(columns, rows);
        self.plan(Part::Workstation);
        id
    }

    /// Has the learner's machine speak a language: `en_US.UTF-8`. Shells that are open keep their
    /// `LANG`; the sandbox's own commands follow at once.
    pub fn set_locale(&mut self, locale: &str) {
        self.workstation.set_locale(locale);
    }

    /// Types. The shell answers when time goes on, if only to the present moment.
    pub fn terminal_input(&mut self, id: TerminalId, bytes: &[u8]) {
        self.workstation.terminal_input(id, bytes);
        self.plan(Part::Workstation);
    }

    /// Takes what was printed.
    pub fn terminal_output(&mut self, id: TerminalId) -> Vec<u8> {
        let output = self.workstation.terminal_output(id);
        self.plan(Part::Workstation);
        output
    }

    /// Lets what was typed be answered while time stands still: time goes on only as far as the
    /// commands themselves need it, and at most for `within`.
    pub fn answer(&mut self, within: Duration) {
        let end = self.now() + within;
        while let Some(due) = self.workstation.next_due().filter(|due| *due <= end) {
            self.advance(due.max(self.now()), u64::MAX);
        }
    }

    /// Whether [`Cluster::terminal_output`] has something to give.
    pub(crate) fn has_output(&self, id: TerminalId) -> bool {
        self.workstation.terminal_has_output(id)
    }

    /// Changes a terminal's size.
    pub fn terminal_resize(&mut self, id: TerminalId, columns: u16, rows: u16) {
        self.workstation.terminal_resize(id, columns, rows);
        self.plan(Part::Workstation);
    }

    /// Starts a script of the terminal's language, with what earlier scripts have set: variables,
    /// functions and the working directory stay.
    pub fn start_script(&mut self, script: &str) -> JobId {
        // Whoever types may ask where a packet went: `naru trace`, `tcpdump`.
        self.net.set_tracing(true);
        let id = self.workstation.start(script);
        self.plan(Part::Workstation);
        id
    }

    /// Starts a script that goes on beside all others, in a shell of its own.
    pub fn start_apart(&mut self, script: &str) -> JobId {
        self.net.set_tracing(true);
        let id = self.workstation.start_apart(script);
        self.plan(Part::Workstation);
        id
    }

    /// Takes what a script has printed, and its exit code once it has ended.
    pub fn poll(&mut self, job: JobId) -> JobOutput {
        let output = self.workstation.poll(job);
        self.plan(Part::Workstation);
        output
    }

    /// Whether [`Cluster::poll`] has something to tell.
    pub(crate) fn has_news(&self, job: JobId) -> bool {
        self.workstation.has_news(job)
    }

    /// The script that runs: those started after it wait until its end was told.
    pub(crate) fn first_job(&self) -> Option<JobId> {
        self.workstation.first_job()
    }

    /// The script that was started last.
    pub(crate) fn last_job(&self) -> JobId {
        self.workstation.last_job()
    }

    /// Hangs up on a script and forgets it.
    pub fn abandon(&mut self, job: JobId) {
        self.workstation.abandon(job);
        self.plan(Part::Workstation);
    }

    /// Goes on with a script until it prints something, ends, or `end` is reached; false if that
    /// was reached.
    pub fn advance_job(&mut self, job: JobId, end: Time) -> bool {
        while !self.workstation.has_news(job) {
            match self.next_due() {
                Some(due) if due <= end => self.advance(due, 1),
                _ => {
                    self.advance(end, u64::MAX);
                    return false;
                }
            };
        }
        true
    }

    /// Runs a command line to its end, in virtual time, for at most `limit`.
    pub fn exec(&mut self, line: &str, limit: Duration) -> ExecResult {
        let job = self.start_script(line);
        let end = self.now() + limit;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut in_time = true;
        loop {
            in_time &= self.advance_job(job, end);
            let output = self.poll(job);
            keep(&mut stdout, &output.stdout);
            keep(&mut stderr, &output.stderr);
            let code = match (output.code, in_time) {
                (Some(code), _) => code,
                (None, true) => continue,
                (None, false) => {
                    self.abandon(job);
                    Self::TIMED_OUT
                }
            };
            return ExecResult { stdout: text(stdout), stderr: text(stderr), code };
        }
    }

    /// Commands that have ended, oldest first.
    pub fn finished_commands(&self) -> impl Iterator<Item = &FinishedCommand> {
        self.workstation.finished()
    }

    /// A file's content; a relative path is seen from the home directory.
    pub fn home_file(&self, path: &str) -> Option<Vec<u8>> {
        self.workstation.read_file(path)
    }

    /// The files of the home directory that are not hidden, by their paths from there, at most so
    /// many.
    pub fn home_files(&self, most: usize) -> Vec<String> {
        self.workstation.home_files(most)
    }

    /// Writes a file of the learner; a relative path is seen from the home directory.
    pub fn write_home_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        self.workstation.write_file(path, bytes)
    }
}

/// Bytes as a text; what is no character is replaced.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|why| String::from_utf8_lossy(why.as_bytes()).into_owned())
}

fn keep(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let room = Cluster::EXEC_OUTPUT_MAX.saturating_sub(buffer.len());
    buffer.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
}
