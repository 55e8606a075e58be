//! Create.
//!
//! Upstream: `apiserver/pkg/registry/generic/registry/store.go` (`Create`) and
//! `apiserver/pkg/registry/rest/create.go`.

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, keys, metadata, versions};
use naru_api::k8s_openapi::api::core::v1::{Pod, Service};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Body;
use naru_api::{ApiError, Object, Request, names, status::ApiResult, time};
use naru_sim::CauseId;

/// How often a name is generated before a collision is told.
const NAME_TRIES: usize = 8;

impl ApiServer {
    /// Makes an object.
    pub(crate) fn create(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        if let Some(inner) = versions::by_stored_rules(request) {
            let object = self.decode(request, body).inspect_err(|_| {
                self.record(request, "create", "");
            })?;
            let object = self.create(&inner, Body::Object(versions::to_storage(object)))?;
            return Ok(versions::view(&request.kind, &object).into_owned());
        }
        let decoded = self.decode(request, body).and_then(|mut object| {
            let prefix = self.name(request, object.meta_mut())?;
            self.warnings.extend(metadata::dedup_owners(object.meta_mut()));
            self.own_new(request, &mut object)?;
            Ok((object, prefix))
        });
        let name = decoded.as_ref().map_or("", |(object, _)| object.name()).to_owned();
        let cause = self.record(request, "create", &name);
        let (object, prefix) = decoded?;
        self.create_named(request, object, prefix.as_deref(), cause)
    }

    /// Makes an object that has its name and its owners; `prefix`: what the name was generated
    /// from.
    pub(crate) fn create_named(
        &mut self,
        request: &Request,
        mut object: Object,
        prefix: Option<&str>,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let name = object.name().to_owned();
        let mut admission =
            Admission::new(&*self.store, &self.authorizer, request, Operation::Create);
        // To plug-ins that change objects, a name that is generated is not known yet.
        admission.name = prefix.unwrap_or(&name);
        admit::mutate(&admission, &mut object, &mut self.rng)?;
        admission.name = &name;
        self.check_escalation(request, &object, None)?;
        metadata::wipe_system_fields(object.meta_mut());
        let strategy = &request.kind.strategy;
        let uid = metadata::uid(&mut self.rng);
        let now = time::meta_time(self.now);
        let meta = object.meta_mut();
        meta.uid = Some(uid);
        meta.creation_timestamp = Some(now);
        if let Some(service) = object.edit::<Service>() {
            self.allocators.allocate(service, None, &mut self.rng)?;
        }
        strategy.prepare_for_create(&mut object);
        strategy.stamp(&mut object, None, &request.user, self.now);
        let mut errors = metadata::validate(object.meta(), &request.kind);
        errors.extend(strategy.validate(&object));
        if !errors.is_empty() {
            return Err(ApiError::invalid(&request.kind, object.name(), &errors));
        }
        warn(&mut self.warnings, strategy.warnings(&object, None));
        admit::validate(&admission, &object, &mut self.warnings)?;
        let charged = admit::charge(&admission, &object, self.now)?;
        if let Some(spec) = object.edit::<Pod>().and_then(|pod| pod.spec.as_mut()) {
            self.templates.share(spec);
        }
        self.insert(request, object, charged, cause)
    }

    /// Gives a name to an object that has only the beginning of one, and answers with that.
    fn name(&mut self, request: &Request, meta: &mut ObjectMeta) -> ApiResult<Option<String>> {
        if !request.name.is_empty() {
            meta.name = Some(request.name.clone());
        }
        metadata::match_namespace(meta, &request.kind, &request.namespace)?;
        if !meta.name.as_deref().unwrap_or_default().is_empty() {
            return Ok(None);
        }
        let prefix = meta.generate_name.clone().filter(|prefix| !prefix.is_empty());
        let Some(prefix) = prefix else { return Ok(None) };
        for _ in 0..NAME_TRIES {
            let name = names::generate_name(&prefix, &mut self.rng);
            let key = keys::of_object(&request.kind, &request.namespace, &name);
            meta.name = Some(name);
            if self.store.get(&key).is_none() {
                break;
            }
        }
        Ok(Some(prefix))
    }

    /// Writes the quotas that a request was charged to.
    pub(crate) fn write_quotas(&mut self, charged: Vec<Object>, cause: CauseId) -> ApiResult<()> {
        for quota in charged {
            let key = keys::of_object(&quota.kind(), quota.namespace(), quota.name());
            self.put(key, quota.revision(), quota, cause)?;
        }
        Ok(())
    }

    fn insert(
        &mut self,
        request: &Request,
        object: Object,
        charged: Vec<Object>,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let key = keys::of_object(&request.kind, &request.namespace, object.name());
        if let Some(there) = self.store.get(&key) {
            return Err(taken(request, &object, &there));
        }
        if request.dry_run {
            return Ok(object);
        }
        self.write_quotas(charged, cause)?;
        self.put(key, 0, object, cause)
    }
}

/// The name is taken, perhaps by an object that is on its way out.
fn taken(request: &Request, object: &Object, there: &Object) -> ApiError {
    let name = object.name();
    let generated = object.meta().generate_name.as_ref().is_some_and(|prefix| !prefix.is_empty());
    let error = match generated {
        true => ApiError::generate_name_conflict(&request.kind, name),
        false => ApiError::already_exists(&request.kind, name),
    };
    match there.meta().deletion_timestamp {
        Some(_) => error.prefixed("object is being deleted: "),
        None => error,
    }
}

/// Adds warnings that were not told yet.
pub(crate) fn warn(all: &mut Vec<String>, more: Vec<String>) {
    for warning in more {
        if !all.contains(&warning) {
            all.push(warning);
        }
    }
}
