//! What the kinds of storage share.
//!
//! Upstream: `pkg/apis/core/validation/validation.go`, `pkg/apis/storage/validation/validation.go`.

use crate::podspec::validation::all_invalid;
use crate::{FieldError, Path, names};

/// The API group.
pub(super) const GROUP: &str = "storage.k8s.io";
const DRIVER_BYTES_MAX: usize = 63;

/// What is wrong with the name of a CSI driver.
///
/// Upstream: `ValidateCSIDriverName`.
pub(super) fn driver_name(name: &str, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    if name.len() > DRIVER_BYTES_MAX {
        errors.push(FieldError::too_long(field, DRIVER_BYTES_MAX));
    }
    all_invalid(names::dns1123_subdomain(&name.to_lowercase()), name, field, errors);
}

/// What is wrong with access modes; `missing` is said when there are none.
pub(super) fn access_modes(
    modes: &[String],
    missing: &str,
    field: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    const POD_ONLY: &str = "ReadWriteOncePod";
    const MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", POD_ONLY];
    if modes.is_empty() {
        errors.push(FieldError::required(field, missing));
    }
    for mode in modes.iter().filter(|mode| !MODES.contains(&mode.as_str())) {
        errors.push(FieldError::not_supported(field, mode, MODES));
    }
    let others = modes.iter().any(|mode| mode != POD_ONLY && MODES.contains(&mode.as_str()));
    if others && modes.iter().any(|mode| mode == POD_ONLY) {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(field, detail));
    }
}

/// What is wrong with a volume mode that is given.
pub(super) fn volume_mode(mode: Option<&str>, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    const MODES: &[&str] = &["Block", "Filesystem"];
    if let Some(mode) = mode.filter(|mode| !MODES.contains(mode)) {
        errors.push(FieldError::not_supported(field, mode, MODES));
    }
}

/// What is wrong with the name of a class that is given.
pub(super) fn class_name(name: Option<&str>, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        all_invalid(names::dns1123_subdomain(name), name, field, errors);
    }
}
