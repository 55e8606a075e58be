//! Transport Layer Security, without I/O: the handshake of TLS 1.3 (RFC 8446) between two ends.
//!
//! Who is who is as real as in the world: certificates are X.509, chains are checked up to a trusted
//! authority, and each end proves by a signature over the handshake that it has the key of the
//! certificate that it shows. What is left out is secrecy: there is no key exchange, and what
//! applications say travels in records of the right form but in clear. Nobody listens on a
//! simulated wire but the learner, and ciphers would cost more than all the rest.

mod connection;
mod message;
mod verify;

pub use connection::{ClientConfig, Connection, Identity, ServerConfig, State, Trust};
pub use verify::{VerifyError, matches_name};

/// Why a connection failed, in the words of Go's `crypto/tls`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// What came, of which this is the beginning, is not TLS at all.
    #[error("tls: first record does not look like a TLS handshake")]
    NotTls([u8; 5]),
    /// What came is TLS, but not what should have come.
    #[error("tls: unexpected message: {0}")]
    Protocol(&'static str),
    /// The other side's certificate is not trusted.
    #[error("tls: failed to verify certificate: {0}")]
    Certificate(VerifyError),
    /// The other side gave up.
    #[error("remote error: tls: {0}")]
    Alert(Alert),
}

/// Why an end gave up, as it tells the other end (RFC 8446, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert(pub u8);

impl Alert {
    /// The end of what an application says.
    pub const CLOSE_NOTIFY: Alert = Alert(0);
    /// A message that should not have come.
    pub const UNEXPECTED_MESSAGE: Alert = Alert(10);
    /// A certificate that is broken, or whose signature is.
    pub const BAD_CERTIFICATE: Alert = Alert(42);
    /// A certificate that is not valid now.
    pub const CERTIFICATE_EXPIRED: Alert = Alert(45);
    /// A certificate whose signer is not trusted.
    pub const UNKNOWN_CA: Alert = Alert(48);
    /// A message that cannot be read.
    pub const DECODE_ERROR: Alert = Alert(50);
}

impl std::fmt::Display for Alert {
    /// The words of Go's `crypto/tls`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            0 => "close notify",
            10 => "unexpected message",
            40 => "handshake failure",
            42 => "bad certificate",
            45 => "expired certificate",
            48 => "unknown certificate authority",
            50 => "error decoding message",
            112 => "unrecognized name",
            116 => "certificate required",
            code => return write!(f, "alert({code})"),
        })
    }
}
