//! Which Ingresses are this controller's, and what it writes into their status.
//!
//! Upstream: `internal/ingress/controller/store`, `internal/ingress/status/status.go`.

use super::proxy::Proxy;
use super::table::Table;
use crate::controller_program::{InContainer, StartsInContainer};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, decode, encode};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_network::http::Response;
use naru_shell::Sys;
use naru_sim::Time;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const CLASS_CONTROLLER: &str = "k8s.io/ingress-nginx";
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// How often statuses are looked at. Upstream: `updateInterval`.
const STATUS_EVERY: Duration = Duration::from_secs(60);

/// The controller and its proxy, in one container.
#[derive(Clone, Debug)]
pub struct IngressNginx {
    options: Options,
    pod: (String, String),
    proxy: Proxy,
    /// The generations for which an event was written.
    told: BTreeMap<Key, i64>,
}

/// What its arguments say.
#[derive(Clone, Debug, Default)]
struct Options {
    /// `--publish-service`: whose addresses are published.
    publish: Option<Key>,
    /// `--publish-status-address`
    address: Option<String>,
    /// `--report-node-internal-ip-address`
    node_address: bool,
    /// `--watch-ingress-without-class`
    without_class: bool,
    /// `--ingress-class`
    class: String,
}

impl StartsInContainer for IngressNginx {
    const ACCOUNT: (&'static str, &'static str) = ("ingress-nginx", "ingress-nginx");

    fn start(sys: &mut dyn Sys) -> Self {
        let args = sys.args().to_vec();
        let env = |sys: &mut dyn Sys, name: &str| sys.env().get(name).cloned().unwrap_or_default();
        let pod = (env(sys, "POD_NAMESPACE"), env(sys, "POD_NAME"));
        let value = |name: &str| {
            args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let is_on = |name: &str| {
            args.iter().any(|arg| arg == name || arg.strip_prefix(name) == Some("=true"))
        };
        let publish = value("--publish-service");
        let options = Options {
            publish: publish.and_then(|text| text.split_once('/').map(|(ns, n)| Key::new(ns, n))),
            address: value("--publish-status-address"),
            node_address: is_on("--report-node-internal-ip-address"),
            without_class: is_on("--watch-ingress-without-class"),
            class: value("--ingress-class").unwrap_or_else(|| "nginx".to_owned()),
        };
        IngressNginx { options, pod, proxy: Proxy::start(sys), told: BTreeMap::new() }
    }
}

impl InContainer for IngressNginx {
    fn settle(&mut self, sys: &mut dyn Sys) {
        self.proxy.serve(sys);
    }

    fn next_due(&self) -> Option<Time> {
        self.proxy.next_due()
    }
}

impl IngressNginx {
    /// Upstream: `internal/ingress/controller/ingressclass`.
    fn is_ours(&self, ingress: &Ingress, cache: &Cache) -> bool {
        let annotations = ingress.metadata.annotations.as_ref();
        if let Some(class) = annotations.and_then(|all| all.get(CLASS_ANNOTATION)) {
            return *class == self.options.class;
        }
        let spec = ingress.spec.as_ref();
        match spec.and_then(|spec| spec.ingress_class_name.as_deref()) {
            None => self.options.without_class,
            Some(name) => cache
                .get::<IngressClass>(&Key::new("", name))
                .and_then(|class| class.spec.as_ref()?.controller.as_deref())
                .is_some_and(|controller| controller == CLASS_CONTROLLER),
        }
    }

    /// The addresses under which the proxy is to be reached.
    fn points(&self, cache: &Cache) -> Vec<serde_json::Value> {
        if let Some(address) = &self.options.address {
            return vec![match address.parse::<std::net::IpAddr>() {
                Ok(_) => json!({ "ip": address }),
                Err(_) => json!({ "hostname": address }),
            }];
        }
        if self.options.node_address {
            let pod = cache.get::<Pod>(&Key::new(self.pod.0.as_str(), self.pod.1.as_str()));
            let host = pod.and_then(|pod| pod.status.as_ref()?.host_ip.clone());
            return host.map(|ip| json!({ "ip": ip })).into_iter().collect();
        }
        let service = self.options.publish.as_ref().and_then(|key| cache.get::<Service>(key));
        let Some(spec) = service.and_then(|service| service.spec.as_ref()) else { return vec![] };
        let external = spec.external_ips.iter().flatten().map(|ip| json!({ "ip": ip }));
        let cluster = spec.cluster_ip.iter().map(|ip| json!({ "ip": ip }));
        match spec.type_.as_deref() {
            Some("LoadBalancer") => {
                let status = service.and_then(|service| service.status.as_ref());
                let balancer = status.and_then(|status| status.load_balancer.as_ref());
                let points = balancer.into_iter().flat_map(|it| it.ingress.iter().flatten());
                let point = |it: &k8s_openapi::api::core::v1::LoadBalancerIngress| match &it.ip {
                    Some(ip) => json!({ "ip": ip }),
                    None => json!({ "hostname": it.hostname }),
                };
                points.map(point).chain(external).collect()
            }
            Some("NodePort") => external.chain(cluster).collect(),
            _ => cluster.collect(),
        }
    }

    fn publish(&self, ours: &[Arc<Ingress>], context: &mut Context<'_>) -> Result<(), Error> {
        let points = self.points(context.cache);
        for ingress in ours {
            let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let now = status.and_then(|status| status.ingress.as_ref());
            let now = now.and_then(|now| encode::to_value(now).ok());
            if now.unwrap_or_else(|| json!([])) == json!(points) {
                continue;
            }
            let mut next = Ingress::clone(ingress);
            let status = json!({ "loadBalancer": { "ingress": points } });
            next.status = decode::from_value(&status).ok();
            context.client.update_status(next)?;
        }
        Ok(())
    }
}

impl Controller for IngressNginx {
    fn name(&self) -> &str {
        "nginx-ingress-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<Ingress>(),
            Watch::all::<IngressClass>(),
            Watch::all::<Service>(),
            Watch::all::<EndpointSlice>(),
            Watch::all::<Secret>(),
            Watch::with_fields::<Pod>(format!("metadata.name={}", self.pod.1)),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        if event.kind == WatchEventType::Deleted {
            self.told.remove(&event.object.key());
        }
        vec![Key::new("", "nginx")]
    }

    fn initial(&self) -> Vec<Key> {
        vec![Key::new("", "nginx")]
    }
}

impl Reconcile<()> for IngressNginx {
    fn reconcile(
        &mut self,
        _key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let keys: Vec<Key> = context.cache.objects(&Ingress::kind(), "").map(Object::key).collect();
        let all = keys.iter().filter_map(|key| context.cache.arc::<Ingress>(key));
        let mut ours: Vec<Arc<Ingress>> =
            all.filter(|ingress| self.is_ours(ingress, context.cache)).collect();
        // The older comes first.
        ours.sort_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let read: Vec<&Ingress> = ours.iter().map(Arc::as_ref).collect();
        self.proxy.follow(Table::read(context.cache, &read));
        for ingress in &ours {
            let object = Object::new(Ingress::clone(ingress));
            let generation = ingress.metadata.generation.unwrap_or_default();
            if self.told.insert(object.key(), generation) != Some(generation) {
                context.event(&object, EventType::Normal, "Sync", "Scheduled for sync");
            }
        }
        self.publish(&ours, context)?;
        Ok(Action::requeue_after(STATUS_EVERY))
    }
}

/// What the controller's own port answers.
pub fn health(path: &str) -> Response {
    match path {
        "/healthz" | "/" => Response::new(200, "ok"),
        _ => Response::new(404, "404 page not found\n"),
    }
}
