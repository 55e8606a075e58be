//! Whether to trust a chain of certificates.

use crate::{Certificate, ExtendedUsage, PkiError};
use std::net::IpAddr;

/// Certificates between a leaf and its root at most.
const DEPTH_MAX: usize = 4;

/// Why a chain is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No certificate was shown.
    #[error("no certificate")]
    Missing,
    /// It signed itself and is not trusted.
    #[error("x509: certificate signed by unknown authority")]
    SelfSigned,
    /// Its chain ends at an authority that came along and is not trusted.
    #[error("x509: certificate signed by unknown authority")]
    SelfSignedInChain,
    /// Nobody knows who signed it.
    #[error("x509: certificate signed by unknown authority")]
    UnknownAuthority,
    /// Valid, but not for this host.
    #[error("x509: certificate is valid for {valid_for}, not {wanted}")]
    Name {
        /// What it is valid for, comma-separated.
        valid_for: String,
        /// What was wanted.
        wanted: String,
    },
    /// Something else is wrong with it.
    #[error("{0}")]
    Other(PkiError),
}

/// Checks a chain, the leaf first, up to one of the roots.
pub fn verify_chain(
    chain: &[Certificate],
    roots: &[Certificate],
    now: u64,
    usage: ExtendedUsage,
) -> Result<(), VerifyError> {
    let (leaf, others) = chain.split_first().ok_or(VerifyError::Missing)?;
    let mut current = leaf;
    for _ in 0..DEPTH_MAX {
        if let Some(result) = by_root(current, roots, now, usage) {
            return result;
        }
        let signer = others.iter().find(|other| {
            other.is_ca() && *other != current && current.issuer() == other.subject()
        });
        let Some(signer) = signer else {
            return Err(match (is_self_signed(current), std::ptr::eq(current, leaf)) {
                (true, true) => VerifyError::SelfSigned,
                (true, false) => VerifyError::SelfSignedInChain,
                (false, _) => VerifyError::UnknownAuthority,
            });
        };
        current.verify(signer, now, usage).map_err(VerifyError::Other)?;
        current = signer;
    }
    Err(VerifyError::UnknownAuthority)
}

/// What a root says of a certificate; `None` if no root has to do with it.
fn by_root(
    certificate: &Certificate,
    roots: &[Certificate],
    now: u64,
    usage: ExtendedUsage,
) -> Option<Result<(), VerifyError>> {
    let mut refused = None;
    for root in roots.iter().filter(|root| certificate.issuer() == root.subject()) {
        match certificate.verify(root, now, usage) {
            Ok(()) => return Some(Ok(())),
            // Another authority of the same name.
            Err(PkiError::UnknownAuthority) => {}
            Err(error) => refused = Some(Err(VerifyError::Other(error))),
        }
    }
    refused
}

fn is_self_signed(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject()
}

/// Checks that a certificate is for this host name or address.
pub fn verify_name(certificate: &Certificate, host: &str) -> Result<(), VerifyError> {
    let names = certificate.dns_names();
    let addresses = certificate.ip_addresses();
    let fits = match host.parse::<IpAddr>() {
        Ok(ip) => addresses.contains(&ip),
        Err(_) => names.iter().any(|name| matches_name(name, host)),
    };
    if fits {
        return Ok(());
    }
    let is_address = host.parse::<IpAddr>().is_ok();
    let valid_for: Vec<String> = match is_address {
        true => addresses.iter().map(IpAddr::to_string).collect(),
        false => names,
    };
    Err(VerifyError::Name { valid_for: valid_for.join(", "), wanted: host.to_owned() })
}

/// Whether a certificate's name, perhaps `*.example.com`, is that of a host (RFC 6125).
pub fn matches_name(name: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    // A star stands for exactly one label, the first.
    let (Some(domain), Some((label, rest))) = (name.strip_prefix("*."), host.split_once('.'))
    else {
        return false;
    };
    !label.is_empty() && rest.eq_ignore_ascii_case(domain) && domain.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_one_label() {
        for (name, host, fits) in [
            ("a.example", "A.example", true),
            ("a.example", "a.example.", true),
            ("*.naru.example", "a.naru.example", true),
            ("*.naru.example", "naru.example", false),
            ("*.naru.example", "a.b.naru.example", false),
            ("*.example", "naru.example", false),
        ] {
            assert_eq!(matches_name(name, host), fits, "{name} {host}");
        }
    }
}
