//! Volumes whose labels say a zone can be used only there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumezone/volume_zone.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use naru_api::Key;
use naru_api::volumes::volume_name;

const REASON: &str = "node(s) had no available volume zone";
/// The labels, each with the one that stands for it on older nodes.
const LABELS: [(&str, &str); 4] = [
    ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
];

/// The plugin.
#[derive(Debug)]
pub struct VolumeZone;

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn may_help(&self, _pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) | ClusterEvent::Storage { .. } => true,
            ClusterEvent::NodeUpdated { old, new } => old.metadata.labels != new.metadata.labels,
            _ => false,
        }
    }
}

impl FilterPlugin for VolumeZone {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let mut wanted = Vec::new();
        for key in &pod.claims {
            let claim = view.cache.get::<PersistentVolumeClaim>(key);
            let name = claim.map(volume_name).unwrap_or_default();
            let volume = view.cache.get::<PersistentVolume>(&Key::new("", name));
            let labels = volume.and_then(|volume| volume.metadata.labels.as_ref());
            for (label, other) in LABELS {
                if let Some(values) = labels.and_then(|labels| labels.get(label)) {
                    wanted.push((label, other, values.as_str()));
                }
            }
        }
        if wanted.is_empty() { Ok(Prepared::skip()) } else { Ok(Prepared::with(Zones(wanted))) }
    }
}

struct Zones<'a>(Vec<(&'static str, &'static str, &'a str)>);

impl Filter for Zones<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        // Several zones are joined: `a__b`.
        let inside = |(label, other, values): &(&str, &str, &str)| {
            let value = node.label(label).or_else(|| node.label(other));
            value.is_some_and(|value| values.split("__").any(|one| one == value))
        };
        // A node that is in no zone at all takes every volume.
        let zoned = LABELS.iter().any(|(label, _)| node.label(label).is_some());
        if !zoned || self.0.iter().all(inside) {
            Ok(())
        } else {
            Err(Rejection::unresolvable(REASON))
        }
    }
}
