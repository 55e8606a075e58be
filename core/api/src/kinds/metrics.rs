//! Nodes and pods of the group `metrics.k8s.io`: what the metrics server tells. The group is
//! served only where an APIService adds it.
//!
//! Upstream: `k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go`, and `pkg/api/table.go` of the
//! metrics server.

use super::cells;
use super::typed::Typed;
use crate::quantity::Amount;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use k8s_openapi::{ClusterResourceScope, Metadata, NamespaceResourceScope, Resource};
use naru_sim::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const GROUP: &str = "metrics.k8s.io";
const VERSION: &str = "v1beta1";
const API_VERSION: &str = "metrics.k8s.io/v1beta1";

/// Amounts of `cpu` and `memory`.
pub type Usage = BTreeMap<String, Quantity>;

static NODE: Kind = Names::new(GROUP, VERSION, "NodeMetrics", "nodes", "")
    .cluster_scoped()
    .verbs(&["get", "list"])
    .kind(&NodeStrategy);

static POD: Kind =
    Names::new(GROUP, VERSION, "PodMetrics", "pods", "").verbs(&["get", "list"]).kind(&PodStrategy);

const COLUMNS: &[Column] =
    &[Column::new("Name"), Column::new("cpu"), Column::new("memory"), Column::new("Window")];

/// What a node used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeMetrics {
    api_version: Version,
    kind: NodeKind,
    /// The node's name and labels.
    pub metadata: ObjectMeta,
    /// The end of the time in which it was measured.
    pub timestamp: Option<MetaTime>,
    /// Memory is the working set.
    pub usage: Usage,
    /// How long it was measured, as Go writes durations: `15s`.
    pub window: String,
}

/// What the containers of a pod used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetrics {
    api_version: Version,
    /// Each container.
    pub containers: Vec<ContainerMetrics>,
    kind: PodKind,
    /// The pod's name, namespace and labels.
    pub metadata: ObjectMeta,
    /// The end of the time in which it was measured.
    pub timestamp: Option<MetaTime>,
    /// How long it was measured, as Go writes durations: `15s`.
    pub window: String,
}

/// What a container used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerMetrics {
    /// The container's name.
    pub name: String,
    /// Memory is the working set.
    pub usage: Usage,
}

/// `apiVersion`, which is always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "metrics.k8s.io/v1beta1")]
    V1Beta1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum NodeKind {
    #[default]
    NodeMetrics,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum PodKind {
    #[default]
    PodMetrics,
}

impl NodeMetrics {
    /// Of the node of this metadata.
    pub fn new(metadata: ObjectMeta, timestamp: MetaTime, window: String, usage: Usage) -> Self {
        let timestamp = Some(timestamp);
        NodeMetrics { metadata, timestamp, window, usage, ..NodeMetrics::default() }
    }
}

impl PodMetrics {
    /// Of the pod of this metadata.
    pub fn new(
        metadata: ObjectMeta,
        timestamp: MetaTime,
        window: String,
        containers: Vec<ContainerMetrics>,
    ) -> Self {
        let timestamp = Some(timestamp);
        PodMetrics { metadata, timestamp, window, containers, ..PodMetrics::default() }
    }

    /// All containers together.
    pub fn total(&self) -> Usage {
        let mut total: BTreeMap<String, Amount> = BTreeMap::new();
        for (name, quantity) in self.containers.iter().flat_map(|container| &container.usage) {
            *total.entry(name.clone()).or_default() += Amount::of(quantity);
        }
        total.into_iter().map(|(name, amount)| (name, amount.to_quantity())).collect()
    }
}

impl Resource for NodeMetrics {
    const API_VERSION: &'static str = API_VERSION;
    const GROUP: &'static str = GROUP;
    const KIND: &'static str = "NodeMetrics";
    const VERSION: &'static str = VERSION;
    const URL_PATH_SEGMENT: &'static str = "nodes";
    type Scope = ClusterResourceScope;
}

impl Resource for PodMetrics {
    const API_VERSION: &'static str = API_VERSION;
    const GROUP: &'static str = GROUP;
    const KIND: &'static str = "PodMetrics";
    const VERSION: &'static str = VERSION;
    const URL_PATH_SEGMENT: &'static str = "pods";
    type Scope = NamespaceResourceScope;
}

impl Metadata for NodeMetrics {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Metadata for PodMetrics {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Kube for NodeMetrics {
    fn kind() -> KindRef {
        KindRef::built_in(&NODE)
    }
}

impl Kube for PodMetrics {
    fn kind() -> KindRef {
        KindRef::built_in(&POD)
    }
}

struct NodeStrategy;

impl Typed for NodeStrategy {
    type Object = NodeMetrics;

    const COLUMNS: &'static [Column] = COLUMNS;

    fn cells(&self, metrics: &NodeMetrics, _: Time) -> Vec<Cell> {
        row(&metrics.metadata, &metrics.usage, &metrics.window)
    }
}

struct PodStrategy;

impl Typed for PodStrategy {
    type Object = PodMetrics;

    const COLUMNS: &'static [Column] = COLUMNS;

    fn cells(&self, metrics: &PodMetrics, _: Time) -> Vec<Cell> {
        row(&metrics.metadata, &metrics.total(), &metrics.window)
    }
}

fn row(meta: &ObjectMeta, usage: &Usage, window: &str) -> Vec<Cell> {
    let amount = |name: &str| usage.get(name).map_or("0", |quantity| quantity.0.as_str());
    vec![cells::name(meta), amount("cpu").into(), amount("memory").into(), window.into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_are_the_sum_of_their_containers() {
        let json = json!({
            "kind": "PodMetrics", "apiVersion": API_VERSION,
            "metadata": {"name": "web", "namespace": "default"},
            "timestamp": "2025-06-02T00:00:00Z", "window": "15s",
            "containers": [{"name": "a", "usage": {"cpu": "100m", "memory": "1Mi"}},
                {"name": "b", "usage": {"cpu": "900m", "memory": "1Mi"}}],
        });
        let metrics: PodMetrics = serde_json::from_value(json.clone()).unwrap();
        let wanted = ["web", "1", "2Mi", "15s"].map(Cell::from);
        assert_eq!(PodStrategy.cells(&metrics, Time::ZERO), wanted);
        assert_eq!(serde_json::to_value(&metrics).unwrap(), json);
    }
}
