//! Which fields a write cannot change, so that nobody comes to own them by it.
//!
//! Upstream: `GetResetFields` of the strategies in `pkg/registry`.

use super::FieldSet;
use crate::Kind;

/// The fields of a kind that a write through a subresource ("" is the object itself) resets.
pub(super) fn fields(kind: &Kind, subresource: &str) -> FieldSet {
    let mut paths: Vec<&[&str]> = Vec::new();
    match (&*kind.kind, subresource) {
        ("CertificateSigningRequest", "") => paths.extend([&["spec"][..], &["status"]]),
        ("CertificateSigningRequest", "status") => {
            paths.extend([&["spec"][..], &["status", "conditions"]]);
        }
        ("CertificateSigningRequest", "approval") => {
            paths.extend([&["spec"][..], &["status", "certificate"]]);
        }
        (_, "scale") => {}
        (_, "status") => {
            paths.push(&["spec"]);
            paths.extend(metadata(kind));
        }
        _ if kind.subresources.contains(&"status") => paths.push(&["status"]),
        _ => {}
    }
    FieldSet::of_fields(&paths)
}

/// Metadata that a write of the status resets.
fn metadata(kind: &Kind) -> &'static [&'static [&'static str]] {
    match (&*kind.group, &*kind.kind) {
        ("", "Pod") => &[&["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]],
        ("apps", "Deployment") => &[&["metadata", "labels"]],
        ("storage.k8s.io", "VolumeAttachment")
        | ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy")
        | ("flowcontrol.apiserver.k8s.io", _)
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("apiregistration.k8s.io", "APIService") => &[&["metadata"]],
        _ => &[],
    }
}
