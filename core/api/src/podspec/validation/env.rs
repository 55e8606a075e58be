//! Environment variables, and the fields of a pod that can be read through them.
//!
//! Upstream: `ValidateEnv`, `ValidateEnvFrom`, `validateObjectFieldSelector`,
//! `validateContainerResourceFieldSelector`.

use super::{Errors, all_invalid};
use crate::{FieldError, Path, names, quantity::Amount};
use k8s_openapi::api::core::v1::{
    Container, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector,
};

/// The fields that a variable can show.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields that either a variable or a file can show, and those that neither can.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_DIVISORS: [&str; 13] =
    ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// What is wrong with `env` and `envFrom` of a container.
pub(super) fn validate(container: &Container, item: &Path<'_>, errors: &mut Errors) {
    let list = item.child("env");
    for (index, env) in container.env.iter().flatten().enumerate() {
        let item = list.index(index);
        let field = item.child("name");
        if env.name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else {
            all_invalid(names::env_var_name(&env.name), &env.name, &field, errors);
        }
        if let Some(source) = &env.value_from {
            let value = env.value.as_deref().unwrap_or_default();
            value_from(source, value, &item.child("valueFrom"), errors);
        }
    }
    env_from(container, &item.child("envFrom"), errors);
}

fn value_from(source: &EnvVarSource, value: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    if let Some(reference) = &source.field_ref {
        count += 1;
        object_field(reference, FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(reference) = &source.resource_field_ref {
        count += 1;
        resource_field(reference, false, &path.child("resourceFieldRef"), errors);
    }
    let keys = [
        ("configMapKeyRef", source.config_map_key_ref.as_ref().map(|r| (&r.name, &r.key))),
        ("secretKeyRef", source.secret_key_ref.as_ref().map(|r| (&r.name, &r.key))),
    ];
    for (which, reference) in keys {
        let Some((name, key)) = reference else { continue };
        count += 1;
        let field = path.child(which);
        all_invalid(names::dns1123_subdomain(name), name, &field.child("name"), errors);
        if key.is_empty() {
            errors.push(FieldError::required(field.child("key"), ""));
        } else {
            all_invalid(names::config_map_key(key), key, &field.child("key"), errors);
        }
    }
    let detail = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
             `secretKeyRef`"
        }
        _ if !value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(path, "", detail));
}

fn env_from(container: &Container, list: &Path<'_>, errors: &mut Errors) {
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        let item = list.index(index);
        if let Some(prefix) = source.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            all_invalid(names::env_var_name(prefix), prefix, &item.child("prefix"), errors);
        }
        let sources = [
            ("configMapRef", source.config_map_ref.as_ref().map(|reference| &reference.name)),
            ("secretRef", source.secret_ref.as_ref().map(|reference| &reference.name)),
        ];
        let mut count = 0;
        for (which, name) in sources {
            let Some(name) = name else { continue };
            count += 1;
            let reference = item.child(which);
            let field = reference.child("name");
            if name.is_empty() {
                errors.push(FieldError::required(field, ""));
            } else {
                let problems = names::dns1123_subdomain(&names::mask_trailing_dash(name));
                all_invalid(problems, name, &field, errors);
            }
        }
        let detail = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        // The path of these names the list.
        errors.push(FieldError::invalid(list, "", detail));
    }
}

/// What is wrong with a reference to a field of the pod, of which these can be shown.
pub(super) fn object_field(
    reference: &ObjectFieldSelector,
    shown: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let field = path.child("fieldPath");
    let version = reference.api_version.as_deref().unwrap_or_default();
    let name = reference.field_path.as_str();
    if version.is_empty() {
        return errors.push(FieldError::required(path.child("apiVersion"), ""));
    }
    if name.is_empty() {
        return errors.push(FieldError::required(field, ""));
    }
    let mut refuse = |problem: String| {
        let detail = format!("error converting fieldPath: {problem}");
        errors.push(FieldError::invalid(field, name, &detail));
    };
    if version != "v1" {
        return refuse(format!("unsupported pod version: {version}"));
    }
    match subscript(name) {
        Some(("metadata.annotations", key)) => {
            let problems = names::qualified_name(&key.to_lowercase());
            all_invalid(problems, &key.to_lowercase(), path, errors);
        }
        Some(("metadata.labels", key)) => {
            all_invalid(names::qualified_name(key), key, path, errors);
        }
        Some(_) => refuse(format!("field label does not support subscript: {name}")),
        // The old name of `spec.nodeName`.
        None if name == "spec.host" => {}
        None if !KNOWN_FIELDS.contains(&name) => {
            refuse(format!("field label not supported: {name}"));
        }
        None if !shown.contains(&name) => {
            let mut shown = shown.to_vec();
            shown.sort_unstable();
            errors.push(FieldError::not_supported(field, name, &shown));
        }
        None => {}
    }
}

/// `metadata.labels` and `app` of `metadata.labels['app']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['").filter(|(path, _)| !path.is_empty())
}

/// What is wrong with a reference to a resource of a container; one in a volume has to say of
/// which container.
pub(super) fn resource_field(
    reference: &ResourceFieldSelector,
    volume: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let resource = reference.resource.as_str();
    let pages = ["requests.hugepages-", "limits.hugepages-"];
    let pages = pages.iter().any(|prefix| resource.starts_with(prefix));
    if volume && reference.container_name.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::required(path.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(FieldError::required(path.child("resource"), ""));
    } else if !RESOURCES.contains(&resource) && !pages {
        errors.push(FieldError::not_supported(path.child("resource"), resource, RESOURCES));
    }
    let Some(divisor) = reference.divisor.as_ref().filter(|it| !Amount::of(it).is_zero()) else {
        return;
    };
    let (good, values, what) = match resource {
        "limits.cpu" | "requests.cpu" => {
            (matches!(divisor.0.as_str(), "1m" | "1"), "1m and 1".to_owned(), "cpu resource")
        }
        _ => {
            let what = match resource {
                "limits.memory" | "requests.memory" => "memory resource",
                "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
                    "local ephemeral storage resource"
                }
                _ if pages => "hugepages resource",
                _ => return,
            };
            (BYTE_DIVISORS.contains(&divisor.0.as_str()), BYTE_DIVISORS.join(", "), what)
        }
    };
    if !good {
        let detail = format!("only divisor's values {values} are supported with the {what}");
        errors.push(FieldError::invalid(path.child("divisor"), resource, &detail));
    }
}
