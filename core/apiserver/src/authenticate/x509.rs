//! Client certificates: the common name is the user, the organizations are the groups.
//!
//! Upstream: `apiserver/pkg/authentication/request/x509/x509.go`.

use super::{Authenticated, AuthenticationConfig, CREDENTIAL_ID, Opinion, Remembered};
use naru_api::{UserInfo, gofmt};
use naru_pki::{Certificate, ExtendedUsage};
use naru_sim::Time;
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A certificate that the authority has signed for clients.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    /// Who has it; nobody if it names none.
    user: Option<UserInfo>,
    /// From when to when it holds, in seconds.
    holds: RangeInclusive<u64>,
}

/// Who has this certificate.
pub(super) fn authenticate(
    config: &AuthenticationConfig,
    known: &mut Remembered<Verified>,
    der: &[u8],
    now: Time,
) -> Opinion {
    let Some(authority) = &config.client_ca else { return Ok(None) };
    let now = u64::try_from(now.unix_micros() / 1_000_000).unwrap_or(0);
    let holds = |verified: &Verified| verified.holds.contains(&now);
    let verified = known.check(der, holds, || verify(authority, der, now))?;
    let user = verified.user.clone();
    Ok(user.map(|user| Authenticated { user, audiences: Vec::new() }))
}

fn verify(authority: &Certificate, der: &[u8], now: u64) -> Result<Verified, String> {
    let text = |error: naru_pki::PkiError| error.to_string();
    let certificate = Certificate::from_der(der).map_err(text)?;
    certificate.verify(authority, now, ExtendedUsage::ClientAuth).map_err(text)?;
    let holds = certificate.not_before()..=certificate.not_after();
    let subject = certificate.subject();
    if subject.common_name.is_empty() {
        return Ok(Verified { user: None, holds });
    }
    let groups: Vec<&str> = subject.organizations.iter().map(String::as_str).collect();
    let mut user = UserInfo::new(&subject.common_name, &groups);
    let id = format!("X509SHA256={}", gofmt::hex(&Sha256::digest(der)));
    user.extra = Arc::new([(CREDENTIAL_ID.to_owned(), vec![id])].into());
    Ok(Verified { user: Some(user), holds })
}
