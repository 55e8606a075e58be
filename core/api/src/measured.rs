//! What adapters measure of things beside their resources: the groups `custom.metrics.k8s.io` and
//! `external.metrics.k8s.io`.
//!
//! Upstream: `k8s.io/metrics/pkg/apis/custom_metrics` and `external_metrics`.

use crate::labels::Selector;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_sim::Time;
use std::collections::BTreeMap;

/// Metrics of objects of the cluster.
pub const CUSTOM: &str = "custom.metrics.k8s.io";
/// Metrics of what is outside of the cluster.
pub const EXTERNAL: &str = "external.metrics.k8s.io";
/// The versions of each, the preferred one first.
pub const VERSIONS: [(&str, &[&str]); 2] =
    [(CUSTOM, &["v1beta2", "v1beta1"]), (EXTERNAL, &["v1beta1"])];

/// The versions of a group; none if it is not one of these.
pub fn versions(group: &str) -> &'static [&'static str] {
    let found = VERSIONS.iter().find(|(name, _)| *name == group);
    found.map_or(&[], |(_, versions)| *versions)
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The namespace of what was measured, or "".
    pub namespace: String,
    /// What was measured: `pods`, `deployments.apps`; "" for what is outside of the cluster.
    pub resource: String,
    /// Its name; "" for what is outside of the cluster.
    pub object: String,
    /// How the metric is called.
    pub name: String,
    /// Which of those of this name it is.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: Quantity,
    /// When it was measured.
    pub timestamp: Time,
}

/// Which values are asked for.
#[derive(Clone, Debug)]
pub struct MetricQuery {
    /// [`CUSTOM`] or [`EXTERNAL`].
    pub group: &'static str,
    /// The namespace, or "".
    pub namespace: String,
    /// `pods`, `deployments.apps`; "" for what is outside of the cluster.
    pub resource: String,
    /// The object's name; `*` for all that the selector matches.
    pub object: String,
    /// Which objects.
    pub objects: Selector,
    /// How the metric is called.
    pub name: String,
    /// Which of those of this name.
    pub labels: Selector,
}
