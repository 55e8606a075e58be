//! `StorageObjectInUseProtection`: a finalizer keeps claims and volumes while they are used.
//!
//! Upstream: `plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go`.

use super::Admission;
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) {
    if !admission.creates() {
        return;
    }
    let finalizer = if object.get::<PersistentVolumeClaim>().is_some() {
        "kubernetes.io/pvc-protection"
    } else if object.get::<PersistentVolume>().is_some() {
        "kubernetes.io/pv-protection"
    } else {
        return;
    };
    let finalizers = object.meta_mut().finalizers.get_or_insert_default();
    if !finalizers.iter().any(|name| name == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
}
