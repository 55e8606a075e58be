//! What runs on a cluster but is not its core: CoreDNS, the metrics server, and the tool of etcd.

pub mod coredns;
pub mod etcd;
pub mod metricsserver;
