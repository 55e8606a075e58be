//! The cluster's public key infrastructure: mechanism only.
//!
//! The cluster's keys are ECDSA P-256, one of the two algorithms that kubeadm makes keys of
//! (`encryptionAlgorithm: ECDSA-P256`); RSA keys are there for who makes one. Signatures are deterministic (RFC 6979; PKCS#1 v1.5), so that a
//! seed gives the same certificates and tokens everywhere. Nothing here knows of Kubernetes.

pub mod base64;
mod certificate;
mod error;
mod issue;
pub mod jws;
pub mod jwt;
mod key;
mod name;
pub mod pem;
mod request;
pub mod tls;

pub use certificate::{Certificate, ExtendedUsage};
pub use error::PkiError;
pub use issue::{Authority, Template, Validity, public_key_info, sign};
pub use key::{KeyKind, PrivateKey, PublicKey, RSA_BITS, RsaNumbers};
pub use name::Subject;
pub use request::CertificateRequest;
pub use x509_cert;
