//! Gives each namespace its ServiceAccount `default`.
//!
//! Upstream: `pkg/controller/serviceaccount/serviceaccounts_controller.go`.

use crate::pod_control::is_namespace_terminating;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

const NAME: &str = "default";

/// The service account controller.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountsController;

impl Controller for ServiceAccountsController {
    fn name(&self) -> &str {
        "serviceaccount-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Namespace>(), Watch::all::<ServiceAccount>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        let gone = event.kind == WatchEventType::Deleted;
        if object.kind() == Namespace::kind() && !gone {
            vec![object.key()]
        } else if object.kind() == ServiceAccount::kind() && gone && object.name() == NAME {
            vec![Key::new("", object.namespace())]
        } else {
            Vec::new()
        }
    }
}

impl Reconcile for ServiceAccountsController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let account = Key::new(key.name.clone(), NAME);
        if !is_active(context.cache, key) || context.cache.get::<ServiceAccount>(&account).is_some()
        {
            return Ok(Action::await_change());
        }
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(account.name),
                namespace: Some(account.namespace),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        match context.client.create(account) {
            Err(error) if error.is_already_exists() || is_namespace_terminating(&error) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(Action::await_change())
    }
}

/// Whether the namespace is there and stays.
pub(crate) fn is_active(cache: &Cache, key: &Key) -> bool {
    let phase = cache
        .get::<Namespace>(key)
        .and_then(|namespace| namespace.status.as_ref()?.phase.as_deref());
    phase == Some("Active")
}
