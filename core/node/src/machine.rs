//! The machine under a node, as its administrator logs in to it: a shell and programs, on the node's
//! own files.

use crate::runtime::{ExecIo, NamespaceStack, Volumes};
use naru_api::ApiService;
use naru_network::{Call, Network, NsId};
use naru_shell::{
    Disk, Errno, Facts, Kernel, Namespaces, NetStack, Outside, Pid, ProcessInfo, ProcessSpec,
    ProgramTable, Questions, SessionOutput, SessionSpec, Signal, Stdio, Vfs, World,
    install_programs,
};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A machine's processes. It is made when somebody logs in for the first time or wants to see its
/// files.
#[derive(Clone, Debug)]
pub struct Machine {
    kernel: Kernel,
    rng: Rng,
    sessions: BTreeMap<u64, (Pid, ExecIo)>,
    questions: Questions,
    woken: bool,
    due: Option<Time>,
    /// The state of the node's files that it has seen.
    files_seen: u64,
}

impl Machine {
    /// Sessions open at once.
    const SESSIONS_MAX: usize = 32;

    /// A machine of this name, whose programs are these.
    pub fn new(
        hostname: &str,
        programs: &'static dyn ProgramTable,
        facts: Arc<Facts>,
        rng: &Rng,
    ) -> Self {
        let mut kernel = Kernel::new(Vfs::new(), programs, hostname);
        kernel.set_next_pid(800);
        kernel.show_proc(facts, Namespaces::default());
        Machine {
            kernel,
            rng: rng.fork("machine"),
            sessions: BTreeMap::new(),
            questions: Questions::default(),
            woken: false,
            due: None,
            files_seen: 0,
        }
    }

    /// Lays down what every machine of this name has: the standard programs and these, and who its
    /// users are.
    pub fn lay_files(fs: &mut Vfs, hostname: &str, names: &[&str]) -> Result<(), Errno> {
        install_programs(fs, "/usr/bin", naru_shell::standard_program_names(), "bash")?;
        for name in names {
            fs.install(&format!("/usr/bin/{name}"), name)?;
        }
        for folder in
            ["/root", "/etc/iscsi", "/etc/kubernetes/manifests", "/var/lib/kubelet", "/tmp"]
        {
            fs.mkdir_all(folder)?;
        }
        let initiator = format!("InitiatorName={}\n", crate::iscsi::initiator_name(hostname));
        fs.write("/etc/iscsi/initiatorname.iscsi", initiator.as_bytes())?;
        fs.install("/bin/bash", "bash")?;
        fs.write("/etc/hostname", format!("{hostname}\n").as_bytes())?;
        fs.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n")?;
        fs.write("/etc/group", b"root:x:0:\n")
    }

    /// Shows its processes the node's disk.
    pub(crate) fn see_disk(&mut self, disk: Disk) {
        self.kernel.fs_mut().set_disk(disk);
    }

    /// Shows its processes those of the node's containers.
    pub(crate) fn see(&mut self, processes: Vec<ProcessInfo>) {
        self.kernel.set_neighbours(processes);
    }

    /// Signals for those.
    pub(crate) fn signals_out(&mut self) -> Vec<(Pid, Signal)> {
        self.kernel.take_signals_out()
    }

    /// Gives its processes the newest of the node's files.
    pub(crate) fn borrow_files(&mut self, volumes: &mut Volumes) {
        volumes.lend_root(self.kernel.fs_mut(), &mut self.files_seen);
    }

    /// Hands on what its processes have made of them.
    pub(crate) fn return_files(&mut self, volumes: &mut Volumes) {
        volumes.take_back_root(self.kernel.fs(), &mut self.files_seen);
    }

    /// What its programs have asked.
    pub fn questions_mut(&mut self) -> &mut Questions {
        &mut self.questions
    }

    /// Something that its processes may wait for has happened.
    pub fn wake(&mut self) {
        self.kernel.wake();
        self.woken = true;
    }

    /// When it wants to run.
    pub fn next_due(&self) -> Option<Time> {
        if self.woken { Some(Time::ZERO) } else { self.due }
    }

    /// Logs root in. The error is what a shell says of a command that cannot be started.
    pub fn open(&mut self, id: u64, spec: SessionSpec) -> Result<(), String> {
        if self.sessions.len() >= Self::SESSIONS_MAX {
            return Err("too many sessions".to_owned());
        }
        let io = match spec.tty {
            Some((columns, rows)) => ExecIo::Tty(self.kernel.tty(columns, rows)),
            None => ExecIo::pipes(&mut self.kernel, true),
        };
        let stdio = match io {
            ExecIo::Tty(tty) => Stdio::Tty(tty),
            ExecIo::Pipes { stdin, stdout, stderr } => Stdio::Pipes { stdin, stdout, stderr },
        };
        let mut argv = vec!["bash".to_owned()];
        if let Some(script) = spec.command {
            argv.extend(["-c".to_owned(), script]);
        }
        let env = [
            ("HOME", "/root"),
            ("USER", "root"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("SHELL", "/bin/bash"),
            ("TERM", "xterm-256color"),
            ("PS1", r"\u@\h:\w# "),
        ];
        let mut env: BTreeMap<String, String> =
            env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        env.extend(spec.env);
        let spec = ProcessSpec { argv, env, cwd: "/root".to_owned(), uid: 0, stdio };
        let pid = self.kernel.spawn(spec).map_err(|error| error.to_string())?;
        self.sessions.insert(id, (pid, io));
        self.wake();
        Ok(())
    }

    /// Types into a session; tells how many bytes were taken.
    pub fn send(&mut self, id: u64, bytes: &[u8]) -> usize {
        let Some((_, io)) = self.sessions.get(&id).copied() else { return bytes.len() };
        let taken = io.feed(&mut self.kernel, bytes);
        self.wake();
        taken
    }

    /// Nothing more will be typed.
    pub fn end_input(&mut self, id: u64) {
        if let Some((_, io)) = self.sessions.get(&id).copied() {
            io.end_input(&mut self.kernel);
            self.wake();
        }
    }

    /// The other side's terminal has another size.
    pub fn resize(&mut self, id: u64, columns: u16, rows: u16) {
        if let Some((_, ExecIo::Tty(tty))) = self.sessions.get(&id).copied() {
            self.kernel.tty_resize(tty, columns, rows);
            self.wake();
        }
    }

    /// Takes what a session has printed, and how it ended: after that it is forgotten.
    pub fn receive(&mut self, id: u64) -> SessionOutput {
        let Some((pid, io)) = self.sessions.get(&id).copied() else {
            return SessionOutput { code: Some(255), ..SessionOutput::default() };
        };
        let said = io.take_output(&mut self.kernel);
        self.woken |= !said.is_empty();
        let code = if said.is_empty() { self.kernel.take_exit(pid) } else { None };
        if code.is_some() {
            self.hang_up(id);
        }
        SessionOutput { said, code }
    }

    /// The other side has gone.
    pub fn hang_up(&mut self, id: u64) {
        if let Some((_, io)) = self.sessions.remove(&id) {
            io.hang_up(&mut self.kernel);
            self.wake();
        }
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> impl Iterator<Item = u64> + '_ {
        self.sessions.keys().copied()
    }

    /// The machine goes off: its processes end, its files stay.
    pub fn power_off(&mut self) {
        self.kernel.kill_all();
        self.sessions.clear();
        self.questions = Questions::default();
        self.woken = false;
        self.due = None;
    }

    /// Lets its processes run.
    pub fn run(
        &mut self,
        now: Time,
        api: &mut dyn ApiService,
        network: &mut Network,
        namespace: NsId,
    ) {
        self.woken = false;
        let call = Call { now, cause: CauseId::ROOT };
        let mut surroundings = Surroundings {
            now,
            rng: &mut self.rng,
            api,
            net: NamespaceStack::new(network, namespace, call),
            questions: &mut self.questions,
        };
        self.due = self.kernel.run(&mut surroundings);
        // Nobody asks how they ended.
        drop(self.kernel.take_ended());
    }
}

/// What is around the machine while it runs.
struct Surroundings<'a> {
    now: Time,
    rng: &'a mut Rng,
    api: &'a mut dyn ApiService,
    net: NamespaceStack<'a>,
    questions: &'a mut Questions,
}

impl World for Surroundings<'_> {
    fn now(&self) -> Time {
        self.now
    }
    fn rng(&mut self) -> &mut Rng {
        self.rng
    }
    fn net(&mut self) -> Option<&mut dyn NetStack> {
        Some(&mut self.net)
    }
    fn api(&mut self) -> Option<&mut dyn ApiService> {
        Some(self.api)
    }
    fn outside(&mut self) -> Option<&mut dyn Outside> {
        Some(self.questions)
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}
