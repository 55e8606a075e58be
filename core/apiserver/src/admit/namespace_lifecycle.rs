//! `NamespaceLifecycle`: nothing is made in a namespace that is not there or is going away.
//!
//! Upstream: `apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go`.

use super::{Admission, Operation};
use crate::keys;
use naru_api::k8s_openapi::api::core::v1::Namespace;
use naru_api::{ApiError, Kube, status::ApiResult};

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn admit(admission: &Admission<'_>) -> ApiResult<()> {
    let kind = Namespace::kind();
    if *admission.kind.plural == *kind.plural && admission.kind.group.is_empty() {
        let deleting = matches!(admission.operation, Operation::Delete);
        if deleting && IMMORTAL.contains(&admission.name) {
            let why = "this namespace may not be deleted";
            return Err(ApiError::forbidden(&kind, admission.name, why));
        }
        return Ok(());
    }
    let namespace = admission.namespace;
    // A review that were refused here would tell which namespaces there are.
    if admission.kind.plural == "localsubjectaccessreviews" {
        return Ok(());
    }
    if namespace.is_empty() || matches!(admission.operation, Operation::Delete) {
        return Ok(());
    }
    let found = admission.store.get(&keys::of_object(&kind, "", namespace));
    let Some(found) = found.as_ref().and_then(|object| object.get::<Namespace>()) else {
        return Err(ApiError::not_found(&kind, namespace));
    };
    let phase = found.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(admission.operation, Operation::Create) && phase == Some("Terminating") {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        return Err(admission.forbidden(why).with_cause(
            "NamespaceTerminating",
            format!("namespace {namespace} is being terminated"),
            "metadata.namespace",
        ));
    }
    Ok(())
}
