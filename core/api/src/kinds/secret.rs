//! Secrets.
//!
//! Upstream: `pkg/registry/core/secret/strategy.go`, `SetDefaults_Secret`, `ValidateSecret`,
//! `printSecret`.

use super::cells;
use super::typed::Typed;
use crate::podspec::defaults::text;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "Secret", "secrets", "secret").kind(&SecretStrategy);

/// Names the service account of a token.
const ACCOUNT: &str = "kubernetes.io/service-account.name";
/// Bytes of all values.
const DATA_BYTES_MAX: usize = 1024 * 1024;

impl Kube for Secret {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct SecretStrategy;

impl Typed for SecretStrategy {
    type Object = Secret;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Type"), Column::new("Data"), Column::new("Age")];

    const FIELDS: &'static [&'static str] = &["type"];

    fn default(&self, secret: &mut Secret) {
        text(&mut secret.type_, "Opaque");
        // What is written as text is kept as bytes.
        if let Some(texts) = secret.string_data.take() {
            let data = secret.data.get_or_insert_default();
            let bytes = |(key, value): (String, String)| (key, ByteString(value.into_bytes()));
            data.extend(texts.into_iter().map(bytes));
        }
    }

    fn validate(&self, secret: &Secret) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let path = Path::new("data");
        let mut bytes = 0;
        for (key, value) in secret.data.iter().flatten() {
            all_invalid(names::config_map_key(key), key, &path.key(key), &mut errors);
            bytes += value.0.len();
        }
        if bytes > DATA_BYTES_MAX {
            errors.push(FieldError::too_long("data", DATA_BYTES_MAX));
        }
        let has = |key: &str| secret.data.as_ref().is_some_and(|data| data.contains_key(key));
        let needed: &[&str] = match secret.type_.as_deref().unwrap_or_default() {
            "kubernetes.io/dockercfg" => &[".dockercfg"],
            "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
            "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
            "kubernetes.io/tls" => &["tls.crt", "tls.key"],
            "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
                &["username", "password"]
            }
            _ => &[],
        };
        for key in needed.iter().filter(|key| !has(key)) {
            errors.push(FieldError::required(path.key(key), ""));
        }
        validate_contents(secret, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Secret, old: &Secret, _: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if new.type_ != old.type_ {
            let value = new.type_.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid("type", value, "field is immutable"));
        }
        if old.immutable == Some(true) {
            let detail = "field is immutable when `immutable` is set";
            if new.immutable != Some(true) {
                errors.push(FieldError::forbidden("immutable", detail));
            }
            if new.data != old.data {
                errors.push(FieldError::forbidden("data", detail));
            }
        }
        errors.extend(Typed::validate(self, new));
        errors
    }

    fn warnings(&self, secret: &Secret, _: Option<&Secret>) -> Vec<String> {
        let is_pem = |key: &str| {
            let bytes = secret.data.as_ref().and_then(|data| data.get(key));
            bytes.is_some_and(|bytes| bytes.0.windows(11).any(|part| part == b"-----BEGIN "))
        };
        let tls = secret.type_.as_deref() == Some("kubernetes.io/tls");
        // Only whether there is a certificate and a key, not whether they belong together.
        match (tls, is_pem("tls.crt"), is_pem("tls.key")) {
            (true, false, _) => {
                vec!["tls: failed to find any PEM data in certificate input".to_owned()]
            }
            (true, true, false) => vec!["tls: failed to find any PEM data in key input".to_owned()],
            _ => Vec::new(),
        }
    }

    fn cells(&self, secret: &Secret, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&secret.metadata),
            cells::text(secret.type_.as_deref()),
            secret.data.as_ref().map_or(0, |data| data.len()).into(),
            cells::age(&secret.metadata, now),
        ]
    }

    fn field(&self, secret: &Secret, path: &str) -> Option<String> {
        (path == "type").then(|| secret.type_.clone())?
    }
}

/// What types of secrets ask of their contents.
fn validate_contents(secret: &Secret, errors: &mut Vec<FieldError>) {
    let path = Path::new("data");
    let bytes = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.metadata.annotations.as_ref();
            let account = annotations.and_then(|annotations| annotations.get(ACCOUNT));
            if account.is_none_or(String::is_empty) {
                let metadata = Path::new("metadata");
                let annotations = metadata.child("annotations");
                errors.push(FieldError::required(annotations.key(ACCOUNT), ""));
            }
        }
        "kubernetes.io/ssh-auth" if bytes("ssh-privatekey").is_some_and(|key| key.0.is_empty()) => {
            errors.push(FieldError::required(path.key("ssh-privatekey"), ""));
        }
        type_ @ ("kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson") => {
            let key = match type_ {
                "kubernetes.io/dockercfg" => ".dockercfg",
                _ => ".dockerconfigjson",
            };
            let Some(bytes) = bytes(key) else { return };
            if let Some(why) = json_problem(&bytes.0) {
                let shown = "<secret contents redacted>";
                errors.push(FieldError::invalid(path.key(key), shown, &why));
            }
        }
        _ => {}
    }
}

/// Why bytes are no JSON object, in the words of Go's decoder for the usual reasons.
fn json_problem(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(serde_json::Value::Object(_) | serde_json::Value::Null) => None,
        Ok(value) => {
            let found = match value {
                serde_json::Value::Array(_) => "array",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Bool(_) => "bool",
                _ => "number",
            };
            Some(format!(
                "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            ))
        }
        Err(error) if error.is_eof() => Some("unexpected end of JSON input".to_owned()),
        Err(error) => {
            let column = error.column().saturating_sub(1);
            let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
            let found = line.and_then(|line| line.get(column)).copied().map_or(' ', char::from);
            Some(format!("invalid character '{found}' looking for beginning of value"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_become_bytes() {
        let mut secret: Secret = serde_json::from_value(json!({"stringData": {"a": "b"}})).unwrap();
        Typed::default(&SecretStrategy, &mut secret);
        let json = serde_json::to_value(&secret).unwrap();
        assert_eq!(json["data"], json!({"a": "Yg=="}));
        assert_eq!(json["type"], "Opaque");
        assert!(json.get("stringData").is_none());
    }

    #[test]
    fn types_need_their_keys() {
        let secret = serde_json::from_value(json!({"type": "kubernetes.io/tls"})).unwrap();
        let errors = Typed::validate(&SecretStrategy, &secret);
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["data[tls.crt]", "data[tls.key]"]);
    }
}
