//! Lists the addresses of each Service's pods as Endpoints.
//!
//! Upstream: `pkg/controller/endpoint/endpoints_controller.go`.

use crate::pod_control::is_namespace_terminating;
use crate::services::{
    HEADLESS, LAST_CHANGE_TRIGGER_TIME, Members, TriggerTimes, families, find_port, has_endpoints,
    has_same_ports, hostname, is_headless, may_be_endpoint, pod_ip,
};
use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, ObjectReference, Pod, Service,
    ServicePort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::labels::Labels;
use naru_api::request::DeleteOptions;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use std::collections::BTreeSet;

/// Addresses in one Endpoints object. Upstream: `maxCapacity`.
const ADDRESSES_MAX: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const NAME: &str = "endpoint-controller";

/// The endpoints controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointsController {
    members: Members,
    times: TriggerTimes,
}

impl Controller for EndpointsController {
    fn name(&self) -> &str {
        NAME
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Service>(), Watch::all::<Pod>(), Watch::all::<Endpoints>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == Endpoints::kind() {
            // Deleted by someone else: make them again. There at the start, and made by this
            // controller: is the Service still there?
            let gone = event.kind == WatchEventType::Deleted;
            let left_over = old.is_none() && event.object.label(MANAGED_BY) == Some(NAME);
            return if gone || left_over { vec![event.object.key()] } else { Vec::new() };
        }
        self.members.observe(event, old, cache)
    }
}

impl Reconcile for EndpointsController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let current = cache.object(&Endpoints::kind(), key);
        let Some(service) = cache.get::<Service>(key) else {
            self.times.forget(key);
            if current.is_some() {
                delete(context, key)?;
            }
            return Ok(Action::await_change());
        };
        if !has_endpoints(service) {
            return Ok(Action::await_change());
        }
        let time = self.times.compute(key, service, self.members.pods(key));
        let subsets = subsets_of(service, self.members.pods(key));
        let endpoints = wanted(service, current, subsets, time);
        if current.and_then(Object::get).is_some_and(|current| same(current, &endpoints)) {
            return Ok(Action::await_change());
        }
        write(context, key, current.is_none(), endpoints)?;
        Ok(Action::await_change())
    }
}

fn delete(context: &mut Context<'_>, key: &Key) -> Result<(), Error> {
    let options = DeleteOptions::default();
    match context.client.delete::<Endpoints>(&key.namespace, &key.name, options) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

fn write(
    context: &mut Context<'_>,
    key: &Key,
    create: bool,
    endpoints: Endpoints,
) -> Result<(), Error> {
    let about = Object::new(endpoints.clone());
    let written =
        if create { context.client.create(endpoints) } else { context.client.update(endpoints) };
    let Err(error) = written else { return Ok(()) };
    if create && is_namespace_terminating(&error) {
        return Ok(());
    }
    let (reason, text) = if create {
        let text = format!("Failed to create endpoint for service {key}: {error}");
        ("FailedToCreateEndpoint", text)
    } else {
        ("FailedToUpdateEndpoint", format!("Failed to update endpoint {key}: {error}"))
    };
    context.event(&about, EventType::Warning, reason, &text);
    Err(error.into())
}

fn wanted(
    service: &Service,
    current: Option<&Object>,
    mut subsets: Vec<EndpointSubset>,
    time: Option<String>,
) -> Endpoints {
    let meta = match current {
        Some(current) => current.meta().clone(),
        None => ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
    };
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.remove(LAST_CHANGE_TRIGGER_TIME);
    annotations.extend(time.map(|time| (LAST_CHANGE_TRIGGER_TIME.to_owned(), time)));
    annotations.remove(OVER_CAPACITY);
    if truncate(&mut subsets) {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    }
    Endpoints {
        metadata: ObjectMeta {
            labels: Some(labels_of(service)),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..meta
        },
        subsets: (!subsets.is_empty()).then_some(subsets),
    }
}

fn labels_of(service: &Service) -> Labels {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(MANAGED_BY.to_owned(), NAME.to_owned());
    labels
}

/// Whether a write would change nothing but the time of the last change.
fn same(current: &Endpoints, wanted: &Endpoints) -> bool {
    let annotation = |endpoints: &Endpoints| {
        endpoints.metadata.annotations.as_ref().and_then(|all| all.get(OVER_CAPACITY).cloned())
    };
    current.subsets == wanted.subsets
        && current.metadata.labels == wanted.metadata.labels
        && annotation(current) == annotation(wanted)
}

/// What makes ports equal: name, number, protocol.
type PortKey = (Option<String>, i32, Option<String>);

/// The addresses of the pods, those with the same ports together.
fn subsets_of<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Vec<EndpointSubset> {
    let spec = service.spec.as_ref();
    let unready_too = spec.and_then(|spec| spec.publish_not_ready_addresses) == Some(true);
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let (same_ports, families) = (has_same_ports(ports), families(service));
    let Some(family) = families.first() else { return Vec::new() };
    let portless = ports.is_empty() && is_headless(service);
    let mut subsets: Vec<(BTreeSet<PortKey>, EndpointSubset)> = Vec::new();
    for pod in pods.filter(|pod| may_be_endpoint(pod, unready_too)) {
        let Some(address) = address(pod, service, family) else { continue };
        if subsets.is_empty() || !same_ports {
            let found = ports_of(pod, ports);
            if found.is_empty() && !portless {
                continue;
            }
            let key = found.iter().map(|p| (p.name.clone(), p.port, p.protocol.clone())).collect();
            bring_forward(&mut subsets, key, found);
        }
        let Some((_, subset)) = subsets.last_mut() else { continue };
        let list = if unready_too || pods::is_ready(pod) {
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        list.get_or_insert_default().push(address);
    }
    subsets.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut subsets: Vec<EndpointSubset> = subsets.into_iter().map(|(_, it)| it).collect();
    for subset in &mut subsets {
        for list in [&mut subset.addresses, &mut subset.not_ready_addresses].into_iter().flatten() {
            list.sort_by(|a, b| a.ip.cmp(&b.ip));
        }
    }
    subsets
}

/// Puts the subset with these ports last, made if it is not there.
fn bring_forward(
    subsets: &mut Vec<(BTreeSet<PortKey>, EndpointSubset)>,
    key: BTreeSet<PortKey>,
    ports: Vec<EndpointPort>,
) {
    let subset = match subsets.iter().position(|(known, _)| *known == key) {
        Some(place) => subsets.remove(place).1,
        None => {
            let ports = (!ports.is_empty()).then_some(ports);
            EndpointSubset { ports, ..EndpointSubset::default() }
        }
    };
    subsets.push((key, subset));
}

fn ports_of(pod: &Pod, ports: &[ServicePort]) -> Vec<EndpointPort> {
    let port = |port: &ServicePort| {
        Some(EndpointPort {
            name: port.name.clone().filter(|name| !name.is_empty()),
            port: find_port(pod, port)?,
            protocol: port.protocol.clone(),
            app_protocol: port.app_protocol.clone(),
        })
    };
    ports.iter().filter_map(port).collect()
}

fn address(pod: &Pod, service: &Service, family: &str) -> Option<EndpointAddress> {
    Some(EndpointAddress {
        ip: pod_ip(pod, family)?.to_owned(),
        hostname: hostname(pod, service),
        node_name: Some(pods::node_name(pod).to_owned()),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
    })
}

/// Leaves out what is beyond the limit, first what is not ready. Returns whether anything was.
fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let count = |list: &Option<Vec<EndpointAddress>>| list.as_ref().map_or(0, Vec::len);
    let ready: usize = subsets.iter().map(|subset| count(&subset.addresses)).sum();
    let unready: usize = subsets.iter().map(|subset| count(&subset.not_ready_addresses)).sum();
    if ready + unready <= ADDRESSES_MAX {
        return false;
    }
    let (all, mut left) = if ready > ADDRESSES_MAX {
        (ready, ADDRESSES_MAX)
    } else {
        (unready, ADDRESSES_MAX - ready)
    };
    let room = left;
    for subset in subsets {
        let list = if ready > ADDRESSES_MAX {
            subset.not_ready_addresses = None;
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        let Some(list) = list else { continue };
        // Each subset keeps its share.
        let share = (list.len() * room).div_ceil(all.max(1)).min(left);
        list.truncate(share);
        left -= list.len();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(ready: usize, unready: usize) -> EndpointSubset {
        let list = |count| Some(vec![EndpointAddress::default(); count]);
        EndpointSubset { addresses: list(ready), not_ready_addresses: list(unready), ports: None }
    }

    #[test]
    fn truncates_what_is_not_ready_first() {
        // (before, after)
        let cases = [
            (vec![(600, 400)], vec![(600, 400)]),
            (vec![(600, 800)], vec![(600, 400)]),
            (vec![(1200, 10)], vec![(1000, 0)]),
            (vec![(600, 0), (600, 0)], vec![(500, 0), (500, 0)]),
        ];
        for (before, after) in cases {
            let mut subsets: Vec<_> = before.iter().map(|(r, u)| subset(*r, *u)).collect();
            let truncated = truncate(&mut subsets);
            assert_eq!(truncated, before != after);
            let counts: Vec<(usize, usize)> = subsets
                .iter()
                .map(|subset| {
                    let count = |list: &Option<Vec<_>>| list.as_ref().map_or(0, Vec::len);
                    (count(&subset.addresses), count(&subset.not_ready_addresses))
                })
                .collect();
            assert_eq!(counts, after);
        }
    }
}
