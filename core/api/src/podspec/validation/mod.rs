//! What is wrong with a pod spec.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`. The fields of features that are not
//! simulated are not checked.

mod resources;

use crate::labels;
use crate::names;
use crate::quantity::Amount;
use crate::{FieldError, Path};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EphemeralContainer, HTTPGetAction, Lifecycle,
    LifecycleHandler, PodSpec, PodTemplateSpec, Probe, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// Of numbers below zero.
pub(crate) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// What is wrong with a template at `path`.
///
/// Upstream: `ValidatePodTemplateSpec`.
pub fn template(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    template_metadata(template, path, errors);
    let none = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&none);
    errors.extend(pod_spec(spec, &path.child("spec")));
}

/// What is wrong with the labels and annotations of a template at `path`.
pub fn template_metadata(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(meta) = &template.metadata else { return };
    errors.extend(labels::validate(meta.labels.as_ref(), path.child("labels")));
    let field = path.child("annotations");
    errors.extend(labels::validate_annotations(meta.annotations.as_ref(), field));
}

/// What is wrong with the spec of a pod or a template at `path`.
pub fn pod_spec(spec: &PodSpec, path: &Path<'_>) -> Errors {
    let mut errors = Vec::new();
    let volumes = volumes(spec.volumes.as_deref().unwrap_or_default(), path, &mut errors);
    containers(spec, &volumes, path, &mut errors);
    init_containers(spec, &volumes, path, &mut errors);
    ephemeral_containers(spec, &volumes, path, &mut errors);
    policies(spec, path, &mut errors);
    errors.extend(labels::validate(spec.node_selector.as_ref(), path.child("nodeSelector")));
    spec_names(spec, path, &mut errors);
    if let Some(seconds) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let field = path.child("activeDeadlineSeconds");
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid_raw(field, seconds, detail));
    }
    let list = path.child("tolerations");
    for (index, toleration) in spec.tolerations.iter().flatten().enumerate() {
        tolerations(toleration, &list.index(index), &mut errors);
    }
    errors
}

fn policies(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    const RESTART: &[&str] = &["Always", "OnFailure", "Never"];
    const DNS: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec.restart_policy.as_deref(), RESTART, &path.child("restartPolicy"), errors);
    one_of(spec.dns_policy.as_deref(), DNS, &path.child("dnsPolicy"), errors);
    if spec.host_network == Some(true) {
        let list = path.child("containers");
        for (index, container) in spec.containers.iter().enumerate() {
            let item = list.index(index);
            let ports = item.child("ports");
            for (index, port) in container.ports.iter().flatten().enumerate() {
                if port.host_port != Some(port.container_port) {
                    let item = ports.index(index);
                    errors.push(FieldError::invalid_raw(
                        item.child("containerPort"),
                        port.container_port,
                        "must match `hostPort` when `hostNetwork` is true",
                    ));
                }
            }
        }
    }
}

fn spec_names(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    type Check = fn(&str) -> Vec<String>;
    let fields: [(&str, Option<&String>, Check); 5] = [
        ("serviceAccountName", spec.service_account_name.as_ref(), names::dns1123_subdomain),
        ("nodeName", spec.node_name.as_ref(), names::dns1123_subdomain),
        ("hostname", spec.hostname.as_ref(), names::dns1123_label),
        ("subdomain", spec.subdomain.as_ref(), names::dns1123_label),
        ("priorityClassName", spec.priority_class_name.as_ref(), names::dns1123_subdomain),
    ];
    for (field, value, check) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            all_invalid(check(value), value, &path.child(field), errors);
        }
    }
}

/// Checks the volumes; answers with the names of the good ones.
fn volumes(volumes: &[Volume], path: &Path<'_>, errors: &mut Errors) -> BTreeSet<String> {
    let list = path.child("volumes");
    let mut good = BTreeSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let item = list.index(index);
        let before = errors.len();
        volume_source(volume, &item, errors);
        let field = item.child("name");
        if volume.name.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else {
            all_invalid(names::dns1123_label(&volume.name), &volume.name, &field, errors);
        }
        if good.contains(&volume.name) {
            errors.push(FieldError::duplicate(field, &volume.name));
        }
        if errors.len() == before {
            good.insert(volume.name.clone());
        }
    }
    good
}

fn volume_source(volume: &Volume, item: &Path<'_>, errors: &mut Errors) {
    let sources = [
        ("emptyDir", volume.empty_dir.is_some()),
        ("hostPath", volume.host_path.is_some()),
        ("secret", volume.secret.is_some()),
        ("nfs", volume.nfs.is_some()),
        ("persistentVolumeClaim", volume.persistent_volume_claim.is_some()),
        ("downwardAPI", volume.downward_api.is_some()),
        ("configMap", volume.config_map.is_some()),
        ("projected", volume.projected.is_some()),
        ("csi", volume.csi.is_some()),
        ("ephemeral", volume.ephemeral.is_some()),
    ];
    for (name, _) in sources.into_iter().filter(|(_, set)| *set).skip(1) {
        let detail = "may not specify more than 1 volume type";
        errors.push(FieldError::forbidden(item.child(name), detail));
    }
    if volume.host_path.as_ref().is_some_and(|source| source.path.is_empty()) {
        errors.push(FieldError::required(item.child("hostPath").child("path"), ""));
    }
    let secret = volume.secret.as_ref();
    if secret.is_some_and(|source| source.secret_name.as_deref().unwrap_or_default().is_empty()) {
        errors.push(FieldError::required(item.child("secret").child("secretName"), ""));
    }
    if volume.config_map.as_ref().is_some_and(|source| source.name.is_empty()) {
        errors.push(FieldError::required(item.child("configMap").child("name"), ""));
    }
    let claim = volume.persistent_volume_claim.as_ref();
    if claim.is_some_and(|source| source.claim_name.is_empty()) {
        let field = item.child("persistentVolumeClaim");
        errors.push(FieldError::required(field.child("claimName"), ""));
    }
}

fn containers(spec: &PodSpec, volumes: &BTreeSet<String>, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("containers");
    if spec.containers.is_empty() {
        errors.push(FieldError::required(list, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let item = list.index(index);
        common(container, volumes, &item, errors);
        if !seen.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(item.child("name"), &container.name));
        }
        running(container, &item, errors);
        if container.restart_policy.is_some() {
            let field = item.child("restartPolicy");
            errors.push(FieldError::forbidden(field, "may not be set for non-init containers"));
        }
    }
    host_ports(&spec.containers, &list, errors);
}

fn init_containers(
    spec: &PodSpec,
    volumes: &BTreeSet<String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    const DETAIL: &str = "may not be set for init containers without restartPolicy=Always";
    let list = path.child("initContainers");
    let mut seen: BTreeSet<&str> = spec.containers.iter().map(|c| c.name.as_str()).collect();
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let item = list.index(index);
        common(container, volumes, &item, errors);
        if let Some(policy) = &container.restart_policy {
            one_of(Some(policy), &["Always"], &item.child("restartPolicy"), errors);
        }
        if !container.name.is_empty() && !seen.insert(&container.name) {
            errors.push(FieldError::duplicate(item.child("name"), &container.name));
        }
        if container.restart_policy.as_deref() == Some("Always") {
            running(container, &item, errors);
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

/// Upstream: `validateEphemeralContainers`.
fn ephemeral_containers(
    spec: &PodSpec,
    volumes: &BTreeSet<String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    const DETAIL: &str = "cannot be set for an Ephemeral Container";
    let list = path.child("ephemeralContainers");
    let others = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let others: BTreeSet<&str> = others.map(|container| container.name.as_str()).collect();
    let mut names = others.clone();
    for (index, ephemeral) in spec.ephemeral_containers.iter().flatten().enumerate() {
        let item = list.index(index);
        let container = as_container(ephemeral);
        common(&container, volumes, &item, errors);
        if !names.insert(&ephemeral.name) {
            errors.push(FieldError::duplicate(item.child("name"), &ephemeral.name));
        }
        let target = ephemeral.target_container_name.as_deref().unwrap_or_default();
        if !target.is_empty() && !others.contains(target) {
            errors.push(FieldError::not_found(item.child("targetContainerName"), target));
        }
        let resources = container.resources.unwrap_or_default();
        let fields = [
            ("ports", container.ports.is_some_and(|ports| !ports.is_empty())),
            ("resources", resources.requests.is_some() || resources.limits.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(item.child(field), DETAIL));
        }
        let mounts = item.child("volumeMounts");
        for (index, mount) in ephemeral.volume_mounts.iter().flatten().enumerate() {
            let paths = [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)];
            for (field, _) in paths.into_iter().filter(|(_, path)| path.is_some()) {
                errors.push(FieldError::forbidden(mounts.index(index).child(field), DETAIL));
            }
        }
    }
}

/// What an ephemeral container has in common with the others.
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
        resources,
        startup_probe,
        termination_message_path,
        termination_message_policy,
        volume_mounts,
        ..
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
        resources,
        startup_probe,
        termination_message_path,
        termination_message_policy,
        volume_mounts,
        ..Container::default()
    }
}

/// What holds for containers of every sort.
fn common(container: &Container, volumes: &BTreeSet<String>, item: &Path<'_>, errors: &mut Errors) {
    let field = item.child("name");
    if container.name.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else {
        all_invalid(names::dns1123_label(&container.name), &container.name, &field, errors);
    }
    if container.image.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::required(item.child("image"), ""));
    }
    const MESSAGES: &[&str] = &["File", "FallbackToLogsOnError"];
    let policy = container.termination_message_policy.as_deref();
    one_of(policy, MESSAGES, &item.child("terminationMessagePolicy"), errors);
    let list = item.child("ports");
    let mut seen = BTreeSet::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        container_port(port, &mut seen, &list.index(index), errors);
    }
    let list = item.child("env");
    for (index, env) in container.env.iter().flatten().enumerate() {
        env_var(env, &list.index(index), errors);
    }
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    volume_mounts(mounts, volumes, &item.child("volumeMounts"), errors);
    const PULL: &[&str] = &["Always", "IfNotPresent", "Never"];
    let policy = container.image_pull_policy.as_deref();
    one_of(policy, PULL, &item.child("imagePullPolicy"), errors);
    if let Some(requirements) = &container.resources {
        resources::requirements(requirements, &item.child("resources"), errors);
    }
}

/// What only containers that keep running may have.
fn running(container: &Container, item: &Path<'_>, errors: &mut Errors) {
    if let Some(lifecycle) = &container.lifecycle {
        lifecycle_handlers(lifecycle, &item.child("lifecycle"), errors);
    }
    let probes = [
        ("livenessProbe", container.liveness_probe.as_ref(), true),
        ("readinessProbe", container.readiness_probe.as_ref(), false),
        ("startupProbe", container.startup_probe.as_ref(), true),
    ];
    for (field, probe, once) in probes {
        if let Some(found) = probe {
            self::probe(found, once, &item.child(field), errors);
        }
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
    one_of(port.protocol.as_deref(), PROTOCOLS, &item.child("protocol"), errors);
}

fn host_ports(containers: &[Container], list: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let item = list.index(index);
        let ports = item.child("ports");
        for (index, port) in container.ports.iter().flatten().enumerate() {
            let Some(number) = port.host_port.filter(|number| *number != 0) else { continue };
            let protocol = port.protocol.as_deref().unwrap_or_default();
            let address = port.host_ip.as_deref().unwrap_or_default();
            let text = format!("{protocol}/{address}/{number}");
            if !seen.insert(text.clone()) {
                errors.push(FieldError::duplicate(ports.index(index).child("hostPort"), &text));
            }
        }
    }
}

fn env_var(env: &EnvVar, item: &Path<'_>, errors: &mut Errors) {
    if env.name.is_empty() {
        errors.push(FieldError::required(item.child("name"), ""));
    } else {
        all_invalid(names::env_var_name(&env.name), &env.name, &item.child("name"), errors);
    }
    let Some(source) = &env.value_from else { return };
    let field = item.child("valueFrom");
    let mut count = 0;
    if let Some(reference) = &source.field_ref {
        count += 1;
        if reference.field_path.is_empty() {
            errors.push(FieldError::required(field.child("fieldRef").child("fieldPath"), ""));
        }
    }
    if let Some(reference) = &source.resource_field_ref {
        count += 1;
        if reference.resource.is_empty() {
            let field = field.child("resourceFieldRef");
            errors.push(FieldError::required(field.child("resource"), ""));
        }
    }
    let keys = [
        ("configMapKeyRef", source.config_map_key_ref.as_ref().map(|r| (&r.name, &r.key))),
        ("secretKeyRef", source.secret_key_ref.as_ref().map(|r| (&r.name, &r.key))),
    ];
    for (which, reference) in keys {
        let Some((name, key)) = reference else { continue };
        count += 1;
        let field = field.child(which);
        if name.is_empty() {
            errors.push(FieldError::required(field.child("name"), ""));
        }
        if key.is_empty() {
            errors.push(FieldError::required(field.child("key"), ""));
        } else {
            all_invalid(names::config_map_key(key), key, &field.child("key"), errors);
        }
    }
    let value = env.value.as_deref().unwrap_or_default();
    let detail = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
             `secretKeyRef`"
        }
        _ if !value.is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(field, "", detail));
}

fn volume_mounts(
    mounts: &[VolumeMount],
    volumes: &BTreeSet<String>,
    list: &Path<'_>,
    errors: &mut Errors,
) {
    let mut seen = BTreeSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let item = list.index(index);
        if mount.name.is_empty() {
            errors.push(FieldError::required(item.child("name"), ""));
        }
        if !volumes.contains(&mount.name) {
            errors.push(FieldError::not_found(item.child("name"), &mount.name));
        }
        if mount.mount_path.is_empty() {
            errors.push(FieldError::required(item.child("mountPath"), ""));
        }
        if !seen.insert(&mount.mount_path) {
            let field = item.child("mountPath");
            errors.push(FieldError::invalid(field, &mount.mount_path, "must be unique"));
        }
    }
}

fn probe(probe: &Probe, once: bool, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    if let Some(exec) = &probe.exec {
        handler(&mut count, "exec", path, errors);
        command(exec.command.as_deref(), &path.child("exec"), errors);
    }
    if let Some(get) = &probe.http_get {
        handler(&mut count, "httpGet", path, errors);
        http_get(get, &path.child("httpGet"), errors);
    }
    if let Some(socket) = &probe.tcp_socket {
        handler(&mut count, "tcpSocket", path, errors);
        port_or_name(&socket.port, &path.child("tcpSocket").child("port"), errors);
    }
    if let Some(grpc) = &probe.grpc {
        handler(&mut count, "grpc", path, errors);
        port_number(grpc.port, &path.child("grpc").child("port"), errors);
    }
    if count == 0 {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, number) in numbers {
        if let Some(number) = number.filter(|number| *number < 0) {
            errors.push(FieldError::invalid_raw(path.child(field), number, NOT_NEGATIVE));
        }
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        let field = path.child("terminationGracePeriodSeconds");
        errors.push(FieldError::invalid_raw(field, seconds, "must be greater than 0"));
    }
    if let Some(number) = probe.success_threshold.filter(|number| once && *number != 1) {
        let field = path.child("successThreshold");
        errors.push(FieldError::invalid_raw(field, number, "must be 1"));
    }
}

fn lifecycle_handlers(lifecycle: &Lifecycle, path: &Path<'_>, errors: &mut Errors) {
    let handlers = [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)];
    for (field, hook) in handlers {
        if let Some(hook) = hook {
            lifecycle_handler(hook, &path.child(field), errors);
        }
    }
}

fn lifecycle_handler(hook: &LifecycleHandler, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    if let Some(exec) = &hook.exec {
        handler(&mut count, "exec", path, errors);
        command(exec.command.as_deref(), &path.child("exec"), errors);
    }
    if let Some(get) = &hook.http_get {
        handler(&mut count, "httpGet", path, errors);
        http_get(get, &path.child("httpGet"), errors);
    }
    if let Some(socket) = &hook.tcp_socket {
        handler(&mut count, "tcpSocket", path, errors);
        port_or_name(&socket.port, &path.child("tcpSocket").child("port"), errors);
    }
    if hook.sleep.is_some() {
        handler(&mut count, "sleep", path, errors);
    }
    if count == 0 {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
}

fn handler(count: &mut u8, name: &str, path: &Path<'_>, errors: &mut Errors) {
    *count += 1;
    if *count > 1 {
        let detail = "may not specify more than 1 handler type";
        errors.push(FieldError::forbidden(path.child(name), detail));
    }
}

fn command(command: Option<&[String]>, path: &Path<'_>, errors: &mut Errors) {
    if command.unwrap_or_default().is_empty() {
        errors.push(FieldError::required(path.child("command"), ""));
    }
}

fn http_get(get: &HTTPGetAction, path: &Path<'_>, errors: &mut Errors) {
    if get.path.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::required(path.child("path"), ""));
    }
    port_or_name(&get.port, &path.child("port"), errors);
    let scheme = get.scheme.as_deref().unwrap_or_default();
    if !matches!(scheme, "HTTP" | "HTTPS") {
        let field = path.child("scheme");
        errors.push(FieldError::not_supported(field, scheme, &["HTTP", "HTTPS"]));
    }
}

pub(crate) fn tolerations(toleration: &Toleration, item: &Path<'_>, errors: &mut Errors) {
    let key = toleration.key.as_deref().unwrap_or_default();
    let operator = toleration.operator.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !key.is_empty() {
        all_invalid(names::qualified_name(key), key, &item.child("key"), errors);
    }
    if key.is_empty() && operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values \
                      and all keys\"";
        errors.push(FieldError::invalid(item.child("operator"), operator, detail));
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(item.child("effect"), effect, detail));
    }
    match operator {
        "Equal" | "" => {
            let problems = names::label_value(value);
            if let Some(problem) = (!problems.is_empty()).then(|| problems.join(";")) {
                errors.push(FieldError::invalid(item.child("operator"), value, &problem));
            }
        }
        "Exists" if !value.is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(item.child("operator"), value, detail));
        }
        "Exists" => {}
        other => {
            let known = &["Equal", "Exists"];
            errors.push(FieldError::not_supported(item.child("operator"), other, known));
        }
    }
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        errors.push(FieldError::not_supported(item.child("effect"), effect, EFFECTS));
    }
}

/// What is wrong with a port given by number or name.
pub(crate) fn port_or_name(port: &IntOrString, field: &Path<'_>, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => port_number(*number, field, errors),
        IntOrString::String(name) => all_invalid(names::port_name(name), name, field, errors),
    }
}

/// What is wrong with a port number.
pub(crate) fn port_number(number: i32, field: &Path<'_>, errors: &mut Errors) {
    let invalid = |problem: String| FieldError::invalid_raw(field, number, &problem);
    errors.extend(names::port_number(number).into_iter().map(invalid));
}

/// A value that must be there and be one of a few.
pub(crate) fn one_of(value: Option<&str>, known: &[&str], field: &Path<'_>, errors: &mut Errors) {
    match value.unwrap_or_default() {
        "" => errors.push(FieldError::required(field, "")),
        value if known.contains(&value) => {}
        value => errors.push(FieldError::not_supported(field, value, known)),
    }
}

/// A number that must not be negative.
pub(crate) fn not_negative(number: Option<i32>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = number.filter(|number| *number < 0) {
        errors.push(FieldError::invalid_raw(field, number, NOT_NEGATIVE));
    }
}

/// A number of 64 bits that must not be negative.
pub(crate) fn not_negative_long(number: Option<i64>, field: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = number.filter(|number| *number < 0) {
        errors.push(FieldError::invalid_raw(field, number, NOT_NEGATIVE));
    }
}

/// A quantity that must not be negative.
pub(crate) fn not_negative_quantity(amount: Amount, field: &Path<'_>, errors: &mut Errors) {
    if amount < Amount::ZERO {
        errors.push(FieldError::invalid(field, &amount.to_string(), NOT_NEGATIVE));
    }
}

/// Every problem of a value as an error.
pub(crate) fn all_invalid(
    problems: Vec<String>,
    value: &str,
    field: &Path<'_>,
    errors: &mut Errors,
) {
    errors.extend(problems.iter().map(|problem| FieldError::invalid(field, value, problem)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What upstream says of a pod spec with its defaults, `field: message`.
    fn errors(spec: Value) -> Vec<String> {
        let mut spec: PodSpec = serde_json::from_value(spec).unwrap();
        crate::podspec::defaults::set_pod_spec(&mut spec);
        let errors = pod_spec(&spec, &Path::new("spec"));
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    fn with(container: Value) -> Value {
        let mut all = json!({"name": "a", "image": "b"});
        for (key, value) in container.as_object().unwrap() {
            all[key] = value.clone();
        }
        json!({ "containers": [all] })
    }

    #[test]
    fn a_good_spec_has_no_errors() {
        assert_eq!(errors(with(json!({}))), [""; 0]);
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({"containers": []}), "spec.containers: Required value"),
            (json!({"containers": [{"name": "a"}]}), "spec.containers[0].image: Required value"),
            (json!({"containers": [{"image": "a"}]}), "spec.containers[0].name: Required value"),
            (
                json!({"containers": [{"name": "a", "image": "b"}, {"name": "a", "image": "b"}]}),
                "spec.containers[1].name: Duplicate value: \"a\"",
            ),
            (
                json!({"restartPolicy": "Sometimes", "containers": [{"name": "a", "image": "b"}]}),
                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \
                 \"Always\", \"OnFailure\", \"Never\"",
            ),
            (
                with(json!({"ports": [{"containerPort": 0}]})),
                "spec.containers[0].ports[0].containerPort: Required value",
            ),
            (
                with(json!({"ports": [{"containerPort": 70000}]})),
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between \
                 1 and 65535, inclusive",
            ),
            (
                with(json!({"ports": [{"containerPort": 80, "protocol": "tcp"}]})),
                "spec.containers[0].ports[0].protocol: Unsupported value: \"tcp\": supported \
                 values: \"SCTP\", \"TCP\", \"UDP\"",
            ),
            (
                with(json!({"imagePullPolicy": "Often"})),
                "spec.containers[0].imagePullPolicy: Unsupported value: \"Often\": supported \
                 values: \"Always\", \"IfNotPresent\", \"Never\"",
            ),
            (
                with(json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]})),
                "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
            ),
            (
                with(json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}})),
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than \
                 or equal to cpu limit of 1",
            ),
            (
                with(json!({"livenessProbe": {}})),
                "spec.containers[0].livenessProbe: Required value: must specify a handler type",
            ),
            (
                with(json!({"env": [{"name": "A", "valueFrom": {}}]})),
                "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: \
                 `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            ),
        ];
        for (spec, message) in table {
            assert_eq!(errors(spec.clone()), [message], "{spec}");
        }
    }

    #[test]
    fn several_errors_come_in_upstreams_order() {
        let spec = json!({"restartPolicy": "x", "containers": [{"name": "A", "image": ""}]});
        let errors = errors(spec);
        assert!(
            errors[0].starts_with("spec.containers[0].name: Invalid value: \"A\": a lowercase")
        );
        assert_eq!(errors[1], "spec.containers[0].image: Required value");
        assert!(errors[2].starts_with("spec.restartPolicy: "));
    }
}
