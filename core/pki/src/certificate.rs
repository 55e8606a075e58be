//! X.509 certificates, read and checked.

use crate::{PkiError, PublicKey, Subject, pem};
use std::net::IpAddr;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, SubjectAltName, SubjectKeyIdentifier,
};

const LABEL: &str = "CERTIFICATE";
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// What a certificate may be shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedUsage {
    /// By a TLS server.
    ServerAuth,
    /// By a TLS client.
    ClientAuth,
}

impl ExtendedUsage {
    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            ExtendedUsage::ServerAuth => SERVER_AUTH,
            ExtendedUsage::ClientAuth => CLIENT_AUTH,
        }
    }
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(pub x509_cert::Certificate);

impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Self, PkiError> {
        let read = x509_cert::Certificate::from_der(der);
        read.map(Certificate).map_err(PkiError::malformed("certificate"))
    }

    /// Reads the first certificate of a text.
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        Self::from_der(&pem::first(text, &[LABEL])?)
    }

    /// As DER.
    pub fn to_der(&self) -> Vec<u8> {
        // What was read or built from parts can be written.
        self.0.to_der().unwrap_or_default()
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.to_der())
    }

    /// Whom it is about.
    pub fn subject(&self) -> Subject {
        Subject::read(&self.0.tbs_certificate.subject)
    }

    /// Who signed it.
    pub fn issuer(&self) -> Subject {
        Subject::read(&self.0.tbs_certificate.issuer)
    }

    /// Its public key, if that is of a kind that is known here.
    pub fn public_key(&self) -> Result<PublicKey, PkiError> {
        let info = self.0.tbs_certificate.subject_public_key_info.to_der();
        PublicKey::from_der(&info.map_err(PkiError::malformed("key"))?)
    }

    /// From when on it is valid, in seconds of the Unix epoch.
    pub fn not_before(&self) -> u64 {
        self.0.tbs_certificate.validity.not_before.to_unix_duration().as_secs()
    }

    /// Until when it is valid, in seconds of the Unix epoch.
    pub fn not_after(&self) -> u64 {
        self.0.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
    }

    /// Its number in hexadecimal.
    pub fn serial(&self) -> String {
        let bytes = self.0.tbs_certificate.serial_number.as_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it may sign others.
    pub fn is_ca(&self) -> bool {
        self.extension::<BasicConstraints>().is_some_and(|constraints| constraints.ca)
    }

    /// The host names that it is for.
    pub fn dns_names(&self) -> Vec<String> {
        dns_names(&self.alternatives())
    }

    /// The addresses that it is for.
    pub fn ip_addresses(&self) -> Vec<IpAddr> {
        ip_addresses(&self.alternatives())
    }

    /// Refuses a certificate that `authority` did not sign, that is not valid at `now` (seconds of
    /// the Unix epoch), or that is not for this use.
    pub fn verify(
        &self,
        authority: &Certificate,
        now: u64,
        usage: ExtendedUsage,
    ) -> Result<(), PkiError> {
        if self.0.tbs_certificate.issuer != authority.0.tbs_certificate.subject {
            return Err(PkiError::UnknownAuthority);
        }
        let (from, until) = (self.not_before(), self.not_after());
        if now < from {
            return Err(PkiError::Expired(format!("current time {now} is before {from}")));
        }
        if now > until {
            return Err(PkiError::Expired(format!("current time {now} is after {until}")));
        }
        let usages = self.extension::<ExtendedKeyUsage>();
        if usages.is_some_and(|usages| !usages.0.contains(&usage.oid())) {
            return Err(PkiError::Usage);
        }
        let signed = self.0.tbs_certificate.to_der().map_err(PkiError::malformed("certificate"))?;
        if !authority.public_key()?.verify_der(&signed, self.0.signature.raw_bytes()) {
            return Err(PkiError::UnknownAuthority);
        }
        Ok(())
    }

    pub(crate) fn key_id(&self) -> Option<SubjectKeyIdentifier> {
        self.extension()
    }

    fn alternatives(&self) -> Vec<GeneralName> {
        self.extension::<SubjectAltName>().map(|names| names.0).unwrap_or_default()
    }

    fn extension<'a, E: Decode<'a> + AssociatedOid>(&'a self) -> Option<E> {
        find(self.0.tbs_certificate.extensions.as_deref().unwrap_or_default())
    }
}

/// The extension of this type.
pub(crate) fn find<'a, E: Decode<'a> + AssociatedOid>(extensions: &'a [Extension]) -> Option<E> {
    let found = extensions.iter().find(|extension| extension.extn_id == E::OID)?;
    E::from_der(found.extn_value.as_bytes()).ok()
}

pub(crate) fn dns_names(names: &[GeneralName]) -> Vec<String> {
    let dns = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    names.iter().filter_map(dns).collect()
}

pub(crate) fn ip_addresses(names: &[GeneralName]) -> Vec<IpAddr> {
    let ip = |name: &GeneralName| {
        let GeneralName::IpAddress(bytes) = name else { return None };
        let bytes = bytes.as_bytes();
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
    };
    names.iter().filter_map(ip).collect()
}
