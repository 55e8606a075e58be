//! Gives Services of type LoadBalancer addresses.
//!
//! Upstream: `controller/main.go`, `controller/service.go`, `internal/allocator/allocator.go`.

use super::pools::Pool;
use super::{NAMESPACE, kind, watch};
use crate::controller_program::{InContainer, StartsInContainer};
use k8s_openapi::api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus};
use naru_api::{Key, KindRef, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_shell::Sys;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// By which a Service asks for addresses.
const WANTED: [&str; 2] = ["metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"];
/// By which a Service asks for a pool.
const POOL: [&str; 2] = ["metallb.io/address-pool", "metallb.universe.tf/address-pool"];
const FROM_POOL: &str = "metallb.io/ip-allocated-from-pool";

/// The controller.
#[derive(Clone, Debug)]
pub struct Allocator {
    pools: Option<KindRef>,
    /// Why Services have no address: told once.
    told: BTreeMap<Key, String>,
}

impl StartsInContainer for Allocator {
    const ACCOUNT: (&'static str, &'static str) = (NAMESPACE, "controller");

    fn start(sys: &mut dyn Sys) -> Self {
        Allocator { pools: kind(sys, "IPAddressPool"), told: BTreeMap::new() }
    }
}

impl InContainer for Allocator {}

/// The addresses that a Service has.
pub fn addresses(service: &Service) -> Vec<Ipv4Addr> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = status.into_iter().flat_map(|balancer| balancer.ingress.iter().flatten());
    points.filter_map(|point| point.ip.as_deref()?.parse().ok()).collect()
}

/// Whether a Service is to have an address from here.
pub fn is_balanced(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|spec| {
        spec.type_.as_deref() == Some("LoadBalancer") && spec.load_balancer_class.is_none()
    })
}

fn annotation<'a>(service: &'a Service, names: &[&str]) -> Option<&'a str> {
    let all = service.metadata.annotations.as_ref()?;
    names.iter().find_map(|name| all.get(*name)).map(String::as_str)
}

/// The address for a Service, and the pool it is of. The error is the text of its event.
fn choose(
    service: &Service,
    pools: &[Pool],
    taken: &BTreeSet<Ipv4Addr>,
) -> Result<(Ipv4Addr, String), String> {
    let legacy = service.spec.as_ref().and_then(|spec| spec.load_balancer_ip.as_deref());
    let wanted = annotation(service, &WANTED).or(legacy.filter(|ip| !ip.is_empty()));
    if let Some(text) = wanted {
        let ip: Ipv4Addr = text.parse().map_err(|_| format!("invalid LoadBalancerIPs: {text}"))?;
        let pool = pools.iter().find(|pool| pool.has(ip));
        let pool = pool.ok_or_else(|| format!("[\"{ip}\"] is not allowed in config"))?;
        return match taken.contains(&ip) {
            true => Err(format!("can't change sharing key for \"{ip}\", address also in use")),
            false => Ok((ip, pool.name.clone())),
        };
    }
    if let Some(name) = annotation(service, &POOL) {
        let pool = pools.iter().find(|pool| pool.name == name);
        let pool = pool.ok_or_else(|| format!("unknown pool \"{name}\""))?;
        let ip = pool.free(taken);
        let none = || format!("no available IPs in pool \"{name}\" for ipv4 IPFamily");
        return ip.map(|ip| (ip, pool.name.clone())).ok_or_else(none);
    }
    let mut auto = pools.iter().filter(|pool| pool.auto_assign);
    let found = auto.find_map(|pool| Some((pool.free(taken)?, pool.name.clone())));
    found.ok_or_else(|| "no available IPs".to_owned())
}

impl Controller for Allocator {
    fn name(&self) -> &str {
        "metallb-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        self.pools.iter().map(watch).chain([Watch::all::<Service>()]).collect()
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let own = event.object.key();
        let waits = |object: &&Object| {
            let service = object.get::<Service>();
            service.is_some_and(|it| is_balanced(it) && addresses(it).is_empty())
        };
        let had =
            |object: &Object| !object.get::<Service>().is_none_or(|it| addresses(it).is_empty());
        let gone = event.kind == WatchEventType::Deleted;
        // Who waits for an address may have the one that was given back, or that of a new pool.
        let freed = gone && had(&event.object) || old.is_some_and(had) && !had(&event.object);
        match event.object.kind() == Service::kind() && !freed {
            true => vec![own],
            false => cache.objects(&Service::kind(), "").filter(waits).map(Object::key).collect(),
        }
    }
}

impl Reconcile<()> for Allocator {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(service) = context.cache.arc::<Service>(key) else {
            self.told.remove(key);
            return Ok(Action::await_change());
        };
        if !is_balanced(&service) || !addresses(&service).is_empty() {
            return Ok(Action::await_change());
        }
        let pools = Pool::all(context.cache, self.pools.as_ref());
        if pools.is_empty() {
            // As upstream, which does not answer before it is configured.
            return Ok(Action::await_change());
        }
        let others = context.cache.list::<Service>("");
        let taken: BTreeSet<Ipv4Addr> = others.flat_map(addresses).collect();
        let object = Object::new(Service::clone(&service));
        match choose(&service, &pools, &taken) {
            Ok((ip, pool)) => {
                self.told.remove(key);
                let text = format!("Assigned IP [\"{ip}\"]");
                context.event(&object, EventType::Normal, "IPAllocated", &text);
                give(context, &service, ip, &pool)
            }
            Err(why) => {
                let text =
                    format!("Failed to allocate IP for \"{}/{}\": {why}", key.namespace, key.name);
                if self.told.insert(key.clone(), text.clone()).as_ref() != Some(&text) {
                    context.event(&object, EventType::Warning, "AllocationFailed", &text);
                }
                Ok(Action::await_change())
            }
        }
    }
}

fn give(
    context: &mut Context<'_>,
    service: &Service,
    ip: Ipv4Addr,
    pool: &str,
) -> Result<Action, Error> {
    let mut next = service.clone();
    let annotations = next.metadata.annotations.get_or_insert_default();
    annotations.insert(FROM_POOL.to_owned(), pool.to_owned());
    let mut next = (*context.client.update(next)?).clone();
    let point = LoadBalancerIngress {
        ip: Some(ip.to_string()),
        ip_mode: Some("VIP".to_owned()),
        ..LoadBalancerIngress::default()
    };
    let balancer = LoadBalancerStatus { ingress: Some(vec![point]) };
    let conditions = next.status.take().and_then(|status| status.conditions);
    next.status = Some(ServiceStatus { conditions, load_balancer: Some(balancer) });
    context.client.update_status(next)?;
    Ok(Action::await_change())
}
