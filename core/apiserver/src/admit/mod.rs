//! Admission: plug-ins that change or refuse what is about to be written, in upstream's order.
//!
//! First every plug-in that changes objects, [`mutate`]; then the API server's own validation;
//! then every plug-in that only looks, [`validate`]; and last `ResourceQuota`, [`charge`], which
//! writes.
//!
//! Upstream: `pkg/kubeapiserver/options/plugins.go` (`AllOrderedPlugins`), with what kubeadm
//! switches on beyond the defaults: `NodeRestriction`.

mod certificates;
mod default_class;
mod default_toleration_seconds;
mod limit_ranger;
mod namespace_lifecycle;
mod node_restriction;
mod persistent_volume_claim_resize;
mod pod_security;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;

use crate::authorize::Authorizer;
use crate::keys;
use crate::store::Store;
use naru_api::{ApiError, Kind, Kube, Object, Request, UserInfo, status::ApiResult};
use naru_sim::{Rng, Time};
use std::sync::Arc;

/// What a plug-in is shown.
pub(crate) struct Admission<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) authorizer: &'a Authorizer,
    pub(crate) user: &'a UserInfo,
    pub(crate) kind: &'a Kind,
    pub(crate) namespace: &'a str,
    /// As messages tell it: the beginning of a name that is still to be generated.
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) operation: Operation<'a>,
}

/// What is about to be done.
#[derive(Clone, Copy)]
pub(crate) enum Operation<'a> {
    Create,
    Update(&'a Object),
    Delete,
}

impl<'a> Admission<'a> {
    /// Of a request on the one object that its path names.
    pub(crate) fn new(
        store: &'a dyn Store,
        authorizer: &'a Authorizer,
        request: &'a Request,
        operation: Operation<'a>,
    ) -> Self {
        Admission {
            store,
            authorizer,
            user: &request.user,
            kind: &request.kind,
            namespace: &request.namespace,
            name: &request.name,
            subresource: request.subresource,
            operation,
        }
    }
}

impl Admission<'_> {
    /// `pods "web" is forbidden: …`.
    fn forbidden(&self, why: impl AsRef<str>) -> ApiError {
        let name = if self.name.is_empty() { "Unknown" } else { self.name };
        ApiError::forbidden(self.kind, name, why.as_ref())
    }

    /// Whether an object is made, and not one of its subresources.
    fn creates(&self) -> bool {
        matches!(self.operation, Operation::Create) && self.subresource.is_empty()
    }

    /// An object that a plug-in goes by.
    fn find<K: Kube>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.store.get(&keys::of_object(&K::kind(), namespace, name))?.arc()
    }

    /// All objects of a kind in a namespace; "": wherever they are.
    fn list<K: Kube>(&self, namespace: &str) -> Vec<Arc<K>> {
        let prefix = keys::of_namespace(&K::kind(), namespace);
        self.store.range(&prefix).filter_map(Object::arc).collect()
    }
}

/// Several problems as one text, each once: upstream's `utilerrors.NewAggregate`.
fn aggregate(problems: Vec<String>) -> Option<String> {
    let mut texts: Vec<String> = Vec::new();
    for problem in problems {
        if !texts.contains(&problem) {
            texts.push(problem);
        }
    }
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

/// Shows an object that is about to be created or updated to every plug-in that may change it.
pub(crate) fn mutate(
    admission: &Admission<'_>,
    object: &mut Object,
    rng: &mut Rng,
) -> ApiResult<()> {
    namespace_lifecycle::admit(admission)?;
    limit_ranger::mutate(admission, object)?;
    service_account::mutate(admission, object, rng)?;
    node_restriction::admit(admission, Some(object))?;
    taint_nodes_by_condition::mutate(admission, object);
    priority::mutate(admission, object)?;
    default_toleration_seconds::mutate(admission, object);
    default_class::storage(admission, object);
    storage_object_in_use_protection::mutate(admission, object);
    runtime_class::mutate(admission, object)?;
    default_class::ingress(admission, object);
    Ok(())
}

/// Shows an object as it will be written to every plug-in that may refuse it.
pub(crate) fn validate(
    admission: &Admission<'_>,
    object: &Object,
    warnings: &mut Vec<String>,
) -> ApiResult<()> {
    limit_ranger::validate(admission, object)?;
    service_account::validate(admission, object)?;
    pod_security::validate(admission, object, warnings)?;
    priority::validate(admission, object)?;
    persistent_volume_claim_resize::validate(admission, object)?;
    runtime_class::validate(admission, object)?;
    certificates::validate(admission, object)
}

/// What the request is charged to: quotas as they shall be written with it.
pub(crate) fn charge(
    admission: &Admission<'_>,
    object: &Object,
    now: Time,
) -> ApiResult<Vec<Object>> {
    resource_quota::charge(admission, object, now)
}

/// Asks every plug-in that cares whether an object may be deleted.
pub(crate) fn admit_deletion(admission: &Admission<'_>) -> ApiResult<()> {
    namespace_lifecycle::admit(admission)?;
    node_restriction::admit(admission, None)
}
