//! Filters of system calls: which of those that programs here make are let through.
//!
//! Upstream: seccomp(2).

use crate::Errno;

/// A system call that can be filtered. Those of which there are several are one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syscall {
    /// Changes permissions.
    Chmod,
    /// Changes the owner.
    Chown,
    /// Starts a program.
    Execve,
    /// Sends a signal.
    Kill,
    /// Gives a file another name.
    Link,
    /// Makes a directory.
    Mkdir,
    /// Mounts.
    Mount,
    /// Moves a file.
    Rename,
    /// Names the machine.
    SetHostname,
    /// Makes a symbolic link.
    Symlink,
    /// Removes a file or a directory.
    Unlink,
}

impl Syscall {
    /// How many there are.
    const COUNT: usize = 11;

    /// All of them, in their order.
    const ALL: [Syscall; Self::COUNT] = [
        Syscall::Chmod,
        Syscall::Chown,
        Syscall::Execve,
        Syscall::Kill,
        Syscall::Link,
        Syscall::Mkdir,
        Syscall::Mount,
        Syscall::Rename,
        Syscall::SetHostname,
        Syscall::Symlink,
        Syscall::Unlink,
    ];

    /// The kernel's calls that do this.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Syscall::Chmod => &["chmod", "fchmod", "fchmodat"],
            Syscall::Chown => &["chown", "fchown", "fchownat", "lchown"],
            Syscall::Execve => &["execve", "execveat"],
            Syscall::Kill => &["kill", "tgkill", "tkill"],
            Syscall::Link => &["link", "linkat"],
            Syscall::Mkdir => &["mkdir", "mkdirat"],
            Syscall::Mount => &["mount", "move_mount"],
            Syscall::Rename => &["rename", "renameat", "renameat2"],
            Syscall::SetHostname => &["sethostname"],
            Syscall::Symlink => &["symlink", "symlinkat"],
            Syscall::Unlink => &["unlink", "unlinkat", "rmdir"],
        }
    }
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    #[default]
    Allow,
    /// It fails.
    Refuse(Errno),
    /// It ends its process.
    Kill,
}

/// A filter of system calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter([Verdict; Syscall::COUNT]);

impl Filter {
    /// Number of the signal that a call which is not let through ends its process with: `SIGSYS`.
    pub const SIGNAL: i32 = 31;

    /// What comes of each call.
    pub fn new(verdict: impl Fn(Syscall) -> Verdict) -> Self {
        Filter(Syscall::ALL.map(verdict))
    }

    /// What comes of a call.
    pub fn verdict(&self, call: Syscall) -> Verdict {
        self.0.get(call as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_verdict() {
        let filter = Filter::new(|call| match call {
            Syscall::Unlink => Verdict::Kill,
            Syscall::Chmod => Verdict::Refuse(Errno::NotImplemented),
            _ => Verdict::Allow,
        });
        for call in Syscall::ALL {
            let expected = match call {
                Syscall::Unlink => Verdict::Kill,
                Syscall::Chmod => Verdict::Refuse(Errno::NotImplemented),
                _ => Verdict::Allow,
            };
            assert_eq!(filter.verdict(call), expected, "{call:?}");
        }
    }
}
