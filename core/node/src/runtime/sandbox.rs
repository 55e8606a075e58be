//! A pod's sandbox: the namespaces that its containers share.

use super::container::ContainerId;
use super::pids::PidNamespace;
use super::portmap::HostPort;
use naru_network::NsId;
use naru_shell::Namespaces;
use naru_sim::Time;
use std::net::Ipv4Addr;

/// Names a sandbox of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId(pub u64);

/// What a sandbox is made from.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The host name that its containers see.
    pub hostname: String,
    /// Whether it uses the node's own network.
    pub host_network: bool,
    /// Whether it uses the node's own shared memory and semaphores.
    pub host_ipc: bool,
    /// Ports of the node that lead to it.
    pub ports: Vec<HostPort>,
    /// How many sandboxes its pod had before.
    pub attempt: u32,
    /// When it was asked for.
    pub made: Time,
}

/// A pod's sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What it was made from.
    pub config: SandboxConfig,
    /// Its network.
    pub network: NsId,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Whether the process that holds it runs.
    pub ready: bool,
}

/// Namespaces that are made after those of the node have numbers from here on.
const MADE_FROM: u64 = 4_026_532_200;

/// The namespaces of a container: of its sandbox those that containers share, and its own.
pub fn namespaces(
    sandbox: SandboxId,
    container: ContainerId,
    shared: &SandboxConfig,
    pids: PidNamespace,
) -> Namespaces {
    let made = |number: u64, kind: u64| MADE_FROM + number * 8 + kind;
    let mut all = Namespaces::default();
    (all.mnt, all.cgroup) = (made(container.0, 0), made(container.0, 1));
    if !shared.host_network {
        (all.net, all.uts) = (made(sandbox.0, 2), made(sandbox.0, 3));
    }
    if !shared.host_ipc {
        all.ipc = made(sandbox.0, 4);
    }
    all.pid = match pids {
        PidNamespace::Node => all.pid,
        PidNamespace::Pod => made(sandbox.0, 5),
        PidNamespace::Container => made(container.0, 5),
        PidNamespace::Target(other) => made(other.0, 5),
    };
    all
}
