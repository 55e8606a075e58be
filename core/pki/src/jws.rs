//! Signatures of texts by a shared secret, apart from the text (RFC 7515, HS256).
//!
//! Upstream: `staging/src/k8s.io/cluster-bootstrap/token/jws/jws.go`.

use crate::base64;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

/// The signature of a text by the secret of this name: what a JWS has before and after its text.
pub fn detached_signature(text: &str, id: &str, secret: &str) -> String {
    let header = base64::encode_url(json!({"alg": "HS256", "kid": id}).to_string().as_bytes());
    let signed = format!("{header}.{}", base64::encode_url(text.as_bytes()));
    // A key of any length is taken.
    let code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mut mac| {
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes()
    });
    let code = code.map(|bytes| base64::encode_url(&bytes)).unwrap_or_default();
    format!("{header}..{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `jws_test.go` upstream.
    #[test]
    fn signs_as_upstream() {
        let signature = detached_signature(
            "Hello from the other side. I must have called a thousand times.",
            "joshua",
            "my voice is my passcode",
        );
        assert_eq!(
            signature,
            "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"
        );
    }
}
