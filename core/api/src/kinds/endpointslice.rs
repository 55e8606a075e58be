//! Endpoint slices.
//!
//! Upstream: `pkg/registry/discovery/endpointslice/strategy.go`, `SetDefaults_EndpointPort`,
//! `printEndpointSlice`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::one_of;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_sim::Time;

static KIND: Kind =
    Names::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice")
        .kind(&EndpointSliceStrategy);

impl Kube for EndpointSlice {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointSliceStrategy;

impl Typed for EndpointSliceStrategy {
    type Object = EndpointSlice;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("AddressType"),
        Column::new("Ports"),
        Column::new("Endpoints"),
        Column::new("Age"),
    ];

    fn default(&self, slice: &mut EndpointSlice) {
        for port in slice.ports.iter_mut().flatten() {
            port.name.get_or_insert_default();
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn prepare_for_create(&self, slice: &mut EndpointSlice) {
        slice.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut EndpointSlice, old: &EndpointSlice, _: &str) {
        let changed = new.endpoints != old.endpoints
            || new.ports != old.ports
            || new.address_type != old.address_type;
        if changed {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, slice: &EndpointSlice) -> Vec<FieldError> {
        let mut errors = Vec::new();
        const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
        one_of(Some(&slice.address_type), TYPES, &Path::new("addressType"), &mut errors);
        let list = Path::new("endpoints");
        for (index, endpoint) in slice.endpoints.iter().enumerate() {
            if endpoint.addresses.is_empty() {
                let item = list.index(index);
                let detail = "must contain at least 1 address";
                errors.push(FieldError::required(item.child("addresses"), detail));
            }
        }
        errors
    }

    fn cells(&self, slice: &EndpointSlice, now: Time) -> Vec<Cell> {
        let ports = slice.ports.iter().flatten().map(|port| match (port.port, &port.name) {
            (Some(number), _) => number.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "*".to_owned(),
        });
        let ports = cells::first_three(ports);
        let addresses = slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone());
        let addresses = cells::first_three(addresses);
        let unset = |list: String| if list.is_empty() { "<unset>".to_owned() } else { list };
        vec![
            cells::name(&slice.metadata),
            slice.address_type.as_str().into(),
            unset(ports).into(),
            unset(addresses).into(),
            cells::age(&slice.metadata, now),
        ]
    }
}
