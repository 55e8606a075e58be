//! Patch: the object as JSON, changed, and written as an update.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/patch.go`.

use crate::ApiServer;
use naru_api::patch::{self, PatchError};
use naru_api::request::{Body, Patch};
use naru_api::{ApiError, Object, Request, status::ApiResult};
use serde_json::Value;

/// Custom resources have no merge keys.
const NO_STRATEGIC: &str = "the body of the request was in an unknown format - accepted media \
    types include: application/json-patch+json, application/merge-patch+json, \
    application/apply-patch+yaml";

impl ApiServer {
    /// Changes an object by a patch.
    pub(crate) fn patch(&mut self, request: &Request, patch: &Patch) -> ApiResult<Object> {
        let cause = self.record(request, "patch", &request.name);
        if matches!(patch, Patch::Strategic(_)) && request.kind.strategy.custom().is_some() {
            return Err(ApiError::new(415, "UnsupportedMediaType", NO_STRATEGIC));
        }
        let old = self.find(&request.kind, &request.namespace, &request.name)?;
        let json = old.to_json().map_err(ApiError::internal)?;
        let mut new = self.decode(request, Body::Json(changed(json, patch)?))?;
        crate::update::check_name(request, &new)?;
        crate::metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        self.replace(request, &old, new, cause)
    }
}

/// An object's JSON after a patch.
pub(crate) fn changed(json: Value, patch: &Patch) -> ApiResult<Value> {
    let changed = match patch {
        Patch::Json(operations) => patch::json(json, operations),
        Patch::Merge(changes) => Ok(patch::merge(json, changes)),
        Patch::Strategic(changes) => patch::strategic(json, changes),
        Patch::Apply { .. } => {
            return Err(ApiError::new(
                415,
                "UnsupportedMediaType",
                "the server does not apply on its side yet",
            ));
        }
    };
    changed.map_err(refused)
}

/// Of a patch that does not fit, upstream tells nothing more in the message.
fn refused(error: PatchError) -> ApiError {
    match error {
        PatchError::Malformed(text) => ApiError::bad_request(text),
        PatchError::DoesNotApply(_) => {
            let message = "the server rejected our request due to an error in our request";
            ApiError::new(422, "Invalid", message)
        }
    }
}
