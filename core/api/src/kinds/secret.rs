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
