//! Tokens that lie in Secrets of type `kubernetes.io/service-account-token`: they do not expire,
//! and end with their Secret.
//!
//! Upstream: `pkg/serviceaccount/legacy.go`.

use super::serviceaccount::user_info;
use super::{Authenticated, ISSUER, Opinion};
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::core::v1::Secret;
use naru_api::{Kube, Object};
use naru_pki::jwt;
use naru_sim::CauseId;
use serde_json::Value;

const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";

impl ApiServer {
    pub(super) fn authenticate_legacy(&mut self, token: &str, audiences: &[String]) -> Opinion {
        let Some(signer) = &self.authentication.service_accounts else { return Ok(None) };
        let ours = |claims: &Value| claims["iss"] == LEGACY_ISSUER;
        if !jwt::unverified_claims(token).is_some_and(|claims| ours(&claims)) {
            return Ok(None);
        }
        let claims = jwt::verify(token, &[signer.public()]).map_err(|error| error.to_string())?;
        let claim = |name: &str, what: &str| match claims[name].as_str() {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(format!("{what} claim is missing")),
        };
        const OWN: &str = "kubernetes.io/serviceaccount";
        let namespace = claim(&format!("{OWN}/namespace"), "namespace")?;
        let secret = claim(&format!("{OWN}/secret.name"), "secretName")?;
        let name = claim(&format!("{OWN}/service-account.name"), "serviceAccountName")?;
        let uid = claim(&format!("{OWN}/service-account.uid"), "serviceAccountUID")?;
        let secret = self.check_secret(token, namespace, secret)?;
        let account = self.service_account(namespace, name)?;
        if account.meta().deletion_timestamp.is_some() {
            return Err(format!("ServiceAccount {namespace}/{name} has been deleted"));
        }
        if account.uid() != uid {
            let there = account.uid();
            return Err(format!("ServiceAccount UID ({there}) does not match claim ({uid})"));
        }
        self.note_use(&secret);
        if secret.label(INVALID_SINCE).is_some_and(|since| !since.is_empty()) {
            let secret = secret.name();
            return Err(format!(
                "the token in secret {namespace}/{secret} for service account {namespace}/{name} \
                 has been marked invalid. Use tokens from the TokenRequest API or manually created \
                 secret-based tokens, or remove the '{INVALID_SINCE}' label from the secret to \
                 temporarily allow use of this token"
            ));
        }
        // Such a token is for the API server only.
        let here = audiences.iter().find(|one| *one == ISSUER).cloned();
        let Some(audience) = here else {
            return Err("token audiences is invalid for the target audiences".to_owned());
        };
        let user = user_info(namespace, name, uid);
        Ok(Some(Authenticated { user, audiences: vec![audience] }))
    }

    fn check_secret(&self, token: &str, namespace: &str, name: &str) -> Result<Object, String> {
        let found = self.store.get(&keys::of_object(&Secret::kind(), namespace, name));
        let found = found.filter(|secret| secret.meta().deletion_timestamp.is_none());
        let secret = found.ok_or_else(|| "Token has been invalidated".to_owned())?;
        let data = secret.get::<Secret>().and_then(|secret| secret.data.as_ref());
        let kept = data.and_then(|data| data.get("token"));
        if kept.is_none_or(|kept| kept.0 != token.as_bytes()) {
            return Err("Token does not match server's copy".to_owned());
        }
        Ok(secret)
    }

    /// Writes the day of the token's last use on its Secret.
    fn note_use(&mut self, secret: &Object) {
        let today = naru_api::time::meta_time(self.now).0.strftime("%Y-%m-%d").to_string();
        if secret.label(LAST_USED) == Some(today.as_str()) {
            return;
        }
        let mut changed = secret.clone();
        changed.meta_mut().labels.get_or_insert_default().insert(LAST_USED.to_owned(), today);
        let key = keys::of_object(&Secret::kind(), secret.namespace(), secret.name());
        // As upstream: who asks is not refused since this could not be written.
        let _ = self.put(key, secret.revision(), changed, CauseId::ROOT);
    }
}
