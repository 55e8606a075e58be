//! Endpoints.
//!
//! Upstream: `pkg/registry/core/endpoint/strategy.go`, `SetDefaults_Endpoints`, `printEndpoints`.

use super::cells;
use super::typed::Typed;
use crate::podspec::defaults::text;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::{EndpointSubset, Endpoints};
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "Endpoints", "endpoints", "endpoints")
    .short(&["ep"])
    .kind(&EndpointsStrategy);

impl Kube for Endpoints {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EndpointsStrategy;

impl Typed for EndpointsStrategy {
    type Object = Endpoints;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Endpoints"), Column::new("Age")];

    const DEPRECATION: Option<&'static str> =
        Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");

    fn default(&self, endpoints: &mut Endpoints) {
        for subset in endpoints.subsets.iter_mut().flatten() {
            for port in subset.ports.iter_mut().flatten() {
                text(&mut port.protocol, "TCP");
            }
        }
    }

    fn cells(&self, endpoints: &Endpoints, now: Time) -> Vec<Cell> {
        let subsets = endpoints.subsets.as_deref().unwrap_or_default();
        let list = match subsets {
            [] => "<none>".to_owned(),
            subsets => cells::first_three(subsets.iter().flat_map(addresses)),
        };
        vec![cells::name(&endpoints.metadata), list.into(), cells::age(&endpoints.metadata, now)]
    }
}

/// Every ready address with every port.
fn addresses(subset: &EndpointSubset) -> Vec<String> {
    let ips = || subset.addresses.iter().flatten().map(|address| address.ip.as_str());
    match subset.ports.as_deref().unwrap_or_default() {
        [] => ips().map(str::to_owned).collect(),
        ports => {
            let with = |port: i32| ips().map(move |ip| format!("{ip}:{port}"));
            ports.iter().flat_map(|port| with(port.port)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn lists() {
        let subset = |ips: &[&str], ports: &[i32]| {
            let ips: Vec<Value> = ips.iter().map(|ip| json!({ "ip": ip })).collect();
            let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port })).collect();
            json!({"addresses": ips, "ports": ports})
        };
        let table = [
            (json!([]), "<none>"),
            (json!([subset(&["10.0.0.1"], &[80])]), "10.0.0.1:80"),
            (json!([subset(&["10.0.0.1"], &[])]), "10.0.0.1"),
            (
                json!([subset(&["10.0.0.1", "10.0.0.2"], &[80, 81])]),
                "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...",
            ),
        ];
        for (subsets, list) in table {
            let endpoints = serde_json::from_value(json!({ "subsets": subsets })).unwrap();
            let cells = EndpointsStrategy.cells(&endpoints, Time::ZERO);
            assert_eq!(cells[1], Cell::from(list));
        }
    }
}
