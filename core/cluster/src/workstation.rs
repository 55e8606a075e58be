//! The learner's own machine: terminals, scripts, a home directory, kubectl.

use crate::host::{self, NfsServer, TargetServer};
use crate::internet::Internet;
use crate::profile::Profile;
use crate::{BootError, mirror, programs};
use naru_api::ApiService;
use naru_network::{Call, Network, NsId};
use naru_node::docker::Docker;
use naru_node::{Disks, NamespaceStack};
use naru_shell::{
    Errno, Kernel, NetStack, Outside, Pid, ProcessSpec, ProcessStatus, Questions, Stdio, Tree,
    TtyId, Vfs, World, install_programs, normalize,
};
use naru_sim::{CauseId, Rng, Time};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Names an open terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TerminalId(pub u32);

/// Names a script or command line that was started without a terminal of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u32);

/// What a job has printed since it was last asked, and its exit code once it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The exit code, once.
    pub code: Option<i32>,
}

/// A command that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedCommand {
    /// Program and arguments, with spaces between.
    pub line: String,
    /// Its exit code.
    pub code: i32,
    /// The beginning of what it printed on the terminal.
    pub printed: Arc<str>,
}

/// The learner's machine. Its address is the gateway of the nodes' network.
#[derive(Clone, Debug)]
pub struct Workstation {
    kernel: Kernel,
    namespace: NsId,
    rng: Rng,
    terminals: BTreeMap<TerminalId, (TtyId, Pid)>,
    session: Option<Session>,
    /// Jobs that have not ended, with their scripts; the first one runs.
    jobs: VecDeque<(JobId, String)>,
    /// Jobs beside those, each in a shell of its own; `None` where it could not be started.
    apart: BTreeMap<JobId, Option<Session>>,
    next_id: u32,
    finished: VecDeque<FinishedCommand>,
    woken: bool,
    due: Option<Time>,
    questions: Questions,
    /// Its container engine, once somebody has needed it.
    pub(crate) docker: Option<Docker>,
    /// What it exports to other machines.
    pub(crate) nfs: NfsServer,
    pub(crate) targets: TargetServer,
    /// The world behind it.
    internet: Option<Internet>,
    /// `LANG` of the shells that are opened from now on.
    locale: String,
    /// Every `LANG` that shells were given.
    given_locales: BTreeSet<String>,
}

/// The shell that runs jobs, one after the other. It speaks to two terminals, so that programs
/// print as they would for a person, and standard error can still be told from standard output.
#[derive(Clone, Copy, Debug)]
struct Session {
    shell: Pid,
    stdout: TtyId,
    stderr: TtyId,
}

impl Workstation {
    /// The learner's name there.
    pub const USER: &str = "learner";
    /// The home directory.
    pub const HOME: &str = "/home/learner";
    /// The name of its network namespace.
    pub const NAMESPACE: &str = "terminal";
    /// The bridge into which the nodes are plugged.
    pub const BRIDGE: &str = "br-naru";
    /// `LANG` until somebody says otherwise.
    const LOCALE: &str = "ko_KR.UTF-8";
    /// Finished commands kept for the checks of lessons.
    const FINISHED_MAX: usize = 500;
    /// Terminals and jobs open at once.
    const SESSIONS_MAX: usize = 64;
    /// Folders in which files are looked for.
    const FOLDERS_MAX: usize = 200;
    const UID: u32 = 1000;

    /// A machine with its home and its tools.
    pub fn new(
        profile: &Profile,
        kubeconfig: Option<&str>,
        net: &mut Network,
        rng: &Rng,
    ) -> Result<Self, BootError> {
        let namespace = net.add_namespace(Self::NAMESPACE);
        net.add_bridge(namespace, Self::BRIDGE)?;
        net.add_address(namespace, Self::BRIDGE, profile.address(profile.host))?;
        let mut kernel =
            Kernel::new(files(profile, kubeconfig)?, programs::on_workstation(), "naru");
        kernel.set_next_pid(1000);
        Ok(Workstation {
            kernel,
            namespace,
            rng: rng.fork("workstation"),
            terminals: BTreeMap::new(),
            session: None,
            jobs: VecDeque::new(),
            apart: BTreeMap::new(),
            next_id: 1,
            finished: VecDeque::new(),
            woken: false,
            due: None,
            questions: Questions::default(),
            docker: None,
            nfs: NfsServer::default(),
            targets: TargetServer::default(),
            internet: None,
            locale: Self::LOCALE.to_owned(),
            given_locales: BTreeSet::new(),
        })
    }

    /// Plugs the world in, behind this machine.
    pub(crate) fn plug_in(&mut self, net: &mut Network) -> Result<(), BootError> {
        self.internet = Some(Internet::new(self.namespace, net)?);
        Ok(())
    }

    /// Wakes it if this namespace is its own, or the world's behind it.
    pub(crate) fn wake_namespace(&mut self, namespace: NsId) -> bool {
        let behind = self.internet.as_ref().map(Internet::namespace);
        let concerned = namespace == self.namespace || behind == Some(namespace);
        if concerned {
            self.wake();
        }
        concerned
    }

    /// Its network namespace.
    pub fn namespace(&self) -> NsId {
        self.namespace
    }

    /// Something that its processes may wait for has happened.
    pub fn wake(&mut self) {
        self.kernel.wake();
        self.woken = true;
    }

    /// When it wants to run.
    pub fn next_due(&self) -> Option<Time> {
        let docker = self.docker.as_ref().and_then(Docker::next_due);
        let due = [self.due, docker].into_iter().flatten().min();
        if self.woken { Some(Time::ZERO) } else { due }
    }

    /// Lets its processes run.
    pub fn run(
        &mut self,
        now: Time,
        api: &mut dyn ApiService,
        net: &mut Network,
        disks: &mut Disks,
    ) {
        self.woken = false;
        if let Some(internet) = &mut self.internet {
            internet.run(now, net);
        }
        self.nfs.fetch(self.kernel.fs_mut(), disks);
        let mut surroundings = Surroundings {
            now,
            api,
            sockets: NamespaceStack::new(net, self.namespace, Call { now, cause: CauseId::ROOT }),
            rng: &mut self.rng,
            questions: &mut self.questions,
        };
        self.due = self.kernel.run(&mut surroundings);
        self.nfs.store(self.kernel.fs(), disks);
        for ended in self.kernel.take_ended() {
            if self.finished.len() == Self::FINISHED_MAX {
                self.finished.pop_front();
            }
            self.finished.push_back(FinishedCommand {
                line: ended.argv.join(" "),
                code: ended.code,
                printed: String::from_utf8_lossy(&ended.printed).into(),
            });
        }
        self.reopen_shells();
        if let Some(docker) = &mut self.docker {
            docker.run(now, api, net);
        }
    }

    /// Something came to a network namespace; tells whether it is one of its containers'.
    pub fn wake_container(&mut self, namespace: NsId) -> bool {
        self.docker.as_mut().is_some_and(|docker| docker.wake_network(namespace))
    }

    /// Its files.
    pub fn files(&self) -> Vfs {
        self.kernel.fs().clone()
    }

    /// Puts a tree of files over a directory.
    pub(crate) fn mount(&mut self, path: &str, tree: Tree) -> Result<(), Errno> {
        self.kernel.fs_mut().mount(path, tree, false)
    }

    /// Who leaves a terminal's shell by `exit` finds a new one, as at a console with getty. What
    /// was typed ahead waits for it in the terminal.
    fn reopen_shells(&mut self) {
        let ended = |(id, (tty, pid)): (&TerminalId, &(TtyId, Pid))| {
            let running = matches!(self.kernel.status(*pid), Some(ProcessStatus::Running));
            (!running).then_some((*id, *tty, *pid))
        };
        let ended: Vec<_> = self.terminals.iter().filter_map(ended).collect();
        for (id, tty, pid) in ended {
            self.kernel.take_exit(pid);
            self.terminals.remove(&id);
            self.open_shell(id, tty);
        }
    }

    fn open_shell(&mut self, id: TerminalId, tty: TtyId) {
        // A machine that is too full for a shell shows an empty terminal.
        if let Ok(pid) = self.spawn(vec!["bash".to_owned()], Stdio::Tty(tty)) {
            self.terminals.insert(id, (tty, pid));
        }
    }

    /// Has shells speak this language from now on: `en_US.UTF-8`.
    pub fn set_locale(&mut self, locale: &str) {
        self.locale = locale.to_owned();
    }

    /// The locale that a person in this environment reads. A shell keeps the `LANG` it was given
    /// when it was opened; unless somebody set another one there, the machine's own counts.
    pub fn locale<'a>(&'a self, env: &'a BTreeMap<String, String>) -> &'a str {
        let value = |name: &str| env.get(name).filter(|value| !value.is_empty());
        let chosen = value("LANG").filter(|lang| !self.given_locales.contains(*lang));
        let locale = value("LC_ALL").or_else(|| value("LC_MESSAGES")).or(chosen);
        match (locale, env.contains_key("LANG")) {
            (Some(locale), _) => locale,
            (None, true) => &self.locale,
            (None, false) => "C",
        }
    }

    /// What its programs have asked of the cluster.
    pub fn questions_mut(&mut self) -> &mut Questions {
        &mut self.questions
    }

    /// Commands that have ended, oldest first.
    pub fn finished(&self) -> impl Iterator<Item = &FinishedCommand> {
        self.finished.iter()
    }

    /// Opens a terminal with a shell in it.
    pub fn open_terminal(&mut self, columns: u16, rows: u16) -> TerminalId {
        let id = TerminalId(self.take_id());
        let tty = self.kernel.tty(columns, rows);
        self.open_shell(id, tty);
        id
    }

    /// Types.
    pub fn terminal_input(&mut self, id: TerminalId, bytes: &[u8]) {
        if let Some((tty, _)) = self.terminals.get(&id) {
            self.kernel.tty_input(*tty, bytes);
            self.wake();
        }
    }

    /// Takes what was printed.
    pub fn terminal_output(&mut self, id: TerminalId) -> Vec<u8> {
        let Some((tty, _)) = self.terminals.get(&id) else { return Vec::new() };
        let output = self.kernel.tty_output(*tty);
        // A program that waited for room can go on.
        self.woken |= !output.is_empty();
        output
    }

    /// Whether a terminal has printed something that was not taken.
    pub fn terminal_has_output(&self, id: TerminalId) -> bool {
        self.terminals.get(&id).is_some_and(|(tty, _)| self.kernel.tty_has_output(*tty))
    }

    /// Changes a terminal's size.
    pub fn terminal_resize(&mut self, id: TerminalId, columns: u16, rows: u16) {
        if let Some((tty, _)) = self.terminals.get(&id) {
            self.kernel.tty_resize(*tty, columns, rows);
            self.wake();
        }
    }

    /// Starts a script of the terminal's language, after those that were started before.
    pub fn start(&mut self, script: &str) -> JobId {
        let id = JobId(self.take_id());
        if self.jobs.len() < Self::SESSIONS_MAX {
            self.jobs.push_back((id, script.to_owned()));
            if self.jobs.len() == 1 {
                self.run_first_job();
            }
        }
        id
    }

    /// The job that runs.
    pub fn first_job(&self) -> Option<JobId> {
        self.jobs.front().map(|(job, _)| *job)
    }

    /// The job that was started last.
    pub fn last_job(&self) -> JobId {
        JobId(self.next_id.wrapping_sub(1))
    }

    /// Gives the first job to the session's shell, which is started if it is not there.
    fn run_first_job(&mut self) {
        let Some((_, script)) = self.jobs.front().cloned() else { return };
        if self.session.is_none() {
            self.session = self.open_session();
        }
        if let Some(session) = self.session {
            self.kernel.run_script(session.shell, &script);
            self.wake();
        }
    }

    /// A shell for scripts. On a machine that is too full for one there is none, which ends the job with
    /// an error: see `poll`.
    fn open_session(&mut self) -> Option<Session> {
        let (stdout, stderr) = (self.kernel.tty(80, 24), self.kernel.tty(80, 24));
        let argv = vec!["bash".to_owned(), "--scripts".to_owned()];
        let shell = self.spawn(argv, Stdio::Ttys { stdio: stdout, stderr }).ok()?;
        Some(Session { shell, stdout, stderr })
    }

    /// Starts a script that waits for no other, and for which no other waits: it does not see what they
    /// have set.
    pub fn start_apart(&mut self, script: &str) -> JobId {
        let id = JobId(self.take_id());
        if self.apart.len() < Self::SESSIONS_MAX {
            let session = self.open_session();
            if let Some(session) = &session {
                self.kernel.run_script(session.shell, script);
                self.wake();
            }
            self.apart.insert(id, session);
        }
        id
    }

    /// Takes what a job has printed. A job that has ended is told once with its exit code.
    pub fn poll(&mut self, id: JobId) -> JobOutput {
        if let Some(session) = self.apart.get(&id).copied() {
            let output = session.map_or_else(no_shell, |session| self.take_output(session));
            if output.code.is_some() {
                self.abandon(id);
            }
            return output;
        }
        let Some(place) = self.jobs.iter().position(|(job, _)| *job == id) else {
            let stderr = b"naru: no such job, or too many of them\n".to_vec();
            return JobOutput { stderr, code: Some(1), ..JobOutput::default() };
        };
        if place > 0 {
            return JobOutput::default();
        }
        let Some(session) = self.session else {
            self.end_first_job();
            return no_shell();
        };
        let output = self.take_output(session);
        if self.kernel.status(session.shell).is_none() {
            self.session = None;
        }
        if output.code.is_some() {
            self.end_first_job();
        }
        output
    }

    /// What a script has printed, and its exit code if it has ended: with its shell, or before that.
    fn take_output(&mut self, session: Session) -> JobOutput {
        let mut output = JobOutput {
            stdout: plain(self.kernel.tty_output(session.stdout)),
            stderr: plain(self.kernel.tty_output(session.stderr)),
            code: None,
        };
        self.woken |= !output.stdout.is_empty() || !output.stderr.is_empty();
        if let Some(ProcessStatus::Exited { code, .. }) = self.kernel.status(session.shell) {
            output.code = Some(code);
            self.kernel.take_exit(session.shell);
        } else {
            output.code = self.kernel.take_script_code(session.shell);
        }
        output
    }

    fn end_first_job(&mut self) {
        self.jobs.pop_front();
        self.run_first_job();
    }

    /// Whether a job has printed something or ended since it was last polled.
    pub fn has_news(&self, id: JobId) -> bool {
        let first = self.jobs.front().map(|(job, _)| *job);
        let session = match self.apart.get(&id) {
            Some(session) => *session,
            None if first == Some(id) => self.session,
            None => return !self.jobs.iter().any(|(job, _)| *job == id),
        };
        let Some(session) = session else { return true };
        let running = matches!(self.kernel.status(session.shell), Some(ProcessStatus::Running));
        !running
            || self.kernel.has_script_code(session.shell)
            || self.kernel.tty_has_output(session.stdout)
            || self.kernel.tty_has_output(session.stderr)
    }

    /// Hangs up on a job and forgets it; what earlier jobs have set is lost with its shell.
    pub fn abandon(&mut self, id: JobId) {
        if let Some(session) = self.apart.remove(&id) {
            session.into_iter().for_each(|session| self.hang_up(session));
            return;
        }
        let is_first = self.jobs.front().is_some_and(|(job, _)| *job == id);
        self.jobs.retain(|(job, _)| *job != id);
        if let Some(session) = self.session.take_if(|_| is_first) {
            self.hang_up(session);
            self.run_first_job();
        }
        self.wake();
    }

    fn hang_up(&mut self, session: Session) {
        self.kernel.tty_hangup(session.stdout);
        self.kernel.tty_hangup(session.stderr);
        self.wake();
    }

    /// A file's content; a relative path is seen from the home directory.
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        let path = normalize(Self::HOME, path);
        self.kernel.fs().read(&path).ok().map(|bytes| bytes.to_vec())
    }

    /// The files of the home directory that are not hidden, by their paths from there, at most so
    /// many.
    pub fn home_files(&self, most: usize) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        for _ in 0..Self::FOLDERS_MAX {
            let Some(folder) = folders.pop() else { break };
            let entries = self.kernel.fs().list(&format!("{}/{folder}", Self::HOME));
            for entry in entries.unwrap_or_default() {
                let path = format!("{folder}{}", entry.name);
                if entry.name.starts_with('.') || files.len() == most {
                    continue;
                }
                match entry.stat.is_dir() {
                    true => folders.push(format!("{path}/")),
                    false => files.push(path),
                }
            }
        }
        files.sort();
        files
    }

    /// Writes a file of the learner; a relative path is seen from the home directory.
    pub fn write_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let path = normalize(Self::HOME, path);
        let fs = self.kernel.fs_mut();
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            fs.mkdir_all(folder)?;
        }
        fs.write(&path, bytes)?;
        fs.chown(&path, Self::UID, Self::UID)
    }

    fn spawn(&mut self, argv: Vec<String>, stdio: Stdio) -> Result<Pid, String> {
        let env = [
            ("HOME", Self::HOME),
            ("USER", Self::USER),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("SHELL", "/bin/bash"),
            ("TERM", "xterm-256color"),
            ("LANG", self.locale.as_str()),
            ("PS1", r"\[\e[1;36m\]\u@\h\[\e[0m\]:\[\e[1;34m\]\w\[\e[0m\]\$ "),
        ];
        let spec = ProcessSpec {
            argv,
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: Self::HOME.to_owned(),
            uid: Self::UID,
            stdio,
        };
        self.given_locales.insert(self.locale.clone());
        let pid = self.kernel.spawn(spec).map_err(|error| error.to_string());
        self.wake();
        pid
    }

    fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        id
    }
}

/// A terminal's output as a pipe would carry it.
fn plain(mut bytes: Vec<u8>) -> Vec<u8> {
    // Each byte is moved, whatever it is: quicker than to decide about each.
    let cells = Cell::from_mut(bytes.as_mut_slice()).as_slice_of_cells();
    let mut kept = 0;
    for byte in cells {
        if let Some(place) = cells.get(kept) {
            place.set(byte.get());
        }
        kept += usize::from(byte.get() != b'\r');
    }
    bytes.truncate(kept);
    bytes
}

fn files(profile: &Profile, kubeconfig: Option<&str>) -> Result<Vfs, BootError> {
    let mut fs = Vfs::new();
    lay_files(&mut fs, profile, kubeconfig).map_err(|error| BootError::Files(error.to_string()))?;
    Ok(fs)
}

fn lay_files(fs: &mut Vfs, profile: &Profile, kubeconfig: Option<&str>) -> Result<(), Errno> {
    install_programs(fs, "/usr/bin", naru_shell::standard_program_names(), "bash")?;
    fs.symlink("/usr/bin/bash", "/bin/bash")?;
    fs.mkdir_all("/usr/local/bin")?;
    fs.install("/usr/local/bin/kubectl", "kubectl")?;
    let names = host::programs(profile).into_iter().chain(["apt", "apt-get", "ssh", "sudo"]);
    for name in names.chain(naru_tools::NAMES.iter().copied()) {
        fs.install(&format!("/usr/local/bin/{name}"), name)?;
    }
    fs.mkdir_all("/etc")?;
    fs.write("/etc/resolv.conf", format!("nameserver {}\n", profile.host).as_bytes())?;
    fs.mkdir_all("/usr/libexec/docker")?;
    fs.install(host::docker::ATTACH, "docker-attach")?;
    fs.symlink("/usr/local/bin/kubectl", "/usr/local/bin/k")?;
    let kube = format!("{}/.kube", Workstation::HOME);
    fs.mkdir_all(&kube)?;
    let config = format!("{kube}/config");
    let mut own = vec![Workstation::HOME, &kube];
    if let Some(text) = kubeconfig {
        fs.write(&config, text.as_bytes())?;
        own.push(&config);
    }
    for path in own {
        fs.chown(path, Workstation::UID, Workstation::UID)?;
    }
    mirror::lay(fs)?;
    fs.mkdir_all("/etc")?;
    fs.write("/etc/hostname", b"naru\n")?;
    // The machine is the learner's own, though nobody is root there.
    fs.write("/etc/exports", b"")?;
    fs.chown("/etc/exports", Workstation::UID, Workstation::UID)?;
    let (user, home, uid) = (Workstation::USER, Workstation::HOME, Workstation::UID);
    let passwd =
        format!("root:x:0:0:root:/root:/bin/bash\n{user}:x:{uid}:{uid}::{home}:/bin/bash\n");
    fs.write("/etc/passwd", passwd.as_bytes())?;
    fs.write("/etc/group", format!("root:x:0:\n{user}:x:{uid}:\n").as_bytes())?;
    let mut hosts = "127.0.0.1\tlocalhost\n127.0.1.1\tnaru\n".to_owned();
    if !profile.installed {
        for machine in &profile.nodes {
            hosts.push_str(&format!("{}\t{}\n", machine.ip, machine.name));
        }
    }
    fs.write("/etc/hosts", hosts.as_bytes())
}

/// What is around the machine while it runs.
struct Surroundings<'a> {
    now: Time,
    api: &'a mut dyn ApiService,
    sockets: NamespaceStack<'a>,
    rng: &'a mut Rng,
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
        Some(&mut self.sockets)
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
/// What is told of a job for which the machine had no room.
fn no_shell() -> JobOutput {
    let stderr = b"naru: no shell could be started\n".to_vec();
    JobOutput { stderr, code: Some(1), ..JobOutput::default() }
}
