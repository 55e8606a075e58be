//! JSON Web Tokens (RFC 7519), signed with ES256.
//!
//! Upstream: `pkg/serviceaccount/jwt.go`.

use crate::{PrivateKey, PublicKey, base64};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "ES256";
/// Bytes of a token that is read.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Why a token is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a token.
    #[error("go-jose/go-jose: compact JWS format must have three parts")]
    Malformed,
    /// It is signed in a way that is not taken.
    #[error("go-jose/go-jose: unexpected signature algorithm {0:?}; expected [\"ES256\"]")]
    Algorithm(String),
    /// It was not signed with any of the keys.
    #[error("go-jose/go-jose: error in cryptographic primitive")]
    Signature,
}

/// A key that signs tokens, with its name.
#[derive(Clone, Debug)]
pub struct Signer {
    key: PrivateKey,
    /// The first part of every token.
    header: String,
}

impl Signer {
    /// Signs with this key.
    pub fn new(key: PrivateKey) -> Self {
        let header = json!({"alg": ALGORITHM, "kid": key_id(&key.public())});
        let header = base64::encode_url(header.to_string().as_bytes());
        Signer { key, header }
    }

    /// The public half of the key.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// A signed token of these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut token = self.header.clone();
        token.push('.');
        token.push_str(&base64::encode_url(claims.to_string().as_bytes()));
        let signature = self.key.sign_raw(token.as_bytes());
        token.push('.');
        token.push_str(&base64::encode_url(&signature));
        token
    }
}

/// The name of a key: the SHA-256 of its DER.
///
/// Upstream: `keyIDFromPublicKey`.
pub fn key_id(key: &PublicKey) -> String {
    base64::encode_url(&Sha256::digest(key.to_der()))
}

/// A public key as a JSON Web Key (RFC 7517).
pub fn jwk(key: &PublicKey) -> Value {
    // Its DER ends with the point: 4, and two numbers of 32 bytes.
    let der = key.to_der();
    let (_, point) = der.split_at(der.len().saturating_sub(64));
    let (x, y) = point.split_at(point.len() / 2);
    serde_json::json!({
        "use": "sig",
        "kty": "EC",
        "kid": key_id(key),
        "crv": "P-256",
        "alg": "ES256",
        "x": base64::encode_url(x),
        "y": base64::encode_url(y),
    })
}

/// The claims of a token, without any trust in them; `None` if it is no token.
pub fn unverified_claims(token: &str) -> Option<Value> {
    let (_, claims, _) = parts(token)?;
    serde_json::from_slice(&base64::decode_url(claims)?).ok()
}

/// The claims of a token that one of `keys` signed. Their dates are not looked at.
pub fn verify(token: &str, keys: &[PublicKey]) -> Result<Value, TokenError> {
    let (header, claims, signature) = parts(token).ok_or(TokenError::Malformed)?;
    let decode = |text| base64::decode_url(text).ok_or(TokenError::Malformed);
    let json =
        |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).map_err(|_| TokenError::Malformed);
    let header_json = json(decode(header)?)?;
    let algorithm = header_json["alg"].as_str().unwrap_or_default();
    if algorithm != ALGORITHM {
        return Err(TokenError::Algorithm(algorithm.to_owned()));
    }
    let signed = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
    let signature = decode(signature)?;
    if !keys.iter().any(|key| key.verify_raw(signed.as_bytes(), &signature)) {
        return Err(TokenError::Signature);
    }
    json(decode(claims)?)
}

fn parts(token: &str) -> Option<(&str, &str, &str)> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (header, rest) = token.split_once('.')?;
    let (claims, signature) = rest.split_once('.')?;
    (!signature.contains('.')).then_some((header, claims, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_sim::Rng;

    #[test]
    fn signed_tokens_are_verified() {
        let signer = Signer::new(PrivateKey::generate(&mut Rng::new(1)));
        let other = PrivateKey::generate(&mut Rng::new(2)).public();
        let claims = json!({"sub": "system:serviceaccount:default:web", "aud": ["a"], "exp": 5});
        let token = signer.sign(&claims);
        assert_eq!(verify(&token, &[other.clone(), signer.public()]), Ok(claims.clone()));
        assert_eq!(unverified_claims(&token), Some(claims));
        assert_eq!(verify(&token, &[other]), Err(TokenError::Signature));
        assert_eq!(signer.sign(&json!({})), signer.sign(&json!({})), "deterministic");
    }

    #[test]
    fn forged_tokens_are_refused() {
        let signer = Signer::new(PrivateKey::generate(&mut Rng::new(1)));
        let keys = [signer.public()];
        let token = signer.sign(&json!({"sub": "a"}));
        let mut parts = token.split('.');
        let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
        let claims = base64::encode_url(br#"{"sub":"b"}"#);
        let none = base64::encode_url(br#"{"alg":"none"}"#);
        let table = [
            (format!("{header}.{claims}.{signature}"), TokenError::Signature),
            (format!("{header}.{claims}."), TokenError::Signature),
            (format!("{none}.{claims}."), TokenError::Algorithm("none".to_owned())),
            ("a.b".to_owned(), TokenError::Malformed),
            ("?.?.?".to_owned(), TokenError::Malformed),
            (String::new(), TokenError::Malformed),
            ("a".repeat(TOKEN_BYTES_MAX + 1), TokenError::Malformed),
        ];
        for (token, error) in table {
            assert_eq!(verify(&token, &keys), Err(error), "{token:.40}");
        }
    }
}
