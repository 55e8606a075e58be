//! The static pods of a control-plane node, as kubeadm writes them to `/etc/kubernetes/manifests`.
//!
//! Upstream: `cmd/kubeadm/app/phases/controlplane/manifests.go`, `phases/etcd/local.go`,
//! `util/staticpod/utils.go`.

mod command;
mod health;
mod volumes;

use super::mirror::HASH;
use crate::NodeConfig;
use crate::images::sha256_hex;
use health::Health;
pub use health::is_asked;
use k8s_openapi::api::core::v1::{
    Container, Pod, PodSecurityContext, PodSpec, ResourceRequirements, SeccompProfile, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::Object;
use std::collections::BTreeMap;
use volumes::HostDir;

/// Where the API server of the node is reached.
const API_SERVER_AT: &str = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint";
/// Where etcd of the node is reached.
const ETCD_AT: &str = "kubeadm.kubernetes.io/etcd.advertise-client-urls";

/// The store's program.
pub const ETCD: &str = "etcd";
/// The API server's program.
pub const API_SERVER: &str = "kube-apiserver";
/// The programs of a control plane.
pub const CONTROL_PLANE: [&str; 4] =
    [ETCD, API_SERVER, "kube-controller-manager", "kube-scheduler"];

/// What a static pod of the control plane is made of.
struct Component {
    image: String,
    command: Vec<String>,
    requests: &'static [(&'static str, &'static str)],
    annotation: Option<(&'static str, String)>,
    directories: &'static [HostDir],
}

/// etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
pub fn control_plane(config: &NodeConfig) -> Vec<Pod> {
    let NodeConfig { internal_ip: ip, secure_port, .. } = config;
    let kubernetes = |program: &str| format!("registry.k8s.io/{program}:v1.33.1");
    let components = [
        Component {
            image: "registry.k8s.io/etcd:3.5.21-0".to_owned(),
            command: command::etcd(config),
            requests: &[("cpu", "100m"), ("memory", "100Mi")],
            annotation: Some((ETCD_AT, format!("https://{ip}:2379"))),
            directories: volumes::ETCD,
        },
        Component {
            image: kubernetes("kube-apiserver"),
            command: command::apiserver(config),
            requests: &[("cpu", "250m")],
            annotation: Some((API_SERVER_AT, format!("{ip}:{secure_port}"))),
            directories: volumes::API_SERVER,
        },
        Component {
            image: kubernetes("kube-controller-manager"),
            command: command::controller_manager(config),
            requests: &[("cpu", "200m")],
            annotation: None,
            directories: volumes::CONTROLLER_MANAGER,
        },
        Component {
            image: kubernetes("kube-scheduler"),
            command: command::scheduler(config),
            requests: &[("cpu", "100m")],
            annotation: None,
            directories: volumes::SCHEDULER,
        },
    ];
    components.into_iter().map(|component| pod(config, component)).collect()
}

/// What kubeadm writes into the manifest of a pod of the control plane: not what the kubelet makes of
/// it.
pub fn manifest(pod: &Pod, config: &NodeConfig) -> Vec<u8> {
    let mut pod = pod.clone();
    let suffix = format!("-{}", config.name);
    if let Some(name) = &mut pod.metadata.name
        && let Some(short) = name.strip_suffix(&suffix)
    {
        *name = short.to_owned();
    }
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.remove(HASH);
    }
    pod.metadata.annotations = pod.metadata.annotations.filter(|all| !all.is_empty());
    if let Some(spec) = &mut pod.spec {
        (spec.node_name, spec.tolerations) = (None, None);
    }
    let mut json = Object::new(pod).content_json().unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("status".to_owned(), serde_json::json!({}));
    }
    naru_api::yaml::print(&json).into_bytes()
}

/// The component that a static pod runs: `kube-scheduler`.
pub fn component_of(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("component")).map_or("", String::as_str)
}

fn pod(config: &NodeConfig, component: Component) -> Pod {
    let Component { image, command, requests, annotation, directories } = component;
    let name = command.first().cloned().unwrap_or_default();
    let health = Health::of(config, &name);
    let hash = sha256_hex(format!("{}/{name} {command:?}", config.name).as_bytes());
    let hash = hash.get(..32).unwrap_or_default().to_owned();
    let labels = [("component", name.as_str()), ("tier", "control-plane")];
    let annotation = annotation.map(|(key, value)| (key.to_owned(), value));
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{}", config.name)),
            namespace: Some("kube-system".to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: Some(annotation.into_iter().chain([(HASH.to_owned(), hash)]).collect()),
            ..ObjectMeta::default()
        },
        spec: Some(
            PodSpec {
                containers: vec![Container {
                    name,
                    image: Some(image),
                    image_pull_policy: Some("IfNotPresent".to_owned()),
                    command: Some(command),
                    resources: Some(resources(requests).into()),
                    volume_mounts: Some(directories.iter().map(HostDir::mount).collect()),
                    liveness_probe: health.as_ref().map(|it| it.liveness().into()),
                    readiness_probe: health.as_ref().and_then(|it| Some(it.readiness()?.into())),
                    startup_probe: health.as_ref().map(|it| it.startup().into()),
                    ..Container::default()
                }],
                host_network: Some(true),
                node_name: Some(config.name.clone()),
                priority: Some(2_000_001_000),
                priority_class_name: Some("system-node-critical".to_owned()),
                security_context: Some(security_context().into()),
                tolerations: Some(vec![Toleration {
                    effect: Some("NoExecute".to_owned()),
                    operator: Some("Exists".to_owned()),
                    ..Toleration::default()
                }]),
                volumes: Some(volumes::of(directories)),
                ..PodSpec::default()
            }
            .into(),
        ),
        ..Pod::default()
    }
}

fn resources(requests: &[(&str, &str)]) -> ResourceRequirements {
    let amount =
        |(name, amount): &(&str, &str)| ((*name).to_owned(), Quantity((*amount).to_owned()));
    let requests: BTreeMap<String, Quantity> = requests.iter().map(amount).collect();
    ResourceRequirements { requests: Some(requests), ..ResourceRequirements::default() }
}

fn security_context() -> PodSecurityContext {
    let seccomp_profile =
        SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() };
    PodSecurityContext { seccomp_profile: Some(seccomp_profile), ..PodSecurityContext::default() }
}
