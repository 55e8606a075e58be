//! What the kinds of `admissionregistration.k8s.io` share.
//!
//! Upstream: `pkg/apis/admissionregistration/v1/defaults.go`.

pub(super) mod policy;
pub(super) mod validation;

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, RuleWithOperations, WebhookClientConfig,
};

/// The API group.
pub(super) const GROUP: &str = "admissionregistration.k8s.io";
/// How long a webhook may take, in seconds.
pub(super) const TIMEOUT_SECONDS: i32 = 10;
const HTTPS_PORT: i32 = 443;

/// Every scope, where a rule names none.
pub(super) fn default_rules(rules: Option<&mut Vec<RuleWithOperations>>) {
    for rule in rules.into_iter().flatten() {
        text_or(&mut rule.scope, "*");
    }
}

/// The port of a webhook's service.
pub(super) fn default_client(client: &mut WebhookClientConfig) {
    if let Some(service) = &mut client.service {
        service.port.get_or_insert(HTTPS_PORT);
    }
}

/// What a policy matches where it does not say.
pub(super) fn default_match(resources: Option<&mut MatchResources>) {
    let Some(resources) = resources else { return };
    text_or(&mut resources.match_policy, "Equivalent");
    resources.namespace_selector.get_or_insert_default();
    resources.object_selector.get_or_insert_default();
    let rules = resources.resource_rules.iter_mut().flatten();
    for rule in rules.chain(resources.exclude_resource_rules.iter_mut().flatten()) {
        text_or(&mut rule.scope, "*");
    }
}

/// The default of a text that was not given at all.
pub(super) fn text_or(value: &mut Option<String>, default: &str) {
    value.get_or_insert_with(|| default.to_owned());
}
