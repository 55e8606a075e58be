//! Programs of a network's administrator: they look at the namespace itself, not through sockets.

pub mod conntrack;
pub mod ip;
mod ip_change;
pub mod iptables;
pub mod ss;
pub mod tcpdump;
