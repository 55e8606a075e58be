//! What runs on a cluster but is not its core: CoreDNS, ingress-nginx, MetalLB, the metrics server,
//! provisioners, the sidecars of CSI drivers, and the tool of etcd.

mod controller_program;
pub mod coredns;
pub mod csi;
pub mod etcd;
pub mod ingress;
pub mod metallb;
pub mod metricsadapter;
pub mod metricsserver;
pub mod provisioner;
