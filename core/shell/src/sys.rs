//! System calls: what a program can ask of the machine it runs on, and what that machine asks of
//! the world around it.

use dyn_clone::DynClone;
use naru_api::ApiService;
use naru_network::{Network, NsId, Pong};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Process number, unique within one machine.
pub type Pid = u32;

/// File descriptor, unique within one process. 0, 1 and 2 are standard input, output and error.
pub type Fd = u32;

/// A socket in the network namespace of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// A program: a state machine that can be cloned at any moment, since a snapshot of the cluster
/// holds its running processes.
pub trait Program: DynClone + fmt::Debug + Send + Sync {
    /// Goes on until the program ends or must wait. It may be resumed without anything having
    /// happened: it asks again for what it waits for. It must return in bounded time.
    fn resume(&mut self, sys: &mut dyn Sys) -> Step;
}

dyn_clone::clone_trait_object!(Program);

/// Why [`Program::resume`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The program has ended with this exit code.
    Exit(i32),
    /// Nothing to do before something changes: input, a child's end, a signal, a socket, a watch;
    /// or before this moment.
    Block {
        /// Wake at this moment at the latest.
        until: Option<Time>,
    },
    /// There is more to do, but others should have their turn: long loops return this.
    Yield,
}

/// Programs by name, as executable files name them.
pub trait ProgramTable: Sync {
    /// A fresh instance of the program, or `None` when there is no such program.
    fn load(&self, name: &str) -> Option<Box<dyn Program>>;

    /// What completes the arguments of the program with Tab, if something does.
    fn completer(&self, _name: &str) -> Option<&'static dyn Completer> {
        None
    }
}

/// Completes the arguments of one command with Tab.
pub trait Completer: Sync {
    /// What the word `current` can become. `words` are the words before it, the command first.
    fn complete(&self, sys: &mut dyn Sys, words: &[String], current: &str) -> Vec<String>;
}

/// Why a system call failed. The text is `strerror`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Errno {
    /// Nothing there now; block and ask again.
    #[error("Resource temporarily unavailable")]
    Again,
    /// EPERM
    #[error("Operation not permitted")]
    NotPermitted,
    /// ENOENT
    #[error("No such file or directory")]
    NotFound,
    /// ESRCH
    #[error("No such process")]
    NoProcess,
    /// EBADF
    #[error("Bad file descriptor")]
    BadFd,
    /// ECHILD
    #[error("No child processes")]
    NoChild,
    /// EACCES
    #[error("Permission denied")]
    Access,
    /// EEXIST
    #[error("File exists")]
    Exists,
    /// ENOTDIR
    #[error("Not a directory")]
    NotDirectory,
    /// EISDIR
    #[error("Is a directory")]
    IsDirectory,
    /// EINVAL
    #[error("Invalid argument")]
    Invalid,
    /// EMFILE
    #[error("Too many open files")]
    TooManyFiles,
    /// EFBIG
    #[error("File too large")]
    TooLarge,
    /// ENOSPC
    #[error("No space left on device")]
    NoSpace,
    /// EROFS
    #[error("Read-only file system")]
    ReadOnly,
    /// EPIPE
    #[error("Broken pipe")]
    Pipe,
    /// ENAMETOOLONG
    #[error("File name too long")]
    NameTooLong,
    /// ENOSYS
    #[error("Function not implemented")]
    NotImplemented,
    /// ENOTEMPTY
    #[error("Directory not empty")]
    NotEmpty,
    /// ESPIPE
    #[error("Illegal seek")]
    IllegalSeek,
    /// ELOOP
    #[error("Too many levels of symbolic links")]
    Loop,
    /// ENOEXEC
    #[error("Exec format error")]
    ExecFormat,
    /// EADDRINUSE
    #[error("Address already in use")]
    AddrInUse,
    /// EADDRNOTAVAIL
    #[error("Cannot assign requested address")]
    AddrNotAvailable,
    /// ENETUNREACH
    #[error("Network is unreachable")]
    NetUnreachable,
    /// EHOSTUNREACH
    #[error("No route to host")]
    HostUnreachable,
    /// ECONNREFUSED
    #[error("Connection refused")]
    ConnRefused,
    /// ECONNRESET
    #[error("Connection reset by peer")]
    ConnReset,
    /// ETIMEDOUT
    #[error("Connection timed out")]
    TimedOut,
    /// EAGAIN of fork: too many processes
    #[error("Resource temporarily unavailable")]
    TooManyProcesses,
    /// EXDEV
    #[error("Invalid cross-device link")]
    CrossDevice,
    /// EBUSY
    #[error("Device or resource busy")]
    Busy,
    /// E2BIG
    #[error("Argument list too long")]
    TooManyArguments,
    /// EIO: the terminal is gone
    #[error("Input/output error")]
    Io,
    /// ENXIO
    #[error("No such device or address")]
    NoDevice,
    /// ENOTTY
    #[error("Inappropriate ioctl for device")]
    NotTty,
}

/// A signal, with its Linux number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// 1
    Hup,
    /// 2: Ctrl-C
    Int,
    /// 3: Ctrl-\; what asks nginx to finish its requests and end
    Quit,
    /// 9: cannot be caught
    Kill,
    /// 10
    Usr1,
    /// 12
    Usr2,
    /// 13
    Pipe,
    /// 15
    Term,
    /// 18: a stopped process goes on
    Cont,
    /// 19: cannot be caught
    Stop,
    /// 20: Ctrl-Z
    Tstp,
    /// 21: a process in the background wants to read from its terminal; here it waits instead
    Ttin,
}

impl Signal {
    /// The Linux number; an exit code of a killed process is 128 plus it.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Hup => 1,
            Signal::Int => 2,
            Signal::Quit => 3,
            Signal::Kill => 9,
            Signal::Usr1 => 10,
            Signal::Usr2 => 12,
            Signal::Pipe => 13,
            Signal::Term => 15,
            Signal::Cont => 18,
            Signal::Stop => 19,
            Signal::Tstp => 20,
            Signal::Ttin => 21,
        }
    }

    /// The name without `SIG`.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Hup => "HUP",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Kill => "KILL",
            Signal::Usr1 => "USR1",
            Signal::Usr2 => "USR2",
            Signal::Pipe => "PIPE",
            Signal::Term => "TERM",
            Signal::Cont => "CONT",
            Signal::Stop => "STOP",
            Signal::Tstp => "TSTP",
            Signal::Ttin => "TTIN",
        }
    }

    /// Every signal, by number.
    pub const ALL: [Signal; 12] = [
        Signal::Hup,
        Signal::Int,
        Signal::Quit,
        Signal::Kill,
        Signal::Usr1,
        Signal::Usr2,
        Signal::Pipe,
        Signal::Term,
        Signal::Cont,
        Signal::Stop,
        Signal::Tstp,
        Signal::Ttin,
    ];

    /// Whether it stops who does not catch it.
    pub const fn stops(self) -> bool {
        matches!(self, Signal::Stop | Signal::Tstp | Signal::Ttin)
    }

    /// The signal named `TERM`, `SIGTERM` or `15`.
    pub fn parse(text: &str) -> Option<Signal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        Signal::ALL
            .into_iter()
            .find(|signal| signal.name() == name || signal.number().to_string() == name)
    }
}

/// Zero bytes that are written at once where they are bytes as others.
const ZEROS_AT_ONCE: usize = 64 << 10;

/// What a program can ask of its machine. No call waits: a call that would says
/// [`Errno::Again`], and the program returns [`Step::Block`].
pub trait Sys {
    /// The present moment.
    fn now(&self) -> Time;
    /// Randomness from the cluster's seed.
    fn rng(&mut self) -> &mut Rng;
    /// This process's number.
    fn pid(&self) -> Pid;
    /// Arguments, the program's name first.
    fn args(&self) -> &[String];
    /// Calls this process so in lists from now on.
    fn retitle(&mut self, _title: &str) {}
    /// Environment variables.
    fn env(&mut self) -> &mut BTreeMap<String, String>;
    /// The machine's host name.
    fn hostname(&self) -> &str;
    /// Calls the machine so from now on, for who has [`crate::Cap::SysAdmin`].
    fn set_hostname(&mut self, _name: &str) -> Result<(), Errno> {
        Err(Errno::NotPermitted)
    }
    /// User number; 0 is root.
    fn uid(&self) -> u32;
    /// What this process may do beyond what every user may.
    fn caps(&self) -> crate::Caps {
        if self.uid() == 0 { crate::Caps::ALL } else { crate::Caps::NONE }
    }
    /// Makes a directory the root of this process, for who has [`crate::Cap::SysChroot`].
    fn chroot(&mut self, _path: &str) -> Result<(), Errno> {
        Err(Errno::NotPermitted)
    }
    /// Uses the processor for so long; answers how long that takes by the machine's clock: longer
    /// where the machine may not use a whole processor, or is busy with what came before.
    fn burn(&mut self, cpu: Duration) -> Duration;
    /// Says that whoever asks the same in the same way will be answered alike until the process has
    /// another reason to go on, and that nothing stays in it of having answered: what is written
    /// and started is known without saying so. So the kernel's owner may do without asking: see
    /// [`crate::Kernel::answered`].
    fn answers_alike(&mut self) {}
    /// Says that this turn has changed nothing: whoever asks the process will be answered as before
    /// it. So does one that has only looked whether there is something to do.
    fn stays_alike(&mut self) {}
    /// Says how much memory the process holds from now on.
    fn use_memory(&mut self, bytes: u64);

    /// The working directory, absolute.
    fn cwd(&self) -> &str;
    /// Changes the working directory.
    fn chdir(&mut self, path: &str) -> Result<(), Errno>;
    /// The machine's files. Paths are absolute: see [`Sys::absolute`].
    fn fs(&mut self) -> &mut crate::Vfs;
    /// `path` seen from the working directory, without `.` and `..`.
    fn absolute(&self, path: &str) -> String;
    /// Opens a file.
    fn open(&mut self, path: &str, mode: crate::OpenMode) -> Result<Fd, Errno>;

    /// Up to `max` bytes; empty at the end of the file.
    fn read(&mut self, fd: Fd, max: usize) -> Result<Vec<u8>, Errno>;
    /// Writes; tells how many bytes were taken. A pipe without a reader gives [`Errno::Pipe`].
    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno>;
    /// Writes zero bytes, which for a file may be many; tells how many were taken.
    fn write_zeros(&mut self, fd: Fd, count: u64) -> Result<u64, Errno> {
        let piece = usize::try_from(count).map_or(ZEROS_AT_ONCE, |count| count.min(ZEROS_AT_ONCE));
        self.write(fd, &vec![0; piece]).map(|taken| taken as u64)
    }
    /// Goes on so many bytes further in an open file; tells how far beyond its end that is.
    fn seek(&mut self, _fd: Fd, _by: u64) -> Result<u64, Errno> {
        Err(Errno::IllegalSeek)
    }
    /// Closes a descriptor.
    fn close(&mut self, fd: Fd);
    /// A pipe: its read end and its write end.
    fn pipe(&mut self) -> Result<(Fd, Fd), Errno>;
    /// Another descriptor of the same open file.
    fn dup(&mut self, fd: Fd) -> Result<Fd, Errno>;
    /// Makes `to` another descriptor of what `from` is.
    fn dup2(&mut self, from: Fd, to: Fd) -> Result<(), Errno>;
    /// Whether the descriptor is a terminal.
    fn is_tty(&self, fd: Fd) -> bool;
    /// Columns and rows of the terminal behind the descriptor.
    fn tty_size(&self, fd: Fd) -> Option<(u16, u16)>;
    /// Raw mode: the program sees each byte, nothing is echoed, Ctrl-C is a byte.
    fn tty_raw(&mut self, fd: Fd, raw: bool) -> Result<(), Errno>;

    /// Starts a child. `fds` says what its 0, 1, 2, … are, by this process's descriptors: pairs
    /// of the child's descriptor and this process's. It gets no others.
    /// A name without a slash is looked for in `PATH`.
    fn spawn(
        &mut self,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        fds: &[(Fd, Fd)],
    ) -> Result<Pid, Errno>;
    /// Starts a child that runs `program`, not an executable file: a subshell.
    fn fork(
        &mut self,
        program: Box<dyn Program>,
        argv: Vec<String>,
        fds: &[(Fd, Fd)],
    ) -> Result<Pid, Errno>;
    /// The exit code of a child that has ended (which then is forgotten).
    fn wait(&mut self, child: Pid) -> Result<i32, Errno>;
    /// The signal that has ended a child which was not waited for yet; `None` if it runs, or has
    /// ended by itself, with whatever exit code.
    fn killed_by(&mut self, child: Pid) -> Option<Signal>;
    /// The signal that has stopped a child which has not gone on since.
    fn stopped_by(&self, _child: Pid) -> Option<Signal> {
        None
    }
    /// Sends a signal to every process of the group that `leader` leads or led.
    fn kill_group(&mut self, _leader: Pid, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::NotImplemented)
    }
    /// Sends a signal. (Whether a process is there, [`Sys::processes`] tells.)
    fn kill(&mut self, pid: Pid, signal: Signal) -> Result<(), Errno>;
    /// From now on this process takes the signal itself by [`Sys::take_signal`].
    fn catch(&mut self, signal: Signal);
    /// The next caught signal.
    fn take_signal(&mut self) -> Option<Signal>;
    /// Which process of this machine has sent this one its latest signal; `None` if it came from
    /// outside.
    fn signal_sender(&self) -> Option<Pid> {
        None
    }
    /// Makes `child` the one that Ctrl-C on this process's terminal reaches; `None` takes it back.
    fn foreground(&mut self, child: Option<Pid>);
    /// Puts a child into the group of processes that `leader` leads: Ctrl-C reaches a group.
    fn group(&mut self, _child: Pid, _leader: Pid) -> Result<(), Errno> {
        Err(Errno::NotImplemented)
    }
    /// Becomes another program once [`Program::resume`] returns (with [`Step::Yield`]).
    fn exec(&mut self, _argv: Vec<String>, _env: BTreeMap<String, String>) -> Result<(), Errno> {
        Err(Errno::NotImplemented)
    }
    /// The processes of this machine.
    fn processes(&self) -> Vec<crate::ProcessInfo> {
        Vec::new()
    }
    /// What completes the arguments of the program with Tab.
    fn completer(&self, _name: &str) -> Option<&'static dyn Completer> {
        None
    }

    /// The next script that the machine's owner has for this process; `None` if there is none now.
    fn next_script(&mut self) -> Option<String> {
        None
    }
    /// Tells the owner that its last script has ended, with this exit code.
    fn script_done(&mut self, _code: i32) {}

    /// The sockets of this machine; `None` without a network.
    fn net(&mut self) -> Option<&mut dyn NetStack>;
    /// The API server, for clients that the cluster's administrator runs (`kubectl`).
    fn api(&mut self) -> Option<&mut dyn ApiService>;
    /// The owner of the machine, for programs that act on what is outside of it: `docker`, `naru`.
    fn outside(&mut self) -> Option<&mut dyn crate::Outside> {
        None
    }
    /// What made this process do what it does now.
    fn cause(&self) -> CauseId;
}

/// The sockets of one network namespace. Nothing waits.
pub trait NetStack {
    /// Starts a connection; [`NetStack::connected`] tells when it stands.
    fn tcp_connect(&mut self, to: SocketAddr) -> Result<SocketId, Errno>;
    /// Whether a started connection stands: [`Errno::Again`] while it does not,
    /// [`Errno::ConnRefused`], [`Errno::TimedOut`], … when it failed.
    fn connected(&mut self, socket: SocketId) -> Result<(), Errno>;
    /// Listens.
    fn tcp_listen(&mut self, at: SocketAddr) -> Result<SocketId, Errno>;
    /// Takes a connection that came in, and who it is from.
    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Errno>;
    /// Sends on a connection; tells how many bytes were taken.
    fn send(&mut self, socket: SocketId, bytes: &[u8]) -> Result<usize, Errno>;
    /// Up to `max` bytes that came; empty when the other side has closed.
    fn recv(&mut self, socket: SocketId, max: usize) -> Result<Vec<u8>, Errno>;
    /// Opens a datagram socket; port 0 takes a free one.
    fn udp_bind(&mut self, at: SocketAddr) -> Result<SocketId, Errno>;
    /// Sends a datagram.
    fn udp_send(&mut self, socket: SocketId, to: SocketAddr, bytes: &[u8]) -> Result<(), Errno>;
    /// Takes a datagram that came, and who it is from. An ICMP answer is an error.
    fn udp_recv(&mut self, socket: SocketId) -> Result<(Vec<u8>, SocketAddr), Errno>;
    /// The socket's own address.
    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno>;
    /// The other side's address.
    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno>;
    /// Closes any socket: a connection says goodbye to the other side.
    fn close(&mut self, socket: SocketId);
    /// Says goodbye on a connection; what the other side still sends can be read.
    fn shutdown(&mut self, _socket: SocketId) {}
    /// Opens a socket that pings.
    fn ping_open(&mut self) -> Result<SocketId, Errno> {
        Err(Errno::NotPermitted)
    }
    /// Sends a ping with `length` bytes of data, and a time to live other than the usual one.
    fn ping_send(
        &mut self,
        _socket: SocketId,
        _to: IpAddr,
        _seq: u16,
        _length: u16,
        _ttl: Option<u8>,
    ) -> Result<(), Errno> {
        Err(Errno::NotPermitted)
    }
    /// Takes what came back to a ping.
    fn ping_recv(&mut self, _socket: SocketId) -> Result<Pong, Errno> {
        Err(Errno::NotPermitted)
    }
    /// The namespace itself and the network that it is in, for programs that look at it or change
    /// it as its administrator: `ip`, `iptables`, `tcpdump`.
    fn administer(&mut self) -> Option<(&mut Network, NsId)> {
        None
    }
}

/// What is around one machine; its kernel borrows it while its processes run.
pub trait World {
    /// The present moment.
    fn now(&self) -> Time;
    /// Randomness from the cluster's seed.
    fn rng(&mut self) -> &mut Rng;
    /// The machine's sockets.
    fn net(&mut self) -> Option<&mut dyn NetStack>;
    /// The API server, where an administrator's machine reaches it.
    fn api(&mut self) -> Option<&mut dyn ApiService>;
    /// Whom its programs can ask to act on what is outside of it.
    fn outside(&mut self) -> Option<&mut dyn crate::Outside> {
        None
    }
    /// What made this machine run now.
    fn cause(&self) -> CauseId;
}
