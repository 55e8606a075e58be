//! The shell: a program that runs scripts, as a machine with an explicit stack, so that it can
//! wait anywhere and be cloned at any moment.
//!
//! `lex` and `parse` make commands (`ast`) of text, `expand` makes words of words, `machine` runs
//! commands, `simple` the simple ones, `builtins` those that the shell does itself.

mod arith;
mod array;
pub(crate) mod ast;
mod brace;
mod builtins;
mod complete;
pub(crate) mod escape;
mod expand;
mod history;
mod jobs;
mod lex;
mod machine;
mod parse;
mod pattern;
mod prompt;
mod simple;
mod start;
mod state;
mod syntax_error;
mod terminal;

pub(crate) use builtins::quote;
pub(crate) use pattern::{Pattern, class_ranges};
pub(crate) use state::Flavor;

use crate::{Errno, Fd, Pid, Program, Signal, Step, Sys};
use ast::List;
use machine::Frame;
use naru_sim::Time;
use state::State;
use std::collections::VecDeque;
use std::sync::Arc;
use terminal::Terminal;

/// Steps of one resumption; then others have their turn.
const STEPS_PER_RESUME: usize = 1_000;
/// Deepest stack of frames: functions that call themselves end here.
const FRAMES_MAX: usize = 4_000;

/// A shell.
#[derive(Clone, Debug)]
pub struct Shell {
    state: State,
    frames: Vec<Frame>,
    source: Source,
    /// Written by builtins, not yet taken by the descriptors.
    output: VecDeque<(Fd, Vec<u8>)>,
    /// The output of a command substitution, for the frame that asked.
    captured: Option<String>,
    /// The exit code of the last command substitution of this command.
    capture_status: Option<i32>,
    /// The signal that has ended the last command of the last pipeline.
    last_killed_by: Option<Signal>,
    /// Traps whose signals came.
    pending_traps: VecDeque<String>,
    /// It has just asked to become another program.
    becoming: bool,
    /// The exit code, once it was decided to end.
    exiting: Option<i32>,
    started: bool,
    /// Children nobody waits for any more.
    strays: Vec<Pid>,
    /// Process substitutions made for the command that is being expanded: the descriptor that it will
    /// have, and this process's.
    processes: Vec<(u32, Fd)>,
    /// What the builtin that runs is to give arrays.
    given_arrays: Vec<simple::GivenArray>,
    /// The text of the pipeline in the foreground, and its number if it was a job before.
    foreground: (Arc<str>, Option<usize>),
    /// A person was told that there are stopped jobs, by the last command.
    warned: bool,
}

/// Where commands come from when the stack is empty.
#[derive(Clone, Debug)]
enum Source {
    /// Nowhere: the shell ends.
    Nothing,
    /// Standard input that is no terminal, line by line.
    Input { text: Vec<u8>, line: usize, at_end: bool },
    /// A person.
    Terminal(Box<Terminal>),
    /// The machine's owner, script by script: see [`Sys::next_script`].
    Owner { running: bool },
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Go,
    Block(Option<Time>),
    Exit(i32),
}

impl Shell {
    /// A shell that has yet to look at its arguments.
    pub fn new(flavor: Flavor) -> Self {
        Shell {
            state: State::new(flavor),
            frames: Vec::new(),
            source: Source::Nothing,
            output: VecDeque::new(),
            captured: None,
            capture_status: None,
            last_killed_by: None,
            pending_traps: VecDeque::new(),
            becoming: false,
            exiting: None,
            started: false,
            strays: Vec::new(),
            processes: Vec::new(),
            given_arrays: Vec::new(),
            foreground: ("".into(), None),
            warned: false,
        }
    }

    /// A copy that runs only `frame`: a subshell.
    fn subshell(&self, frame: Frame) -> Shell {
        let mut state = self.state.clone();
        state.interactive = false;
        state.traps.clear();
        state.jobs.clear();
        state.fds = state.fds.keys().map(|fd| (*fd, *fd)).collect();
        Shell {
            state,
            frames: vec![frame],
            source: Source::Nothing,
            output: VecDeque::new(),
            captured: None,
            capture_status: None,
            last_killed_by: None,
            pending_traps: VecDeque::new(),
            becoming: false,
            exiting: None,
            started: true,
            strays: Vec::new(),
            processes: Vec::new(),
            given_arrays: Vec::new(),
            foreground: ("".into(), None),
            warned: false,
        }
    }

    /// Whether a person types at it.
    fn has_terminal(&self) -> bool {
        matches!(self.source, Source::Terminal(_))
    }

    /// Whether this command is the last thing that this process does: it can become it.
    fn is_tail(&self) -> bool {
        self.frames.is_empty()
            && matches!(self.source, Source::Nothing)
            && self.state.traps.is_empty()
            && self.state.jobs.is_empty()
    }

    /// Writes to what is descriptor `fd` for commands.
    fn print(&mut self, fd: u32, text: impl AsRef<[u8]>) {
        let bytes = text.as_ref();
        if let Some(fd) = self.state.fd(fd)
            && !bytes.is_empty()
        {
            self.output.push_back((fd, bytes.to_vec()));
        }
    }

    /// Prints a message of the shell itself.
    fn complain(&mut self, message: &str) {
        let line = format!("{}{message}\n", self.state.prefix());
        self.print(2, line);
    }

    /// Writes what is pending; `false` if a descriptor is full.
    fn flush(&mut self, sys: &mut dyn Sys) -> bool {
        while let Some((fd, bytes)) = self.output.pop_front() {
            match sys.write(fd, &bytes) {
                Ok(taken) if taken < bytes.len() => {
                    let rest = bytes.get(taken..).unwrap_or_default().to_vec();
                    self.output.push_front((fd, rest));
                }
                Ok(_) => {}
                Err(Errno::Again) => {
                    self.output.push_front((fd, bytes));
                    return false;
                }
                Err(Errno::Pipe) => self.state.status = 1,
                Err(errno) => {
                    self.state.status = 1;
                    if fd != 2 {
                        self.complain(&format!("echo: write error: {errno}"));
                    }
                }
            }
        }
        true
    }

    fn take_signals(&mut self, sys: &mut dyn Sys) {
        while let Some(signal) = sys.take_signal() {
            match self.state.traps.get(signal.name()) {
                Some(action) if !action.is_empty() => {
                    self.pending_traps.push_back(action.clone());
                }
                Some(_) => {}
                None if signal == Signal::Int && self.state.interactive => self.interrupt(sys),
                None if signal == Signal::Hup => self.exiting = Some(129),
                // A trap that was taken back.
                None if !self.state.interactive && !matches!(self.source, Source::Owner { .. }) => {
                    self.leave(sys, 128 + signal.number());
                }
                None => {}
            }
        }
    }

    /// Ctrl-C at an interactive shell: whatever it was doing, it does no more.
    fn interrupt(&mut self, sys: &mut dyn Sys) {
        if self.frames.is_empty() {
            return;
        }
        self.unwind_all(sys);
        self.state.status = 130;
        self.print(2, "\n");
    }

    /// Decides to end with this code, after the `EXIT` trap.
    fn leave(&mut self, sys: &mut dyn Sys, code: i32) {
        self.unwind_all(sys);
        self.source = Source::Nothing;
        self.exiting = Some(code);
        if let Some(action) = self.state.traps.remove("EXIT") {
            self.state.status = code;
            self.frames.push(Frame::script(&action));
        }
    }

    fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    fn run_list(&mut self, list: &Arc<List>) {
        self.push(Frame::List { list: Arc::clone(list), next: 0 });
    }

    /// One step with nothing on the stack: the next command, or the end.
    fn next_command(&mut self, sys: &mut dyn Sys) -> Flow {
        if let Some(code) = self.exiting {
            return Flow::Exit(code);
        }
        match self.source {
            Source::Nothing => {
                let status = self.state.status;
                if self.state.traps.contains_key("EXIT") {
                    self.leave(sys, status);
                    return Flow::Go;
                }
                Flow::Exit(status)
            }
            Source::Input { .. } => self.next_input_command(sys),
            Source::Terminal(_) => self.next_typed_command(sys),
            Source::Owner { .. } => self.next_script(sys),
        }
    }
}

impl Program for Shell {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            self.start(sys);
        }
        for _ in 0..STEPS_PER_RESUME {
            if !self.flush(sys) {
                return Step::Block { until: None };
            }
            self.take_signals(sys);
            match self.step(sys) {
                Flow::Go if self.becoming => return Step::Yield,
                Flow::Go => {}
                Flow::Block(until) => return Step::Block { until },
                Flow::Exit(code) => return Step::Exit(code),
            }
        }
        Step::Yield
    }
}
