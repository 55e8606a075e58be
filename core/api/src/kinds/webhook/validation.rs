//! What makes webhook configurations, and the rules of policies, valid.
//!
//! Upstream: `pkg/apis/admissionregistration/validation/validation.go`,
//! `apiserver/pkg/util/webhook/validation.go`.

use crate::gofmt::quote_all;
use crate::podspec::validation::all_invalid;
use crate::{FieldError, Path, labels, names};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, RuleWithOperations, ServiceReference, ValidatingWebhook,
    WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
const SIDE_EFFECTS: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];
const NO_SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const REINVOCATION_POLICIES: [&str; 2] = ["IfNeeded", "Never"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];
const CONDITIONS_MAX: usize = 64;
const FORM: &str = "; desired format: https://host[/path]";

pub(super) type Errors = Vec<FieldError>;

/// What validating and mutating webhooks share.
#[derive(Clone, Copy)]
pub(in crate::kinds) struct Hook<'a> {
    name: &'a str,
    rules: &'a [RuleWithOperations],
    failure_policy: Option<&'a str>,
    match_policy: Option<&'a str>,
    side_effects: &'a str,
    timeout_seconds: Option<i32>,
    namespace_selector: Option<&'a LabelSelector>,
    object_selector: Option<&'a LabelSelector>,
    reinvocation_policy: Option<&'a str>,
    client: &'a WebhookClientConfig,
    conditions: &'a [MatchCondition],
    versions: &'a [String],
}

impl<'a> From<&'a ValidatingWebhook> for Hook<'a> {
    fn from(hook: &'a ValidatingWebhook) -> Self {
        Hook {
            name: &hook.name,
            rules: hook.rules.as_deref().unwrap_or_default(),
            failure_policy: hook.failure_policy.as_deref(),
            match_policy: hook.match_policy.as_deref(),
            side_effects: &hook.side_effects,
            timeout_seconds: hook.timeout_seconds,
            namespace_selector: hook.namespace_selector.as_ref(),
            object_selector: hook.object_selector.as_ref(),
            reinvocation_policy: None,
            client: &hook.client_config,
            conditions: hook.match_conditions.as_deref().unwrap_or_default(),
            versions: &hook.admission_review_versions,
        }
    }
}

impl<'a> From<&'a MutatingWebhook> for Hook<'a> {
    fn from(hook: &'a MutatingWebhook) -> Self {
        Hook {
            name: &hook.name,
            rules: hook.rules.as_deref().unwrap_or_default(),
            failure_policy: hook.failure_policy.as_deref(),
            match_policy: hook.match_policy.as_deref(),
            side_effects: &hook.side_effects,
            timeout_seconds: hook.timeout_seconds,
            namespace_selector: hook.namespace_selector.as_ref(),
            object_selector: hook.object_selector.as_ref(),
            reinvocation_policy: hook.reinvocation_policy.as_deref(),
            client: &hook.client_config,
            conditions: hook.match_conditions.as_deref().unwrap_or_default(),
            versions: &hook.admission_review_versions,
        }
    }
}

/// What a webhook must keep to: an update may leave wrong what was wrong before.
#[derive(Clone, Copy)]
struct Demands {
    no_side_effects: bool,
    known_version: bool,
    unique_names: bool,
}

impl Demands {
    fn after(old: Option<&[Hook<'_>]>) -> Self {
        let Some(old) = old else {
            return Demands { no_side_effects: true, known_version: true, unique_names: true };
        };
        let names: BTreeSet<&str> = old.iter().map(|hook| hook.name).collect();
        Demands {
            no_side_effects: old.iter().all(|hook| NO_SIDE_EFFECTS.contains(&hook.side_effects)),
            known_version: old.iter().all(|hook| hook.versions.is_empty() || knows(hook.versions)),
            unique_names: names.len() == old.len(),
        }
    }
}

fn knows(versions: &[String]) -> bool {
    versions.iter().any(|version| REVIEW_VERSIONS.contains(&version.as_str()))
}

/// What is wrong with the webhooks of a configuration; `old` is what it replaces.
pub(in crate::kinds) fn hooks(new: &[Hook<'_>], old: Option<&[Hook<'_>]>) -> Errors {
    let demands = Demands::after(old);
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    let list = Path::new("webhooks");
    for (index, hook) in new.iter().enumerate() {
        let path = list.index(index);
        validate_hook(hook, demands, &path, &mut errors);
        review_versions(
            hook.versions,
            demands,
            &path.child("admissionReviewVersions"),
            &mut errors,
        );
        if demands.unique_names && !hook.name.is_empty() && !names.insert(hook.name) {
            errors.push(FieldError::duplicate(path.child("name"), hook.name));
        }
    }
    errors
}

fn validate_hook(hook: &Hook<'_>, demands: Demands, path: &Path<'_>, errors: &mut Errors) {
    errors.extend(fully_qualified(hook.name, &path.child("name")));
    let list = path.child("rules");
    for (index, found) in hook.rules.iter().enumerate() {
        rule(&Rule::from(found), &list.index(index), errors);
    }
    one_of(hook.failure_policy, &FAILURE_POLICIES, &path.child("failurePolicy"), errors);
    one_of(hook.match_policy, &MATCH_POLICIES, &path.child("matchPolicy"), errors);
    let allowed: &[&str] = if demands.no_side_effects { &NO_SIDE_EFFECTS } else { &SIDE_EFFECTS };
    let field = path.child("sideEffects");
    if hook.side_effects.is_empty() {
        let detail = format!("must specify one of {}", allowed.join(", "));
        errors.push(FieldError::required(field, &detail));
    } else {
        one_of(Some(hook.side_effects), allowed, &field, errors);
    }
    if let Some(seconds) = hook.timeout_seconds.filter(|seconds| !(1..=30).contains(seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid_raw(path.child("timeoutSeconds"), seconds, detail));
    }
    for (selector, name) in
        [(hook.namespace_selector, "namespaceSelector"), (hook.object_selector, "objectSelector")]
    {
        if let Some(selector) = selector {
            errors.extend(labels::validate_selector(selector, &path.child(name)));
        }
    }
    one_of(
        hook.reinvocation_policy,
        &REINVOCATION_POLICIES,
        &path.child("reinvocationPolicy"),
        errors,
    );
    client(hook.client, &path.child("clientConfig"), errors);
    conditions(hook.conditions, &path.child("matchConditions"), errors);
}

/// Upstream: `IsFullyQualifiedName`: three segments at least.
fn fully_qualified(name: &str, field: &Path<'_>) -> Errors {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let problems = names::dns1123_subdomain(name);
    if !problems.is_empty() {
        return vec![FieldError::invalid(field, name, &problems.join(","))];
    }
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        return vec![FieldError::invalid(field, name, detail)];
    }
    Vec::new()
}

/// A value that is given must be a known one.
pub(super) fn one_of(value: Option<&str>, known: &[&str], field: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = value.filter(|value| !known.contains(value)) {
        errors.push(FieldError::not_supported(field, value, known));
    }
}

/// The same of one that must be given.
pub(super) fn required_one_of(
    value: Option<&str>,
    known: &[&str],
    field: &Path<'_>,
    errors: &mut Errors,
) {
    match value {
        None => errors.push(FieldError::required(field, "")),
        value => one_of(value, known, field, errors),
    }
}

/// `failurePolicy` of a policy.
pub(super) fn failure_policy(value: Option<&str>, field: &Path<'_>, errors: &mut Errors) {
    required_one_of(value, &FAILURE_POLICIES, field, errors);
}

/// `matchPolicy` of a policy.
pub(super) fn match_policy(value: Option<&str>, field: &Path<'_>, errors: &mut Errors) {
    required_one_of(value, &MATCH_POLICIES, field, errors);
}

fn review_versions(versions: &[String], demands: Demands, path: &Path<'_>, errors: &mut Errors) {
    if versions.is_empty() {
        let detail = format!("must specify one of {}", REVIEW_VERSIONS.join(", "));
        errors.push(FieldError::required(path, &detail));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let field = path.index(index);
        if !seen.insert(version) {
            errors.push(FieldError::invalid(field, version, "duplicate version"));
            continue;
        }
        all_invalid(names::dns1035_label(version), version, &field, errors);
    }
    if demands.known_version && !knows(versions) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.push(FieldError::invalid_raw(path, go_strings(versions), &detail));
    }
}

/// A rule, of a webhook or of a policy.
pub(super) struct Rule<'a> {
    pub groups: &'a [String],
    pub versions: &'a [String],
    pub operations: &'a [String],
    pub resources: &'a [String],
    pub scope: Option<&'a str>,
}

impl<'a> From<&'a RuleWithOperations> for Rule<'a> {
    fn from(rule: &'a RuleWithOperations) -> Self {
        Rule {
            groups: rule.api_groups.as_deref().unwrap_or_default(),
            versions: rule.api_versions.as_deref().unwrap_or_default(),
            operations: rule.operations.as_deref().unwrap_or_default(),
            resources: rule.resources.as_deref().unwrap_or_default(),
            scope: rule.scope.as_deref(),
        }
    }
}

/// Upstream: `validateRuleWithOperations`, `validateRule`.
pub(super) fn rule(rule: &Rule<'_>, path: &Path<'_>, errors: &mut Errors) {
    let wild = |list: &[String]| list.len() > 1 && list.iter().any(|one| one == "*");
    let field = path.child("operations");
    if rule.operations.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    if wild(rule.operations) {
        let all = quote_all(rule.operations);
        let all = format!("[]admissionregistration.OperationType{{{all}}}");
        let detail = "if '*' is present, must not specify other operations";
        errors.push(FieldError::invalid_raw(field, all, detail));
    }
    for (index, operation) in rule.operations.iter().enumerate() {
        one_of(Some(operation), &OPERATIONS, &field.index(index), errors);
    }
    for (list, name, what) in
        [(rule.groups, "apiGroups", "API groups"), (rule.versions, "apiVersions", "API versions")]
    {
        let field = path.child(name);
        if list.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if wild(list) {
            let detail = format!("if '*' is present, must not specify other {what}");
            errors.push(FieldError::invalid_raw(field, go_strings(list), &detail));
        }
    }
    let field = path.child("apiVersions");
    for (index, _) in rule.versions.iter().enumerate().filter(|(_, version)| version.is_empty()) {
        errors.push(FieldError::required(field.index(index), ""));
    }
    resources(rule.resources, &path.child("resources"), errors);
    one_of(rule.scope, &SCOPES, &path.child("scope"), errors);
}

fn resources(resources: &[String], path: &Path<'_>, errors: &mut Errors) {
    if resources.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let (mut all_of, mut of_all) = (BTreeSet::new(), BTreeSet::new());
    let mut plain = false;
    for (index, resource) in resources.iter().enumerate() {
        let field = path.index(index);
        if resource.is_empty() {
            errors.push(FieldError::required(field, ""));
            continue;
        }
        let Some((of, sub)) = resource.split_once('/') else {
            plain = resource != "*";
            continue;
        };
        if all_of.contains(of) {
            let detail = format!("if '{of}/*' is present, must not specify {resource}");
            errors.push(FieldError::invalid(field, resource, &detail));
        }
        if of_all.contains(sub) {
            let detail = format!("if '*/{sub}' is present, must not specify {resource}");
            errors.push(FieldError::invalid(field, resource, &detail));
        }
        if sub == "*" {
            all_of.insert(of);
        }
        if of == "*" {
            of_all.insert(sub);
        }
    }
    let has = |wanted: &str| resources.iter().any(|resource| resource == wanted);
    if resources.len() > 1 && has("*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        errors.push(FieldError::invalid_raw(path, go_strings(resources), detail));
    }
    if has("*") && plain {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.push(FieldError::invalid_raw(path, go_strings(resources), detail));
    }
}

fn client(client: &WebhookClientConfig, path: &Path<'_>, errors: &mut Errors) {
    match (&client.url, &client.service) {
        (Some(found), None) => url(found, &path.child("url"), errors),
        (None, Some(found)) => service(found, &path.child("service"), errors),
        _ => {
            let detail = "exactly one of url or service is required";
            errors.push(FieldError::required(path, detail));
        }
    }
}

/// Upstream: `ValidateWebhookURL`.
fn url(url: &str, field: &Path<'_>, errors: &mut Errors) {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once(':').unwrap_or(("", rest));
    let authority = rest.strip_prefix("//").map_or("", |rest| rest.split('/').next().unwrap_or(""));
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if !scheme.eq_ignore_ascii_case("https") {
        let detail = format!("'https' is the only allowed URL scheme{FORM}");
        errors.push(FieldError::invalid(field, &scheme.to_ascii_lowercase(), &detail));
    }
    if host.is_empty() {
        errors.push(FieldError::invalid(field, host, &format!("host must be specified{FORM}")));
    }
    if let Some(user) = user {
        let detail = "user information is not permitted in the URL";
        errors.push(FieldError::invalid(field, user, detail));
    }
    if !fragment.is_empty() {
        let detail = "fragments are not permitted in the URL";
        errors.push(FieldError::invalid(field, fragment, detail));
    }
    if !query.is_empty() {
        let detail = "query parameters are not permitted in the URL";
        errors.push(FieldError::invalid(field, query, detail));
    }
}

/// Upstream: `ValidateWebhookService`, which is called with name and namespace the wrong way round:
/// a missing one is said of the other.
fn service(service: &ServiceReference, path: &Path<'_>, errors: &mut Errors) {
    if service.namespace.is_empty() {
        errors.push(FieldError::required(path.child("name"), ""));
    }
    if service.name.is_empty() {
        errors.push(FieldError::required(path.child("namespace"), ""));
    }
    let port = service.port.unwrap_or_default();
    let problems = names::port_number(port);
    if !problems.is_empty() {
        let detail = format!("port is not valid: {}", problems.join(", "));
        errors.push(FieldError::invalid_raw(path.child("port"), port, &detail));
    }
    let field = path.child("path");
    let text = match service.path.as_deref() {
        None | Some("" | "/") => return,
        Some("//") => {
            return errors.push(FieldError::invalid(field, "//", "segment[0] may not be empty"));
        }
        Some(text) => text,
    };
    if !text.starts_with('/') {
        errors.push(FieldError::invalid(field, text, "must start with a '/'"));
    }
    // As upstream: the first character goes, whatever it is.
    let mut letters = text.chars();
    letters.next();
    let steps = letters.as_str();
    for (index, step) in steps.strip_suffix('/').unwrap_or(steps).split('/').enumerate() {
        if step.is_empty() {
            let detail = format!("segment[{index}] may not be empty");
            errors.push(FieldError::invalid(field, text, &detail));
            continue;
        }
        for problem in names::dns1123_subdomain(step) {
            let detail = format!("segment[{index}]: {problem}");
            errors.push(FieldError::invalid(field, text, &detail));
        }
    }
}

/// Upstream: `validateMatchConditions`.
pub(super) fn conditions(conditions: &[MatchCondition], path: &Path<'_>, errors: &mut Errors) {
    if conditions.len() > CONDITIONS_MAX {
        errors.push(FieldError::too_many(path, conditions.len(), CONDITIONS_MAX as i64));
    }
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        if condition.expression.trim().is_empty() {
            errors.push(FieldError::required(path.child("expression"), ""));
        }
        let field = path.child("name");
        if condition.name.is_empty() {
            errors.push(FieldError::required(field, ""));
            continue;
        }
        all_invalid(names::qualified_name(&condition.name), &condition.name, &field, errors);
        if !seen.insert(&condition.name) {
            errors.push(FieldError::duplicate(field, &condition.name));
        }
    }
}

/// A list as Go's `%#v` writes it.
fn go_strings(list: &[String]) -> String {
    format!("[]string{{{}}}", quote_all(list))
}
