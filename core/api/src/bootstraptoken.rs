//! Bootstrap tokens: Secrets by which a machine that is to become a node and its cluster come to
//! trust each other.
//!
//! Upstream: `staging/src/k8s.io/cluster-bootstrap/token`, `cmd/kubeadm/app/apis/bootstraptoken`.

use crate::time::{from_meta, rfc3339};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use naru_sim::Time;
use std::collections::BTreeMap;

/// The type of their Secrets.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// Where they are.
pub const NAMESPACE: &str = "kube-system";
/// Their Secrets' names begin so.
pub const NAME_PREFIX: &str = "bootstrap-token-";
/// Whoever has one is in this group.
pub const GROUP: &str = "system:bootstrappers";
/// What a token looks like.
pub const PATTERN: &str = r"\A([a-z0-9]{6})\.([a-z0-9]{16})\z";
/// What the name of a token looks like.
pub const ID_PATTERN: &str = r"\A([a-z0-9]{6})\z";

const USAGE_PREFIX: &str = "usage-bootstrap-";

/// A bootstrap token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootstrapToken {
    /// Its public half, six characters.
    pub id: String,
    /// Its secret half, sixteen characters.
    pub secret: String,
    /// What it is for, in words.
    pub description: String,
    /// When it ends.
    pub expires: Option<Time>,
    /// `authentication`, `signing`
    pub usages: Vec<String>,
    /// Groups of its bearer beyond [`GROUP`].
    pub groups: Vec<String>,
}

/// Whether this can be a token's name.
pub fn is_id(text: &str) -> bool {
    is_word(text, 6)
}

fn is_word(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The halves of a token.
pub fn split(token: &str) -> Option<(&str, &str)> {
    token.split_once('.').filter(|(id, secret)| is_id(id) && is_word(secret, 16))
}

impl BootstrapToken {
    /// The whole token.
    pub fn token(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }

    /// Reads a Secret; `None` if it is no token's.
    pub fn from_secret(secret: &Secret) -> Option<BootstrapToken> {
        if secret.type_.as_deref() != Some(SECRET_TYPE) {
            return None;
        }
        let data = secret.data.as_ref()?;
        let text = |key: &str| -> Option<String> {
            Some(String::from_utf8_lossy(&data.get(key)?.0).into_owned())
        };
        let (id, value) = (text("token-id")?, text("token-secret")?);
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        if name.strip_prefix(NAME_PREFIX) != Some(id.as_str()) || !is_id(&id) {
            return None;
        }
        let expires = text("expiration").filter(|when| !when.is_empty());
        // A time that cannot be read has passed.
        let expires =
            expires.map(|when| when.parse().map_or(Time::ZERO, |at| from_meta(&MetaTime(at))));
        let usages = data
            .iter()
            .filter(|(_, value)| value.0 == b"true")
            .filter_map(|(key, _)| key.strip_prefix(USAGE_PREFIX).map(str::to_owned))
            .collect();
        let groups = text("auth-extra-groups").filter(|groups| !groups.is_empty());
        let groups = groups.map(|all| all.split(',').map(str::to_owned).collect());
        Some(BootstrapToken {
            id,
            secret: value,
            description: text("description").unwrap_or_default(),
            expires,
            usages,
            groups: groups.unwrap_or_default(),
        })
    }

    /// Its Secret.
    pub fn to_secret(&self) -> Secret {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let mut data = BTreeMap::from([
            ("token-id".to_owned(), bytes(&self.id)),
            ("token-secret".to_owned(), bytes(&self.secret)),
        ]);
        if !self.description.is_empty() {
            data.insert("description".to_owned(), bytes(&self.description));
        }
        if let Some(expires) = self.expires {
            let when = rfc3339(Some(&crate::time::meta_time(expires)));
            data.insert("expiration".to_owned(), bytes(&when));
        }
        for usage in &self.usages {
            data.insert(format!("{USAGE_PREFIX}{usage}"), bytes("true"));
        }
        if !self.groups.is_empty() {
            data.insert("auth-extra-groups".to_owned(), bytes(&self.groups.join(",")));
        }
        Secret {
            metadata: ObjectMeta {
                name: Some(format!("{NAME_PREFIX}{}", self.id)),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some(SECRET_TYPE.to_owned()),
            data: Some(data),
            ..Secret::default()
        }
    }

    /// Whether it may be used so, at this moment.
    pub fn allows(&self, usage: &str, now: Time) -> bool {
        self.usages.iter().any(|own| own == usage) && self.expires.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_secret() {
        let token = BootstrapToken {
            id: "abcdef".to_owned(),
            secret: "0123456789abcdef".to_owned(),
            description: "for node1".to_owned(),
            expires: Some(Time::from_secs(86_400)),
            usages: vec!["authentication".to_owned(), "signing".to_owned()],
            groups: vec!["system:bootstrappers:kubeadm:default-node-token".to_owned()],
        };
        assert_eq!(BootstrapToken::from_secret(&token.to_secret()), Some(token.clone()));
        assert!(token.allows("signing", Time::from_secs(86_399)));
        assert!(!token.allows("signing", Time::from_secs(86_400)));
        assert!(!token.allows("other", Time::ZERO));
    }

    #[test]
    fn tokens_have_a_form() {
        assert_eq!(split("abcdef.0123456789abcdef"), Some(("abcdef", "0123456789abcdef")));
        for wrong in ["", "abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", "a.b.c"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
