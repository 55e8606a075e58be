//! Background jobs.

use super::ast::AndOr;
use super::machine::Frame;
use super::state::{Flavor, Job};
use super::{Flow, Shell};
use crate::{Errno, OpenMode, Pid, Signal, Sys};
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
        let number = self.next_job_number();
        if self.state.jobs.len() >= JOBS_MAX {
            self.forget_ended_jobs(sys);
        }
        if self.state.jobs.len() < JOBS_MAX {
            self.state.jobs.push(Job { text, ..Job::new(number, pid) });
        } else {
            self.strays.push(pid);
        }
        if self.state.interactive {
            // A group of its own: Ctrl-C does not reach it.
            let _ = sys.group(pid, pid);
            self.print(2, format!("[{number}] {pid}\n"));
        }
    }

    fn next_job_number(&self) -> usize {
        self.state.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1
    }

    /// The pipeline in the foreground was stopped: it becomes a job, and its line is given up.
    pub(super) fn stopped_in_foreground(
        &mut self,
        sys: &mut dyn Sys,
        mut pids: Vec<Pid>,
        signal: Signal,
    ) {
        let (text, number) = self.foreground.clone();
        let Some(pid) = pids.pop() else { return };
        sys.foreground(None);
        self.unwind_all(sys);
        let number = number.unwrap_or_else(|| self.next_job_number());
        let group = pids.first().copied().unwrap_or(pid);
        let job = Job {
            others: pids,
            group,
            stopped: Some(signal),
            told: true,
            text,
            ..Job::new(number, pid)
        };
        self.state.jobs.push(job.clone());
        let line = self.job_line(&job, false);
        self.print(2, format!("\n{line}"));
        self.state.status = 128 + signal.number();
    }

    /// Asks which jobs have ended, and which have stopped.
    pub(super) fn look_at_jobs(&mut self, sys: &mut dyn Sys) {
        for job in &mut self.state.jobs {
            if job.status.is_none() {
                let stopped = sys.stopped_by(job.pid);
                job.told &= stopped.is_some();
                job.stopped = stopped;
                job.others.retain(|pid| matches!(sys.wait(*pid), Err(Errno::Again)));
                job.killed_by = sys.killed_by(job.pid);
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
        let news = |job: &&Job| job.status.is_some() || (job.stopped.is_some() && !job.told);
        let mut told: Vec<&Job> = self.state.jobs.iter().filter(news).collect();
        told.sort_by_key(|job| job.number);
        let lines: Vec<String> = told.iter().map(|job| self.job_line(job, false)).collect();
        for line in lines {
            self.print(2, line);
        }
        self.state.jobs.retain(|job| job.status.is_none());
        self.state.jobs.iter_mut().for_each(|job| job.told = job.stopped.is_some());
    }

    /// The current job and the one before it, by their places in the list: the last that was
    /// stopped, or else the last that was started.
    fn current_jobs(&self) -> (Option<usize>, Option<usize>) {
        let places = |stopped: bool| {
            let jobs = self.state.jobs.iter().enumerate().rev();
            jobs.filter(move |(_, job)| job.stopped.is_some() == stopped).map(|(at, _)| at)
        };
        let mut order = places(true).chain(places(false));
        (order.next(), order.next())
    }

    /// One line of `jobs`.
    pub(super) fn job_line(&self, job: &Job, with_pid: bool) -> String {
        let (current, previous) = self.current_jobs();
        let place = self.state.jobs.iter().position(|other| other.number == job.number);
        let mark = match place {
            None => " ",
            place if place == current => "+",
            place if place == previous => "-",
            _ => " ",
        };
        let state = match job.status {
            None if job.stopped.is_some() => "Stopped".to_string(),
            None => "Running".to_string(),
            Some(0) => "Done".to_string(),
            Some(129) => "Hangup".to_string(),
            Some(130) => "Interrupt".to_string(),
            Some(137) if job.killed_by.is_some() => "Killed".to_string(),
            Some(143) if job.killed_by.is_some() => "Terminated".to_string(),
            Some(code) => format!("Exit {code}"),
        };
        let pid = if with_pid { format!("{} ", job.pid) } else { String::new() };
        let runs = job.status.is_none() && job.stopped.is_none();
        let running = if runs { " &" } else { "" };
        format!("[{}]{mark}  {pid}{state:<24}{}{running}\n", job.number, job.text)
    }

    /// The process that `%1`, `%+` or a number names.
    pub(super) fn job_pid(&self, name: &str) -> Option<Pid> {
        match name.strip_prefix('%') {
            None => name.parse().ok(),
            Some("" | "+" | "%") => self.job_at(self.current_jobs().0),
            Some("-") => {
                let (current, previous) = self.current_jobs();
                self.job_at(previous.or(current))
            }
            Some(part) if part.starts_with('?') => {
                let part = part.trim_start_matches('?');
                self.state.jobs.iter().find(|job| job.text.contains(part)).map(|job| job.pid)
            }
            Some(number) => {
                let job =
                    self.state.jobs.iter().find(|job| {
                        number.parse() == Ok(job.number) || job.text.starts_with(number)
                    });
                job.map(|job| job.pid)
            }
        }
    }

    fn job_at(&self, place: Option<usize>) -> Option<Pid> {
        self.state.jobs.get(place?).map(|job| job.pid)
    }

    /// Whether a person may leave: told once that there are stopped jobs, it is as they like.
    pub(super) fn may_leave(&mut self, sys: &mut dyn Sys, warned_before: bool) -> bool {
        if !self.has_terminal() {
            return true;
        }
        self.look_at_jobs(sys);
        let groups: Vec<Pid> = self
            .state
            .jobs
            .iter()
            .filter(|job| job.stopped.is_some())
            .map(|job| job.group)
            .collect();
        if !groups.is_empty() && !warned_before {
            let words = match self.state.flavor {
                Flavor::Bash => "There are stopped jobs.\n",
                Flavor::Dash | Flavor::Ash => "You have stopped jobs.\n",
            };
            self.print(2, words);
            self.warned = true;
            return false;
        }
        for group in groups {
            // One that has ended meanwhile needs no signal.
            let _ = sys.kill_group(group, Signal::Term);
            let _ = sys.kill_group(group, Signal::Cont);
        }
        true
    }

    /// The builtin `wait`, once it knows for whom.
    pub(super) fn step_wait_for(&mut self, sys: &mut dyn Sys, pids: Vec<Pid>, next: bool) -> Flow {
        self.look_at_jobs(sys);
        let ended = |job: &Job| pids.contains(&job.pid) && job.status.is_some();
        if next && let Some(at) = self.state.jobs.iter().position(ended) {
            self.state.status = self.state.jobs.remove(at).status.unwrap_or(0);
            return Flow::Go;
        }
        if next && pids.is_empty() {
            self.state.status = 127;
            return Flow::Go;
        }
        let is_running =
            |pid: &Pid| self.state.jobs.iter().any(|job| job.pid == *pid && job.status.is_none());
        if let Some(action) = self.pending_traps.pop_front() {
            self.state.status = 143;
            self.push(Frame::trap(&action, 143));
            return Flow::Go;
        }
        if pids.iter().any(is_running) {
            self.push(Frame::WaitFor { pids, next });
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
