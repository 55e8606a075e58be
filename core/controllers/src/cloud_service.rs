//! Sees to the load balancers that a cloud makes for Services of type LoadBalancer.
//!
//! Upstream: `staging/src/k8s.io/cloud-provider/controllers/service/controller.go`.

mod balancers;
mod changes;

use crate::util::key_of;
use balancers::Balancers;
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::{Node, Service};
use naru_api::request::Patch;
use naru_api::scheduling::taints;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Keeps a Service until its load balancer is gone.
const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Nodes with this label get no traffic from load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// From one try to the next: doubled each time.
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The service controller of a cloud controller manager.
#[derive(Clone, Debug)]
pub struct ServiceController {
    balancers: Balancers,
    /// Services that have changed, with the events that tell how.
    changed: BTreeMap<Key, Vec<(&'static str, String)>>,
    /// Services whose balancers are to learn of other nodes.
    hosts_changed: BTreeSet<Key>,
    hosts: BTreeSet<String>,
    tries: BTreeMap<Key, u32>,
}

impl ServiceController {
    /// A controller whose cloud takes the addresses of load balancers from `range`.
    pub fn new(range: Ipv4Net) -> Self {
        ServiceController {
            balancers: Balancers::new(range),
            changed: BTreeMap::new(),
            hosts_changed: BTreeSet::new(),
            hosts: BTreeSet::new(),
            tries: BTreeMap::new(),
        }
    }
}

/// Whether the Service is to have a load balancer of the cloud's own class.
fn wants_load_balancer(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    spec.type_.as_deref() == Some("LoadBalancer") && spec.load_balancer_class.is_none()
}

fn has_finalizer(service: &Service) -> bool {
    service.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

fn needs_cleanup(service: &Service) -> bool {
    let kind = service.spec.as_ref().and_then(|spec| spec.type_.as_deref());
    has_finalizer(service)
        && (service.metadata.deletion_timestamp.is_some() || kind != Some("LoadBalancer"))
}

/// Whether traffic may be sent to the node.
fn takes_traffic(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let excluded = labels.is_some_and(|labels| labels.contains_key(EXCLUDED));
    let leaves = taints(node).iter().any(|taint| taint.key == TO_BE_DELETED);
    let status = node.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
    let ready =
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && !excluded && !leaves
}

fn hosts(cache: &Cache) -> BTreeSet<String> {
    let nodes = cache.list::<Node>("").filter(|node| takes_traffic(node));
    nodes.map(|node| key_of(node).name).collect()
}

impl Controller for ServiceController {
    fn name(&self) -> &str {
        "service-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>(), Watch::all::<Service>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.get::<Node>().is_some() {
            return self.observe_hosts(hosts(cache), cache);
        }
        let Some(service) = event.object.get::<Service>() else { return Vec::new() };
        let key = event.object.key();
        if event.kind == WatchEventType::Deleted {
            return vec![key];
        }
        let mut notes = Vec::new();
        let update = match old.and_then(Object::get::<Service>) {
            Some(old) => {
                (wants_load_balancer(old) || wants_load_balancer(service))
                    && changes::needs_update(old, service, &mut notes)
            }
            None => wants_load_balancer(service),
        };
        if !update && !needs_cleanup(service) {
            return Vec::new();
        }
        self.changed.entry(key.clone()).or_default().extend(notes);
        vec![key]
    }
}

impl Reconcile for ServiceController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(object) = context.cache.object(&Service::kind(), key).cloned() else {
            self.forget(key);
            return Ok(Action::await_change());
        };
        let Some(service) = object.get::<Service>() else { return Ok(Action::await_change()) };
        if self.hosts_changed.remove(key) && !self.changed.contains_key(key) {
            self.update_hosts(service, &object, context);
            if self.balancers.is_made(object.uid(), context.now) {
                return Ok(Action::await_change());
            }
        }
        for (reason, message) in self.changed.get_mut(key).into_iter().flat_map(std::mem::take) {
            context.event(&object, EventType::Normal, reason, &message);
        }
        let result = if needs_cleanup(service) || !wants_load_balancer(service) {
            self.clean_up(service, &object, context).map(|()| None)
        } else {
            self.ensure(service, &object, context)
        };
        match result {
            Ok(Some(wait)) => Ok(Action::requeue_after(wait)),
            Ok(None) => {
                self.changed.remove(key);
                self.tries.remove(key);
                Ok(Action::await_change())
            }
            Err(why) => {
                let message = format!("Error syncing load balancer: {why}");
                context.event(&object, EventType::Warning, "SyncLoadBalancerFailed", &message);
                let tries = self.tries.entry(key.clone()).or_default();
                *tries = (*tries + 1).min(10);
                Ok(Action::requeue_after((RETRY_MIN * 2_u32.pow(*tries - 1)).min(RETRY_MAX)))
            }
        }
    }
}

impl ServiceController {
    fn observe_hosts(&mut self, hosts: BTreeSet<String>, cache: &Cache) -> Vec<Key> {
        if hosts == self.hosts {
            return Vec::new();
        }
        self.hosts = hosts;
        let services = cache
            .list::<Service>("")
            .filter(|service| wants_load_balancer(service) && self.balancers.knows(uid(service)));
        let keys: Vec<Key> = services.map(key_of).collect();
        self.hosts_changed.extend(keys.iter().cloned());
        keys
    }

    fn update_hosts(&self, service: &Service, object: &Object, context: &mut Context<'_>) {
        if !wants_load_balancer(service) || !self.balancers.is_made(object.uid(), context.now) {
            return;
        }
        if self.hosts.is_empty() {
            no_hosts(object, context);
        } else {
            let text = "Updated load balancer with new hosts";
            context.event(object, EventType::Normal, "UpdatedLoadBalancer", text);
        }
    }

    /// Brings the load balancer about; the time to wait while the cloud makes it.
    fn ensure(
        &mut self,
        service: &Service,
        object: &Object,
        context: &mut Context<'_>,
    ) -> Result<Option<Duration>, String> {
        let under_way = self.balancers.is_being_made(object.uid(), context.now);
        if !under_way && !self.balancers.is_awaited(object.uid()) {
            let text = "Ensuring load balancer";
            context.event(object, EventType::Normal, "EnsuringLoadBalancer", text);
            set_finalizer(service, true, context)
                .map_err(|why| format!("failed to add load balancer cleanup finalizer: {why}"))?;
            if self.hosts.is_empty() {
                no_hosts(object, context);
            }
        }
        let asked = service.spec.as_ref().and_then(|spec| spec.load_balancer_ip.as_deref());
        let balancer = self
            .balancers
            .ensure(object.uid(), asked.unwrap_or_default(), context.now)
            .map_err(|why| format!("failed to ensure load balancer: {why}"))?;
        if context.now < balancer.ready_at {
            return Ok(Some(balancer.ready_at.since(context.now)));
        }
        let ingress = json!([{"ip": balancer.ip.to_string(), "ipMode": "VIP"}]);
        self.balancers.told(object.uid());
        context.event(object, EventType::Normal, "EnsuredLoadBalancer", "Ensured load balancer");
        set_status(service, ingress, context)?;
        Ok(None)
    }

    fn clean_up(
        &mut self,
        service: &Service,
        object: &Object,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        if self.balancers.knows(object.uid()) {
            let text = "Deleting load balancer";
            context.event(object, EventType::Normal, "DeletingLoadBalancer", text);
            self.balancers.delete(object.uid());
        }
        set_finalizer(service, false, context)
            .map_err(|why| format!("failed to remove load balancer cleanup finalizer: {why}"))?;
        context.event(object, EventType::Normal, "DeletedLoadBalancer", "Deleted load balancer");
        set_status(service, json!(null), context)
    }

    /// The Service is gone, and had no finalizer.
    fn forget(&mut self, key: &Key) {
        self.changed.remove(key);
        self.hosts_changed.remove(key);
        self.tries.remove(key);
    }
}

fn uid(service: &Service) -> &str {
    service.metadata.uid.as_deref().unwrap_or_default()
}

fn no_hosts(object: &Object, context: &mut Context<'_>) {
    let text = "There are no available nodes for LoadBalancer";
    context.event(object, EventType::Warning, "UnAvailableLoadBalancer", text);
}

/// Upstream: `PatchService` of `cloud-provider/service/helpers`.
fn set_finalizer(service: &Service, on: bool, context: &mut Context<'_>) -> Result<(), String> {
    if has_finalizer(service) == on {
        return Ok(());
    }
    let mut finalizers = service.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if on {
        finalizers.push(FINALIZER.to_owned());
    }
    patch(service, json!({"metadata": {"finalizers": finalizers}}), context)
}

/// Tells the Service its addresses, if they are other ones.
fn set_status(
    service: &Service,
    ingress: serde_json::Value,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let before = status.and_then(|balancer| balancer.ingress.as_ref());
    if before.is_none_or(Vec::is_empty) && ingress.is_null() {
        return Ok(());
    }
    patch(service, json!({"status": {"loadBalancer": {"ingress": ingress}}}), context)
        .map_err(|why| format!("failed to update load balancer status: {why}"))
}

fn patch(
    service: &Service,
    change: serde_json::Value,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let Key { namespace, name, .. } = key_of(service);
    let patch = Patch::Merge(change);
    match context.client.patch::<Service>(&namespace, &name, "status", patch) {
        Err(error) if !error.is_not_found() => Err(error.to_string()),
        _ => Ok(()),
    }
}
