//! System calls: one process's turn.

use super::process::{Owner, Process, SocketEnds, State};
use super::{FileId, Kernel, Open, free_fd};
use crate::caps::{Cap, Caps};
use crate::seccomp::Syscall;
use crate::vfs::{Device, normalize};
use crate::{
    Completer, Errno, Fd, NetStack, OpenMode, Outside, Pid, ProcessInfo, Program, Signal, SocketId,
    Sys, Vfs, World,
};
use naru_api::ApiService;
use naru_network::{Network, NsId, Pong};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A process that has its turn, with its kernel and the world.
pub(super) struct Call<'a> {
    kernel: &'a mut Kernel,
    world: &'a mut dyn World,
    me: Box<Process>,
    replacement: Option<Box<dyn Program>>,
}

impl<'a> Call<'a> {
    pub fn new(kernel: &'a mut Kernel, world: &'a mut dyn World, me: Box<Process>) -> Self {
        Call { kernel, world, me, replacement: None }
    }

    /// The process after its turn, and the program it becomes if it asked to.
    pub fn finish(self) -> (Box<Process>, Option<Box<dyn Program>>) {
        (self.me, self.replacement)
    }

    fn file(&self, fd: Fd) -> Result<FileId, Errno> {
        self.me.fds.get(&fd).copied().ok_or(Errno::BadFd)
    }

    fn open_of(&self, fd: Fd) -> Result<&Open, Errno> {
        let file = self.file(fd)?;
        self.kernel.descriptions.get(&file).map(|it| &it.open).ok_or(Errno::BadFd)
    }

    fn add_fd(&mut self, open: Open) -> Result<Fd, Errno> {
        let fd = free_fd(&self.me.fds, 3)?;
        let file = self.kernel.describe(open);
        self.me.fds.insert(fd, file);
        Ok(fd)
    }

    /// What another process of the same user, or of anybody for root, has open: this process has it
    /// open too then. Upstream opens anew, which for pipes and terminals is the same.
    fn open_descriptor_of(&mut self, pid: Option<Pid>, fd: Fd) -> Result<Fd, Errno> {
        let Some(pid) = pid.filter(|pid| *pid != self.me.pid) else { return self.dup(fd) };
        let process = self.kernel.processes.get(&pid).filter(|process| !process.has_ended());
        let process = process.ok_or(Errno::NotFound)?;
        if self.me.uid != 0 && process.uid != self.me.uid {
            return Err(Errno::Access);
        }
        let file = process.fds.get(&fd).copied().ok_or(Errno::NotFound)?;
        let copy = free_fd(&self.me.fds, 3)?;
        self.kernel.add_holder(file);
        self.me.fds.insert(copy, file);
        Ok(copy)
    }

    fn kill_neighbour(&mut self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        let mut neighbours = self.kernel.neighbours.iter();
        let other = neighbours.find(|other| other.pid == pid).ok_or(Errno::NoProcess)?;
        if !self.caps().has(Cap::Kill) && other.uid != self.me.uid {
            return Err(Errno::NotPermitted);
        }
        self.kernel.signals_out.push((pid, signal));
        Ok(())
    }

    fn tty_of(&self, fd: Fd) -> Option<crate::TtyId> {
        match self.open_of(fd).ok()? {
            Open::Tty(id) => Some(*id),
            _ => None,
        }
    }

    /// A child with this program, and the descriptors that `fds` says.
    fn add_child(
        &mut self,
        program: Box<dyn Program>,
        argv: Vec<String>,
        env: Arc<BTreeMap<String, String>>,
        fds: &[(Fd, Fd)],
    ) -> Result<Pid, Errno> {
        let mut files = BTreeMap::new();
        for (theirs, mine) in fds {
            files.insert(*theirs, self.file(*mine)?);
        }
        let owner = Owner::Parent(self.me.pid);
        let cwd = self.me.cwd.clone();
        // The process that has its turn counts too.
        if self.kernel.processes.len() + 1 >= self.kernel.processes_max {
            return Err(Errno::TooManyProcesses);
        }
        let pid = self.kernel.add_process(owner, program, argv, env, cwd, self.me.uid)?;
        files.values().for_each(|file| self.kernel.add_holder(*file));
        if let Some(child) = self.kernel.processes.get_mut(&pid) {
            child.fds = files;
            child.group = self.me.group;
            child.tty = self.me.tty;
            child.root.clone_from(&self.me.root);
        }
        Ok(pid)
    }
}

/// The process (`None`: who asks) and the descriptor that a path of `/proc` names:
/// `/proc/1/fd/2`, `/proc/self/fd/0`, `/dev/fd/63`.
fn descriptor_in_proc(path: &str) -> Option<(Option<Pid>, Fd)> {
    if let Some(fd) = path.strip_prefix("/dev/fd/") {
        return Some((None, fd.parse().ok()?));
    }
    let (process, fd) = path.strip_prefix("/proc/")?.split_once("/fd/")?;
    let pid = if process == "self" { None } else { Some(process.parse().ok()?) };
    Some((pid, fd.parse().ok()?))
}

impl Sys for Call<'_> {
    fn now(&self) -> Time {
        self.kernel.now
    }

    fn rng(&mut self) -> &mut Rng {
        self.kernel.effects += 1;
        self.world.rng()
    }

    fn pid(&self) -> Pid {
        self.me.pid
    }

    fn args(&self) -> &[String] {
        &self.me.argv
    }

    fn retitle(&mut self, title: &str) {
        self.me.argv = vec![title.to_owned()];
        self.kernel.process_changes += 1;
    }

    fn env(&mut self) -> &mut BTreeMap<String, String> {
        Arc::make_mut(&mut self.me.env)
    }

    fn hostname(&self) -> &str {
        &self.kernel.hostname
    }

    fn set_hostname(&mut self, name: &str) -> Result<(), Errno> {
        self.kernel.fs.ask(Syscall::SetHostname)?;
        if !self.caps().has(Cap::SysAdmin) {
            return Err(Errno::NotPermitted);
        }
        name.clone_into(&mut self.kernel.hostname);
        Ok(())
    }

    fn caps(&self) -> Caps {
        self.kernel.confinement.caps_of(self.me.uid)
    }

    fn chroot(&mut self, path: &str) -> Result<(), Errno> {
        if !self.caps().has(Cap::SysChroot) {
            return Err(Errno::NotPermitted);
        }
        let root = self.kernel.fs.as_root(path)?;
        let caps = self.caps();
        let filter = self.kernel.confinement.filter;
        let place = Some(root.clone());
        self.kernel.fs.act_within(self.me.uid, caps, filter, place, self.kernel.now);
        self.me.root = Some(root);
        self.me.cwd = "/".to_owned();
        Ok(())
    }

    fn uid(&self) -> u32 {
        self.me.uid
    }

    fn burn(&mut self, cpu: Duration) -> Duration {
        self.kernel.cpu.burn(&mut self.me.cpu_micros, cpu, self.kernel.now)
    }

    fn answers_alike(&mut self) {
        self.kernel.answered += 1;
    }

    fn stays_alike(&mut self) {
        self.kernel.stayed += 1;
    }

    fn use_memory(&mut self, bytes: u64) {
        if self.me.memory_bytes != bytes {
            self.kernel.effects += 1;
        }
        self.me.memory_bytes = bytes;
    }

    fn cwd(&self) -> &str {
        &self.me.cwd
    }

    fn chdir(&mut self, path: &str) -> Result<(), Errno> {
        let path = normalize(&self.me.cwd, path);
        self.kernel.refresh_proc(&self.me);
        if !self.kernel.fs.stat(&path)?.is_dir() {
            return Err(Errno::NotDirectory);
        }
        if !self.kernel.fs.access(&path, 1) {
            return Err(Errno::Access);
        }
        self.me.cwd = path;
        Ok(())
    }

    fn fs(&mut self) -> &mut Vfs {
        self.kernel.refresh_proc(&self.me);
        &mut self.kernel.fs
    }

    fn absolute(&self, path: &str) -> String {
        normalize(&self.me.cwd, path)
    }

    fn open(&mut self, path: &str, mode: OpenMode) -> Result<Fd, Errno> {
        let path = normalize(&self.me.cwd, path);
        free_fd(&self.me.fds, 3)?;
        if let Some((pid, fd)) = descriptor_in_proc(&path) {
            return self.open_descriptor_of(pid, fd);
        }
        self.kernel.refresh_proc(&self.me);
        let (node, device) = self.kernel.fs.open(&path, mode)?;
        match device {
            None => self.add_fd(Open::File { node, at: 0, mode }),
            Some(Device::Descriptor(fd)) => self.dup(fd),
            Some(Device::Tty) => match self.me.tty {
                Some(tty) => self.add_fd(Open::Tty(tty)),
                None => Err(Errno::NoDevice),
            },
            Some(Device::Socket) => Err(Errno::NoDevice),
            Some(device) => self.add_fd(Open::Device(device)),
        }
    }

    fn read(&mut self, fd: Fd, max: usize) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd)?;
        let max = max.min(super::PIPE_BYTES_MAX);
        let description = self.kernel.descriptions.get_mut(&file).ok_or(Errno::BadFd)?;
        match &mut description.open {
            Open::File { mode: OpenMode::Write | OpenMode::Append, .. } => Err(Errno::BadFd),
            Open::File { node, at, .. } => {
                let bytes = self.kernel.fs.read_at(*node, *at, max)?;
                *at += bytes.len() as u64;
                Ok(bytes)
            }
            Open::Device(Device::Zero | Device::Full) => Ok(vec![0; max]),
            Open::Device(Device::Random) => {
                self.kernel.effects += 1;
                let mut bytes = vec![0; max];
                self.world.rng().fill(&mut bytes);
                Ok(bytes)
            }
            Open::Device(_) => Ok(Vec::new()),
            Open::PipeWriter(_) => Err(Errno::BadFd),
            Open::PipeReader(id) => {
                let id = *id;
                let pipe = self.kernel.pipes.get_mut(&id).ok_or(Errno::BadFd)?;
                if pipe.is_empty() {
                    return if pipe.can_be_written() { Err(Errno::Again) } else { Ok(Vec::new()) };
                }
                let bytes = pipe.read(max);
                self.kernel.wake_pipe(id);
                Ok(bytes)
            }
            Open::Tty(id) => {
                let tty = self.kernel.ttys.get_mut(id).ok_or(Errno::Io)?;
                if !tty.hung_up && tty.foreground.is_some_and(|group| group != self.me.group) {
                    return Err(Errno::Again);
                }
                tty.read(max).ok_or(Errno::Again)
            }
        }
    }

    fn write_zeros(&mut self, fd: Fd, count: u64) -> Result<u64, Errno> {
        if self.kernel.fs.is_violated() {
            return Err(Errno::Io);
        }
        let file = self.file(fd)?;
        let open = self.kernel.descriptions.get(&file).map(|description| &description.open);
        match open {
            Some(Open::File { node, at, mode }) if *mode != OpenMode::Read => {
                let (node, at, mode) = (*node, *at, *mode);
                let at = if mode == OpenMode::Append { self.kernel.fs.len(node)? } else { at };
                self.kernel.effects += 1;
                let taken = self.kernel.fs.write_zeros(node, at, count)?;
                if let Some(description) = self.kernel.descriptions.get_mut(&file) {
                    description.open = Open::File { node, at: at + taken, mode };
                }
                Ok(taken)
            }
            Some(Open::Device(Device::Full)) => Err(Errno::NoSpace),
            Some(Open::Device(_)) => Ok(count),
            _ => {
                let piece = count.min(super::PIPE_BYTES_MAX as u64) as usize;
                self.write(fd, &vec![0; piece]).map(|taken| taken as u64)
            }
        }
    }

    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        if bytes.is_empty() {
            return self.file(fd).map(|_| 0);
        }
        if self.kernel.fs.is_violated() {
            // It has ended before it came to this.
            return Err(Errno::Io);
        }
        let file = self.file(fd)?;
        self.kernel.effects += 1;
        let description = self.kernel.descriptions.get_mut(&file).ok_or(Errno::BadFd)?;
        match &mut description.open {
            Open::File { mode: OpenMode::Read, .. } | Open::PipeReader(_) => Err(Errno::BadFd),
            Open::File { node, at, mode } => {
                if *mode == OpenMode::Append {
                    *at = self.kernel.fs.len(*node)?;
                }
                let taken = self.kernel.fs.write_at(*node, *at, bytes)?;
                *at += taken as u64;
                Ok(taken)
            }
            Open::Device(Device::Full) => Err(Errno::NoSpace),
            Open::Device(_) => Ok(bytes.len()),
            Open::PipeWriter(id) => {
                let id = *id;
                let pipe = self.kernel.pipes.get_mut(&id).ok_or(Errno::BadFd)?;
                if !pipe.can_be_read() {
                    self.me.take_signal(Signal::Pipe, false);
                    return Err(Errno::Pipe);
                }
                match pipe.write(bytes) {
                    0 => Err(Errno::Again),
                    taken => {
                        if pipe.ordered {
                            self.kernel.note_write(id, taken);
                        }
                        self.kernel.wake_pipe(id);
                        Ok(taken)
                    }
                }
            }
            Open::Tty(id) => {
                let tty = self.kernel.ttys.get_mut(id).ok_or(Errno::Io)?;
                if tty.hung_up {
                    return Err(Errno::Io);
                }
                match tty.write(bytes) {
                    0 => Err(Errno::Again),
                    taken => {
                        self.me.has_printed(bytes.get(..taken).unwrap_or(bytes));
                        Ok(taken)
                    }
                }
            }
        }
    }

    fn seek(&mut self, fd: Fd, by: u64) -> Result<u64, Errno> {
        let file = self.file(fd)?;
        let description = self.kernel.descriptions.get_mut(&file).ok_or(Errno::BadFd)?;
        match &mut description.open {
            Open::File { node, at, .. } => {
                self.kernel.effects += 1;
                *at = at.saturating_add(by);
                Ok(at.saturating_sub(self.kernel.fs.len(*node)?))
            }
            Open::Device(_) => Ok(0),
            Open::PipeReader(_) | Open::PipeWriter(_) | Open::Tty(_) => Err(Errno::IllegalSeek),
        }
    }

    fn close(&mut self, fd: Fd) {
        if let Some(file) = self.me.fds.remove(&fd) {
            self.kernel.drop_holder(file);
        }
    }

    fn pipe(&mut self) -> Result<(Fd, Fd), Errno> {
        if self.me.fds.len() + 2 > super::DESCRIPTORS_MAX {
            return Err(Errno::TooManyFiles);
        }
        let id = self.kernel.add_pipe();
        let reader = self.add_fd(Open::PipeReader(id))?;
        let writer = self.add_fd(Open::PipeWriter(id))?;
        Ok((reader, writer))
    }

    fn dup(&mut self, fd: Fd) -> Result<Fd, Errno> {
        let file = self.file(fd)?;
        let copy = free_fd(&self.me.fds, 3)?;
        self.kernel.add_holder(file);
        self.me.fds.insert(copy, file);
        Ok(copy)
    }

    fn dup2(&mut self, from: Fd, to: Fd) -> Result<(), Errno> {
        let file = self.file(from)?;
        if from == to {
            return Ok(());
        }
        if to as usize >= super::DESCRIPTORS_MAX {
            return Err(Errno::BadFd);
        }
        self.kernel.add_holder(file);
        if let Some(old) = self.me.fds.insert(to, file) {
            self.kernel.drop_holder(old);
        }
        Ok(())
    }

    fn next_script(&mut self) -> Option<String> {
        self.kernel.scripts.get_mut(&self.me.pid)?.pop_front()
    }

    fn script_done(&mut self, code: i32) {
        self.kernel.effects += 1;
        self.kernel.script_codes.insert(self.me.pid, code);
    }

    fn is_tty(&self, fd: Fd) -> bool {
        self.tty_of(fd).is_some()
    }

    fn tty_size(&self, fd: Fd) -> Option<(u16, u16)> {
        let tty = self.kernel.ttys.get(&self.tty_of(fd)?)?;
        Some((tty.columns, tty.rows))
    }

    fn tty_raw(&mut self, fd: Fd, raw: bool) -> Result<(), Errno> {
        self.file(fd)?;
        let id = self.tty_of(fd).ok_or(Errno::NotTty)?;
        self.kernel.ttys.get_mut(&id).ok_or(Errno::Io)?.set_raw(raw);
        Ok(())
    }

    fn spawn(
        &mut self,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        fds: &[(Fd, Fd)],
    ) -> Result<Pid, Errno> {
        let (program, argv) = self.kernel.load(&argv, &env, &self.me.cwd)?;
        self.add_child(program, argv, Arc::new(env), fds)
    }

    fn fork(
        &mut self,
        program: Box<dyn Program>,
        argv: Vec<String>,
        fds: &[(Fd, Fd)],
    ) -> Result<Pid, Errno> {
        let env = Arc::clone(&self.me.env);
        self.add_child(program, argv, env, fds)
    }

    fn wait(&mut self, child: Pid) -> Result<i32, Errno> {
        let process = self.kernel.processes.get(&child).ok_or(Errno::NoChild)?;
        if process.owner != Owner::Parent(self.me.pid) {
            return Err(Errno::NoChild);
        }
        match process.state {
            State::Exited { code, .. } => {
                self.kernel.processes.remove(&child);
                Ok(code)
            }
            _ => Err(Errno::Again),
        }
    }

    fn killed_by(&mut self, child: Pid) -> Option<Signal> {
        let process = self.kernel.processes.get(&child)?;
        process.killed_by.filter(|_| process.has_ended())
    }

    fn kill(&mut self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        self.kernel.fs.ask(Syscall::Kill)?;
        self.kernel.effects += 1;
        if pid == self.me.pid {
            self.me.take_signal(signal, false);
            return Ok(());
        }
        let may = self.caps().has(Cap::Kill);
        let Some(process) = self.kernel.processes.get(&pid) else {
            return self.kill_neighbour(pid, signal);
        };
        if !may && process.uid != self.me.uid {
            return Err(Errno::NotPermitted);
        }
        self.kernel.deliver(pid, signal, false);
        if let Some(process) = self.kernel.processes.get_mut(&pid) {
            process.signalled_by = Some(self.me.pid);
        }
        Ok(())
    }

    fn stopped_by(&self, child: Pid) -> Option<Signal> {
        self.kernel.processes.get(&child)?.stopped
    }

    fn kill_group(&mut self, leader: Pid, signal: Signal) -> Result<(), Errno> {
        let group = self.kernel.processes.values().filter(|process| process.group == leader);
        let mut pids: Vec<Pid> =
            group.filter(|process| !process.has_ended()).map(|process| process.pid).collect();
        if self.me.group == leader {
            pids.push(self.me.pid);
        }
        if pids.is_empty() {
            return Err(Errno::NoProcess);
        }
        // As kill(2): it is done if one may be signalled.
        let mut done = Err(Errno::NotPermitted);
        for pid in pids {
            let sent = self.kill(pid, signal);
            done = done.or(sent);
        }
        done
    }

    fn catch(&mut self, signal: Signal) {
        self.me.caught.insert(signal);
    }

    fn take_signal(&mut self) -> Option<Signal> {
        self.me.signals.pop_front()
    }

    fn signal_sender(&self) -> Option<Pid> {
        self.me.signalled_by
    }

    fn foreground(&mut self, child: Option<Pid>) {
        let group = child
            .and_then(|pid| self.kernel.processes.get(&pid))
            .map_or(self.me.group, |process| process.group);
        if let Some(tty) = self.me.tty.and_then(|id| self.kernel.ttys.get_mut(&id)) {
            tty.foreground = Some(group);
        }
        if let Some(id) = self.me.tty {
            self.kernel.wake_where(|open| matches!(open, Open::Tty(other) if *other == id));
        }
    }

    fn group(&mut self, child: Pid, leader: Pid) -> Result<(), Errno> {
        let process = self.kernel.processes.get_mut(&child).ok_or(Errno::NoProcess)?;
        if process.owner != Owner::Parent(self.me.pid) {
            return Err(Errno::NotPermitted);
        }
        process.group = leader;
        Ok(())
    }

    fn exec(&mut self, argv: Vec<String>, env: BTreeMap<String, String>) -> Result<(), Errno> {
        let (program, argv) = self.kernel.load(&argv, &env, &self.me.cwd)?;
        self.replacement = Some(program);
        self.me.argv = argv;
        self.me.env = Arc::new(env);
        self.me.caught.clear();
        self.me.signals.clear();
        Ok(())
    }

    fn processes(&self) -> Vec<ProcessInfo> {
        let mut all: Vec<ProcessInfo> = self.kernel.processes().collect();
        all.push(self.me.info());
        all.extend(self.kernel.neighbours.iter().cloned());
        all.sort_by_key(|process| process.pid);
        all
    }

    fn completer(&self, name: &str) -> Option<&'static dyn Completer> {
        self.kernel.programs.completer(name)
    }

    fn net(&mut self) -> Option<&mut dyn NetStack> {
        if self.world.net().is_some() { Some(self) } else { None }
    }

    fn api(&mut self) -> Option<&mut dyn ApiService> {
        self.world.api()
    }

    fn outside(&mut self) -> Option<&mut dyn Outside> {
        self.world.outside()
    }

    fn cause(&self) -> CauseId {
        self.world.cause()
    }
}

/// The world's sockets, with a note of whose they are, so that they end with their process.
impl NetStack for Call<'_> {
    fn tcp_connect(&mut self, to: SocketAddr) -> Result<SocketId, Errno> {
        let socket = self.sockets()?.tcp_connect(to)?;
        Ok(self.own(socket))
    }

    fn connected(&mut self, socket: SocketId) -> Result<(), Errno> {
        self.sockets()?.connected(socket)?;
        self.own(socket);
        Ok(())
    }

    fn tcp_listen(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        self.check_port(at)?;
        let socket = self.sockets()?.tcp_listen(at)?;
        Ok(self.own(socket))
    }

    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        let (socket, from) = self.sockets()?.accept(listener)?;
        Ok((self.own(socket), from))
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        self.sockets()?.send(socket, bytes)
    }

    fn recv(&mut self, socket: SocketId, max: usize) -> Result<Vec<u8>, Errno> {
        self.sockets()?.recv(socket, max)
    }

    fn udp_bind(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        self.check_port(at)?;
        let socket = self.sockets()?.udp_bind(at)?;
        Ok(self.own(socket))
    }

    fn udp_send(&mut self, socket: SocketId, to: SocketAddr, bytes: &[u8]) -> Result<(), Errno> {
        self.sockets()?.udp_send(socket, to, bytes)
    }

    fn udp_recv(&mut self, socket: SocketId) -> Result<(Vec<u8>, SocketAddr), Errno> {
        self.sockets()?.udp_recv(socket)
    }

    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.me.sockets.get(&socket).and_then(|ends| ends.local).ok_or(Errno::BadFd)
    }

    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.me.sockets.get(&socket).and_then(|ends| ends.peer).ok_or(Errno::BadFd)
    }

    fn shutdown(&mut self, socket: SocketId) {
        if let Ok(net) = self.sockets() {
            net.shutdown(socket);
        }
    }

    fn close(&mut self, socket: SocketId) {
        self.me.sockets.remove(&socket);
        if let Ok(net) = self.sockets() {
            net.close(socket);
        }
    }

    fn ping_open(&mut self) -> Result<SocketId, Errno> {
        if !self.kernel.confinement.pings && !self.caps().has(Cap::NetRaw) {
            return Err(Errno::NotPermitted);
        }
        let socket = self.sockets()?.ping_open()?;
        Ok(self.own(socket))
    }

    fn ping_send(
        &mut self,
        socket: SocketId,
        to: IpAddr,
        seq: u16,
        length: u16,
        ttl: Option<u8>,
    ) -> Result<(), Errno> {
        self.sockets()?.ping_send(socket, to, seq, length, ttl)
    }

    fn ping_recv(&mut self, socket: SocketId) -> Result<Pong, Errno> {
        self.sockets()?.ping_recv(socket)
    }

    fn administer(&mut self) -> Option<(&mut Network, NsId)> {
        self.world.net()?.administer()
    }
}

impl Call<'_> {
    /// Not everybody may listen on every port.
    fn check_port(&self, at: SocketAddr) -> Result<(), Errno> {
        let open = at.port() == 0 || at.port() >= self.kernel.confinement.first_port;
        if open || self.caps().has(Cap::NetBindService) { Ok(()) } else { Err(Errno::Access) }
    }

    fn sockets(&mut self) -> Result<&mut dyn NetStack, Errno> {
        self.world.net().ok_or(Errno::NetUnreachable)
    }

    /// Notes the socket and its addresses, which can later be asked for without the world.
    fn own(&mut self, socket: SocketId) -> SocketId {
        if let Some(net) = self.world.net() {
            let ends =
                SocketEnds { local: net.local_addr(socket).ok(), peer: net.peer_addr(socket).ok() };
            self.me.sockets.insert(socket, ends);
        }
        socket
    }
}
