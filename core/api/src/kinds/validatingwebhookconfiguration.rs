//! Validating webhook configurations.
//!
//! Upstream: `pkg/registry/admissionregistration/validatingwebhookconfiguration/strategy.go`,
//! `SetDefaults_ValidatingWebhook`, `ValidateValidatingWebhookConfiguration`, `printValidatingWebhook`.

use super::typed::Typed;
use super::webhook::validation::{self, Hook};
use super::{cells, webhook};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use naru_sim::Time;

static KIND: Kind = Names::new(
    webhook::GROUP,
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    "validatingwebhookconfiguration",
)
.cluster_scoped()
.categories(&["api-extensions"])
.kind(&ConfigurationStrategy);

impl Kube for ValidatingWebhookConfiguration {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ConfigurationStrategy;

impl Typed for ConfigurationStrategy {
    type Object = ValidatingWebhookConfiguration;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Webhooks").integer(), Column::new("Age")];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, configuration: &mut ValidatingWebhookConfiguration) {
        for hook in configuration.webhooks.iter_mut().flatten() {
            webhook::text_or(&mut hook.failure_policy, "Fail");
            webhook::text_or(&mut hook.match_policy, "Equivalent");
            hook.namespace_selector.get_or_insert_default();
            hook.object_selector.get_or_insert_default();
            hook.timeout_seconds.get_or_insert(webhook::TIMEOUT_SECONDS);
            webhook::default_rules(hook.rules.as_mut());
            webhook::default_client(&mut hook.client_config);
        }
    }

    fn prepare_for_create(&self, configuration: &mut ValidatingWebhookConfiguration) {
        configuration.metadata.generation = Some(1);
    }

    fn prepare_for_update(
        &self,
        new: &mut ValidatingWebhookConfiguration,
        old: &ValidatingWebhookConfiguration,
        _: &str,
    ) {
        if new.webhooks != old.webhooks {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, configuration: &ValidatingWebhookConfiguration) -> Vec<FieldError> {
        validation::hooks(&hooks(configuration), None)
    }

    fn validate_update(
        &self,
        new: &ValidatingWebhookConfiguration,
        old: &ValidatingWebhookConfiguration,
        _: &str,
    ) -> Vec<FieldError> {
        validation::hooks(&hooks(new), Some(&hooks(old)))
    }

    fn cells(&self, configuration: &ValidatingWebhookConfiguration, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&configuration.metadata),
            configuration.webhooks.as_ref().map_or(0, Vec::len).into(),
            cells::age(&configuration.metadata, now),
        ]
    }
}

fn hooks(configuration: &ValidatingWebhookConfiguration) -> Vec<Hook<'_>> {
    configuration.webhooks.iter().flatten().map(Hook::from).collect()
}
