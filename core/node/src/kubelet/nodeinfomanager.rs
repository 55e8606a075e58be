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
use std::collections::BTreeMap;

/// The volumes that were once built in and are others' now.
const MIGRATED: &str = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,\
                        kubernetes.io/cinder,kubernetes.io/gce-pd,kubernetes.io/portworx-volume,\
                        kubernetes.io/vsphere-volume";
const MIGRATED_ANNOTATION: &str = "storage.alpha.kubernetes.io/migrated-plugins";
/// What a zone is called when nobody says.
const ZONE: &str = "topology.kubernetes.io/zone";

/// By which names drivers call the node.
const NODE_IDS: &str = "csi.volume.kubernetes.io/nodeid";

/// Keeps the CSINode up.
#[derive(Clone, Debug, Default)]
pub struct NodeInfoManager {
    /// The drivers that were written last.
    written: Option<Vec<CsiDriver>>,
}

impl NodeInfoManager {
    /// Whether other drivers run than were written last.
    pub fn are_others(&self, runtime: &Runtime) -> bool {
        self.written.as_ref().is_some_and(|written| *written != csi_drivers::registered(runtime))
    }

    /// Writes the CSINode if other drivers run than before, and for each the node's label that says
    /// where its volumes can be used.
    pub fn sync(
        &mut self,
        client: &mut Client<'_>,
        node: &str,
        runtime: &Runtime,
    ) -> Result<(), ApiError> {
        let drivers = csi_drivers::registered(runtime);
        if self.written.as_ref() == Some(&drivers) {
            return Ok(());
        }
        let owner = match client.get::<Node>("", node) {
            Ok(owner) => owner,
            // It is registered first.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        match write(client, node, &owner, &drivers) {
            // What a driver calls itself, or the node, is nobody's name: nothing of it is told, and
            // the kubelet goes on. Upstream: `RegisterPlugin` fails, of which the registrar hears.
            Err(error) if error.reason() != "Invalid" => return Err(error),
            _ => {}
        }
        self.written = Some(drivers);
        Ok(())
    }
}

fn write(
    client: &mut Client<'_>,
    node: &str,
    owner: &Node,
    drivers: &[CsiDriver],
) -> Result<(), ApiError> {
    tell_node(client, owner, drivers)?;
    let spec = CSINodeSpec { drivers: drivers.iter().map(|driver| entry(driver, node)).collect() };
    let mut found = match client.get::<CSINode>("", node) {
        Ok(found) => CSINode::clone(&found),
        Err(error) if error.is_not_found() => {
            return client.create(csi_node(owner, spec)).map(drop);
        }
        Err(error) => return Err(error),
    };
    // What is told of a driver does not change: one that tells something else has gone and come
    // again.
    let before = found.spec.drivers.len();
    let stays =
        |old: &CSINodeDriver| spec.drivers.iter().all(|it| it.name != old.name || it == old);
    found.spec.drivers.retain(stays);
    if found.spec.drivers.len() < before {
        found = CSINode::clone(&*client.update(found)?);
    }
    if found.spec != spec {
        found.spec = spec;
        client.update(found)?;
    }
    Ok(())
}

fn entry(driver: &CsiDriver, node: &str) -> CSINodeDriver {
    CSINodeDriver {
        name: driver.name.clone(),
        node_id: driver.node_id.clone().unwrap_or_else(|| node.to_owned()),
        topology_keys: driver.topology_key.clone().map(|key| vec![key]),
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

/// Writes onto the node by which names drivers call it and where it is for them. A driver that knows
/// no zones has each node be a place of its own.
///
/// Upstream: `updateNodeIDInNode`, `updateTopologyLabels`.
fn tell_node(client: &mut Client<'_>, node: &Node, drivers: &[CsiDriver]) -> Result<(), ApiError> {
    let labels = node.metadata.labels.as_ref();
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let mut missing = serde_json::Map::new();
    for driver in drivers {
        let Some(key) = &driver.topology_key else { continue };
        let zone = labels.and_then(|labels| labels.get(ZONE)).map(String::as_str);
        let own = driver.node_id.as_deref().unwrap_or(name);
        let place = if key.ends_with("/zone") { zone } else { Some(own) };
        let there = labels.is_some_and(|labels| labels.contains_key(key));
        if let (false, Some(place)) = (there, place) {
            missing.insert(key.clone(), json!(place));
        }
    }
    let ids: BTreeMap<&str, &str> = drivers
        .iter()
        .filter_map(|driver| Some((driver.name.as_str(), driver.node_id.as_deref()?)))
        .collect();
    let annotations = node.metadata.annotations.as_ref();
    let told = annotations.and_then(|all| all.get(NODE_IDS)).map(String::as_str);
    let ids = Some(json!(ids).to_string()).filter(|_| !ids.is_empty());
    let mut change = serde_json::Map::new();
    if !missing.is_empty() {
        change.insert("labels".to_owned(), json!(missing));
    }
    if ids.as_deref() != told {
        change.insert("annotations".to_owned(), json!({NODE_IDS: ids}));
    }
    if !change.is_empty() {
        let patch = Patch::Merge(json!({"metadata": change}));
        client.patch::<Node>("", name, "", patch)?;
    }
    Ok(())
}
