//! `ServiceAccount`: every pod runs as a service account.
//!
//! Upstream: `plugin/pkg/admission/serviceaccount/admission.go`. The token's volume is not
//! mounted yet: there are no tokens before the API server signs them.

use super::{Admission, Operation};
use crate::keys;
use naru_api::k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use naru_api::{ApiError, Kube, Object, status::ApiResult};

const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn admit(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    if !matches!(admission.operation, Operation::Create) || object.get::<Pod>().is_none() {
        return Ok(());
    }
    if object.meta().annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR)) {
        return Ok(());
    }
    let Some(pod) = object.edit::<Pod>() else { return Ok(()) };
    let spec = pod.spec.get_or_insert_default();
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        spec.service_account_name = Some("default".to_owned());
    }
    // The old name of the field follows, as upstream's conversion keeps it.
    spec.service_account = spec.service_account_name.clone();
    let name = spec.service_account_name.as_deref().unwrap_or_default();
    let key = keys::of_object(&ServiceAccount::kind(), admission.namespace, name);
    let account = admission.store.get(&key);
    match account.as_ref().and_then(|object| object.get::<ServiceAccount>()) {
        Some(account) => {
            if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
                spec.image_pull_secrets = account.image_pull_secrets.clone();
            }
            Ok(())
        }
        // Upstream waits some seconds for a controller to make it. No virtual time passes within
        // a request, so the account is taken as already there.
        None if name == "default" => Ok(()),
        None => {
            let namespace = admission.namespace;
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" \
                 not found"
            );
            Err(ApiError::forbidden(admission.kind, admission.name, &why))
        }
    }
}
