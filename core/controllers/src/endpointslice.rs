//! Lists the addresses of each Service's pods as EndpointSlices.
//!
//! Upstream: `pkg/controller/endpointslice` and `staging/src/k8s.io/endpointslice`.

use crate::controller_ref::new_controller_ref;
use crate::pod_control::is_namespace_terminating;
use crate::services::{
    HEADLESS, LAST_CHANGE_TRIGGER_TIME, Members, TriggerTimes, families, find_port, has_endpoints,
    hostname, is_headless, may_be_endpoint, pod_ip,
};
use k8s_openapi::api::core::v1::{Node, ObjectReference, Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::labels::Labels;
use naru_api::request::DeleteOptions;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use std::collections::BTreeMap;

/// Endpoints in one slice. Upstream: `--max-endpoints-per-slice`.
const ENDPOINTS_MAX: usize = 100;
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The endpoint slice controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceController {
    members: Members,
    times: TriggerTimes,
    tracker: Tracker,
}

impl Controller for EndpointSliceController {
    fn name(&self) -> &str {
        "endpoint-slice-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<Service>(),
            Watch::all::<Pod>(),
            Watch::all::<Node>(),
            Watch::all::<EndpointSlice>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == EndpointSlice::kind() {
            return self.map_slice(event);
        }
        self.members.observe(event, old, cache)
    }
}

impl EndpointSliceController {
    fn map_slice(&mut self, event: &WatchEvent) -> Vec<Key> {
        let slice = &event.object;
        let Some(service) = slice.label(SERVICE_NAME) else { return Vec::new() };
        if slice.label(MANAGED_BY) != Some(MANAGER) {
            return Vec::new();
        }
        let service = Key::new(slice.namespace(), service);
        let gone = event.kind == WatchEventType::Deleted;
        let expected = self.tracker.observe(&service, slice, gone);
        if expected { Vec::new() } else { vec![service] }
    }
}

impl Reconcile for EndpointSliceController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(object) = cache.object(&Service::kind(), key) else {
            self.times.forget(key);
            self.tracker.forget(key);
            // The garbage collector deletes the slices with their owner.
            return Ok(Action::await_change());
        };
        let Some(service) = object.get::<Service>().filter(|service| has_endpoints(service)) else {
            return Ok(Action::await_change());
        };
        if self.tracker.is_behind(key, cache) {
            return Err(Error::Other("EndpointSlice informer cache is out of date".to_owned()));
        }
        let time = self.times.compute(key, service, self.members.pods(cache, key));
        let existing: Vec<&EndpointSlice> = cache
            .controlled::<EndpointSlice>(object.uid())
            .filter(|slice| label(slice, MANAGED_BY) == Some(MANAGER))
            .filter(|slice| slice.metadata.deletion_timestamp.is_none())
            .collect();
        let pods: Vec<&Pod> = self.members.pods(cache, key).collect();
        let plan = plan(object, service, &pods, &existing, cache, time);
        self.carry_out(context, key, plan).map_err(|error| {
            if !matches!(&error, Error::Api(api) if is_namespace_terminating(api)) {
                let text = format!("Error updating Endpoint Slices for Service {key}: {error}");
                let reason = "FailedToUpdateEndpointSlices";
                context.event(object, EventType::Warning, reason, &text);
            }
            error
        })?;
        Ok(Action::await_change())
    }
}

impl EndpointSliceController {
    fn carry_out(
        &mut self,
        context: &mut Context<'_>,
        service: &Key,
        plan: Plan,
    ) -> Result<(), Error> {
        for slice in plan.create {
            match context.client.create(slice) {
                Ok(slice) => self.tracker.expect(service, &Object::new((*slice).clone())),
                Err(error) if is_namespace_terminating(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        for slice in plan.update {
            let slice = context.client.update(slice)?;
            self.tracker.expect(service, &Object::new((*slice).clone()));
        }
        for name in plan.delete {
            let options = DeleteOptions::default();
            match context.client.delete::<EndpointSlice>(&service.namespace, &name, options) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => self.tracker.expect_gone(service, &name),
            }
        }
        Ok(())
    }
}

/// The slices that were written, so that a cache which does not show them yet is known to be
/// behind. Upstream: `EndpointSliceTracker`.
#[derive(Clone, Debug, Default)]
struct Tracker {
    /// By Service and slice: the revision that was written; `None` when it was deleted.
    written: BTreeMap<Key, BTreeMap<String, Option<u64>>>,
}

impl Tracker {
    fn expect(&mut self, service: &Key, slice: &Object) {
        let slices = self.written.entry(service.clone()).or_default();
        slices.insert(slice.name().to_owned(), Some(slice.revision()));
    }

    fn expect_gone(&mut self, service: &Key, name: &str) {
        let slices = self.written.entry(service.clone()).or_default();
        slices.insert(name.to_owned(), None);
    }

    fn forget(&mut self, service: &Key) {
        self.written.remove(service);
    }

    /// Takes over a delivery; returns whether this controller itself has made the change.
    fn observe(&mut self, service: &Key, slice: &Object, gone: bool) -> bool {
        let Some(slices) = self.written.get_mut(service) else { return false };
        match slices.get(slice.name()) {
            Some(None) if gone => {
                slices.remove(slice.name());
                true
            }
            Some(Some(_)) if gone => {
                slices.remove(slice.name());
                false
            }
            Some(Some(revision)) => slice.revision() <= *revision,
            Some(None) => true,
            None => false,
        }
    }

    fn is_behind(&self, service: &Key, cache: &Cache) -> bool {
        self.written.get(service).into_iter().flatten().any(|(name, written)| {
            let key = Key::new(service.namespace.clone(), name.clone());
            let cached = cache.object(&EndpointSlice::kind(), &key);
            match written {
                Some(revision) => cached.is_none_or(|cached| cached.revision() < *revision),
                None => cached.is_some(),
            }
        })
    }
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    create: Vec<EndpointSlice>,
    update: Vec<EndpointSlice>,
    delete: Vec<String>,
}

impl Plan {
    /// Gives a slice these endpoints, unless it has them.
    fn write(&mut self, slice: &EndpointSlice, endpoints: Vec<Endpoint>, model: &EndpointSlice) {
        let labels = &model.metadata.labels;
        if endpoints == slice.endpoints
            && *labels == slice.metadata.labels
            && slice.ports == model.ports
        {
            return;
        }
        let mut changed = EndpointSlice { endpoints, ..model.clone() };
        changed.metadata = ObjectMeta {
            labels: labels.clone(),
            annotations: model.metadata.annotations.clone(),
            ..slice.metadata.clone()
        };
        self.update.push(changed);
    }

    /// Writes what is to be made into slices that would be deleted.
    fn reuse(&mut self, existing: &[&EndpointSlice]) {
        let mut left = Vec::new();
        for model in std::mem::take(&mut self.create) {
            let reusable = self.delete.iter().position(|name| {
                let slice =
                    existing.iter().find(|slice| slice.metadata.name.as_ref() == Some(name));
                slice.is_some_and(|slice| slice.address_type == model.address_type)
            });
            let name = reusable.map(|index| self.delete.remove(index));
            let slice = existing.iter().find(|s| name.is_some() && s.metadata.name == name);
            match slice {
                Some(slice) => self.write(slice, model.endpoints.clone(), &model),
                None => left.push(model),
            }
        }
        self.create = left;
    }
}

/// What makes ports equal: name, number, protocol.
type PortsKey = Vec<(Option<String>, Option<i32>, Option<String>)>;

fn ports_key(ports: &[EndpointPort]) -> PortsKey {
    let mut key: PortsKey =
        ports.iter().map(|p| (p.name.clone(), p.port, p.protocol.clone())).collect();
    key.sort();
    key
}

/// What slices of one address family and one list of ports have in common.
struct Group {
    family: String,
    ports: Vec<EndpointPort>,
    endpoints: Vec<Endpoint>,
}

fn plan(
    object: &Object,
    service: &Service,
    pods: &[&Pod],
    existing: &[&EndpointSlice],
    cache: &Cache,
    time: Option<String>,
) -> Plan {
    let mut plan = Plan::default();
    let template = |group: &Group| new_slice(object, service, group, time.clone());
    for family in families(service) {
        let mut left: BTreeMap<PortsKey, Vec<&EndpointSlice>> = BTreeMap::new();
        for slice in existing.iter().filter(|slice| slice.address_type == family) {
            let ports = slice.ports.as_deref().unwrap_or_default();
            left.entry(ports_key(ports)).or_default().push(slice);
        }
        let groups = groups(service, pods, &family, cache);
        let empty = groups.is_empty();
        for group in groups {
            let slices = left.remove(&ports_key(&group.ports)).unwrap_or_default();
            let model = template(&group);
            fit(&mut plan, group.endpoints, slices, &model);
        }
        let mut unused = left.into_values().flatten();
        if empty {
            // A Service without endpoints has one slice that says so.
            let model = template(&Group { family, ports: Vec::new(), endpoints: Vec::new() });
            match unused.next() {
                Some(slice) => plan.write(slice, Vec::new(), &model),
                None => plan.create.push(model),
            }
        }
        plan.delete.extend(unused.filter_map(|slice| slice.metadata.name.clone()));
    }
    let families = families(service);
    let strange = existing.iter().filter(|slice| !families.contains(&slice.address_type));
    plan.delete.extend(strange.filter_map(|slice| slice.metadata.name.clone()));
    plan.reuse(existing);
    plan
}

/// Puts a group's endpoints into the slices there are, with the fewest writes, and makes new ones
/// for what does not fit.
fn fit(
    plan: &mut Plan,
    endpoints: Vec<Endpoint>,
    slices: Vec<&EndpointSlice>,
    model: &EndpointSlice,
) {
    let mut wanted: BTreeMap<String, Endpoint> =
        endpoints.into_iter().map(|endpoint| (identity(&endpoint), endpoint)).collect();
    let mut kept: Vec<(&EndpointSlice, Vec<Endpoint>)> = slices
        .into_iter()
        .map(|slice| {
            let stay = slice.endpoints.iter().filter_map(|old| wanted.remove(&identity(old)));
            (slice, stay.collect())
        })
        .collect();
    let mut new: Vec<Endpoint> = wanted.into_values().collect();
    // First where a write is due anyway, then where all that is left fits.
    for (slice, endpoints) in &mut kept {
        if *endpoints != slice.endpoints {
            let room = ENDPOINTS_MAX.saturating_sub(endpoints.len());
            endpoints.extend(new.drain(..room.min(new.len())));
        }
    }
    let fits = |(_, endpoints): &&mut (&EndpointSlice, Vec<Endpoint>)| {
        !new.is_empty() && endpoints.len() + new.len() <= ENDPOINTS_MAX
    };
    if let Some((_, endpoints)) = kept.iter_mut().filter(fits).max_by_key(|(_, e)| e.len()) {
        endpoints.append(&mut new);
    }
    for (slice, endpoints) in kept {
        if endpoints.is_empty() {
            plan.delete.extend(slice.metadata.name.clone());
        } else {
            plan.write(slice, endpoints, model);
        }
    }
    for chunk in new.chunks(ENDPOINTS_MAX) {
        plan.create.push(EndpointSlice { endpoints: chunk.to_vec(), ..model.clone() });
    }
}

/// What tells endpoints apart: the pod and its address.
fn identity(endpoint: &Endpoint) -> String {
    let uid = endpoint.target_ref.as_ref().and_then(|reference| reference.uid.as_deref());
    format!("{}/{}", uid.unwrap_or_default(), endpoint.addresses.join(","))
}

fn groups(service: &Service, pods: &[&Pod], family: &str, cache: &Cache) -> Vec<Group> {
    let spec = service.spec.clone().unwrap_or_default();
    let mut groups: BTreeMap<PortsKey, Group> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| may_be_endpoint(pod, true)) {
        let Some(ip) = pod_ip(pod, family) else { continue };
        let ports: Vec<EndpointPort> = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|port| {
                Some(EndpointPort {
                    name: Some(port.name.clone().unwrap_or_default()),
                    port: Some(find_port(pod, port)?),
                    protocol: port.protocol.clone(),
                    app_protocol: port.app_protocol.clone(),
                })
            })
            .collect();
        let endpoint = endpoint(pod, service, ip, cache);
        let group = groups.entry(ports_key(&ports)).or_insert_with(|| Group {
            family: family.to_owned(),
            ports,
            endpoints: Vec::new(),
        });
        group.endpoints.push(endpoint);
    }
    groups.into_values().collect()
}

fn endpoint(pod: &Pod, service: &Service, ip: &str, cache: &Cache) -> Endpoint {
    let spec = service.spec.as_ref();
    let serving = pods::is_ready(pod);
    let terminating = pods::is_terminating(pod);
    let always = spec.and_then(|spec| spec.publish_not_ready_addresses) == Some(true);
    let node = pods::node_name(pod);
    let zone = cache
        .get::<Node>(&Key::new("", node))
        .and_then(|node| node.metadata.labels.as_ref()?.get(ZONE).cloned());
    Endpoint {
        addresses: vec![ip.to_owned()],
        conditions: Some(EndpointConditions {
            ready: Some(always || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(pod, service),
        node_name: (!node.is_empty()).then(|| node.to_owned()),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
        zone,
        ..Endpoint::default()
    }
}

fn new_slice(
    object: &Object,
    service: &Service,
    group: &Group,
    time: Option<String>,
) -> EndpointSlice {
    let annotations = time.map(|time| [(LAST_CHANGE_TRIGGER_TIME.to_owned(), time)].into());
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", object.name())),
            namespace: Some(object.namespace().to_owned()),
            labels: Some(labels_of(service)),
            annotations,
            owner_references: Some(vec![new_controller_ref(object)]),
            ..ObjectMeta::default()
        },
        address_type: group.family.clone(),
        endpoints: Vec::new(),
        ports: (!group.ports.is_empty()).then(|| group.ports.clone()),
    }
}

fn labels_of(service: &Service) -> Labels {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    for reserved in [HEADLESS, SERVICE_NAME, MANAGED_BY] {
        labels.remove(reserved);
    }
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels
}

fn label<'a>(slice: &'a EndpointSlice, name: &str) -> Option<&'a str> {
    slice.metadata.labels.as_ref()?.get(name).map(String::as_str)
}
