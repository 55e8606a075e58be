//! The static pods of a control-plane node, as kubeadm writes them to `/etc/kubernetes/manifests`.
//!
//! Upstream: `cmd/kubeadm/app/phases/controlplane/manifests.go`, `phases/etcd/local.go`.

use super::mirror::HASH;
use crate::NodeConfig;
use crate::images::sha256_hex;
use k8s_openapi::api::core::v1::{
    Container, HostPathVolumeSource, Pod, PodSecurityContext, PodSpec, ResourceRequirements,
    SeccompProfile, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::Object;
use std::collections::BTreeMap;

/// etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
pub fn control_plane(config: &NodeConfig) -> Vec<Pod> {
    let ip = config.internal_ip;
    let name = &config.name;
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let etcd_pki = "/etc/kubernetes/pki/etcd";
    let mut etcd = own(&["etcd"]);
    etcd.extend([
        format!("--advertise-client-urls=https://{ip}:2379"),
        format!("--cert-file={etcd_pki}/server.crt"),
        "--client-cert-auth=true".to_owned(),
        "--data-dir=/var/lib/etcd".to_owned(),
        "--experimental-initial-corrupt-check=true".to_owned(),
        "--experimental-watch-progress-notify-interval=5s".to_owned(),
        format!("--initial-advertise-peer-urls=https://{ip}:2380"),
        format!("--initial-cluster={name}=https://{ip}:2380"),
        format!("--key-file={etcd_pki}/server.key"),
        format!("--listen-client-urls=https://127.0.0.1:2379,https://{ip}:2379"),
        "--listen-metrics-urls=http://127.0.0.1:2381".to_owned(),
        format!("--listen-peer-urls=https://{ip}:2380"),
        format!("--name={name}"),
        format!("--peer-cert-file={etcd_pki}/peer.crt"),
        "--peer-client-cert-auth=true".to_owned(),
        format!("--peer-key-file={etcd_pki}/peer.key"),
        format!("--peer-trusted-ca-file={etcd_pki}/ca.crt"),
        "--snapshot-count=10000".to_owned(),
        format!("--trusted-ca-file={etcd_pki}/ca.crt"),
    ]);
    let mut apiserver = own(&["kube-apiserver"]);
    apiserver.push(format!("--advertise-address={ip}"));
    apiserver.extend(own(&[
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--client-ca-file=/etc/kubernetes/pki/ca.crt",
        "--enable-admission-plugins=NodeRestriction",
        "--etcd-servers=https://127.0.0.1:2379",
    ]));
    apiserver.push(format!("--secure-port={}", config.secure_port));
    apiserver.push("--service-cluster-ip-range=10.96.0.0/16".to_owned());
    let ranges = match config.cluster_cidr.as_str() {
        "" => Vec::new(),
        range => vec!["--allocate-node-cidrs=true".to_owned(), format!("--cluster-cidr={range}")],
    };
    let mut manager = own(&[
        "kube-controller-manager",
        "--bind-address=127.0.0.1",
        "--controllers=*,bootstrapsigner,tokencleaner",
        "--kubeconfig=/etc/kubernetes/controller-manager.conf",
        "--leader-elect=true",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--use-service-account-credentials=true",
    ]);
    manager.extend(ranges);
    if let Some((_, flags)) = manager.split_first_mut() {
        flags.sort();
    }
    let scheduler = own(&[
        "kube-scheduler",
        "--authentication-kubeconfig=/etc/kubernetes/scheduler.conf",
        "--bind-address=127.0.0.1",
        "--kubeconfig=/etc/kubernetes/scheduler.conf",
        "--leader-elect=true",
    ]);
    let mut etcd =
        pod(config, "etcd", "registry.k8s.io/etcd:3.5.21-0", etcd, ("100m", Some("100Mi")));
    mount(&mut etcd, &[("etcd-data", "/var/lib/etcd"), ("etcd-certs", "/etc/kubernetes/pki/etcd")]);
    vec![
        etcd,
        component(config, apiserver, "250m"),
        component(config, manager, "200m"),
        component(config, scheduler, "100m"),
    ]
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
    pod.metadata.annotations = None;
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

/// Lets a pod's container see directories of the node.
fn mount(pod: &mut Pod, directories: &[(&str, &str)]) {
    let Some(spec) = pod.spec.as_deref_mut() else { return };
    for (name, path) in directories {
        let source = HostPathVolumeSource {
            path: (*path).to_owned(),
            type_: Some("DirectoryOrCreate".to_owned()),
        };
        spec.volumes.get_or_insert_default().push(Volume {
            name: (*name).to_owned(),
            host_path: Some(source.into()),
            ..Volume::default()
        });
        for container in &mut spec.containers {
            container.volume_mounts.get_or_insert_default().push(VolumeMount {
                name: (*name).to_owned(),
                mount_path: (*path).to_owned(),
                ..VolumeMount::default()
            });
        }
    }
}

fn component(config: &NodeConfig, command: Vec<String>, cpu: &str) -> Pod {
    let name = command.first().cloned().unwrap_or_default();
    let image = format!("registry.k8s.io/{name}:v1.33.1");
    pod(config, &name, &image, command, (cpu, None))
}

fn pod(
    config: &NodeConfig,
    name: &str,
    image: &str,
    command: Vec<String>,
    (cpu, memory): (&str, Option<&str>),
) -> Pod {
    let mut requests = BTreeMap::from([("cpu".to_owned(), Quantity(cpu.to_owned()))]);
    if let Some(memory) = memory {
        requests.insert("memory".to_owned(), Quantity(memory.to_owned()));
    }
    let hash = sha256_hex(format!("{}/{name} {command:?}", config.name).as_bytes());
    let hash = hash.get(..32).unwrap_or_default().to_owned();
    let labels = [("component", name), ("tier", "control-plane")];
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{}", config.name)),
            namespace: Some("kube-system".to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: Some([(HASH.to_owned(), hash)].into()),
            ..ObjectMeta::default()
        },
        spec: Some(
            PodSpec {
                containers: vec![Container {
                    name: name.to_owned(),
                    image: Some(image.to_owned()),
                    image_pull_policy: Some("IfNotPresent".to_owned()),
                    command: Some(command),
                    resources: Some(
                        ResourceRequirements {
                            requests: Some(requests),
                            ..ResourceRequirements::default()
                        }
                        .into(),
                    ),
                    ..Container::default()
                }],
                host_network: Some(true),
                node_name: Some(config.name.clone()),
                priority: Some(2_000_001_000),
                priority_class_name: Some("system-node-critical".to_owned()),
                security_context: Some(
                    PodSecurityContext {
                        seccomp_profile: Some(SeccompProfile {
                            type_: "RuntimeDefault".to_owned(),
                            ..SeccompProfile::default()
                        }),
                        ..PodSecurityContext::default()
                    }
                    .into(),
                ),
                tolerations: Some(vec![Toleration {
                    effect: Some("NoExecute".to_owned()),
                    operator: Some("Exists".to_owned()),
                    ..Toleration::default()
                }]),
                ..PodSpec::default()
            }
            .into(),
        ),
        ..Pod::default()
    }
}
