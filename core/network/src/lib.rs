//! Hosts, links, routes, netfilter, conntrack, sockets, DNS and HTTP messages: mechanism only.
//! Nothing here knows Kubernetes.

pub mod dns;
pub mod http;
pub mod limits;
