//! Tokens of service accounts, which the API server itself has signed.
//!
//! Upstream: `pkg/serviceaccount/claims.go`, `pkg/serviceaccount/jwt.go`.

use super::{Authenticated, CREDENTIAL_ID, ISSUER, Opinion};
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::core::v1::{Node, Pod, Secret, ServiceAccount};
use naru_api::{KindRef, Kube, Object, UserInfo};
use naru_pki::jwt;
use naru_sim::Time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Clocks differ by as much as this, in seconds.
const LEEWAY: i64 = 60;

/// What a token says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claims {
    /// The token's own name.
    pub(crate) id: String,
    /// When it is signed.
    pub(crate) now: Time,
    /// The service account as it was then.
    pub(crate) account: Object,
    /// The pod, secret or node with which it ends.
    pub(crate) bound_to: Option<Object>,
    /// The node of the pod: name, and uid if the node is there.
    pub(crate) node_of_pod: Option<(String, String)>,
    /// How long it lasts, in seconds.
    pub(crate) seconds: i64,
    /// When whoever uses it still should be warned, in seconds from then; 0 is never.
    pub(crate) warn_after: i64,
    /// For whom it is.
    pub(crate) audiences: Vec<String>,
}

impl Claims {
    /// The claims in JSON.
    pub(crate) fn to_json(&self) -> Value {
        let now = seconds(self.now);
        let (namespace, name) = (self.account.namespace(), self.account.name());
        let reference = |object: &Object| json!({"name": object.name(), "uid": object.uid()});
        let mut own = Map::new();
        own.insert("namespace".to_owned(), namespace.into());
        own.insert("serviceaccount".to_owned(), reference(&self.account));
        if let Some(object) = &self.bound_to {
            own.insert(object.kind().singular.to_string(), reference(object));
        }
        if let Some((name, uid)) = &self.node_of_pod {
            let node = match uid.as_str() {
                "" => json!({"name": name}),
                uid => json!({"name": name, "uid": uid}),
            };
            own.insert("node".to_owned(), node);
        }
        if self.warn_after != 0 {
            own.insert("warnafter".to_owned(), (now + self.warn_after).into());
        }
        json!({
            "aud": self.audiences,
            "exp": now + self.seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": self.id,
            "kubernetes.io": own,
            "nbf": now,
            "sub": username(namespace, name),
        })
    }
}

impl ApiServer {
    pub(super) fn authenticate_service_account(
        &mut self,
        token: &str,
        audiences: &[String],
    ) -> Opinion {
        let Some(signer) = &self.authentication.service_accounts else { return Ok(None) };
        let ours = |claims: &Value| claims["iss"] == ISSUER;
        if !jwt::unverified_claims(token).is_some_and(|claims| ours(&claims)) {
            return Ok(None);
        }
        let verify = || jwt::verify(token, &[signer.public()]).map_err(|error| error.to_string());
        let claims = self.signatures.tokens.check(token.as_bytes(), |_| true, verify)?;
        let given = texts(&claims["aud"]);
        let both: Vec<String> =
            given.iter().filter(|one| audiences.contains(one)).cloned().collect();
        if both.is_empty() {
            return Err(format!(
                "token audiences {} is invalid for the target audiences {}",
                quoted(&given),
                quoted(audiences)
            ));
        }
        check_dates(&claims, self.now)?;
        let user = self.validate_claims(&claims)?;
        Ok(Some(Authenticated { user, audiences: both }))
    }

    /// Whether all that the token names is still there.
    fn validate_claims(&self, claims: &Value) -> Result<UserInfo, String> {
        let own = &claims["kubernetes.io"];
        let namespace = text(&own["namespace"]);
        let (name, uid) = name_and_uid(&own["serviceaccount"]);
        let account = self.service_account(namespace, name)?;
        if account.uid() != uid {
            let there = account.uid();
            return Err(format!("service account UID ({there}) does not match claim ({uid})"));
        }
        if self.is_long_gone(&account) {
            return Err(format!("service account {namespace}/{name} has been deleted"));
        }
        self.check_bound(Secret::kind(), namespace, &own["secret"], |there, claimed| {
            format!(
                "secret UID ({there}) does not match service account secret ref claim ({claimed})"
            )
        })?;
        self.check_bound(Pod::kind(), namespace, &own["pod"], |there, claimed| {
            format!("pod UID ({there}) does not match service account pod ref claim ({claimed})")
        })?;
        // The node of a pod is told and not checked: the token ends with the pod.
        if own["pod"].is_null() {
            self.check_bound(Node::kind(), "", &own["node"], |there, claimed| {
                format!(
                    "node UID ({there}) does not match service account node ref claim ({claimed})"
                )
            })?;
        }
        let mut user = user_info(namespace, name, uid);
        user.extra = Arc::new(extra(claims));
        Ok(user)
    }

    fn check_bound(
        &self,
        kind: KindRef,
        namespace: &str,
        claim: &Value,
        mismatch: impl Fn(&str, &str) -> String,
    ) -> Result<(), String> {
        if claim.is_null() {
            return Ok(());
        }
        let invalidated = || "service account token has been invalidated".to_owned();
        let (name, uid) = name_and_uid(claim);
        let found = self.store.get(&keys::of_object(&kind, namespace, name));
        let found = found.ok_or_else(invalidated)?;
        if found.uid() != uid {
            return Err(mismatch(found.uid(), uid));
        }
        if self.is_long_gone(&found) { Err(invalidated()) } else { Ok(()) }
    }

    pub(super) fn service_account(&self, namespace: &str, name: &str) -> Result<Object, String> {
        let key = keys::of_object(&ServiceAccount::kind(), namespace, name);
        self.store.get(&key).ok_or_else(|| format!("serviceaccounts \"{name}\" not found"))
    }

    /// Whether an object's time was over some while ago, though something still keeps it.
    fn is_long_gone(&self, object: &Object) -> bool {
        let deleted = object.meta().deletion_timestamp.as_ref();
        deleted.is_some_and(|at| at.0.as_second() < seconds(self.now) - LEEWAY)
    }
}

fn check_dates(claims: &Value, now: Time) -> Result<(), String> {
    let date = |claim: &str| claims[claim].as_i64();
    let now = seconds(now);
    if date("nbf").is_some_and(|from| now + LEEWAY < from) {
        return Err("service account token is not valid yet".to_owned());
    }
    if date("exp").is_none_or(|until| now - LEEWAY > until) {
        return Err("service account token has expired".to_owned());
    }
    if date("iat").is_some_and(|issued| now + LEEWAY < issued) {
        return Err("service account token is issued in the future".to_owned());
    }
    Ok(())
}

/// `system:serviceaccount:default:web`.
pub(crate) fn username(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// A service account as a user, with the groups that it has by its name.
pub(crate) fn user_info(namespace: &str, name: &str, uid: &str) -> UserInfo {
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}")];
    let mut user = UserInfo::new(&username(namespace, name), &groups);
    user.uid = uid.into();
    user
}

fn extra(claims: &Value) -> BTreeMap<String, Vec<String>> {
    let mut extra = BTreeMap::new();
    let mut add = |key: &str, value: &str| {
        if !value.is_empty() {
            extra.insert(key.to_owned(), vec![value.to_owned()]);
        }
    };
    let own = &claims["kubernetes.io"];
    for (object, prefix) in [("pod", "pod"), ("node", "node")] {
        let (name, uid) = name_and_uid(&own[object]);
        add(&format!("authentication.kubernetes.io/{prefix}-name"), name);
        add(&format!("authentication.kubernetes.io/{prefix}-uid"), uid);
    }
    match text(&claims["jti"]) {
        "" => {}
        id => add(CREDENTIAL_ID, &format!("JTI={id}")),
    }
    extra
}

fn name_and_uid(claim: &Value) -> (&str, &str) {
    (text(&claim["name"]), text(&claim["uid"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(value));
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn quoted(list: &[String]) -> String {
    let list: Vec<String> = list.iter().map(|text| naru_api::gofmt::quote(text)).collect();
    format!("[{}]", list.join(" "))
}

fn seconds(time: Time) -> i64 {
    time.unix_micros() / 1_000_000
}
