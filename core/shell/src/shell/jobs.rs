//! Background jobs.

use super::ast::AndOr;
use super::machine::Frame;
use super::state::Job;
use super::{Flow, Shell};
use crate::{Errno, OpenMode, Pid, Sys};
use std::sync::Arc;

/// Most background jobs of one shell that are remembered.
const JOBS_MAX: usize = 256;

impl Shell {
    /// `command &`
    pub(super) fn start_job(&mut self, sys: &mut dyn Sys, and_or: Arc<AndOr>) {
        let text = Arc::clone(&and_or.text);
        let mut fds = self.child_fds();
        let null =
            if self.state.interactive { None } else { sys.open("/dev/null", OpenMode::Read).ok() };
        if let Some(null) = null {
            fds.retain(|(theirs, _)| *theirs != 0);
            fds.push((0, null));
        }
        let pid = self.fork(sys, Frame::AndOr { and_or, next: 0 }, &fds);
        if let Some(null) = null {
            sys.close(null);
        }
        let Some(pid) = pid else {
            self.abort(sys, 254);
            return;
        };
        self.state.last_background = Some(pid);
        self.state.status = 0;
        let number = self.state.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        if self.state.jobs.len() >= JOBS_MAX {
            self.forget_ended_jobs(sys);
        }
        if self.state.jobs.len() < JOBS_MAX {
            self.state.jobs.push(Job { number, pid, text, status: None });
        } else {
            self.strays.push(pid);
        }
        if self.state.interactive {
            // A group of its own: Ctrl-C does not reach it.
            let _ = sys.group(pid, pid);
            self.print(2, format!("[{number}] {pid}\n"));
        }
    }

    /// Asks which jobs have ended.
    pub(super) fn look_at_jobs(&mut self, sys: &mut dyn Sys) {
        for job in &mut self.state.jobs {
            if job.status.is_none() {
                match sys.wait(job.pid) {
                    Ok(code) => job.status = Some(code),
                    Err(Errno::Again) => {}
                    Err(_) => job.status = Some(127),
                }
            }
        }
        self.strays.retain(|pid| matches!(sys.wait(*pid), Err(Errno::Again)));
    }

    fn forget_ended_jobs(&mut self, sys: &mut dyn Sys) {
        self.look_at_jobs(sys);
        self.state.jobs.retain(|job| job.status.is_none());
    }

    /// Tells a person, before the prompt, which jobs have ended.
    pub(super) fn report_jobs(&mut self, sys: &mut dyn Sys) {
        self.look_at_jobs(sys);
        let lines: Vec<String> = self
            .state
            .jobs
            .iter()
            .filter(|job| job.status.is_some())
            .map(|job| self.job_line(job, false))
            .collect();
        for line in lines {
            self.print(2, line);
        }
        self.state.jobs.retain(|job| job.status.is_none());
    }

    /// One line of `jobs`.
    pub(super) fn job_line(&self, job: &Job, with_pid: bool) -> String {
        let numbers: Vec<usize> = self.state.jobs.iter().map(|job| job.number).collect();
        let place = numbers.iter().rev().position(|number| *number == job.number);
        let mark = match place {
            Some(0) => "+",
            Some(1) => "-",
            _ => " ",
        };
        let state = match job.status {
            None => "Running".to_string(),
            Some(0) => "Done".to_string(),
            Some(129) => "Hangup".to_string(),
            Some(130) => "Interrupt".to_string(),
            Some(137) => "Killed".to_string(),
            Some(143) => "Terminated".to_string(),
            Some(code) => format!("Exit {code}"),
        };
        let pid = if with_pid { format!("{} ", job.pid) } else { String::new() };
        let running = if job.status.is_none() { " &" } else { "" };
        format!("[{}]{mark}  {pid}{state:<24}{}{running}\n", job.number, job.text)
    }

    /// The process that `%1`, `%+` or a number names.
    pub(super) fn job_pid(&self, name: &str) -> Option<Pid> {
        match name.strip_prefix('%') {
            None => name.parse().ok(),
            Some("" | "+" | "%") => self.state.jobs.last().map(|job| job.pid),
            Some("-") => self.state.jobs.iter().rev().nth(1).map(|job| job.pid),
            Some(number) => {
                let job =
                    self.state.jobs.iter().find(|job| {
                        number.parse() == Ok(job.number) || job.text.starts_with(number)
                    });
                job.map(|job| job.pid)
            }
        }
    }

    /// The builtin `wait`, once it knows for whom.
    pub(super) fn step_wait_for(&mut self, sys: &mut dyn Sys, pids: Vec<Pid>) -> Flow {
        self.look_at_jobs(sys);
        let is_running =
            |pid: &Pid| self.state.jobs.iter().any(|job| job.pid == *pid && job.status.is_none());
        if let Some(action) = self.pending_traps.pop_front() {
            self.state.status = 143;
            self.push(Frame::script(&action));
            return Flow::Go;
        }
        if pids.iter().any(is_running) {
            self.push(Frame::WaitFor { pids });
            return Flow::Block(None);
        }
        for pid in &pids {
            if let Some(at) = self.state.jobs.iter().position(|job| job.pid == *pid) {
                self.state.status = self.state.jobs.remove(at).status.unwrap_or(0);
            }
        }
        self.check_errexit(sys);
        Flow::Go
    }
}
