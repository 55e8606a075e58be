//! Publishes the cluster's CA in each namespace, as ConfigMap `kube-root-ca.crt`.
//!
//! Upstream: `pkg/controller/certificates/rootcacertpublisher/publisher.go`.

use crate::pod_control::is_namespace_terminating;
use crate::serviceaccount::is_active;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use std::collections::BTreeMap;

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "kubernetes.io/description";
const DESCRIPTION_TEXT: &str = "Contains a CA bundle that can be used to verify the \
    kube-apiserver when using internal endpoints such as the internal service IP or \
    kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes \
    clusters.";

/// The root CA publisher.
#[derive(Clone, Debug)]
pub struct RootCaPublisher {
    root_ca: String,
}

impl RootCaPublisher {
    /// Publishes this certificate, in PEM.
    pub fn new(root_ca: &str) -> Self {
        RootCaPublisher { root_ca: root_ca.to_owned() }
    }

    fn wanted(&self, key: &Key) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                annotations: Some([(DESCRIPTION.to_owned(), DESCRIPTION_TEXT.to_owned())].into()),
                ..ObjectMeta::default()
            },
            data: Some(self.data()),
            ..ConfigMap::default()
        }
    }

    fn data(&self) -> BTreeMap<String, String> {
        [("ca.crt".to_owned(), self.root_ca.clone())].into()
    }
}

impl Controller for RootCaPublisher {
    fn name(&self) -> &str {
        "root-ca-certificate-publisher-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Namespace>(), Watch::all::<ConfigMap>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.kind() == Namespace::kind() && event.kind != WatchEventType::Deleted {
            vec![object.key()]
        } else if object.kind() == ConfigMap::kind() && object.name() == NAME {
            vec![Key::new("", object.namespace())]
        } else {
            Vec::new()
        }
    }
}

impl Reconcile for RootCaPublisher {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let config_map = Key::new(key.name.clone(), NAME);
        if !is_active(cache, key) {
            return Ok(Action::await_change());
        }
        let wanted = self.wanted(&config_map);
        let written = match cache.get::<ConfigMap>(&config_map) {
            None => context.client.create(wanted),
            Some(there) if there.data == wanted.data && is_described(there) => {
                return Ok(Action::await_change());
            }
            Some(there) => {
                let mut changed = there.clone();
                changed.data = wanted.data;
                let annotations = changed.metadata.annotations.get_or_insert_default();
                annotations.extend(wanted.metadata.annotations.unwrap_or_default());
                context.client.update(changed)
            }
        };
        match written {
            Err(error) if error.is_already_exists() || is_namespace_terminating(&error) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(Action::await_change())
    }
}

/// Whether it says what it is for. Upstream leaves other words than its own alone.
fn is_described(config_map: &ConfigMap) -> bool {
    let annotations = config_map.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(DESCRIPTION)).is_some_and(|text| !text.is_empty())
}
