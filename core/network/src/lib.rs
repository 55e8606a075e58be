//! Hosts, links, routes, netfilter, conntrack, sockets, DNS and HTTP messages: mechanism only.
//! Nothing here knows Kubernetes.
//!
//! A [`Network`] is a value with its own event queue. Programs call its sockets, which never wait;
//! every segment and datagram is a packet that goes from namespace to namespace as events, through
//! the same five places in each kernel as in Linux, and leaves a [`Trace`].

mod conntrack;
mod deliver;
pub mod dns;
mod error;
pub mod http;
mod icmp;
pub mod limits;
mod link;
mod namespace;
pub mod netfilter;
mod network;
mod packet;
mod path;
mod repeat;
mod route;
mod socket;
mod tcp;
mod trace;
mod udp;
mod ways;

pub use conntrack::{CtState, Direction, Entry, TcpState};
pub use error::{NetError, TopologyError};
pub use icmp::Pong;
pub use ipnet::IpNet;
pub use link::{IfIndex, InterfaceInfo, InterfaceKind, Link, Mac};
pub use namespace::NsId;
pub use netfilter::Netfilter;
pub use network::Network;
pub use packet::{Flags, IcmpError, Protocol, Tunnel, Tuple, Unreachable};
pub use repeat::{Rehearsal, Series};
pub use route::Route;
pub use socket::{Call, SockId, SocketInfo};
pub use trace::{Addresses, Content, DnsHead, Drop, FlowId, Hop, Outcome, Stage, Trace, TraceId};
