//! Resource quotas.
//!
//! Upstream: `pkg/registry/core/resourcequota/strategy.go`, `ValidateResourceQuota`,
//! `printResourceQuota`.

use super::cells;
use super::typed::{Typed, keep};
use crate::gofmt::{quote, quote_all};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, resourcenames};
use k8s_openapi::api::core::v1::{
    ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus, ScopeSelector,
    ScopedResourceSelectorRequirement,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};

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

    fn validate(&self, quota: &ResourceQuota) -> Vec<FieldError> {
        let mut errors = validate_spec(quota);
        errors.extend(validate_status(quota));
        errors
    }

    fn validate_update(
        &self,
        new: &ResourceQuota,
        old: &ResourceQuota,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new);
        }
        let mut errors = Typed::validate(self, new);
        let set = |quota: &ResourceQuota| BTreeSet::from_iter(scopes(quota).to_vec());
        if set(new) != set(old) {
            let value = go_scopes(scopes(new));
            errors.push(FieldError::invalid_raw("spec.scopes", value, "field is immutable"));
        }
        errors
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

fn scopes(quota: &ResourceQuota) -> &[String] {
    quota.spec.as_ref().and_then(|spec| spec.scopes.as_deref()).unwrap_or_default()
}

/// As Go writes them: `[]core.ResourceQuotaScope{"BestEffort"}`.
fn go_scopes(scopes: &[String]) -> String {
    match scopes {
        [] => "[]core.ResourceQuotaScope(nil)".to_owned(),
        scopes => format!("[]core.ResourceQuotaScope{{{}}}", quote_all(scopes)),
    }
}

fn validate_status(quota: &ResourceQuota) -> Vec<FieldError> {
    let Some(status) = &quota.status else { return Vec::new() };
    let path = Path::new("status");
    let mut errors = validate_list(status.hard.as_ref(), &path.child("hard"));
    errors.extend(validate_list(status.used.as_ref(), &path.child("used")));
    errors
}

fn validate_list(list: Option<&BTreeMap<String, Quantity>>, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, quantity) in list.into_iter().flatten() {
        let field = path.key(name);
        errors.extend(resourcenames::validate_quota(name, &field));
        errors.extend(resourcenames::validate_amount(name, quantity, &field));
    }
    errors
}

fn validate_spec(quota: &ResourceQuota) -> Vec<FieldError> {
    let Some(spec) = &quota.spec else { return Vec::new() };
    let path = Path::new("spec");
    let mut errors = validate_list(spec.hard.as_ref(), &path.child("hard"));
    let field = path.child("scopes");
    let chosen = scopes(quota);
    for scope in chosen {
        if !is_scope(scope) {
            let value = go_scopes(chosen);
            errors.push(FieldError::invalid_raw(field, value, "unsupported scope"));
        }
        for _ in unfit(spec, scope) {
            let detail = "unsupported scope applied to resource";
            errors.push(FieldError::invalid_raw(field, go_scopes(chosen), detail));
        }
    }
    let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
    conflicts(&names, chosen, &field, &mut errors);
    if let Some(selector) = &spec.scope_selector {
        let path = path.child("scopeSelector");
        validate_selector(spec, selector, &path.child("matchExpressions"), &mut errors);
    }
    errors
}

fn validate_selector(
    spec: &ResourceQuotaSpec,
    selector: &ScopeSelector,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    for expression in expressions {
        let scope = expression.scope_name.as_str();
        if !is_scope(scope) {
            let field = path.child("scopeName");
            errors.push(FieldError::invalid(field, scope, "unsupported scope"));
        }
        for _ in unfit(spec, scope) {
            let detail = "unsupported scope applied to resource";
            errors.push(FieldError::invalid_raw(path, go_selector(expressions), detail));
        }
        validate_operator(expression, path, errors);
    }
    let names: Vec<&str> = expressions.iter().map(|found| found.scope_name.as_str()).collect();
    let shown = spec.scopes.as_deref().unwrap_or_default();
    conflicts(&names, shown, path, errors);
}

fn validate_operator(
    expression: &ScopedResourceSelectorRequirement,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let operator = expression.operator.as_str();
    let values = expression.values.as_deref().unwrap_or_default();
    let plain =
        !matches!(expression.scope_name.as_str(), "PriorityClass" | "VolumeAttributesClass");
    if is_scope(&expression.scope_name) && plain && operator != "Exists" {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                      ResourceQuotaScopeNotBestEffort or \
                      ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.push(FieldError::invalid(path.child("operator"), operator, detail));
    }
    let field = path.child("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let detail =
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(FieldError::required(field, detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let value = format!("[]string{{{}}}", quote_all(values));
            let detail =
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(FieldError::invalid_raw(field, value, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(path.child("operator"), operator, detail));
        }
    }
}

/// Scopes of which no object can be in both.
fn conflicts(names: &[&str], shown: &[String], field: &Path<'_>, errors: &mut Vec<FieldError>) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| names.contains(scope)) {
            let value = go_scopes(shown);
            errors.push(FieldError::invalid_raw(field, value, "conflicting scopes"));
        }
    }
}

fn is_scope(scope: &str) -> bool {
    const SCOPES: [&str; 7] = [
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "VolumeAttributesClass",
        "CrossNamespacePodAffinity",
    ];
    SCOPES.contains(&scope)
}

/// The limited resources that a scope does not divide.
///
/// Upstream: `IsResourceQuotaScopeValidForResource`.
fn unfit<'a>(spec: &'a ResourceQuotaSpec, scope: &str) -> Vec<&'a str> {
    const PODS: &[&str] = &[
        "pods",
        "cpu",
        "memory",
        "limits.cpu",
        "limits.memory",
        "requests.cpu",
        "requests.memory",
    ];
    let fit: &[&str] = match scope {
        "BestEffort" => &["pods"],
        "VolumeAttributesClass" => &["persistentvolumeclaims", "requests.storage"],
        scope if is_scope(scope) => PODS,
        _ => return Vec::new(),
    };
    let names = spec.hard.iter().flatten().map(|(name, _)| name.as_str());
    names.filter(|name| resourcenames::is_standard_quota(name) && !fit.contains(name)).collect()
}

fn go_selector(expressions: &[ScopedResourceSelectorRequirement]) -> String {
    let expressions: Vec<String> = expressions
        .iter()
        .map(|found| {
            let values = match found.values.as_deref() {
                None | Some([]) => "[]string(nil)".to_owned(),
                Some(values) => format!("[]string{{{}}}", quote_all(values)),
            };
            format!(
                "core.ScopedResourceSelectorRequirement{{ScopeName:{}, Operator:{}, Values:{values}}}",
                quote(&found.scope_name),
                quote(&found.operator)
            )
        })
        .collect();
    format!(
        "core.ScopeSelector{{MatchExpressions:[]core.ScopedResourceSelectorRequirement{{{}}}}}",
        expressions.join(", ")
    )
}
