//! Addresses that services have.
//!
//! Upstream: `pkg/registry/networking/ipaddress/strategy.go`, `ValidateIPAddress`,
//! `printIPAddress`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::networking::v1::{IPAddress, ParentReference};
use naru_sim::Time;

static KIND: Kind = Names::new("networking.k8s.io", "v1", "IPAddress", "ipaddresses", "ipaddress")
    .short(&["ip"])
    .cluster_scoped()
    .kind(&IPAddressStrategy);

impl Kube for IPAddress {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct IPAddressStrategy;

impl Typed for IPAddressStrategy {
    type Object = IPAddress;

    const COLUMNS: &'static [Column] = &[Column::new("Name"), Column::new("ParentRef")];

    /// Upstream's rows have an age, for which it forgot the column: clients never show it.
    fn cells(&self, address: &IPAddress, now: Time) -> Vec<Cell> {
        let parent = address.spec.as_ref().map(|spec| parent_text(&spec.parent_ref));
        let age = cells::age(&address.metadata, now);
        vec![cells::name(&address.metadata), cells::or_none(parent.as_deref()), age]
    }
}

/// `services/default/kubernetes`.
fn parent_text(parent: &ParentReference) -> String {
    let mut text = parent.resource.to_lowercase();
    for (mark, part) in [(".", &parent.group), ("/", &parent.namespace)] {
        if let Some(part) = part.as_deref().filter(|part| !part.is_empty()) {
            text.push_str(mark);
            text.push_str(part);
        }
    }
    format!("{text}/{}", parent.name)
}
