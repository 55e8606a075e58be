//! `PersistentVolumeClaimResize`: a claim grows only if its class says so.
//!
//! Upstream: `plugin/pkg/admission/storage/persistentvolume/resize/admission.go`.

use super::default_class::BETA_STORAGE_CLASS;
use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use naru_api::k8s_openapi::api::storage::v1::StorageClass;
use naru_api::quantity::Amount;
use naru_api::{Object, status::ApiResult};

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Operation::Update(old) = admission.operation else { return Ok(()) };
    let claims = (object.get::<PersistentVolumeClaim>(), old.get::<PersistentVolumeClaim>());
    let (Some(new), Some(old)) = claims else { return Ok(()) };
    if !admission.subresource.is_empty() || size(new) <= size(old) {
        return Ok(());
    }
    let phase = old.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err(admission.forbidden("Only bound persistent volume claims can be expanded"));
    }
    if !may_grow(admission, new, old) {
        return Err(admission.forbidden(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions \
             the pvc must support resize",
        ));
    }
    Ok(())
}

fn size(claim: &PersistentVolumeClaim) -> Amount {
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    requests.and_then(|requests| requests.get("storage")).map_or(Amount::ZERO, Amount::of)
}

/// Upstream: `GetPersistentVolumeClaimClass`.
fn class(claim: &PersistentVolumeClaim) -> &str {
    let annotations = claim.metadata.annotations.as_ref();
    let beta = annotations.and_then(|all| all.get(BETA_STORAGE_CLASS)).map(String::as_str);
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    beta.or(named).unwrap_or_default()
}

fn may_grow(
    admission: &Admission<'_>,
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) -> bool {
    let name = class(new);
    let found = admission.find::<StorageClass>("", name);
    !name.is_empty()
        && name == class(old)
        && found.is_some_and(|found| found.allow_volume_expansion == Some(true))
}
