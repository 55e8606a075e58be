//! CSI nodes: the drivers of a node.
//!
//! Upstream: `pkg/registry/storage/csinode/strategy.go`, `ValidateCSINode`, `printCSINode`.

use super::typed::Typed;
use super::{cells, storage};
use crate::gofmt::{quote, quote_all};
use crate::podspec::validation::{all_invalid, not_negative};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver};
use naru_sim::Time;
use std::collections::BTreeSet;

/// Bytes of a driver's own name for a node.
const ID_BYTES_MAX: usize = 256;

static KIND: Kind = Names::new(storage::GROUP, "v1", "CSINode", "csinodes", "csinode")
    .cluster_scoped()
    .kind(&CSINodeStrategy);

impl Kube for CSINode {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CSINodeStrategy;

impl Typed for CSINodeStrategy {
    type Object = CSINode;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Drivers").integer(), Column::new("Age")];

    const RETURNS_DELETED: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn validate(&self, node: &CSINode) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = Path::new("spec");
        let list = spec.child("drivers");
        let mut seen = BTreeSet::new();
        for (index, driver) in node.spec.drivers.iter().enumerate() {
            let item = list.index(index);
            validate_driver(driver, &item, &mut errors);
            if !seen.insert(&driver.name) {
                errors.push(FieldError::duplicate(item.child("name"), &driver.name));
            }
            validate_keys(driver.topology_keys.as_deref().unwrap_or_default(), &item, &mut errors);
        }
        errors
    }

    /// A driver may come and go, but not change.
    fn validate_update(&self, new: &CSINode, old: &CSINode, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        for driver in &new.spec.drivers {
            let was = old.spec.drivers.iter().find(|was| was.name == driver.name);
            if was.is_some_and(|was| was != driver) {
                let value = go_driver(driver);
                errors.push(FieldError::invalid_raw("spec.drivers", value, "field is immutable"));
            }
        }
        errors
    }

    fn cells(&self, node: &CSINode, now: Time) -> Vec<Cell> {
        let age = cells::age(&node.metadata, now);
        vec![cells::name(&node.metadata), node.spec.drivers.len().into(), age]
    }
}

fn validate_driver(driver: &CSINodeDriver, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    storage::driver_name(&driver.name, &item.child("name"), errors);
    let field = item.child("nodeID");
    if driver.node_id.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    if driver.node_id.len() > ID_BYTES_MAX {
        let detail = format!("must be {ID_BYTES_MAX} characters or less");
        errors.push(FieldError::invalid(field, &driver.node_id, &detail));
    }
    let allocatable = item.child("allocatable");
    let count = driver.allocatable.as_ref().and_then(|allocatable| allocatable.count);
    not_negative(count, &allocatable.child("count"), errors);
}

fn validate_keys(keys: &[String], item: &Path<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for key in keys {
        if key.is_empty() {
            errors.push(FieldError::required(item, ""));
        }
        if !seen.insert(key) {
            errors.push(FieldError::duplicate(item, key));
        }
        all_invalid(names::qualified_name(key), key, item, errors);
    }
}

fn go_driver(driver: &CSINodeDriver) -> String {
    let keys = match driver.topology_keys.as_deref() {
        None | Some([]) => "[]string(nil)".to_owned(),
        Some(keys) => format!("[]string{{{}}}", quote_all(keys)),
    };
    // A pointer's address is another one each time.
    let allocatable = match driver.allocatable {
        Some(_) => "(*storage.VolumeNodeResources)(0xc000a5f0e0)",
        None => "(*storage.VolumeNodeResources)(nil)",
    };
    format!(
        "storage.CSINodeDriver{{Name:{}, NodeID:{}, TopologyKeys:{keys}, Allocatable:{allocatable}}}",
        quote(&driver.name),
        quote(&driver.node_id)
    )
}
