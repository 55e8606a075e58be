//! The node's CSINode: which CSI drivers run on it.
//!
//! Upstream: `pkg/volume/csi/nodeinfomanager/nodeinfomanager.go`.

use crate::csi_drivers::{self, CsiDriver};
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use naru_api::ApiError;
use naru_api::request::Patch;
use naru_client::Client;
use serde_json::json;

/// The volumes that were once built in and are others' now.
const MIGRATED: &str = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,\
                        kubernetes.io/cinder,kubernetes.io/gce-pd,kubernetes.io/portworx-volume,\
                        kubernetes.io/vsphere-volume";
const MIGRATED_ANNOTATION: &str = "storage.alpha.kubernetes.io/migrated-plugins";
/// What a zone is called when nobody says.
const ZONE: &str = "topology.kubernetes.io/zone";

/// Keeps the CSINode up.
#[derive(Clone, Debug, Default)]
pub struct NodeInfoManager {
    /// The drivers that were written last.
    written: Option<Vec<&'static str>>,
}

impl NodeInfoManager {
    /// Writes the CSINode if other drivers run than before, and for each the node's label that says
    /// where its volumes can be used.
    pub fn sync(
        &mut self,
        client: &mut Client<'_>,
        node: &str,
        runtime: &Runtime,
    ) -> Result<(), ApiError> {
        let drivers: Vec<&CsiDriver> = csi_drivers::registered(runtime).collect();
        let names: Vec<&'static str> = drivers.iter().map(|driver| driver.name).collect();
        if self.written.as_ref() == Some(&names) {
            return Ok(());
        }
        let owner = match client.get::<Node>("", node) {
            Ok(owner) => owner,
            // It is registered first.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        label(client, &owner, &drivers)?;
        let spec =
            CSINodeSpec { drivers: drivers.iter().map(|driver| entry(driver, node)).collect() };
        match client.get::<CSINode>("", node) {
            Ok(found) => {
                let mut found = CSINode::clone(&found);
                found.spec = spec;
                client.update(found)?;
            }
            Err(error) if error.is_not_found() => {
                client.create(csi_node(&owner, spec))?;
            }
            Err(error) => return Err(error),
        }
        self.written = Some(names);
        Ok(())
    }
}

fn entry(driver: &CsiDriver, node: &str) -> CSINodeDriver {
    CSINodeDriver {
        name: driver.name.to_owned(),
        node_id: node.to_owned(),
        topology_keys: Some(vec![driver.topology_key.to_owned()]),
        allocatable: driver.limit.map(|limit| VolumeNodeResources { count: Some(limit) }),
    }
}

fn csi_node(owner: &Node, spec: CSINodeSpec) -> CSINode {
    let mut node = CSINode { spec, ..CSINode::default() };
    node.metadata.name.clone_from(&owner.metadata.name);
    let migrated = (MIGRATED_ANNOTATION.to_owned(), MIGRATED.to_owned());
    node.metadata.annotations = Some([migrated].into_iter().collect());
    node.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: owner.metadata.name.clone().unwrap_or_default(),
        uid: owner.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }]);
    node
}

/// A driver that knows no zones has each node be a place of its own.
fn label(client: &mut Client<'_>, node: &Node, drivers: &[&CsiDriver]) -> Result<(), ApiError> {
    let labels = node.metadata.labels.as_ref();
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let place = |driver: &CsiDriver| {
        let zone = labels.and_then(|labels| labels.get(ZONE)).map(String::as_str);
        if driver.topology_key.ends_with("/zone") { zone } else { Some(name) }
    };
    let mut missing = serde_json::Map::new();
    for driver in drivers {
        let there = labels.is_some_and(|labels| labels.contains_key(driver.topology_key));
        if let (false, Some(place)) = (there, place(driver)) {
            missing.insert(driver.topology_key.to_owned(), json!(place));
        }
    }
    if !missing.is_empty() {
        let patch = Patch::Merge(json!({"metadata": {"labels": missing}}));
        client.patch::<Node>("", name, "", patch)?;
    }
    Ok(())
}
