//! Containers of every sort.
//!
//! Upstream: `validateContainers`, `validateInitContainers`, `validateEphemeralContainers`.

use super::{Errors, Scope, all_invalid, env, handlers, mounts, one_of, port_number, resources};
use super::{required, security};
use crate::{FieldError, Path, gofmt, names};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerResizePolicy, EphemeralContainer, PodSpec,
    ResourceRequirements,
};
use std::collections::BTreeSet;

/// What is wrong with the containers of a spec at `path`.
pub(super) fn validate(scope: &Scope<'_>, path: &Path<'_>, errors: &mut Errors) {
    regular(scope, &path.child("containers"), errors);
    init(scope, &path.child("initContainers"), errors);
    ephemeral(scope, &path.child("ephemeralContainers"), errors);
}

fn regular(scope: &Scope<'_>, list: &Path<'_>, errors: &mut Errors) {
    let containers = &scope.spec.containers;
    if containers.is_empty() {
        errors.push(FieldError::required(list, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let item = list.index(index);
        common(container, scope, &item, errors);
        if !seen.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(item.child("name"), &container.name));
        }
        handlers::validate(container, scope.spec, &item, errors);
        if container.restart_policy.is_some() {
            let field = item.child("restartPolicy");
            errors.push(FieldError::forbidden(field, "may not be set for non-init containers"));
        }
    }
    host_ports(containers.iter().enumerate(), list, errors);
}

fn init(scope: &Scope<'_>, list: &Path<'_>, errors: &mut Errors) {
    const DETAIL: &str = "may not be set for init containers without restartPolicy=Always";
    let mut seen: BTreeSet<&str> = scope.spec.containers.iter().map(|c| c.name.as_str()).collect();
    for (index, container) in scope.spec.init_containers.iter().flatten().enumerate() {
        let item = list.index(index);
        common(container, scope, &item, errors);
        if let Some(policy) = container.restart_policy.as_deref().filter(|it| *it != "Always") {
            let field = item.child("restartPolicy");
            errors.push(FieldError::not_supported(field, policy, &["Always"]));
        }
        if seen.contains(container.name.as_str()) {
            errors.push(FieldError::duplicate(item.child("name"), &container.name));
        } else if !container.name.is_empty() {
            seen.insert(&container.name);
        }
        // These run one after the other, so their ports do not meet.
        host_ports(std::iter::once((0, container)), list, errors);
        if container.restart_policy.as_deref() == Some("Always") {
            handlers::validate(container, scope.spec, &item, errors);
            continue;
        }
        let fields = [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(item.child(field), DETAIL));
        }
    }
}

fn ephemeral(scope: &Scope<'_>, list: &Path<'_>, errors: &mut Errors) {
    const DETAIL: &str = "cannot be set for an Ephemeral Container";
    let Some(containers) = &scope.spec.ephemeral_containers else { return };
    let inits = scope.spec.init_containers.iter().flatten();
    let others: BTreeSet<&str> =
        scope.spec.containers.iter().chain(inits).map(|other| other.name.as_str()).collect();
    let mut seen = others.clone();
    for (index, container) in containers.iter().enumerate() {
        let item = list.index(index);
        common(&as_container(container), scope, &item, errors);
        image_is_trimmed(container.image.as_deref(), &item, errors);
        if !seen.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(item.child("name"), &container.name));
        }
        let target = container.target_container_name.as_deref().unwrap_or_default();
        if !target.is_empty() && !others.contains(target) {
            errors.push(FieldError::not_found(item.child("targetContainerName"), target));
        }
        let some = |list: Option<usize>| list.is_some_and(|length| length > 0);
        let resources = container.resources.as_ref();
        let fields = [
            ("ports", some(container.ports.as_ref().map(Vec::len))),
            ("resources", resources.is_some_and(|it| **it != ResourceRequirements::default())),
            ("resizePolicy", some(container.resize_policy.as_ref().map(Vec::len))),
            ("restartPolicy", container.restart_policy.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(item.child(field), DETAIL));
        }
        let mounts = item.child("volumeMounts");
        for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
            let item = mounts.index(index);
            let fields = [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)];
            for (field, value) in fields {
                if value.as_ref().is_some_and(|value| !value.is_empty()) {
                    errors.push(FieldError::forbidden(item.child(field), DETAIL));
                }
            }
        }
    }
}

/// What holds for containers of every sort.
fn common(container: &Container, scope: &Scope<'_>, item: &Path<'_>, errors: &mut Errors) {
    let field = item.child("name");
    if container.name.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else {
        all_invalid(names::dns1123_label(&container.name), &container.name, &field, errors);
    }
    required(container.image.as_deref().unwrap_or_default(), &item.child("image"), errors);
    const MESSAGES: &[&str] = &["File", "FallbackToLogsOnError"];
    let policy = container.termination_message_policy.as_deref();
    one_of(policy, MESSAGES, &item.child("terminationMessagePolicy"), errors);
    let list = item.child("ports");
    let mut seen = BTreeSet::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        container_port(port, &mut seen, &list.index(index), errors);
    }
    env::validate(container, item, errors);
    mounts::validate(container, &scope.volumes, item, errors);
    const PULL: &[&str] = &["Always", "IfNotPresent", "Never"];
    let policy = container.image_pull_policy.as_deref();
    one_of(policy, PULL, &item.child("imagePullPolicy"), errors);
    if let Some(requirements) = &container.resources {
        resources::requirements(requirements, &item.child("resources"), errors);
    }
    let policies = container.resize_policy.as_deref().unwrap_or_default();
    resize_policies(policies, scope.spec, &item.child("resizePolicy"), errors);
    if let Some(context) = &container.security_context {
        security::container(context, scope.host_users(), &item.child("securityContext"), errors);
    }
}

fn container_port<'a>(
    port: &'a ContainerPort,
    seen: &mut BTreeSet<&'a str>,
    item: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
        let problems = names::port_name(name);
        if !problems.is_empty() {
            all_invalid(problems, name, &item.child("name"), errors);
        } else if !seen.insert(name) {
            errors.push(FieldError::duplicate(item.child("name"), name));
        }
    }
    if port.container_port == 0 {
        errors.push(FieldError::required(item.child("containerPort"), ""));
    } else {
        port_number(port.container_port, &item.child("containerPort"), errors);
    }
    if let Some(number) = port.host_port.filter(|number| *number != 0) {
        port_number(number, &item.child("hostPort"), errors);
    }
    const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
    one_of(port.protocol.as_deref(), PROTOCOLS, &item.child("protocol"), errors);
}

fn host_ports<'a>(
    containers: impl Iterator<Item = (usize, &'a Container)>,
    list: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen = BTreeSet::new();
    for (index, container) in containers {
        let item = list.index(index);
        let ports = item.child("ports");
        for (index, port) in container.ports.iter().flatten().enumerate() {
            let Some(number) = port.host_port.filter(|number| *number != 0) else { continue };
            let protocol = port.protocol.as_deref().unwrap_or_default();
            let address = port.host_ip.as_deref().unwrap_or_default();
            if !seen.insert((protocol, address, number)) {
                let text = format!("{protocol}/{address}/{number}");
                errors.push(FieldError::duplicate(ports.index(index).child("hostPort"), &text));
            }
        }
    }
}

fn resize_policies(
    policies: &[ContainerResizePolicy],
    spec: &PodSpec,
    list: &Path<'_>,
    errors: &mut Errors,
) {
    let never = spec.restart_policy.as_deref() == Some("Never");
    let mut seen = BTreeSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let name = policy.resource_name.as_str();
        if !seen.insert(name) {
            errors.push(FieldError::duplicate_raw(list.index(index), name));
        }
        match name {
            "" => errors.push(FieldError::required(list, "")),
            "cpu" | "memory" => {}
            other => {
                let known = &["cpu", "memory"];
                errors.push(FieldError::not_supported_raw(list, other, known));
            }
        }
        const RESTARTS: &[&str] = &["NotRequired", "RestartContainer"];
        one_of(Some(&policy.restart_policy), RESTARTS, list, errors);
        if never && policy.restart_policy != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(list, &policy.restart_policy, detail));
        }
    }
}

/// In a pod, though not in a template, images have no blanks around them.
pub(super) fn images_are_trimmed(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let none = Vec::new();
    let inits = spec.init_containers.as_ref().unwrap_or(&none);
    for (field, containers) in [("containers", &spec.containers), ("initContainers", inits)] {
        let list = path.child(field);
        for (index, container) in containers.iter().enumerate() {
            image_is_trimmed(container.image.as_deref(), &list.index(index), errors);
        }
    }
}

fn image_is_trimmed(image: Option<&str>, item: &Path<'_>, errors: &mut Errors) {
    if let Some(image) = image.filter(|image| image.trim().len() != image.len()) {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(item.child("image"), image, detail));
    }
}

/// An ephemeral container as one of the others, which has the same fields and more.
fn as_container(ephemeral: &EphemeralContainer) -> Container {
    let EphemeralContainer {
        args,
        command,
        env,
        env_from,
        image,
        image_pull_policy,
        lifecycle,
        liveness_probe,
        name,
        ports,
        readiness_probe,
        resize_policy,
        resources,
        restart_policy,
        security_context,
        startup_probe,
        stdin,
        stdin_once,
        target_container_name: _,
        termination_message_path,
        termination_message_policy,
        tty,
        volume_devices,
        volume_mounts,
        working_dir,
    } = ephemeral.clone();
    Container {
        args,
        command,
        env,
        env_from,
        image,
        image_pull_policy,
        lifecycle,
        liveness_probe,
        name,
        ports,
        readiness_probe,
        resize_policy,
        resources,
        restart_policy,
        security_context,
        startup_probe,
        stdin,
        stdin_once,
        termination_message_path,
        termination_message_policy,
        tty,
        volume_devices,
        volume_mounts,
        working_dir,
    }
}

/// The texts of a list as Go's `%#v` writes them.
pub(super) fn go_texts(texts: &[String]) -> String {
    format!("[]string{{{}}}", gofmt::quote_all(texts))
}
