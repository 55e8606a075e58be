//! Certificate signing requests (PKCS#10).

use crate::certificate::{dns_names, find, ip_addresses};
use crate::issue::alternatives;
use crate::{PkiError, PrivateKey, Subject, Template, pem};
use std::net::IpAddr;
use x509_cert::attr::Attribute;
use x509_cert::der::asn1::{Any, BitString, SetOfVec};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

const LABEL: &str = "CERTIFICATE REQUEST";

/// A request for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest(pub CertReq);

impl CertificateRequest {
    /// A request for a certificate of `template`, signed with the key that it is for.
    pub fn new(template: &Template<'_>, key: &PrivateKey) -> Result<Self, PkiError> {
        let bad = PkiError::malformed("certificate request");
        let public_key = SubjectPublicKeyInfoOwned::from_der(&key.public().to_der());
        let mut attributes = SetOfVec::new();
        if let Some(extension) = alternatives(template)? {
            let wanted = ExtensionReq(vec![extension]).to_der().map_err(&bad)?;
            let mut values = SetOfVec::new();
            values.insert(Any::from_der(&wanted).map_err(&bad)?).map_err(&bad)?;
            attributes.insert(Attribute { oid: ExtensionReq::OID, values }).map_err(&bad)?;
        }
        let info = CertReqInfo {
            version: Version::V1,
            subject: template.subject.write()?,
            public_key: public_key.map_err(&bad)?,
            attributes,
        };
        let signature = key.sign_der(&info.to_der().map_err(&bad)?);
        let signature = BitString::from_bytes(&signature).map_err(&bad)?;
        Ok(CertificateRequest(CertReq { info, algorithm: key.algorithm(), signature }))
    }

    /// Reads PEM. The request must be the first block, as `certificatesigningrequests` want it.
    pub fn from_pem(text: &str) -> Result<Self, PkiError> {
        let der = pem::first(text, &[LABEL, "NEW CERTIFICATE REQUEST"])?;
        let read = CertReq::from_der(&der);
        read.map(CertificateRequest).map_err(PkiError::malformed("certificate request"))
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        // What was read or built from parts can be written.
        pem::encode(LABEL, &self.0.to_der().unwrap_or_default())
    }

    /// Whom the certificate shall be about.
    pub fn subject(&self) -> Subject {
        Subject::read(&self.0.info.subject)
    }

    /// The host names that it shall be for.
    pub fn dns_names(&self) -> Vec<String> {
        dns_names(&self.alternatives())
    }

    /// The addresses that it shall be for.
    pub fn ip_addresses(&self) -> Vec<IpAddr> {
        ip_addresses(&self.alternatives())
    }

    /// Whether it asks for names of other sorts: mail addresses, URIs.
    pub fn has_other_names(&self) -> bool {
        let known = |name: &GeneralName| {
            matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_))
        };
        !self.alternatives().iter().all(known)
    }

    /// Whether its signature was made with its own key. Keys that are unknown here cannot be
    /// checked; upstream's signers do not check any.
    pub fn verify(&self) -> Result<(), PkiError> {
        let bad = PkiError::malformed("certificate request");
        let key = self.0.info.public_key.to_der().map_err(&bad)?;
        let signed = self.0.info.to_der().map_err(&bad)?;
        let key = crate::PublicKey::from_der(&key)?;
        let fits = key.verify_der(&signed, self.0.signature.raw_bytes());
        if fits { Ok(()) } else { Err(PkiError::Signature) }
    }

    pub(crate) fn public_key(&self) -> &SubjectPublicKeyInfoOwned {
        &self.0.info.public_key
    }

    fn alternatives(&self) -> Vec<GeneralName> {
        let wanted = self.0.info.attributes.iter().find(|one| one.oid == ExtensionReq::OID);
        let value = wanted.and_then(|attribute| attribute.values.get(0)?.to_der().ok());
        let extensions = value.and_then(|der| ExtensionReq::from_der(&der).ok());
        let extensions = extensions.unwrap_or_default();
        find::<SubjectAltName>(&extensions.0).map(|names| names.0).unwrap_or_default()
    }
}
