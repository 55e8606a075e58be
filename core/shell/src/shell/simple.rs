//! Simple commands: words, redirections, assignments, and then a function, a builtin or a program.

use super::array::Element;
use super::ast::*;
use super::builtins;
use super::expand::{Expander, Replay, Stop};
use super::machine::{Frame, Saved};
use super::state::{Flavor, Variable};
use super::{Flow, Shell};
use crate::{Errno, Fd, OpenMode, Sys};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Redirections being made, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Redirects {
    next: usize,
    replay: Replay,
    /// The descriptors of the command.
    pub fds: BTreeMap<u32, Fd>,
    /// Opened for it.
    pub opened: Vec<Fd>,
}

impl Redirects {
    pub fn new(fds: &BTreeMap<u32, Fd>) -> Self {
        Redirects { next: 0, replay: Replay::new(), fds: fds.clone(), opened: Vec::new() }
    }

    pub fn close(&self, sys: &mut dyn Sys) {
        self.opened.iter().for_each(|fd| sys.close(*fd));
    }

    /// The command has this process's descriptor `fd` as `number`, and it is closed with the others.
    pub fn hand_over(&mut self, number: u32, fd: Fd) {
        self.fds.entry(number).or_insert(fd);
        self.opened.push(fd);
    }
}

/// What came of making redirections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// All are made.
    All,
    /// One failed, and that was said.
    Failed,
    /// A command substitution was started; its frame is on top.
    Waits,
    /// An expansion failed, and the script was aborted.
    Aborted,
}

/// A simple command going on.
#[derive(Clone, Debug)]
pub(super) struct SimpleRun {
    command: Arc<Command>,
    expanded: usize,
    replay: Replay,
    words: Vec<String>,
    redirects: Option<Redirects>,
    redirected: bool,
    assigned: Vec<(String, String)>,
    /// Assignments done, also those that are not for the command's environment.
    assigns_done: usize,
    /// What `declare` and its like are to give arrays.
    arrays: Vec<GivenArray>,
    /// What `set -x` shows of assignments.
    traced: Vec<String>,
}

/// `name=(…)`, expanded.
#[derive(Clone, Debug)]
pub(super) struct GivenArray {
    /// The variable.
    pub name: String,
    /// What it gets.
    pub elements: Vec<Element>,
}

impl SimpleRun {
    pub fn new(command: Arc<Command>) -> Self {
        SimpleRun {
            command,
            expanded: 0,
            replay: Replay::new(),
            words: Vec::new(),
            redirects: None,
            redirected: false,
            assigned: Vec::new(),
            assigns_done: 0,
            arrays: Vec::new(),
            traced: Vec::new(),
        }
    }

    pub fn close(&self, sys: &mut dyn Sys) {
        if let Some(redirects) = &self.redirects {
            redirects.close(sys);
        }
    }
}

impl Shell {
    pub(super) fn step_simple(&mut self, sys: &mut dyn Sys, mut run: Box<SimpleRun>) -> Flow {
        let command = Arc::clone(&run.command);
        let Command::Simple(simple) = command.as_ref() else { return Flow::Go };
        if run.expanded == 0 && run.replay.is_empty() && self.captured.is_none() {
            self.capture_status = None;
            self.state.line = simple.line;
        }
        if !self.expand_words(sys, &mut run, simple) {
            return Flow::Go;
        }
        let mut redirects = match run.redirects.take() {
            Some(redirects) => redirects,
            // Most commands have none, and then the map need not be copied.
            None if simple.redirects.is_empty() => Redirects::new(&BTreeMap::new()),
            None => Redirects::new(&self.state.fds),
        };
        if !run.redirected {
            match self.make_redirects(sys, &mut redirects, &simple.redirects) {
                Made::All => run.redirected = true,
                Made::Failed => {
                    redirects.close(sys);
                    self.redirect_failed(sys, &run.words);
                    return Flow::Go;
                }
                Made::Aborted => {
                    redirects.close(sys);
                    return Flow::Go;
                }
                Made::Waits => {
                    run.redirects = Some(redirects);
                    self.push_below_capture(Frame::Simple(run));
                    return Flow::Go;
                }
            }
        }
        run.redirects = Some(redirects);
        if !self.expand_assigns(sys, &mut run, simple) {
            return Flow::Go;
        }
        let mut redirects = run.redirects.take().filter(|_| !simple.redirects.is_empty());
        if !self.processes.is_empty() {
            let redirects = redirects.get_or_insert_with(|| Redirects::new(&self.state.fds));
            for (number, fd) in self.processes.drain(..) {
                redirects.hand_over(number, fd);
            }
        }
        self.trace(&run);
        self.given_arrays = run.arrays;
        self.dispatch(sys, run.words, redirects, run.assigned);
        Flow::Go
    }

    /// A redirection of a special builtin that fails ends a POSIX shell.
    fn redirect_failed(&mut self, sys: &mut dyn Sys, words: &[String]) {
        let special = words.first().is_some_and(|name| builtins::is_special(name));
        match self.state.flavor {
            Flavor::Bash => self.state.status = 1,
            Flavor::Dash => {
                self.state.status = 2;
                if special {
                    self.abort(sys, 2);
                }
            }
            Flavor::Ash => self.state.status = 1,
        }
        self.check_errexit(sys);
    }

    /// Expands the words that are left; `false` if it has to wait or failed.
    fn expand_words(
        &mut self,
        sys: &mut dyn Sys,
        run: &mut Box<SimpleRun>,
        simple: &Simple,
    ) -> bool {
        if run.expanded >= simple.words.len() {
            return true;
        }
        run.replay.extend(self.captured.take());
        while let Some(word) = simple.words.get(run.expanded) {
            let declares = run.words.first().is_some_and(|name| builtins::declares(name));
            let as_value = declares && is_assignment(word);
            let result = self.expand(sys, &mut run.replay, |expander| {
                if as_value { Ok(vec![expander.single(word)?]) } else { expander.fields(word) }
            });
            match self.settle(sys, result) {
                Some(Some(fields)) => run.words.extend(fields),
                Some(None) => {
                    self.push_below_capture(Frame::Simple(run.clone()));
                    return false;
                }
                None => return false,
            }
            run.expanded += 1;
            run.replay.clear();
        }
        true
    }

    fn expand_assigns(
        &mut self,
        sys: &mut dyn Sys,
        run: &mut Box<SimpleRun>,
        simple: &Simple,
    ) -> bool {
        let own = simple.assigns.len();
        if run.assigns_done >= own + simple.arrays.len() {
            return true;
        }
        run.replay.extend(self.captured.take());
        loop {
            let arrays = || simple.arrays.get(run.assigns_done.saturating_sub(own));
            let Some(assign) = simple.assigns.get(run.assigns_done).or_else(arrays) else {
                return true;
            };
            let result = self.expand(sys, &mut run.replay, |e| expand_assign(e, assign));
            let given = match self.settle(sys, result) {
                Some(Some(given)) => given,
                Some(None) => {
                    self.push_below_capture(Frame::Simple(run.clone()));
                    return false;
                }
                None => {
                    run.close(sys);
                    return false;
                }
            };
            let declared = run.assigns_done >= own;
            if let Err(message) = self.assign(run, assign, given, declared) {
                self.complain(&message);
                run.close(sys);
                match self.state.flavor {
                    Flavor::Bash => self.discard(sys),
                    _ => self.abort(sys, 2),
                }
                return false;
            }
            run.assigns_done += 1;
            run.replay.clear();
        }
    }

    /// Does an assignment, or keeps it for the command. `Err` is the message.
    fn assign(
        &mut self,
        run: &mut SimpleRun,
        assign: &Assign,
        given: Given,
        declared: bool,
    ) -> Result<(), String> {
        let name = assign.name.as_str();
        // Without a command, later assignments see earlier ones.
        let alone = run.words.is_empty();
        if self.state.options.xtrace {
            run.traced.push(given.shown(assign));
        }
        match given {
            Given::Elements(elements) if declared => {
                run.arrays.push(GivenArray { name: name.to_owned(), elements });
                Ok(())
            }
            Given::Elements(elements) if alone => {
                self.state.set_array(name, elements, assign.append)
            }
            Given::Element(subscript, text) if alone => {
                self.state.set_element(name, &subscript, text, assign.append)
            }
            // Arrays are not for a command's environment.
            Given::Elements(_) | Given::Element(..) => Ok(()),
            Given::Text(text) => {
                let is_array = assign.append && self.state.is_array(name);
                let text = match assign.append && !is_array {
                    true => format!("{}{text}", self.state.text(name)),
                    false => text,
                };
                if alone && is_array {
                    self.state.set_element(name, "0", text.clone(), true)?;
                } else if alone {
                    self.state.set(name, text.clone())?;
                }
                run.assigned.push((name.to_owned(), text));
                Ok(())
            }
        }
    }

    /// `set -x`
    fn trace(&mut self, run: &SimpleRun) {
        if !self.state.options.xtrace {
            return;
        }
        let mark = self.state.trace_mark();
        let quotes = self.state.flavor != Flavor::Dash;
        let quote = |text: &String| if quotes { builtins::quote(text) } else { text.clone() };
        let words: Vec<String> = run.words.iter().map(quote).collect();
        let lines = match self.state.flavor {
            // Each assignment has a line of its own.
            Flavor::Bash => {
                let words = (!words.is_empty()).then(|| words.join(" "));
                let all = run.traced.iter().cloned().chain(words);
                all.map(|line| format!("{mark}{line}\n")).collect()
            }
            _ => {
                let assigns = run.assigned.iter();
                let assigns = assigns.map(|(name, value)| format!("{name}={}", quote(value)));
                let shown: Vec<String> = assigns.chain(words).collect();
                format!("{mark}{}\n", shown.join(" "))
            }
        };
        self.print(2, lines);
    }

    /// Runs a command whose words are known.
    pub(super) fn dispatch(
        &mut self,
        sys: &mut dyn Sys,
        words: Vec<String>,
        redirects: Option<Redirects>,
        assigned: Vec<(String, String)>,
    ) {
        self.state.pipe_status = None;
        let Some(name) = words.first().cloned() else {
            redirects.iter().for_each(|redirects| redirects.close(sys));
            self.state.status = self.capture_status.take().unwrap_or(0);
            self.check_errexit(sys);
            return;
        };
        let function = self.state.functions.get(&name).cloned();
        if function.is_none() && !builtins::is_builtin(&name, self.state.flavor) {
            let redirects = redirects.unwrap_or_else(|| Redirects::new(&self.state.fds));
            self.run_program(sys, words, redirects, assigned);
            return;
        }
        if name == "exec" && function.is_none() {
            let redirects = redirects.unwrap_or_else(|| Redirects::new(&self.state.fds));
            self.run_exec(sys, words, redirects, assigned);
            return;
        }
        if let Some(redirects) = redirects {
            let fds = std::mem::replace(&mut self.state.fds, redirects.fds);
            self.push(Frame::Restore { fds, opened: redirects.opened });
        }
        let keeps =
            function.is_none() && builtins::is_special(&name) && self.state.flavor != Flavor::Bash;
        if let Err(message) = self.assign_for(&assigned, keeps) {
            self.complain(&message);
            self.state.status = 1;
            return;
        }
        match function {
            Some(body) => self.call(&body, words),
            None => {
                let depth = self.frames.len();
                if let Some(status) = builtins::run(self, sys, &words) {
                    self.state.status = status;
                    if self.exiting.is_none() && self.frames.len() <= depth {
                        self.check_errexit(sys);
                    }
                }
            }
        }
    }

    /// `name=value` before a function or builtin: for its time, or for good.
    fn assign_for(&mut self, assigned: &[(String, String)], keeps: bool) -> Result<(), String> {
        if assigned.is_empty() {
            return Ok(());
        }
        let mut saved = Saved::new();
        for (name, value) in assigned {
            saved.push((name.clone(), self.state.variables.get(name).cloned()));
            self.state.set(name, value.clone())?;
            if let Some(variable) = self.state.variables_mut().get_mut(name) {
                variable.exported |= !keeps;
            }
        }
        if !keeps {
            self.push(Frame::Unset { saved });
        }
        Ok(())
    }

    fn call(&mut self, body: &Arc<Command>, mut words: Vec<String>) {
        words.remove(0);
        let positional = std::mem::replace(&mut self.state.positional, Arc::new(words));
        self.push(Frame::Function { positional, saved: Saved::new() });
        self.run_command(body);
    }

    fn environment(&self, assigned: Vec<(String, String)>) -> BTreeMap<String, String> {
        let mut env = self.state.exported();
        env.extend(assigned);
        env
    }

    pub(super) fn run_program(
        &mut self,
        sys: &mut dyn Sys,
        words: Vec<String>,
        redirects: Redirects,
        assigned: Vec<(String, String)>,
    ) {
        let name = words.first().cloned().unwrap_or_default();
        if name.is_empty() {
            redirects.close(sys);
            self.not_run(sys, "", Errno::NotFound);
            return;
        }
        if self.is_tail() {
            let env = self.environment(assigned.clone());
            // What cannot be executed is told by the spawning below, which fails alike.
            if sys.exec(words.clone(), env).is_ok() {
                self.become_program(sys, &redirects);
                return;
            }
        }
        let env = self.environment(assigned);
        let fds: Vec<(Fd, Fd)> = redirects.fds.iter().map(|(a, b)| (*a, *b)).collect();
        let spawned = match sys.spawn(words.clone(), env, &fds) {
            // A script without `#!` is the shell's own.
            Err(Errno::ExecFormat) => self.spawn_script(sys, &words, &fds),
            other => other,
        };
        redirects.close(sys);
        match spawned {
            Ok(pid) => self.wait_in_foreground(sys, vec![pid], false),
            Err(errno) => self.not_run(sys, &name, errno),
        }
    }

    fn spawn_script(
        &mut self,
        sys: &mut dyn Sys,
        words: &[String],
        fds: &[(Fd, Fd)],
    ) -> Result<u32, Errno> {
        let name = words.first().cloned().unwrap_or_default();
        let path = builtins::find_program(&self.state, sys, &name).unwrap_or(name);
        let absolute = sys.absolute(&path);
        let bytes = sys.fs().read(&absolute)?;
        if bytes.iter().take(80).any(|byte| *byte == 0) {
            return Err(Errno::ExecFormat);
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut shell = self.subshell(Frame::script(&text));
        shell.state.positional = Arc::new(words.iter().skip(1).cloned().collect());
        shell.state.name = path;
        shell.state.fds = fds.iter().map(|(theirs, _)| (*theirs, *theirs)).collect();
        shell.state.variables_mut().retain(|_, variable| variable.exported);
        shell.state.functions.clear();
        sys.fork(Box::new(shell), words.to_vec(), fds)
    }

    /// Lays this process's descriptors out as the program that it becomes wants them.
    fn become_program(&mut self, sys: &mut dyn Sys, redirects: &Redirects) {
        self.flush(sys);
        let mut held = Vec::new();
        for (theirs, mine) in &redirects.fds {
            if let Ok(copy) = sys.dup(*mine) {
                held.push((*theirs, copy));
            }
        }
        for fd in 0..10 {
            if !held.iter().any(|(_, copy)| *copy == fd) {
                sys.close(fd);
            }
        }
        for (theirs, copy) in &held {
            // The copies were just made.
            let _ = sys.dup2(*copy, *theirs);
        }
        for (_, copy) in &held {
            if !redirects.fds.contains_key(copy) {
                sys.close(*copy);
            }
        }
        redirects
            .opened
            .iter()
            .filter(|fd| !redirects.fds.contains_key(fd))
            .for_each(|fd| sys.close(*fd));
        self.becoming = true;
    }

    fn run_exec(
        &mut self,
        sys: &mut dyn Sys,
        mut words: Vec<String>,
        redirects: Redirects,
        assigned: Vec<(String, String)>,
    ) {
        words.remove(0);
        let Some(name) = words.first().cloned() else {
            // `exec >file`: the redirections stay.
            self.state.fds = redirects.fds;
            self.state.status = 0;
            return;
        };
        let env = self.environment(assigned);
        match sys.exec(words, env) {
            Ok(()) => {
                self.frames.clear();
                self.become_program(sys, &redirects);
            }
            Err(errno) => {
                redirects.close(sys);
                let code = if errno == Errno::NotFound { 127 } else { 126 };
                let shown = match (self.state.flavor, errno) {
                    (Flavor::Bash, Errno::NotFound) => format!("exec: {name}: not found"),
                    (Flavor::Bash, errno) => format!("{name}: {errno}"),
                    (_, Errno::NotFound) => format!("exec: {name}: not found"),
                    (_, errno) => format!("exec: {name}: {errno}"),
                };
                self.complain(&shown);
                self.abort(sys, code);
            }
        }
    }

    /// Says why a program could not be started.
    fn not_run(&mut self, sys: &mut dyn Sys, name: &str, errno: Errno) {
        let with_slash = name.contains('/');
        let is_dir = with_slash && {
            let path = sys.absolute(name);
            sys.fs().is_dir(&path)
        };
        let (message, code) = match (self.state.flavor, errno) {
            (_, Errno::TooManyProcesses) => {
                self.complain_fork(errno);
                self.abort(sys, 254);
                return;
            }
            (Flavor::Bash, Errno::NotFound) if !with_slash => {
                (format!("{name}: command not found"), 127)
            }
            (Flavor::Bash, Errno::NotFound) => (format!("{name}: {errno}"), 127),
            (Flavor::Bash, _) if is_dir => (format!("{name}: Is a directory"), 126),
            (Flavor::Bash, Errno::ExecFormat) => {
                (format!("{name}: cannot execute binary file: {errno}"), 126)
            }
            (Flavor::Bash, errno) => (format!("{name}: {errno}"), 126),
            (_, Errno::NotFound) => (format!("{name}: not found"), 127),
            (_, errno) => (format!("{name}: {errno}"), 126),
        };
        self.complain(&message);
        self.state.status = code;
        self.check_errexit(sys);
    }

    // ---- redirections ----

    /// Makes the redirections that are left.
    pub(super) fn make_redirects(
        &mut self,
        sys: &mut dyn Sys,
        run: &mut Redirects,
        list: &[Redirect],
    ) -> Made {
        if run.next < list.len() {
            run.replay.extend(self.captured.take());
        }
        while let Some(redirect) = list.get(run.next) {
            let result = self.expand(sys, &mut run.replay, |e| e.single(&redirect.target));
            let target = match self.settle(sys, result) {
                Some(Some(target)) => target,
                Some(None) => return Made::Waits,
                None => return Made::Aborted,
            };
            if let Err(message) = self.make_redirect(sys, run, redirect, &target) {
                self.complain(&message);
                return Made::Failed;
            }
            run.next += 1;
            run.replay.clear();
        }
        Made::All
    }

    fn make_redirect(
        &mut self,
        sys: &mut dyn Sys,
        run: &mut Redirects,
        redirect: &Redirect,
        target: &str,
    ) -> Result<(), String> {
        let fd = redirect.fd.unwrap_or(1);
        let mode = match redirect.kind {
            RedirectKind::Duplicate => return self.duplicate(run, fd, target),
            RedirectKind::HereDocument => return self.here_text(sys, run, fd, target.to_string()),
            RedirectKind::HereString => return self.here_text(sys, run, fd, format!("{target}\n")),
            RedirectKind::Read => OpenMode::Read,
            RedirectKind::Write | RedirectKind::Both => OpenMode::Write,
            RedirectKind::Append | RedirectKind::BothAppend => OpenMode::Append,
            RedirectKind::ReadWrite => OpenMode::ReadWrite,
        };
        if mode == OpenMode::Write && self.state.options.noclobber {
            let path = sys.absolute(target);
            if sys.fs().stat(&path).is_ok_and(|stat| stat.kind == crate::FileType::File) {
                return Err(format!("{target}: cannot overwrite existing file"));
            }
        }
        let opened = match self.device(run, target) {
            Some(own) => sys.dup(own),
            None => sys.open(target, mode),
        };
        let file = opened.map_err(|errno| self.cannot_open(target, mode, errno))?;
        run.opened.push(file);
        run.fds.insert(fd, file);
        if matches!(redirect.kind, RedirectKind::Both | RedirectKind::BothAppend) {
            run.fds.insert(2, file);
        }
        Ok(())
    }

    /// `/dev/stdout` and its like are what the command's descriptors are, not this process's.
    fn device(&self, run: &Redirects, target: &str) -> Option<Fd> {
        let number = target.strip_prefix("/dev/fd/").and_then(|number| number.parse::<u32>().ok());
        if let Some(number) = number {
            let made = self.processes.iter().find(|(other, _)| *other == number);
            return made.map(|(_, fd)| *fd).or_else(|| run.fds.get(&number).copied());
        }
        let fd = match target {
            "/dev/stdin" => 0,
            "/dev/stdout" => 1,
            "/dev/stderr" => 2,
            _ => return None,
        };
        run.fds.get(&fd).copied()
    }

    fn cannot_open(&self, target: &str, mode: OpenMode, errno: Errno) -> String {
        if self.state.flavor == Flavor::Bash {
            return format!("{target}: {errno}");
        }
        let verb = if mode == OpenMode::Read { "open" } else { "create" };
        let why = match (self.state.flavor, errno) {
            (Flavor::Dash, Errno::NotFound) if verb == "create" => {
                "Directory nonexistent".to_string()
            }
            (Flavor::Ash, Errno::NotFound) if verb == "create" => {
                "nonexistent directory".to_string()
            }
            (Flavor::Dash, Errno::NotFound) => "No such file".to_string(),
            (Flavor::Ash, Errno::NotFound) => "no such file".to_string(),
            (_, errno) => errno.to_string(),
        };
        match self.state.flavor {
            Flavor::Dash => format!("cannot {verb} {target}: {why}"),
            _ => format!("can't {verb} {target}: {why}"),
        }
    }

    fn duplicate(&mut self, run: &mut Redirects, fd: u32, target: &str) -> Result<(), String> {
        if target == "-" {
            run.fds.remove(&fd);
            return Ok(());
        }
        let source: Option<u32> = target.parse().ok();
        match source.and_then(|source| run.fds.get(&source).copied()) {
            Some(file) => {
                run.fds.insert(fd, file);
                Ok(())
            }
            None if source.is_none() => Err(format!("{target}: ambiguous redirect")),
            None => Err(format!("{target}: {}", Errno::BadFd)),
        }
    }

    /// A text to read from: a file without a name.
    fn here_text(
        &mut self,
        sys: &mut dyn Sys,
        run: &mut Redirects,
        fd: u32,
        text: String,
    ) -> Result<(), String> {
        let file = self.unnamed_file(sys, text.as_bytes());
        let file =
            file.map_err(|errno| format!("cannot create temp file for here-document: {errno}"))?;
        run.opened.push(file);
        run.fds.insert(fd, file);
        Ok(())
    }

    fn unnamed_file(&mut self, sys: &mut dyn Sys, bytes: &[u8]) -> Result<Fd, Errno> {
        // Small texts fit into a pipe, as in real shells, and need no writable directory.
        if bytes.len() <= crate::PIPE_BYTES_MAX {
            let (reader, writer) = sys.pipe()?;
            if !bytes.is_empty() {
                sys.write(writer, bytes)?;
            }
            sys.close(writer);
            return Ok(reader);
        }
        let path = format!("/tmp/sh-thd.{}.{}", sys.pid(), self.output.len());
        sys.fs().write(&path, bytes)?;
        let file = sys.open(&path, OpenMode::Read)?;
        sys.fs().remove(&path)?;
        Ok(file)
    }
}

/// What an assignment gives, expanded.
enum Given {
    Text(String),
    /// Subscript and text.
    Element(String, String),
    Elements(Vec<Element>),
}

impl Given {
    /// The assignment as `set -x` shows it.
    fn shown(&self, assign: &Assign) -> String {
        let sign = if assign.append { "+=" } else { "=" };
        let name = &assign.name;
        match self {
            Given::Text(text) => format!("{name}{sign}{}", builtins::quote(text)),
            Given::Element(subscript, text) => {
                format!("{name}[{subscript}]{sign}{}", builtins::quote(text))
            }
            Given::Elements(_) => {
                let source = match &assign.value {
                    Assigned::Array(_, source) => source,
                    Assigned::Text(_) => "",
                };
                format!("{name}{sign}{source}")
            }
        }
    }
}

fn expand_assign(expander: &mut Expander<'_>, assign: &Assign) -> Result<Given, Stop> {
    let elements = match &assign.value {
        Assigned::Text(value) => {
            let Some(subscript) = &assign.subscript else {
                return expander.single(value).map(Given::Text);
            };
            return Ok(Given::Element(expander.single(subscript)?, expander.single(value)?));
        }
        Assigned::Array(elements, _) => elements,
    };
    let mut all = Vec::new();
    for (subscript, word) in elements {
        match subscript {
            None => {
                let texts = expander.fields(word)?.into_iter();
                all.extend(texts.map(|text| Element { subscript: None, text }));
            }
            Some(subscript) => {
                let subscript = Some(expander.single(subscript)?);
                all.push(Element { subscript, text: expander.single(word)? });
            }
        }
    }
    Ok(Given::Elements(all))
}

/// Whether the word begins with `name=`.
fn is_assignment(word: &Word) -> bool {
    match word.0.first() {
        Some(Part::Literal(text)) => {
            text.split_once('=').is_some_and(|(name, _)| super::parse::is_name(name))
        }
        _ => false,
    }
}

impl Shell {
    /// Makes a variable local to the current function.
    pub(super) fn make_local(&mut self, name: &str) -> bool {
        let old = self.state.variables.get(name).cloned();
        let frame = self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Function { saved, .. } => Some(saved),
            _ => None,
        });
        let Some(saved) = frame else { return false };
        if !saved.iter().any(|(other, _)| other == name) {
            saved.push((name.to_string(), old.clone()));
        }
        let exported = old.is_some_and(|variable| variable.exported);
        let variable = Variable { exported, ..Variable::default() };
        self.state.variables_mut().insert(name.to_string(), variable);
        true
    }
}
