//! `openssl x509`: looks at certificates, and signs requests.

use super::config::Config;
use super::extensions::{self, About};
use super::options::Options;
use super::{Done, Io, keys, names, text};
use crate::batch::Output;
use naru_pki::x509_cert::certificate::{TbsCertificate, Version};
use naru_pki::x509_cert::ext::Extension;
use naru_pki::x509_cert::name::Name;
use naru_pki::x509_cert::serial_number::SerialNumber;
use naru_pki::x509_cert::spki::SubjectPublicKeyInfoOwned;
use naru_pki::{Certificate, PrivateKey, Validity, sign};
use sha1::{Digest, Sha1};
use sha2::Sha256;

const VALUED: [&str; 18] = [
    "in",
    "out",
    "inform",
    "outform",
    "checkend",
    "ext",
    "nameopt",
    "certopt",
    "CA",
    "CAkey",
    "CAserial",
    "days",
    "extfile",
    "extensions",
    "set_serial",
    "signkey",
    "key",
    "copy_extensions",
];
const PLAIN: [&str; 19] = [
    "text",
    "noout",
    "subject",
    "issuer",
    "dates",
    "startdate",
    "enddate",
    "serial",
    "fingerprint",
    "pubkey",
    "modulus",
    "req",
    "CAcreateserial",
    "sha256",
    "sha1",
    "hash",
    "subject_hash",
    "email",
    "purpose",
];

/// How long a certificate is valid where nothing is said, in days.
const DAYS: u64 = 30;
const DAY_SECONDS: u64 = 24 * 3600;

/// Whether standard input is read.
pub fn reads(args: &[String]) -> bool {
    Options::parse("x509", args, &VALUED, &PLAIN).is_ok_and(|options| !options.has("in"))
}

pub fn run(io: &mut Io<'_>, args: &[String]) -> Done {
    let options = Options::parse("x509", args, &VALUED, &PLAIN)?;
    let mut output = Output::default();
    let certificate = if options.has("req") {
        sign_request(io, &options, &mut output)?
    } else {
        io.certificate(options.value("in"))?
    };
    show(&certificate, &options, &mut output);
    if let Some(seconds) = options.number("x509", "checkend")? {
        let ends = certificate.not_after() < io.now().saturating_add(seconds);
        output.line(if ends { "Certificate will expire" } else { "Certificate will not expire" });
        output.code = i32::from(ends);
    }
    if !options.has("noout") {
        let bytes = match options.value("outform") {
            Some(form) if form.eq_ignore_ascii_case("der") => certificate.to_der(),
            _ => certificate.to_pem().into_bytes(),
        };
        io.write(options.value("out"), &bytes, &mut output)?;
    }
    Ok(output)
}

/// Prints what was asked for, in the order in which it was asked for.
fn show(certificate: &Certificate, options: &Options, output: &mut Output) {
    let names = [
        "subject",
        "issuer",
        "startdate",
        "enddate",
        "serial",
        "fingerprint",
        "pubkey",
        "modulus",
        "text",
        "hash",
        "subject_hash",
        "ext",
    ];
    let place = |name: &str| {
        let both = name.ends_with("date").then(|| options.place("dates")).flatten();
        options.place(name).max(both)
    };
    let mut asked: Vec<(usize, usize, &str)> = names
        .iter()
        .enumerate()
        .filter_map(|(own, name)| Some((place(name)?, own, *name)))
        .collect();
    asked.sort_unstable();
    for (_, _, name) in asked {
        let body = &certificate.0.tbs_certificate;
        match name {
            "subject" => output.line(format!("subject={}", name_of(&body.subject, options))),
            "issuer" => output.line(format!("issuer={}", name_of(&body.issuer, options))),
            "startdate" => {
                output.line(format!("notBefore={}", text::date(&body.validity.not_before)));
            }
            "enddate" => output.line(format!("notAfter={}", text::date(&body.validity.not_after))),
            "serial" => output.line(format!("serial={}", digits(&serial_bytes(certificate), ""))),
            "fingerprint" => output.line(fingerprint(certificate, options)),
            "pubkey" => {
                let key = certificate.public_key().map(|key| key.to_pem()).unwrap_or_default();
                output.put(key);
            }
            "modulus" => {
                if let Ok(key) = certificate.public_key() {
                    output.line(keys::modulus(&key));
                }
            }
            "text" => output.put(text::certificate(certificate)),
            "ext" => show_extensions(certificate, options.value("ext").unwrap_or_default(), output),
            // What OpenSSL names files of trusted certificates by: of the canonical name.
            _ => output.line(subject_hash(certificate)),
        }
    }
}

fn show_extensions(certificate: &Certificate, wanted: &str, output: &mut Output) {
    let all = certificate.0.tbs_certificate.extensions.as_deref().unwrap_or_default();
    if all.is_empty() {
        output.error("No extensions in certificate");
        return;
    }
    let names: Vec<&str> = wanted.split(',').collect();
    let found: Vec<Extension> = all
        .iter()
        .filter(|one| names.iter().any(|name| extensions::is_named(one, name)))
        .cloned()
        .collect();
    if found.is_empty() {
        output.error("No extensions matched");
    }
    output.put(extensions::show(&found, 0));
}

fn name_of(name: &Name, options: &Options) -> String {
    match options.value("nameopt").map(str::to_ascii_uppercase).as_deref() {
        Some("RFC2253") => names::show_rfc2253(name),
        Some("COMPAT") => names::show_slashed(name),
        _ => names::show(name),
    }
}

fn digits(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(between)
}

/// Without the zero that keeps a number from being negative.
fn serial_bytes(certificate: &Certificate) -> Vec<u8> {
    match certificate.0.tbs_certificate.serial_number.as_bytes() {
        [0, rest @ ..] if !rest.is_empty() => rest.to_vec(),
        all => all.to_vec(),
    }
}

fn fingerprint(certificate: &Certificate, options: &Options) -> String {
    let der = certificate.to_der();
    let (name, digest) = match options.has("sha256") {
        true => ("sha256", Sha256::digest(&der).to_vec()),
        false => ("SHA1", Sha1::digest(&der).to_vec()),
    };
    format!("{name} Fingerprint={}", digits(&digest, ":"))
}

/// The first four bytes, the last of them first, of the SHA-1 of the subject's canonical form.
fn subject_hash(certificate: &Certificate) -> String {
    let canonical = canonical(&certificate.0.tbs_certificate.subject);
    let hash = Sha1::digest(&canonical);
    hash.iter().take(4).rev().map(|byte| format!("{byte:02x}")).collect()
}

/// Each part in small letters, as UTF-8, without the sequence around them all.
fn canonical(name: &Name) -> Vec<u8> {
    use naru_pki::x509_cert::der::Encode;
    let mut bytes = Vec::new();
    for part in name.0.iter().flat_map(|set| set.0.iter()) {
        let text = String::from_utf8_lossy(part.value.value()).to_lowercase();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let Ok(oid) = part.oid.to_der() else { continue };
        let value = wrapped(0x0c, text.as_bytes());
        bytes.extend(wrapped(0x31, &wrapped(0x30, &[oid, value].concat())));
    }
    bytes
}

/// A DER value of this tag.
fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let digits: Vec<u8> =
                length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | digits.len() as u8);
            bytes.extend(digits);
        }
    }
    [bytes, content.to_vec()].concat()
}

// ---- signing ----

fn sign_request(
    io: &mut Io<'_>,
    options: &Options,
    output: &mut Output,
) -> Result<Certificate, Output> {
    let request = io.request(options.value("in"))?;
    if request.verify().is_err() {
        return Err(Output::failed(
            "Certificate request self-signature did not match the contents",
        ));
    }
    output.error("Certificate request self-signature ok");
    output.error(format!("subject={}", names::show(&request.0.info.subject)));
    let own = options.value("signkey").or(options.value("key"));
    let (issuer, key) = match (options.value("CA"), own) {
        (Some(path), _) => {
            let issuer = io.certificate(Some(path)).map_err(|_| {
                let mut failed =
                    Output::failed(format!("Could not read CA certificate from {path}"));
                failed.error("Unable to load CA certificate");
                failed
            })?;
            let key = io.key(Some(options.value("CAkey").unwrap_or(path)))?;
            (Some(issuer), key)
        }
        (None, Some(path)) => (None, io.key(Some(path))?),
        (None, None) => {
            return Err(Output::failed(
                "We need a private key to sign with, use -key or -CAkey or -CA with private key",
            ));
        }
    };
    if let Some(issuer) = &issuer
        && issuer.public_key().ok() != Some(key.public())
    {
        return Err(Output::failed("CA certificate and CA private key do not match"));
    }
    let serial = serial(io, options, output)?;
    let config = config(io, options)?;
    let public = naru_pki::PublicKey::from_der(&info_der(&request.0.info.public_key));
    let public = public.map_err(|_| Output::failed("Error getting public key"))?;
    let about = About { key: &public, issuer: issuer.as_ref(), config: &config };
    let extensions = wanted(&request, options, &about)?;
    let days = options.number("x509", "days")?.unwrap_or(DAYS);
    let subject = request.0.info.subject.clone();
    let issuer = issuer.as_ref().map_or(subject.clone(), |it| it.0.tbs_certificate.subject.clone());
    let draft = Draft {
        subject,
        issuer,
        key_info: request.0.info.public_key.clone(),
        serial,
        days,
        now: io.now(),
        extensions,
    };
    draft.sign(&key)
}

fn info_der(info: &SubjectPublicKeyInfoOwned) -> Vec<u8> {
    use naru_pki::x509_cert::der::Encode;
    info.to_der().unwrap_or_default()
}

fn config(io: &mut Io<'_>, options: &Options) -> Result<Config, Output> {
    let Some(path) = options.value("extfile") else { return Ok(Config::default()) };
    let text = io.text(Some(path)).ok_or_else(|| {
        Output::failed(format!("Can't open \"{path}\" for reading, No such file or directory"))
    })?;
    Ok(Config::parse(&text))
}

fn wanted(
    request: &naru_pki::CertificateRequest,
    options: &Options,
    about: &About<'_>,
) -> Result<Vec<Extension>, Output> {
    let mut all = Vec::new();
    if matches!(options.value("copy_extensions"), Some("copy" | "copyall")) {
        all = text::wanted_extensions(request);
    }
    if options.has("extfile") {
        let named = options.value("extensions");
        let section = named.or(about.config.value("default", "extensions")).unwrap_or("default");
        let Some(entries) = about.config.section(section) else {
            return Err(Output::failed(format!("Error checking extension section {section}")));
        };
        let entries: Vec<_> =
            entries.iter().filter(|(name, _)| name != "extensions").cloned().collect();
        all.extend(extensions::build(&entries, about).map_err(Output::failed)?);
    }
    let has = |name: &str| all.iter().any(|one| extensions::is_named(one, name));
    if !all.is_empty() && !has("subjectKeyIdentifier") {
        let id = extensions::key_id(about.key);
        all.extend(id.and_then(|id| extensions::wrap(false, &id)));
    }
    Ok(all)
}

/// The number of the next certificate: as given, from the file beside the authority's, or random.
fn serial(io: &mut Io<'_>, options: &Options, _: &mut Output) -> Result<Vec<u8>, Output> {
    if let Some(text) = options.value("set_serial") {
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let number = number.ok_or_else(|| Output::failed("Error converting serial number"))?;
        return Ok(number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect());
    }
    let Some(authority) = options.value("CA") else { return Ok(random_serial(io)) };
    let stem = authority.rsplit_once('.').map_or(authority, |(stem, _)| stem);
    let path = options.value("CAserial").map_or(format!("{stem}.srl"), str::to_owned);
    let serial = match io.text(Some(&path)).and_then(|text| unhex(text.trim())) {
        Some(last) => following(last),
        // Without a file a random number is used, which `-CAcreateserial` also keeps.
        None => random_serial(io),
    };
    if options.has("CAcreateserial") || options.has("CAserial") || io.read(Some(&path)).is_some() {
        let line = digits(&serial, "") + "\n";
        io.write(Some(&path), line.as_bytes(), &mut Output::default())?;
    }
    Ok(serial)
}

/// Twenty bytes, the first of which is neither 0 nor negative.
pub fn random_serial(io: &mut Io<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    io.sys.rng().fill(&mut bytes);
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f).max(1);
    }
    bytes
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let even = text.len().is_multiple_of(2) && text.is_ascii() && !text.is_empty();
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
    if even { bytes.collect() } else { None }
}

fn following(mut number: Vec<u8>) -> Vec<u8> {
    for byte in number.iter_mut().rev() {
        let (next, carried) = byte.overflowing_add(1);
        *byte = next;
        if !carried {
            return number;
        }
    }
    [vec![1], number].concat()
}

/// A certificate that is not signed yet.
pub struct Draft {
    pub subject: Name,
    pub issuer: Name,
    pub key_info: SubjectPublicKeyInfoOwned,
    pub serial: Vec<u8>,
    /// From now on.
    pub days: u64,
    /// Seconds of the Unix epoch.
    pub now: u64,
    pub extensions: Vec<Extension>,
}

impl Draft {
    /// The certificate.
    pub fn sign(self, key: &PrivateKey) -> Result<Certificate, Output> {
        let bad = |_| Output::failed("Error signing certificate");
        let not_after = self.now.saturating_add(self.days.saturating_mul(DAY_SECONDS));
        let validity = Validity { not_before: self.now, not_after };
        let plain = self.extensions.is_empty();
        let body = TbsCertificate {
            version: if plain { Version::V1 } else { Version::V3 },
            serial_number: SerialNumber::new(&self.serial)
                .map_err(|_| Output::failed("Error setting serial number"))?,
            signature: key.algorithm(),
            issuer: self.issuer,
            validity: validity.to_x509().map_err(bad)?,
            subject: self.subject,
            subject_public_key_info: self.key_info,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: (!plain).then_some(self.extensions),
        };
        sign(body, key).map_err(bad)
    }
}
