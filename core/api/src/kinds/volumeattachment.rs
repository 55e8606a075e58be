//! Volume attachments.
//!
//! Upstream: `pkg/registry/storage/volumeattachment/strategy.go`, `ValidateVolumeAttachment`,
//! `printVolumeAttachment`.

use super::typed::{Typed, keep};
use super::{cells, persistentvolume, storage};
use crate::gofmt::quote;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::storage::v1::{
    VolumeAttachment, VolumeAttachmentSpec, VolumeAttachmentStatus,
};
use naru_sim::Time;

static KIND: Kind =
    Names::new(storage::GROUP, "v1", "VolumeAttachment", "volumeattachments", "volumeattachment")
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

    fn validate(&self, attachment: &VolumeAttachment) -> Vec<FieldError> {
        let mut errors = validate_all(attachment);
        let spec = Path::new("spec");
        let attacher = &attachment.spec.attacher;
        storage::driver_name(attacher, &spec.child("attacher"), &mut errors);
        if let Some(name) = &attachment.spec.source.persistent_volume_name {
            let source = spec.child("source");
            let field = source.child("persistentVolumeName");
            all_invalid(names::dns1123_subdomain(name), name, &field, &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        new: &VolumeAttachment,
        old: &VolumeAttachment,
        _: &str,
    ) -> Vec<FieldError> {
        let mut errors = validate_all(new);
        if new.spec != old.spec {
            let value = go_spec(&new.spec);
            errors.push(FieldError::invalid_raw("spec", value, "field is immutable"));
        }
        errors
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

/// What is checked again at every update.
fn validate_all(attachment: &VolumeAttachment) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let spec = &attachment.spec;
    if spec.attacher.is_empty() {
        errors.push(FieldError::required(path.child("attacher"), ""));
    }
    let source = path.child("source");
    let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (&spec.source.inline_volume_spec, spec.source.persistent_volume_name.as_deref()) {
        (None, None) => errors.push(FieldError::required(source, detail)),
        (Some(_), Some(_)) => errors.push(FieldError::forbidden(source, detail)),
        (None, Some("")) => {
            let detail = "must specify non empty persistentVolumeName";
            errors.push(FieldError::required(source.child("persistentVolumeName"), detail));
        }
        (None, Some(_)) => {}
        (Some(inline), None) => {
            let field = source.child("inlineVolumeSpec");
            errors.extend(persistentvolume::validate_inline(inline, &field));
        }
    }
    let node = &spec.node_name;
    all_invalid(names::dns1123_subdomain(node), node, &path.child("nodeName"), &mut errors);
    validate_status(attachment.status.as_ref(), &mut errors);
    errors
}

fn validate_status(status: Option<&VolumeAttachmentStatus>, errors: &mut Vec<FieldError>) {
    const METADATA_BYTES_MAX: usize = 256 * 1024;
    const MESSAGE_BYTES_MAX: usize = 1024;
    let Some(status) = status else { return };
    let path = Path::new("status");
    let entries = status.attachment_metadata.iter().flatten();
    let bytes: usize = entries.map(|(key, value)| key.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        errors.push(FieldError::too_long(path.child("attachmentMetadata"), METADATA_BYTES_MAX));
    }
    let failures = [("attachError", &status.attach_error), ("detachError", &status.detach_error)];
    for (field, failure) in failures {
        let message = failure.as_ref().and_then(|failure| failure.message.as_ref());
        if message.is_some_and(|message| message.len() > MESSAGE_BYTES_MAX) {
            let field = path.child(field);
            // Upstream tells the other limit here.
            errors.push(FieldError::too_long(field.child("message"), METADATA_BYTES_MAX));
        }
    }
}

fn go_spec(spec: &VolumeAttachmentSpec) -> String {
    // A pointer's address is another one each time.
    let pointer =
        |type_: &str, set: bool| format!("({type_})({})", if set { "0xc000a5f0e0" } else { "nil" });
    format!(
        "storage.VolumeAttachmentSpec{{Attacher:{}, Source:storage.VolumeAttachmentSource\
         {{PersistentVolumeName:{}, InlineVolumeSpec:{}}}, NodeName:{}}}",
        quote(&spec.attacher),
        pointer("*string", spec.source.persistent_volume_name.is_some()),
        pointer("*core.PersistentVolumeSpec", spec.source.inline_volume_spec.is_some()),
        quote(&spec.node_name)
    )
}
