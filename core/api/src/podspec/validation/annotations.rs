//! Annotations of a pod that mean something.
//!
//! Upstream: `ValidatePodSpecificAnnotations`, `ValidatePodSpecificAnnotationUpdates`,
//! `validateSeccompAnnotationsAndFields`, `validateAppArmorAnnotationsAndFieldsMatchOnCreate`.

use super::volumes::relative_path;
use super::{Errors, os};
use crate::gofmt::quote;
use crate::{FieldError, Path};
use k8s_openapi::api::core::v1::PodSpec;
use std::collections::BTreeMap;

type Annotations = BTreeMap<String, String>;

/// Says that a pod stands for one that a kubelet runs from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// What is wrong with annotations that mean something.
pub(super) fn validate(
    annotations: Option<&Annotations>,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(annotations) = annotations else { return };
    let unbound = spec.node_name.as_ref().is_none_or(|node| node.is_empty());
    if let Some(value) = annotations.get(MIRROR).filter(|_| unbound) {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(FieldError::invalid(path.key(MIRROR), value, detail));
    }
    if let Some(cost) = annotations.get(DELETION_COST).filter(|cost| !is_cost(cost)) {
        let detail = "must be a 32bit integer";
        errors.push(FieldError::invalid(path.key(DELETION_COST), cost, detail));
    }
    if let Some(profile) = annotations.get(SECCOMP_POD) {
        seccomp(profile, &path.child(SECCOMP_POD), errors);
    }
    for (key, profile) in annotations {
        if key.starts_with(SECCOMP_CONTAINER) {
            seccomp(profile, &path.child(key), errors);
        } else if let Some(container) = key.strip_prefix(APP_ARMOR) {
            app_armor(container, profile, spec, &path.key(key), errors);
        }
    }
}

/// A whole number of 32 bits that does not begin with a plus or a zero.
fn is_cost(text: &str) -> bool {
    let first = text.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    (first || text == "0") && text.parse::<i32>().is_ok()
}

fn seccomp(profile: &str, field: &Path<'_>, errors: &mut Errors) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match profile.strip_prefix("localhost/") {
        Some(local) => relative_path(local, field, errors),
        None => errors.push(FieldError::invalid(field, profile, "must be a valid seccomp profile")),
    }
}

fn app_armor(
    container: &str,
    profile: &str,
    spec: &PodSpec,
    field: &Path<'_>,
    errors: &mut Errors,
) {
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    if !all.any(|other| other.name == container) {
        errors.push(FieldError::invalid(field, container, "container not found"));
    }
    let known = matches!(profile, "" | "runtime/default" | "unconfined");
    if !known && !profile.starts_with("localhost/") {
        let detail = format!("invalid AppArmor profile name: {}", quote(profile));
        errors.push(FieldError::invalid(field, profile, &detail));
    }
}

/// Where both an annotation and a field name a profile, it must be the same one.
pub(super) fn match_fields(
    annotations: Option<&Annotations>,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(annotations) = annotations else { return };
    let own = spec.security_context.as_ref();
    if let Some(profile) = own.and_then(|context| context.seccomp_profile.as_ref())
        && let Some(annotation) = annotations.get(SECCOMP_POD)
    {
        let context = path.child("securityContext");
        let local = profile.localhost_profile.as_deref();
        let field = context.child("seccompProfile");
        match_profile("seccomp", annotation, &profile.type_, local, &field, errors);
    }
    os::visit(spec, path, &mut |container, item| {
        let context = item.child("securityContext");
        let its = container.security_context.as_ref();
        if let Some(profile) = its.and_then(|its| its.seccomp_profile.as_ref())
            && let Some(annotation) =
                annotations.get(&format!("{SECCOMP_CONTAINER}{}", container.name))
        {
            let local = profile.localhost_profile.as_deref();
            let field = context.child("seccompProfile");
            match_profile("seccomp", annotation, &profile.type_, local, &field, errors);
        }
        let profile = its.and_then(|its| its.app_armor_profile.as_ref());
        let profile = profile.or(own.and_then(|own| own.app_armor_profile.as_ref()));
        if let Some(profile) = profile
            && let Some(annotation) = annotations.get(&format!("{APP_ARMOR}{}", container.name))
        {
            let local = profile.localhost_profile.as_deref();
            let field = context.child("appArmorProfile");
            match_profile("apparmor", annotation, &profile.type_, local, &field, errors);
        }
    });
}

fn match_profile(
    what: &str,
    annotation: &str,
    type_: &str,
    local: Option<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let same_type = match type_ {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => {
            annotation == "runtime/default" || what == "seccomp" && annotation == "docker/default"
        }
        "Localhost" => match annotation.strip_prefix("localhost/") {
            Some(profile) if local != Some(profile) => {
                let detail = format!("{what} profile in annotation and field must match");
                errors.push(FieldError::forbidden(path.child("localhostProfile"), &detail));
                return;
            }
            found => found.is_some(),
        },
        _ => true,
    };
    if !same_type {
        let detail = format!("{what} type in annotation and field must match");
        errors.push(FieldError::forbidden(path.child("type"), &detail));
    }
}

/// What is wrong with the change of annotations that stay as they are.
pub(super) fn update(
    new: Option<&Annotations>,
    old: Option<&Annotations>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let none = Annotations::new();
    let (new, old) = (new.unwrap_or(&none), old.unwrap_or(&none));
    let stays = |key: &str| match key {
        MIRROR => Some("mirror pod annotation"),
        _ if key.starts_with(APP_ARMOR) => Some("AppArmor annotations"),
        _ => None,
    };
    for (key, _) in old.iter().filter(|(key, value)| new.get(*key) != Some(*value)) {
        if let Some(what) = stays(key) {
            let detail = format!("may not remove or update {what}");
            errors.push(FieldError::forbidden(path.key(key), &detail));
        }
    }
    for key in new.keys().filter(|key| !old.contains_key(*key)) {
        if let Some(what) = stays(key) {
            errors.push(FieldError::forbidden(path.key(key), &format!("may not add {what}")));
        }
    }
}
