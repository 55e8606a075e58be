//! What a client shows to say who it is.
//!
//! Upstream: `apiserver/pkg/authentication/request`, `apiserver/pkg/endpoints/filters/impersonation.go`.

use std::collections::BTreeMap;

/// What came with a request: the header `Authorization`, the client's certificate, the headers
/// `Impersonate-…`. A request without all of these is one of `system:anonymous`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The text after `Authorization: Bearer`; "" without.
    pub bearer_token: String,
    /// The client's certificate, in DER, for whose key the TLS handshake was a proof; empty
    /// without. Who signed it is for the API server to check.
    pub certificate: Vec<u8>,
    /// As whom to act instead.
    pub impersonate: Impersonation,
}

/// The headers `Impersonate-User`, `Impersonate-Uid`, `Impersonate-Group`, `Impersonate-Extra-…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// The user; "" is nobody else.
    pub user: String,
    /// The user's uid.
    pub uid: String,
    /// The groups; without any, those that the user has by name.
    pub groups: Vec<String>,
    /// What else is said of the user.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// Whether somebody else is meant at all.
    pub fn is_empty(&self) -> bool {
        *self == Impersonation::default()
    }
}
