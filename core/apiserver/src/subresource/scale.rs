//! The `scale` subresource: how many pods a workload should have, apart from everything else.
//!
//! Upstream: `ScaleREST` in `pkg/registry/apps/deployment/storage/storage.go`, and its likes.

use crate::{ApiServer, metadata, update};
use naru_api::k8s_openapi::api::autoscaling::v1::Scale;
use naru_api::request::{Body, Patch};
use naru_api::wanted::Wanted;
use naru_api::{ApiError, Kind, Kube, Object, Op, Request, status::ApiResult};

impl ApiServer {
    /// The scale of an object.
    pub(crate) fn get_scale(&mut self, request: &Request) -> ApiResult<Object> {
        self.record(request, "get", &request.name);
        scale_of(request, &self.scaled(request)?)
    }

    /// Replaces or patches the scale of an object.
    pub(crate) fn change_scale(&mut self, request: &Request, op: Op) -> ApiResult<Object> {
        let cause = self.record(request, op.verb(), &request.name);
        let old = self.scaled(request)?;
        let before = scale_of(request, &old)?;
        let mut wanted = match op {
            Op::Update(body) => self.decode_as(request, &Scale::kind(), body)?,
            Op::Patch(patch) => self.patched_scale(request, &before, &patch)?,
            _ => return Err(ApiError::method_not_allowed()),
        };
        update::check_name(request, &wanted)?;
        metadata::match_namespace(wanted.meta_mut(), &request.kind, &request.namespace)?;
        let errors = Scale::kind().strategy.validate(&wanted);
        if !errors.is_empty() {
            return Err(ApiError::invalid(&Scale::kind(), &request.name, &errors));
        }
        if !wanted.uid().is_empty() && wanted.uid() != old.uid() {
            let why = format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                wanted.uid(),
                old.uid()
            );
            return Err(ApiError::conflict(&named(&request.kind), &request.name, &why));
        }
        let replicas = wanted.get::<Scale>().and_then(|scale| scale.spec.as_ref()?.replicas);
        let mut new = old.clone();
        new.meta_mut().resource_version.clone_from(&wanted.meta().resource_version);
        if !request.kind.strategy.set_replicas(&mut new, replicas.unwrap_or(0)) {
            return Err(ApiError::no_such_path());
        }
        self.own_update(request, &old, &mut new, &Wanted::everything())?;
        let new = self.replace_owned(request, &old, new, cause)?;
        scale_of(request, &new)
    }

    fn patched_scale(
        &mut self,
        request: &Request,
        before: &Object,
        patch: &Patch,
    ) -> ApiResult<Object> {
        let json = before.to_json().map_err(ApiError::internal)?;
        let kind = Scale::kind();
        let changed = crate::patch::changed(&kind, json, patch)?;
        self.decode_as(request, &kind, Body::Json(changed))
    }

    fn scaled(&self, request: &Request) -> ApiResult<Object> {
        self.find(&request.kind, &request.namespace, &request.name).map_err(|error| {
            if !error.is_not_found() {
                return error;
            }
            ApiError::not_found(&named(&request.kind), &request.name)
        })
    }
}

/// The kind as messages name its subresource: `deployments/scale.apps`.
fn named(kind: &Kind) -> Kind {
    let mut kind = kind.clone();
    kind.plural = format!("{}/scale", kind.plural).into();
    kind
}

fn scale_of(request: &Request, object: &Object) -> ApiResult<Object> {
    let scale = request.kind.strategy.scale(object);
    scale.map(Object::new).ok_or_else(ApiError::no_such_path)
}
