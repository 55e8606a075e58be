//! The process `kubectl`: reads its arguments, runs a command, waits where the command waits.

use crate::command::{self, Invocation};
use crate::context::{Console, Context, Login};
use crate::failure::{Failure, Result};
use dyn_clone::DynClone;
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::{CauseId, Time};
use std::fmt;
use std::time::Duration;

/// Bytes of standard input that `-f -` takes.
const STDIN_MAX: usize = 8 * 1024 * 1024;

/// What a command goes on with.
#[derive(Clone, Debug)]
pub enum Next {
    /// It has ended with this code.
    Exit(i32),
    /// It waits for something to happen, or for the moment.
    Wait(Box<dyn Task>, Option<Time>),
}

/// What a command, or a step of it, gives.
pub type Outcome = Result<Next>;

/// A command that waits: a state machine that looks again whenever it is polled.
pub trait Task: DynClone + fmt::Debug + Send + Sync {
    /// Goes on as far as possible.
    fn poll(self: Box<Self>, cx: &mut Context<'_>) -> Outcome;

    /// The user pressed Ctrl-C: ends what the API server holds for this command.
    fn cancel(&mut self, _cx: &mut Context<'_>) {}
}

dyn_clone::clone_trait_object!(Task);

/// The process `kubectl`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kubectl {
    state: State,
    console: Console,
    login: Login,
    cause: CauseId,
    /// When the program is loaded and has read its configuration.
    ready_at: Option<Time>,
}

impl Kubectl {
    /// What the real one takes until its first request: so what it asks for after another command
    /// is what a person sees there.
    const LAUNCH_TIME: Duration = Duration::from_millis(60);
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Start,
    /// Reads standard input to its end before the command runs.
    Stdin(Invocation, Vec<u8>),
    /// The command waits.
    Running(Invocation, Box<dyn Task>),
    Ended(i32),
}

impl Program for Kubectl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(signal) = self.interrupted(sys) {
            return Step::Exit(128 + signal.number());
        }
        let ready_at = *self.ready_at.get_or_insert(sys.now() + Self::LAUNCH_TIME);
        if sys.now() < ready_at {
            return Step::Block { until: Some(ready_at) };
        }
        loop {
            match self.console.flush(sys) {
                Ok(true) => {}
                Ok(false) => return Step::Block { until: None },
                Err(Errno::Pipe) => {
                    self.cancel(sys);
                    return Step::Exit(128 + Signal::Pipe.number());
                }
                Err(_) => return Step::Exit(1),
            }
            let until = match std::mem::take(&mut self.state) {
                State::Ended(code) => return Step::Exit(code),
                State::Start => self.start(sys),
                State::Stdin(invocation, bytes) => self.read_stdin(sys, invocation, bytes),
                State::Running(invocation, task) => {
                    let outcome = task.poll(&mut self.context(sys, &invocation, &[]));
                    self.settle(invocation, outcome)
                }
            };
            if let Some(until) = until
                && self.console.is_empty()
            {
                return Step::Block { until };
            }
        }
    }
}

impl Kubectl {
    fn context<'a>(
        &'a mut self,
        sys: &'a mut dyn Sys,
        invocation: &'a Invocation,
        stdin: &'a [u8],
    ) -> Context<'a> {
        Context::new(sys, &mut self.console, invocation, stdin, self.cause, &mut self.login)
    }

    /// Reads the arguments. `None`: go on at once; `Some`: wait until then.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<Option<Time>> {
        // What it holds open goes with it, however it is told to end.
        [Signal::Int, Signal::Term, Signal::Hup].into_iter().for_each(|signal| sys.catch(signal));
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let line: Vec<&str> = args.iter().map(String::as_str).collect();
        let line = format!("kubectl {}", line.join(" "));
        let (parent, now) = (sys.cause(), sys.now());
        self.cause = match sys.api() {
            Some(api) => {
                api.causes().record(now, parent, &"kubectl".into(), "run", line.trim().into())
            }
            None => parent,
        };
        match command::parse(&args) {
            Err(failure) => self.fail(&failure),
            Ok(invocation) => {
                for warning in &invocation.flags.warnings {
                    self.console.err(&format!("{warning}\n"));
                }
                if invocation.flags.help {
                    self.console.out(&crate::help::text(&invocation));
                    self.state = State::Ended(0);
                } else if crate::builder::reads_stdin(&invocation.flags) {
                    self.state = State::Stdin(invocation, Vec::new());
                } else {
                    return self.run(sys, invocation, &[]);
                }
            }
        }
        None
    }

    fn read_stdin(
        &mut self,
        sys: &mut dyn Sys,
        invocation: Invocation,
        mut bytes: Vec<u8>,
    ) -> Option<Option<Time>> {
        loop {
            match sys.read(0, 64 * 1024) {
                Ok(more) if more.is_empty() => return self.run(sys, invocation, &bytes),
                Ok(more) => bytes.extend(more),
                Err(Errno::Again) => {
                    self.state = State::Stdin(invocation, bytes);
                    return Some(None);
                }
                Err(errno) => {
                    self.fail(&Failure::message(format!("read /dev/stdin: {errno}")));
                    return None;
                }
            }
            if bytes.len() > STDIN_MAX {
                self.fail(&Failure::message("standard input is too large"));
                return None;
            }
        }
    }

    fn run(
        &mut self,
        sys: &mut dyn Sys,
        invocation: Invocation,
        stdin: &[u8],
    ) -> Option<Option<Time>> {
        let outcome = (invocation.command().run)(&mut self.context(sys, &invocation, stdin));
        self.settle(invocation, outcome)
    }

    fn settle(&mut self, invocation: Invocation, outcome: Outcome) -> Option<Option<Time>> {
        match outcome {
            Ok(Next::Exit(code)) => self.state = State::Ended(code),
            Ok(Next::Wait(task, until)) => {
                self.state = State::Running(invocation, task);
                return Some(until);
            }
            Err(failure) => self.fail(&failure),
        }
        None
    }

    fn fail(&mut self, failure: &Failure) {
        if let Failure::Shown(shown, _) = failure {
            self.console.out(shown);
        }
        let (mut text, code) = failure.report();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.console.err(&text);
        self.state = State::Ended(code);
    }

    fn interrupted(&mut self, sys: &mut dyn Sys) -> Option<Signal> {
        let signal = sys.take_signal()?;
        self.cancel(sys);
        // What is already said is still shown; a reader that is gone does not matter any more.
        let _ = self.console.flush(sys);
        Some(signal)
    }

    fn cancel(&mut self, sys: &mut dyn Sys) {
        if let State::Running(invocation, mut task) = std::mem::take(&mut self.state) {
            task.cancel(&mut self.context(sys, &invocation, &[]));
        }
        self.state = State::Ended(130);
    }
}
