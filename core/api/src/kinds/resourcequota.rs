//! Resource quotas.
//!
//! Upstream: `pkg/registry/core/resourcequota/strategy.go`, `ValidateResourceQuota`,
//! `printResourceQuota`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus};
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "ResourceQuota", "resourcequotas", "resourcequota")
    .short(&["quota"])
    .subresources(&["status"])
    .kind(&ResourceQuotaStrategy);

impl Kube for ResourceQuota {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ResourceQuotaStrategy;

impl Typed for ResourceQuotaStrategy {
    type Object = ResourceQuota;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Request"), Column::new("Limit"), Column::new("Age")];

    const RETURNS_DELETED: bool = true;

    fn prepare_for_create(&self, quota: &mut ResourceQuota) {
        quota.status = Some(ResourceQuotaStatus::default());
    }

    fn prepare_for_update(&self, new: &mut ResourceQuota, old: &ResourceQuota, sub: &str) {
        if sub == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn cells(&self, quota: &ResourceQuota, now: Time) -> Vec<Cell> {
        let status = quota.status.clone().unwrap_or_default();
        let used = status.used.unwrap_or_default();
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (name, hard) in status.hard.iter().flatten() {
            let used = used.get(name).map_or("0", |quantity| quantity.0.as_str());
            let column = if name.starts_with("limits.") { &mut limits } else { &mut requests };
            column.push(format!("{name}: {used}/{}", hard.0));
        }
        vec![
            cells::name(&quota.metadata),
            requests.join(", ").into(),
            limits.join(", ").into(),
            cells::age(&quota.metadata, now),
        ]
    }
}
