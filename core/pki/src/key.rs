//! ECDSA P-256 keys.

use crate::{PkiError, pem};
use naru_sim::Rng;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use std::fmt;

const SEC1: &str = "EC PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// A private key. Its `Debug` tells nothing of it.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// A key from the seed.
    pub fn generate(rng: &mut Rng) -> Self {
        loop {
            let mut bytes = [0; 32];
            rng.fill(&mut bytes);
            // All but one of 2^32 numbers are in range.
            if let Ok(key) = SigningKey::from_bytes(&bytes.into()) {
                return PrivateKey(key);
            }
        }
    }

    /// Reads `EC PRIVATE KEY` (SEC1) or `PRIVATE KEY` (PKCS#8).
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        let bytes = pem::first(text, &[SEC1, PKCS8]);
        let bytes = bytes.map_err(|error| match error {
            PkiError::NoBlock(_) if text.contains(PKCS8) => PkiError::UnsupportedKey,
            error => error,
        })?;
        let key = p256::SecretKey::from_sec1_der(&bytes)
            .or_else(|_| p256::SecretKey::from_pkcs8_der(&bytes).map_err(drop))
            .map_err(|_| PkiError::UnsupportedKey)?;
        Ok(PrivateKey(key.into()))
    }

    /// `EC PRIVATE KEY`, as kubeadm writes it.
    pub fn to_pem(&self) -> String {
        let key = p256::SecretKey::from(&self.0);
        // A key of fixed size has a fixed form: this does not fail.
        key.to_sec1_der().map(|bytes| pem::encode(SEC1, &bytes)).unwrap_or_default()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// A signature as X.509 has it: a DER sequence of two numbers.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }

    /// A signature as JOSE has it: two numbers of 32 bytes.
    pub(crate) fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().to_vec()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PublicKey {
    /// Reads `PUBLIC KEY`.
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        Self::from_der(&pem::first(text, &[PUBLIC])?)
    }

    /// `PUBLIC KEY`, as in `sa.pub`.
    pub fn to_pem(&self) -> String {
        pem::encode(PUBLIC, &self.to_der())
    }

    /// The SubjectPublicKeyInfo (RFC 5280).
    pub fn to_der(&self) -> Vec<u8> {
        // A key of fixed size has a fixed form: this does not fail.
        self.0.to_public_key_der().map(|document| document.into_vec()).unwrap_or_default()
    }

    pub(crate) fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        let key = VerifyingKey::from_public_key_der(der);
        key.map(PublicKey).map_err(|_| PkiError::UnsupportedKey)
    }

    pub(crate) fn verify_der(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = DerSignature::try_from(signature);
        signature.is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    pub(crate) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_key() {
        let key = |seed| PrivateKey::generate(&mut Rng::new(seed)).to_pem();
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert!(key(1).starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    }

    #[test]
    fn keys_go_through_pem() {
        let key = PrivateKey::generate(&mut Rng::new(7));
        let read = PrivateKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).unwrap(), key.public());
        assert!(key.public().verify_raw(b"x", &read.sign_raw(b"x")));
        assert!(!key.public().verify_raw(b"y", &read.sign_raw(b"x")));
        assert!(!format!("{key:?}").contains(&key.to_pem()[30..60]));
    }

    #[test]
    fn other_keys_are_refused() {
        let rsa = crate::pem::encode("RSA PRIVATE KEY", &[1, 2, 3]);
        assert_eq!(PrivateKey::from_pem(&rsa).unwrap_err(), PkiError::UnsupportedKey);
        let broken = crate::pem::encode("PRIVATE KEY", &[1, 2, 3]);
        assert_eq!(PrivateKey::from_pem(&broken).unwrap_err(), PkiError::UnsupportedKey);
        assert_eq!(PrivateKey::from_pem("").unwrap_err(), PkiError::NoBlock("EC PRIVATE KEY"));
    }
}
