//! The kubelet's own Node: what it registers and what it reports.
//!
//! Upstream: `pkg/kubelet/kubelet_node_status.go`, `pkg/kubelet/nodestatus/setters.go`.

use super::eviction::{Condition, Signal, Threshold};
use crate::image_store::ImageStore;
use crate::runtime::Runtime;
use crate::{NodeConfig, NodeSoftware, limits};
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeFeatures, NodeRuntimeHandler, NodeRuntimeHandlerFeatures, NodeSpec, NodeStatus,
    NodeSystemInfo, Taint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::quantity::Amount;
use naru_api::time::meta_time;
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;

/// Images listed in a node's status. Upstream: `nodeStatusMaxImages`.
const IMAGES_MAX: usize = 50;

/// The Node as it is first written.
pub fn initial_node(config: &NodeConfig, runtime: &Runtime, now: Time, rng: &mut Rng) -> Node {
    let mut labels = BTreeMap::from([
        ("beta.kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("beta.kubernetes.io/os".to_owned(), "linux".to_owned()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("kubernetes.io/hostname".to_owned(), config.name.clone()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
    ]);
    labels.extend(config.labels.clone());
    let pod_cidr = Some(config.pod_cidr.clone()).filter(|range| !range.is_empty());
    let mut taints = Vec::new();
    if config.control_plane {
        let excluded = "node.kubernetes.io/exclude-from-external-load-balancers";
        labels.insert(excluded.to_owned(), String::new());
    }
    if config.tainted {
        taints.push(Taint {
            key: "node-role.kubernetes.io/control-plane".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        });
    }
    let mut annotations = BTreeMap::from([
        ("node.alpha.kubernetes.io/ttl".to_owned(), "0".to_owned()),
        ("volumes.kubernetes.io/controller-managed-attach-detach".to_owned(), "true".to_owned()),
    ]);
    if config.by_kubeadm {
        let socket = "unix:///run/containerd/containerd.sock";
        annotations.insert("kubeadm.alpha.kubernetes.io/cri-socket".to_owned(), socket.to_owned());
    }
    Node {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidrs: pod_cidr.clone().map(|range| vec![range]),
            pod_cidr,
            provider_id: Some(config.provider_id.clone()).filter(|id| !id.is_empty()),
            taints: Some(taints).filter(|taints| !taints.is_empty()),
            ..NodeSpec::default()
        }),
        status: Some(status(config, runtime, now, rng)),
    }
}

fn status(config: &NodeConfig, runtime: &Runtime, now: Time, rng: &mut Rng) -> NodeStatus {
    NodeStatus {
        addresses: Some(addresses(config)),
        allocatable: Some(allocatable(config)),
        capacity: Some(capacity(config)),
        conditions: Some(conditions(None, runtime.network_ready(), &[], now)),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: 10250 }),
        }),
        features: Some(NodeFeatures { supplemental_groups_policy: Some(true) }),
        images: Some(container_images(&runtime.images)),
        runtime_handlers: Some(["", "runc"].map(runtime_handler).into()),
        node_info: Some(system_info(&config.software, rng)),
        ..NodeStatus::default()
    }
}

/// What containerd tells of a way to run containers.
fn runtime_handler(name: &str) -> NodeRuntimeHandler {
    NodeRuntimeHandler {
        name: Some(name.to_owned()),
        features: Some(NodeRuntimeHandlerFeatures {
            recursive_read_only_mounts: Some(true),
            user_namespaces: Some(true),
        }),
    }
}

fn addresses(config: &NodeConfig) -> Vec<NodeAddress> {
    let address = |type_: &str, address: String| NodeAddress { type_: type_.to_owned(), address };
    let mut all = vec![address("InternalIP", config.internal_ip.to_string())];
    all.extend(config.external_ip.map(|ip| address("ExternalIP", ip.to_string())));
    all.push(address("Hostname", config.name.clone()));
    all
}

/// What the machine has.
pub fn capacity(config: &NodeConfig) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity(config.cpus.to_string())),
        ("ephemeral-storage".to_owned(), Quantity(format!("{}Ki", config.disk_bytes >> 10))),
        ("hugepages-1Gi".to_owned(), Quantity("0".to_owned())),
        ("hugepages-2Mi".to_owned(), Quantity("0".to_owned())),
        ("memory".to_owned(), Quantity(format!("{}Ki", config.memory_bytes >> 10))),
        ("pods".to_owned(), Quantity(limits::PODS_MAX.to_string())),
    ])
}

/// What of that pods may have: without what has to be left if none is to be evicted.
///
/// Upstream: `GetNodeAllocatableReservation` in `pkg/kubelet/cm/node_container_manager_linux.go`,
/// `MachineInfo` in `pkg/kubelet/nodestatus/setters.go`.
pub fn allocatable(config: &NodeConfig) -> BTreeMap<String, Quantity> {
    let mut all = capacity(config);
    if config.allocatable_ignores_eviction {
        return all;
    }
    for (signal, resource, bytes) in [
        (Signal::MemoryAvailable, "memory", config.memory_bytes),
        (Signal::NodeFsAvailable, "ephemeral-storage", config.disk_bytes),
    ] {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let Some(kept) = Threshold::hard(&config.kubelet, signal, bytes) else { continue };
        let left = Amount::from_bytes(bytes.saturating_sub(kept.value()).max(0));
        all.insert(resource.to_owned(), Quantity(left.to_string()));
    }
    all
}

/// Why a node without a network plugin is not ready.
pub const NO_NETWORK: &str = "container runtime network not ready: NetworkReady=false \
    reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";

/// The conditions of a node that is short of this; those that were so before keep their time.
pub fn conditions(
    old: Option<&[NodeCondition]>,
    network_ready: bool,
    short: &[Condition],
    now: Time,
) -> Vec<NodeCondition> {
    const MEMORY: (&str, &str, &str, &str) = (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    );
    const NO_MEMORY: (&str, &str, &str, &str) = (
        "MemoryPressure",
        "True",
        "KubeletHasInsufficientMemory",
        "kubelet has insufficient memory available",
    );
    const DISK: (&str, &str, &str, &str) =
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure");
    const NO_DISK: (&str, &str, &str, &str) =
        ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure");
    const PIDS: (&str, &str, &str, &str) =
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available");
    const NO_PIDS: (&str, &str, &str, &str) = (
        "PIDPressure",
        "True",
        "KubeletHasInsufficientPID",
        "kubelet has insufficient PID available",
    );
    const READY: (&str, &str, &str, &str) =
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status");
    const NOT_READY: (&str, &str, &str, &str) = ("Ready", "False", "KubeletNotReady", NO_NETWORK);
    let all = [
        if short.contains(&Condition::Memory) { NO_MEMORY } else { MEMORY },
        if short.contains(&Condition::Disk) { NO_DISK } else { DISK },
        if short.contains(&Condition::Pid) { NO_PIDS } else { PIDS },
        if network_ready { READY } else { NOT_READY },
    ];
    let condition = |(type_, status, reason, message): (&str, &str, &str, &str)| {
        let before = old
            .and_then(|old| old.iter().find(|condition| condition.type_ == type_))
            .filter(|condition| condition.status == status);
        NodeCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(meta_time(now)),
            last_transition_time: before
                .and_then(|condition| condition.last_transition_time.clone())
                .or_else(|| Some(meta_time(now))),
        }
    };
    let known = |type_: &str| all.iter().any(|(known, ..)| *known == type_);
    let others = old.into_iter().flatten().filter(|condition| !known(&condition.type_)).cloned();
    others.chain(all.into_iter().map(condition)).collect()
}

/// Whether the node tells that it is short of this, and of nothing else.
pub fn tells(node: &Node, short: &[Condition]) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    [Condition::Memory, Condition::Disk, Condition::Pid].into_iter().all(|pressure| {
        let mut told = conditions.clone().filter(|it| it.type_ == pressure.name());
        told.any(|condition| condition.status == "True") == short.contains(&pressure)
    })
}

/// Whether the node's Ready condition holds.
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    ready.any(|condition| condition.status == "True")
}

/// What a kubelet tells of conditions that have turned: of those of `after` that were not so
/// before.
///
/// Upstream: `recordEventFunc` in `pkg/kubelet/nodestatus/setters.go`.
pub fn turned(before: &[NodeCondition], after: &[NodeCondition]) -> Vec<&'static str> {
    let word = |condition: &NodeCondition| match (&*condition.type_, &*condition.status) {
        ("MemoryPressure", "False") => Some("NodeHasSufficientMemory"),
        ("MemoryPressure", _) => Some("NodeHasInsufficientMemory"),
        ("DiskPressure", "False") => Some("NodeHasNoDiskPressure"),
        ("DiskPressure", _) => Some("NodeHasDiskPressure"),
        ("PIDPressure", "False") => Some("NodeHasSufficientPID"),
        ("PIDPressure", _) => Some("NodeHasInsufficientPID"),
        ("Ready", "True") => Some("NodeReady"),
        ("Ready", _) => Some("NodeNotReady"),
        _ => None,
    };
    let same = |a: &NodeCondition, b: &NodeCondition| a.type_ == b.type_ && a.status == b.status;
    let turned = after.iter().filter(|new| !before.iter().any(|old| same(old, new)));
    turned.filter_map(word).collect()
}

/// The images as a node's status lists them.
pub fn container_images(images: &ImageStore) -> Vec<ContainerImage> {
    images
        .list()
        .into_iter()
        .take(IMAGES_MAX)
        .map(|(names, size)| ContainerImage {
            names: Some(names),
            size_bytes: i64::try_from(size).ok(),
        })
        .collect()
}

fn system_info(software: &NodeSoftware, rng: &mut Rng) -> NodeSystemInfo {
    NodeSystemInfo {
        architecture: "amd64".to_owned(),
        boot_id: rng.uuid(4),
        container_runtime_version: software.container_runtime.clone(),
        kernel_version: software.kernel.clone(),
        kube_proxy_version: String::new(),
        kubelet_version: software.kubelet.clone(),
        machine_id: rng.uuid(4).replace('-', ""),
        operating_system: "linux".to_owned(),
        os_image: software.os_image.clone(),
        system_uuid: rng.uuid(4),
        ..NodeSystemInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KubeletConfiguration;

    #[test]
    fn pods_may_have_what_is_not_kept_against_eviction() {
        let read = |text: &str| KubeletConfiguration::read(text).unwrap();
        let table = [
            ("kind: KubeletConfiguration", false, "8092Mi", "61847528960"),
            ("kind: KubeletConfiguration", true, "8388608Ki", "67108864Ki"),
            ("evictionHard: {nodefs.available: 0%}", false, "8388608Ki", "67108864Ki"),
            ("evictionHard: {memory.available: 1Gi}", false, "7Gi", "67108864Ki"),
            ("evictionHard: {memory.available: 100Gi}", false, "0", "67108864Ki"),
        ];
        for (text, allocatable_ignores_eviction, memory, disk) in table {
            let kubelet = read(text);
            let config =
                NodeConfig { kubelet, allocatable_ignores_eviction, ..NodeConfig::default() };
            let all = allocatable(&config);
            let found = ["memory", "ephemeral-storage", "cpu"].map(|name| all[name].0.as_str());
            assert_eq!(found, [memory, disk, "4"], "{text}");
        }
    }

    #[test]
    fn conditions_keep_the_time_of_their_last_change() {
        let before = conditions(None, true, &[], Time::from_secs(1));
        let after = conditions(Some(&before), true, &[], Time::from_secs(100));
        assert_eq!(after.len(), 4);
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old.last_transition_time, new.last_transition_time);
            assert_ne!(old.last_heartbeat_time, new.last_heartbeat_time);
        }
        let mut unknown = after;
        unknown[3].status = "Unknown".to_owned();
        let healed = conditions(Some(&unknown), true, &[], Time::from_secs(200));
        assert_eq!(healed[3].status, "True");
        assert_eq!(healed[3].last_transition_time, Some(meta_time(Time::from_secs(200))));
    }
}
