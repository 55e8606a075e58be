//! Mutating webhook configurations.
//!
//! Upstream: `pkg/registry/admissionregistration/mutatingwebhookconfiguration/strategy.go`,
//! `SetDefaults_MutatingWebhook`, `ValidateMutatingWebhookConfiguration`, `printMutatingWebhook`.

use super::typed::Typed;
use super::webhook::validation::{self, Hook};
use super::{cells, webhook};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use naru_sim::Time;

static KIND: Kind = Names::new(
    webhook::GROUP,
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    "mutatingwebhookconfiguration",
)
.cluster_scoped()
.categories(&["api-extensions"])
.kind(&ConfigurationStrategy);

impl Kube for MutatingWebhookConfiguration {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ConfigurationStrategy;

impl Typed for ConfigurationStrategy {
    type Object = MutatingWebhookConfiguration;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Webhooks").integer(), Column::new("Age")];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, configuration: &mut MutatingWebhookConfiguration) {
        for hook in configuration.webhooks.iter_mut().flatten() {
            webhook::text_or(&mut hook.failure_policy, "Fail");
            webhook::text_or(&mut hook.match_policy, "Equivalent");
            webhook::text_or(&mut hook.reinvocation_policy, "Never");
            hook.namespace_selector.get_or_insert_default();
            hook.object_selector.get_or_insert_default();
            hook.timeout_seconds.get_or_insert(webhook::TIMEOUT_SECONDS);
            webhook::default_rules(hook.rules.as_mut());
            webhook::default_client(&mut hook.client_config);
        }
    }

    fn prepare_for_create(&self, configuration: &mut MutatingWebhookConfiguration) {
        configuration.metadata.generation = Some(1);
    }

    fn prepare_for_update(
        &self,
        new: &mut MutatingWebhookConfiguration,
        old: &MutatingWebhookConfiguration,
        _: &str,
    ) {
        if new.webhooks != old.webhooks {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, configuration: &MutatingWebhookConfiguration) -> Vec<FieldError> {
        validation::hooks(&hooks(configuration), None)
    }

    fn validate_update(
        &self,
        new: &MutatingWebhookConfiguration,
        old: &MutatingWebhookConfiguration,
        _: &str,
    ) -> Vec<FieldError> {
        validation::hooks(&hooks(new), Some(&hooks(old)))
    }

    fn cells(&self, configuration: &MutatingWebhookConfiguration, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&configuration.metadata),
            configuration.webhooks.as_ref().map_or(0, Vec::len).into(),
            cells::age(&configuration.metadata, now),
        ]
    }
}

fn hooks(configuration: &MutatingWebhookConfiguration) -> Vec<Hook<'_>> {
    configuration.webhooks.iter().flatten().map(Hook::from).collect()
}
