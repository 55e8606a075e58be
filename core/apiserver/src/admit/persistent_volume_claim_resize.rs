//! `PersistentVolumeClaimResize`: a claim grows only if its class says so.
//!
//! Upstream: `plugin/pkg/admission/storage/persistentvolume/resize/admission.go`.

use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use naru_api::k8s_openapi::api::storage::v1::StorageClass;
use naru_api::volumes::{claim_class, claim_phase, claim_size};
use naru_api::{Object, status::ApiResult};

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Operation::Update(old) = admission.operation else { return Ok(()) };
    let claims = (object.get::<PersistentVolumeClaim>(), old.get::<PersistentVolumeClaim>());
    let (Some(new), Some(old)) = claims else { return Ok(()) };
    if !admission.subresource.is_empty() || claim_size(new) <= claim_size(old) {
        return Ok(());
    }
    if claim_phase(old) != "Bound" {
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

fn may_grow(
    admission: &Admission<'_>,
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) -> bool {
    let name = claim_class(new);
    let found = admission.find::<StorageClass>("", name);
    !name.is_empty()
        && name == claim_class(old)
        && found.is_some_and(|found| found.allow_volume_expansion == Some(true))
}
