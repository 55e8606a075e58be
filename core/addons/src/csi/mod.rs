//! The sidecars of a CSI driver: programs in the driver's pod that stand between it and the cluster.
//!
//! Each waits until the driver answers at its socket, asks what it is, and then does its work. What
//! provisions, attaches and resizes is in `provisioner/csi.rs`.
//!
//! Upstream: kubernetes-csi/{external-provisioner,external-attacher,external-resizer,
//! external-snapshotter,external-health-monitor,node-driver-registrar,livenessprobe}.

pub mod calls;
mod health;
mod sidecar;
mod words;

use naru_shell::Program;
use sidecar::{Kind, Sidecar};

/// The sidecar whose program has this name.
pub fn program(name: &str) -> Option<Box<dyn Program>> {
    let kind = match name {
        "csi-provisioner" => Kind::Provisioner,
        "csi-attacher" => Kind::Attacher,
        "csi-resizer" => Kind::Resizer,
        "csi-snapshotter" => Kind::Snapshotter,
        "csi-external-health-monitor-controller" => Kind::HealthMonitor,
        "node-driver-registrar" => Kind::Registrar,
        "livenessprobe" => Kind::LivenessProbe,
        _ => return None,
    };
    Some(Box::new(Sidecar::new(kind)))
}
