//! Nodes and pods for tests.

use k8s_openapi::api::core::v1::{Container, Node, NodeStatus, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

pub fn quantities(list: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    list.iter().map(|(name, text)| ((*name).to_owned(), Quantity((*text).to_owned()))).collect()
}

pub fn node(name: &str, cpu: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = Some(name.to_owned());
    node.metadata.labels = Some([("kubernetes.io/hostname".to_owned(), name.to_owned())].into());
    let allocatable = quantities(&[("cpu", cpu), ("memory", "8Gi"), ("pods", "110")]);
    node.status = Some(NodeStatus { allocatable: Some(allocatable), ..NodeStatus::default() });
    node
}

pub fn pod(name: &str, node: &str, cpu: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = Some(name.to_owned());
    pod.metadata.uid = Some(format!("uid-{name}"));
    pod.metadata.namespace = Some("default".to_owned());
    let requests = if cpu.is_empty() { quantities(&[]) } else { quantities(&[("cpu", cpu)]) };
    pod.spec = Some(
        PodSpec {
            node_name: (!node.is_empty()).then(|| node.to_owned()),
            scheduler_name: Some("default-scheduler".to_owned()),
            containers: vec![Container {
                name: "main".to_owned(),
                image: Some("web:1".to_owned()),
                resources: Some(
                    ResourceRequirements {
                        requests: Some(requests),
                        ..ResourceRequirements::default()
                    }
                    .into(),
                ),
                ..Container::default()
            }],
            ..PodSpec::default()
        }
        .into(),
    );
    pod
}

pub fn with_priority(mut pod: Pod, priority: i32) -> Pod {
    pod.spec.get_or_insert_default().priority = Some(priority);
    pod
}
