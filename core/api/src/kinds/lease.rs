//! Leases.
//!
//! Upstream: `pkg/registry/coordination/lease/strategy.go`, `ValidateLeaseSpec`, `printLease`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::coordination::v1::Lease;
use naru_sim::Time;

static KIND: Kind =
    Names::new("coordination.k8s.io", "v1", "Lease", "leases", "lease").kind(&LeaseStrategy);

impl Kube for Lease {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct LeaseStrategy;

impl Typed for LeaseStrategy {
    type Object = Lease;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Holder"), Column::new("Age")];

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn prepare_for_create(&self, lease: &mut Lease) {
        drop_disabled(lease);
    }

    fn prepare_for_update(&self, new: &mut Lease, _: &Lease, _: &str) {
        drop_disabled(new);
    }

    fn validate(&self, lease: &Lease) -> Vec<FieldError> {
        let Some(spec) = &lease.spec else { return Vec::new() };
        let mut errors = Vec::new();
        if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
            let detail = "must be greater than 0";
            errors.push(FieldError::invalid_raw("spec.leaseDurationSeconds", seconds, detail));
        }
        if let Some(count) = spec.lease_transitions.filter(|count| *count < 0) {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid_raw("spec.leaseTransitions", count, detail));
        }
        errors
    }

    fn cells(&self, lease: &Lease, now: Time) -> Vec<Cell> {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        vec![cells::name(&lease.metadata), cells::text(holder), cells::age(&lease.metadata, now)]
    }
}

/// Drops what only CoordinatedLeaderElection, which is off, would keep.
fn drop_disabled(lease: &mut Lease) {
    if let Some(spec) = &mut lease.spec {
        spec.strategy = None;
        spec.preferred_holder = None;
    }
}
