//! Extensions of certificates: from `keyUsage = critical, digitalSignature`, and to text.

use super::config::Config;
use super::names;
use naru_pki::x509_cert::der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use naru_pki::x509_cert::der::flagset::FlagSet;
use naru_pki::x509_cert::der::oid::AssociatedOid;
use naru_pki::x509_cert::der::{Decode, Encode};
use naru_pki::x509_cert::ext::Extension;
use naru_pki::x509_cert::ext::pkix::name::GeneralName;
use naru_pki::x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use naru_pki::{Certificate, PublicKey};
use sha1::{Digest, Sha1};
use std::net::IpAddr;

/// What extensions say of the certificate that they are for.
pub struct About<'a> {
    /// Its key.
    pub key: &'a PublicKey,
    /// Who signs it; `None`: it signs itself.
    pub issuer: Option<&'a Certificate>,
    /// Where `@section` is looked up.
    pub config: &'a Config,
}

const USAGES: [(&str, &str, KeyUsages); 9] = [
    ("digitalSignature", "Digital Signature", KeyUsages::DigitalSignature),
    ("nonRepudiation", "Non Repudiation", KeyUsages::NonRepudiation),
    ("keyEncipherment", "Key Encipherment", KeyUsages::KeyEncipherment),
    ("dataEncipherment", "Data Encipherment", KeyUsages::DataEncipherment),
    ("keyAgreement", "Key Agreement", KeyUsages::KeyAgreement),
    ("keyCertSign", "Certificate Sign", KeyUsages::KeyCertSign),
    ("cRLSign", "CRL Sign", KeyUsages::CRLSign),
    ("encipherOnly", "Encipher Only", KeyUsages::EncipherOnly),
    ("decipherOnly", "Decipher Only", KeyUsages::DecipherOnly),
];

const PURPOSES: [(&str, &str, &str); 5] = [
    ("serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    ("clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
    ("codeSigning", "Code Signing", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "E-mail Protection", "1.3.6.1.5.5.7.3.4"),
    ("timeStamping", "Time Stamping", "1.3.6.1.5.5.7.3.8"),
];

/// The extensions of a list of names and values. The error names the extension.
pub fn build(entries: &[(String, String)], about: &About<'_>) -> Result<Vec<Extension>, String> {
    let mut all: Vec<Extension> = Vec::new();
    for (name, value) in entries {
        let made = one(name, value, about)
            .ok_or_else(|| format!("Error adding extensions from option: {name}={value}"))?;
        all.retain(|other| other.extn_id != made.extn_id);
        all.push(made);
    }
    Ok(all)
}

/// The SHA-1 of a public key, as X.509 names keys by it.
pub fn key_id(key: &PublicKey) -> Option<SubjectKeyIdentifier> {
    let info =
        naru_pki::x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&key.to_der()).ok()?;
    let hash = Sha1::digest(info.subject_public_key.raw_bytes());
    OctetString::new(hash.to_vec()).ok().map(SubjectKeyIdentifier)
}

fn one(name: &str, value: &str, about: &About<'_>) -> Option<Extension> {
    let mut words: Vec<&str> = value.split(',').map(str::trim).collect();
    let critical = words.first() == Some(&"critical");
    if critical {
        words.remove(0);
    }
    match name {
        "subjectAltName" => wrap(critical, &SubjectAltName(alternatives(&words, about.config)?)),
        "basicConstraints" => wrap(critical, &constraints(&words)?),
        "keyUsage" => {
            let mut usages: FlagSet<KeyUsages> = FlagSet::default();
            for word in &words {
                usages |= USAGES.iter().find(|(short, _, _)| short == word)?.2;
            }
            wrap(critical, &KeyUsage(usages))
        }
        "extendedKeyUsage" => {
            let number = |word: &&str| {
                let known = PURPOSES.iter().find(|(short, _, _)| short == word);
                ObjectIdentifier::new(known.map_or(*word, |(_, _, number)| *number)).ok()
            };
            let purposes: Option<Vec<_>> = words.iter().map(number).collect();
            wrap(critical, &ExtendedKeyUsage(purposes?))
        }
        "subjectKeyIdentifier" => wrap(critical, &key_id(about.key)?),
        "authorityKeyIdentifier" => wrap(critical, &authority(&words, about)?),
        _ => None,
    }
}

fn constraints(words: &[&str]) -> Option<BasicConstraints> {
    let mut made = BasicConstraints { ca: false, path_len_constraint: None };
    for word in words {
        match word.split_once(':')? {
            ("CA", value) => made.ca = value.eq_ignore_ascii_case("true"),
            ("pathlen", value) => made.path_len_constraint = value.parse().ok(),
            _ => return None,
        }
    }
    Some(made)
}

fn authority(words: &[&str], about: &About<'_>) -> Option<AuthorityKeyIdentifier> {
    let named = |name: &str| words.iter().any(|word| word.starts_with(name));
    let own = key_id(about.key)?;
    let key = match about.issuer {
        Some(issuer) => subject_key_id(issuer).or_else(|| key_id(&issuer.public_key().ok()?)),
        None => Some(own),
    };
    let mut made = AuthorityKeyIdentifier::default();
    if named("keyid") {
        made.key_identifier = key.map(|key| key.0);
    }
    if let (Some(issuer), true) = (about.issuer, words.contains(&"issuer:always")) {
        let body = &issuer.0.tbs_certificate;
        made.authority_cert_issuer = Some(vec![GeneralName::DirectoryName(body.issuer.clone())]);
        made.authority_cert_serial_number = Some(body.serial_number.clone());
    }
    Some(made)
}

/// What a certificate says that its key is called.
pub fn subject_key_id(certificate: &Certificate) -> Option<SubjectKeyIdentifier> {
    let all = certificate.0.tbs_certificate.extensions.as_deref().unwrap_or_default();
    let found = all.iter().find(|one| one.extn_id == SubjectKeyIdentifier::OID)?;
    SubjectKeyIdentifier::from_der(found.extn_value.as_bytes()).ok()
}

/// `DNS:a`, `IP:10.0.0.1`, `@section`.
fn alternatives(words: &[&str], config: &Config) -> Option<Vec<GeneralName>> {
    let mut names = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if let Some(section) = word.strip_prefix('@') {
            for (kind, value) in config.section(section)? {
                names.push(alternative(kind.split('.').next()?, value)?);
            }
        } else {
            let (kind, value) = word.split_once(':')?;
            names.push(alternative(kind, value)?);
        }
    }
    Some(names).filter(|names| !names.is_empty())
}

fn alternative(kind: &str, value: &str) -> Option<GeneralName> {
    let text = || Ia5String::new(value).ok();
    Some(match kind {
        "DNS" => GeneralName::DnsName(text()?),
        "email" => GeneralName::Rfc822Name(text()?),
        "URI" => GeneralName::UniformResourceIdentifier(text()?),
        "IP" => {
            let bytes = match value.parse::<IpAddr>().ok()? {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            GeneralName::IpAddress(OctetString::new(bytes).ok()?)
        }
        _ => return None,
    })
}

/// An extension of this value.
pub fn wrap<E: Encode + AssociatedOid>(critical: bool, value: &E) -> Option<Extension> {
    let value = OctetString::new(value.to_der().ok()?).ok()?;
    Some(Extension { extn_id: E::OID, critical, extn_value: value })
}

/// Names of extensions in configuration files, their numbers, and how they are called in text.
const KNOWN: [(&str, &str, &str); 6] = [
    ("subjectKeyIdentifier", "2.5.29.14", "X509v3 Subject Key Identifier"),
    ("keyUsage", "2.5.29.15", "X509v3 Key Usage"),
    ("subjectAltName", "2.5.29.17", "X509v3 Subject Alternative Name"),
    ("basicConstraints", "2.5.29.19", "X509v3 Basic Constraints"),
    ("authorityKeyIdentifier", "2.5.29.35", "X509v3 Authority Key Identifier"),
    ("extendedKeyUsage", "2.5.29.37", "X509v3 Extended Key Usage"),
];

/// Whether an extension is called so in configuration files.
pub fn is_named(extension: &Extension, name: &str) -> bool {
    let number = extension.extn_id.to_string();
    KNOWN.iter().any(|(own, known, _)| *known == number && *own == name)
}

/// Extensions as text: a line for the name, one for the value, after so many blanks.
pub fn show(extensions: &[Extension], indent: usize) -> String {
    let blanks = " ".repeat(indent);
    let mut text = String::new();
    for extension in extensions {
        let number = extension.extn_id.to_string();
        let known = KNOWN.iter().find(|(_, own, _)| *own == number);
        let title = known.map_or(number.as_str(), |(_, _, title)| title);
        let critical = if extension.critical { "critical" } else { "" };
        text.push_str(&format!("{blanks}{title}: {critical}\n"));
        for line in value(extension) {
            text.push_str(&format!("{blanks}    {line}\n"));
        }
    }
    text
}

fn value(extension: &Extension) -> Vec<String> {
    let der = extension.extn_value.as_bytes();
    known_value(extension.extn_id, der).unwrap_or_else(|| vec![colons(der)])
}

fn known_value(oid: ObjectIdentifier, der: &[u8]) -> Option<Vec<String>> {
    let line = match oid {
        SubjectKeyIdentifier::OID => colons(SubjectKeyIdentifier::from_der(der).ok()?.0.as_bytes()),
        AuthorityKeyIdentifier::OID => {
            return Some(authority_lines(&AuthorityKeyIdentifier::from_der(der).ok()?));
        }
        BasicConstraints::OID => {
            let read = BasicConstraints::from_der(der).ok()?;
            let ca = if read.ca { "CA:TRUE" } else { "CA:FALSE" };
            match read.path_len_constraint {
                Some(length) => format!("{ca}, pathlen:{length}"),
                None => ca.to_owned(),
            }
        }
        KeyUsage::OID => {
            let read = KeyUsage::from_der(der).ok()?;
            let on = USAGES.iter().filter(|(_, _, usage)| read.0.contains(*usage));
            on.map(|(_, title, _)| *title).collect::<Vec<_>>().join(", ")
        }
        ExtendedKeyUsage::OID => {
            let read = ExtendedKeyUsage::from_der(der).ok()?;
            let title = |oid: &ObjectIdentifier| {
                let number = oid.to_string();
                let known = PURPOSES.iter().find(|(_, _, own)| *own == number);
                known.map_or(number, |(_, title, _)| (*title).to_owned())
            };
            read.0.iter().map(title).collect::<Vec<_>>().join(", ")
        }
        SubjectAltName::OID => {
            let read = SubjectAltName::from_der(der).ok()?;
            read.0.iter().map(general_name).collect::<Vec<_>>().join(", ")
        }
        _ => return None,
    };
    Some(vec![line])
}

fn authority_lines(read: &AuthorityKeyIdentifier) -> Vec<String> {
    let mut lines = Vec::new();
    let alone = read.authority_cert_issuer.is_none();
    if let Some(key) = &read.key_identifier {
        let prefix = if alone { "" } else { "keyid:" };
        lines.push(format!("{prefix}{}", colons(key.as_bytes())));
    }
    lines.extend(read.authority_cert_issuer.iter().flatten().map(general_name));
    if let Some(serial) = &read.authority_cert_serial_number {
        lines.push(format!("serial:{}", colons(serial.as_bytes())));
    }
    lines
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS:{}", name.as_str()),
        GeneralName::Rfc822Name(name) => format!("email:{}", name.as_str()),
        GeneralName::UniformResourceIdentifier(name) => format!("URI:{}", name.as_str()),
        GeneralName::DirectoryName(name) => format!("DirName:{}", names::show_slashed(name)),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
                return format!("IP Address:{}", IpAddr::from(v4));
            }
            // Sixteen bytes are shown in pairs, without zeros before them.
            let groups = bytes.chunks(2).map(|pair| {
                let number = pair.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
                format!("{number:X}")
            });
            format!("IP Address:{}", groups.collect::<Vec<_>>().join(":"))
        }
        _ => "othername:<unsupported>".to_owned(),
    }
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
