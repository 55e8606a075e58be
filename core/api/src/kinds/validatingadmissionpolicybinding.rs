//! Bindings of validating admission policies.
//!
//! Upstream: `pkg/registry/admissionregistration/validatingadmissionpolicybinding/strategy.go`,
//! `printValidatingAdmissionPolicyBinding`.

use super::typed::Typed;
use super::{cells, webhook};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::admissionregistration::v1::{ParamRef, ValidatingAdmissionPolicyBinding};
use naru_sim::Time;

static KIND: Kind = Names::new(
    webhook::GROUP,
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicybinding",
)
.cluster_scoped()
.categories(&["api-extensions"])
.kind(&BindingStrategy);

impl Kube for ValidatingAdmissionPolicyBinding {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct BindingStrategy;

impl Typed for BindingStrategy {
    type Object = ValidatingAdmissionPolicyBinding;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("PolicyName"),
        Column::new("ParamRef"),
        Column::new("Age"),
    ];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, binding: &mut ValidatingAdmissionPolicyBinding) {
        let spec = binding.spec.get_or_insert_default();
        webhook::default_match(spec.match_resources.as_mut());
    }

    fn prepare_for_create(&self, binding: &mut ValidatingAdmissionPolicyBinding) {
        binding.metadata.generation = Some(1);
    }

    fn prepare_for_update(
        &self,
        new: &mut ValidatingAdmissionPolicyBinding,
        old: &ValidatingAdmissionPolicyBinding,
        _: &str,
    ) {
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, binding: &ValidatingAdmissionPolicyBinding) -> Vec<FieldError> {
        binding.spec.as_ref().map(webhook::policy::binding).unwrap_or_default()
    }

    fn cells(&self, binding: &ValidatingAdmissionPolicyBinding, now: Time) -> Vec<Cell> {
        let spec = binding.spec.clone().unwrap_or_default();
        let param = spec.param_ref.as_ref().and_then(param_text);
        vec![
            cells::name(&binding.metadata),
            cells::text(spec.policy_name.as_deref()),
            cells::or_unset(param.as_deref()),
            cells::age(&binding.metadata, now),
        ]
    }
}

/// `default/limits`, or `*/limits` without a namespace.
fn param_text(param: &ParamRef) -> Option<String> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&param.name), given(&param.namespace)) {
        (Some(name), Some(namespace)) => Some(format!("{namespace}/{name}")),
        (Some(name), None) => Some(format!("*/{name}")),
        (None, _) => param.selector.as_ref().map(crate::labels::go_label_selector),
    }
}
