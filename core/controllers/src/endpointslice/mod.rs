//! Lists the addresses of each Service's pods as EndpointSlices.
//!
//! Upstream: `pkg/controller/endpointslice` and `staging/src/k8s.io/endpointslice`.

mod arrange;
mod mirroring;
mod tracker;

pub use mirroring::EndpointSliceMirroringController;

use crate::controller_ref::new_controller_ref;
use crate::pod_control::is_namespace_terminating;
use crate::services::{
    HEADLESS, LAST_CHANGE_TRIGGER_TIME, Members, TriggerTimes, families, find_port, has_endpoints,
    has_same_ports, hostname, is_headless, may_be_endpoint, pod_ip,
};
use arrange::{Group, Plan, PortsKey, ports_key};
use k8s_openapi::api::core::v1::{Node, ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForZone,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::labels::Labels;
use naru_api::{Key, Kube, Object, WatchEvent, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use std::collections::BTreeMap;
use tracker::Tracker;

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
            return self.tracker.map(event, MANAGER);
        }
        self.members.observe(event, old, cache)
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
        let time = self.times.compute(key, service, self.members.pods(key));
        let existing: Vec<&EndpointSlice> = cache
            .controlled::<EndpointSlice>(object.uid())
            .filter(|slice| label(slice, MANAGED_BY) == Some(MANAGER))
            .filter(|slice| slice.metadata.deletion_timestamp.is_none())
            .collect();
        let pods: Vec<&Pod> = self.members.pods(key).collect();
        let plan = plan(object, service, &pods, &existing, cache, time);
        self.tracker.carry_out(context, key, plan).map_err(|error| {
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

fn plan(
    object: &Object,
    service: &Service,
    pods: &[&Pod],
    existing: &[&EndpointSlice],
    cache: &Cache,
    time: Option<String>,
) -> Plan {
    let template = |group: &Group| new_slice(object, service, group, time.clone());
    let groups = families(service).into_iter().flat_map(|family| {
        let groups = groups(service, pods, &family, cache);
        // A Service without endpoints has one slice that says so.
        match groups.is_empty() {
            true => vec![Group { family, ports: Vec::new(), endpoints: Vec::new() }],
            false => groups,
        }
    });
    Plan::new(groups.collect(), existing, &template)
}

fn groups(service: &Service, pods: &[&Pod], family: &str, cache: &Cache) -> Vec<Group> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let same_ports = has_same_ports(ports);
    let mut groups: Vec<(PortsKey, Group)> = Vec::new();
    let mut zones = Zones { cache, known: BTreeMap::new() };
    for pod in pods.iter().filter(|pod| may_be_endpoint(pod, true)) {
        let Some(ip) = pod_ip(pod, family) else { continue };
        let endpoint = endpoint(pod, service, ip, zones.of(pods::node_name(pod)));
        if let Some((_, group)) = groups.first_mut().filter(|_| same_ports) {
            group.endpoints.push(endpoint);
            continue;
        }
        let ports = ports_of(pod, ports);
        let key = ports_key(&ports);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.endpoints.push(endpoint),
            None => {
                let (family, endpoints) = (family.to_owned(), vec![endpoint]);
                groups.push((key, Group { family, ports, endpoints }));
            }
        }
    }
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    groups.into_iter().map(|(_, group)| group).collect()
}

fn ports_of(pod: &Pod, ports: &[ServicePort]) -> Vec<EndpointPort> {
    let port = |port: &ServicePort| {
        Some(EndpointPort {
            name: Some(port.name.clone().unwrap_or_default()),
            port: Some(find_port(pod, port)?),
            protocol: port.protocol.clone(),
            app_protocol: port.app_protocol.clone(),
        })
    };
    ports.iter().filter_map(port).collect()
}

/// The zones of nodes, each looked up once.
struct Zones<'a> {
    cache: &'a Cache,
    known: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Zones<'a> {
    fn of(&mut self, node: &'a str) -> Option<&'a str> {
        *self.known.entry(node).or_insert_with(|| {
            let node = self.cache.get::<Node>(&Key::new("", node))?;
            node.metadata.labels.as_ref()?.get(ZONE).map(String::as_str)
        })
    }
}

fn endpoint(pod: &Pod, service: &Service, ip: &str, zone: Option<&str>) -> Endpoint {
    let spec = service.spec.as_ref();
    let serving = pods::is_ready(pod);
    let terminating = pods::is_terminating(pod);
    let always = spec.and_then(|spec| spec.publish_not_ready_addresses) == Some(true);
    let node = pods::node_name(pod);
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
        hints: hints(service, zone),
        zone: zone.map(str::to_owned),
        ..Endpoint::default()
    }
}

/// The zone that should use an endpoint: its own, where the Service prefers what is close.
///
/// Upstream: `staging/src/k8s.io/endpointslice/trafficdist`.
fn hints(service: &Service, zone: Option<&str>) -> Option<EndpointHints> {
    let asked = service.spec.as_ref().and_then(|spec| spec.traffic_distribution.as_deref());
    let zone = zone.filter(|_| asked == Some("PreferClose"))?;
    let zones = vec![ForZone { name: zone.to_owned() }];
    Some(EndpointHints { for_zones: Some(zones), ..EndpointHints::default() })
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
