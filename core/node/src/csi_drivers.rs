//! The CSI drivers that the sandbox knows, and which of them run on a node.
//!
//! Upstream: `pkg/kubelet/pluginmanager`, `pkg/volume/csi/nodeinfomanager`. A real driver registers
//! itself at the kubelet's socket; here one is registered while a container runs whose process is
//! the driver's program.

use crate::runtime::Runtime;

/// A CSI driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsiDriver {
    /// Its name.
    pub name: &'static str,
    /// The program of its pods on the nodes.
    program: &'static str,
    /// The node label that says where its volumes can be used.
    pub topology_key: &'static str,
    /// How many volumes of it a node takes.
    pub limit: Option<i32>,
    /// Whether its volumes are attached to a node before they are mounted.
    attaches: bool,
}

const DRIVERS: &[CsiDriver] = &[
    CsiDriver {
        name: "pd.csi.storage.gke.io",
        program: "gce-pd-csi-driver",
        topology_key: "topology.gke.io/zone",
        limit: Some(15),
        attaches: true,
    },
    CsiDriver {
        name: "hostpath.csi.k8s.io",
        program: "hostpathplugin",
        topology_key: "topology.hostpath.csi/node",
        limit: None,
        attaches: true,
    },
    CsiDriver {
        name: "ebs.csi.aws.com",
        program: "aws-ebs-csi-driver",
        topology_key: "topology.ebs.csi.aws.com/zone",
        limit: Some(25),
        attaches: true,
    },
];

/// The drivers that are registered on a node.
pub fn registered(runtime: &Runtime) -> impl Iterator<Item = &'static CsiDriver> {
    DRIVERS.iter().filter(|driver| runtime.runs(driver.program))
}

/// Whether volumes of a driver have to be attached; of one that nobody knows, too.
pub fn attaches(driver: &str) -> bool {
    DRIVERS.iter().find(|known| known.name == driver).is_none_or(|known| known.attaches)
}
