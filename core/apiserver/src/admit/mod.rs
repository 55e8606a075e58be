//! Admission: plug-ins that change or refuse what is about to be written, in upstream's order.
//!
//! Upstream: `pkg/kubeapiserver/options/plugins.go` (`AllOrderedPlugins`).

mod default_toleration_seconds;
mod namespace_lifecycle;
mod priority;
mod service_account;

use crate::store::Store;
use naru_api::{Kind, Object, status::ApiResult};

/// What a plug-in is shown.
pub(crate) struct Admission<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) kind: &'a Kind,
    pub(crate) namespace: &'a str,
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

/// Shows an object that is about to be created or updated to every plug-in.
pub(crate) fn admit(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    namespace_lifecycle::admit(admission)?;
    if admission.subresource.is_empty() {
        service_account::admit(admission, object)?;
        default_toleration_seconds::admit(admission, object);
        priority::admit(admission, object)?;
    }
    Ok(())
}

/// Asks every plug-in that cares whether an object may be deleted.
pub(crate) fn admit_deletion(admission: &Admission<'_>) -> ApiResult<()> {
    namespace_lifecycle::admit(admission)
}
