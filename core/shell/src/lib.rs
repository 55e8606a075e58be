//! Processes, files, a POSIX-like shell and its programs: what runs in containers and in the
//! learner's terminal. Mechanism only: nothing here knows what a pod is.

mod sys;
mod vfs;

pub use vfs::{OpenMode, Vfs};
pub use sys::{
    Errno, Fd, NetStack, Pid, Program, ProgramTable, Signal, SocketId, Step, Sys, World,
};
