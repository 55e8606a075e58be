//! Mirrors the Endpoints that somebody wrote by hand, for a Service without a selector, as
//! EndpointSlices: those are what kube-proxy and DNS read.
//!
//! Upstream: `pkg/controller/endpointslicemirroring`.

use super::arrange::{Group, Plan, PortsKey, ports_key};
use super::tracker::Tracker;
use super::{MANAGED_BY, SERVICE_NAME, label};
use crate::controller_ref::new_controller_ref;
use crate::services::LAST_CHANGE_TRIGGER_TIME;
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use std::collections::BTreeMap;
use std::net::IpAddr;

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints that are somebody's lock, and no addresses.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Addresses of a subset that are mirrored. Upstream: `--mirroring-max-endpoints-per-subset`.
const ADDRESSES_MAX: usize = 1_000;

/// The endpoint slice mirroring controller.
#[derive(Clone, Debug, Default)]
pub struct EndpointSliceMirroringController {
    tracker: Tracker,
}

impl Controller for EndpointSliceMirroringController {
    fn name(&self) -> &str {
        "endpointslice-mirroring-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Endpoints>(), Watch::all::<EndpointSlice>(), Watch::all::<Service>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.kind() == EndpointSlice::kind() {
            return self.tracker.map(event, MANAGER);
        }
        if object.kind() == Service::kind() {
            let selects = |object: &Object| object.get::<Service>().is_some_and(has_selector);
            // Of Services that select their pods, another controller takes care.
            let other = selects(object) && old.is_none_or(selects);
            return if other { Vec::new() } else { vec![object.key()] };
        }
        let mirrored = |object: &Object| object.get::<Endpoints>().is_some_and(is_mirrored);
        let concerns = mirrored(object) || old.is_some_and(mirrored);
        if concerns { vec![object.key()] } else { Vec::new() }
    }
}

impl Reconcile for EndpointSliceMirroringController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        if self.tracker.is_behind(key, cache) {
            return Err(Error::Other("EndpointSlice informer cache is out of date".to_owned()));
        }
        let of_service = |slice: &&EndpointSlice| {
            label(slice, MANAGED_BY) == Some(MANAGER)
                && label(slice, SERVICE_NAME) == Some(&key.name)
        };
        let existing: Vec<&EndpointSlice> =
            cache.list::<EndpointSlice>(&key.namespace).filter(of_service).collect();
        let wanted = cache.get::<Service>(key).is_some_and(|service| !has_selector(service));
        let object = cache.object(&Endpoints::kind(), key).filter(|_| wanted);
        let endpoints = object.and_then(|object| Some((object, object.get::<Endpoints>()?)));
        let Some((object, endpoints)) = endpoints.filter(|(_, it)| is_mirrored(it)) else {
            let plan = Plan::new(Vec::new(), &existing, &|_| EndpointSlice::default());
            self.tracker.carry_out(context, key, plan)?;
            self.tracker.forget(key);
            return Ok(Action::await_change());
        };
        let Mirror { groups, invalid, skipped } = mirror(endpoints);
        let plan =
            Plan::new(groups, &existing, &|group: &Group| new_slice(object, endpoints, group));
        if invalid > 0 {
            let text =
                format!("Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices");
            context.event(object, EventType::Warning, "InvalidIPAddress", &text);
        }
        if skipped > 0 {
            let text = format!(
                "A max of {ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints \
                 subset. {skipped} addresses were skipped"
            );
            context.event(object, EventType::Warning, "TooManyAddressesToMirror", &text);
        }
        self.tracker.carry_out(context, key, plan)?;
        Ok(Action::await_change())
    }
}

fn has_selector(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| spec.selector.is_some())
}

fn is_mirrored(endpoints: &Endpoints) -> bool {
    let has = |map: &Option<BTreeMap<String, String>>, name: &str| {
        map.as_ref().and_then(|map| map.get(name).cloned())
    };
    has(&endpoints.metadata.labels, SKIP).as_deref() != Some("true")
        && has(&endpoints.metadata.annotations, LEADER).is_none()
}

/// What becomes of Endpoints.
#[derive(Default)]
struct Mirror {
    groups: Vec<Group>,
    /// Addresses that are none.
    invalid: usize,
    /// Addresses beyond the limit.
    skipped: usize,
}

fn mirror(endpoints: &Endpoints) -> Mirror {
    let mut all = Mirror::default();
    let mut groups: BTreeMap<(String, PortsKey), Group> = BTreeMap::new();
    for subset in endpoints.subsets.iter().flatten() {
        let ports = ports_of(subset);
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten();
        let addresses = ready.chain(not_ready.map(|address| (address, false)));
        let mut count = 0;
        for (address, ready) in addresses {
            let family = match address.ip.parse() {
                Ok(IpAddr::V4(_)) => "IPv4",
                Ok(IpAddr::V6(_)) => "IPv6",
                Err(_) => {
                    all.invalid += 1;
                    continue;
                }
            };
            count += 1;
            if count > ADDRESSES_MAX {
                all.skipped += 1;
                continue;
            }
            let group = groups.entry((family.to_owned(), ports_key(&ports))).or_insert_with(|| {
                Group { family: family.to_owned(), ports: ports.clone(), endpoints: Vec::new() }
            });
            group.endpoints.push(endpoint(address, ready));
        }
    }
    all.groups = groups.into_values().collect();
    all
}

fn ports_of(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let port = |port: &k8s_openapi::api::core::v1::EndpointPort| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: port.protocol.clone(),
        app_protocol: port.app_protocol.clone(),
    };
    subset.ports.iter().flatten().map(port).collect()
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn new_slice(object: &Object, endpoints: &Endpoints, group: &Group) -> EndpointSlice {
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), object.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|name, _| name != LAST_CHANGE_TRIGGER_TIME && name != LAST_APPLIED);
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", object.name())),
            namespace: Some(object.namespace().to_owned()),
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            owner_references: Some(vec![new_controller_ref(object)]),
            ..ObjectMeta::default()
        },
        address_type: group.family.clone(),
        endpoints: Vec::new(),
        ports: (!group.ports.is_empty()).then(|| group.ports.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_by_family_and_ports() {
        let address = |ip: &str| EndpointAddress { ip: ip.to_owned(), ..Default::default() };
        let many: Vec<EndpointAddress> =
            (0..1_002).map(|n| address(&format!("10.1.{}.{}", n / 250, n % 250))).collect();
        let subset = |ready: Vec<EndpointAddress>, not_ready: Vec<EndpointAddress>, port| {
            let port = k8s_openapi::api::core::v1::EndpointPort { port, ..Default::default() };
            EndpointSubset {
                addresses: Some(ready),
                not_ready_addresses: Some(not_ready),
                ports: Some(vec![port]),
            }
        };
        let two = vec![address("10.0.0.1"), address("fd00::1")];
        for (subsets, expected, invalid, skipped) in [
            (vec![], "", 0, 0),
            (vec![subset(two, vec![], 80)], "IPv4 80 1, IPv6 80 1", 0, 0),
            (vec![subset(vec![address("x")], vec![address("10.0.0.2")], 80)], "IPv4 80 1", 1, 0),
            (vec![subset(many, vec![], 81)], "IPv4 81 1000", 0, 2),
        ] {
            let all = mirror(&Endpoints { subsets: Some(subsets), ..Endpoints::default() });
            let text = |group: &Group| {
                let port = group.ports.first().and_then(|port| port.port).unwrap_or_default();
                format!("{} {port} {}", group.family, group.endpoints.len())
            };
            let texts: Vec<String> = all.groups.iter().map(text).collect();
            assert_eq!(texts.join(", "), expected);
            assert_eq!((all.invalid, all.skipped), (invalid, skipped), "{expected}");
        }
    }
}
