//! OpenID Connect discovery: how others check the tokens of service accounts.
//!
//! Upstream: `pkg/serviceaccount/openidmetadata.go`, `pkg/routes/openidmetadata.go`.

use crate::ApiServer;
use crate::authenticate::ISSUER;
use crate::rest::http::HttpResponse;
use crate::rest::{media, not_found};
use naru_api::status::ApiResult;
use serde::Serialize;
use serde_json::{Value, json};

/// Clients may keep the answer for an hour.
const CACHE: &str = "public, max-age=3600";

impl ApiServer {
    /// `/.well-known/openid-configuration`.
    pub(crate) fn rest_openid_configuration(&self) -> ApiResult<HttpResponse> {
        self.key_set()?;
        let metadata = Metadata {
            issuer: ISSUER,
            jwks_uri: format!("https://{}/openid/v1/jwks", self.advertised()),
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256"],
        };
        Ok(answer(media::JSON, &metadata))
    }

    /// `/openid/v1/jwks`.
    pub(crate) fn rest_key_set(&self) -> ApiResult<HttpResponse> {
        Ok(answer("application/jwk-set+json", &self.key_set()?))
    }

    fn key_set(&self) -> ApiResult<Value> {
        let signer = self.authentication.service_accounts.as_ref().ok_or_else(not_found::page)?;
        Ok(json!({ "keys": [naru_pki::jwt::jwk(&signer.public())] }))
    }
}

/// Upstream: `openIDMetadata`.
#[derive(Serialize)]
struct Metadata {
    issuer: &'static str,
    jwks_uri: String,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

fn answer(media_type: &str, value: &impl Serialize) -> HttpResponse {
    // A value of texts can be written.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = HttpResponse::new(200, media_type, body);
    answer.head = answer.head.with("Cache-Control", CACHE);
    answer
}
