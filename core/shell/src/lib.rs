//! Processes, files, a POSIX-like shell and its programs: what runs in containers and in the
//! learner's terminal. Mechanism only: nothing here knows what a pod is.

mod caps;
mod kernel;
mod outside;
mod programs;
mod readline;
mod seccomp;
pub mod serve;
mod shell;
mod sys;
pub mod tar;
mod tty;
mod vfs;

pub use caps::{Cap, Caps, Confinement};
pub use kernel::{
    ARGUMENT_BYTES_MAX, Cgroup, DEFAULT_PATH, DESCRIPTORS_MAX, EndedProcess, ExecError, Facts,
    Kernel, Namespaces, PIPE_BYTES_MAX, PROCESSES_MAX, PipeId, ProcessInfo, ProcessSpec,
    ProcessStatus, Stdio,
};
pub use outside::{Answer, Link, Next, Outside, Question, Questions, SessionOutput, SessionSpec};
pub use programs::net::secure::system_roots;
pub use programs::net::{Connecting, Progress, ResolveError, Resolver, Url};
pub use programs::{install_programs, standard_program_names, standard_programs};
pub use seccomp::{Filter, Syscall, Verdict};
pub use sys::{
    Completer, Errno, Fd, NetStack, Pid, Program, ProgramTable, Signal, SocketId, Step, Sys, World,
};
pub use tty::TtyId;
pub use vfs::{
    Device, DirEntry, Disk, FILE_BYTES_MAX, FileRef, FileType, Groups, Memory, OpenMode, Stat,
    TREE_BYTES_MAX, TREE_NODES_MAX, Text, Tree, TreeSource, Vfs, join, normalize,
};
