//! What runs on a cluster but is not its core: CoreDNS and its kin.

pub mod coredns;
