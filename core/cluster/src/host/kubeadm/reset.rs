//! `kubeadm reset`: takes back what `kubeadm init` or `kubeadm join` have done to a machine.
//!
//! Upstream: `cmd/kubeadm/app/cmd/reset.go`, `cmd/phases/reset`.

use super::super::Ask;
use super::{failed, files, parse};
use crate::Cluster;
use naru_api::time::meta_time;
use naru_shell::{Answer, Next};
use std::time::Duration;

/// Does a command line; `ask.input` is what was answered to its question.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let known = [("force", "f", false), ("cri-socket", "", true), ("cert-dir", "", true)];
    let flags = match parse(ask, &known) {
        Ok(flags) => flags,
        Err(why) => return failed(&why),
    };
    if !flags.is_on("force") && ask.state.is_empty() {
        return question(cluster);
    }
    if !flags.is_on("force") && !["y", "yes"].contains(&ask.input.trim().to_lowercase().as_str()) {
        return failed(
            "error execution phase preflight: won't proceed; the user didn't answer (Y|y) in order to continue",
        );
    }
    let is_control_plane =
        cluster.nodes.get(machine).is_some_and(|node| node.config().control_plane);
    cluster.reset_node(machine);
    let mut folders = vec!["/etc/kubernetes/manifests", "/var/lib/kubelet", "/etc/kubernetes/pki"];
    let names = [
        "admin.conf",
        "super-admin.conf",
        "kubelet.conf",
        "bootstrap-kubelet.conf",
        "controller-manager.conf",
        "scheduler.conf",
    ];
    let paths = names.map(|name| format!("/etc/kubernetes/{name}"));
    files::remove(cluster, machine, &folders, &paths);
    let mut text = "[preflight] Running pre-flight checks\n".to_owned();
    if is_control_plane {
        text += "[reset] Deleted contents of the etcd data directory: /var/lib/etcd\n";
        files::remove(cluster, machine, &["/var/lib/etcd"], &[]);
    }
    text += "[reset] Stopping the kubelet service\n\
             [reset] Unmounting mounted directories in \"/var/lib/kubelet\"\n";
    folders.dedup();
    text += &format!("[reset] Deleting contents of directories: [{}]\n", folders.join(" "));
    text += &format!("[reset] Deleting files: [{}]\n", paths.join(" "));
    text += MANUAL_CLEANUP;
    Answer { stdout: text, ..Answer::default() }
}

fn question(cluster: &Cluster) -> Answer {
    let now = meta_time(cluster.now()).0.strftime("%m%d %H:%M:%S").to_string();
    Answer {
        stderr: format!(
            "W{now}.000000     900 preflight.go:56] [reset] WARNING: Changes made to this host by \
             'kubeadm init' or 'kubeadm join' will be reverted.\n"
        ),
        stdout: "[reset] Are you sure you want to proceed? [y/N]: ".to_owned(),
        next: Some(Next {
            after: Duration::ZERO,
            state: "asked".to_owned(),
            reads: true,
            ..Next::default()
        }),
        ..Answer::default()
    }
}

const MANUAL_CLEANUP: &str = "
The reset process does not perform cleanup of CNI plugin configuration,
network filtering rules and kubeconfig files.

For information on how to perform this cleanup manually, please see:
    https://k8s.io/docs/reference/setup-tools/kubeadm/kubeadm-reset/

";
