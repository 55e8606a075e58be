//! A node takes only so many volumes of a CSI driver.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodevolumelimits/csi.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use crate::plugins::is_claim_of;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::{
    CSINode, StorageClass, VolumeAttachment, VolumeAttachmentSpec,
};
use naru_api::volumes::{claim_class, pod_claims, volume_name};
use naru_api::{Key, csi_translation};
use naru_client::Cache;
use std::collections::{BTreeMap, BTreeSet};

const REASON: &str = "node(s) exceed max volume count";

/// The plugin.
#[derive(Debug)]
pub struct NodeVolumeLimits;

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::Storage { object, .. } => {
                object.get::<CSINode>().is_some() || is_claim_of(pod, object)
            }
            ClusterEvent::PodRemoved(gone) => {
                pod_claims(gone).next().is_some() || inline(gone).next().is_some()
            }
            ClusterEvent::AttachmentRemoved(gone) => {
                pod_claims(pod).next().is_some()
                    || inline(pod).any(|(driver, _)| driver == gone.spec.attacher)
            }
            _ => false,
        }
    }
}

/// The disks that a pod names itself.
fn inline(pod: &Pod) -> impl Iterator<Item = (String, String)> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(csi_translation::of_inline)
}

impl FilterPlugin for NodeVolumeLimits {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let volumes = attachable(pod, view.cache);
        if volumes.is_empty() || view.cache.is_empty::<CSINode>() {
            return Ok(Prepared::skip());
        }
        let attached = attached(view.cache);
        Ok(Prepared::with(Room { volumes, attached, cache: view.cache }))
    }
}

/// Volumes by driver and handle.
type Attachable = BTreeSet<(String, String)>;

struct Room<'a> {
    volumes: Attachable,
    /// By node.
    attached: BTreeMap<&'a str, Attachable>,
    cache: &'a Cache,
}

impl Filter for Room<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let Some(csi_node) = self.cache.get::<CSINode>(&Key::new("", &*node.name)) else {
            return Ok(());
        };
        let mut there: Option<Attachable> = None;
        for driver in &csi_node.spec.drivers {
            let limit = driver.allocatable.as_ref().and_then(|allocatable| allocatable.count);
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
                continue;
            };
            let of_driver = |volumes: &Attachable| -> BTreeSet<String> {
                let mine = volumes.iter().filter(|(name, _)| *name == driver.name);
                mine.map(|(_, handle)| handle.clone()).collect()
            };
            let wanted = of_driver(&self.volumes);
            if wanted.is_empty() {
                continue;
            }
            let there = there.get_or_insert_with(|| {
                let of_pods = node.pods.iter().flat_map(|pod| attachable(pod, self.cache));
                // A pod may be gone whose disk is not.
                let attached = self.attached.get(&*node.name).into_iter().flatten();
                of_pods.chain(attached.cloned()).collect()
            });
            let mut all = of_driver(there);
            let before = all.len();
            all.extend(wanted);
            if all.len() > limit && all.len() > before {
                return Err(Rejection::new(REASON));
            }
        }
        Ok(())
    }
}

/// The volumes that are attached, by node. Like upstream it knows only those that have an object
/// and are a CSI driver's own: `getNodeVolumeAttachmentInfo`.
fn attached(cache: &Cache) -> BTreeMap<&str, Attachable> {
    let mut all = BTreeMap::<&str, Attachable>::new();
    for attachment in cache.list::<VolumeAttachment>("") {
        let VolumeAttachmentSpec { attacher, node_name, source } = &attachment.spec;
        let name = source.persistent_volume_name.as_deref().unwrap_or_default();
        let volume = cache.get::<PersistentVolume>(&Key::new("", name));
        let csi = volume.and_then(|volume| volume.spec.as_ref()?.csi.as_ref());
        if let Some(csi) = csi {
            let volume = (attacher.clone(), csi.volume_handle.clone());
            all.entry(node_name).or_default().insert(volume);
        }
    }
    all
}

/// The volumes of a pod that a CSI driver has to attach; one that is not made yet counts by its
/// claim.
fn attachable(pod: &PodInfo, cache: &Cache) -> Attachable {
    let mut volumes = Attachable::new();
    for key in &pod.claims {
        let Some(claim) = cache.get::<PersistentVolumeClaim>(key) else { continue };
        let volume = cache.get::<PersistentVolume>(&Key::new("", volume_name(claim)));
        match volume.and_then(|volume| volume.spec.as_ref()) {
            Some(spec) => volumes.extend(csi_translation::of_volume(spec)),
            None => {
                let class = cache.get::<StorageClass>(&Key::new("", claim_class(claim)));
                let driver = class.map(|class| class.provisioner.clone()).unwrap_or_default();
                volumes.insert((driver, key.to_string()));
            }
        }
    }
    volumes.extend(inline(&pod.pod));
    volumes
}
