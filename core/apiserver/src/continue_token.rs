//! The opaque text by which a list that was cut off goes on.
//!
//! Upstream: `apiserver/pkg/storage/continue.go`.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

const VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The first key that may come.
    pub(crate) start: String,
    /// The revision of the list's first part; `None`: the latest, since that one is forgotten.
    pub(crate) revision: Option<u64>,
}

impl ContinueToken {
    /// The token of a list that ended with `last`, of the keys that begin with `prefix`.
    pub(crate) fn after(last: &str, revision: u64) -> Self {
        ContinueToken { start: format!("{last}\0"), revision: Some(revision) }
    }

    /// As a client gets it.
    pub(crate) fn encode(&self, prefix: &str) -> String {
        let start = self.start.strip_prefix(prefix).unwrap_or(&self.start);
        let rv = self.revision.map_or(Value::from(-1), Value::from);
        // Written in the order of Go's fields.
        let text = format!(r#"{{"v":"{VERSION}","rv":{rv},"start":{}}}"#, json!(start));
        Base64UrlUnpadded::encode_string(text.as_bytes())
    }

    /// Reads what a client sends back; the text of an error is upstream's.
    pub(crate) fn decode(text: &str, prefix: &str) -> Result<Self, String> {
        const INVALID: &str = "continue key is not valid";
        let bytes = Base64UrlUnpadded::decode_vec(text)
            .map_err(|_| format!("{INVALID}: {}", base64_error(text)))?;
        let token: Value = serde_json::from_slice(&bytes)
            .map_err(|error| format!("{INVALID}: {}", json_error(&bytes, &error)))?;
        let text = |field: &str| token.get(field).and_then(Value::as_str).unwrap_or_default();
        let version = text("v");
        if version != VERSION {
            let why = "server does not recognize this encoded version";
            return Err(format!("{INVALID}: {why} {version}"));
        }
        let revision = token.get("rv").and_then(Value::as_i64).unwrap_or(0);
        if revision == 0 {
            let why = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
            return Err(format!("{INVALID}: {why}"));
        }
        let start = text("start");
        if start.is_empty() {
            return Err(format!("{INVALID}: encoded start key empty (version meta.k8s.io/v1)"));
        }
        let path = start.strip_prefix('/').unwrap_or(start);
        // Nothing may lead out of the prefix.
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!("{INVALID}: {start}"));
        }
        let start = format!("{prefix}{path}");
        Ok(ContinueToken { start, revision: u64::try_from(revision).ok() })
    }
}

/// What Go's decoder says of a text that is not base64.
fn base64_error(text: &str) -> String {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let at = text.bytes().position(|byte| !known(byte)).unwrap_or(text.len().saturating_sub(1));
    format!("illegal base64 data at input byte {at}")
}

/// What Go's decoder says of bytes that are not JSON, as far as its words are known here.
fn json_error(bytes: &[u8], error: &serde_json::Error) -> String {
    match bytes.first() {
        _ if error.is_eof() => "unexpected end of JSON input".to_owned(),
        Some(first) if *first != b'{' => {
            let first = char::from(*first);
            format!("invalid character '{first}' looking for beginning of value")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "/registry/pods/";

    #[test]
    fn goes_out_and_comes_back() {
        let token = ContinueToken::after("/registry/pods/default/web", 42);
        let text = token.encode(PREFIX);
        let json = Base64UrlUnpadded::decode_vec(&text).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, r#"{"v":"meta.k8s.io/v1","rv":42,"start":"default/web\u0000"}"#);
        assert_eq!(ContinueToken::decode(&text, PREFIX), Ok(token));
        let latest = ContinueToken { start: "/registry/pods/a".to_owned(), revision: None };
        assert_eq!(ContinueToken::decode(&latest.encode(PREFIX), PREFIX), Ok(latest));
    }

    #[test]
    fn errors_are_upstreams() {
        let encoded = |json: &str| Base64UrlUnpadded::encode_string(json.as_bytes());
        let table = [
            ("ab*d".to_owned(), "continue key is not valid: illegal base64 data at input byte 2"),
            (
                encoded("hello"),
                "continue key is not valid: invalid character 'h' looking for beginning of value",
            ),
            (encoded("{"), "continue key is not valid: unexpected end of JSON input"),
            (
                encoded(r#"{"v":"v2"}"#),
                "continue key is not valid: server does not recognize this encoded version v2",
            ),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","start":"a"}"#),
                "continue key is not valid: incorrect encoded start resourceVersion (version \
                 meta.k8s.io/v1)",
            ),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","rv":1}"#),
                "continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
            ),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets"}"#),
                "continue key is not valid: ../secrets",
            ),
        ];
        for (text, message) in table {
            assert_eq!(ContinueToken::decode(&text, PREFIX).unwrap_err(), message);
        }
    }
}
