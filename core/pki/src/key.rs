//! Keys: ECDSA P-256, and RSA for who makes one with `openssl`.

use crate::{PkiError, pem};
use naru_sim::Rng;
use p256::ecdsa::signature::{SignatureEncoding, Signer, Verifier};
use p256::ecdsa::{DerSignature, Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use rsa::rand_core::{CryptoRng, Error, RngCore};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{RsaPrivateKey, RsaPublicKey, pkcs1v15};
use sha2::Sha256;
use std::fmt;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::spki::AlgorithmIdentifierOwned;

const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const RSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// Sizes of RSA keys that are made, in bits: smaller ones cannot sign, larger ones take too long.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 512..=4096;

/// A private key. Its `Debug` tells nothing of it.
#[derive(Clone)]
pub struct PrivateKey(Private);

#[derive(Clone)]
enum Private {
    P256(SigningKey),
    Rsa(Box<RsaPrivateKey>),
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Public);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    P256(VerifyingKey),
    Rsa(Box<RsaPublicKey>),
}

/// Of what kind a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on the curve P-256.
    P256,
    /// RSA with a modulus of so many bits.
    Rsa(usize),
}

/// The numbers of an RSA key, big-endian without zeros before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RsaNumbers {
    /// The product of the primes.
    pub modulus: Vec<u8>,
    /// The public exponent.
    pub exponent: Vec<u8>,
    /// The private exponent.
    pub private_exponent: Vec<u8>,
    /// Both primes.
    pub primes: Vec<Vec<u8>>,
    /// The private exponent by each prime less one, and the second prime's inverse by the first.
    pub crt: Vec<Vec<u8>>,
}

/// The seed's randomness, as `rand_core` wants it. It is not secret, and nothing here is.
struct Seeded<'a>(&'a mut Rng);

impl RngCore for Seeded<'_> {
    fn next_u32(&mut self) -> u32 {
        (self.0.next_u64() >> 32) as u32
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl CryptoRng for Seeded<'_> {}

impl PrivateKey {
    /// A P-256 key from the seed.
    pub fn generate(rng: &mut Rng) -> Self {
        loop {
            let mut bytes = [0; 32];
            rng.fill(&mut bytes);
            // All but one of 2^32 numbers are in range.
            if let Ok(key) = SigningKey::from_bytes(&bytes.into()) {
                return PrivateKey(Private::P256(key));
            }
        }
    }

    /// An RSA key from the seed, of a number of bits in [`RSA_BITS`].
    pub fn generate_rsa(rng: &mut Rng, bits: usize) -> Result<Self, PkiError> {
        if !RSA_BITS.contains(&bits) {
            return Err(PkiError::UnsupportedKey);
        }
        let key = RsaPrivateKey::new(&mut Seeded(rng), bits);
        key.map(|key| PrivateKey(Private::Rsa(Box::new(key)))).map_err(|_| PkiError::UnsupportedKey)
    }

    /// Reads `EC PRIVATE KEY` (SEC1), `RSA PRIVATE KEY` (PKCS#1) or `PRIVATE KEY` (PKCS#8).
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        let bytes = pem::first(text, &[SEC1, PKCS8, PKCS1])?;
        let p256 = p256::SecretKey::from_sec1_der(&bytes)
            .or_else(|_| p256::SecretKey::from_pkcs8_der(&bytes).map_err(drop));
        if let Ok(key) = p256 {
            return Ok(PrivateKey(Private::P256(key.into())));
        }
        RsaPrivateKey::from_pkcs1_der(&bytes)
            .or_else(|_| RsaPrivateKey::from_pkcs8_der(&bytes).map_err(drop))
            .map(|key| PrivateKey(Private::Rsa(Box::new(key))))
            .map_err(|()| PkiError::UnsupportedKey)
    }

    /// `EC PRIVATE KEY`, as kubeadm writes it, or `PRIVATE KEY` for RSA, as `openssl` does.
    pub fn to_pem(&self) -> String {
        match &self.0 {
            // A key of fixed size has a fixed form: this does not fail.
            Private::P256(key) => p256::SecretKey::from(key)
                .to_sec1_der()
                .map(|bytes| pem::encode(SEC1, &bytes))
                .unwrap_or_default(),
            Private::Rsa(_) => self.to_pkcs8_pem(),
        }
    }

    /// `PRIVATE KEY` (PKCS#8).
    pub fn to_pkcs8_pem(&self) -> String {
        let der = match &self.0 {
            Private::P256(key) => p256::SecretKey::from(key).to_pkcs8_der(),
            Private::Rsa(key) => key.to_pkcs8_der(),
        };
        // What was read or made can be written.
        der.map(|der| pem::encode(PKCS8, der.as_bytes())).unwrap_or_default()
    }

    /// `RSA PRIVATE KEY` (PKCS#1); for P-256, `EC PRIVATE KEY`.
    pub fn to_traditional_pem(&self) -> String {
        match &self.0 {
            Private::P256(_) => self.to_pem(),
            Private::Rsa(key) => {
                key.to_pkcs1_der().map(|der| pem::encode(PKCS1, der.as_bytes())).unwrap_or_default()
            }
        }
    }

    /// Of what kind it is.
    pub fn kind(&self) -> KeyKind {
        self.public().kind()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Private::P256(key) => Public::P256(*key.verifying_key()),
            Private::Rsa(key) => Public::Rsa(Box::new(key.to_public_key())),
        })
    }

    /// The numbers of an RSA key; `None` for one of another kind.
    pub fn rsa_numbers(&self) -> Option<RsaNumbers> {
        let Private::Rsa(key) = &self.0 else { return None };
        Some(RsaNumbers {
            private_exponent: key.d().to_bytes_be(),
            primes: key.primes().iter().map(|prime| prime.to_bytes_be()).collect(),
            crt: [
                key.dp().map(|number| number.to_bytes_be()),
                key.dq().map(|number| number.to_bytes_be()),
                key.crt_coefficient().map(|number| number.to_bytes_be()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            ..self.public().rsa_numbers()?
        })
    }

    /// The secret number of a P-256 key; nothing for one of another kind.
    pub fn secret_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => key.to_bytes().to_vec(),
            Private::Rsa(_) => Vec::new(),
        }
    }

    /// What certificates call its signatures.
    pub fn algorithm(&self) -> AlgorithmIdentifierOwned {
        match &self.0 {
            Private::P256(_) => {
                AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None }
            }
            Private::Rsa(_) => {
                AlgorithmIdentifierOwned { oid: RSA_WITH_SHA256, parameters: Some(Any::null()) }
            }
        }
    }

    /// A signature as X.509 has it: for P-256, a DER sequence of two numbers; for RSA, PKCS#1 v1.5
    /// with SHA-256.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => {
                let signature: DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Private::Rsa(key) => sign_rsa(key, message),
        }
    }

    /// A signature as JOSE has it: for P-256, two numbers of 32 bytes.
    pub(crate) fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => {
                let signature: Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Private::Rsa(key) => sign_rsa(key, message),
        }
    }
}

/// Empty where the key is too short for such a signature.
fn sign_rsa(key: &RsaPrivateKey, message: &[u8]) -> Vec<u8> {
    let signed = pkcs1v15::SigningKey::<Sha256>::new(key.clone()).try_sign(message);
    signed.map(|signature| signature.to_vec()).unwrap_or_default()
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
        let der = match &self.0 {
            Public::P256(key) => key.to_public_key_der(),
            Public::Rsa(key) => key.to_public_key_der(),
        };
        // A key that was read or made can be written.
        der.map(|document| document.into_vec()).unwrap_or_default()
    }

    /// Of what kind it is.
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Public::P256(_) => KeyKind::P256,
            Public::Rsa(key) => KeyKind::Rsa(key.n().bits()),
        }
    }

    /// The point of a P-256 key, uncompressed.
    pub fn point(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Public::P256(key) => Some(key.to_encoded_point(false).as_bytes().to_vec()),
            Public::Rsa(_) => None,
        }
    }

    /// The modulus and the exponent of an RSA key; `None` for one of another kind.
    pub fn rsa_numbers(&self) -> Option<RsaNumbers> {
        let Public::Rsa(key) = &self.0 else { return None };
        Some(RsaNumbers {
            modulus: key.n().to_bytes_be(),
            exponent: key.e().to_bytes_be(),
            ..RsaNumbers::default()
        })
    }

    /// Reads a SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        if let Ok(key) = VerifyingKey::from_public_key_der(der) {
            return Ok(PublicKey(Public::P256(key)));
        }
        let key = RsaPublicKey::from_public_key_der(der);
        key.map(|key| PublicKey(Public::Rsa(Box::new(key)))).map_err(|_| PkiError::UnsupportedKey)
    }

    /// Whether a signature as X.509 has it was made with this key.
    pub fn verify_der(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Public::P256(key) => DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Rsa(key) => verify_rsa(key, message, signature),
        }
    }

    pub(crate) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Public::P256(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Rsa(key) => verify_rsa(key, message, signature),
        }
    }
}

fn verify_rsa(key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
    let verifier = pkcs1v15::VerifyingKey::<Sha256>::new(key.clone());
    pkcs1v15::Signature::try_from(signature)
        .is_ok_and(|signature| verifier.verify(message, &signature).is_ok())
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
    fn rsa_keys_go_through_pem_and_sign() {
        let key = PrivateKey::generate_rsa(&mut Rng::new(7), 1024).unwrap();
        assert_eq!(key.kind(), KeyKind::Rsa(1024));
        assert_eq!(
            key.to_pem(),
            PrivateKey::generate_rsa(&mut Rng::new(7), 1024).unwrap().to_pem()
        );
        for text in [key.to_pem(), key.to_traditional_pem()] {
            assert_eq!(PrivateKey::from_pem(&text).unwrap().public(), key.public());
        }
        let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
        assert_eq!(public, key.public());
        assert!(public.verify_der(b"x", &key.sign_der(b"x")));
        assert!(!public.verify_der(b"y", &key.sign_der(b"x")));
        assert_eq!(key.rsa_numbers().unwrap().exponent, [1, 0, 1]);
        let error = PrivateKey::generate_rsa(&mut Rng::new(7), 100_000).unwrap_err();
        assert_eq!(error, PkiError::UnsupportedKey);
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
