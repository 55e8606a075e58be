//! The kubelet's own Node: what it registers and what it reports.
//!
//! Upstream: `pkg/kubelet/kubelet_node_status.go`, `pkg/kubelet/nodestatus/setters.go`.

use crate::image_store::ImageStore;
use crate::{NodeConfig, limits};
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeSpec, NodeStatus, NodeSystemInfo, Taint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::time::meta_time;
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;

/// Images listed in a node's status. Upstream: `nodeStatusMaxImages`.
const IMAGES_MAX: usize = 50;

/// The Node as it is first written.
pub fn initial_node(config: &NodeConfig, images: &ImageStore, now: Time, rng: &mut Rng) -> Node {
    let mut labels = BTreeMap::from([
        ("beta.kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("beta.kubernetes.io/os".to_owned(), "linux".to_owned()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("kubernetes.io/hostname".to_owned(), config.name.clone()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
    ]);
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
    let annotations = BTreeMap::from([
        ("node.alpha.kubernetes.io/ttl".to_owned(), "0".to_owned()),
        ("volumes.kubernetes.io/controller-managed-attach-detach".to_owned(), "true".to_owned()),
    ]);
    Node {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(config.pod_cidr.clone()),
            pod_cidrs: Some(vec![config.pod_cidr.clone()]),
            provider_id: Some(config.provider_id.clone()).filter(|id| !id.is_empty()),
            taints: Some(taints).filter(|taints| !taints.is_empty()),
            ..NodeSpec::default()
        }),
        status: Some(status(config, images, now, rng)),
    }
}

fn status(config: &NodeConfig, images: &ImageStore, now: Time, rng: &mut Rng) -> NodeStatus {
    let resources = resources(config);
    NodeStatus {
        addresses: Some(vec![
            NodeAddress { type_: "InternalIP".to_owned(), address: config.internal_ip.to_string() },
            NodeAddress { type_: "Hostname".to_owned(), address: config.name.clone() },
        ]),
        allocatable: Some(resources.clone()),
        capacity: Some(resources),
        conditions: Some(conditions(None, now)),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: 10250 }),
        }),
        images: Some(container_images(images)),
        node_info: Some(system_info(rng)),
        ..NodeStatus::default()
    }
}

fn resources(config: &NodeConfig) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity(config.cpus.to_string())),
        ("ephemeral-storage".to_owned(), Quantity(format!("{}Ki", config.disk_bytes >> 10))),
        ("hugepages-1Gi".to_owned(), Quantity("0".to_owned())),
        ("hugepages-2Mi".to_owned(), Quantity("0".to_owned())),
        ("memory".to_owned(), Quantity(format!("{}Ki", config.memory_bytes >> 10))),
        ("pods".to_owned(), Quantity(limits::PODS_MAX.to_string())),
    ])
}

/// The conditions of a healthy node; those that were so before keep their time.
pub fn conditions(old: Option<&[NodeCondition]>, now: Time) -> Vec<NodeCondition> {
    const HEALTHY: [(&str, &str, &str, &str); 4] = [
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    let healthy = |(type_, status, reason, message): (&str, &str, &str, &str)| {
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
    let mut all: Vec<NodeCondition> = HEALTHY.into_iter().map(healthy).collect();
    let known = |type_: &str| HEALTHY.iter().any(|(healthy, ..)| *healthy == type_);
    let others = old.into_iter().flatten().filter(|condition| !known(&condition.type_)).cloned();
    all.splice(0..0, others);
    all
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

/// What kind's node image for v1.33.1 reports.
fn system_info(rng: &mut Rng) -> NodeSystemInfo {
    NodeSystemInfo {
        architecture: "amd64".to_owned(),
        boot_id: uuid(rng),
        container_runtime_version: "containerd://2.1.1".to_owned(),
        kernel_version: "6.8.0-60-generic".to_owned(),
        kube_proxy_version: String::new(),
        kubelet_version: "v1.33.1".to_owned(),
        machine_id: uuid(rng).replace('-', ""),
        operating_system: "linux".to_owned(),
        os_image: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        system_uuid: uuid(rng),
        ..NodeSystemInfo::default()
    }
}

fn uuid(rng: &mut Rng) -> String {
    let (high, low) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_keep_the_time_of_their_last_change() {
        let before = conditions(None, Time::from_secs(1));
        let after = conditions(Some(&before), Time::from_secs(100));
        assert_eq!(after.len(), 4);
        for (old, new) in before.iter().zip(&after) {
            assert_eq!(old.last_transition_time, new.last_transition_time);
            assert_ne!(old.last_heartbeat_time, new.last_heartbeat_time);
        }
        let mut unknown = after;
        unknown[3].status = "Unknown".to_owned();
        let healed = conditions(Some(&unknown), Time::from_secs(200));
        assert_eq!(healed[3].status, "True");
        assert_eq!(healed[3].last_transition_time, Some(meta_time(Time::from_secs(200))));
    }
}
