//! Processes as the kernel keeps them, and as the host asks for them.

use super::FileId;
use crate::vfs::FileRef;
use crate::{Errno, Fd, Pid, PipeId, Program, Signal, SocketId, TtyId};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// What the host starts.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Working directory; made if it is not there, as container runtimes do.
    pub cwd: String,
    /// User number.
    pub uid: u32,
    /// Descriptors 0, 1 and 2.
    pub stdio: Stdio,
}

/// Where a process that the host starts has its standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// `/dev/null`.
    Null,
    /// Pipes whose other ends the host holds.
    Pipes {
        /// Standard input; `None` is `/dev/null`.
        stdin: Option<PipeId>,
        /// Standard output.
        stdout: PipeId,
        /// Standard error; may be the same pipe.
        stderr: PipeId,
    },
    /// A terminal.
    Tty(TtyId),
    /// Two terminals, so that the host can tell standard error from the rest and programs still
    /// speak as they do to a person.
    Ttys {
        /// Standard input and output.
        stdio: TtyId,
        /// Standard error.
        stderr: TtyId,
    },
}

/// Why a process could not be started. The text is the container runtime's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// There is no such program; a name without a slash was looked for in `PATH`.
    #[error("{}", not_found_text(.0))]
    NotFound(String),
    /// The file is not executable, or a directory.
    #[error("exec: \"{0}\": permission denied")]
    NotExecutable(String),
    /// The file is executable but no program.
    #[error("exec {0}: exec format error")]
    Format(String),
    /// The machine has too many processes.
    #[error("fork/exec {0}: resource temporarily unavailable")]
    TooManyProcesses(String),
    /// Something else.
    #[error("exec {0}: {why}", why = .1.to_string().to_lowercase())]
    Other(String, Errno),
}

fn not_found_text(name: &str) -> String {
    if name.contains('/') {
        format!("exec: \"{name}\": stat {name}: no such file or directory")
    } else {
        format!("exec: \"{name}\": executable file not found in $PATH")
    }
}

impl ExecError {
    pub(crate) fn new(name: &str, errno: Errno) -> Self {
        let name = name.to_string();
        match errno {
            Errno::NotFound | Errno::NotDirectory => ExecError::NotFound(name),
            Errno::Access | Errno::IsDirectory => ExecError::NotExecutable(name),
            Errno::ExecFormat => ExecError::Format(name),
            Errno::TooManyProcesses => ExecError::TooManyProcesses(name),
            other => ExecError::Other(name, other),
        }
    }
}

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessStatus {
    /// It runs or waits.
    Running,
    /// It has ended.
    Exited {
        /// Its exit code; 128 and the signal's number if it was killed.
        code: i32,
        /// When.
        at: Time,
    },
}

/// A process that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedProcess {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its exit code; 128 and the signal's number if it was killed.
    pub code: i32,
    /// The beginning of what it wrote to terminals.
    pub printed: Vec<u8>,
}

/// One line of a process list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its number.
    pub pid: Pid,
    /// Its parent's number; 0 if the host started it.
    pub ppid: Pid,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// User number.
    pub uid: u32,
    /// When it started.
    pub started: Time,
    /// Its terminal.
    pub tty: Option<TtyId>,
    /// Processor time used so far, in microseconds.
    pub cpu_micros: u64,
    /// Its sockets.
    pub sockets: Vec<SocketId>,
    /// What is added to its score when memory has run out and somebody is killed for it.
    pub oom_score_adj: i32,
}

/// Who asks for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Host,
    Parent(Pid),
    Nobody,
}

/// When a process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    Blocked { until: Option<Time> },
    Exited { code: i32, at: Time },
}

/// The two addresses of a socket, as far as it has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketEnds {
    pub local: Option<SocketAddr>,
    pub peer: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub pid: Pid,
    pub owner: Owner,
    pub group: Pid,
    pub argv: Vec<String>,
    /// What is added to its score when memory has run out.
    pub oom_score_adj: i32,
    /// Shared with what `/proc` shows of it.
    pub env: Arc<BTreeMap<String, String>>,
    pub cwd: String,
    pub uid: u32,
    /// Its root directory, if that is not the machine's.
    pub root: Option<(FileRef, Arc<str>)>,
    pub tty: Option<TtyId>,
    pub fds: BTreeMap<Fd, FileId>,
    pub program: Option<Box<dyn Program>>,
    pub state: State,
    pub caught: BTreeSet<Signal>,
    pub signals: VecDeque<Signal>,
    /// Which process of this machine sent the latest.
    pub signalled_by: Option<Pid>,
    /// The signal that has stopped it: it has no turn until [`Signal::Cont`].
    pub stopped: Option<Signal>,
    /// Signals that it takes when it goes on.
    pub held: Vec<Signal>,
    /// A signal that ends it as soon as it is its turn.
    pub killed_by: Option<Signal>,
    pub sockets: BTreeMap<SocketId, SocketEnds>,
    pub started: Time,
    pub cpu_micros: u64,
    /// What its program holds.
    pub memory_bytes: u64,
    /// What it holds besides, having lost sight of it.
    pub leaked_bytes: u64,
    /// The beginning of what it wrote to terminals.
    pub printed: Vec<u8>,
}

impl Process {
    /// What a small program holds.
    pub const MEMORY_BYTES: u64 = 1 << 20;
    /// Bytes that are remembered of what it writes to terminals.
    const PRINTED_MAX: usize = 16 * 1024;

    /// All that it holds.
    pub fn held_bytes(&self) -> u64 {
        self.memory_bytes.saturating_add(self.leaked_bytes)
    }

    /// Remembers what it wrote to a terminal.
    pub fn has_printed(&mut self, bytes: &[u8]) {
        let room = Self::PRINTED_MAX.saturating_sub(self.printed.len());
        self.printed.extend(bytes.iter().take(room));
    }

    pub fn info(&self) -> ProcessInfo {
        let ppid = match self.owner {
            Owner::Parent(pid) => pid,
            Owner::Host | Owner::Nobody => 0,
        };
        ProcessInfo {
            pid: self.pid,
            ppid,
            argv: self.argv.clone(),
            uid: self.uid,
            started: self.started,
            tty: self.tty,
            cpu_micros: self.cpu_micros,
            sockets: self.sockets.keys().copied().collect(),
            oom_score_adj: self.oom_score_adj,
        }
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Exited { .. })
    }

    /// Lets a blocked process look again.
    pub fn wake(&mut self) {
        if matches!(self.state, State::Blocked { .. }) {
            self.state = State::Ready;
        }
    }

    /// Takes a signal: kept if caught, deadly if not. The first process of a container has no
    /// default for signals: they do nothing (Linux, pid_namespaces(7)) unless `forced`.
    pub fn take_signal(&mut self, signal: Signal, forced: bool) {
        if signal == Signal::Cont {
            self.stopped = None;
            for held in std::mem::take(&mut self.held) {
                self.take_signal(held, forced);
            }
            if !self.caught.contains(&signal) {
                self.wake();
                return;
            }
        }
        let caught = self.caught.contains(&signal) && signal != Signal::Stop;
        if signal.stops() && !caught {
            if self.pid != 1 || forced {
                self.stopped.get_or_insert(signal);
            }
            return;
        }
        if self.stopped.is_some() && signal != Signal::Kill {
            if !self.held.contains(&signal) {
                self.held.push(signal);
            }
            return;
        }
        if signal != Signal::Kill && self.caught.contains(&signal) {
            if !self.signals.contains(&signal) {
                self.signals.push_back(signal);
            }
        } else if self.pid != 1 || forced {
            self.killed_by = Some(signal);
        }
        self.wake();
    }
}
