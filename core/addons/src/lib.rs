//! What runs on a cluster but is not its core: CoreDNS and its kin, and the tool of etcd.

pub mod coredns;
pub mod etcd;
