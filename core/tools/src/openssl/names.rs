//! Distinguished names: from `/C=KR/CN=jane` and a file's section, to `C = KR, CN = jane`.

use naru_pki::x509_cert::attr::AttributeTypeAndValue;
use naru_pki::x509_cert::der::asn1::{
    Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef,
};
use naru_pki::x509_cert::name::{Name, RelativeDistinguishedName};

/// Short and long names, and the numbers, of the parts of names.
const ATTRIBUTES: [(&str, &str, &str); 12] = [
    ("CN", "commonName", "2.5.4.3"),
    ("SN", "surname", "2.5.4.4"),
    ("serialNumber", "serialNumber", "2.5.4.5"),
    ("C", "countryName", "2.5.4.6"),
    ("L", "localityName", "2.5.4.7"),
    ("ST", "stateOrProvinceName", "2.5.4.8"),
    ("O", "organizationName", "2.5.4.10"),
    ("OU", "organizationalUnitName", "2.5.4.11"),
    ("GN", "givenName", "2.5.4.42"),
    ("emailAddress", "emailAddress", "1.2.840.113549.1.9.1"),
    ("UID", "userId", "0.9.2342.19200300.100.1.1"),
    ("DC", "domainComponent", "0.9.2342.19200300.100.1.25"),
];

/// The parts of `/type=value/…`; `\` takes the meaning from what follows it. `None` where it does
/// not begin so.
pub fn parts(text: &str) -> Option<Vec<(String, String)>> {
    let rest = text.strip_prefix('/')?;
    let mut parts = Vec::new();
    let (mut part, mut chars) = (String::new(), rest.chars());
    let mut escaped = false;
    for c in chars.by_ref().chain(['/']) {
        match c {
            '\\' if !escaped => escaped = true,
            '/' if !escaped => {
                let (name, value) = part.split_once('=').unwrap_or((&part, ""));
                if !part.is_empty() {
                    parts.push((name.to_owned(), value.to_owned()));
                }
                part.clear();
            }
            c => {
                part.push(c);
                escaped = false;
            }
        }
    }
    Some(parts)
}

/// A name of these parts; unknown ones and empty ones are told in the list.
pub fn build(parts: &[(String, String)]) -> (Name, Vec<String>) {
    let mut name = Name::default();
    let mut told = Vec::new();
    for (kind, text) in parts {
        let known = ATTRIBUTES.iter().find(|(short, long, _)| kind == short || kind == long);
        let Some((short, _, number)) = known else {
            told.push(format!("req: Skipping unknown subject name attribute \"{kind}\""));
            continue;
        };
        if text.is_empty() {
            told.push(format!(
                "req: No value provided for subject name attribute \"{kind}\", skipped"
            ));
            continue;
        }
        if let (Ok(oid), Some(value)) = (ObjectIdentifier::new(number), value(short, text)) {
            let mut set = SetOfVec::new();
            if set.insert(AttributeTypeAndValue { oid, value }).is_ok() {
                name.0.push(RelativeDistinguishedName(set));
            }
        }
    }
    (name, told)
}

/// UTF-8, but where the standard wants less.
fn value(kind: &str, text: &str) -> Option<Any> {
    let any = match kind {
        "C" | "serialNumber" => PrintableStringRef::new(text).map(Any::from).ok(),
        "emailAddress" | "DC" => Ia5StringRef::new(text).map(Any::from).ok(),
        _ => None,
    };
    any.or_else(|| Utf8StringRef::new(text).map(Any::from).ok())
}

/// Short names and texts of a name's parts.
fn each(name: &Name) -> Vec<(String, String)> {
    let parts = name.0.iter().flat_map(|set| set.0.iter());
    parts
        .map(|part| {
            let number = part.oid.to_string();
            let known = ATTRIBUTES.iter().find(|(_, _, own)| *own == number);
            let kind = known.map_or(number, |(short, _, _)| (*short).to_owned());
            (kind, String::from_utf8_lossy(part.value.value()).into_owned())
        })
        .collect()
}

/// `C = KR, CN = jane`.
pub fn show(name: &Name) -> String {
    let quoted = |text: &str| match text.contains([',', '+', '"', '<', '>', ';']) {
        true => format!("\"{}\"", text.replace('"', "\\\"")),
        false => text.to_owned(),
    };
    let parts = each(name).into_iter().map(|(kind, text)| format!("{kind} = {}", quoted(&text)));
    parts.collect::<Vec<_>>().join(", ")
}

/// `CN=jane,C=KR`: from the last part to the first (RFC 2253).
pub fn show_rfc2253(name: &Name) -> String {
    let parts = each(name).into_iter().rev();
    let escaped = |text: &str| text.replace(',', "\\,").replace('+', "\\+");
    parts.map(|(kind, text)| format!("{kind}={}", escaped(&text))).collect::<Vec<_>>().join(",")
}

/// `/C=KR/CN=jane`.
pub fn show_slashed(name: &Name) -> String {
    each(name).into_iter().map(|(kind, text)| format!("/{kind}={text}")).collect()
}
