//! Keys, requests and certificates as text.

use super::{extensions, names};
use naru_pki::x509_cert::der::asn1::ObjectIdentifier;
use naru_pki::x509_cert::der::{Decode, Encode};
use naru_pki::x509_cert::request::ExtensionReq;
use naru_pki::x509_cert::time::Time;
use naru_pki::{Certificate, CertificateRequest, PrivateKey, PublicKey};

/// Bytes to a line of a number, and of a signature.
const NUMBER_BYTES: usize = 15;
const SIGNATURE_BYTES: usize = 18;

/// `openssl x509 -text`
pub fn certificate(certificate: &Certificate) -> String {
    let body = &certificate.0.tbs_certificate;
    let mut text = "Certificate:\n    Data:\n".to_owned();
    let version = body.version as u8;
    text.push_str(&format!("        Version: {} (0x{version:x})\n", version + 1));
    text.push_str(&serial(body.serial_number.as_bytes()));
    text.push_str(&format!("        Signature Algorithm: {}\n", algorithm(&body.signature.oid)));
    text.push_str(&format!("        Issuer: {}\n        Validity\n", names::show(&body.issuer)));
    text.push_str(&format!("            Not Before: {}\n", date(&body.validity.not_before)));
    text.push_str(&format!("            Not After : {}\n", date(&body.validity.not_after)));
    text.push_str(&format!("        Subject: {}\n", names::show(&body.subject)));
    text.push_str("        Subject Public Key Info:\n");
    text.push_str(&key_info(&body.subject_public_key_info.to_der().unwrap_or_default()));
    if let Some(all) = body.extensions.as_deref().filter(|all| !all.is_empty()) {
        text.push_str("        X509v3 extensions:\n");
        text.push_str(&extensions::show(all, 12));
    }
    text + &signature(&certificate.0.signature_algorithm.oid, certificate.0.signature.raw_bytes())
}

/// `openssl req -text`
pub fn request(request: &CertificateRequest) -> String {
    let info = &request.0.info;
    let mut text = "Certificate Request:\n    Data:\n        Version: 1 (0x0)\n".to_owned();
    text.push_str(&format!("        Subject: {}\n", names::show(&info.subject)));
    text.push_str("        Subject Public Key Info:\n");
    text.push_str(&key_info(&info.public_key.to_der().unwrap_or_default()));
    let wanted = wanted_extensions(request);
    text.push_str("        Attributes:\n");
    if wanted.is_empty() {
        text.push_str("            (none)\n");
    }
    text.push_str("            Requested Extensions:\n");
    text.push_str(&extensions::show(&wanted, 16));
    text + &signature(&request.0.algorithm.oid, request.0.signature.raw_bytes())
}

/// The extensions that a request asks for.
pub fn wanted_extensions(request: &CertificateRequest) -> Vec<naru_pki::x509_cert::ext::Extension> {
    use naru_pki::x509_cert::der::oid::AssociatedOid;
    let attributes = &request.0.info.attributes;
    let wanted = attributes.iter().find(|one| one.oid == ExtensionReq::OID);
    let der = wanted.and_then(|one| one.values.get(0)?.to_der().ok());
    der.and_then(|der| ExtensionReq::from_der(&der).ok()).map(|all| all.0).unwrap_or_default()
}

/// A number that fits into eight bytes is told in both ways.
fn serial(bytes: &[u8]) -> String {
    let digits: &[u8] = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let small = digits.len() <= 8;
    let number = digits.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if small && i64::try_from(number).is_ok() {
        return format!("        Serial Number: {number} (0x{number:x})\n");
    }
    let digits: Vec<String> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("        Serial Number:\n            {}\n", digits.join(":"))
}

pub fn algorithm(oid: &ObjectIdentifier) -> String {
    let number = oid.to_string();
    match number.as_str() {
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        other => other,
    }
    .to_owned()
}

fn signature(oid: &ObjectIdentifier, bytes: &[u8]) -> String {
    let algorithm = algorithm(oid);
    let lines = rows(bytes, SIGNATURE_BYTES, 8);
    format!("    Signature Algorithm: {algorithm}\n    Signature Value:\n{lines}")
}

/// Bytes in hexadecimal, with colons between, so many to a line.
fn rows(bytes: &[u8], width: usize, indent: usize) -> String {
    let count = bytes.len().div_ceil(width);
    let rows = bytes.chunks(width).enumerate().map(|(at, row)| {
        let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if at + 1 < count { ":" } else { "" };
        format!("{}{}{more}\n", " ".repeat(indent), digits.join(":"))
    });
    rows.collect()
}

/// `Nov 29 04:00:48 2026 GMT`
pub fn date(time: &Time) -> String {
    let at = time.to_date_time();
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.get(usize::from(at.month()).saturating_sub(1)).unwrap_or(&"Bad");
    format!(
        "{month} {:>2} {:02}:{:02}:{:02} {} GMT",
        at.day(),
        at.hour(),
        at.minutes(),
        at.seconds(),
        at.year()
    )
}

fn key_info(der: &[u8]) -> String {
    let Ok(key) = PublicKey::from_der(der) else {
        return "            Public Key Algorithm: unknown\n            Unable to load Public Key\n"
            .to_owned();
    };
    let name = if key.rsa_numbers().is_some() { "rsaEncryption" } else { "id-ecPublicKey" };
    format!("            Public Key Algorithm: {name}\n{}", public_key(&key, 16))
}

/// A public key, as `openssl pkey -pubin -text` and certificates have it.
pub fn public_key(key: &PublicKey, indent: usize) -> String {
    let blanks = " ".repeat(indent);
    match (key.rsa_numbers(), key.point()) {
        (Some(numbers), _) => format!(
            "{blanks}Public-Key: ({} bit)\n{blanks}Modulus:\n{}{blanks}Exponent: {}\n",
            bits(&numbers.modulus),
            number(&numbers.modulus, indent + 4),
            small(&numbers.exponent)
        ),
        (None, Some(point)) => format!(
            "{blanks}Public-Key: (256 bit)\n{blanks}pub:\n{}{}",
            rows(&point, NUMBER_BYTES, indent + 4),
            curve(&blanks)
        ),
        (None, None) => String::new(),
    }
}

fn curve(blanks: &str) -> String {
    format!("{blanks}ASN1 OID: prime256v1\n{blanks}NIST CURVE: P-256\n")
}

/// The bits of a number without zeros before it.
pub fn bits(number: &[u8]) -> usize {
    let first = number.first().copied().unwrap_or(0);
    number.len() * 8 - first.leading_zeros() as usize
}

/// A number that is not negative: a zero stands before one whose first bit is set.
fn number(bytes: &[u8], indent: usize) -> String {
    let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let whole = if negative { [&[0], bytes].concat() } else { bytes.to_vec() };
    rows(&whole, NUMBER_BYTES, indent)
}

fn small(bytes: &[u8]) -> String {
    let number = bytes.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{number} (0x{number:x})")
}

/// `openssl pkey -text`
pub fn private_key(key: &PrivateKey) -> String {
    let public = key.public();
    let Some(numbers) = key.rsa_numbers() else {
        let point = public.point().unwrap_or_default();
        return format!(
            "Private-Key: (256 bit)\npriv:\n{}pub:\n{}{}",
            rows(&key.secret_bytes(), NUMBER_BYTES, 4),
            rows(&point, NUMBER_BYTES, 4),
            curve("")
        );
    };
    let mut text = format!(
        "Private-Key: ({} bit, 2 primes)\nmodulus:\n{}publicExponent: {}\nprivateExponent:\n{}",
        bits(&numbers.modulus),
        number(&numbers.modulus, 4),
        small(&numbers.exponent),
        number(&numbers.private_exponent, 4)
    );
    let names = ["prime1", "prime2", "exponent1", "exponent2", "coefficient"];
    for (name, bytes) in names.iter().zip(numbers.primes.iter().chain(&numbers.crt)) {
        text.push_str(&format!("{name}:\n{}", number(bytes, 4)));
    }
    text
}
