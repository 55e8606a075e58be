//! The token of a pod's service account.
//!
//! Upstream: `pkg/kubelet/token`. The signature is no real one: the sandbox's API server does not
//! look at it.

use k8s_openapi::api::core::v1::{Pod, ServiceAccountTokenProjection};
use naru_sim::Time;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// How long a token lasts when nobody says, in seconds.
const LIFETIME_SECONDS: i64 = 3_600;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A JSON Web Token that says which pod this is.
pub fn token(pod: &Pod, source: &ServiceAccountTokenProjection, now: Time) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let namespace = text(&pod.metadata.namespace);
    let spec = pod.spec.clone().unwrap_or_default();
    let account = spec.service_account_name.unwrap_or_else(|| "default".to_owned());
    // A token is renewed at most once in its lifetime, so that the file does not always change.
    let lifetime = source.expiration_seconds.unwrap_or(LIFETIME_SECONDS).max(1);
    let issued = now.unix_micros() / 1_000_000 / lifetime * lifetime;
    let audience = source.audience.clone().filter(|text| !text.is_empty());
    let claims = json!({
        "aud": [audience.unwrap_or_else(|| ISSUER.to_owned())],
        "exp": issued + lifetime,
        "iat": issued,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": text(&spec.node_name)},
            "pod": {"name": text(&pod.metadata.name), "uid": text(&pod.metadata.uid)},
            "serviceaccount": {"name": account},
        },
        "nbf": issued,
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
    });
    let header = json!({"alg": "RS256", "kid": "naru"});
    let signed = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let hash = Sha256::digest(signed.as_bytes());
    format!("{signed}.{}", base64url(&hash.repeat(8)))
}

/// Base64 with the letters of URLs and without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..=chunk.len() {
            let letter = (bits >> (18 - 6 * index)) & 63;
            out.push(LETTERS.get(letter as usize).copied().map_or('A', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_urls() {
        let table = [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("\u{3ff}?", "z78_")];
        for (text, encoded) in table {
            assert_eq!(base64url(text.as_bytes()), encoded, "{text:?}");
        }
    }

    #[test]
    fn a_token_stays_the_same_for_its_lifetime() {
        let (pod, source) = (Pod::default(), ServiceAccountTokenProjection::default());
        let at = |seconds| token(&pod, &source, Time::from_secs(seconds));
        assert_eq!(at(0), at(3_599));
        assert_ne!(at(0), at(3_600));
        assert_eq!(at(0).split('.').count(), 3);
    }
}
