//! Certificate authorities: what signs certificates.
//!
//! Upstream: `k8s.io/client-go/util/cert`, `cmd/kubeadm/app/util/pkiutil`.

use crate::{Certificate, CertificateRequest, ExtendedUsage, PkiError, PrivateKey, Subject};
use naru_sim::{Rng, Time};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::der::asn1::{BitString, GeneralizedTime, Ia5String, OctetString, UtcTime};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time as X509Time, Validity as X509Validity};

/// Clocks differ: a certificate is valid from a little before it was made.
const BACKDATE_SECONDS: u64 = 5 * 60;

/// From when until when, in seconds of the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not valid before.
    pub not_before: u64,
    /// Not valid after.
    pub not_after: u64,
}

impl Validity {
    /// From five minutes before `now` for as long as `lasts` after it.
    pub fn starting(now: Time, lasts: Duration) -> Self {
        let now = u64::try_from(now.unix_micros() / 1_000_000).unwrap_or(0);
        Validity {
            not_before: now.saturating_sub(BACKDATE_SECONDS),
            not_after: now.saturating_add(lasts.as_secs()),
        }
    }

    /// As a certificate has it.
    pub fn to_x509(self) -> Result<X509Validity, PkiError> {
        Ok(X509Validity {
            not_before: x509_time(self.not_before)?,
            not_after: x509_time(self.not_after)?,
        })
    }
}

/// A year of two digits as long as that is possible (RFC 5280, section 4.1.2.5).
fn x509_time(unix_seconds: u64) -> Result<X509Time, PkiError> {
    let since = Duration::from_secs(unix_seconds);
    let short = UtcTime::from_unix_duration(since).map(X509Time::UtcTime);
    short
        .or_else(|_| GeneralizedTime::from_unix_duration(since).map(X509Time::GeneralTime))
        .map_err(PkiError::malformed("time"))
}

/// What a certificate shall say.
#[derive(Clone, Debug, Default)]
pub struct Template<'a> {
    /// Whom it is about.
    pub subject: Subject,
    /// Host names that it is for.
    pub dns_names: &'a [&'a str],
    /// Addresses that it is for.
    pub ip_addresses: &'a [IpAddr],
    /// What it may be shown for.
    pub usages: &'a [ExtendedUsage],
}

/// A certificate with its key, which signs others.
#[derive(Clone, Debug)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
}

impl Authority {
    /// An authority of this name that signs itself.
    pub fn new(
        common_name: &str,
        key: PrivateKey,
        validity: Validity,
        rng: &mut Rng,
    ) -> Result<Self, PkiError> {
        let names = [common_name];
        let template = Template {
            subject: Subject::new(common_name, &[]),
            dns_names: &names,
            ..Template::default()
        };
        let mut extensions = vec![
            extension(true, &key_usage(true))?,
            extension(true, &BasicConstraints { ca: true, path_len_constraint: None })?,
            extension(false, &key_id(&key)?)?,
        ];
        extensions.extend(alternatives(&template)?);
        let subject = template.subject.write()?;
        let body = TbsCertificate {
            version: Version::V3,
            serial_number: serial(rng)?,
            signature: key.algorithm(),
            issuer: subject.clone(),
            validity: validity.to_x509()?,
            subject,
            subject_public_key_info: public_key_info(&key)?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        };
        Ok(Authority { certificate: sign(body, &key)?, key })
    }

    /// An authority that has been before: its certificate, and the key of that.
    pub fn of(certificate: Certificate, key: PrivateKey) -> Self {
        Authority { certificate, key }
    }

    /// What a certificate says, for another key and for as long as is said.
    pub fn renew(
        &self,
        certificate: &Certificate,
        key: &PrivateKey,
        validity: Validity,
        rng: &mut Rng,
    ) -> Result<Certificate, PkiError> {
        let body = TbsCertificate {
            serial_number: serial(rng)?,
            signature: self.key.algorithm(),
            validity: self.within(validity).to_x509()?,
            subject_public_key_info: public_key_info(key)?,
            ..certificate.0.tbs_certificate.clone()
        };
        sign(body, &self.key)
    }

    /// Nobody signs for longer than they are valid themselves.
    fn within(&self, validity: Validity) -> Validity {
        let not_after = validity.not_after.min(self.certificate.not_after());
        Validity { not_after, ..validity }
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// A certificate for a key.
    pub fn issue(
        &self,
        template: &Template<'_>,
        key: &PrivateKey,
        validity: Validity,
        rng: &mut Rng,
    ) -> Result<Certificate, PkiError> {
        self.sign_leaf(template, public_key_info(key)?, validity, rng)
    }

    /// The certificate that a request asks for, for these uses.
    pub fn sign_request(
        &self,
        request: &CertificateRequest,
        usages: &[ExtendedUsage],
        validity: Validity,
        rng: &mut Rng,
    ) -> Result<Certificate, PkiError> {
        let (names, ip_addresses) = (request.dns_names(), request.ip_addresses());
        let dns_names: Vec<&str> = names.iter().map(String::as_str).collect();
        let template = Template {
            subject: request.subject(),
            dns_names: &dns_names,
            ip_addresses: &ip_addresses,
            usages,
        };
        self.sign_leaf(&template, request.public_key().clone(), validity, rng)
    }

    fn sign_leaf(
        &self,
        template: &Template<'_>,
        key: SubjectPublicKeyInfoOwned,
        validity: Validity,
        rng: &mut Rng,
    ) -> Result<Certificate, PkiError> {
        let mut extensions = vec![extension(true, &key_usage(false))?];
        if !template.usages.is_empty() {
            let usages = template.usages.iter().map(|usage| usage.oid()).collect();
            extensions.push(extension(false, &ExtendedKeyUsage(usages))?);
        }
        extensions
            .push(extension(true, &BasicConstraints { ca: false, path_len_constraint: None })?);
        let key_identifier = self.certificate.key_id().map(|id| id.0);
        let authority = AuthorityKeyIdentifier { key_identifier, ..Default::default() };
        extensions.push(extension(false, &authority)?);
        extensions.extend(alternatives(template)?);
        let body = TbsCertificate {
            version: Version::V3,
            serial_number: serial(rng)?,
            signature: self.key.algorithm(),
            issuer: self.certificate.0.tbs_certificate.subject.clone(),
            validity: self.within(validity).to_x509()?,
            subject: template.subject.write()?,
            subject_public_key_info: key,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        };
        sign(body, &self.key)
    }
}

/// The extension with host names and addresses, if there are any.
pub(crate) fn alternatives(template: &Template<'_>) -> Result<Option<Extension>, PkiError> {
    let bad = PkiError::malformed("name");
    let mut names = Vec::new();
    for name in template.dns_names {
        names.push(GeneralName::DnsName(Ia5String::new(name).map_err(&bad)?));
    }
    for ip in template.ip_addresses {
        let bytes = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        names.push(GeneralName::IpAddress(OctetString::new(bytes).map_err(&bad)?));
    }
    if names.is_empty() {
        return Ok(None);
    }
    extension(false, &SubjectAltName(names)).map(Some)
}

/// Signs what a certificate shall say.
pub fn sign(body: TbsCertificate, key: &PrivateKey) -> Result<Certificate, PkiError> {
    let bad = PkiError::malformed("certificate");
    let signature = key.sign_der(&body.to_der().map_err(&bad)?);
    Ok(Certificate(x509_cert::Certificate {
        tbs_certificate: body,
        signature_algorithm: key.algorithm(),
        signature: BitString::from_bytes(&signature).map_err(&bad)?,
    }))
}

fn extension<E: Encode + AssociatedOid>(critical: bool, value: &E) -> Result<Extension, PkiError> {
    let bad = PkiError::malformed("extension");
    let value = value.to_der().and_then(OctetString::new).map_err(&bad)?;
    Ok(Extension { extn_id: E::OID, critical, extn_value: value })
}

fn key_usage(ca: bool) -> KeyUsage {
    let usages = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment;
    KeyUsage(if ca { usages | KeyUsages::KeyCertSign } else { usages })
}

/// The first 160 bits of the key's SHA-256 (RFC 7093, method 1).
fn key_id(key: &PrivateKey) -> Result<SubjectKeyIdentifier, PkiError> {
    let info = public_key_info(key)?;
    let hash = Sha256::digest(info.subject_public_key.raw_bytes());
    let bytes: Vec<u8> = hash.into_iter().take(20).collect();
    OctetString::new(bytes).map(SubjectKeyIdentifier).map_err(PkiError::malformed("key"))
}

/// A key's public half, as a certificate has it.
pub fn public_key_info(key: &PrivateKey) -> Result<SubjectPublicKeyInfoOwned, PkiError> {
    let info = SubjectPublicKeyInfoOwned::from_der(&key.public().to_der());
    info.map_err(PkiError::malformed("key"))
}

/// A number of 63 random bits.
fn serial(rng: &mut Rng) -> Result<SerialNumber, PkiError> {
    let number = rng.next_u64() >> 1;
    SerialNumber::new(&number.to_be_bytes()).map_err(PkiError::malformed("serial number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

    fn authority(seed: u64) -> (Authority, Rng) {
        let mut rng = Rng::new(seed);
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(Time::ZERO, YEAR * 10);
        (Authority::new("kubernetes", key, validity, &mut rng).unwrap(), rng)
    }

    fn template() -> Template<'static> {
        const IPS: &[IpAddr] = &[IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 1))];
        Template {
            subject: Subject::new("kubernetes-admin", &["kubeadm:cluster-admins"]),
            dns_names: &["kubernetes.default"],
            ip_addresses: IPS,
            usages: &[ExtendedUsage::ClientAuth],
        }
    }

    #[test]
    fn certificates_say_what_they_were_asked_to() {
        let (ca, mut rng) = authority(1);
        assert!(ca.certificate().is_ca());
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(Time::from_secs(10), YEAR);
        let made = ca.issue(&template(), &key, validity, &mut rng).unwrap();
        let read = Certificate::from_pem(&made.to_pem()).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.subject(), template().subject);
        assert_eq!(read.issuer().common_name, "kubernetes");
        assert_eq!(read.dns_names(), ["kubernetes.default"]);
        assert_eq!(read.ip_addresses(), template().ip_addresses);
        assert_eq!(read.public_key().unwrap(), key.public());
        assert_eq!(
            (read.not_before(), read.not_after()),
            (validity.not_before, validity.not_after)
        );
        assert!(!read.is_ca());
    }

    #[test]
    fn only_what_the_authority_signed_is_trusted() {
        let ((ca, mut rng), (stranger, _)) = (authority(1), authority(2));
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(Time::ZERO, YEAR);
        let made = ca.issue(&template(), &key, validity, &mut rng).unwrap();
        let now = validity.not_before + 10;
        let verify = |ca: &Authority, now, usage| made.verify(ca.certificate(), now, usage);
        assert_eq!(verify(&ca, now, ExtendedUsage::ClientAuth), Ok(()));
        assert_eq!(verify(&ca, now, ExtendedUsage::ServerAuth), Err(PkiError::Usage));
        // Of the same name, but with another key.
        let error = verify(&stranger, now, ExtendedUsage::ClientAuth);
        assert_eq!(error, Err(PkiError::UnknownAuthority));
        for now in [validity.not_before - 1, validity.not_after + 1] {
            let error = verify(&ca, now, ExtendedUsage::ClientAuth);
            assert!(matches!(error, Err(PkiError::Expired(_))), "{now}");
        }
    }

    #[test]
    fn requests_become_certificates() {
        let (ca, mut rng) = authority(3);
        let key = PrivateKey::generate(&mut rng);
        let request = CertificateRequest::new(&template(), &key).unwrap();
        let request = CertificateRequest::from_pem(&request.to_pem()).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!(request.subject(), template().subject);
        assert_eq!(request.dns_names(), ["kubernetes.default"]);
        assert!(!request.has_other_names());
        let validity = Validity::starting(Time::ZERO, YEAR * 20);
        let usages = [ExtendedUsage::ClientAuth];
        let made = ca.sign_request(&request, &usages, validity, &mut rng).unwrap();
        assert_eq!(made.public_key().unwrap(), key.public());
        assert_eq!(made.subject(), template().subject);
        assert_eq!(made.not_after(), ca.certificate().not_after(), "no longer than the authority");
    }

    #[test]
    fn dates_after_2049_have_four_digits() {
        let validity = Validity { not_before: 0, not_after: 3_000_000_000 };
        let x509 = validity.to_x509().unwrap();
        assert!(matches!(x509.not_before, X509Time::UtcTime(_)));
        assert!(matches!(x509.not_after, X509Time::GeneralTime(_)));
    }

    #[test]
    fn same_seed_same_certificate() {
        let pem = |seed| authority(seed).0.certificate().to_pem();
        assert_eq!(pem(5), pem(5));
        assert_ne!(pem(5), pem(6));
    }
}
