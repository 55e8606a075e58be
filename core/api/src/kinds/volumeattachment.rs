//! Volume attachments.
//!
//! Upstream: `pkg/registry/storage/volumeattachment/strategy.go`, `ValidateVolumeAttachment`,
//! `printVolumeAttachment`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::storage::v1::{VolumeAttachment, VolumeAttachmentStatus};
use naru_sim::Time;

static KIND: Kind =
    Names::new("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", "volumeattachment")
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&VolumeAttachmentStrategy);

impl Kube for VolumeAttachment {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct VolumeAttachmentStrategy;

impl Typed for VolumeAttachmentStrategy {
    type Object = VolumeAttachment;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Attacher"),
        Column::new("PV"),
        Column::new("Node"),
        Column::new("Attached").boolean(),
        Column::new("Age"),
    ];

    const RETURNS_DELETED: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn prepare_for_create(&self, attachment: &mut VolumeAttachment) {
        attachment.status = Some(VolumeAttachmentStatus::default());
    }

    fn prepare_for_update(&self, new: &mut VolumeAttachment, old: &VolumeAttachment, sub: &str) {
        if sub == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn cells(&self, attachment: &VolumeAttachment, now: Time) -> Vec<Cell> {
        let spec = &attachment.spec;
        vec![
            cells::name(&attachment.metadata),
            spec.attacher.as_str().into(),
            cells::text(spec.source.persistent_volume_name.as_deref()),
            spec.node_name.as_str().into(),
            attachment.status.as_ref().is_some_and(|status| status.attached).into(),
            cells::age(&attachment.metadata, now),
        ]
    }
}
