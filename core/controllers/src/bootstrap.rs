//! Signs what a machine reads of a cluster before it trusts it, and takes away bootstrap tokens
//! whose time is over.
//!
//! Upstream: `pkg/controller/bootstrap/bootstrapsigner.go`, `tokencleaner.go`.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use naru_api::bootstraptoken::{BootstrapToken, NAMESPACE, SECRET_TYPE};
use naru_api::request::DeleteOptions;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_pki::jws;
use std::collections::BTreeMap;

/// Where a machine reads of the cluster.
const CLUSTER_INFO: &str = "cluster-info";
const PUBLIC: &str = "kube-public";
/// Signatures of `cluster-info` are under the tokens' names after this.
const SIGNATURE_PREFIX: &str = "jws-kubeconfig-";

fn watch_in<K: Kube>(namespace: &str) -> Watch {
    Watch::of(K::kind(), namespace)
}

fn is_token(object: &Object) -> bool {
    let secret = object.get::<Secret>();
    object.namespace() == NAMESPACE
        && secret.is_some_and(|secret| secret.type_.as_deref() == Some(SECRET_TYPE))
}

/// The bootstrap signer.
#[derive(Clone, Debug)]
pub struct BootstrapSigner;

impl Controller for BootstrapSigner {
    fn name(&self) -> &str {
        "bootstrap-signer-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![watch_in::<ConfigMap>(PUBLIC), watch_in::<Secret>(NAMESPACE)]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let (object, info) = (&event.object, Key::new(PUBLIC, CLUSTER_INFO));
        let concerns = object.kind() == ConfigMap::kind() && object.key() == info;
        if concerns || is_token(object) { vec![info] } else { Vec::new() }
    }
}

impl Reconcile for BootstrapSigner {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(info) = context.cache.get::<ConfigMap>(key) else {
            return Ok(Action::await_change());
        };
        let data = info.data.clone().unwrap_or_default();
        let Some(text) = data.get("kubeconfig") else { return Ok(Action::await_change()) };
        let secrets = context.cache.list::<Secret>(NAMESPACE);
        let tokens = secrets
            .filter_map(BootstrapToken::from_secret)
            .filter(|token| token.allows("signing", context.now));
        let signed = tokens.map(|token| {
            let signature = jws::detached_signature(text, &token.id, &token.secret);
            (format!("{SIGNATURE_PREFIX}{}", token.id), signature)
        });
        let unsigned = data.iter().filter(|(name, _)| !name.starts_with(SIGNATURE_PREFIX));
        let wanted: BTreeMap<String, String> =
            unsigned.map(|(name, value)| (name.clone(), value.clone())).chain(signed).collect();
        if wanted != data {
            let changed = ConfigMap { data: Some(wanted), ..info.clone() };
            match context.client.update(changed) {
                Err(error) if !error.is_conflict() && !error.is_not_found() => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(Action::await_change())
    }
}

/// The token cleaner.
#[derive(Clone, Debug)]
pub struct TokenCleaner;

impl Controller for TokenCleaner {
    fn name(&self) -> &str {
        "token-cleaner-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![watch_in::<Secret>(NAMESPACE)]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let gone = event.kind == WatchEventType::Deleted;
        if !gone && is_token(&event.object) { vec![event.object.key()] } else { Vec::new() }
    }
}

impl Reconcile for TokenCleaner {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(object) = context.cache.object(&Secret::kind(), key) else {
            return Ok(Action::await_change());
        };
        let token = object.get::<Secret>().and_then(BootstrapToken::from_secret);
        let Some(expires) = token.and_then(|token| token.expires) else {
            return Ok(Action::await_change());
        };
        if context.now < expires {
            return Ok(Action::requeue_after(expires.since(context.now)));
        }
        let uid = Some(object.uid().to_owned());
        let options = DeleteOptions { uid, ..DeleteOptions::default() };
        match context.client.delete::<Secret>(&key.namespace, &key.name, options) {
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.into()),
            _ => Ok(Action::await_change()),
        }
    }
}
