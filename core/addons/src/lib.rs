//! What runs on a cluster but is not its core: CoreDNS, the metrics server, and the tool of etcd.

mod controller_program;
pub mod coredns;
pub mod etcd;
pub mod metricsserver;
pub mod provisioner;
