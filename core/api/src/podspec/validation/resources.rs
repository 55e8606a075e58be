//! What is wrong with requests and limits.
//!
//! Upstream: `pkg/apis/core/v1/validation/validation.go`, `ValidateContainerResourceRequirements` in
//! `pkg/apis/core/validation/validation.go`.

use super::{Errors, NOT_NEGATIVE, all_invalid};
use crate::quantity::Amount;
use crate::{FieldError, Path, names};
use k8s_openapi::api::core::v1::ResourceRequirements;

/// What is wrong with requests and limits.
///
/// Upstream: `ValidateContainerResourceRequirements`.
pub(super) fn requirements(
    requirements: &ResourceRequirements,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.child("limits");
    for (name, quantity) in requirements.limits.iter().flatten() {
        resource(name, Amount::of(quantity), &list.key(name), errors);
    }
    let list = path.child("requests");
    for (name, quantity) in requirements.requests.iter().flatten() {
        let field = list.key(name);
        let request = Amount::of(quantity);
        resource(name, request, &field, errors);
        let limit = requirements.limits.as_ref().and_then(|limits| limits.get(name));
        if let Some(limit) = limit.map(Amount::of).filter(|limit| request > *limit) {
            // The path of this one names the list, not the entry.
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(list, &request.to_string(), &detail));
        }
    }
}

pub(crate) fn container_resource_name(name: &str, field: &Path<'_>, errors: &mut Errors) {
    resource(name, Amount::ZERO, field, errors);
}

fn resource(name: &str, amount: Amount, field: &Path<'_>, errors: &mut Errors) {
    all_invalid(names::qualified_name(name), name, field, errors);
    const KNOWN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    if !name.contains('/') && !KNOWN.contains(&name) && !name.starts_with("hugepages-") {
        let detail = "must be a standard resource type or fully qualified";
        errors.push(FieldError::invalid(field, name, detail));
        let detail = "must be a standard resource for containers";
        errors.push(FieldError::invalid(field, name, detail));
    }
    if amount < Amount::ZERO {
        errors.push(FieldError::invalid(field, &amount.to_string(), NOT_NEGATIVE));
    }
}
