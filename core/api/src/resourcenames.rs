//! Names of resources: `cpu`, `requests.memory`, `example.com/gpu`.
//!
//! Upstream: `pkg/apis/core/helper/helpers.go`, `validateResourceName` in
//! `pkg/apis/core/validation/validation.go`.

use crate::quantity::{self, Amount};
use crate::{FieldError, Path, names};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const CONTAINER: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Counts, which are whole numbers.
const COUNTS: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const QUOTA: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
const REQUESTS: &str = "requests.";
const HUGE_PAGES: &str = "hugepages-";

/// Whether it counts pages of a larger size: `hugepages-2Mi`.
pub fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

/// Whether the name belongs to Kubernetes itself, as names without a domain do.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether it is a device or the like that somebody added: `example.com/gpu`.
pub fn is_extended(name: &str) -> bool {
    let in_quota = || names::qualified_name(&format!("{REQUESTS}{name}")).is_empty();
    !is_native(name) && !name.starts_with(REQUESTS) && in_quota()
}

/// Whether containers may get less than they are limited to.
pub fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

/// Whether every container may ask for it.
pub fn is_standard_container(name: &str) -> bool {
    CONTAINER.contains(&name) || is_huge_pages(name)
}

/// Whether every quota may limit it.
pub fn is_standard_quota(name: &str) -> bool {
    let name = name.strip_prefix(REQUESTS).filter(|rest| is_huge_pages(rest)).unwrap_or(name);
    QUOTA.contains(&name) || COUNTS.contains(&name) || is_huge_pages(name)
}

/// Whether amounts of it are whole numbers.
pub fn is_integer(name: &str) -> bool {
    COUNTS.contains(&name) || is_extended(name)
}

/// What is wrong with a name.
pub fn validate(name: &str, field: &Path<'_>) -> Vec<FieldError> {
    let problems = names::qualified_name(name);
    if !problems.is_empty() {
        return problems.iter().map(|why| FieldError::invalid_raw(field, name, why)).collect();
    }
    if name.contains('/') || name == "storage" || is_standard_quota(name) {
        return Vec::new();
    }
    let detail = "must be a standard resource type or fully qualified";
    vec![FieldError::invalid_raw(field, name, detail)]
}

/// What is wrong with a name that a container asks for.
///
/// Upstream: `validateContainerResourceName`.
pub fn validate_container(name: &str, field: &Path<'_>) -> Vec<FieldError> {
    let mut errors = validate(name, field);
    if !name.contains('/') {
        if !is_standard_container(name) {
            let detail = "must be a standard resource for containers";
            errors.push(FieldError::invalid_raw(field, name, detail));
        }
    } else if !is_native(name) && !is_extended(name) {
        let detail = "doesn't follow extended resource name standard";
        errors.push(FieldError::invalid_raw(field, name, detail));
    }
    errors
}

/// What is wrong with a name that a quota limits.
///
/// Upstream: `ValidateResourceQuotaResourceName`.
pub fn validate_quota(name: &str, field: &Path<'_>) -> Vec<FieldError> {
    let mut errors = validate(name, field);
    if !name.contains('/') && !is_standard_quota(name) {
        let detail = "must be a standard resource for quota";
        errors.push(FieldError::invalid_raw(field, name, detail));
    }
    errors
}

/// What is wrong with an amount of a resource.
///
/// Upstream: `ValidateResourceQuantityValue`.
pub fn validate_amount(name: &str, quantity: &Quantity, field: &Path<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let amount = Amount::of(quantity);
    if amount < Amount::ZERO {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(field, &amount.to_string(), detail));
    }
    if is_integer(name) && amount.milli_value() % 1000 != 0 {
        let value = quantity::go_syntax(quantity);
        errors.push(FieldError::invalid_raw(field, value, "must be an integer"));
    }
    errors
}
