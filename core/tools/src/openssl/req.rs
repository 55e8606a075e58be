//! `openssl req`: makes and shows requests, and certificates that sign themselves.

use super::config::Config;
use super::extensions::{self, About};
use super::options::Options;
use super::x509::{Draft, random_serial};
use super::{Done, Io, keys, names, text};
use crate::batch::Output;
use naru_pki::x509_cert::attr::Attribute;
use naru_pki::x509_cert::der::asn1::{Any, BitString, SetOfVec};
use naru_pki::x509_cert::der::oid::AssociatedOid;
use naru_pki::x509_cert::der::{Decode, Encode};
use naru_pki::x509_cert::ext::Extension;
use naru_pki::x509_cert::name::Name;
use naru_pki::x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use naru_pki::{CertificateRequest, PrivateKey, public_key_info};

const VALUED: [&str; 16] = [
    "in",
    "out",
    "key",
    "keyout",
    "newkey",
    "pkeyopt",
    "subj",
    "addext",
    "days",
    "config",
    "extensions",
    "reqexts",
    "set_serial",
    "inform",
    "outform",
    "nameopt",
];
const PLAIN: [&str; 13] = [
    "new", "x509", "nodes", "noenc", "text", "noout", "verify", "subject", "pubkey", "batch",
    "sha256", "modulus", "utf8",
];

/// How long such a certificate is valid where nothing is said, in days.
const DAYS: u64 = 30;

/// What is asked of a person, with what stands in brackets.
const QUESTIONS: [(&str, &str, &str); 7] = [
    ("C", "Country Name (2 letter code)", "AU"),
    ("ST", "State or Province Name (full name)", "Some-State"),
    ("L", "Locality Name (eg, city)", ""),
    ("O", "Organization Name (eg, company)", "Internet Widgits Pty Ltd"),
    ("OU", "Organizational Unit Name (eg, section)", ""),
    ("CN", "Common Name (e.g. server FQDN or YOUR name)", ""),
    ("emailAddress", "Email Address", ""),
];

fn makes(options: &Options) -> bool {
    ["new", "newkey", "x509"].iter().any(|name| options.has(name))
}

/// Whether standard input is read: for a request, or for a person's answers.
pub fn reads(args: &[String]) -> bool {
    let named = ["subj", "batch", "config"];
    Options::parse("req", args, &VALUED, &PLAIN).is_ok_and(|options| {
        let named = named.iter().any(|name| options.has(name));
        !(options.has("in") || makes(&options) && named)
    })
}

pub fn run(io: &mut Io<'_>, args: &[String]) -> Done {
    let options = Options::parse("req", args, &VALUED, &PLAIN)?;
    let mut output = Output::default();
    let config = config(io, &options)?;
    if !makes(&options) {
        let request = io.request(options.value("in"))?;
        show(io, &request, &options, &mut output)?;
        return Ok(output);
    }
    let key = key(io, &options, &mut output)?;
    if options.has("x509") {
        return certificate(io, &options, &config, &key, output);
    }
    let request = request(io, &options, &config, &key, &mut output)?;
    show(io, &request, &options, &mut output)?;
    Ok(output)
}

fn config(io: &mut Io<'_>, options: &Options) -> Result<Config, Output> {
    let Some(path) = options.value("config") else { return Ok(Config::default()) };
    let text = io.text(Some(path)).ok_or_else(|| {
        Output::failed(format!("Can't open \"{path}\" for reading, No such file or directory"))
    })?;
    Ok(Config::parse(&text))
}

/// The key that is given, or a new one, which is kept.
fn key(io: &mut Io<'_>, options: &Options, output: &mut Output) -> Result<PrivateKey, Output> {
    if let (Some(path), None) = (options.value("key"), options.value("newkey")) {
        return io.key(Some(path));
    }
    if !options.has("nodes") && !options.has("noenc") {
        return Err(Output::failed(
            "req: a key under a pass phrase cannot be made in this sandbox: give -nodes",
        ));
    }
    let pkeyopt: Vec<&str> = options.values("pkeyopt").collect();
    let key = keys::by_name(io, options.value("newkey").unwrap_or("rsa:2048"), &pkeyopt)
        .map_err(Output::failed)?;
    if key.rsa_numbers().is_some() {
        output.put_error(keys::progress(io));
    }
    output.error("-----");
    let path = options.value("keyout").unwrap_or("privkey.pem");
    io.write(Some(path), key.to_pkcs8_pem().as_bytes(), output)?;
    Ok(key)
}

/// Whom it is about: `-subj`, the section of the file, or what a person answers.
fn subject(
    io: &mut Io<'_>,
    options: &Options,
    config: &Config,
    output: &mut Output,
) -> Result<Name, Output> {
    let parts = match (options.value("subj"), config.value("req", "distinguished_name")) {
        (Some(text), _) => names::parts(text).ok_or_else(|| {
            let mut failed = std::mem::take(output);
            failed.error(format!(
                "req: subject name is expected to be in the format \
                 /type0=value0/type1=value1/type2=... where characters may be escaped by \\. This \
                 name is not in that format: '{text}'"
            ));
            failed.code = 1;
            failed
        })?,
        (None, Some(section)) => {
            let entries = config.section(section).unwrap_or_default();
            let last = |name: &str| name.split_once('.').map_or(name, |(_, name)| name).to_owned();
            let prompts = config.value("req", "prompt") != Some("no");
            let entry = |(name, value): &(String, String)| match prompts {
                // Where a person is asked, what stands in the file is the question.
                true => name.strip_suffix("_default").map(|name| (name.to_owned(), value.clone())),
                false => Some((last(name), value.clone())),
            };
            entries.iter().filter_map(entry).collect()
        }
        (None, None) if options.has("batch") => QUESTIONS
            .iter()
            .filter(|(_, _, default)| !default.is_empty())
            .map(|(name, _, default)| ((*name).to_owned(), (*default).to_owned()))
            .collect(),
        (None, None) => answers(io, options, output)?,
    };
    let (name, told) = names::build(&parts);
    told.iter().for_each(|line| output.error(line));
    Ok(name)
}

/// Asks for each part; an empty line takes what stands in brackets, a dot leaves it out.
fn answers(
    io: &mut Io<'_>,
    options: &Options,
    output: &mut Output,
) -> Result<Vec<(String, String)>, Output> {
    output.error(
        "You are about to be asked to enter information that will be incorporated\n\
         into your certificate request.\n\
         What you are about to enter is what is called a Distinguished Name or a DN.\n\
         There are quite a few fields but you can leave some blank\n\
         For some fields there will be a default value,\n\
         If you enter '.', the field will be left blank.\n-----",
    );
    let stdin = String::from_utf8_lossy(io.stdin).into_owned();
    let mut lines = stdin.lines();
    let mut parts = Vec::new();
    for (name, question, default) in QUESTIONS {
        output.put_error(format!("{question} [{default}]:"));
        let Some(line) = lines.next() else {
            let mut failed = std::mem::take(output);
            failed.error(match options.has("x509") {
                true => "Error making certificate",
                false => "Error making certificate request",
            });
            failed.code = 1;
            return Err(failed);
        };
        let text = if line.is_empty() { default } else { line.trim() };
        if !text.is_empty() && text != "." {
            parts.push((name.to_owned(), text.to_owned()));
        }
    }
    if !options.has("x509") {
        output.put_error(
            "\nPlease enter the following 'extra' attributes\nto be sent with your certificate \
             request\nA challenge password []:An optional company name []:",
        );
    }
    Ok(parts)
}

fn added(options: &Options) -> Vec<(String, String)> {
    let split = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    options.values("addext").map(split).collect()
}

fn wanted(
    options: &Options,
    config: &Config,
    about: &About<'_>,
    section: Option<&str>,
) -> Result<Vec<Extension>, Output> {
    let mut entries = Vec::new();
    if let Some(section) = section {
        let found = config.section(section).ok_or_else(|| {
            Output::failed(format!("Error checking request extension section {section}"))
        })?;
        entries.extend(found.iter().cloned());
    }
    entries.extend(added(options));
    extensions::build(&entries, about).map_err(Output::failed)
}

fn request(
    io: &mut Io<'_>,
    options: &Options,
    config: &Config,
    key: &PrivateKey,
    output: &mut Output,
) -> Result<CertificateRequest, Output> {
    let subject = subject(io, options, config, output)?;
    let about = About { key: &key.public(), issuer: None, config };
    let section = options.value("reqexts").or(options.value("extensions"));
    let section = section.or(config.value("req", "req_extensions"));
    let extensions = wanted(options, config, &about, section)?;
    signed_request(subject, extensions, key)
        .ok_or_else(|| Output::failed("Error making certificate request"))
}

fn signed_request(
    subject: Name,
    extensions: Vec<Extension>,
    key: &PrivateKey,
) -> Option<CertificateRequest> {
    let mut attributes = SetOfVec::new();
    if !extensions.is_empty() {
        let mut values = SetOfVec::new();
        let der = ExtensionReq(extensions).to_der().ok()?;
        values.insert(Any::from_der(&der).ok()?).ok()?;
        attributes.insert(Attribute { oid: ExtensionReq::OID, values }).ok()?;
    }
    let public_key = public_key_info(key).ok()?;
    let info = CertReqInfo { version: Version::V1, subject, public_key, attributes };
    let signature = key.sign_der(&info.to_der().ok()?);
    let signature = BitString::from_bytes(&signature).ok()?;
    Some(CertificateRequest(CertReq { info, algorithm: key.algorithm(), signature }))
}

/// `req -x509`
fn certificate(
    io: &mut Io<'_>,
    options: &Options,
    config: &Config,
    key: &PrivateKey,
    mut output: Output,
) -> Done {
    let subject = subject(io, options, config, &mut output)?;
    let about = About { key: &key.public(), issuer: None, config };
    let section = options.value("extensions").or(config.value("req", "x509_extensions"));
    let mut extensions = Vec::new();
    if section.is_none() && !options.has("config") {
        let usual = [
            ("subjectKeyIdentifier", "hash"),
            ("authorityKeyIdentifier", "keyid:always,issuer"),
            ("basicConstraints", "critical,CA:true"),
        ];
        let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
        extensions = extensions::build(&usual, &about).map_err(Output::failed)?;
    }
    for extension in wanted(options, config, &about, section)? {
        extensions.retain(|other: &Extension| other.extn_id != extension.extn_id);
        extensions.push(extension);
    }
    let serial = match options.number("req", "set_serial")? {
        Some(number) => number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect(),
        None => random_serial(io),
    };
    let draft = Draft {
        issuer: subject.clone(),
        subject,
        key_info: public_key_info(key).map_err(|_| Output::failed("Error getting public key"))?,
        serial,
        days: options.number("req", "days")?.unwrap_or(DAYS),
        now: io.now(),
        extensions,
    };
    let made = draft.sign(key)?;
    if options.has("text") {
        output.put(text::certificate(&made));
    }
    if !options.has("noout") {
        io.write(options.value("out"), made.to_pem().as_bytes(), &mut output)?;
    }
    Ok(output)
}

fn show(
    io: &mut Io<'_>,
    request: &CertificateRequest,
    options: &Options,
    output: &mut Output,
) -> Result<(), Output> {
    if options.has("verify") {
        match request.verify() {
            Ok(()) => output.error("Certificate request self-signature verify OK"),
            Err(_) => output.error("Certificate request self-signature verify failure"),
        }
    }
    if options.has("text") {
        output.put(text::request(request));
    }
    if options.has("subject") {
        output.line(format!("subject={}", names::show(&request.0.info.subject)));
    }
    let key =
        naru_pki::PublicKey::from_der(&request.0.info.public_key.to_der().unwrap_or_default());
    if let (true, Ok(key)) = (options.has("pubkey"), &key) {
        output.put(key.to_pem());
    }
    if let (true, Ok(key)) = (options.has("modulus"), &key) {
        output.line(keys::modulus(key));
    }
    if !options.has("noout") {
        io.write(options.value("out"), request.to_pem().as_bytes(), output)?;
    }
    Ok(())
}
