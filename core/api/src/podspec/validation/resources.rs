//! Requests and limits.
//!
//! Upstream: `ValidateContainerResourceRequirements`.

use super::Errors;
use crate::quantity::Amount;
use crate::{FieldError, Path, resourcenames};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// What is wrong with the requests and limits of a container.
pub(super) fn requirements(
    requirements: &ResourceRequirements,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (limit_list, request_list) = (path.child("limits"), path.child("requests"));
    let none = BTreeMap::new();
    let limits = requirements.limits.as_ref().unwrap_or(&none);
    let requests = requirements.requests.as_ref().unwrap_or(&none);
    for (name, quantity) in limits {
        resource(name, quantity, &limit_list.key(name), errors);
    }
    for (name, quantity) in requests {
        resource(name, quantity, &request_list.key(name), errors);
        let request = Amount::of(quantity);
        match limits.get(name).map(Amount::of) {
            None if !resourcenames::is_overcommit_allowed(name) => {
                let detail = "Limit must be set for non overcommitable resources";
                errors.push(FieldError::required(limit_list, detail));
            }
            None => {}
            // The paths of these name the list, not the entry.
            Some(limit) if request != limit && !resourcenames::is_overcommit_allowed(name) => {
                let detail = format!("must be equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(request_list, &request.to_string(), &detail));
            }
            Some(limit) if request > limit => {
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(request_list, &request.to_string(), &detail));
            }
            Some(_) => {}
        }
    }
    let mut asked = limits.keys().chain(requests.keys());
    let compute = asked.clone().any(|name| matches!(name.as_str(), "cpu" | "memory"));
    if !compute && asked.any(|name| resourcenames::is_huge_pages(name)) {
        errors.push(FieldError::forbidden(path, "HugePages require cpu or memory"));
    }
    claims(requirements, &path.child("claims"), errors);
}

/// Claims of devices are not served (the feature gate `DynamicResourceAllocation` is off), so no
/// pod has any that could be named.
fn claims(requirements: &ResourceRequirements, list: &Path<'_>, errors: &mut Errors) {
    for (index, claim) in requirements.claims.iter().flatten().enumerate() {
        let item = list.index(index);
        if claim.name.is_empty() {
            errors.push(FieldError::required(item, ""));
            continue;
        }
        let mut error = FieldError::not_found(item, &claim.name);
        error
            .message
            .push_str(": must be one of the names in pod.spec.resourceClaims which is empty");
        errors.push(error);
    }
}

/// What is wrong with the overhead of a pod's runtime.
pub(super) fn overhead(
    overhead: &BTreeMap<String, Quantity>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let limits = Some(overhead.clone());
    let all = ResourceRequirements { limits, ..ResourceRequirements::default() };
    requirements(&all, path, errors);
}

fn resource(name: &str, quantity: &Quantity, field: &Path<'_>, errors: &mut Errors) {
    errors.extend(resourcenames::validate_container(name, field));
    errors.extend(resourcenames::validate_amount(name, quantity, field));
    let pages = name.strip_prefix("hugepages-").and_then(|size| size.parse::<Amount>().ok());
    if let Some(size) = pages.map(Amount::value) {
        let amount = Amount::of(quantity);
        if size == 0 || amount.value() % size != 0 {
            let detail = format!("{amount} is not positive integer multiple of {name}");
            errors.push(FieldError::invalid(field, &amount.to_string(), &detail));
        }
    }
}
