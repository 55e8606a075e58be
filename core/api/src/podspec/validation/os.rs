//! What only pods of one operating system may have.
//!
//! Upstream: `validateOS`, `validateLinux`, `validateWindows`, `validateWindowsHostProcessPod`.

use super::Errors;
use crate::{FieldError, Path};
use k8s_openapi::api::core::v1::{Container, PodSpec};

const ON_WINDOWS: &str = "cannot be set for a windows pod";

/// What is wrong with `os`, and with the fields that another one has.
pub(super) fn validate(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(os) = &spec.os else { return };
    let field = path.child("os");
    match os.name.as_str() {
        "" => errors.push(FieldError::required(field.child("name"), "cannot be empty")),
        "linux" => linux(spec, path, errors),
        "windows" => windows(spec, path, errors),
        other => errors.push(FieldError::not_supported(field, other, &["linux", "windows"])),
    }
}

fn linux(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut refuse = |path: &Path<'_>| {
        let context = path.child("securityContext");
        let detail = "windows options cannot be set for a linux pod";
        errors.push(FieldError::forbidden(context.child("windowsOptions"), detail));
    };
    if spec.security_context.as_ref().is_some_and(|context| context.windows_options.is_some()) {
        refuse(path);
    }
    visit(spec, path, &mut |container, item| {
        let context = container.security_context.as_ref();
        if context.is_some_and(|context| context.windows_options.is_some()) {
            refuse(item);
        }
    });
}

fn windows(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut refuse = |path: &Path<'_>, fields: &[(&str, bool)]| {
        for (field, _) in fields.iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(path.child(field), ON_WINDOWS));
        }
    };
    let own = path.child("securityContext");
    let none = Default::default();
    let context = spec.security_context.as_ref().unwrap_or(&none);
    refuse(
        &own,
        &[
            ("appArmorProfile", context.app_armor_profile.is_some()),
            ("seLinuxOptions", context.se_linux_options.is_some()),
        ],
    );
    refuse(
        path,
        &[
            ("hostUsers", spec.host_users.is_some()),
            ("hostPID", spec.host_pid == Some(true)),
            ("hostIPC", spec.host_ipc == Some(true)),
        ],
    );
    refuse(
        &own,
        &[
            ("seccompProfile", context.seccomp_profile.is_some()),
            ("fsGroup", context.fs_group.is_some()),
            ("fsGroupChangePolicy", context.fs_group_change_policy.is_some()),
            ("sysctls", context.sysctls.as_ref().is_some_and(|all| !all.is_empty())),
        ],
    );
    refuse(path, &[("shareProcessNamespace", spec.share_process_namespace.is_some())]);
    refuse(
        &own,
        &[
            ("runAsUser", context.run_as_user.is_some()),
            ("runAsGroup", context.run_as_group.is_some()),
            ("supplementalGroups", context.supplemental_groups.is_some()),
            ("supplementalGroupsPolicy", context.supplemental_groups_policy.is_some()),
            ("seLinuxChangePolicy", context.se_linux_change_policy.is_some()),
        ],
    );
    visit(spec, path, &mut |container, item| {
        let Some(context) = &container.security_context else { return };
        refuse(
            &item.child("securityContext"),
            &[
                ("appArmorProfile", context.app_armor_profile.is_some()),
                ("seLinuxOptions", context.se_linux_options.is_some()),
                ("seccompProfile", context.seccomp_profile.is_some()),
                ("capabilities", context.capabilities.is_some()),
                ("readOnlyRootFilesystem", context.read_only_root_filesystem.is_some()),
                ("privileged", context.privileged.is_some()),
                ("allowPrivilegeEscalation", context.allow_privilege_escalation.is_some()),
                ("procMount", context.proc_mount.is_some()),
                ("runAsUser", context.run_as_user.is_some()),
                ("runAsGroup", context.run_as_group.is_some()),
            ],
        );
    });
}

/// Processes of the Windows host: all containers are, or none.
pub(super) fn windows_host_process(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let own = spec.security_context.as_ref().and_then(|context| context.windows_options.as_ref());
    let own = own.and_then(|options| options.host_process);
    let (mut containers, mut of_host) = (0, 0);
    visit(spec, path, &mut |container, item| {
        containers += 1;
        let context = container.security_context.as_ref();
        let options = context.and_then(|context| context.windows_options.as_ref());
        let its = options.and_then(|options| options.host_process);
        if let (Some(own), Some(its)) = (own, its)
            && own != its
        {
            let context = item.child("securityContext");
            let options = context.child("windowsOptions");
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {own}");
            errors.push(FieldError::invalid_raw(options.child("hostProcess"), its, &detail));
        }
        of_host += usize::from(its.or(own) == Some(true));
    });
    if of_host == 0 {
        return;
    }
    if of_host != containers {
        let detail = "If pod contains any hostProcess containers then all containers must be \
                      HostProcess containers";
        errors.push(FieldError::invalid(path, "", detail));
    }
    if spec.host_network != Some(true) {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(FieldError::invalid_raw(path.child("hostNetwork"), false, detail));
    }
}

/// Calls `each` with every container and its path: init containers first, as upstream.
pub(crate) fn visit(spec: &PodSpec, path: &Path<'_>, each: &mut dyn FnMut(&Container, &Path<'_>)) {
    let list = path.child("initContainers");
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        each(container, &list.index(index));
    }
    let list = path.child("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        each(container, &list.index(index));
    }
}
