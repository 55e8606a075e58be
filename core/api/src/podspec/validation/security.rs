//! Users, groups, capabilities, seccomp, AppArmor, sysctls.
//!
//! Upstream: `validatePodSpecSecurityContext`, `ValidateSecurityContext`, `validateHostUsers`.

use super::volumes::relative_path;
use super::{Errors, in_range, known_or_none};
use crate::{FieldError, Path, gofmt};
use k8s_openapi::api::core::v1::{
    AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};
use std::collections::BTreeSet;

const SYSCTL_MAX: usize = 253;
const PROFILE_TYPES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];

/// What is wrong with the pod's own security context.
pub(super) fn pod(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(context) = &spec.security_context else { return };
    let path = path.child("securityContext");
    let ids = [
        ("fsGroup", context.fs_group),
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
    ];
    for (field, id) in ids {
        user(id, &path.child(field), errors);
    }
    let list = path.child("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        user(Some(*group), &list.index(index), errors);
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        let field = path.child("shareProcessNamespace");
        errors.push(FieldError::invalid_raw(field, true, detail));
    }
    sysctls(context, spec, &path.child("sysctls"), errors);
    let policies: [(&str, &Option<String>, &[&str]); 3] = [
        ("fsGroupChangePolicy", &context.fs_group_change_policy, &["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", &context.supplemental_groups_policy, &["Merge", "Strict"]),
        // The feature gate `SELinuxMount` is off.
        ("seLinuxChangePolicy", &context.se_linux_change_policy, &["Recursive"]),
    ];
    let [change, groups, labels] = policies;
    let policy = |(field, value, known): (&str, &Option<String>, &[&str]), errors: &mut _| {
        known_or_none(value.as_deref(), known, &path.child(field), errors);
    };
    policy(change, errors);
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
    policy(groups, errors);
    policy(labels, errors);
}

/// What is wrong with a container's security context.
pub(super) fn container(
    context: &SecurityContext,
    host_users: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    user(context.run_as_user, &path.child("runAsUser"), errors);
    user(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(mount) = context.proc_mount.as_deref() {
        let field = path.child("procMount");
        known_or_none(Some(mount), &["Default", "Unmasked"], &field, errors);
        if host_users && mount == "Unmasked" {
            let detail = "`hostUsers` must be false to use `Unmasked`";
            errors.push(FieldError::invalid(field, mount, detail));
        }
    }
    seccomp(context.seccomp_profile.as_ref(), &path.child("seccompProfile"), errors);
    if context.allow_privilege_escalation == Some(false) {
        let mut refuse = |what: &str| {
            let value = gofmt::dump("core.SecurityContext", context);
            let detail = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            errors.push(FieldError::invalid_raw(path, value, &detail));
        };
        if context.privileged == Some(true) {
            refuse("`privileged` to true");
        }
        let added = context.capabilities.as_ref().and_then(|all| all.add.as_ref());
        if added.is_some_and(|added| added.iter().any(|name| name == "CAP_SYS_ADMIN")) {
            refuse("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    app_armor(context.app_armor_profile.as_ref(), &path.child("appArmorProfile"), errors);
}

/// A pod with users of its own is in no other namespace of the node's.
pub(super) fn host_users(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if spec.host_users != Some(false) {
        return;
    }
    // Two of these are written as Go names them.
    let namespaces = [
        ("hostNetwork", spec.host_network),
        ("HostPID", spec.host_pid),
        ("HostIPC", spec.host_ipc),
    ];
    for (field, _) in namespaces.into_iter().filter(|(_, shared)| *shared == Some(true)) {
        let detail = "when `pod.Spec.HostUsers` is false";
        errors.push(FieldError::forbidden(path.child(field), detail));
    }
}

fn user(id: Option<i64>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(id) = id {
        in_range(id, 0..=i64::from(i32::MAX), field, errors);
    }
}

fn seccomp(profile: Option<&SeccompProfile>, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = profile else { return };
    if profile.type_.is_empty() {
        let detail = "type is required when seccompProfile is set";
        errors.push(FieldError::required(path.child("type"), detail));
    } else {
        known_or_none(Some(&profile.type_), PROFILE_TYPES, &path.child("type"), errors);
    }
    let field = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None) => {
            let detail = "must be set when seccomp type is Localhost";
            errors.push(FieldError::required(field, detail));
        }
        ("Localhost", Some(local)) => relative_path(local, &field, errors),
        (_, Some(_)) => {
            let value = gofmt::dump("core.SeccompProfile", profile);
            let detail = "can only be set when seccomp type is Localhost";
            errors.push(FieldError::invalid_raw(field, value, detail));
        }
        (_, None) => {}
    }
}

fn app_armor(profile: Option<&AppArmorProfile>, path: &Path<'_>, errors: &mut Errors) {
    const PROFILE_MAX: usize = 4095;
    const UNSET: &str = "must be set when AppArmor type is Localhost";
    let Some(profile) = profile else { return };
    let field = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_deref()) {
        ("Localhost", None) => errors.push(FieldError::required(field, UNSET)),
        ("Localhost", Some(local)) => {
            if local.trim() != local {
                let detail = "must not be padded with whitespace";
                errors.push(FieldError::invalid(field, local, detail));
            } else if local.is_empty() {
                errors.push(FieldError::required(field, UNSET));
            }
            if local.len() > PROFILE_MAX {
                errors.push(FieldError::too_long(field, PROFILE_MAX));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(local)) => {
            let detail = "can only be set when AppArmor type is Localhost";
            errors.push(FieldError::invalid(field, local, detail));
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => {
            let detail = "type is required when appArmorProfile is set";
            errors.push(FieldError::required(path.child("type"), detail));
        }
        (other, _) => {
            let field = path.child("type");
            errors.push(FieldError::not_supported(field, other, PROFILE_TYPES));
        }
    }
}

fn sysctls(context: &PodSecurityContext, spec: &PodSpec, list: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
        let item = list.index(index);
        let (field, name) = (item.child("name"), sysctl.name.as_str());
        if name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if !is_sysctl(name) {
            let detail = format!(
                "must have at most {SYSCTL_MAX} characters and match regex \
                 ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            );
            errors.push(FieldError::invalid(field, name, &detail));
        } else if seen.contains(name) {
            errors.push(FieldError::duplicate(field, name));
        }
        let of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if spec.host_network == Some(true) && of(&["net.", "net/"]) {
            let detail = "may not be specified when 'hostNetwork' is true";
            errors.push(FieldError::invalid(field, name, detail));
        } else if spec.host_ipc == Some(true)
            && of(&["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."])
        {
            let detail = "may not be specified when 'hostIPC' is true";
            errors.push(FieldError::invalid(field, name, detail));
        }
        seen.insert(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|b| edge(b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= SYSCTL_MAX && name.split(['.', '/']).all(segment)
}
