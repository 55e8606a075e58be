//! What can be wrong with keys and certificates.

/// Why something cannot be read, trusted or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// The text holds no block of the kind that is wanted.
    #[error("no {0} block in the PEM data")]
    NoBlock(&'static str),
    /// The text is not PEM, or a block of it is broken.
    #[error("malformed PEM data: {0}")]
    Pem(String),
    /// The bytes are not what they should be.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// `certificate`, `certificate request`, `key`.
        what: &'static str,
        /// The decoder's words.
        why: String,
    },
    /// Neither a P-256 key nor an RSA key.
    #[error("unsupported key: only RSA and ECDSA P-256 keys are supported")]
    UnsupportedKey,
    /// Not signed by the authority.
    #[error("x509: certificate signed by unknown authority")]
    UnknownAuthority,
    /// Not valid at the present moment.
    #[error("x509: certificate has expired or is not yet valid: {0}")]
    Expired(String),
    /// Valid, but not for this.
    #[error("x509: certificate specifies an incompatible key usage")]
    Usage,
    /// The signature does not fit.
    #[error("x509: ECDSA verification failure")]
    Signature,
}

impl PkiError {
    pub(crate) fn malformed(what: &'static str) -> impl Fn(x509_cert::der::Error) -> Self {
        move |why| PkiError::Malformed { what, why: why.to_string() }
    }
}
