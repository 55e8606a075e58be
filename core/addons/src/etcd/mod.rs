//! `etcdctl`, the client of etcd, version 3.5.
//!
//! It runs where the program `etcd` runs, reads that program's flags to see where it listens and
//! who it is, and asks the API server's store as etcd's API would be asked.
//!
//! Upstream: `etcdctl/ctlv3` of etcd v3.5.21.

mod client;
mod commands;
mod flags;
mod help;
mod members;
mod print;
mod program;
mod watch;

pub use program::program;

/// The version of etcd that kubeadm installs with Kubernetes v1.33.
const VERSION: &str = "3.5.21";
const API_VERSION: &str = "3.5";

/// Why a command failed, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    code: i32,
    /// What goes to standard output before it.
    out: String,
    /// All that goes to standard error.
    err: String,
}

impl Failure {
    /// Upstream: `ExitError`.
    const ERROR: i32 = 1;
    /// Upstream: `ExitBadFeature`.
    const BAD_FEATURE: i32 = 4;
    /// Upstream: `ExitInterrupted`.
    const INTERRUPTED: i32 = 5;
    /// Upstream: `ExitBadArgs`.
    const BAD_ARGS: i32 = 128;

    /// `Error: message`.
    fn new(code: i32, message: impl std::fmt::Display) -> Self {
        Failure { code, out: String::new(), err: format!("Error: {message}\n") }
    }

    fn bad_args(message: impl std::fmt::Display) -> Self {
        Failure::new(Failure::BAD_ARGS, message)
    }
}
