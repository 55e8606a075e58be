//! The machine that runs commands: a stack of frames, one step at a time.

use super::ast::*;
use super::expand::{Expander, Replay, Stop};
use super::parse::{Grammar, ParseError, parse_command};
use super::pattern::Pattern;
use super::simple::{Made, Redirects, SimpleRun};
use super::state::{Flavor, Variable};
use super::{FRAMES_MAX, Flow, Shell, Source};
use crate::{Errno, Fd, Pid, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes that a command substitution may give.
const CAPTURE_BYTES_MAX: usize = 4 << 20;

/// The descriptor that the first process substitution of a command has.
const PROCESS_FD_MAX: u32 = 63;

/// Variables to put back, in the order in which they were changed.
pub(super) type Saved = Vec<(String, Option<Variable>)>;

/// Something the shell is in the middle of.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    /// Commands in text form: a script, `eval`, `.`, a trap.
    Script {
        text: Arc<str>,
        at: usize,
        line: usize,
        kind: Script,
    },
    List {
        list: Arc<List>,
        next: usize,
    },
    AndOr {
        and_or: Arc<AndOr>,
        next: usize,
    },
    /// `!` before what is above.
    Negate,
    /// `time` before what is above.
    Timed {
        since: Time,
    },
    Simple(Box<SimpleRun>),
    /// A compound command whose redirections are being made.
    Compound {
        command: Arc<Command>,
        redirects: Box<Redirects>,
    },
    /// Puts descriptors back.
    Restore {
        fds: BTreeMap<u32, Fd>,
        opened: Vec<Fd>,
    },
    /// Puts variables back.
    Unset {
        saved: Saved,
    },
    If {
        command: Arc<Command>,
        arm: usize,
    },
    While {
        command: Arc<Command>,
        in_condition: bool,
        status: i32,
    },
    For {
        command: Arc<Command>,
        run: Box<ForRun>,
    },
    ForArith {
        command: Arc<Command>,
        stage: ArithStage,
        replay: Replay,
    },
    Case {
        command: Arc<Command>,
        run: Box<CaseRun>,
    },
    Condition {
        test: Arc<Test>,
        replay: Replay,
    },
    Arith {
        command: Arc<Command>,
        replay: Replay,
    },
    Function {
        positional: Arc<Vec<String>>,
        saved: Saved,
    },
    /// Children in the foreground: a pipeline, or one command.
    Wait {
        children: Vec<(Pid, Option<i32>)>,
        is_pipeline: bool,
    },
    /// A command substitution.
    Capture {
        child: Pid,
        fd: Fd,
        bytes: Vec<u8>,
    },
    /// The builtin `read`.
    Read(Box<super::builtins::read::ReadRun>),
    /// The builtin `wait`.
    WaitFor {
        pids: Vec<Pid>,
        /// `-n`: only for the first of them.
        next: bool,
    },
}

/// Why text is being run as commands.
#[derive(Clone, Debug)]
pub(super) enum Script {
    /// It is the shell's own script.
    Main,
    /// A trap: the status to put back.
    Trap { status: i32 },
    /// `eval`.
    Eval,
    /// `.`: the positional parameters to put back.
    Dot { positional: Option<Arc<Vec<String>>> },
}

/// A `for` going on.
#[derive(Clone, Debug, Default)]
pub(super) struct ForRun {
    expanded: usize,
    replay: Replay,
    items: Vec<String>,
    next: usize,
    running: bool,
}

/// A `case` going on.
#[derive(Clone, Debug, Default)]
pub(super) struct CaseRun {
    subject: Option<String>,
    arm: usize,
    pattern: usize,
    replay: Replay,
}

/// Where a `for ((…))` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArithStage {
    Start,
    Condition,
    Step,
}

impl Frame {
    /// Text to be run as commands.
    pub fn script(text: &str) -> Frame {
        Frame::Script { text: text.into(), at: 0, line: 1, kind: Script::Eval }
    }

    /// What a trap runs, after which the status is what it was.
    pub fn trap(text: &str, status: i32) -> Frame {
        Frame::Script { text: text.into(), at: 0, line: 1, kind: Script::Trap { status } }
    }

    /// Whether the failure of a command above it is looked at, so that `set -e` does not end the
    /// shell.
    fn looks_at_status(&self) -> bool {
        match self {
            Frame::AndOr { and_or, next } => *next < and_or.pipelines.len(),
            Frame::Negate | Frame::If { .. } => true,
            Frame::While { in_condition, .. } => *in_condition,
            _ => false,
        }
    }
}

impl Shell {
    /// One step.
    pub(super) fn step(&mut self, sys: &mut dyn Sys) -> Flow {
        if self.frames.len() > FRAMES_MAX {
            let limit = format!("maximum function nesting level exceeded ({FRAMES_MAX})");
            self.complain(&limit);
            self.abort(sys, 1);
            return Flow::Go;
        }
        let Some(frame) = self.frames.pop() else { return self.next_command(sys) };
        match frame {
            Frame::Script { text, at, line, kind } => self.step_script(sys, text, at, line, kind),
            Frame::List { list, next } => self.step_list(sys, list, next),
            Frame::AndOr { and_or, next } => self.step_and_or(sys, and_or, next),
            Frame::Negate => {
                self.state.status = i32::from(self.state.status == 0);
                Flow::Go
            }
            Frame::Timed { since } => {
                self.report_time(sys, since);
                Flow::Go
            }
            Frame::Simple(run) => self.step_simple(sys, run),
            Frame::Compound { command, redirects } => self.step_compound(sys, command, redirects),
            Frame::If { command, arm } => self.step_if(command, arm),
            Frame::While { command, in_condition, status } => {
                self.step_while(command, in_condition, status)
            }
            Frame::For { command, run } => self.step_for(sys, command, run),
            Frame::ForArith { command, stage, replay } => {
                self.step_for_arith(sys, command, stage, replay)
            }
            Frame::Case { command, run } => self.step_case(sys, command, run),
            Frame::Condition { test, replay } => self.step_condition(sys, test, replay),
            Frame::Arith { command, replay } => self.step_arith(sys, command, replay),
            Frame::Wait { children, is_pipeline } => self.step_wait(sys, children, is_pipeline),
            Frame::Capture { child, fd, bytes } => self.step_capture(sys, child, fd, bytes),
            Frame::Read(run) => self.step_read(sys, run),
            Frame::WaitFor { pids, next } => self.step_wait_for(sys, pids, next),
            ending @ (Frame::Restore { .. } | Frame::Unset { .. } | Frame::Function { .. }) => {
                self.drop_frame(sys, ending);
                Flow::Go
            }
        }
    }

    fn step_script(
        &mut self,
        sys: &mut dyn Sys,
        text: Arc<str>,
        at: usize,
        line: usize,
        kind: Script,
    ) -> Flow {
        let rest = text.get(at..).unwrap_or_default();
        let grammar = self.grammar();
        match parse_command(rest, line, &grammar, true) {
            Ok((list, _)) if list.items.is_empty() => {
                let frame = Frame::Script { text, at, line, kind };
                self.drop_frame(sys, frame);
            }
            Ok((list, taken)) => {
                let read = rest.get(..taken).unwrap_or_default();
                let line = line + read.matches('\n').count();
                let after = rest.get(taken..).unwrap_or_default();
                let is_last = matches!(kind, Script::Main) && after.trim().is_empty();
                if self.state.options.verbose {
                    let read = read.to_string();
                    self.print(2, read);
                }
                let at = at + taken;
                if !is_last {
                    self.push(Frame::Script { text, at, line, kind });
                }
                if !self.state.options.noexec {
                    self.run_list(&Arc::new(list));
                }
            }
            Err(error) => {
                let is_main = matches!(kind, Script::Main);
                self.drop_frame(sys, Frame::Script { text: Arc::clone(&text), at, line, kind });
                self.syntax_error(sys, &error, &text, is_main);
            }
        }
        Flow::Go
    }

    /// What the texts of this shell mean now.
    pub(super) fn grammar(&self) -> Grammar {
        let aliases = match self.state.options.expand_aliases {
            true => self.state.aliases.clone(),
            false => BTreeMap::new(),
        };
        Grammar { aliases, arrays: self.state.flavor == Flavor::Bash }
    }

    fn step_list(&mut self, sys: &mut dyn Sys, list: Arc<List>, next: usize) -> Flow {
        if let Some(action) = self.pending_traps.pop_front() {
            self.push(Frame::List { list, next });
            self.push(Frame::trap(&action, self.state.status));
            return Flow::Go;
        }
        let Some(item) = list.items.get(next) else { return Flow::Go };
        self.state.line = item.line;
        let (and_or, background) = (Arc::clone(&item.and_or), item.background);
        if next + 1 < list.items.len() {
            self.push(Frame::List { list, next: next + 1 });
        }
        if background {
            self.start_job(sys, and_or);
        } else {
            self.push(Frame::AndOr { and_or, next: 0 });
        }
        Flow::Go
    }

    fn step_and_or(&mut self, sys: &mut dyn Sys, and_or: Arc<AndOr>, next: usize) -> Flow {
        let Some((connector, pipeline)) = and_or.pipelines.get(next) else { return Flow::Go };
        let runs = next == 0 || (self.state.status == 0) == (*connector == Connector::And);
        let pipeline = pipeline.clone();
        if next + 1 < and_or.pipelines.len() {
            self.push(Frame::AndOr { and_or, next: next + 1 });
        }
        if runs {
            self.run_pipeline(sys, &pipeline);
        }
        Flow::Go
    }

    fn run_pipeline(&mut self, sys: &mut dyn Sys, pipeline: &Pipeline) {
        if pipeline.negate {
            self.push(Frame::Negate);
        }
        if pipeline.timed {
            self.push(Frame::Timed { since: sys.now() });
        }
        if self.state.interactive {
            self.foreground = (Arc::clone(&pipeline.text), None);
        }
        match pipeline.commands.as_slice() {
            [command] => self.run_command(command),
            commands => self.start_pipeline(sys, commands),
        }
    }

    pub(super) fn run_command(&mut self, command: &Arc<Command>) {
        match command.as_ref() {
            Command::Simple(_) => {
                self.push(Frame::Simple(Box::new(SimpleRun::new(Arc::clone(command)))));
            }
            Command::Compound(..) => {
                let redirects = Box::new(Redirects::new(&self.state.fds));
                self.push(Frame::Compound { command: Arc::clone(command), redirects });
            }
            Command::Function { name, body } => {
                self.state.functions.insert(name.clone(), Arc::clone(body));
                self.state.status = 0;
            }
        }
    }

    fn report_time(&mut self, sys: &mut dyn Sys, since: Time) {
        let elapsed = sys.now().since(since);
        let (minutes, seconds) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
        let real = format!("{minutes}m{seconds}.{:03}s", elapsed.subsec_millis());
        let report = match self.state.flavor {
            Flavor::Bash => format!("\nreal\t{real}\nuser\t0m0.000s\nsys\t0m0.000s\n"),
            _ => format!("real\t{real}\nuser\t0m0.000s\nsys\t0m0.000s\n"),
        };
        self.print(2, report);
    }

    // ---- compound commands ----

    fn step_compound(
        &mut self,
        sys: &mut dyn Sys,
        command: Arc<Command>,
        mut redirects: Box<Redirects>,
    ) -> Flow {
        let Command::Compound(compound, list) = command.as_ref() else { return Flow::Go };
        match self.make_redirects(sys, &mut redirects, list) {
            Made::All => {}
            Made::Failed => {
                redirects.close(sys);
                self.state.status = 1;
                self.check_errexit(sys);
                return Flow::Go;
            }
            Made::Aborted => {
                redirects.close(sys);
                return Flow::Go;
            }
            Made::Waits => {
                self.push_below_capture(Frame::Compound { command, redirects });
                return Flow::Go;
            }
        }
        for (number, fd) in self.processes.drain(..) {
            redirects.hand_over(number, fd);
        }
        if !list.is_empty() {
            let fds = std::mem::replace(&mut self.state.fds, redirects.fds);
            self.push(Frame::Restore { fds, opened: redirects.opened });
        }
        let command = Arc::clone(&command);
        match compound {
            Compound::Group(list) => self.run_list(list),
            Compound::Subshell(list) if self.is_tail() => self.run_list(list),
            Compound::Subshell(list) => self.start_subshell(sys, list),
            Compound::If { .. } => self.push(Frame::If { command, arm: 0 }),
            Compound::While { condition, .. } => {
                self.push(Frame::While { command, in_condition: true, status: 0 });
                self.run_list(condition);
            }
            Compound::For { .. } => self.push(Frame::For { command, run: Box::default() }),
            Compound::ForArith { .. } => {
                let stage = ArithStage::Start;
                self.push(Frame::ForArith { command, stage, replay: Replay::new() });
            }
            Compound::Case { .. } => self.push(Frame::Case { command, run: Box::default() }),
            Compound::Condition(test) => {
                let test = Arc::clone(test);
                self.push(Frame::Condition { test, replay: Replay::new() });
            }
            Compound::Arith(_) => self.push(Frame::Arith { command, replay: Replay::new() }),
        }
        Flow::Go
    }

    /// `arm` is the number of conditions already run; the last one's status decides.
    fn step_if(&mut self, command: Arc<Command>, arm: usize) -> Flow {
        let Command::Compound(Compound::If { arms, otherwise }, _) = command.as_ref() else {
            return Flow::Go;
        };
        if let Some((_, body)) = arm.checked_sub(1).and_then(|last| arms.get(last))
            && self.state.status == 0
        {
            self.run_list(body);
            return Flow::Go;
        }
        match (arms.get(arm), otherwise) {
            (Some((condition, _)), _) => {
                let condition = Arc::clone(condition);
                self.push(Frame::If { command, arm: arm + 1 });
                self.run_list(&condition);
            }
            (None, Some(body)) => self.run_list(body),
            (None, None) => self.state.status = 0,
        }
        Flow::Go
    }

    /// `status` is that of the last run of the body; 0 before the first.
    fn step_while(&mut self, command: Arc<Command>, in_condition: bool, status: i32) -> Flow {
        let Command::Compound(Compound::While { until, condition, body }, _) = command.as_ref()
        else {
            return Flow::Go;
        };
        let (body, condition) = (Arc::clone(body), Arc::clone(condition));
        if !in_condition {
            self.push(Frame::While { command, in_condition: true, status: self.state.status });
            self.run_list(&condition);
        } else if (self.state.status == 0) != *until {
            self.state.status = 0;
            self.push(Frame::While { command, in_condition: false, status });
            self.run_list(&body);
        } else {
            self.state.status = status;
        }
        Flow::Go
    }

    fn step_for(&mut self, sys: &mut dyn Sys, command: Arc<Command>, mut run: Box<ForRun>) -> Flow {
        let Command::Compound(Compound::For { name, words, body }, _) = command.as_ref() else {
            return Flow::Go;
        };
        if !run.running {
            run.replay.extend(self.captured.take());
            match words {
                None => run.items = self.state.positional.to_vec(),
                Some(words) => {
                    while let Some(word) = words.get(run.expanded) {
                        let result = self.expand(sys, &mut run.replay, |e| e.fields(word));
                        match self.settle(sys, result) {
                            Some(Some(fields)) => run.items.extend(fields),
                            Some(None) => {
                                self.push_below_capture(Frame::For { command, run });
                                return Flow::Go;
                            }
                            None => return Flow::Go,
                        }
                        run.expanded += 1;
                        run.replay.clear();
                    }
                }
            }
            run.running = true;
            self.state.status = 0;
        }
        let Some(item) = run.items.get(run.next) else { return Flow::Go };
        if self.state.options.xtrace && self.state.flavor == Flavor::Bash {
            let items: Vec<String> = run.items.iter().map(|item| super::quote(item)).collect();
            let mark = self.state.trace_mark();
            let line = format!("{mark}for {name} in {}\n", items.join(" "));
            self.print(2, line);
        }
        if let Err(message) = self.state.set(name, item.clone()) {
            self.complain(&message);
            self.abort(sys, 1);
            return Flow::Go;
        }
        run.next += 1;
        let body = Arc::clone(body);
        self.push(Frame::For { command, run });
        self.run_list(&body);
        Flow::Go
    }

    fn step_for_arith(
        &mut self,
        sys: &mut dyn Sys,
        command: Arc<Command>,
        stage: ArithStage,
        mut replay: Replay,
    ) -> Flow {
        let Command::Compound(Compound::ForArith { header, body }, _) = command.as_ref() else {
            return Flow::Go;
        };
        let [start, condition, step] = header;
        let (word, next) = match stage {
            ArithStage::Start => (start, ArithStage::Condition),
            ArithStage::Condition => (condition, ArithStage::Step),
            ArithStage::Step => (step, ArithStage::Condition),
        };
        replay.extend(self.captured.take());
        let result = self
            .expand(sys, &mut replay, |e| if word.0.is_empty() { Ok(1) } else { e.arith(word) });
        let value = match self.settle(sys, result) {
            Some(Some(value)) => value,
            Some(None) => {
                self.push_below_capture(Frame::ForArith { command, stage, replay });
                return Flow::Go;
            }
            None => return Flow::Go,
        };
        if stage == ArithStage::Start {
            self.state.status = 0;
        }
        if stage == ArithStage::Condition && value == 0 {
            return Flow::Go;
        }
        let body = Arc::clone(body);
        self.push(Frame::ForArith { command, stage: next, replay: Replay::new() });
        if stage == ArithStage::Condition {
            self.run_list(&body);
        }
        Flow::Go
    }

    fn step_case(
        &mut self,
        sys: &mut dyn Sys,
        command: Arc<Command>,
        mut run: Box<CaseRun>,
    ) -> Flow {
        let Command::Compound(Compound::Case { subject, arms }, _) = command.as_ref() else {
            return Flow::Go;
        };
        run.replay.extend(self.captured.take());
        let Some(value) = run.subject.clone() else {
            let result = self.expand(sys, &mut run.replay, |e| e.single(subject));
            match self.settle(sys, result) {
                Some(Some(text)) => {
                    run.subject = Some(text);
                    run.replay.clear();
                    self.push(Frame::Case { command, run });
                }
                Some(None) => self.push_below_capture(Frame::Case { command, run }),
                None => {}
            }
            return Flow::Go;
        };
        let Some(arm) = arms.get(run.arm) else {
            self.state.status = 0;
            return Flow::Go;
        };
        let Some(word) = arm.patterns.get(run.pattern) else {
            run.arm += 1;
            run.pattern = 0;
            self.push(Frame::Case { command, run });
            return Flow::Go;
        };
        let result = self.expand(sys, &mut run.replay, |e| e.pattern(word));
        match self.settle(sys, result) {
            Some(Some(glyphs)) if Pattern::new(&glyphs).matches(&value) => {
                self.state.status = 0;
                self.run_case_bodies(arms, run.arm);
            }
            Some(Some(_)) => {
                run.pattern += 1;
                run.replay.clear();
                self.push(Frame::Case { command, run });
            }
            Some(None) => self.push_below_capture(Frame::Case { command, run }),
            None => {}
        }
        Flow::Go
    }

    /// The body of the arm, and of those it falls through to.
    fn run_case_bodies(&mut self, arms: &[CaseArm], first: usize) {
        let mut bodies = Vec::new();
        for arm in arms.iter().skip(first) {
            bodies.push(&arm.body);
            if !arm.falls_through {
                break;
            }
        }
        for body in bodies.into_iter().rev() {
            self.run_list(body);
        }
    }

    fn step_condition(&mut self, sys: &mut dyn Sys, test: Arc<Test>, mut replay: Replay) -> Flow {
        replay.extend(self.captured.take());
        let result =
            self.expand(sys, &mut replay, |e| super::builtins::condition::evaluate(e, &test));
        match self.settle(sys, result) {
            Some(Some(holds)) => {
                self.state.pipe_status = None;
                self.state.status = i32::from(!holds);
                self.check_errexit(sys);
            }
            Some(None) => self.push_below_capture(Frame::Condition { test, replay }),
            None => {}
        }
        Flow::Go
    }

    fn step_arith(&mut self, sys: &mut dyn Sys, command: Arc<Command>, mut replay: Replay) -> Flow {
        let Command::Compound(Compound::Arith(word), _) = command.as_ref() else {
            return Flow::Go;
        };
        replay.extend(self.captured.take());
        let result = self.expand(sys, &mut replay, |e| e.arith(word));
        match self.settle(sys, result) {
            Some(Some(value)) => {
                self.state.pipe_status = None;
                self.state.status = i32::from(value == 0);
                self.check_errexit(sys);
            }
            Some(None) => self.push_below_capture(Frame::Arith { command, replay }),
            None => {}
        }
        Flow::Go
    }

    // ---- expansion ----

    pub(super) fn expand<T>(
        &mut self,
        sys: &mut dyn Sys,
        replay: &mut Replay,
        run: impl FnOnce(&mut Expander<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        run(&mut Expander::new(&mut self.state, sys, replay))
    }

    /// What an expansion came to: a value; `Some(None)` when a command substitution was started,
    /// whose frame is on top now; `None` when it failed and that was dealt with.
    pub(super) fn settle<T>(
        &mut self,
        sys: &mut dyn Sys,
        result: Result<T, Stop>,
    ) -> Option<Option<T>> {
        match result {
            Ok(value) => Some(Some(value)),
            Err(Stop::Capture(list)) => self.start_capture(sys, &list).then_some(None),
            Err(Stop::Process { list, read }) => {
                self.start_process(sys, &list, read).then_some(None)
            }
            Err(Stop::Error(message)) if self.state.flavor == Flavor::Bash => {
                self.complain(&message);
                self.discard(sys);
                None
            }
            Err(Stop::Error(message)) => {
                self.fail_expansion(sys, &message, 1);
                None
            }
            Err(Stop::Unset(message)) => {
                let code = if self.state.from_argument { 127 } else { 1 };
                self.fail_expansion(sys, &message, code);
                None
            }
        }
    }

    /// `bash_code` is the code that bash ends with; the others end with 2.
    fn fail_expansion(&mut self, sys: &mut dyn Sys, message: &str, bash_code: i32) {
        self.complain(message);
        let code = if self.state.flavor == Flavor::Bash { bash_code } else { 2 };
        self.abort(sys, code);
    }

    /// Puts a frame back below the command substitution that it has just started.
    pub(super) fn push_below_capture(&mut self, frame: Frame) {
        match self.frames.pop() {
            Some(capture) => self.frames.extend([frame, capture]),
            None => self.frames.push(frame),
        }
    }

    fn start_capture(&mut self, sys: &mut dyn Sys, list: &Arc<List>) -> bool {
        let frame = Frame::List { list: Arc::clone(list), next: 0 };
        let (reader, writer) = match sys.pipe() {
            Ok(ends) => ends,
            Err(errno) => {
                self.complain(&format!("cannot make pipe for command substitution: {errno}"));
                self.abort(sys, 1);
                return false;
            }
        };
        let mut fds = self.child_fds();
        fds.retain(|(theirs, _)| *theirs != 1);
        fds.push((1, writer));
        let mut shell = self.subshell(frame);
        if self.state.flavor == Flavor::Bash {
            // Bash does not hand `-e` on to command substitutions.
            shell.state.options.errexit = false;
            shell.state.trace_depth += 1;
        }
        let child = self.fork_shell(sys, shell, &fds);
        sys.close(writer);
        match child {
            Some(child) => {
                self.push(Frame::Capture { child, fd: reader, bytes: Vec::new() });
                true
            }
            None => {
                sys.close(reader);
                self.abort(sys, 1);
                false
            }
        }
    }

    /// `<(…)` and `>(…)`: starts the commands with a pipe, whose other end the command has as a
    /// descriptor.
    fn start_process(&mut self, sys: &mut dyn Sys, list: &Arc<List>, read: bool) -> bool {
        let Ok((reader, writer)) = sys.pipe() else {
            self.complain("cannot make pipe for process substitution: Too many open files");
            self.abort(sys, 1);
            return false;
        };
        let (mine, theirs, fd) = if read { (reader, writer, 1) } else { (writer, reader, 0) };
        let mut fds = self.child_fds();
        fds.retain(|(other, _)| *other != fd);
        fds.push((fd, theirs));
        let frame = Frame::List { list: Arc::clone(list), next: 0 };
        let child = self.fork(sys, frame, &fds);
        sys.close(theirs);
        let Some(child) = child else {
            sys.close(mine);
            self.abort(sys, 1);
            return false;
        };
        self.strays.push(child);
        let taken = |fd: u32| self.processes.iter().any(|(other, _)| *other == fd);
        let number = (0..=PROCESS_FD_MAX).rev().find(|fd| !taken(*fd)).unwrap_or(0);
        self.processes.push((number, mine));
        self.captured = Some(format!("/dev/fd/{number}"));
        // What goes on below it takes the name at once.
        self.push(Frame::Unset { saved: Saved::new() });
        true
    }

    fn step_capture(&mut self, sys: &mut dyn Sys, child: Pid, fd: Fd, mut bytes: Vec<u8>) -> Flow {
        loop {
            match sys.read(fd, 1 << 16) {
                Ok(more) if more.is_empty() => break,
                Ok(more) => {
                    bytes.extend(more);
                    if bytes.len() > CAPTURE_BYTES_MAX {
                        bytes.truncate(CAPTURE_BYTES_MAX);
                        break;
                    }
                }
                Err(Errno::Again) => {
                    self.push(Frame::Capture { child, fd, bytes });
                    return Flow::Block(None);
                }
                Err(_) => break,
            }
        }
        match sys.wait(child) {
            Err(Errno::Again) if bytes.len() < CAPTURE_BYTES_MAX => {
                self.push(Frame::Capture { child, fd, bytes });
                return Flow::Block(None);
            }
            Err(_) => self.capture_status = Some(1),
            Ok(code) => self.capture_status = Some(code),
        }
        sys.close(fd);
        bytes.retain(|byte| *byte != 0);
        let text = String::from_utf8_lossy(&bytes);
        self.captured = Some(text.trim_end_matches('\n').to_string());
        if let Some(code) = self.capture_status {
            self.state.status = code;
        }
        Flow::Go
    }

    // ---- children ----

    /// All descriptors of commands, for a child that gets them unchanged.
    pub(super) fn child_fds(&self) -> Vec<(Fd, Fd)> {
        self.state.fds.iter().map(|(theirs, mine)| (*theirs, *mine)).collect()
    }

    /// Starts a subshell that runs `frame`; says why if it cannot.
    pub(super) fn fork(
        &mut self,
        sys: &mut dyn Sys,
        frame: Frame,
        fds: &[(Fd, Fd)],
    ) -> Option<Pid> {
        let shell = self.subshell(frame);
        self.fork_shell(sys, shell, fds)
    }

    fn fork_shell(&mut self, sys: &mut dyn Sys, mut shell: Shell, fds: &[(Fd, Fd)]) -> Option<Pid> {
        shell.state.fds = fds.iter().map(|(theirs, _)| (*theirs, *theirs)).collect();
        let argv = sys.args().to_vec();
        match sys.fork(Box::new(shell), argv, fds) {
            Ok(pid) => Some(pid),
            Err(errno) => {
                self.complain_fork(errno);
                None
            }
        }
    }

    pub(super) fn complain_fork(&mut self, errno: Errno) {
        match self.state.flavor {
            Flavor::Bash => {
                let name = self.state.error_name.clone();
                self.print(2, format!("{name}: fork: {errno}\n"));
            }
            Flavor::Dash => self.complain("Cannot fork"),
            Flavor::Ash => self.complain(&format!("can't fork: {errno}")),
        }
    }

    fn start_subshell(&mut self, sys: &mut dyn Sys, list: &Arc<List>) {
        let frame = Frame::List { list: Arc::clone(list), next: 0 };
        let fds = self.child_fds();
        match self.fork(sys, frame, &fds) {
            Some(pid) => self.wait_in_foreground(sys, vec![pid], false),
            None => self.abort(sys, 254),
        }
    }

    fn start_pipeline(&mut self, sys: &mut dyn Sys, commands: &[Arc<Command>]) {
        let mut pids = Vec::new();
        let mut input: Option<Fd> = None;
        for (index, command) in commands.iter().enumerate() {
            let is_last = index + 1 == commands.len();
            let ends = if is_last { None } else { sys.pipe().ok() };
            let mut fds = self.child_fds();
            if let Some(fd) = input {
                fds.retain(|(theirs, _)| *theirs != 0);
                fds.push((0, fd));
            }
            if let Some((_, writer)) = ends {
                fds.retain(|(theirs, _)| *theirs != 1);
                fds.push((1, writer));
            }
            let list = List {
                items: vec![Item {
                    and_or: Arc::new(single(command)),
                    background: false,
                    line: self.state.line,
                }],
            };
            let pid = self.fork(sys, Frame::List { list: Arc::new(list), next: 0 }, &fds);
            if let Some(fd) = input.take() {
                sys.close(fd);
            }
            if let Some((reader, writer)) = ends {
                sys.close(writer);
                input = Some(reader);
            }
            match pid {
                Some(pid) => pids.push(pid),
                None => {
                    if let Some(fd) = input {
                        sys.close(fd);
                    }
                    self.strays.extend(pids);
                    self.abort(sys, 254);
                    return;
                }
            }
        }
        self.wait_in_foreground(sys, pids, true);
    }

    pub(super) fn wait_in_foreground(
        &mut self,
        sys: &mut dyn Sys,
        pids: Vec<Pid>,
        is_pipeline: bool,
    ) {
        if self.state.interactive
            && let Some(&leader) = pids.first()
        {
            for pid in &pids {
                // A child that has ended already needs no group.
                let _ = sys.group(*pid, leader);
            }
        }
        let leader = pids.first().copied().unwrap_or_default();
        self.wait_for_children(sys, pids, leader, is_pipeline);
    }

    /// Waits for the processes of a job.
    pub(super) fn wait_for_group(&mut self, sys: &mut dyn Sys, pids: Vec<Pid>, group: Pid) {
        let is_pipeline = pids.len() > 1;
        self.wait_for_children(sys, pids, group, is_pipeline);
    }

    fn wait_for_children(
        &mut self,
        sys: &mut dyn Sys,
        pids: Vec<Pid>,
        group: Pid,
        is_pipeline: bool,
    ) {
        if self.state.interactive {
            sys.foreground(Some(group));
        }
        let children = pids.into_iter().map(|pid| (pid, None)).collect();
        self.push(Frame::Wait { children, is_pipeline });
    }

    fn step_wait(
        &mut self,
        sys: &mut dyn Sys,
        mut children: Vec<(Pid, Option<i32>)>,
        is_pipeline: bool,
    ) -> Flow {
        let last = children.last().map(|(pid, _)| *pid);
        for (pid, status) in &mut children {
            if status.is_none() {
                let killed_by = sys.killed_by(*pid);
                if last == Some(*pid) {
                    self.last_killed_by = killed_by;
                }
                match sys.wait(*pid) {
                    Ok(code) => *status = Some(code),
                    Err(Errno::Again) => {}
                    Err(_) => *status = Some(127),
                }
            }
        }
        if children.iter().any(|(_, status)| status.is_none()) {
            let left = || children.iter().filter(|(_, status)| status.is_none());
            if self.state.interactive
                && let Some(signal) = left().find_map(|(pid, _)| sys.stopped_by(*pid))
                && left().all(|(pid, _)| sys.stopped_by(*pid).is_some())
            {
                let pids: Vec<Pid> = left().map(|(pid, _)| *pid).collect();
                self.stopped_in_foreground(sys, pids, signal);
                return Flow::Go;
            }
            self.push(Frame::Wait { children, is_pipeline });
            return Flow::Block(None);
        }
        let codes: Vec<i32> = children.iter().filter_map(|(_, status)| *status).collect();
        let last = codes.last().copied().unwrap_or(0);
        let failed = codes.iter().copied().rfind(|code| *code != 0).unwrap_or(0);
        self.state.pipe_status = Some(codes);
        self.state.status = if self.state.options.pipefail { failed } else { last };
        if self.state.interactive {
            sys.foreground(None);
        }
        if self.state.interactive || self.state.flavor == Flavor::Dash {
            self.after_foreground(sys);
        }
        self.check_errexit(sys);
        Flow::Go
    }

    /// An interactive shell whose command was killed says so, and drops the rest of its line
    /// after Ctrl-C.
    fn after_foreground(&mut self, sys: &mut dyn Sys) {
        match self.state.status {
            130 if self.state.interactive => {
                self.unwind_all(sys);
                self.state.status = 130;
                self.print(2, "\n");
            }
            // A command may end with these codes by itself: kubectl, when what it ran was killed.
            137 if self.last_killed_by.is_some() => self.print(2, "Killed\n"),
            143 if self.last_killed_by.is_some() => self.print(2, "Terminated\n"),
            _ => {}
        }
    }

    // ---- ends ----

    /// `set -e`: a failed command whose status nobody looks at ends the shell.
    pub(super) fn check_errexit(&mut self, sys: &mut dyn Sys) {
        let watched = self.state.options.errexit || self.state.traps.contains_key("ERR");
        if !watched || self.state.status == 0 || self.frames.iter().any(Frame::looks_at_status) {
            return;
        }
        let status = self.state.status;
        let in_trap =
            |frame: &Frame| matches!(frame, Frame::Script { kind: Script::Trap { .. }, .. });
        let action = self.state.traps.get("ERR").filter(|_| !self.frames.iter().any(in_trap));
        let action = action.cloned();
        if self.state.options.errexit {
            self.leave(sys, status);
        }
        if let Some(action) = action {
            self.push(Frame::trap(&action, status));
        }
    }

    /// An error that a script does not survive. A person gets the next prompt.
    pub(super) fn abort(&mut self, sys: &mut dyn Sys, code: i32) {
        if self.state.interactive {
            self.unwind_all(sys);
            self.state.status = code;
        } else {
            self.leave(sys, code);
        }
    }

    /// An error in an expansion, in bash: what was read together is dropped, and a script goes on with
    /// its next line.
    pub(super) fn discard(&mut self, sys: &mut dyn Sys) {
        let script = |frame: &Frame| matches!(frame, Frame::Script { kind: Script::Main, .. });
        let goes_on = self.frames.first().is_some_and(script);
        if !goes_on {
            let reads = matches!(self.source, Source::Input { .. });
            if !reads || self.state.interactive {
                self.abort(sys, 1);
                return;
            }
        }
        while self.frames.len() > usize::from(goes_on)
            && let Some(frame) = self.frames.pop()
        {
            self.drop_frame(sys, frame);
        }
        self.state.status = 1;
    }

    pub(super) fn unwind_all(&mut self, sys: &mut dyn Sys) {
        while let Some(frame) = self.frames.pop() {
            self.drop_frame(sys, frame);
        }
    }

    /// Ends a frame before or at its time: what it changed is put back.
    pub(super) fn drop_frame(&mut self, sys: &mut dyn Sys, frame: Frame) {
        match frame {
            Frame::Restore { fds, opened } => {
                // What was printed through them must reach them first.
                self.flush(sys);
                opened.into_iter().for_each(|fd| sys.close(fd));
                self.state.fds = fds;
            }
            Frame::Unset { saved } => self.put_back(saved),
            Frame::Function { positional, saved } => {
                self.state.positional = positional;
                self.put_back(saved);
            }
            Frame::Script { kind: Script::Dot { positional: Some(positional) }, .. } => {
                self.state.positional = positional;
            }
            Frame::Script { kind: Script::Trap { status }, .. } => self.state.status = status,
            Frame::Wait { children, .. } => {
                self.strays
                    .extend(children.iter().filter(|(_, s)| s.is_none()).map(|(pid, _)| *pid));
                if self.state.interactive {
                    sys.foreground(None);
                }
            }
            Frame::Capture { child, fd, .. } => {
                sys.close(fd);
                self.strays.push(child);
            }
            Frame::Simple(run) => run.close(sys),
            Frame::Compound { redirects, .. } => redirects.close(sys),
            _ => {}
        }
    }

    fn put_back(&mut self, saved: Saved) {
        for (name, variable) in saved.into_iter().rev() {
            match variable {
                Some(variable) => self.state.variables_mut().insert(name, variable),
                None => self.state.variables_mut().remove(&name),
            };
        }
    }

    /// Whether something of the stack is a loop of the current function.
    fn loops(&self) -> usize {
        self.frames
            .iter()
            .rev()
            .take_while(|frame| !matches!(frame, Frame::Function { .. }))
            .filter(|frame| is_loop(frame))
            .count()
    }

    /// `break` and `continue`.
    pub(super) fn leave_loops(&mut self, sys: &mut dyn Sys, levels: usize, again: bool) -> bool {
        let mut left = levels.min(self.loops());
        if left == 0 {
            return false;
        }
        while let Some(frame) = self.frames.pop() {
            if !is_loop(&frame) {
                self.drop_frame(sys, frame);
                continue;
            }
            left -= 1;
            if left > 0 {
                continue;
            }
            if again {
                let frame = match frame {
                    Frame::While { command, .. } => {
                        Frame::While { command, in_condition: false, status: 0 }
                    }
                    frame => frame,
                };
                self.push(frame);
            }
            break;
        }
        true
    }

    /// `return`: ends the current function or `.` script; `false` if there is none.
    pub(super) fn leave_function(&mut self, sys: &mut dyn Sys) -> bool {
        let ends = |frame: &Frame| {
            matches!(frame, Frame::Function { .. } | Frame::Script { kind: Script::Dot { .. }, .. })
        };
        if !self.frames.iter().any(ends) {
            return false;
        }
        while let Some(frame) = self.frames.pop() {
            let done = ends(&frame);
            self.drop_frame(sys, frame);
            if done {
                break;
            }
        }
        true
    }

    /// A text that is no command.
    pub(super) fn syntax_error(
        &mut self,
        sys: &mut dyn Sys,
        error: &ParseError,
        text: &str,
        is_main: bool,
    ) {
        let message = super::syntax_error::describe(&self.state, error, text, is_main);
        self.print(2, message);
        let code = if matches!(error, ParseError::BadSubstitution(_))
            && self.state.flavor == Flavor::Bash
        {
            1
        } else {
            2
        };
        if is_main || self.state.flavor != Flavor::Bash {
            self.abort(sys, code);
        }
        self.state.status = code;
    }
}

fn is_loop(frame: &Frame) -> bool {
    matches!(frame, Frame::While { .. } | Frame::For { .. } | Frame::ForArith { .. })
}

fn single(command: &Arc<Command>) -> AndOr {
    let commands = vec![Arc::clone(command)];
    let pipeline = Pipeline { negate: false, timed: false, text: "".into(), commands };
    AndOr { pipelines: vec![(Connector::And, pipeline)], text: "".into() }
}
