//! The cluster's public key infrastructure: mechanism only.
//!
//! Keys are ECDSA P-256, one of the two algorithms that kubeadm makes keys of
//! (`encryptionAlgorithm: ECDSA-P256`), and signatures are deterministic (RFC 6979), so that a
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
pub use issue::{Authority, Template, Validity};
pub use key::{PrivateKey, PublicKey};
pub use name::Subject;
pub use request::CertificateRequest;
