//! The kernel of one machine: its processes, descriptors, pipes, terminals and files.
//!
//! One kernel serves one container, or the machine where the learner sits. It is a value: a clone
//! of it goes on by itself from the same moment.

mod call;
mod cgroup;
mod cpu;
mod pipe;
mod proc;
mod process;

pub use cgroup::{CGROUP, Cgroup};
pub use pipe::{PIPE_BYTES_MAX, PipeId};
pub use proc::{Facts, Namespaces, PROC};
pub use process::{EndedProcess, ExecError, ProcessInfo, ProcessSpec, ProcessStatus, Stdio};

use crate::caps::Confinement;
use crate::seccomp::{Filter, Syscall, Verdict};
use crate::tty::Tty;
use crate::vfs::{Device, FileRef};
use crate::{
    Errno, Fd, OpenMode, Pid, Program, ProgramTable, Signal, SocketId, Step, TtyId, Vfs, World, vfs,
};
use call::Call;
use cpu::Cpu;
use naru_sim::Time;
use pipe::Pipe;
use process::{Owner, Process, State};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Most processes of one machine, unless [`Kernel::set_process_limit`] says otherwise.
pub const PROCESSES_MAX: usize = 256;
/// Most descriptors of one process.
pub const DESCRIPTORS_MAX: usize = 256;
/// Most ended processes that are remembered until [`Kernel::take_ended`].
const ENDED_MAX: usize = 100;
/// Most bytes of arguments and environment of one process.
pub const ARGUMENT_BYTES_MAX: usize = 1 << 20;
/// Most process resumptions of one [`Kernel::run`].
const RESUMPTIONS_PER_RUN: usize = 2_000;
/// Most processes that are started, or fail to be, in one [`Kernel::run`]: so processes that do
/// nothing but start others let time pass, as starting one takes time.
const STARTS_PER_RUN: usize = 20;
/// Processor time that one [`Step::Yield`] stands for; so an endless loop lets time pass.
const YIELD: Duration = Duration::from_millis(4);
/// Most interpreters that start one another (`#!`).
const INTERPRETERS_MAX: usize = 4;

/// Names an open file description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(u64);

/// What an open file description is of.
#[derive(Clone, Debug)]
enum Open {
    File { node: FileRef, at: u64, mode: OpenMode },
    Device(Device),
    PipeReader(PipeId),
    PipeWriter(PipeId),
    Tty(TtyId),
}

#[derive(Clone, Debug)]
struct Description {
    open: Open,
    /// Descriptors that share it.
    holders: u32,
}

/// One machine's processes and files.
#[derive(Clone)]
pub struct Kernel {
    fs: Vfs,
    programs: &'static dyn ProgramTable,
    hostname: String,
    processes: BTreeMap<Pid, Box<Process>>,
    next_pid: Pid,
    descriptions: BTreeMap<FileId, Description>,
    next_file: u64,
    pipes: BTreeMap<PipeId, Pipe>,
    next_pipe: u64,
    ttys: BTreeMap<TtyId, Tty>,
    next_tty: u32,
    /// Who goes on next; each ready process is here once.
    ready: VecDeque<Pid>,
    /// Who is having its turn; it is not in the table then.
    current: Option<Pid>,
    /// What it did woke itself.
    current_woken: bool,
    /// Of processes that ended while nobody lent a world.
    sockets_to_close: BTreeSet<SocketId>,
    processes_max: usize,
    /// Processes that were to be started in the run going on.
    starts: usize,
    /// Scripts for shells that take them from the machine's owner.
    scripts: BTreeMap<Pid, VecDeque<String>>,
    /// Exit codes of those scripts, until the owner takes them.
    script_codes: BTreeMap<Pid, i32>,
    /// The latest processes that have ended, oldest first.
    ended: VecDeque<EndedProcess>,
    cpu: Cpu,
    /// Processes of other machines that can be seen here, and signals for them.
    neighbours: Vec<ProcessInfo>,
    signals_out: Vec<(Pid, Signal)>,
    /// What turns have left behind: writes, starts, ends, signals, randomness.
    effects: u64,
    /// Turns that said that they would answer alike.
    answered: u64,
    /// Turns of processes, and those that said that they have changed nothing.
    resumed: u64,
    stayed: u64,
    confinement: Confinement,
    /// Settings of `/proc/sys` that are not as usual, by their paths there.
    sysctls: Arc<BTreeMap<String, String>>,
    /// How much was written to which of the pipes whose order counts, since it was asked for.
    writes: Vec<(PipeId, usize)>,
    /// What `/proc` tells; `None` if there is none.
    facts: Option<(Arc<Facts>, Namespaces)>,
    /// What `/proc` shows now.
    proc_shown: Option<proc::Shown>,
    /// What its processes may use, and whether that is shown; `None`: nobody says.
    cgroup: Option<Cgroup>,
    cgroup_shown: bool,
    /// What is added to the score of its processes when memory has run out.
    oom_score_adj: i32,
    /// Counts what changes the table of processes.
    process_changes: u64,
    now: Time,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("hostname", &self.hostname)
            .field("processes", &self.processes)
            .field("pipes", &self.pipes)
            .field("ttys", &self.ttys)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// A machine with these files, whose executable files stand for programs of the table.
    pub fn new(fs: Vfs, programs: &'static dyn ProgramTable, hostname: &str) -> Self {
        Kernel {
            fs,
            programs,
            hostname: hostname.to_string(),
            processes: BTreeMap::new(),
            next_pid: 1,
            descriptions: BTreeMap::new(),
            next_file: 1,
            pipes: BTreeMap::new(),
            next_pipe: 1,
            ttys: BTreeMap::new(),
            next_tty: 0,
            ready: VecDeque::new(),
            current: None,
            current_woken: false,
            sockets_to_close: BTreeSet::new(),
            processes_max: PROCESSES_MAX,
            starts: 0,
            scripts: BTreeMap::new(),
            script_codes: BTreeMap::new(),
            ended: VecDeque::new(),
            cpu: Cpu::default(),
            neighbours: Vec::new(),
            signals_out: Vec::new(),
            effects: 0,
            answered: 0,
            resumed: 0,
            stayed: 0,
            confinement: Confinement::default(),
            sysctls: Arc::default(),
            writes: Vec::new(),
            facts: None,
            proc_shown: None,
            cgroup: None,
            cgroup_shown: false,
            oom_score_adj: 0,
            process_changes: 0,
            now: Time::ZERO,
        }
    }

    /// From now on all processes together use no more than so many thousandths of a processor.
    pub fn set_cpu_limit(&mut self, limit_milli: Option<u64>) {
        self.cpu = self.cpu.with_limit(limit_milli);
    }

    /// From now on its processes may do no more than this.
    pub fn confine(&mut self, confinement: Confinement) {
        self.confinement = confinement;
    }

    /// From now on new processes are killed so much sooner or later when memory has run out.
    pub fn set_oom_score_adj(&mut self, adj: i32) {
        self.oom_score_adj = adj;
    }

    /// Has settings of `/proc/sys`, by their paths there, tell something else than usual.
    pub fn set_sysctls(&mut self, sysctls: BTreeMap<String, String>) {
        self.sysctls = Arc::new(sysctls);
    }

    /// Processor time that all processes have used.
    pub fn cpu_used(&self) -> Duration {
        self.cpu.used()
    }

    /// Processor time that each process has used, in microseconds.
    pub fn spending(&self) -> impl Iterator<Item = (Pid, u64)> + '_ {
        let alive = self.processes.values().filter(|process| !process.has_ended());
        alive.map(|process| (process.pid, process.cpu_micros))
    }

    /// A process has used so much processor time so many times more, the last time at the moment
    /// `last`.
    pub fn spend_again(&mut self, pid: Pid, micros: u64, times: u64, last: Time) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let before = micros.saturating_mul(times.saturating_sub(1));
        process.cpu_micros = process.cpu_micros.saturating_add(before);
        self.cpu.add(before);
        self.cpu.burn(&mut process.cpu_micros, Duration::from_micros(micros), last);
    }

    /// How often its processes have done something that stays: written, started or ended a process,
    /// sent a signal, asked for randomness.
    pub fn effects(&self) -> u64 {
        self.effects
    }

    /// How often its processes have said that they would answer alike: see
    /// [`crate::Sys::answers_alike`].
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// A number that grows with every turn of a process that may have changed how it answers.
    pub fn stirrings(&self) -> u64 {
        self.effects + self.resumed.saturating_sub(self.stayed)
    }

    /// Memory that all processes hold.
    pub fn memory_bytes(&self) -> u64 {
        let alive = self.processes.values().filter(|process| !process.has_ended());
        alive.fold(0, |sum, process| sum.saturating_add(process.held_bytes()))
    }

    /// A process takes this much memory more and never gives it back.
    pub fn leak(&mut self, pid: Pid, bytes: u64) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.leaked_bytes = process.leaked_bytes.saturating_add(bytes);
            self.effects += 1;
        }
    }

    /// The processes of another machine whose process namespace this one shares: they are in its
    /// lists, and [`Kernel::take_signals_out`] has the signals that are sent to them.
    pub fn set_neighbours(&mut self, neighbours: Vec<ProcessInfo>) {
        if self.neighbours != neighbours {
            self.neighbours = neighbours;
            self.process_changes += 1;
        }
    }

    /// Signals that were sent to processes of the other machine since the last call.
    pub fn take_signals_out(&mut self) -> Vec<(Pid, Signal)> {
        std::mem::take(&mut self.signals_out)
    }

    /// The number that the next process will have.
    pub fn next_pid(&self) -> Pid {
        self.next_pid
    }

    /// The next process gets this number. Process 1 is special: signals that it does not catch do
    /// nothing, and its end ends all. A machine that is no container starts at a greater number.
    pub fn set_next_pid(&mut self, pid: Pid) {
        self.next_pid = pid.max(1);
    }

    /// Most processes at once, as a pids cgroup says.
    pub fn set_process_limit(&mut self, processes: usize) {
        self.processes_max = processes.max(1);
    }

    /// The machine's files.
    pub fn fs(&self) -> &Vfs {
        &self.fs
    }

    /// The machine's files, to change as root.
    pub fn fs_mut(&mut self) -> &mut Vfs {
        &mut self.fs
    }

    /// The host name.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    // ---- processes ----

    /// Gives a script to a shell that was started with the argument `--scripts`, after those that
    /// it was given before. Variables, functions and the working directory stay from one script
    /// to the next.
    pub fn run_script(&mut self, shell: Pid, script: &str) {
        self.scripts.entry(shell).or_default().push_back(script.to_owned());
        self.wake_process(shell);
    }

    /// The exit code of the last script of such a shell, once.
    pub fn take_script_code(&mut self, shell: Pid) -> Option<i32> {
        self.script_codes.remove(&shell)
    }

    /// Whether [`Kernel::take_script_code`] has something to give.
    pub fn has_script_code(&self, shell: Pid) -> bool {
        self.script_codes.contains_key(&shell)
    }

    /// Starts a process, which runs from the next [`Kernel::run`] on.
    pub fn spawn(&mut self, spec: ProcessSpec) -> Result<Pid, ExecError> {
        let name = spec.argv.first().cloned().unwrap_or_default();
        self.spawn_as_host(spec).map_err(|errno| ExecError::new(&name, errno))
    }

    fn spawn_as_host(&mut self, spec: ProcessSpec) -> Result<Pid, Errno> {
        let cwd = vfs::normalize("/", &spec.cwd);
        self.fs.act_as(0, self.now);
        self.fs.mkdir_all(&cwd)?;
        let (caps, filter) = (self.confinement.caps_of(spec.uid), self.confinement.filter);
        self.fs.act_within(spec.uid, caps, filter, None, self.now);
        let loaded = self.load(&spec.argv, &spec.env, &cwd);
        self.fs.act_as(0, self.now);
        let (program, argv) = loaded?;
        let tty = match spec.stdio {
            Stdio::Tty(tty) | Stdio::Ttys { stdio: tty, .. } => Some(tty),
            Stdio::Null | Stdio::Pipes { .. } => None,
        };
        let pid =
            self.add_process(Owner::Host, program, argv, Arc::new(spec.env), cwd, spec.uid)?;
        let null = Open::Device(Device::Null);
        let opens = match spec.stdio {
            Stdio::Null => [null.clone(), null.clone(), null],
            Stdio::Tty(tty) => [Open::Tty(tty), Open::Tty(tty), Open::Tty(tty)],
            Stdio::Ttys { stdio, stderr } => {
                [Open::Tty(stdio), Open::Tty(stdio), Open::Tty(stderr)]
            }
            Stdio::Pipes { stdin, stdout, stderr } => {
                if let Some(pipe) = stdin.and_then(|id| self.pipes.get_mut(&id)) {
                    pipe.host_reads = false;
                }
                for id in [stdout, stderr] {
                    if let Some(pipe) = self.pipes.get_mut(&id) {
                        pipe.host_writes = false;
                    }
                }
                let stdin = stdin.map_or(null, Open::PipeReader);
                [stdin, Open::PipeWriter(stdout), Open::PipeWriter(stderr)]
            }
        };
        for (fd, open) in (0..).zip(opens) {
            let file = self.describe(open);
            if let Some(process) = self.processes.get_mut(&pid) {
                process.fds.insert(fd, file);
            }
        }
        if let Some(process) = self.processes.get_mut(&pid) {
            process.tty = tty;
        }
        if let Some(tty) = tty.and_then(|id| self.ttys.get_mut(&id)) {
            tty.foreground.get_or_insert(pid);
        }
        Ok(pid)
    }

    fn add_process(
        &mut self,
        owner: Owner,
        program: Box<dyn Program>,
        argv: Vec<String>,
        env: Arc<BTreeMap<String, String>>,
        cwd: String,
        uid: u32,
    ) -> Result<Pid, Errno> {
        self.starts += 1;
        self.effects += 1;
        if self.processes.len() >= self.processes_max {
            return Err(Errno::TooManyProcesses);
        }
        let size: usize = argv.iter().map(String::len).sum::<usize>()
            + env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if size > ARGUMENT_BYTES_MAX {
            return Err(Errno::TooManyArguments);
        }
        let pid = self.next_pid;
        self.next_pid = self.next_pid.wrapping_add(1).max(2);
        let process = Process {
            pid,
            owner,
            group: pid,
            argv,
            oom_score_adj: self.oom_score_adj,
            env,
            cwd,
            uid,
            root: None,
            tty: None,
            fds: BTreeMap::new(),
            program: Some(program),
            state: State::Ready,
            caught: BTreeSet::new(),
            signals: VecDeque::new(),
            signalled_by: None,
            stopped: None,
            held: Vec::new(),
            killed_by: None,
            sockets: BTreeMap::new(),
            started: self.now,
            cpu_micros: 0,
            memory_bytes: Process::MEMORY_BYTES,
            leaked_bytes: 0,
            printed: Vec::new(),
        };
        self.process_changes += 1;
        self.processes.insert(pid, Box::new(process));
        self.ready.push_back(pid);
        Ok(pid)
    }

    /// Finds the program that `argv` names, and what its arguments are then.
    fn load(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        cwd: &str,
    ) -> Result<(Box<dyn Program>, Vec<String>), Errno> {
        let name = argv.first().ok_or(Errno::Invalid)?;
        let mut path = self.find_executable(name, env, cwd)?;
        match self.confinement.filter.verdict(Syscall::Execve) {
            Verdict::Allow => {}
            Verdict::Refuse(errno) => return Err(errno),
            Verdict::Kill => return Err(Errno::NotPermitted),
        }
        let mut argv = argv.to_vec();
        for _ in 0..INTERPRETERS_MAX {
            if let Some(program) = self.fs.program(&path) {
                let program = self.programs.load(&program).ok_or(Errno::ExecFormat)?;
                return Ok((program, argv));
            }
            let text = self.fs.read_text(&path)?;
            let line = text.lines().next().unwrap_or_default();
            let line = line.strip_prefix("#!").ok_or(Errno::ExecFormat)?.trim();
            let (interpreter, argument) = line.split_once(' ').unwrap_or((line, ""));
            let mut next = vec![interpreter.to_string()];
            if !argument.trim().is_empty() {
                next.push(argument.trim().to_string());
            }
            // The interpreter gets the script's path as it was said, or where it was found.
            let said = argv.first().filter(|name| name.contains('/'));
            next.push(said.cloned().unwrap_or(path));
            next.extend(argv.into_iter().skip(1));
            path = self.find_executable(interpreter, env, cwd)?;
            argv = next;
        }
        Err(Errno::Loop)
    }

    fn find_executable(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
        cwd: &str,
    ) -> Result<String, Errno> {
        if name.contains('/') {
            let path = vfs::normalize(cwd, name);
            if self.fs.stat(&path)?.is_dir() || !self.fs.access(&path, 1) {
                return Err(Errno::Access);
            }
            return Ok(path);
        }
        let search = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let mut errno = Errno::NotFound;
        for dir in search.split(':') {
            let path = vfs::normalize(cwd, &vfs::join(dir, name));
            match self.fs.stat(&path) {
                Ok(stat) if stat.is_dir() => {}
                Ok(_) if self.fs.access(&path, 1) => return Ok(path),
                Ok(_) => errno = Errno::Access,
                Err(_) => {}
            }
        }
        Err(errno)
    }

    /// How a process is; `None` if it is not there, or its end was already asked for.
    pub fn status(&self, pid: Pid) -> Option<ProcessStatus> {
        self.processes.get(&pid).map(|process| match process.state {
            State::Exited { code, at } => ProcessStatus::Exited { code, at },
            _ => ProcessStatus::Running,
        })
    }

    /// The exit code of a process that the host started and that has ended; then it is forgotten.
    pub fn take_exit(&mut self, pid: Pid) -> Option<i32> {
        match self.processes.get(&pid)?.state {
            State::Exited { code, .. } => {
                self.processes.remove(&pid);
                Some(code)
            }
            _ => None,
        }
    }

    /// The processes that have not ended, by number.
    pub fn processes(&self) -> impl Iterator<Item = ProcessInfo> + '_ {
        self.processes.values().filter(|process| !process.has_ended()).map(|process| process.info())
    }

    /// Sends a signal from outside.
    pub fn signal(&mut self, pid: Pid, signal: Signal) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.signalled_by = None;
        }
        self.deliver(pid, signal, signal == Signal::Kill);
    }

    /// Gives a process a signal, and tells its parent if that stops it.
    fn deliver(&mut self, pid: Pid, signal: Signal, forced: bool) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.has_ended())
        else {
            return;
        };
        let before = process.stopped;
        process.take_signal(signal, forced);
        // Who is stopped, or goes on, answers otherwise without a turn of its own.
        self.resumed += 1;
        let stops = process.stopped.is_some() && before.is_none();
        let parent = match process.owner {
            Owner::Parent(parent) if stops => Some(parent),
            _ => None,
        };
        self.queue_ready(pid);
        if let Some(parent) = parent {
            self.wake_process(parent);
        }
        self.end_killed();
    }

    /// Ends every process at once, as when the machine goes off.
    pub fn kill_all(&mut self) {
        let pids: Vec<Pid> = self.processes().map(|process| process.pid).collect();
        for pid in pids {
            self.signal(pid, Signal::Kill);
        }
    }

    /// The processes that have ended since the last call, oldest first, as many as are kept.
    pub fn take_ended(&mut self) -> impl Iterator<Item = EndedProcess> {
        std::mem::take(&mut self.ended).into_iter()
    }

    /// Ends those that a signal has killed, without giving them a turn.
    fn end_killed(&mut self) {
        while let Some((pid, signal)) = self.processes.values().find_map(|process| {
            let signal = process.killed_by.filter(|_| !process.has_ended())?;
            process.program.is_some().then_some((process.pid, signal))
        }) {
            if let Some(process) = self.processes.remove(&pid) {
                self.end(process, 128 + signal.number());
            }
        }
    }

    /// Puts an ended process down, taken out of the table, and tells who cares.
    fn end(&mut self, mut process: Box<Process>, code: i32) {
        self.effects += 1;
        for (_, file) in std::mem::take(&mut process.fds) {
            self.drop_holder(file);
        }
        self.sockets_to_close.extend(std::mem::take(&mut process.sockets).into_keys());
        self.process_changes += 1;
        process.program = None;
        self.scripts.remove(&process.pid);
        process.state = State::Exited { code, at: self.now };
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        let printed = std::mem::take(&mut process.printed);
        self.ended.push_back(EndedProcess { argv: process.argv.clone(), code, printed });
        let pid = process.pid;
        match process.owner {
            Owner::Host => {
                self.processes.insert(pid, process);
            }
            Owner::Parent(parent) if self.is_alive(parent) => {
                self.processes.insert(pid, process);
                self.wake_process(parent);
            }
            Owner::Parent(_) | Owner::Nobody => {}
        }
        let orphans: Vec<Pid> = self
            .processes
            .values_mut()
            .filter(|child| child.owner == Owner::Parent(pid))
            .map(|child| {
                child.owner = Owner::Nobody;
                child.pid
            })
            .collect();
        for orphan in orphans {
            if self.processes.get(&orphan).is_some_and(|process| process.has_ended()) {
                self.processes.remove(&orphan);
            }
        }
        if pid == 1 {
            self.kill_all();
        }
    }

    fn is_alive(&self, pid: Pid) -> bool {
        self.current == Some(pid) || self.processes.get(&pid).is_some_and(|p| !p.has_ended())
    }

    fn queue_ready(&mut self, pid: Pid) {
        if !self.ready.contains(&pid) {
            self.ready.push_back(pid);
        }
    }

    fn wake_process(&mut self, pid: Pid) {
        if self.current == Some(pid) {
            self.current_woken = true;
        }
        if let Some(process) = self.processes.get_mut(&pid)
            && matches!(process.state, State::Blocked { .. })
        {
            process.wake();
            self.queue_ready(pid);
        }
    }

    fn wake_where(&mut self, holds: impl Fn(&Open) -> bool) {
        let pids: Vec<Pid> = self
            .processes
            .values()
            .filter(|process| matches!(process.state, State::Blocked { .. }))
            .filter(|process| {
                process.fds.values().any(|file| {
                    self.descriptions.get(file).is_some_and(|description| holds(&description.open))
                })
            })
            .map(|process| process.pid)
            .collect();
        for pid in pids {
            self.wake_process(pid);
        }
    }

    fn wake_pipe(&mut self, id: PipeId) {
        self.wake_where(
            |open| matches!(open, Open::PipeReader(other) | Open::PipeWriter(other) if *other == id),
        );
    }

    /// Something outside has changed (a socket, a watch, a stream): blocked processes look again.
    pub fn wake(&mut self) {
        let pids: Vec<Pid> = self.processes.keys().copied().collect();
        for pid in pids {
            self.wake_process(pid);
        }
    }

    // ---- running ----

    /// Lets processes go on until all wait or the slice is used up. Tells when it wants to run
    /// again at the latest; `None` if only something from outside can make it go on.
    pub fn run(&mut self, world: &mut dyn World) -> Option<Time> {
        self.now = world.now();
        self.wake_due();
        self.starts = 0;
        for _ in 0..RESUMPTIONS_PER_RUN {
            if self.starts >= STARTS_PER_RUN {
                break;
            }
            let Some(pid) = self.ready.pop_front() else { break };
            self.resume(pid, world);
        }
        self.fs.act_as(0, self.now);
        self.close_sockets(world);
        self.next_due()
    }

    fn wake_due(&mut self) {
        let now = self.now;
        let due: Vec<Pid> = self
            .processes
            .values()
            .filter(|p| matches!(p.state, State::Blocked { until: Some(at) } if at <= now))
            .filter(|process| process.stopped.is_none())
            .map(|process| process.pid)
            .collect();
        for pid in due {
            self.wake_process(pid);
        }
    }

    fn next_due(&self) -> Option<Time> {
        if !self.ready.is_empty() {
            return Some(self.now + YIELD);
        }
        self.processes
            .values()
            .filter(|process| process.stopped.is_none())
            .filter_map(|process| match process.state {
                State::Blocked { until } => until,
                _ => None,
            })
            .min()
    }

    fn resume(&mut self, pid: Pid, world: &mut dyn World) {
        let Some(mut process) = self.processes.remove(&pid) else { return };
        if process.stopped.is_some() && !process.has_ended() {
            process.state = State::Blocked { until: None };
            self.processes.insert(pid, process);
            return;
        }
        let Some(mut program) = process.program.take() else {
            self.processes.insert(pid, process);
            return;
        };
        let caps = self.confinement.caps_of(process.uid);
        let filter = self.confinement.filter;
        self.fs.act_within(process.uid, caps, filter, process.root.clone(), self.now);
        (self.current, self.current_woken) = (Some(pid), false);
        let mut call = Call::new(self, world, process);
        let step = program.resume(&mut call);
        let (mut process, replacement) = call.finish();
        self.resumed += 1;
        self.cpu.burn(&mut process.cpu_micros, cpu::TURN, self.now);
        self.current = None;
        let replaced = replacement.is_some();
        self.process_changes += u64::from(replaced);
        process.program = Some(replacement.unwrap_or(program));
        if let Some(signal) = process.killed_by {
            self.end(process, 128 + signal.number());
            return;
        }
        if self.fs.take_violation() {
            self.end(process, 128 + Filter::SIGNAL);
            return;
        }
        let yielded = self.now + YIELD;
        process.state = match step {
            Step::Exit(code) => {
                self.end(process, code & 0xff);
                return;
            }
            Step::Yield if replaced => {
                process.state = State::Ready;
                self.processes.insert(pid, process);
                self.queue_ready(pid);
                return;
            }
            Step::Yield => {
                self.cpu.burn(&mut process.cpu_micros, YIELD, self.now);
                State::Blocked { until: Some(yielded) }
            }
            Step::Block { until } => State::Blocked { until: until.map(|at| at.max(yielded)) },
        };
        let look_again = !process.signals.is_empty() || self.current_woken;
        // It has stopped itself.
        let parent = match process.owner {
            Owner::Parent(parent) if process.stopped.is_some() => Some(parent),
            _ => None,
        };
        self.processes.insert(pid, process);
        if let Some(parent) = parent {
            self.wake_process(parent);
        }
        if look_again {
            self.wake_process(pid);
        }
    }

    /// Closes the sockets of processes that have ended, as every run does at its end.
    pub fn close_sockets(&mut self, world: &mut dyn World) {
        let sockets = std::mem::take(&mut self.sockets_to_close);
        if let Some(net) = world.net() {
            for socket in sockets {
                net.close(socket);
            }
        }
    }

    // ---- descriptions ----

    fn describe(&mut self, open: Open) -> FileId {
        match &open {
            Open::File { node, .. } => self.fs.retain(*node),
            Open::PipeReader(id) => {
                if let Some(pipe) = self.pipes.get_mut(id) {
                    pipe.readers += 1;
                }
            }
            Open::PipeWriter(id) => {
                if let Some(pipe) = self.pipes.get_mut(id) {
                    pipe.writers += 1;
                }
            }
            Open::Device(_) | Open::Tty(_) => {}
        }
        let id = FileId(self.next_file);
        self.next_file += 1;
        self.descriptions.insert(id, Description { open, holders: 1 });
        id
    }

    fn add_holder(&mut self, file: FileId) {
        if let Some(description) = self.descriptions.get_mut(&file) {
            description.holders += 1;
        }
    }

    fn drop_holder(&mut self, file: FileId) {
        let Some(description) = self.descriptions.get_mut(&file) else { return };
        description.holders = description.holders.saturating_sub(1);
        if description.holders > 0 {
            return;
        }
        let Some(description) = self.descriptions.remove(&file) else { return };
        match description.open {
            Open::File { node, .. } => self.fs.release(node),
            Open::PipeReader(id) => {
                if let Some(pipe) = self.pipes.get_mut(&id) {
                    pipe.readers = pipe.readers.saturating_sub(1);
                }
                self.after_close(id);
            }
            Open::PipeWriter(id) => {
                if let Some(pipe) = self.pipes.get_mut(&id) {
                    pipe.writers = pipe.writers.saturating_sub(1);
                }
                self.after_close(id);
            }
            Open::Device(_) | Open::Tty(_) => {}
        }
    }

    fn after_close(&mut self, id: PipeId) {
        self.wake_pipe(id);
        if self.pipes.get(&id).is_some_and(|pipe| !pipe.can_be_read() && !pipe.can_be_written()) {
            self.pipes.remove(&id);
        }
    }

    // ---- the host's ends of pipes ----

    /// A pipe for the standard input or output of a process that the host is about to start.
    pub fn pipe(&mut self) -> PipeId {
        let id = self.add_pipe();
        if let Some(pipe) = self.pipes.get_mut(&id) {
            (pipe.host_reads, pipe.host_writes) = (true, true);
        }
        id
    }

    /// From now on [`Kernel::take_in_order`] tells in which order these pipes were written to. It must
    /// be called after each run.
    pub fn keep_order(&mut self, pipes: [PipeId; 2]) {
        for id in pipes {
            if let Some(pipe) = self.pipes.get_mut(&id) {
                pipe.ordered = true;
            }
        }
    }

    fn note_write(&mut self, id: PipeId, bytes: usize) {
        match self.writes.last_mut() {
            Some((last, sum)) if *last == id => *sum += bytes,
            _ => self.writes.push((id, bytes)),
        }
    }

    /// Takes all that was written to these pipes, piece by piece in the order in which it was.
    pub fn take_in_order(&mut self, pipes: [PipeId; 2]) -> Vec<(PipeId, Vec<u8>)> {
        let (order, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.writes).into_iter().partition(|(id, _)| pipes.contains(id));
        self.writes = others;
        // What nobody can take any more is not remembered.
        self.writes.retain(|(id, _)| self.pipes.contains_key(id));
        let mut pieces = Vec::new();
        for (id, bytes) in order {
            let Some(pipe) = self.pipes.get_mut(&id) else { continue };
            pieces.push((id, pipe.read(bytes)));
        }
        for id in pipes {
            let rest = self.pipe_read(id);
            if !rest.is_empty() {
                pieces.push((id, rest));
            } else if pieces.iter().any(|(other, _)| *other == id) {
                self.wake_pipe(id);
            }
        }
        pieces
    }

    fn add_pipe(&mut self) -> PipeId {
        let id = PipeId(self.next_pipe);
        self.next_pipe += 1;
        self.pipes.insert(id, Pipe::default());
        id
    }

    /// Writes to a process's standard input; tells how many bytes fitted.
    pub fn pipe_write(&mut self, id: PipeId, bytes: &[u8]) -> usize {
        let Some(pipe) = self.pipes.get_mut(&id) else { return 0 };
        let taken = pipe.write(bytes);
        self.wake_pipe(id);
        taken
    }

    /// Takes all that a process has written.
    pub fn pipe_read(&mut self, id: PipeId) -> Vec<u8> {
        let Some(pipe) = self.pipes.get_mut(&id) else { return Vec::new() };
        let bytes = pipe.read(PIPE_BYTES_MAX);
        if !bytes.is_empty() {
            self.wake_pipe(id);
        }
        bytes
    }

    /// Whether nothing can come any more: no process holds the pipe to write, and it is empty.
    pub fn pipe_at_end(&self, id: PipeId) -> bool {
        self.pipes.get(&id).is_none_or(|pipe| pipe.is_empty() && !pipe.can_be_written())
    }

    /// Ends a process's standard input; tells whether it was open.
    pub fn pipe_close_write(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.pipes.get_mut(&id) else { return false };
        let was_open = std::mem::take(&mut pipe.host_writes);
        if was_open {
            self.after_close(id);
        }
        was_open
    }

    /// Gives up the host's reading end; who writes then gets `SIGPIPE`.
    pub fn pipe_close_read(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.host_reads = false;
        }
        self.after_close(id);
    }

    // ---- terminals ----

    /// A new terminal of this size.
    pub fn tty(&mut self, columns: u16, rows: u16) -> TtyId {
        let id = TtyId(self.next_tty);
        self.next_tty += 1;
        self.ttys.insert(id, Tty::new(columns, rows));
        id
    }

    /// Keys were pressed.
    pub fn tty_input(&mut self, id: TtyId, bytes: &[u8]) {
        let Some(tty) = self.ttys.get_mut(&id) else { return };
        let signals = tty.type_bytes(bytes);
        let foreground = tty.foreground;
        for signal in signals {
            self.signal_group(foreground, id, signal);
        }
        self.wake_where(|open| matches!(open, Open::Tty(other) if *other == id));
    }

    fn signal_group(&mut self, group: Option<Pid>, tty: TtyId, signal: Signal) {
        let pids: Vec<Pid> = self
            .processes
            .values()
            .filter(|process| process.tty == Some(tty) && Some(process.group) == group)
            .map(|process| process.pid)
            .collect();
        for pid in pids {
            self.signal(pid, signal);
        }
    }

    /// Whether something was printed on a terminal and not yet taken.
    pub fn tty_has_output(&self, id: TtyId) -> bool {
        self.ttys.get(&id).is_some_and(Tty::has_output)
    }

    /// Takes what the terminal has to show.
    pub fn tty_output(&mut self, id: TtyId) -> Vec<u8> {
        let Some(tty) = self.ttys.get_mut(&id) else { return Vec::new() };
        let output = tty.take_output();
        if !output.is_empty() {
            self.wake_where(|open| matches!(open, Open::Tty(other) if *other == id));
        }
        output
    }

    /// The terminal's window has another size.
    pub fn tty_resize(&mut self, id: TtyId, columns: u16, rows: u16) {
        if let Some(tty) = self.ttys.get_mut(&id) {
            (tty.columns, tty.rows) = (columns.max(1), rows.max(1));
        }
        self.wake_where(|open| matches!(open, Open::Tty(other) if *other == id));
    }

    /// The terminal is gone: its processes get `SIGHUP`, reading it gives the end of the file.
    pub fn tty_hangup(&mut self, id: TtyId) {
        let Some(tty) = self.ttys.get_mut(&id) else { return };
        tty.hung_up = true;
        let pids: Vec<Pid> = self
            .processes
            .values()
            .filter(|process| process.tty == Some(id))
            .map(|process| process.pid)
            .collect();
        for pid in pids {
            self.signal(pid, Signal::Hup);
        }
        self.wake_where(|open| matches!(open, Open::Tty(other) if *other == id));
    }
}

/// Where programs are looked for when `PATH` is not set.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The least free descriptor from `from` on.
fn free_fd(fds: &BTreeMap<Fd, FileId>, from: Fd) -> Result<Fd, Errno> {
    if fds.len() >= DESCRIPTORS_MAX {
        return Err(Errno::TooManyFiles);
    }
    (from..).find(|fd| !fds.contains_key(fd)).ok_or(Errno::TooManyFiles)
}
