//! The `token` subresource of service accounts: a signed token for a while.
//!
//! Upstream: `pkg/registry/core/serviceaccount/storage/token.go`.

use crate::admit::{self, Admission, Operation};
use crate::authenticate::{Claims, ISSUER};
use crate::granted::Granted;
use crate::{ApiServer, keys, metadata};
use naru_api::k8s_openapi::api::authentication::v1::{
    BoundObjectReference, TokenRequest, TokenRequestStatus,
};
use naru_api::k8s_openapi::api::core::v1::{Node, Pod, Secret};
use naru_api::request::Body;
use naru_api::{
    ApiError, FieldError, KindRef, Kube, Object, Request, gofmt, status::ApiResult, time,
};
use std::sync::Arc;
use std::time::Duration;

/// An hour, and seven seconds by which the API server knows the volume that admission mounts.
///
/// Upstream: `WarnOnlyBoundTokenExpirationSeconds`.
const WARN_ONLY_SECONDS: i64 = 60 * 60 + 7;
/// How long the token in such a volume really lasts. Upstream: `ExpirationExtensionSeconds`.
const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;

impl ApiServer {
    /// Signs a token for a service account.
    pub(crate) fn create_token(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        self.record(request, "create", &request.name);
        let mut object = self.decode_as(request, &TokenRequest::kind(), body)?;
        let admission = Admission::new(&*self.store, &self.authorizer, request, Operation::Create);
        admit::mutate(&admission, &mut object, &mut self.rng)?;
        let account = self.find(&request.kind, &request.namespace, &request.name)?;
        let kind = TokenRequest::kind();
        let Some(wanted) = object.edit::<TokenRequest>() else {
            return Err(ApiError::bad_request("not a TokenRequest object"));
        };
        match_url(request, wanted)?;
        if wanted.spec.audiences.is_empty() {
            wanted.spec.audiences = vec![ISSUER.to_owned()];
        }
        wanted.metadata.creation_timestamp = Some(time::meta_time(self.now));
        wanted.status = None;
        let errors = kind.strategy.validate(&object);
        if !errors.is_empty() {
            return Err(ApiError::invalid(&kind, "", &errors));
        }
        let Some(wanted) = object.edit::<TokenRequest>() else { return Ok(object) };
        Ok(Object::new(self.grant(request, &account, std::mem::take(wanted))?))
    }

    fn grant(
        &mut self,
        request: &Request,
        account: &Object,
        mut wanted: TokenRequest,
    ) -> ApiResult<Granted> {
        let reference = wanted.spec.bound_object_ref.as_ref();
        let bound = reference.map(|one| self.bound_object(request, one)).transpose()?;
        let seconds = wanted.spec.expiration_seconds.unwrap_or_default();
        let for_pod = bound.as_ref().is_some_and(|bound| bound.get::<Pod>().is_some());
        let extended = for_pod
            && seconds == WARN_ONLY_SECONDS
            && wanted.spec.audiences.iter().all(|audience| audience == ISSUER);
        let claims = Claims {
            id: metadata::uid(&mut self.rng),
            now: self.now,
            account: account.clone(),
            node_of_pod: bound.as_ref().and_then(|bound| self.node_of(bound)),
            bound_to: bound,
            seconds: if extended { EXTENDED_SECONDS } else { seconds },
            warn_after: if extended { seconds } else { 0 },
            audiences: wanted.spec.audiences.clone(),
        };
        if self.authentication.service_accounts.is_none() {
            return Err(ApiError::no_such_path());
        }
        let lasts = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let expiration_timestamp = time::meta_time(self.now + lasts);
        wanted.status = Some(TokenRequestStatus { expiration_timestamp, token: String::new() });
        let authentication = Arc::clone(&self.authentication);
        Ok(Granted { request: wanted, claims, authentication })
    }

    /// The object with which the token shall end.
    fn bound_object(&self, request: &Request, wanted: &BoundObjectReference) -> ApiResult<Object> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (kind, version) = (text(&wanted.kind), text(&wanted.api_version));
        let (name, uid) = (text(&wanted.name), text(&wanted.uid));
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let of: KindRef = match (group, kind.as_str()) {
            ("", "Pod") => Pod::kind(),
            ("", "Node") => Node::kind(),
            ("", "Secret") => Secret::kind(),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "cannot bind token to object of type {group}/{version}, Kind={kind}"
                )));
            }
        };
        let object = self.find(&of, &request.namespace, &name)?;
        let spec = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        let account = spec.map(|spec| text(&spec.service_account_name));
        if account.is_some_and(|account| account != request.name) {
            let account = gofmt::quote(&request.name);
            return Err(ApiError::bad_request(format!(
                "cannot bind token for serviceaccount {account} to pod running with different \
                 serviceaccount name."
            )));
        }
        if !uid.is_empty() && uid != object.uid() {
            let mut resource = (*of).clone();
            resource.plural = kind.into();
            let why = format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. \
                 The object might have been deleted and then recreated"
            );
            return Err(ApiError::conflict(&resource, &name, &why));
        }
        Ok(object)
    }

    /// The node of a pod that has one: its name, and its uid if it is there.
    fn node_of(&self, object: &Object) -> Option<(String, String)> {
        let name = object.get::<Pod>()?.spec.as_ref()?.node_name.clone()?;
        let node = self.store.get(&keys::of_object(&Node::kind(), "", &name));
        let uid = node.map(|node| node.uid().to_owned()).unwrap_or_default();
        (!name.is_empty()).then_some((name, uid))
    }
}

/// Refuses a body that is for another service account than the path.
fn match_url(request: &Request, wanted: &mut TokenRequest) -> ApiResult<()> {
    let meta = &mut wanted.metadata;
    let fields = [("name", &mut meta.name, &request.name)];
    let namespace = ("namespace", &mut meta.namespace, &request.namespace);
    for (field, given, url) in fields.into_iter().chain([namespace]) {
        let text = given.get_or_insert_default();
        if text.is_empty() {
            text.clone_from(url);
        } else if text != url {
            let detail = format!("must match the service account {field} if specified");
            let error = FieldError::invalid(format!("metadata.{field}"), text, &detail);
            return Err(ApiError::invalid(&TokenRequest::kind(), &request.name, &[error]));
        }
    }
    Ok(())
}
