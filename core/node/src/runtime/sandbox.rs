//! A pod's sandbox: the namespaces that its containers share.

use super::portmap::HostPort;
use naru_network::NsId;
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
    /// Ports of the node that lead to it.
    pub ports: Vec<HostPort>,
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
}
