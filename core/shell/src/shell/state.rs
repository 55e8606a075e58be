//! What a shell remembers between commands: variables, functions, options, descriptors.

use super::array::Value;
use super::ast::Command;
use crate::{Fd, Pid, Signal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes that all variables of a shell may hold.
const VARIABLE_BYTES_MAX: usize = 8 << 20;
/// Most variables of a shell.
const VARIABLES_MAX: usize = 10_000;
/// Values that are shorter are held back by the number of variables alone.
const SHORT_BYTES: usize = 512;
/// What bash says when there is no more memory, but for the numbers of bytes.
pub const NO_MEMORY: &str = "xrealloc: cannot allocate memory";

/// Which shell it is: its words and its habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// GNU bash.
    Bash,
    /// Debian's `sh`.
    Dash,
    /// Busybox's `sh`.
    Ash,
}

/// A variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variable {
    /// `None`: marked for export or as read-only, but not set.
    pub value: Option<Value>,
    /// Given to commands.
    pub exported: bool,
    /// Cannot be changed.
    pub readonly: bool,
}

impl Variable {
    /// One that can be changed.
    pub fn new(text: String, exported: bool) -> Self {
        Variable { value: Some(Value::Text(text)), exported, readonly: false }
    }

    /// Its text; of an array that of the element 0.
    pub fn text(&self) -> Option<&str> {
        self.value.as_ref()?.text()
    }
}

/// What `set` and `shopt` change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-e`
    pub errexit: bool,
    /// `-u`
    pub nounset: bool,
    /// `-x`
    pub xtrace: bool,
    /// `-f`
    pub noglob: bool,
    /// `-n`
    pub noexec: bool,
    /// `-v`
    pub verbose: bool,
    /// `-C`
    pub noclobber: bool,
    /// `-a`
    pub allexport: bool,
    /// `-o pipefail`
    pub pipefail: bool,
    /// `shopt -s expand_aliases`
    pub expand_aliases: bool,
    /// `shopt -s nullglob`
    pub nullglob: bool,
    /// `-H`: `!` and `^` in what a person types.
    pub histexpand: bool,
}

/// One job that is not in the foreground.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number, from 1.
    pub number: usize,
    /// The process that stands for it: its last one, whose exit code is the job's.
    pub pid: Pid,
    /// Its other processes that were not waited for yet.
    pub others: Vec<Pid>,
    /// The group of all of them.
    pub group: Pid,
    /// The signal that has stopped it.
    pub stopped: Option<Signal>,
    /// That it was stopped is not to be told any more.
    pub told: bool,
    /// The command.
    pub text: Arc<str>,
    /// Its exit code, once it has ended.
    pub status: Option<i32>,
    /// The signal that has ended it.
    pub killed_by: Option<Signal>,
}

impl Job {
    /// A job of one process, which leads its group.
    pub fn new(number: usize, pid: Pid) -> Self {
        Job {
            number,
            pid,
            others: Vec::new(),
            group: pid,
            stopped: None,
            told: false,
            text: "".into(),
            status: None,
            killed_by: None,
        }
    }
}

/// What a shell remembers between commands.
#[derive(Clone, Debug)]
pub struct State {
    /// Which shell it is.
    pub flavor: Flavor,
    /// `$0`
    pub name: String,
    /// `$1`, `$2`, …
    pub positional: Arc<Vec<String>>,
    /// Variables by name. Subshells share them until one changes: [`State::variables_mut`].
    pub variables: Arc<BTreeMap<String, Variable>>,
    /// Functions by name.
    pub functions: BTreeMap<String, Arc<Command>>,
    /// Aliases by name.
    pub aliases: BTreeMap<String, String>,
    /// Options.
    pub options: Options,
    /// `$?`
    pub status: i32,
    /// `PIPESTATUS`: the codes of the last pipeline; `None` if the last command was none.
    pub pipe_status: Option<Vec<i32>>,
    /// `$!`
    pub last_background: Option<Pid>,
    /// `$$`: the first shell's number, also in its subshells.
    pub shell_pid: Pid,
    /// Commands for signals, and for `EXIT`.
    pub traps: BTreeMap<String, String>,
    /// What the descriptors 0, 1, 2, … of the commands are, among those of this process.
    pub fds: BTreeMap<u32, Fd>,
    /// Whether a person types.
    pub interactive: bool,
    /// Background jobs.
    pub jobs: Vec<Job>,
    /// The line being run, for messages.
    pub line: usize,
    /// Where `getopts` is within a group of options.
    pub getopts_at: usize,
    /// Whether the script came as the argument of `-c`.
    pub from_argument: bool,
    /// Command substitutions around it, which bash shows in the output of `set -x`.
    pub trace_depth: usize,
    /// What it prints before an error: `bash`, `script.sh`.
    pub error_name: String,
}

impl State {
    /// A shell with nothing set.
    pub fn new(flavor: Flavor) -> Self {
        State {
            flavor,
            name: String::new(),
            positional: Arc::default(),
            variables: Arc::default(),
            functions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            options: Options { expand_aliases: flavor != Flavor::Bash, ..Options::default() },
            status: 0,
            pipe_status: None,
            last_background: None,
            shell_pid: 0,
            traps: BTreeMap::new(),
            fds: [(0, 0), (1, 1), (2, 2)].into(),
            interactive: false,
            jobs: Vec::new(),
            line: 0,
            getopts_at: 0,
            from_argument: false,
            trace_depth: 0,
            error_name: String::new(),
        }
    }

    /// The variables, to change.
    pub fn variables_mut(&mut self) -> &mut BTreeMap<String, Variable> {
        Arc::make_mut(&mut self.variables)
    }

    /// The variable's value, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.text()
    }

    /// The variable's value, or "".
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Sets a variable; of an array the element 0. `Err` is the message why not.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        if !self.has_room(name, &value) {
            return Err(NO_MEMORY.to_owned());
        }
        let held = self.variables.get(name).and_then(|variable| variable.value.as_ref());
        if matches!(held, Some(Value::Indexed(_) | Value::Keyed(_))) {
            return self.set_element(name, "0", value, false);
        }
        let allexport = self.options.allexport;
        let variable = self.writable(name)?;
        variable.value = Some(Value::Text(value));
        variable.exported |= allexport;
        Ok(())
    }

    /// The variable, made if it is not there, to be changed. `Err` is the message why not.
    pub fn writable(&mut self, name: &str) -> Result<&mut Variable, String> {
        let flavor = self.flavor;
        let variable = self.variables_mut().entry(name.to_string()).or_default();
        if variable.readonly {
            return Err(match flavor {
                Flavor::Bash => format!("{name}: readonly variable"),
                Flavor::Dash | Flavor::Ash => format!("{name}: is read only"),
            });
        }
        Ok(variable)
    }

    /// Whether the variable can have this value within what a shell may hold.
    pub fn has_room(&self, name: &str, value: &str) -> bool {
        if value.len() <= SHORT_BYTES {
            return self.variables.len() < VARIABLES_MAX || self.variables.contains_key(name);
        }
        let others = self.variables.iter().filter(|(other, _)| other.as_str() != name);
        let held = others.filter_map(|(_, variable)| variable.value.as_ref()).map(Value::bytes);
        held.sum::<usize>() + value.len() <= VARIABLE_BYTES_MAX
            && self.variables.len() < VARIABLES_MAX
    }

    /// What commands find in their environment.
    pub fn exported(&self) -> BTreeMap<String, String> {
        self.variables
            .iter()
            .filter(|(_, variable)| variable.exported)
            .filter_map(|(name, variable)| match &variable.value {
                Some(Value::Text(text)) => Some((name.clone(), text.clone())),
                // Arrays are not for others.
                _ => None,
            })
            .collect()
    }

    /// `$-`
    pub fn flags(&self) -> String {
        let options = &self.options;
        let mut flags = String::new();
        for (on, flag) in [
            (options.allexport, 'a'),
            (options.errexit, 'e'),
            (options.noglob, 'f'),
            (self.interactive, 'i'),
            (options.nounset, 'u'),
            (options.xtrace, 'x'),
            (options.noclobber, 'C'),
        ] {
            if on {
                flags.push(flag);
            }
        }
        flags
    }

    /// What stands before a line of `set -x`: `PS4`, its first character once more for each
    /// command substitution.
    pub fn trace_mark(&self) -> String {
        let mark = self.get("PS4").unwrap_or("+ ");
        let first: String = mark.chars().take(1).collect();
        format!("{}{mark}", first.repeat(self.trace_depth))
    }

    /// The process's descriptor that stands for the commands' descriptor `fd`.
    pub fn fd(&self, fd: u32) -> Option<Fd> {
        self.fds.get(&fd).copied()
    }

    /// What stands before a message of the shell itself.
    pub fn prefix(&self) -> String {
        let name = &self.error_name;
        match self.flavor {
            Flavor::Bash if self.interactive => format!("{name}: "),
            Flavor::Bash => format!("{name}: line {}: ", self.line),
            Flavor::Dash => format!("{name}: {}: ", self.line),
            Flavor::Ash if self.interactive || self.from_argument => format!("{name}: "),
            Flavor::Ash => format!("{name}: line {}: ", self.line),
        }
    }
}
