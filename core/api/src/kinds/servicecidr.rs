//! The ranges of services' addresses.
//!
//! Upstream: `pkg/registry/networking/servicecidr/strategy.go`, `ValidateServiceCIDR`,
//! `printServiceCIDR`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use naru_sim::Time;

static KIND: Kind =
    Names::new("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", "servicecidr")
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&ServiceCIDRStrategy);

impl Kube for ServiceCIDR {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ServiceCIDRStrategy;

impl Typed for ServiceCIDRStrategy {
    type Object = ServiceCIDR;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("CIDRs"), Column::new("Age")];

    fn prepare_for_update(&self, new: &mut ServiceCIDR, old: &ServiceCIDR, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        }
    }

    fn cells(&self, range: &ServiceCIDR, now: Time) -> Vec<Cell> {
        let cidrs = range.spec.as_ref().and_then(|spec| spec.cidrs.as_deref()).unwrap_or_default();
        let age = cells::age(&range.metadata, now);
        vec![cells::name(&range.metadata), cidrs.join(",").into(), age]
    }
}
