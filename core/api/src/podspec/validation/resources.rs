//! What is wrong with requests and limits.
//!
//! Upstream: `pkg/apis/core/v1/validation/validation.go`, `ValidateContainerResourceRequirements` in
//! `pkg/apis/core/validation/validation.go`.

use super::Errors;
use crate::quantity::Amount;
use crate::{FieldError, Path, resourcenames};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

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
        resource(name, quantity, &list.key(name), errors);
    }
    let list = path.child("requests");
    for (name, quantity) in requirements.requests.iter().flatten() {
        let field = list.key(name);
        let request = Amount::of(quantity);
        resource(name, quantity, &field, errors);
        let limit = requirements.limits.as_ref().and_then(|limits| limits.get(name));
        if let Some(limit) = limit.map(Amount::of).filter(|limit| request > *limit) {
            // The path of this one names the list, not the entry.
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(list, &request.to_string(), &detail));
        }
    }
}

fn resource(name: &str, quantity: &Quantity, field: &Path<'_>, errors: &mut Errors) {
    errors.extend(resourcenames::validate_container(name, field));
    errors.extend(resourcenames::validate_amount(name, quantity, field));
}
