//! Names: which are valid, and how new ones are made.
//!
//! Upstream: `apimachinery/pkg/util/validation/validation.go`, `apimachinery/pkg/util/rand/rand.go`,
//! `apiserver/pkg/storage/names/generate.go`, `ComputeHash` in
//! `pkg/controller/controller_utils.go`.

use crate::{FieldError, Path, gofmt};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use naru_sim::Rng;

/// The letters of generated names: no vowels and nothing alike, so that no bad word comes out.
const ALPHANUMS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const NAME_MAX: usize = 63;
const SUFFIX_LEN: usize = 5;
/// Bytes of a prefix of generated names that are kept.
pub const GENERATED_PREFIX_MAX: usize = NAME_MAX - SUFFIX_LEN;
const FNV_BASIS: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;
const SUBDOMAIN_MAX: usize = 253;

/// Bytes of all annotations of an object.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// `count` random letters, as in the ends of pods' names.
pub fn random_suffix(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| letter(rng.below(ALPHANUMS.len() as u64))).collect()
}

/// A name for `metadata.generateName`: the prefix and five random letters, at most 63 in all.
pub fn generate_name(prefix: &str, rng: &mut Rng) -> String {
    let mut end = prefix.len().min(GENERATED_PREFIX_MAX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let prefix = prefix.get(..end).unwrap_or_default();
    format!("{prefix}{}", random_suffix(rng, SUFFIX_LEN))
}

/// A text made of the letters of generated names, one for each character.
pub fn safe_encode_string(text: &str) -> String {
    text.chars().map(|c| letter(u64::from(c as u32))).collect()
}

/// The value of the label `pod-template-hash`: FNV-32a over the template as Go shows it, and over
/// the count of collisions when there is one.
///
/// Upstream: `ComputeHash` in `pkg/controller/controller_utils.go`.
pub fn pod_template_hash(
    template: &PodTemplateSpec,
    collision_count: Option<i32>,
) -> Result<String, serde_json::Error> {
    let mut bytes = gofmt::spew_pod_template(template)?.into_bytes();
    if let Some(count) = collision_count {
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
    }
    Ok(safe_encode_string(&fnv32a(&bytes).to_string()))
}

/// The value of the label `controller.kubernetes.io/hash`: FNV-32 over a revision's data as it is
/// stored, and over the count of collisions.
///
/// Upstream: `HashControllerRevision` in `pkg/controller/history/controller_history.go`.
pub fn controller_revision_hash(data: &str, collision_count: i32) -> String {
    let count = collision_count.to_string();
    let bytes = data.bytes().chain(count.bytes());
    safe_encode_string(&fnv32(bytes).to_string())
}

/// The 32-bit FNV-1 hash.
fn fnv32(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(FNV_BASIS, |hash, byte| hash.wrapping_mul(FNV_PRIME) ^ u32::from(byte))
}

/// The 32-bit FNV-1a hash.
pub fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(FNV_BASIS, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

fn letter(number: u64) -> char {
    let index = (number % ALPHANUMS.len() as u64) as usize;
    ALPHANUMS.get(index).copied().map_or('b', char::from)
}

const DNS1123_LABEL_FMT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1123_SUBDOMAIN_FMT: &str =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_LABEL_FMT: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_NAME_FMT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// What is wrong with a name that must be a DNS label: `my-name`, `123-abc`.
pub fn dns1123_label(name: &str) -> Vec<String> {
    let mut errors = too_long(name, NAME_MAX);
    if !is_dns1123_label(name) {
        if is_dns1123_subdomain(name) {
            errors.push("must not contain dots".to_owned());
        } else {
            errors.push(regex_error(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
                 or '-', and must start and end with an alphanumeric character",
                DNS1123_LABEL_FMT,
                &["my-name", "123-abc"],
            ));
        }
    }
    errors
}

/// What is wrong with a name that must be a DNS subdomain: `example.com`.
pub fn dns1123_subdomain(name: &str) -> Vec<String> {
    let mut errors = too_long(name, SUBDOMAIN_MAX);
    if !is_dns1123_subdomain(name) {
        errors.push(regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '-' or '.', and must start and end with an alphanumeric character",
            DNS1123_SUBDOMAIN_FMT,
            &["example.com"],
        ));
    }
    errors
}

/// What is wrong with a host with a star before its first dot: `*.example.com`.
///
/// Upstream: `IsWildcardDNS1123Subdomain`.
pub fn wildcard_dns1123_subdomain(name: &str) -> Vec<String> {
    let mut errors = too_long(name, SUBDOMAIN_MAX);
    if !name.strip_prefix("*.").is_some_and(is_dns1123_subdomain) {
        errors.push(regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
             subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and \
             end with an alphanumeric character",
            &format!("\\*\\.{DNS1123_SUBDOMAIN_FMT}"),
            &["*.example.com"],
        ));
    }
    errors
}

/// What is wrong with a name that must be whole up to its domain: `web.example.com`.
///
/// Upstream: `IsFullyQualifiedDomainName`.
pub fn fully_qualified(name: &str, field: &Path<'_>) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let problems = dns1123_subdomain(name);
    if !problems.is_empty() {
        return vec![FieldError::invalid(field, name, &problems.join(","))];
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        return vec![FieldError::invalid(field, name, detail)];
    }
    let labels = name.split('.').map(|label| (label, dns1123_label(label)));
    let mut bad = labels.filter(|(_, problems)| !problems.is_empty());
    let first = bad.next();
    first
        .map(|(label, why)| FieldError::invalid(field, label, &why.join(",")))
        .into_iter()
        .collect()
}

/// What is wrong with a name that must only fit into a path: RBAC's names.
///
/// Upstream: `IsValidPathSegmentName` in `apimachinery/pkg/api/validation/path/name.go`.
pub fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let found = ["/", "%"].into_iter().filter(|part| name.contains(part));
    found.map(|part| format!("may not contain '{part}'")).collect()
}

/// What is wrong with a name that must be a DNS-1035 label, as services' are: `abc-123`.
pub fn dns1035_label(name: &str) -> Vec<String> {
    let mut errors = too_long(name, NAME_MAX);
    if !(is_dns1123_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase())) {
        errors.push(regex_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start \
             with an alphabetic character, and end with an alphanumeric character",
            DNS1035_LABEL_FMT,
            &["my-name", "abc-123"],
        ));
    }
    errors
}

/// What is wrong with a label's key, an annotation's key or a finalizer.
pub fn qualified_name(name: &str) -> Vec<String> {
    const CHARS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
                         and end with an alphanumeric character";
    const EXAMPLES: &[&str] = &["MyName", "my.name", "123-abc"];
    let mut errors = Vec::new();
    let mut parts = name.split('/');
    let local = match (parts.next(), parts.next(), parts.next()) {
        (Some(local), None, _) => local,
        (Some(""), Some(local), None) => {
            errors.push("prefix part must be non-empty".to_owned());
            local
        }
        (Some(prefix), Some(local), None) => {
            errors.extend(dns1123_subdomain(prefix).iter().map(|e| format!("prefix part {e}")));
            local
        }
        _ => {
            let error = regex_error(CHARS, QUALIFIED_NAME_FMT, EXAMPLES);
            return vec![format!(
                "a qualified name {error} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if local.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else {
        errors.extend(too_long(local, NAME_MAX).iter().map(|e| format!("name part {e}")));
    }
    if !is_label_text(local) {
        let error = regex_error(CHARS, QUALIFIED_NAME_FMT, EXAMPLES);
        errors.push(format!("name part {error}"));
    }
    errors
}

/// What is wrong with a label's value.
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = too_long(value, NAME_MAX);
    if !value.is_empty() && !is_label_text(value) {
        errors.push(regex_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', \
             '_' or '.', and must start and end with an alphanumeric character",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// What is wrong with a port's name.
pub fn port_name(name: &str) -> Vec<String> {
    let mut errors = too_long(name, 15);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(allowed) {
        errors.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !name.contains(|c: char| c.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// What is wrong with the name of an environment variable.
pub fn env_var_name(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if name.chars().all(|c| (' '..='~').contains(&c) && c != '=') {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other \
         than '='"
            .to_owned(),
    ]
}

/// What is wrong with a key of a ConfigMap's or a Secret's data.
pub fn config_map_key(key: &str) -> Vec<String> {
    let mut errors = too_long(key, SUBDOMAIN_MAX);
    if key.is_empty() || !key.bytes().all(is_label_byte) {
        errors.push(regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match key {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if key.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// What is wrong with a path below a domain: `acme.io/foo`.
///
/// Upstream: `IsDomainPrefixedPath` in `apimachinery/pkg/util/validation/validation.go`.
pub fn domain_prefixed_path(text: &str, field: &Path<'_>) -> Vec<FieldError> {
    if text.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let parts = text.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty());
    let Some((host, path)) = parts else {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![FieldError::invalid(field, text, detail)];
    };
    let problems = dns1123_subdomain(host);
    let mut errors: Vec<FieldError> =
        problems.iter().map(|problem| FieldError::invalid(field, host, problem)).collect();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
    if !path.bytes().all(allowed) {
        let detail = "Invalid path (regex used for validation is \
                      '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid(field, path, detail));
    }
    errors
}

/// What is wrong with a port number.
pub fn port_number(port: i32) -> Vec<String> {
    if (1..=65535).contains(&port) {
        Vec::new()
    } else {
        vec!["must be between 1 and 65535, inclusive".to_owned()]
    }
}

/// A prefix of generated names may end with a dash: checks it as if a letter stood there.
pub fn mask_trailing_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let keep = rest.char_indices().next_back().map_or(0, |(index, _)| index);
            format!("{}a", rest.get(..keep).unwrap_or_default())
        }
        _ => prefix.to_owned(),
    }
}

fn is_dns1123_label(name: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    framed(name, alphanumeric, |b| alphanumeric(b) || b == b'-')
}

fn is_dns1123_subdomain(name: &str) -> bool {
    name.split('.').all(is_dns1123_label)
}

fn is_label_text(text: &str) -> bool {
    framed(text, |b| b.is_ascii_alphanumeric(), is_label_byte)
}

fn is_label_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

/// Whether the first and last byte satisfy `edge` and all others `inner`.
fn framed(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => edge(*first) && edge(*last) && bytes.iter().all(|b| inner(*b)),
        _ => false,
    }
}

fn too_long(text: &str, max: usize) -> Vec<String> {
    if text.len() > max {
        vec![format!("must be no more than {max} characters")]
    } else {
        Vec::new()
    }
}

fn regex_error(message: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{regex}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    let examples = examples.join(" or ");
    format!("{message} (e.g. {examples}regex used for validation is '{regex}')")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn dns_names() {
        // name, label, subdomain, 1035
        let table = [
            ("web", true, true, true),
            ("web-0", true, true, true),
            ("0web", true, true, false),
            ("web.svc", false, true, false),
            ("Web", false, false, false),
            ("-web", false, false, false),
            ("web-", false, false, false),
            ("", false, false, false),
            ("a..b", false, false, false),
        ];
        for (name, label, subdomain, dns1035) in table {
            assert_eq!(dns1123_label(name).is_empty(), label, "{name}");
            assert_eq!(dns1123_subdomain(name).is_empty(), subdomain, "{name}");
            assert_eq!(dns1035_label(name).is_empty(), dns1035, "{name}");
        }
        assert!(dns1123_label(&"a".repeat(63)).is_empty());
        assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
    }

    #[test]
    fn messages_are_upstreams() {
        assert_eq!(
            dns1123_subdomain("Web"),
            ["a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
              characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
              'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]
        );
        assert_eq!(
            dns1035_label("1a"),
            ["a DNS-1035 label must consist of lower case alphanumeric characters or '-', \
              start with an alphabetic character, and end with an alphanumeric character (e.g. \
              'my-name',  or 'abc-123', regex used for validation is \
              '[a-z]([-a-z0-9]*[a-z0-9])?')"]
        );
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
    }

    #[test]
    fn labels() {
        for good in ["app", "app.kubernetes.io/name", "A_b.c-1"] {
            assert!(qualified_name(good).is_empty(), "{good}");
        }
        for bad in ["", "/a", "a/", "a b", "-a", "a/b/c", "A.com/x"] {
            assert!(!qualified_name(bad).is_empty(), "{bad}");
        }
        assert!(label_value("").is_empty());
        assert!(!label_value("a b").is_empty());
    }

    /// What the API server makes of a template with this label and one container.
    fn template(label: &str, name: &str, image: &str, pull: &str, ports: Value) -> Value {
        json!({"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": name,
            "image": image, "ports": ports, "resources": {}, "imagePullPolicy": pull,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File"}],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "securityContext": {},
            "schedulerName": "default-scheduler"}})
    }

    // Hashed by Go with `dump.ForHash` and the types of `k8s.io/api` v0.33.4, through protobuf as
    // a controller reads them. `nginx-5869d7778c` and `nginx-deployment-647677fc66` are the names
    // that clusters of that version give to `kubectl create deployment nginx --image=nginx` and to
    // the example of the documentation.
    #[test]
    fn hashes_of_templates_are_upstreams() {
        let http = || json!([{"containerPort": 80, "protocol": "TCP"}]);
        let none = || json!([]);
        let bootcamp = "gcr.io/google-samples/kubernetes-bootcamp:v1";
        let table = [
            (template("nginx", "nginx", "nginx", "Always", none()), "5869d7778c"),
            (template("nginx", "nginx", "nginx:1.14.2", "IfNotPresent", http()), "647677fc66"),
            (template("nginx", "nginx", "nginx:1.16.1", "IfNotPresent", http()), "8d94c585f"),
            (template("nginx", "nginx", "nginx:latest", "Always", http()), "96b9d695"),
            (
                template(
                    "kubernetes-bootcamp",
                    "kubernetes-bootcamp",
                    bootcamp,
                    "IfNotPresent",
                    none(),
                ),
                "9bc58d867",
            ),
            (
                serde_json::from_str(include_str!("gofmt/podtemplate.test.json")).unwrap(),
                "687d499d5b",
            ),
        ];
        for (json, hash) in table {
            let template: PodTemplateSpec = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(pod_template_hash(&template, None).unwrap(), hash, "{json}");
        }
    }

    #[test]
    fn generated_names() {
        let mut rng = Rng::new(1);
        let name = generate_name("web-", &mut rng);
        assert_eq!(name.len(), 9);
        assert!(name.bytes().skip(4).all(|b| ALPHANUMS.contains(&b)), "{name}");
        assert_eq!(generate_name(&"x".repeat(80), &mut rng).len(), 63);
        assert_eq!(generate_name(&"나".repeat(40), &mut rng).len(), 57 + 5);
    }

    #[test]
    fn encodes_as_upstream_does() {
        // Checked against rand.SafeEncodeString of apimachinery v0.33.
        assert_eq!(safe_encode_string("1234567890"), "56789bcdf4");
        assert_eq!(fnv32a(b""), 0x811c_9dc5);
        assert_eq!(fnv32a(b"a"), 0xe40c_292c);
    }

    #[test]
    fn port_names() {
        for good in ["http", "a-1", "8080-tcp"] {
            assert!(port_name(good).is_empty(), "{good}");
        }
        for bad in ["", "HTTP", "8080", "a--b", "-a", "a-", "averyveryverylong"] {
            assert!(!port_name(bad).is_empty(), "{bad}");
        }
    }
}
