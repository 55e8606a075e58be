//! TLS as command-line clients use it: whom to trust, and what OpenSSL calls what goes wrong.

use crate::Sys;
use naru_pki::tls::{Connection, Identity, State, TlsError, VerifyError};
use naru_pki::{Certificate, PkiError, PrivateKey, Subject, pem};
use std::sync::Arc;

/// Where a machine keeps the authorities that it trusts.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Certificates of a bundle at most.
const BUNDLE_MAX: usize = 512;

/// The authorities that this machine trusts; none if it keeps no bundle.
pub fn system_roots(sys: &mut dyn Sys) -> (String, Arc<[Certificate]>) {
    let named =
        ["CURL_CA_BUNDLE", "SSL_CERT_FILE"].iter().find_map(|name| sys.env().get(*name).cloned());
    let path = named.unwrap_or_else(|| BUNDLE.to_owned());
    let roots = roots(sys, &path).unwrap_or_default();
    (path, roots)
}

/// The certificates of a file; `None` if there is none in it.
pub fn roots(sys: &mut dyn Sys, path: &str) -> Option<Arc<[Certificate]>> {
    let certificates = certificates(&read(sys, path)?);
    (!certificates.is_empty()).then(|| certificates.into())
}

/// A certificate and its key, which may be in one file.
pub fn identity(sys: &mut dyn Sys, certificate: &str, key: &str) -> Option<Identity> {
    let chain = certificates(&read(sys, certificate)?);
    let key = PrivateKey::from_pem(&read(sys, key)?).ok()?;
    (!chain.is_empty()).then_some(Identity { chain, key })
}

fn read(sys: &mut dyn Sys, path: &str) -> Option<String> {
    let path = sys.absolute(path);
    let bytes = sys.fs().read(&path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn certificates(text: &str) -> Vec<Certificate> {
    let blocks = pem::blocks(text).unwrap_or_default();
    let read = |(label, der): &(String, Vec<u8>)| {
        (label == "CERTIFICATE").then(|| Certificate::from_der(der).ok()).flatten()
    };
    blocks.iter().filter_map(read).take(BUNDLE_MAX).collect()
}

/// OpenSSL's words for what is wrong with a certificate, and their number.
/// Upstream: `X509_verify_cert_error_string`.
pub fn problem(error: &VerifyError) -> (&'static str, u8) {
    match error {
        VerifyError::SelfSigned => ("self-signed certificate", 18),
        VerifyError::SelfSignedInChain => ("self-signed certificate in certificate chain", 19),
        VerifyError::UnknownAuthority | VerifyError::Missing => {
            ("unable to get local issuer certificate", 20)
        }
        VerifyError::Name { .. } => ("hostname mismatch", 62),
        VerifyError::Other(PkiError::Expired(why)) if why.contains("before") => {
            ("certificate is not yet valid", 9)
        }
        VerifyError::Other(PkiError::Expired(_)) => ("certificate has expired", 10),
        VerifyError::Other(PkiError::Usage) => ("unsuitable certificate purpose", 26),
        VerifyError::Other(_) => ("certificate signature failure", 7),
    }
}

/// Why a handshake failed; `None` while it has not.
pub fn failed(connection: &Connection) -> Option<&TlsError> {
    match connection.state() {
        State::Failed(error) => Some(error),
        _ => None,
    }
}

/// A name as OpenSSL writes it: `O=system:masters; CN=kubernetes-admin`.
pub fn name(subject: &Subject) -> String {
    let organizations = subject.organizations.iter().map(|name| format!("O={name}"));
    let common_name = Some(&subject.common_name).filter(|name| !name.is_empty());
    let parts = organizations.chain(common_name.map(|name| format!("CN={name}")));
    parts.collect::<Vec<_>>().join("; ")
}
