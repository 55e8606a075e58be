//! Who sees whose processes.
//!
//! Upstream: `NamespaceMode` of the CRI; pid_namespaces(7).

use super::Runtime;
use super::container::{Container, ContainerId};
use super::sandbox::SandboxId;
use naru_shell::{Pid, ProcessInfo, Signal};
use naru_sim::Time;

/// The process namespace of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PidNamespace {
    /// Its own.
    #[default]
    Container,
    /// That of its sandbox, which all containers share.
    Pod,
    /// The node's own.
    Node,
    /// That of another container.
    Target(ContainerId),
}

/// Process numbers of the node that each sandbox and each container has for itself.
const PIDS_EACH: u64 = 100;
/// Where these begin.
const PIDS_FROM: u64 = 1_000;
/// Where they begin anew.
const PIDS_MAX: u64 = 4_000_000;
/// What is added to the scores of the node's own processes when memory has run out. Upstream:
/// `KubeletOOMScoreAdj` in `pkg/kubelet/qos/policy.go`, containerd's shim and pause container,
/// systemd's units.
const OOM_SCORES: [(&str, i32); 5] = [
    ("systemd-journald", -250),
    ("containerd", -999),
    ("kubelet", -999),
    ("containerd-shim-runc-v2", -998),
    ("pause", -998),
];
/// How many processes of the node's own there are.
pub const OF_NODE: u64 = 4;
/// What the pause container's process ends at. Upstream: `build/pause/linux/pause.c`.
const PAUSE_HEARS: [Signal; 3] = [Signal::Int, Signal::Term, Signal::Kill];
/// The user of the pause container.
const PAUSE_USER: u32 = 65_535;

/// The first of the node's process numbers that are of the sandbox or container of this number.
pub fn base(number: u64) -> Pid {
    let pid = PIDS_FROM + number * PIDS_EACH % PIDS_MAX;
    Pid::try_from(pid).unwrap_or_default()
}

fn process(pid: Pid, ppid: Pid, uid: u32, command: &str, started: Time) -> ProcessInfo {
    let program = command.split(' ').next().and_then(|path| path.rsplit('/').next());
    ProcessInfo {
        oom_score_adj: OOM_SCORES
            .iter()
            .find(|(name, _)| program == Some(*name))
            .map_or(0, |(_, adj)| *adj),
        pid,
        ppid,
        argv: command.split(' ').map(str::to_owned).collect(),
        uid,
        started,
        tty: None,
        cpu_micros: 0,
        sockets: Vec::new(),
    }
}

/// A process of a container by its number on the node.
fn on_node(id: ContainerId, container: &Container, pid: Pid) -> Pid {
    match container.config.pids {
        PidNamespace::Node => pid,
        PidNamespace::Pod => base(container.sandbox.0).saturating_add(pid),
        PidNamespace::Container | PidNamespace::Target(_) => base(id.0).saturating_add(pid),
    }
}

impl Runtime {
    /// Shows a container the processes that it sees beside its own.
    pub fn show_neighbours(&mut self, id: ContainerId) {
        let Some(container) = self.containers.get(&id) else { return };
        let seen = match container.config.pids {
            PidNamespace::Container => return,
            PidNamespace::Target(other) => {
                let Some(other) = self.containers.get(&other) else { return };
                other.processes_seen()
            }
            PidNamespace::Pod => self.processes_of_pod(id, container.sandbox),
            PidNamespace::Node => {
                let mut all = self.processes_of_node();
                let own: Vec<Pid> = container.processes_seen().0.iter().map(|it| it.pid).collect();
                all.retain(|process| !own.contains(&process.pid));
                (all, base(id.0))
            }
        };
        if let Some(container) = self.containers.get_mut(&id) {
            container.see(seen);
        }
    }

    /// What one container of a pod sees where they share: the pause container's process is the first.
    fn processes_of_pod(&self, id: ContainerId, sandbox: SandboxId) -> (Vec<ProcessInfo>, Pid) {
        let mut seen = vec![process(1, 0, PAUSE_USER, "/pause", Time::ZERO)];
        let mut next = 2;
        for (other, container) in &self.containers {
            if container.sandbox == sandbox && container.config.pids == PidNamespace::Pod {
                let (processes, after) = container.processes_seen();
                if *other != id {
                    seen.extend(processes);
                }
                if !container.is_new() {
                    next = next.max(after);
                }
            }
        }
        (seen, next)
    }

    /// Every process of the node, by its number there.
    pub fn processes_of_node(&self) -> Vec<ProcessInfo> {
        let mut all: Vec<ProcessInfo> = [
            (1, 0, "/sbin/init"),
            (204, 1, "/lib/systemd/systemd-journald"),
            (318, 1, "/usr/local/bin/containerd"),
            (
                612,
                1,
                "/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
                 --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml \
                 --container-runtime-endpoint=unix:///run/containerd/containerd.sock \
                 --pod-infra-container-image=registry.k8s.io/pause:3.10",
            ),
        ]
        .map(|(pid, ppid, command)| process(pid, ppid, 0, command, Time::ZERO))
        .into();
        for (id, _) in self.sandboxes.iter().filter(|(_, sandbox)| sandbox.ready) {
            let shim = base(id.0);
            let command = format!(
                "/usr/local/bin/containerd-shim-runc-v2 -namespace k8s.io -id {} -address \
                 /run/containerd/containerd.sock",
                crate::images::sha256_hex(format!("sandbox {}", id.0).as_bytes())
            );
            all.push(process(shim, 1, 0, &command, Time::ZERO));
            all.push(process(shim + 1, shim, PAUSE_USER, "/pause", Time::ZERO));
        }
        for (id, container) in &self.containers {
            let shim = base(container.sandbox.0);
            for mut info in container.processes_seen().0 {
                info.ppid = match info.ppid {
                    0 => shim,
                    parent => on_node(*id, container, parent),
                };
                info.pid = on_node(*id, container, info.pid);
                info.tty = None;
                all.push(info);
            }
        }
        all.sort_by_key(|process| process.pid);
        all
    }

    /// Hands on what a container has sent to processes that are not its own.
    pub(super) fn pass_signals(&mut self, id: ContainerId, now: Time) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let (pids, sandbox) = (container.config.pids, container.sandbox);
        for (pid, signal) in container.signals_out() {
            let to = match pids {
                PidNamespace::Container => None,
                PidNamespace::Target(other) => Some((other, pid)),
                PidNamespace::Pod => self.in_pod(sandbox, pid).map(|other| (other, pid)),
                PidNamespace::Node => {
                    self.signal_on_node(pid, signal, now);
                    None
                }
            };
            if let Some((other, pid)) = to {
                self.signal_in(other, pid, signal, now);
            }
        }
    }

    fn in_pod(&self, sandbox: SandboxId, pid: Pid) -> Option<ContainerId> {
        let has = |container: &Container| {
            container.sandbox == sandbox
                && container.processes_seen().0.iter().any(|process| process.pid == pid)
        };
        self.containers.iter().find(|(_, container)| has(container)).map(|(id, _)| *id)
    }

    /// Sends a signal to a process by its number on the node. What is neither a container's nor holds
    /// a sandbox goes on: systemd starts it again at once.
    pub fn signal_on_node(&mut self, pid: Pid, signal: Signal, now: Time) {
        let held = self.sandboxes.keys().copied().find(|id| base(id.0) + 1 == pid);
        if let Some(id) = held.filter(|_| PAUSE_HEARS.contains(&signal)) {
            self.end_sandbox(id, now);
        }
        let found = self.containers.iter().find_map(|(id, container)| {
            let all = container.processes_seen().0;
            let inner = all.iter().find(|it| on_node(*id, container, it.pid) == pid)?;
            Some((*id, inner.pid))
        });
        if let Some((id, inner)) = found {
            if let Some(container) = self.containers.get_mut(&id) {
                container.force_signal(now, inner, signal);
            }
            self.schedule(id, now);
        }
    }

    fn signal_in(&mut self, id: ContainerId, pid: Pid, signal: Signal, now: Time) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.signal_process(now, pid, signal);
            self.schedule(id, now);
        }
    }
}
