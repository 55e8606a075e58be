//! kubectl as a library: arguments to API requests to text.
//!
//! [`program`] is the process `kubectl` of a machine whose system calls reach an API server.
//! One command is one file in `cmd/`; what they share stands beside it: flags, the resource
//! builder, printers. Every text is one that kubectl v1.33 prints.

pub mod builder;
mod child;
pub mod client;
pub mod cmd;
pub mod command;
pub mod complete;
pub mod config;
pub mod containers;
pub mod context;
mod credentials;
pub mod datasources;
pub mod describe;
pub mod explain;
pub mod failure;
mod flags;
pub mod generate;
mod hash;
pub mod help;
mod in_cluster;
mod key_pair;
mod kustomize;
pub mod mapper;
pub mod podsfor;
pub mod policyrules;
pub mod printers;
pub mod process;
pub mod session;
mod unconfigured;
mod wordwrap;

use naru_shell::{Completer, Program};

/// The process `kubectl`.
pub fn program() -> Box<dyn Program> {
    Box::new(process::Kubectl::default())
}

/// What completes the arguments of `kubectl` with Tab.
pub fn completer() -> &'static dyn Completer {
    &complete::KubectlCompleter
}
