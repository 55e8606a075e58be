//! The metrics server: asks every kubelet what its containers use, and tells it by the API
//! `metrics.k8s.io`.
//!
//! A program that runs in a pod. Upstream: `github.com/kubernetes-sigs/metrics-server` v0.7.2; its
//! objects are in `assets/manifests/metrics-server.yaml`.

mod decode;
mod program;
mod storage;

pub use program::program;

/// The manifest by which the add-on is applied.
pub const MANIFEST: &str = include_str!("../../../../assets/manifests/metrics-server.yaml");
