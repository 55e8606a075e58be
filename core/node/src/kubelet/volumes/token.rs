//! The tokens of a pod's service account: asked for at the API server, and kept while they are
//! fresh.
//!
//! Upstream: `pkg/kubelet/token/token_manager.go`.

use super::Sources;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection};
use naru_api::request::{Body, Response};
use naru_api::{ApiError, Kube, Object};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a token lasts when nobody says, in seconds.
const LIFETIME_SECONDS: i64 = 3_600;
/// A token is renewed when it is this old, however long it lasts.
const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The tokens of one pod, by audience and lifetime.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    kept: BTreeMap<(String, i64), Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// The TokenRequest that was granted, with its token.
    granted: Object,
    /// When four fifths of its time are over.
    renew_at: Time,
}

impl Tokens {
    /// Whether none is to be renewed yet.
    pub(super) fn are_fresh(&self, now: Time) -> bool {
        self.kept.values().all(|kept| now < kept.renew_at)
    }

    /// A token as a volume wants it: the TokenRequest that was granted, since the token itself is
    /// made when somebody reads it.
    pub(super) fn get(
        &mut self,
        source: &ServiceAccountTokenProjection,
        sources: &mut Sources<'_, '_>,
    ) -> Result<Object, String> {
        let seconds = source.expiration_seconds.unwrap_or(LIFETIME_SECONDS);
        let audience = source.audience.clone().unwrap_or_default();
        let key = (audience, seconds);
        if let Some(kept) = self.kept.get(&key)
            && sources.now < kept.renew_at
        {
            return Ok(kept.granted.clone());
        }
        let lifetime = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        match request(&key.0, seconds, sources) {
            Ok(granted) => {
                let renew_at = sources.now + (lifetime * 4 / 5).min(AGE_MAX);
                self.kept.insert(key, Kept { granted: granted.clone(), renew_at });
                Ok(granted)
            }
            // The one that is there still helps until its end.
            Err(error) => match self.kept.get(&key) {
                Some(kept) if sources.now < kept.renew_at + lifetime / 5 => {
                    Ok(kept.granted.clone())
                }
                _ => Err(format!("failed to fetch token: {}", error.message())),
            },
        }
    }
}

fn request(
    audience: &str,
    seconds: i64,
    sources: &mut Sources<'_, '_>,
) -> Result<Object, ApiError> {
    let pod: &Pod = sources.pod;
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let account = spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default();
    let audiences = Some(audience).filter(|audience| !audience.is_empty());
    let wanted = TokenRequest {
        spec: TokenRequestSpec {
            audiences: audiences.into_iter().map(str::to_owned).collect(),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: pod.metadata.name.clone(),
                uid: pod.metadata.uid.clone(),
            }),
            expiration_seconds: Some(seconds),
        },
        ..TokenRequest::default()
    };
    let kind = ServiceAccount::kind();
    let body = Body::Object(Object::new(wanted));
    match sources.client.create_subresource(kind, &namespace, &account, "token", body)? {
        Response::Object(granted) => Ok(granted),
        _ => Err(ApiError::internal("the answer is no TokenRequest")),
    }
}

/// The token of a TokenRequest that was granted; "" if there is none.
pub(super) fn text(granted: &Object) -> String {
    let json = granted.content_json().unwrap_or_default();
    let token = json.pointer("/status/token").and_then(|token| token.as_str());
    token.unwrap_or_default().to_owned()
}
