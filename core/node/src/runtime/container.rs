//! One container: a kernel with the image's files, and the process it is for.

use super::log::{ContainerLog, Output};
use super::pids::PidNamespace;
use super::sandbox::SandboxId;
use super::volumes::{Mount, Stored, Volumes};
use crate::Image;
use naru_api::said::Said;
use naru_network::NsId;
use naru_shell::{
    Cgroup, Confinement, Device, ExecError, Kernel, Pid, PipeId, ProcessInfo, ProcessSpec,
    ProcessStatus, ProgramTable, Signal, Stdio, TtyId, Vfs, join,
};
use naru_sim::{CauseId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Names a container of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub u64);

/// Bytes that wait for an attached client; what is more is lost to it, not to the log.
const TAP_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a process's last words. Upstream: `MaxContainerTerminationMessageLength`.
const LAST_WORDS_MAX: usize = 4_096;
/// Bytes and lines of a log that stand for them. Upstream:
/// `MaxContainerTerminationMessageLogLength`, `MaxContainerTerminationMessageLogLines`.
const LAST_LOG_MAX: usize = 2_048;
const LAST_LINES_MAX: u64 = 80;
/// Columns and rows of a terminal whose size nobody told.
const TTY_SIZE: (u16, u16) = (80, 24);
/// Process numbers that runc takes of a namespace before a container's first process.
const RUNC_PIDS: Pid = 6;
/// In how many steps a process takes what it leaks, and how far apart they are.
const LEAK_STEPS: u64 = 10;
const LEAK_PAUSE: Duration = Duration::from_secs(1);

/// What a container is made from.
#[derive(Clone, Debug)]
pub struct ContainerConfig {
    /// Its name within the pod.
    pub name: String,
    /// The image.
    pub image: Arc<Image>,
    /// The image's name with all that a short one leaves out.
    pub image_name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Working directory; "" for the image's.
    pub cwd: String,
    /// User; `None` for the image's.
    pub uid: Option<u32>,
    /// First group; `None` for the user's own.
    pub gid: Option<u32>,
    /// More groups.
    pub groups: Vec<u32>,
    /// Thousandths of a processor that it may use; `None` for all.
    pub cpu_limit_milli: Option<u64>,
    /// Thousandths of a processor that it asks for; `None`: it is weighed as any other.
    pub cpu_request_milli: Option<u64>,
    /// Bytes of memory that it may hold; `None` for all.
    pub memory_limit: Option<u64>,
    /// What is added to the scores of its processes when memory has run out.
    pub oom_score_adj: i32,
    /// Whether nothing but volumes can be written.
    pub read_only_root: bool,
    /// Whose processes it sees.
    pub pids: PidNamespace,
    /// What its processes may do at most.
    pub confinement: Confinement,
    /// Settings of its kernel, by their paths in `/proc`, that are not as usual.
    pub sysctls: BTreeMap<String, String>,
    /// Whether it has the node's devices.
    pub devices: bool,
    /// Whether the process has a terminal.
    pub tty: bool,
    /// Whether its input can be written to.
    pub stdin: bool,
    /// Files put over the image's: `/etc/hosts`, ….
    pub files: Vec<PutFile>,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// The file in which the process leaves its last words.
    pub termination_path: String,
    /// Whether the end of the log stands for last words that are not there.
    pub last_words_from_log: bool,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Its process runs.
    Running {
        /// Since when.
        started: Time,
    },
    /// Its process has ended, or could not be started.
    Exited {
        /// Since when it ran; `None` if it could not be started.
        started: Option<Time>,
        /// When it ended.
        finished: Time,
        /// The exit code.
        code: i32,
        /// `Completed`, `Error`, `StartError`, ….
        reason: &'static str,
        /// More, for people.
        message: String,
    },
}

/// A file that is put over an image's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutFile {
    /// Where.
    pub path: String,
    /// What stands in it.
    pub bytes: Vec<u8>,
    /// Who may do what with it.
    pub mode: u16,
    /// User and group.
    pub owner: (u32, u32),
    /// What it is if it is no regular file.
    pub device: Option<Device>,
}

impl PutFile {
    /// A file of root's that everybody may read.
    pub fn plain(path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        PutFile { path: path.to_owned(), bytes, mode: 0o644, owner: (0, 0), device: None }
    }
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub hex: String,
    /// Its pod's sandbox.
    pub sandbox: SandboxId,
    /// Its pod's network namespace.
    pub(super) network: NsId,
    /// What it was made from.
    pub config: ContainerConfig,
    /// How it is.
    pub state: ContainerState,
    /// What it wrote.
    pub log: ContainerLog,
    /// What made it run last.
    pub cause: CauseId,
    pub(super) kernel: Kernel,
    pub(super) wake_at: Option<Time>,
    /// Memory that it held after its last turn.
    pub(super) memory_seen: u64,
    /// What it took of the node's disk when that was looked at last.
    pub(super) disk_seen: Stored,
    init: Option<Pid>,
    /// The version of each volume that its files show.
    seen_volumes: Vec<u64>,
    /// Paths of mounts that are directories of others, and where these are.
    binds: Vec<(String, String)>,
    stdio: ContainerStdio,
    taps: Vec<Tap>,
    next_tap: u64,
    /// Whether a client was ever attached.
    was_attached: bool,
    /// Whether it ended because it held too much memory.
    oom_killed: bool,
    /// Its first process takes ever more memory.
    leak: Option<Box<Leak>>,
    /// What was there before its first run.
    given: Stored,
}

#[derive(Clone, Copy, Debug)]
enum ContainerStdio {
    Pipes { stdin: Option<PipeId>, stdout: PipeId, stderr: PipeId },
    Tty(TtyId),
}

/// A process takes ever more memory.
#[derive(Clone, Copy, Debug)]
struct Leak {
    /// What the container holds at its end, in bytes.
    upto: u64,
    /// What is taken at a time, in bytes.
    step: u64,
    /// When it is taken next.
    next: Time,
}

/// What an attached client has not taken yet.
#[derive(Clone, Debug)]
struct Tap {
    id: TapId,
    said: Said,
}

/// Names a client's attachment to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapId(u64);

impl Container {
    /// A container that is not started, with its files.
    pub fn new(
        hex: String,
        (sandbox, network): (SandboxId, NsId),
        hostname: &str,
        (config, fs): (ContainerConfig, Vfs),
        programs: &'static dyn ProgramTable,
    ) -> Self {
        let given = Stored::of(fs.root());
        let mut kernel = Kernel::new(fs, programs, hostname);
        kernel.set_cpu_limit(config.cpu_limit_milli);
        kernel.confine(config.confinement);
        kernel.set_sysctls(config.sysctls.clone());
        kernel.set_oom_score_adj(config.oom_score_adj);
        kernel.show_cgroup(cgroup(&config));
        let stdio = if config.tty {
            ContainerStdio::Tty(kernel.tty(TTY_SIZE.0, TTY_SIZE.1))
        } else {
            let stdin = config.stdin.then(|| kernel.pipe());
            let (stdout, stderr) = (kernel.pipe(), kernel.pipe());
            kernel.keep_order([stdout, stderr]);
            ContainerStdio::Pipes { stdin, stdout, stderr }
        };
        Container {
            hex,
            sandbox,
            network,
            seen_volumes: vec![0; config.mounts.len()],
            binds: Vec::new(),
            config,
            state: ContainerState::Created,
            log: ContainerLog::default(),
            cause: CauseId::ROOT,
            kernel,
            wake_at: None,
            memory_seen: 0,
            disk_seen: Stored::default(),
            init: None,
            stdio,
            taps: Vec::new(),
            next_tap: 0,
            was_attached: false,
            oom_killed: false,
            leak: None,
            given,
        }
    }

    /// What it has added to the files of its image.
    pub fn written(&self) -> Stored {
        Stored::of(self.fs().root()).less(self.given)
    }

    /// What the files of its log are.
    pub fn logged(&self) -> Stored {
        Stored { bytes: self.log.bytes_on_disk(), files: self.log.files_count() }
    }

    /// Processor time that it has used.
    pub fn cpu_used(&self) -> Duration {
        self.kernel.cpu_used()
    }

    /// Memory that it holds.
    pub fn memory_bytes(&self) -> u64 {
        self.kernel.memory_bytes()
    }

    /// Starts its process. The error is the text that a pod's status and events show.
    pub fn start(&mut self, now: Time, cause: CauseId) -> Result<(), String> {
        self.cause = cause;
        let stdio = match self.stdio {
            ContainerStdio::Tty(tty) => Stdio::Tty(tty),
            ContainerStdio::Pipes { stdin, stdout, stderr } => {
                Stdio::Pipes { stdin, stdout, stderr }
            }
        };
        let spec = self.process(self.config.argv.clone(), self.config.tty, stdio);
        match self.kernel.spawn(spec) {
            Ok(pid) => {
                self.init = Some(pid);
                self.state = ContainerState::Running { started: now };
                self.wake_at = Some(now);
                Ok(())
            }
            Err(error) => {
                let message = start_error(&error);
                self.state = ContainerState::Exited {
                    started: None,
                    finished: now,
                    code: 128,
                    reason: "StartError",
                    message: message.clone(),
                };
                Err(message)
            }
        }
    }

    /// Starts one more process beside the first.
    pub fn exec(
        &mut self,
        argv: Vec<String>,
        stdin: bool,
        tty: bool,
    ) -> Result<(Pid, ExecIo), ExecError> {
        let io = if tty {
            ExecIo::Tty(self.kernel.tty(TTY_SIZE.0, TTY_SIZE.1))
        } else {
            ExecIo::pipes(&mut self.kernel, stdin)
        };
        let stdio = match io {
            ExecIo::Tty(tty) => Stdio::Tty(tty),
            ExecIo::Pipes { stdin, stdout, stderr } => Stdio::Pipes { stdin, stdout, stderr },
        };
        let spec = self.process(argv, tty, stdio);
        let pid = self.kernel.spawn(spec)?;
        Ok((pid, io))
    }

    fn process(&self, argv: Vec<String>, tty: bool, stdio: Stdio) -> ProcessSpec {
        let mut env = self.config.env.clone();
        env.entry("HOSTNAME".to_owned()).or_insert_with(|| self.kernel.hostname().to_owned());
        env.entry("HOME".to_owned()).or_insert_with(|| self.home());
        if tty {
            env.entry("TERM".to_owned()).or_insert_with(|| "xterm".to_owned());
        }
        let cwd = if self.config.cwd.is_empty() {
            self.config.image.workdir.clone()
        } else {
            self.config.cwd.clone()
        };
        ProcessSpec { argv, env, cwd, uid: self.uid(), stdio }
    }

    /// The user that its processes are.
    pub fn uid(&self) -> u32 {
        self.config.uid.unwrap_or(self.config.image.user)
    }

    /// The user's home as `/etc/passwd` says, which runc puts into the environment.
    fn home(&self) -> String {
        let uid = self.uid().to_string();
        let passwd = self.kernel.fs().read_text("/etc/passwd").unwrap_or_default();
        let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(uid.as_str()));
        let home = line.and_then(|line| line.split(':').nth(5)).filter(|home| !home.is_empty());
        match (home, self.uid()) {
            (Some(home), _) => home.to_owned(),
            (None, 0) => "/root".to_owned(),
            (None, _) => "/".to_owned(),
        }
    }

    /// Gives its processes the newest files of its volumes.
    pub(super) fn borrow_volumes(&mut self, volumes: &mut Volumes) {
        for (mount, seen) in self.config.mounts.iter().zip(&mut self.seen_volumes) {
            volumes.lend(self.kernel.fs_mut(), &mount.path, mount.volume, seen);
        }
        for (path, of) in &self.binds {
            // A directory that is not there any more stays what it was.
            let _ = self.kernel.fs_mut().bind(path, of);
        }
    }

    /// Lets what is mounted twice, once by itself and once within something else, be one directory,
    /// and says what of it is on the node's disk.
    pub(super) fn find_binds(&mut self, volumes: &Volumes) {
        let mounts = &self.config.mounts;
        for mount in mounts.iter().filter(|mount| volumes.is_on_disk(mount.volume)) {
            self.kernel.fs_mut().set_on_disk(&mount.path);
        }
        let whole = |part: &Mount| {
            let others = mounts.iter().filter(|other| other.read_only == part.read_only);
            let mut places = others.filter_map(|other| {
                Some(join(&other.path, &volumes.place_in(other.volume, part.volume)?))
            });
            places.next()
        };
        let binds = mounts.iter().filter_map(|part| Some((part.path.clone(), whole(part)?)));
        self.binds = binds.collect();
    }

    /// Hands on what its processes have made of its volumes.
    pub(super) fn return_volumes(&mut self, volumes: &mut Volumes) {
        for (mount, seen) in self.config.mounts.iter().zip(&mut self.seen_volumes) {
            if !mount.read_only {
                volumes.take_back(self.kernel.fs(), &mount.path, mount.volume, seen);
            }
        }
    }

    /// Changes what it may use.
    pub fn set_limits(&mut self, cpu_milli: Option<u64>, memory: Option<u64>) {
        self.config.cpu_limit_milli = cpu_milli;
        self.config.memory_limit = memory;
        self.kernel.set_cpu_limit(cpu_milli);
        self.kernel.show_cgroup(cgroup(&self.config));
    }

    /// The groups of its processes, the first one first.
    pub fn groups(&self) -> (u32, Vec<u32>) {
        let groups = self.kernel.fs().groups();
        (groups.first_of(self.uid()), groups.others.to_vec())
    }

    /// The processes that those who share its process namespace see.
    pub(super) fn processes_seen(&self) -> (Vec<ProcessInfo>, Pid) {
        (self.kernel.processes().collect(), self.kernel.next_pid())
    }

    /// Lets its processes see these; its own get numbers from there on.
    pub(super) fn see(&mut self, (processes, next_pid): (Vec<ProcessInfo>, Pid)) {
        if self.init.is_none() {
            // Some numbers have gone by since, as runc itself takes some.
            self.kernel.set_next_pid(next_pid.saturating_add(RUNC_PIDS));
        } else if self.config.pids == PidNamespace::Pod {
            self.kernel.set_next_pid(next_pid.max(self.kernel.next_pid()));
        }
        self.kernel.set_neighbours(processes);
    }

    /// Whether nothing was ever started in it.
    pub(super) fn is_new(&self) -> bool {
        self.init.is_none()
    }

    /// Sends a signal from outside of its process namespace.
    pub(super) fn force_signal(&mut self, now: Time, pid: Pid, signal: Signal) {
        self.kernel.signal(pid, signal);
        self.wake_at = Some(now);
    }

    /// Signals for the processes that it sees beside its own.
    pub(super) fn signals_out(&mut self) -> Vec<(Pid, Signal)> {
        self.kernel.take_signals_out()
    }

    /// Sends a signal from another container that shares its process namespace.
    pub(super) fn signal_process(&mut self, now: Time, pid: Pid, signal: Signal) {
        if pid == 1 && signal == Signal::Kill {
            // Nobody in it can kill the first process of a namespace.
            return;
        }
        self.kernel.signal(pid, signal);
        self.wake_at = Some(now);
    }

    /// Ends all its processes if they hold more memory than they may. Tells whether it was so.
    ///
    /// Upstream: the kernel's OOM killer with `memory.oom.group`, which the kubelet sets.
    pub(super) fn kill_if_too_big(&mut self) -> bool {
        let limit = self.config.memory_limit.unwrap_or(u64::MAX);
        let too_big = self.is_running() && self.kernel.memory_bytes() > limit;
        if too_big {
            self.oom_killed = true;
            self.kernel.kill_all();
        }
        too_big
    }

    /// Has its first process take ever more memory from now on, until the container holds this many
    /// bytes or, if it may hold less, until it is killed for what it holds.
    pub(super) fn begin_leak(&mut self, now: Time, upto: u64) {
        // One byte beyond is what the kernel does not let pass.
        let limit = self.config.memory_limit.map_or(u64::MAX, |limit| limit.saturating_add(1));
        let upto = upto.min(limit);
        let step = upto.saturating_sub(self.memory_bytes()).div_ceil(LEAK_STEPS);
        self.leak = Some(Box::new(Leak { upto, step, next: now }));
    }

    /// Lets the leak go on, if there is one. Tells when it goes on after that.
    pub(super) fn leak(&mut self, now: Time) -> Option<Time> {
        let held = self.memory_bytes();
        let (leak, pid) = (self.leak.as_mut()?, self.init?);
        let left = leak.upto.saturating_sub(held);
        if left == 0 {
            self.leak = None;
            return None;
        }
        if leak.next <= now {
            leak.next = now + LEAK_PAUSE;
            self.kernel.leak(pid, leak.step.min(left));
        }
        Some(leak.next)
    }

    /// Its exit code, once it has ended.
    pub fn exit_code(&self) -> Option<i32> {
        match self.state {
            ContainerState::Exited { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    /// Sends its process a signal.
    pub fn signal(&mut self, now: Time, signal: Signal) {
        if let Some(pid) = self.init {
            self.kernel.signal(pid, signal);
            self.wake_at = Some(now);
        }
    }

    /// Takes over what its processes wrote, and notices its end. Tells whether it ended just now.
    pub(super) fn after_run(&mut self, now: Time) -> bool {
        match self.stdio {
            ContainerStdio::Tty(tty) => {
                let bytes = self.kernel.tty_output(tty);
                self.wrote(now, Output::Stdout, &bytes);
            }
            ContainerStdio::Pipes { stdout, stderr, .. } => {
                let mut written = [0, 0];
                for (pipe, bytes) in self.kernel.take_in_order([stdout, stderr]) {
                    let output = if pipe == stdout { Output::Stdout } else { Output::Stderr };
                    let [out, err] = &mut written;
                    *(if pipe == stdout { out } else { err }) += bytes.len();
                    self.wrote(now, output, &bytes);
                }
                if written.contains(&naru_shell::PIPE_BYTES_MAX) {
                    // The writer may have been waiting for room.
                    self.wake_at = Some(now);
                }
            }
        }
        let ContainerState::Running { started } = self.state else { return false };
        let status = self.init.and_then(|pid| self.kernel.status(pid));
        let Some(ProcessStatus::Exited { code, .. }) = status else { return false };
        self.log.finish(now);
        self.kernel.kill_all();
        self.state = ContainerState::Exited {
            started: Some(started),
            finished: now,
            code,
            reason: match code {
                _ if self.oom_killed => "OOMKilled",
                0 => "Completed",
                _ => "Error",
            },
            message: self.last_words(code),
        };
        true
    }

    /// Upstream: `getTerminationMessage` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
    fn last_words(&self, code: i32) -> String {
        let words = self.kernel.fs().read(&self.config.termination_path).unwrap_or_default();
        if !words.is_empty() {
            let words = words.get(..LAST_WORDS_MAX.min(words.len())).unwrap_or_default();
            return String::from_utf8_lossy(words).into_owned();
        }
        if code == 0 || !self.config.last_words_from_log {
            return String::new();
        }
        let from = self.log.tail(LAST_LINES_MAX);
        let text: Vec<u8> = self.log.from(from).flat_map(|line| line.text.clone()).collect();
        let text = text.get(text.len().saturating_sub(LAST_LOG_MAX)..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    fn wrote(&mut self, now: Time, output: Output, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.log.write(now, output, bytes);
        for tap in &mut self.taps {
            let room = TAP_BYTES_MAX.saturating_sub(tap.said.len());
            tap.said.push(output, bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
    }

    // ---- exec ----

    /// Writes to a process's input; tells how many bytes fitted.
    pub fn feed(&mut self, io: ExecIo, bytes: &[u8]) -> usize {
        io.feed(&mut self.kernel, bytes)
    }

    /// The client's terminal has these columns and rows now.
    pub fn resize(&mut self, io: ExecIo, (columns, rows): (u16, u16)) {
        if let ExecIo::Tty(tty) = io {
            self.kernel.tty_resize(tty, columns, rows);
        }
    }

    /// Nothing more will be written to a process's input; tells whether that is news. A terminal
    /// stays open.
    pub fn end_input(&mut self, io: ExecIo) -> bool {
        io.end_input(&mut self.kernel)
    }

    /// Takes what a process beside the first has written, in the order in which it did.
    pub fn take_output(&mut self, io: ExecIo) -> Said {
        io.take_output(&mut self.kernel)
    }

    /// The exit code of a process beside the first, once it has ended.
    pub fn take_exit(&mut self, pid: Pid) -> Option<i32> {
        if self.kernel.status(pid).is_none() { Some(137) } else { self.kernel.take_exit(pid) }
    }

    /// Ends a process beside the first.
    pub fn kill(&mut self, pid: Pid) {
        self.kernel.signal(pid, Signal::Kill);
    }

    /// Gives up the host's ends of a process's input and output.
    pub fn hang_up(&mut self, io: ExecIo) {
        io.hang_up(&mut self.kernel);
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.kernel.processes().count()
    }

    /// The machine's files.
    pub fn fs(&self) -> &naru_shell::Vfs {
        self.kernel.fs()
    }

    // ---- attach ----

    /// Lets a client see what the process writes from now on. The first client of a container
    /// that waits for input sees it from the start: it is the one that started it.
    pub fn attach(&mut self) -> TapId {
        let id = TapId(self.next_tap);
        self.next_tap += 1;
        let mut said = Said::default();
        if self.config.stdin && !self.was_attached {
            for line in self.log.from(0) {
                said.push(line.output, &line.text);
            }
            for output in [Output::Stdout, Output::Stderr] {
                said.push(output, self.log.unfinished(output));
            }
        }
        self.was_attached = true;
        self.taps.push(Tap { id, said });
        id
    }

    /// Takes what an attached client has not seen, at most this many bytes.
    pub fn take_tapped(&mut self, id: TapId, max: usize) -> Said {
        let mut taken = Said::default();
        let Some(tap) = self.taps.iter_mut().find(|tap| tap.id == id) else { return taken };
        while taken.len() < max
            && let Some((output, bytes)) = tap.said.take(max - taken.len())
        {
            taken.push(output, &bytes);
        }
        taken
    }

    /// A client is gone.
    pub fn detach(&mut self, id: TapId) {
        self.taps.retain(|tap| tap.id != id);
    }

    /// Where the first process reads its input.
    pub fn stdio(&self) -> ExecIo {
        match self.stdio {
            ContainerStdio::Tty(tty) => ExecIo::Tty(tty),
            ContainerStdio::Pipes { stdin, stdout, stderr } => {
                ExecIo::Pipes { stdin, stdout, stderr }
            }
        }
    }
}

/// The host's ends of a process's input and output.
#[derive(Clone, Copy, Debug)]
pub enum ExecIo {
    /// A terminal.
    Tty(TtyId),
    /// Pipes.
    Pipes {
        /// Standard input, if it can be written.
        stdin: Option<PipeId>,
        /// Standard output.
        stdout: PipeId,
        /// Standard error.
        stderr: PipeId,
    },
}

impl ExecIo {
    /// Pipes that remember in which order they are written to.
    pub fn pipes(kernel: &mut Kernel, stdin: bool) -> Self {
        let stdin = stdin.then(|| kernel.pipe());
        let (stdout, stderr) = (kernel.pipe(), kernel.pipe());
        kernel.keep_order([stdout, stderr]);
        ExecIo::Pipes { stdin, stdout, stderr }
    }

    /// Writes to the process's input; tells how many bytes fitted.
    pub fn feed(self, kernel: &mut Kernel, bytes: &[u8]) -> usize {
        match self {
            ExecIo::Tty(tty) => {
                kernel.tty_input(tty, bytes);
                bytes.len()
            }
            ExecIo::Pipes { stdin: Some(pipe), .. } => kernel.pipe_write(pipe, bytes),
            ExecIo::Pipes { stdin: None, .. } => bytes.len(),
        }
    }

    /// Nothing more will be written to the process's input; tells whether that is news. A terminal
    /// stays open.
    pub fn end_input(self, kernel: &mut Kernel) -> bool {
        let ExecIo::Pipes { stdin: Some(pipe), .. } = self else { return false };
        kernel.pipe_close_write(pipe)
    }

    /// Takes what the process has written, in the order in which it did.
    pub fn take_output(self, kernel: &mut Kernel) -> Said {
        match self {
            ExecIo::Tty(tty) => Said::from_iter([(Output::Stdout, kernel.tty_output(tty))]),
            ExecIo::Pipes { stdout, stderr, .. } => {
                let output = |pipe| if pipe == stdout { Output::Stdout } else { Output::Stderr };
                let pieces = kernel.take_in_order([stdout, stderr]).into_iter();
                pieces.map(|(pipe, bytes)| (output(pipe), bytes)).collect()
            }
        }
    }

    /// Gives up the host's ends.
    pub fn hang_up(self, kernel: &mut Kernel) {
        match self {
            ExecIo::Tty(tty) => kernel.tty_hangup(tty),
            ExecIo::Pipes { stdin, stdout, stderr } => {
                if let Some(pipe) = stdin {
                    kernel.pipe_close_write(pipe);
                }
                kernel.pipe_close_read(stdout);
                kernel.pipe_close_read(stderr);
            }
        }
    }
}

/// What its processes may use.
fn cgroup(config: &ContainerConfig) -> Cgroup {
    Cgroup {
        cpu_max_milli: config.cpu_limit_milli,
        cpu_weight: config.cpu_request_milli.map_or(Cgroup::WEIGHT, Cgroup::weight_of),
        memory_max: config.memory_limit,
    }
}

/// Why a container's process could not be started, as containerd and runc say it.
fn start_error(error: &ExecError) -> String {
    format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
         runc create failed: unable to start container process: error during container init: \
         {error}: unknown"
    )
}
