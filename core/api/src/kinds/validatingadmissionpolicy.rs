//! Validating admission policies.
//!
//! Upstream: `pkg/registry/admissionregistration/validatingadmissionpolicy/strategy.go`,
//! `SetDefaults_ValidatingAdmissionPolicySpec`, `printValidatingAdmissionPolicy`.

use super::typed::{Typed, keep};
use super::{cells, webhook};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyStatus,
};
use naru_sim::Time;

static KIND: Kind = Names::new(
    webhook::GROUP,
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    "validatingadmissionpolicy",
)
.cluster_scoped()
.categories(&["api-extensions"])
.subresources(&["status"])
.kind(&PolicyStrategy);

impl Kube for ValidatingAdmissionPolicy {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PolicyStrategy;

impl Typed for PolicyStrategy {
    type Object = ValidatingAdmissionPolicy;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Validations").integer(),
        Column::new("ParamKind"),
        Column::new("Age"),
    ];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, policy: &mut ValidatingAdmissionPolicy) {
        let spec = policy.spec.get_or_insert_default();
        webhook::text_or(&mut spec.failure_policy, "Fail");
        webhook::default_match(spec.match_constraints.as_mut());
    }

    fn prepare_for_create(&self, policy: &mut ValidatingAdmissionPolicy) {
        policy.metadata.generation = Some(1);
        policy.status = Some(ValidatingAdmissionPolicyStatus::default());
    }

    fn prepare_for_update(
        &self,
        new: &mut ValidatingAdmissionPolicy,
        old: &ValidatingAdmissionPolicy,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, policy: &ValidatingAdmissionPolicy) -> Vec<FieldError> {
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        let spec = policy.spec.as_ref();
        spec.map(|spec| webhook::policy::policy(name, spec)).unwrap_or_default()
    }

    fn cells(&self, policy: &ValidatingAdmissionPolicy, now: Time) -> Vec<Cell> {
        let spec = policy.spec.clone().unwrap_or_default();
        let param = spec.param_kind.map(|param| {
            format!("{}/{}", param.api_version.unwrap_or_default(), param.kind.unwrap_or_default())
        });
        vec![
            cells::name(&policy.metadata),
            spec.validations.as_ref().map_or(0, Vec::len).into(),
            cells::or_unset(param.as_deref()),
            cells::age(&policy.metadata, now),
        ]
    }
}
