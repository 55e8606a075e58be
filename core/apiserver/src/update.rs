//! Update, and its subresources.
//!
//! Upstream: `apiserver/pkg/registry/generic/registry/store.go` (`Update`) and
//! `apiserver/pkg/registry/rest/update.go`.

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, create, keys, managed, metadata, versions};
use naru_api::k8s_openapi::api::core::v1::{Namespace, Service};
use naru_api::request::Body;
use naru_api::wanted::Wanted;
use naru_api::{ApiError, FieldError, Kind, Object, Request, status::ApiResult};
use naru_sim::CauseId;

impl ApiServer {
    /// Replaces an object.
    pub(crate) fn update(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        let cause = self.record(request, "update", &request.name);
        // What a client wrote is told exactly; what a component did is noted.
        let exact = matches!(body, Body::Json(_)) && versions::by_stored_rules(request).is_none();
        let mut new = self.decode(request, body)?;
        check_name(request, &new)?;
        metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        self.warnings.extend(metadata::dedup_owners(new.meta_mut()));
        match self.find(&request.kind, &request.namespace, &request.name) {
            Ok(old) if exact => {
                self.own_update(request, &old, &mut new, &Wanted::everything())?;
                self.replace_owned(request, &old, new, cause)
            }
            Ok(old) => self.replace(request, &old, new, cause),
            Err(error) if !error.is_not_found() => Err(error),
            Err(_) if upserts(request) => {
                self.authorize(request, "create")?;
                check_uid(request, "", &new)?;
                let inner = versions::by_stored_rules(request);
                let mut new = versions::to_storage(new);
                self.own_new(inner.as_ref().unwrap_or(request), &mut new)?;
                let made =
                    self.create_named(inner.as_ref().unwrap_or(request), new, None, cause)?;
                Ok(versions::view(&request.kind, &made).into_owned())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes `new` over `old` by the rules of the kind and the subresource, and notes who did.
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
        if new.meta().managed_fields.is_some() {
            new.meta_mut().managed_fields = None;
        }
        let writer = managed::writer(request);
        new.note_write(old, Some(&writer), &request.kind, self.timestamp());
        self.replace_owned(request, old, new, cause)
    }

    /// Writes `new`, of which it is told who owns what, over `old` by the rules of the kind and
    /// the subresource.
    pub(crate) fn replace_owned(
        &mut self,
        request: &Request,
        old: &Object,
        mut new: Object,
        cause: CauseId,
    ) -> ApiResult<Object> {
        check_uid(request, old.uid(), &new)?;
        let operation = Operation::Update(old);
        let admission = Admission::new(&*self.store, &self.authorizer, request, operation);
        admit::mutate(&admission, &mut new, &mut self.rng)?;
        check_version(request, old, &new)?;
        self.check_escalation(request, &new, Some(old))?;
        self.keep(request, old, &mut new)?;
        let mut errors = metadata::validate_update(new.meta(), old.meta());
        let strategy = &request.kind.strategy;
        errors.extend(strategy.validate_update(&new, old, request.subresource));
        if !errors.is_empty() {
            return Err(ApiError::invalid(&request.kind, &request.name, &errors));
        }
        if request.subresource.is_empty() {
            create::warn(&mut self.warnings, strategy.warnings(&new, Some(old)));
        }
        let admission = Admission::new(&*self.store, &self.authorizer, request, operation);
        admit::validate(&admission, &new, &mut self.warnings)?;
        let charged = admit::charge(&admission, &new, self.now)?;
        // What changes nothing is not written.
        if new == *old && (new.has_notes() || new.managers().same_fields(&old.managers())) {
            return Ok(old.clone());
        }
        if request.dry_run {
            return Ok(new);
        }
        self.write_quotas(charged, cause)?;
        let key = keys::of_object(&request.kind, &request.namespace, &request.name);
        if is_finished(old, &new) {
            self.remove(key, old.revision(), cause)?;
            return Ok(new);
        }
        self.put(key, old.revision(), new, cause)
    }

    /// Carries over what an update may not change.
    fn keep(&mut self, request: &Request, old: &Object, new: &mut Object) -> ApiResult<()> {
        let before = old.meta();
        let meta = new.meta_mut();
        meta.generation = before.generation;
        let strategy = &request.kind.strategy;
        strategy.prepare_for_update(new, old, request.subresource);
        strategy.stamp(new, Some(old), &request.user, self.now);
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

/// Whether an update may make the object: of a whole object, where the kind allows it.
fn upserts(request: &Request) -> bool {
    request.subresource.is_empty() && request.kind.strategy.allow_create_on_update()
}

/// The name of the object must be that of the path.
///
/// Upstream: `checkName` in `apiserver/pkg/endpoints/handlers/rest.go`.
pub(crate) fn check_name(request: &Request, new: &Object) -> ApiResult<()> {
    match new.name() {
        name if name == request.name => Ok(()),
        "" => Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            request.name
        ))),
        name => Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name
        ))),
    }
}

/// An object that the client has seen must be the one that is there, of this uid; "" if there is none.
///
/// Upstream: `Preconditions.Check` in `apiserver/pkg/storage/interfaces.go`.
fn check_uid(request: &Request, there: &str, new: &Object) -> ApiResult<()> {
    if new.uid().is_empty() || new.uid() == there {
        return Ok(());
    }
    let key = keys::of_object(&request.kind, &request.namespace, &request.name);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, \
         AdditionalErrorMsg: Precondition failed: UID in precondition: {}, UID in object meta: \
         {there}",
        new.uid()
    );
    Err(ApiError::conflict(&request.kind, &request.name, &why))
}

/// A version that the client has seen must be the latest; some kinds want one.
fn check_version(request: &Request, old: &Object, new: &Object) -> ApiResult<()> {
    let given = new.meta().resource_version.as_deref().unwrap_or_default();
    let current = old.meta().resource_version.as_deref().unwrap_or_default();
    match given {
        "" | "0" if request.kind.strategy.allow_unconditional_update() => Ok(()),
        "" | "0" => {
            let path = "metadata.resourceVersion";
            let cause = FieldError::invalid_raw(path, "0x0", "must be specified for an update");
            // Upstream names the resource where other messages name the kind.
            let mut kind = Kind::clone(&request.kind);
            kind.kind = kind.plural.clone();
            Err(ApiError::invalid(&kind, &request.name, &[cause]))
        }
        given if given == current => Ok(()),
        _ => Err(ApiError::stale(&request.kind, &request.name)),
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
