//! The assembled machine: boot profiles, time, terminals, the view.
//!
//! [`Cluster`] is the one value of which Naru is made: see `docs/architecture.md`.

mod agenda;
mod boot;
mod changes;
mod cluster;
mod controlplane;
mod etcd_pki;
mod faults;
mod host;
mod identity;
mod inspect;
mod install;
mod internet;
mod kubeconfig;
mod load_balancers;
mod markcontrolplane;
mod mirror;
mod own_scheduler;
mod packets;
mod pki;
mod profile;
mod programs;
mod quorum;
mod secure_port;
mod session;
mod severed;
mod study;
mod tables;
mod terminal;
mod uploadconfig;
pub mod view;
mod viewer;
mod workstation;

pub use boot::BootError;
pub use cluster::Cluster;
pub use faults::{ControlProgram, Fault, FaultError};
pub use inspect::Explanation;
pub(crate) use install::hex_of;
pub use naru_apiserver::Change;
pub use pki::{ClusterPki, KeyPair};
pub use profile::{Admin, Cloud, Hardware, NodeProfile, Profile, ProfileError, Software};
pub use session::{BranchView, Entry, Input, Record, Session};
pub use terminal::ExecResult;
pub use workstation::{FinishedCommand, JobId, JobOutput, TerminalId};
