//! Fills the Secrets of type `kubernetes.io/service-account-token`, and deletes those whose
//! service account is gone.
//!
//! Upstream: `pkg/controller/serviceaccount/tokens_controller.go`, `LegacyClaims`.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use naru_api::request::DeleteOptions;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_pki::jwt;
use serde_json::json;

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
const ISSUER: &str = "kubernetes/serviceaccount";

/// The tokens controller.
#[derive(Clone, Debug)]
pub struct TokensController {
    signer: jwt::Signer,
    root_ca: String,
}

impl TokensController {
    /// Signs with this key, and puts this certificate, in PEM, beside the tokens.
    pub fn new(signer: jwt::Signer, root_ca: &str) -> Self {
        TokensController { signer, root_ca: root_ca.to_owned() }
    }

    /// The Secret with all that it should hold; `None` if it holds that already.
    fn filled(&self, secret: &Secret, account: &ServiceAccount) -> Option<Secret> {
        let mut filled = secret.clone();
        let data = filled.data.get_or_insert_default();
        let has = |data: &std::collections::BTreeMap<String, ByteString>, key: &str| {
            data.get(key).is_some_and(|bytes| !bytes.0.is_empty())
        };
        let same_ca = data.get("ca.crt").is_some_and(|ca| ca.0 == self.root_ca.as_bytes());
        if same_ca && has(data, "namespace") && has(data, "token") {
            return None;
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let namespace = text(&secret.metadata.namespace);
        if !same_ca {
            data.insert("ca.crt".to_owned(), ByteString(self.root_ca.clone().into_bytes()));
        }
        if !has(data, "namespace") {
            data.insert("namespace".to_owned(), ByteString(namespace.clone().into_bytes()));
        }
        let (name, uid) = (text(&account.metadata.name), text(&account.metadata.uid));
        if !has(data, "token") {
            let token = self.signer.sign(&json!({
                "iss": ISSUER,
                "kubernetes.io/serviceaccount/namespace": namespace,
                "kubernetes.io/serviceaccount/secret.name": secret.metadata.name,
                "kubernetes.io/serviceaccount/service-account.name": name,
                "kubernetes.io/serviceaccount/service-account.uid": uid,
                "sub": format!("system:serviceaccount:{namespace}:{name}"),
            }));
            data.insert("token".to_owned(), ByteString(token.into_bytes()));
        }
        let annotations = filled.metadata.annotations.get_or_insert_default();
        annotations.insert(ACCOUNT_NAME.to_owned(), name);
        annotations.insert(ACCOUNT_UID.to_owned(), uid);
        Some(filled)
    }
}

impl Controller for TokensController {
    fn name(&self) -> &str {
        "serviceaccount-token-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let secrets = Watch::with_fields::<Secret>(format!("type={TYPE}"));
        vec![Watch::all::<ServiceAccount>(), secrets]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.get::<Secret>().is_some_and(is_token) {
            return vec![object.key()];
        }
        if object.kind() != ServiceAccount::kind() {
            return Vec::new();
        }
        let secrets = cache.objects(&Secret::kind(), object.namespace());
        let of_account = |secret: &&Object| {
            secret.get::<Secret>().is_some_and(is_token) && account_name(secret) == object.name()
        };
        secrets.filter(of_account).map(Object::key).collect()
    }
}

impl Reconcile for TokensController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let found = cache.object(&Secret::kind(), key);
        let Some((object, secret)) = found.and_then(|object| Some((object, object.get()?))) else {
            return Ok(Action::await_change());
        };
        let account = Key::new(key.namespace.clone(), account_name(object));
        let account = cache.get::<ServiceAccount>(&account).filter(|account| {
            let uid = annotation(object, ACCOUNT_UID);
            uid.is_empty() || Some(uid) == account.metadata.uid.as_deref()
        });
        let done = match account {
            Some(account) => match self.filled(secret, account) {
                Some(filled) => context.client.update(filled).map(drop),
                None => Ok(()),
            },
            None => {
                let uid = Some(object.uid().to_owned());
                let options = DeleteOptions { uid, ..DeleteOptions::default() };
                context.client.delete::<Secret>(&key.namespace, &key.name, options)
            }
        };
        match done {
            // Somebody was faster: their change comes by the watch.
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            other => other?,
        }
        Ok(Action::await_change())
    }
}

fn is_token(secret: &Secret) -> bool {
    secret.type_.as_deref() == Some(TYPE)
}

fn account_name(secret: &Object) -> &str {
    annotation(secret, ACCOUNT_NAME)
}

fn annotation<'a>(object: &'a Object, name: &str) -> &'a str {
    let annotations = object.meta().annotations.as_ref();
    annotations.and_then(|all| all.get(name)).map_or("", String::as_str)
}
