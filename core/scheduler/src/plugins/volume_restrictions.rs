//! Disks that only one may have: of clouds and of iSCSI on the same node, and claims that only one
//! pod may use.
//!
//! Upstream: `pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go`.

use crate::framework::{ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, View};
use crate::nodes::{NodeInfo, PodInfo};
use crate::plugins::is_claim_of;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Volume};
use naru_api::Key;
use naru_api::volumes::{claim_modes, pod_claims};

const REASON_DISK: &str = "node(s) had no available disk";
const REASON_ONE_POD: &str = "node has pod using PersistentVolumeClaim with the same name and \
                              ReadWriteOncePod access mode";

/// The plugin.
#[derive(Debug)]
pub struct VolumeRestrictions;

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::PodRemoved(gone) => {
                let shares_claim = gone.metadata.namespace == pod.metadata.namespace
                    && pod_claims(pod)
                        .any(|claim| pod_claims(gone).any(|other| other.name == claim.name));
                shares_claim || conflict(&disks(pod), &disks(gone))
            }
            ClusterEvent::Storage { object, .. } => is_claim_of(pod, object),
            _ => false,
        }
    }
}

impl FilterPlugin for VolumeRestrictions {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        let disks = disks(&pod.pod);
        if disks.is_empty() && pod.claims.is_empty() {
            return Ok(Prepared::skip());
        }
        let mut exclusive = Vec::new();
        // A claim that is made for the pod is nobody else's.
        let named = pod_claims(&pod.pod).zip(&pod.claims).filter(|(claim, _)| !claim.ephemeral);
        for (_, key) in named {
            let Some(claim) = view.cache.get::<PersistentVolumeClaim>(key) else {
                let text = format!("persistentvolumeclaim \"{}\" not found", key.name);
                return Err(Rejection::unresolvable(text));
            };
            if claim_modes(claim).iter().any(|mode| mode == "ReadWriteOncePod") {
                exclusive.push(key);
            }
        }
        let users = exclusive.iter().map(|key| view.nodes.claim_users(key)).sum();
        if disks.is_empty() && users == 0 {
            return Ok(Prepared::skip());
        }
        Ok(Prepared::with(Free { disks, exclusive, users }))
    }
}

/// A disk that a pod names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Disk {
    name: String,
    /// Where it is looked for, if it may be the same only where these overlap.
    monitors: Vec<String>,
    /// The pod only reads from it.
    reads: bool,
}

type Disks = Vec<Disk>;

struct Free<'a> {
    disks: Disks,
    exclusive: Vec<&'a Key>,
    /// Pods anywhere that use the claims which only one may use.
    users: usize,
}

impl Free<'_> {
    fn uses(&self, pod: &PodInfo) -> usize {
        pod.claims.iter().filter(|key| self.exclusive.contains(key)).count()
    }
}

impl Filter for Free<'_> {
    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let taken = !self.disks.is_empty()
            && node.pods.iter().any(|pod| conflict(&self.disks, &disks(&pod.pod)));
        if taken {
            Err(Rejection::new(REASON_DISK))
        } else if self.users > 0 {
            Err(Rejection::new(REASON_ONE_POD))
        } else {
            Ok(())
        }
    }

    fn add_pod(&mut self, pod: &PodInfo, _node: &NodeInfo) {
        self.users += self.uses(pod);
    }

    fn remove_pod(&mut self, pod: &PodInfo, _node: &NodeInfo) {
        self.users = self.users.saturating_sub(self.uses(pod));
    }
}

/// The disks that a pod names itself. Upstream: `isVolumeConflict`.
fn disks(pod: &Pod) -> Disks {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(disk).collect()
}

fn disk(volume: &Volume) -> Option<Disk> {
    let at = |name: String, read_only: Option<bool>| Disk {
        name,
        monitors: Vec::new(),
        reads: read_only == Some(true),
    };
    if let Some(disk) = &volume.gce_persistent_disk {
        return Some(at(format!("gce/{}", disk.pd_name), disk.read_only));
    }
    if let Some(disk) = &volume.aws_elastic_block_store {
        return Some(at(format!("aws/{}", disk.volume_id), None));
    }
    if let Some(disk) = &volume.iscsi {
        return Some(at(format!("iscsi/{}", disk.iqn), disk.read_only));
    }
    let disk = volume.rbd.as_ref()?;
    let pool = disk.pool.as_deref().unwrap_or_default();
    let monitors = disk.monitors.clone();
    Some(Disk { monitors, ..at(format!("rbd/{pool}/{}", disk.image), disk.read_only) })
}

impl Disk {
    /// Two may share a disk if both only read.
    fn conflicts(&self, other: &Disk) -> bool {
        let overlap = self.monitors.is_empty()
            || self.monitors.iter().any(|monitor| other.monitors.contains(monitor));
        self.name == other.name && overlap && !(self.reads && other.reads)
    }
}

fn conflict(one: &Disks, other: &Disks) -> bool {
    one.iter().any(|disk| other.iter().any(|other| disk.conflicts(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(volume: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({
            "spec": {"containers": [], "volumes": [volume]},
        }))
        .unwrap()
    }

    #[test]
    fn a_disk_is_shared_by_readers_only() {
        let gce = |read_only: bool| {
            serde_json::json!({
                "name": "v", "gcePersistentDisk": {"pdName": "disk", "readOnly": read_only},
            })
        };
        let aws = serde_json::json!({"name": "v", "awsElasticBlockStore": {"volumeID": "vol"}});
        let iscsi = |lun: i32| {
            let disk = serde_json::json!({"targetPortal": "p", "iqn": "iqn", "lun": lun});
            serde_json::json!({"name": "v", "iscsi": disk})
        };
        let rbd = |monitors: &[&str]| serde_json::json!({"name": "v", "rbd": {"monitors": monitors, "image": "one"}});
        let cases = [
            (gce(true), gce(true), false),
            (gce(true), gce(false), true),
            (aws.clone(), aws.clone(), true),
            (aws, gce(false), false),
            (iscsi(0), iscsi(1), true),
            (rbd(&["a", "b"]), rbd(&["b", "c"]), true),
            (rbd(&["a", "b"]), rbd(&["c"]), false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(conflict(&disks(&pod(one)), &disks(&pod(other))), expected);
        }
    }
}
