//! Update, and its subresources.
//!
//! Upstream: `apiserver/pkg/registry/generic/registry/store.go` (`Update`) and
//! `apiserver/pkg/registry/rest/update.go`.

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, keys, metadata, versions};
use naru_api::k8s_openapi::api::core::v1::{Namespace, Service};
use naru_api::request::Body;
use naru_api::{ApiError, Object, Request, status::ApiResult};
use naru_sim::CauseId;

impl ApiServer {
    /// Replaces an object.
    pub(crate) fn update(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        let cause = self.record(request, "update", &request.name);
        let mut new = self.decode(request, body)?;
        if new.name() != request.name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                new.name(),
                request.name
            )));
        }
        metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        let old = self.find(&request.kind, &request.namespace, &request.name)?;
        self.replace(request, &old, new, cause)
    }

    /// Writes `new` over `old` by the rules of the kind and the subresource.
    pub(crate) fn replace(
        &mut self,
        request: &Request,
        old: &Object,
        mut new: Object,
        cause: CauseId,
    ) -> ApiResult<Object> {
        if let Some(inner) = versions::by_stored_rules(request) {
            let stored = self.find(&inner.kind, &request.namespace, &request.name)?;
            let object = self.replace(&inner, &stored, versions::to_storage(new), cause)?;
            return Ok(versions::view(&request.kind, &object).into_owned());
        }
        self.check_versions(request, old, &new)?;
        admit::admit(
            &Admission {
                store: &*self.store,
                kind: &request.kind,
                namespace: &request.namespace,
                name: &request.name,
                subresource: request.subresource,
                operation: Operation::Update(old),
            },
            &mut new,
        )?;
        self.keep(request, old, &mut new)?;
        let mut errors = metadata::validate_update(new.meta(), old.meta());
        let strategy = &request.kind.strategy;
        errors.extend(strategy.validate_update(&new, old, request.subresource));
        if !errors.is_empty() {
            return Err(ApiError::invalid(&request.kind, &request.name, &errors));
        }
        // What changes nothing is not written.
        if new == *old {
            return Ok(new);
        }
        if request.dry_run {
            return Ok(new);
        }
        let key = keys::of_object(&request.kind, &request.namespace, &request.name);
        if is_finished(old, &new) {
            self.remove(key, old.revision(), cause)?;
            return Ok(new);
        }
        self.put(key, old.revision(), new, cause)
    }

    fn check_versions(&self, request: &Request, old: &Object, new: &Object) -> ApiResult<()> {
        let given = new.meta().resource_version.as_deref().unwrap_or_default();
        let current = old.meta().resource_version.as_deref().unwrap_or_default();
        if !new.uid().is_empty() && new.uid() != old.uid() {
            let why = format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                new.uid(),
                old.uid()
            );
            return Err(ApiError::conflict(&request.kind, &request.name, &why));
        }
        if !given.is_empty() && given != current {
            return Err(ApiError::stale(&request.kind, &request.name));
        }
        Ok(())
    }

    /// Carries over what an update may not change.
    fn keep(&mut self, request: &Request, old: &Object, new: &mut Object) -> ApiResult<()> {
        let before = old.meta();
        let meta = new.meta_mut();
        meta.generation = before.generation;
        request.kind.strategy.prepare_for_update(new, old, request.subresource);
        let meta = new.meta_mut();
        meta.uid = before.uid.clone();
        meta.resource_version = before.resource_version.clone();
        meta.creation_timestamp = before.creation_timestamp.clone();
        meta.deletion_timestamp = before.deletion_timestamp.clone();
        meta.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
        meta.self_link = None;
        if request.subresource.is_empty()
            && let Some(service) = new.edit::<Service>()
        {
            self.allocators.allocate(service, old.get::<Service>(), &mut self.rng)?;
        }
        Ok(())
    }
}

/// Whether an update took the last thing away that kept a deleted object.
fn is_finished(old: &Object, new: &Object) -> bool {
    let finalizers = new.meta().finalizers.as_ref().is_none_or(Vec::is_empty);
    let deleted = old.meta().deletion_timestamp.is_some()
        && old.meta().deletion_grace_period_seconds.unwrap_or(0) == 0;
    let namespace = new.get::<Namespace>().and_then(|namespace| namespace.spec.as_ref());
    let held =
        namespace.is_some_and(|spec| spec.finalizers.as_ref().is_some_and(|f| !f.is_empty()));
    finalizers && deleted && !held
}
