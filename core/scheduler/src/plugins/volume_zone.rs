//! Volumes whose labels say a zone can be used only there.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumezone/volume_zone.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use crate::plugins::is_claim_of;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_api::volumes::{volume_name, waits_for_consumer};
use naru_api::{Key, Object};

const REASON: &str = "node(s) had no available volume zone";
/// The labels, each with the one that newer nodes have for it.
const LABELS: [(&str, &str); 4] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];

/// The plugin.
#[derive(Debug)]
pub struct VolumeZone;

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::Storage { object, old } => {
                let moved = object.get::<PersistentVolume>().is_some_and(|volume| {
                    let old = old.and_then(Object::get::<PersistentVolume>);
                    old.is_none_or(|old| zones(old) != zones(volume))
                });
                let class = object.get::<StorageClass>().filter(|_| old.is_none());
                moved || class.is_some_and(waits_for_consumer) || is_claim_of(pod, object)
            }
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
            if name.is_empty() {
                continue;
            }
            let Some(volume) = view.cache.get::<PersistentVolume>(&Key::new("", name)) else {
                let text = format!("persistentvolume \"{name}\" not found");
                return Err(Rejection::unresolvable(text));
            };
            wanted.extend(zones(volume));
        }
        if wanted.is_empty() { Ok(Prepared::skip()) } else { Ok(Prepared::with(Zones(wanted))) }
    }
}

/// A label, the one that newer nodes have for it, and its value.
type ZoneLabel<'a> = (&'static str, &'static str, &'a str);

/// Where a volume is, by its labels.
fn zones(volume: &PersistentVolume) -> Vec<ZoneLabel<'_>> {
    let labels = volume.metadata.labels.as_ref();
    let value = |label: &str| labels?.get(label).map(String::as_str);
    LABELS.iter().filter_map(|(label, newer)| Some((*label, *newer, value(label)?))).collect()
}

struct Zones<'a>(Vec<ZoneLabel<'a>>);

impl Filter for Zones<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        // Several zones are joined: `a__b`.
        let inside = |(label, other, values): &ZoneLabel<'_>| {
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
