//! Programs of a network's administrator: they look at the namespace itself, not through sockets.

pub mod conntrack;
pub mod ip;
pub mod iptables;
pub mod ss;
pub mod tcpdump;
