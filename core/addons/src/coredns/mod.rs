//! CoreDNS: the cluster's name server.
//!
//! A program that runs in a pod: it reads its Corefile, watches the API server, answers on port 53.
//! Upstream: `github.com/coredns/coredns` v1.12.0; the objects are kubeadm's,
//! `cmd/kubeadm/app/phases/addons/dns/manifests.go`.

mod answer;
mod corefile;
mod forward;
mod manifests;
mod probes;
mod program;
mod rewrite;
mod store;
mod zone;

pub use manifests::manifests;
pub use program::program;
