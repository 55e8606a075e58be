//! Programs of the machines under the nodes.

mod crictl;
mod systemd;

use super::{Ask, err, kubeadm};
use crate::Cluster;
use naru_shell::Answer;

/// Programs that ask, by the names of their files.
pub const PROGRAMS: [&str; 4] = ["crictl", "journalctl", "kubeadm", "systemctl"];

/// Does what a program of the machine of this index asks for.
pub fn run(cluster: &mut Cluster, machine: usize, program: &str, ask: &Ask<'_>) -> Answer {
    match program {
        "crictl" => crictl::run(cluster, machine, ask),
        "journalctl" => systemd::journalctl(cluster, machine, ask),
        "kubeadm" => kubeadm::run(cluster, machine, ask),
        "systemctl" => systemd::systemctl(cluster, machine, ask),
        program => err(format!("{program}: command not found\n")),
    }
}
