//! IP addresses and ranges in fields: which are good, and which are only accepted.
//!
//! Upstream: `apimachinery/pkg/util/validation/ip.go`, `k8s.io/utils/net`.

use crate::gofmt::quote;
use crate::{FieldError, Path};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address. Numbers may have leading zeros, as they always could.
///
/// Upstream: `ParseIPSloppy`.
pub fn parse(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *octet = digits.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// Whether it is an address of IPv6.
pub fn is_ipv6(text: &str) -> bool {
    parse(text).is_some_and(|ip| ip.to_canonical().is_ipv6())
}

/// What is wrong with an address in a field that was always lenient.
///
/// Upstream: `IsValidIPForLegacyField`.
pub fn validate_lenient(text: &str, field: &Path<'_>) -> Vec<FieldError> {
    if parse(text).is_some() {
        return Vec::new();
    }
    let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    vec![FieldError::invalid(field, text, detail)]
}

/// Why an address in a field that must have its one form does not have it.
///
/// Upstream: `IsValidIP`.
pub fn problems(text: &str) -> Vec<String> {
    let Some(ip) = parse(text) else {
        return vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()];
    };
    if text.parse::<IpAddr>().is_err() {
        return vec!["must not have leading 0s".to_owned()];
    }
    if is_mapped(ip) {
        return vec!["must not be an IPv4-mapped IPv6 address".to_owned()];
    }
    let canonical = ip.to_string();
    if canonical == text {
        return Vec::new();
    }
    vec![format!("must be in canonical form ({})", quote(&canonical))]
}

/// What a client is told of an address that is accepted, but should be written otherwise.
///
/// Upstream: `GetWarningsForIP`.
pub fn warnings(text: &str, field: &Path<'_>) -> Vec<String> {
    let Some(ip) = parse(text) else { return Vec::new() };
    if text.parse::<IpAddr>().is_err() || is_mapped(ip) {
        return vec![format!(
            "{field}: non-standard IP address {} will be considered invalid in a future \
             Kubernetes release: use {}",
            quote(text),
            quote(&ip.to_canonical().to_string())
        )];
    }
    let canonical = ip.to_string();
    if ip.is_ipv6() && canonical != text {
        return vec![format!(
            "{field}: IPv6 address {} should be in RFC 5952 canonical format ({})",
            quote(text),
            quote(&canonical)
        )];
    }
    Vec::new()
}

/// Why an address cannot be an endpoint.
///
/// Upstream: `ValidateEndpointIP`.
pub fn validate_endpoint(text: &str, field: &Path<'_>) -> Vec<FieldError> {
    let invalid = |detail: &str| FieldError::invalid(field, text, detail);
    let Some(ip) = parse(text).map(|ip| ip.to_canonical()) else {
        return vec![invalid("must be a valid IP address")];
    };
    let (local, local_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), matches!(ip.octets(), [224, 0, 0, _])),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            (first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    let mut errors = Vec::new();
    if ip.is_unspecified() {
        errors.push(invalid(&format!("may not be unspecified ({text})")));
    }
    if ip.is_loopback() {
        errors.push(invalid("may not be in the loopback range (127.0.0.0/8, ::1/128)"));
    }
    if local {
        errors.push(invalid("may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
    }
    if local_multicast {
        errors.push(invalid(
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ));
    }
    errors
}

fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
}

/// A range of addresses: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address before the slash.
    pub ip: IpAddr,
    /// The bits after it.
    pub bits: u8,
}

impl Cidr {
    /// Reads a range. Numbers may have leading zeros, and the address bits beyond the range.
    ///
    /// Upstream: `ParseCIDRSloppy`.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (ip, bits) = text.split_once('/')?;
        let ip = parse(ip)?;
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u8 = digits.then(|| bits.parse().ok())??;
        (bits <= Cidr::width(ip)).then_some(Cidr { ip, bits })
    }

    fn width(ip: IpAddr) -> u8 {
        if ip.is_ipv4() { 32 } else { 128 }
    }

    /// The range's first address.
    pub fn network(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
            }
        }
    }

    /// Whether an address is in the range.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.ip.is_ipv4()
            && Cidr { ip, bits: self.bits }.network() == self.network()
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network(), self.bits)
    }
}

/// What is wrong with a range in a field that was always lenient.
///
/// Upstream: `IsValidCIDRForLegacyField`.
pub fn validate_cidr_lenient(text: &str, field: &Path<'_>) -> Vec<FieldError> {
    if Cidr::parse(text).is_some() {
        return Vec::new();
    }
    vec![FieldError::invalid(field, text, NO_CIDR)]
}

const NO_CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// What is wrong with a range in a field that must have its one form.
///
/// Upstream: `IsValidCIDR`.
pub fn validate_cidr(text: &str, field: &Path<'_>) -> Vec<FieldError> {
    let invalid = |detail: &str| vec![FieldError::invalid(field, text, detail)];
    let Some(cidr) = Cidr::parse(text) else { return invalid(NO_CIDR) };
    if !is_strict(text) {
        return invalid("must not have leading 0s in IP or prefix length");
    }
    if is_mapped(cidr.ip) {
        return invalid("must not have an IPv4-mapped IPv6 address");
    }
    if cidr.ip != cidr.network() {
        return invalid("must not have bits set beyond the prefix length");
    }
    let canonical = cidr.to_string();
    if canonical == text {
        return Vec::new();
    }
    invalid(&format!("must be in canonical form ({})", quote(&canonical)))
}

fn is_strict(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    ip.parse::<IpAddr>().is_ok() && (bits == "0" || !bits.starts_with('0'))
}

/// What a client is told of a range that is accepted, but should be written otherwise.
///
/// Upstream: `GetWarningsForCIDR`.
pub fn cidr_warnings(text: &str, field: &Path<'_>) -> Vec<String> {
    let Some(cidr) = Cidr::parse(text) else { return Vec::new() };
    let (given, range) = (quote(text), quote(&cidr.to_string()));
    let mut warnings = Vec::new();
    if cidr.ip != cidr.network() {
        let single = quote(&format!("{}/{}", cidr.ip, Cidr::width(cidr.ip)));
        warnings.push(format!(
            "{field}: CIDR value {given} is ambiguous in this context (should be {range} or \
             {single}?)"
        ));
    }
    if !is_strict(text) || is_mapped(cidr.ip) {
        warnings.push(format!(
            "{field}: non-standard CIDR value {given} will be considered invalid in a future \
             Kubernetes release: use {range}"
        ));
    }
    if warnings.is_empty() && cidr.ip.is_ipv6() && given != range {
        warnings.push(format!(
            "{field}: IPv6 CIDR value {given} should be in RFC 5952 canonical format ({range})"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("10.0.0.1", true, ""),
            ("010.0.0.1", true, "must not have leading 0s"),
            ("::ffff:1.2.3.4", true, "must not be an IPv4-mapped IPv6 address"),
            ("FE80::1", true, "must be in canonical form (\"fe80::1\")"),
            ("10.0.0", false, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("10.0.0.256", false, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("+1.0.0.1", false, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ];
        for (text, lenient, strict) in table {
            assert_eq!(parse(text).is_some(), lenient, "{text}");
            assert_eq!(problems(text).join(""), strict, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let range = Cidr::parse("10.1.2.3/8").unwrap();
        assert_eq!(range.to_string(), "10.0.0.0/8");
        assert!(range.contains(Ipv4Addr::new(10, 255, 0, 1).into()));
        assert!(!range.contains(Ipv4Addr::new(11, 0, 0, 1).into()));
        for all in ["0.0.0.0/0", "::/0"] {
            assert!(
                Cidr::parse(all).unwrap().contains(all.split_once('/').unwrap().0.parse().unwrap())
            );
        }
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/-1", "::/129"] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
