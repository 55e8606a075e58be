//! Client certificates: the common name is the user, the organizations are the groups.
//!
//! Upstream: `apiserver/pkg/authentication/request/x509/x509.go`.

use super::{Authenticated, AuthenticationConfig, CREDENTIAL_ID, Opinion};
use naru_api::UserInfo;
use naru_pki::{Certificate, ExtendedUsage};
use naru_sim::Time;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// Who has this certificate.
pub(super) fn authenticate(config: &AuthenticationConfig, der: &[u8], now: Time) -> Opinion {
    let Some(authority) = &config.client_ca else { return Ok(None) };
    let text = |error: naru_pki::PkiError| error.to_string();
    let certificate = Certificate::from_der(der).map_err(text)?;
    let now = u64::try_from(now.unix_micros() / 1_000_000).unwrap_or(0);
    certificate.verify(authority, now, ExtendedUsage::ClientAuth).map_err(text)?;
    let subject = certificate.subject();
    if subject.common_name.is_empty() {
        return Ok(None);
    }
    let groups: Vec<&str> = subject.organizations.iter().map(String::as_str).collect();
    let mut user = UserInfo::new(&subject.common_name, &groups);
    let id = format!("X509SHA256={}", hex(&Sha256::digest(der)));
    user.extra = Arc::new([(CREDENTIAL_ID.to_owned(), vec![id])].into());
    Ok(Some(Authenticated { user, audiences: Vec::new() }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
