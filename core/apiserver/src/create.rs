//! Create.
//!
//! Upstream: `apiserver/pkg/registry/generic/registry/store.go` (`Create`) and
//! `apiserver/pkg/registry/rest/create.go`.

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, keys, metadata, versions};
use naru_api::k8s_openapi::api::core::v1::Service;
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
            self.name(request, object.meta_mut())?;
            Ok(object)
        });
        let name = decoded.as_ref().map_or("", |object| object.name()).to_owned();
        let cause = self.record(request, "create", &name);
        let mut object = decoded?;
        admit::admit(
            &Admission {
                store: &*self.store,
                kind: &request.kind,
                namespace: &request.namespace,
                name: &name,
                subresource: "",
                operation: Operation::Create,
            },
            &mut object,
        )?;
        self.complete(request, &mut object)?;
        let strategy = &request.kind.strategy;
        let mut errors = metadata::validate(object.meta(), &request.kind);
        errors.extend(strategy.validate(&object));
        if !errors.is_empty() {
            return Err(ApiError::invalid(&request.kind, object.name(), &errors));
        }
        self.insert(request, object, cause)
    }

    /// Gives a name to an object that has only the beginning of one.
    fn name(&mut self, request: &Request, meta: &mut ObjectMeta) -> ApiResult<()> {
        if !request.name.is_empty() {
            meta.name = Some(request.name.clone());
        }
        metadata::match_namespace(meta, &request.kind, &request.namespace)?;
        if meta.name.as_deref().unwrap_or_default().is_empty()
            && let Some(prefix) = meta.generate_name.as_deref().filter(|name| !name.is_empty())
        {
            let mut name = String::new();
            for _ in 0..NAME_TRIES {
                name = names::generate_name(prefix, &mut self.rng);
                let key = keys::of_object(&request.kind, &request.namespace, &name);
                if self.store.get(&key).is_none() {
                    break;
                }
            }
            meta.name = Some(name);
        }
        Ok(())
    }

    /// Fills in what the API server knows and the client may not say.
    fn complete(&mut self, request: &Request, object: &mut Object) -> ApiResult<()> {
        let uid = metadata::uid(&mut self.rng);
        let now = time::meta_time(self.now);
        let meta = object.meta_mut();
        meta.uid = Some(uid);
        meta.creation_timestamp = Some(now);
        meta.deletion_timestamp = None;
        meta.deletion_grace_period_seconds = None;
        meta.resource_version = None;
        meta.generation = None;
        meta.self_link = None;
        if let Some(service) = object.edit::<Service>() {
            self.allocators.allocate(service, None, &mut self.rng)?;
        }
        request.kind.strategy.prepare_for_create(object);
        Ok(())
    }

    fn insert(&mut self, request: &Request, object: Object, cause: CauseId) -> ApiResult<Object> {
        let key = keys::of_object(&request.kind, &request.namespace, object.name());
        if self.store.get(&key).is_some() {
            return Err(ApiError::already_exists(&request.kind, object.name()));
        }
        if request.dry_run {
            return Ok(object);
        }
        self.put(key, 0, object, cause)
    }
}
