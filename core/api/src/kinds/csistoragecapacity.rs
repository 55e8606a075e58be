//! CSI storage capacities.
//!
//! Upstream: `pkg/registry/storage/csistoragecapacity/strategy.go`, `ValidateCSIStorageCapacity`,
//! `printCSIStorageCapacity`.

use super::typed::Typed;
use super::{cells, storage};
use crate::podspec::validation::all_invalid;
use crate::quantity::Amount;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use crate::{labels, names, nodelabels};
use k8s_openapi::api::storage::v1::CSIStorageCapacity;
use naru_sim::Time;

static KIND: Kind = Names::new(
    storage::GROUP,
    "v1",
    "CSIStorageCapacity",
    "csistoragecapacities",
    "csistoragecapacity",
)
.kind(&CSIStorageCapacityStrategy);

impl Kube for CSIStorageCapacity {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CSIStorageCapacityStrategy;

impl Typed for CSIStorageCapacityStrategy {
    type Object = CSIStorageCapacity;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("StorageClassName"), Column::new("Capacity")];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn validate(&self, capacity: &CSIStorageCapacity) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(topology) = &capacity.node_topology {
            errors.extend(labels::validate_selector(topology, &Path::new("nodeTopology")));
        }
        let class = &capacity.storage_class_name;
        let field = Path::new("storageClassName");
        all_invalid(names::dns1123_subdomain(class), class, &field, &mut errors);
        let amount = capacity.capacity.as_ref().map(Amount::of);
        if let Some(amount) = amount.filter(|amount| *amount < Amount::ZERO) {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid("capacity", &amount.to_string(), detail));
        }
        errors
    }

    fn validate_update(
        &self,
        new: &CSIStorageCapacity,
        old: &CSIStorageCapacity,
        _: &str,
    ) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        let detail = "field is immutable";
        if new.node_topology != old.node_topology {
            let selector = new.node_topology.as_ref();
            // Upstream's own word for a selector that is not there.
            let value = selector.map_or("\"null\"".to_owned(), crate::labels::go_label_selector);
            errors.push(FieldError::invalid_raw("nodeTopology", value, detail));
        }
        if new.storage_class_name != old.storage_class_name {
            let class = &new.storage_class_name;
            errors.push(FieldError::invalid("storageClassName", class, detail));
        }
        errors
    }

    fn warnings(
        &self,
        capacity: &CSIStorageCapacity,
        _: Option<&CSIStorageCapacity>,
    ) -> Vec<String> {
        let topology = capacity.node_topology.as_ref();
        let path = Path::new("nodeTopology");
        topology.map(|found| nodelabels::selector_warnings(found, &path)).unwrap_or_default()
    }

    fn cells(&self, capacity: &CSIStorageCapacity, _: Time) -> Vec<Cell> {
        vec![
            cells::name(&capacity.metadata),
            capacity.storage_class_name.as_str().into(),
            cells::or_unset(capacity.capacity.as_ref().map(|quantity| quantity.0.as_str())),
        ]
    }
}
