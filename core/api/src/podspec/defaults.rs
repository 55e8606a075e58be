//! Defaults of a pod spec.
//!
//! Upstream: `pkg/apis/core/v1/defaults.go`, `zz_generated.defaults.go`.

use crate::quantity;
use k8s_openapi::Shared;
use k8s_openapi::api::core::v1::{
    Affinity, Container, DownwardAPIVolumeFile, EmptyDirVolumeSource, EnvVar, EphemeralContainer,
    HTTPGetAction, Lifecycle, Pod, PodAffinityTerm, PodSpec, Probe, ProjectedVolumeSource,
    ResourceFieldSelector, ResourceRequirements, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use std::collections::BTreeMap;

/// Mode 0644 of files in volumes.
const FILE_MODE: i32 = 0o644;

/// The defaults that only a pod gets, not a template.
pub fn set_pod(pod: &mut Pod) {
    if let Some(spec) = &mut pod.spec {
        spec.amend(set_spec_of_pod);
    }
}

fn set_spec_of_pod(spec: &mut PodSpec) {
    set_pod_spec(spec);
    spec.enable_service_links.get_or_insert(true);
    let host_network = spec.host_network == Some(true);
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        amend(&mut container.resources, request_limits);
        for port in container.ports.iter_mut().flatten().filter(|_| host_network) {
            if port.host_port.unwrap_or(0) == 0 {
                port.host_port = Some(port.container_port);
            }
        }
    }
}

/// What is limited and not requested is requested up to its limit.
fn request_limits(resources: &mut ResourceRequirements) {
    let Some(limits) = resources.limits.as_ref().filter(|limits| !limits.is_empty()) else {
        return;
    };
    let requests = resources.requests.get_or_insert_default();
    for (name, limit) in limits {
        if !requests.contains_key(name) {
            requests.insert(name.clone(), limit.clone());
        }
    }
}

/// The defaults of a pod's or a template's spec.
pub fn set_pod_spec(spec: &mut PodSpec) {
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    if let Some(name) = spec.service_account_name.clone().filter(|name| !name.is_empty()) {
        spec.service_account = Some(name);
    } else if spec.service_account.as_ref().is_some_and(|name| !name.is_empty()) {
        spec.service_account_name = spec.service_account.clone();
    }
    spec.volumes.iter_mut().flatten().for_each(set_volume);
    spec.containers.iter_mut().for_each(set_container);
    spec.init_containers.iter_mut().flatten().for_each(set_container);
    spec.ephemeral_containers.iter_mut().flatten().for_each(set_ephemeral_container);
    canonical(&mut spec.overhead);
}

/// Writes what `matchLabelKeys` and `mismatchLabelKeys` stand for into the selectors of a new pod's
/// affinity: the pod's own values of these labels.
///
/// Upstream: `mutatePodAffinity` in `pkg/registry/core/pod/strategy.go`.
pub fn match_label_keys(spec: &mut PodSpec, labels: Option<&BTreeMap<String, String>>) {
    let (Some(affinity), Some(labels)) = (&mut spec.affinity, labels) else { return };
    affinity.amend(|affinity| match_label_keys_of(affinity, labels));
}

fn match_label_keys_of(affinity: &mut Affinity, labels: &BTreeMap<String, String>) {
    let mut terms: Vec<&mut PodAffinityTerm> = Vec::new();
    if let Some(pods) = &mut affinity.pod_affinity {
        terms.extend(pods.required_during_scheduling_ignored_during_execution.iter_mut().flatten());
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.iter_mut();
        terms.extend(preferred.flatten().map(|term| &mut term.pod_affinity_term));
    }
    if let Some(pods) = &mut affinity.pod_anti_affinity {
        terms.extend(pods.required_during_scheduling_ignored_during_execution.iter_mut().flatten());
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.iter_mut();
        terms.extend(preferred.flatten().map(|term| &mut term.pod_affinity_term));
    }
    for term in terms {
        let Some(selector) = &mut term.label_selector else { continue };
        let lists = [("In", &term.match_label_keys), ("NotIn", &term.mismatch_label_keys)];
        for (operator, keys) in lists {
            for key in keys.iter().flatten() {
                let Some(value) = labels.get(key) else { continue };
                selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                    key: key.clone(),
                    operator: operator.to_owned(),
                    values: Some(vec![value.clone()]),
                });
            }
        }
    }
}

fn set_ephemeral_container(container: &mut EphemeralContainer) {
    let image = container.image.as_deref().unwrap_or_default();
    text(&mut container.image_pull_policy, pull_policy(image));
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    for port in container.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
    }
    container.resources.get_or_insert_default();
    container.env.iter_mut().flatten().for_each(set_env);
}

fn pull_policy(image: &str) -> &'static str {
    if image_tag(image) == Some("latest") { "Always" } else { "IfNotPresent" }
}

fn set_container(container: &mut Container) {
    let image = container.image.as_deref().unwrap_or_default();
    text(&mut container.image_pull_policy, pull_policy(image));
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    for port in container.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
    }
    container.resources.get_or_insert_default().amend(|resources| {
        canonical(&mut resources.limits);
        canonical(&mut resources.requests);
    });
    container.env.iter_mut().flatten().for_each(set_env);
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().for_each(|probe| amend(probe, set_probe));
    amend(&mut container.lifecycle, set_lifecycle);
}

fn set_lifecycle(lifecycle: &mut Lifecycle) {
    let hooks = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    hooks.into_iter().flatten().flat_map(|hook| &mut hook.http_get).for_each(set_http_get);
}

fn set_env(env: &mut EnvVar) {
    let source = env.value_from.as_mut();
    let Some(source) = source else { return };
    if let Some(field) = &mut source.field_ref {
        text(&mut field.api_version, "v1");
    }
    source.resource_field_ref.iter_mut().for_each(set_divisor);
}

/// A divisor that is not said is written as zero, as every quantity is.
fn set_divisor(field: &mut ResourceFieldSelector) {
    field.divisor.get_or_insert_with(|| Quantity("0".to_owned()));
}

fn set_probe(probe: &mut Probe) {
    number(&mut probe.timeout_seconds, 1);
    number(&mut probe.period_seconds, 10);
    number(&mut probe.success_threshold, 1);
    number(&mut probe.failure_threshold, 3);
    probe.http_get.iter_mut().for_each(set_http_get);
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn set_http_get(get: &mut HTTPGetAction) {
    text(&mut get.path, "/");
    text(&mut get.scheme, "HTTP");
}

fn set_downward_api(files: Option<&mut Vec<DownwardAPIVolumeFile>>) {
    for file in files.into_iter().flatten() {
        if let Some(field) = &mut file.field_ref {
            text(&mut field.api_version, "v1");
        }
        file.resource_field_ref.iter_mut().for_each(set_divisor);
    }
}

fn set_volume(volume: &mut Volume) {
    let only_named = Volume { name: volume.name.clone(), ..Volume::default() };
    if *volume == only_named {
        volume.empty_dir = Some(EmptyDirVolumeSource::default().into());
    }
    amend(&mut volume.secret, |source| mode(&mut source.default_mode));
    amend(&mut volume.config_map, |source| mode(&mut source.default_mode));
    amend(&mut volume.downward_api, |source| {
        mode(&mut source.default_mode);
        set_downward_api(source.items.as_mut());
    });
    set_cloud_volume(volume);
    amend(&mut volume.ephemeral, |source| {
        if let Some(template) = &mut source.volume_claim_template {
            text(&mut template.spec.volume_mode, "Filesystem");
        }
    });
    amend(&mut volume.host_path, |source| {
        source.type_.get_or_insert_default();
    });
    amend(&mut volume.projected, set_projected);
}

fn set_projected(source: &mut ProjectedVolumeSource) {
    mode(&mut source.default_mode);
    for projection in source.sources.iter_mut().flatten() {
        if let Some(token) = &mut projection.service_account_token {
            token.expiration_seconds.get_or_insert(3600);
        }
        if let Some(downward) = &mut projection.downward_api {
            set_downward_api(downward.items.as_mut());
        }
    }
}

fn set_cloud_volume(volume: &mut Volume) {
    amend(&mut volume.iscsi, |source| text(&mut source.iscsi_interface, "default"));
    amend(&mut volume.rbd, |source| {
        text(&mut source.pool, "rbd");
        text(&mut source.user, "admin");
        text(&mut source.keyring, "/etc/ceph/keyring");
    });
    amend(&mut volume.azure_disk, |source| {
        text(&mut source.caching_mode, "ReadWrite");
        text(&mut source.kind, "Shared");
        text(&mut source.fs_type, "ext4");
        source.read_only.get_or_insert(false);
    });
    amend(&mut volume.scale_io, |source| {
        text(&mut source.storage_mode, "ThinProvisioned");
        text(&mut source.fs_type, "xfs");
    });
}

/// What has its defaults already stays shared.
fn amend<T: Clone + PartialEq>(part: &mut Option<Shared<T>>, set: impl FnOnce(&mut T)) {
    if let Some(part) = part {
        part.amend(set);
    }
}

fn mode(mode: &mut Option<i32>) {
    mode.get_or_insert(FILE_MODE);
}

/// Quantities are kept in canonical form.
pub(crate) fn canonical(list: &mut Option<BTreeMap<String, Quantity>>) {
    for quantity in list.iter_mut().flatten().map(|(_, quantity)| quantity) {
        if let Ok(canonical) = quantity::canonical(&quantity.0) {
            quantity.0 = canonical;
        }
    }
}

/// The tag of an image: `latest` when neither tag nor digest is given, `None` with a digest alone.
///
/// Upstream: `pkg/util/parsers/parsers.go`.
pub fn image_tag(image: &str) -> Option<&str> {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) => Some(tag),
        None if digest.is_some() => None,
        None => Some("latest"),
    }
}

pub(crate) fn text(value: &mut Option<String>, default: &str) {
    if value.as_deref().unwrap_or_default().is_empty() {
        *value = Some(default.to_owned());
    }
}

fn number(value: &mut Option<i32>, default: i32) {
    if value.unwrap_or(0) == 0 {
        *value = Some(default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags() {
        let table = [
            ("nginx", Some("latest")),
            ("nginx:1.27", Some("1.27")),
            ("nginx:latest", Some("latest")),
            ("localhost:5000/nginx", Some("latest")),
            ("localhost:5000/nginx:1", Some("1")),
            ("nginx@sha256:abc", None),
            ("nginx:1@sha256:abc", Some("1")),
        ];
        for (image, tag) in table {
            assert_eq!(image_tag(image), tag, "{image}");
        }
    }

    #[test]
    fn a_pod_gets_its_defaults() {
        let mut pod: Pod = serde_json::from_value(json!({"spec": {
            "volumes": [{"name": "v"}, {"name": "c", "configMap": {"name": "c"}}],
            "containers": [{"name": "a", "image": "nginx:1", "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "0.5"}},
                "livenessProbe": {"httpGet": {"port": 80}}}],
        }}))
        .unwrap();
        set_pod(&mut pod);
        let once = pod.clone();
        set_pod(&mut pod);
        assert_eq!(pod, once, "defaults are set once");
        assert_eq!(
            serde_json::to_value(pod.spec).unwrap(),
            json!({
                "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "restartPolicy": "Always",
                "schedulerName": "default-scheduler", "securityContext": {},
                "terminationGracePeriodSeconds": 30,
                "volumes": [{"name": "v", "emptyDir": {}},
                    {"name": "c", "configMap": {"name": "c", "defaultMode": 420}}],
                "containers": [{"name": "a", "image": "nginx:1", "imagePullPolicy": "IfNotPresent",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "livenessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
                        "failureThreshold": 3}}],
            })
        );
    }
}
