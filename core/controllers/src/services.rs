//! What endpoints and endpoint slices have in common: which pods belong to a Service, by which
//! address and port, and when that last changed.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/util`, `pkg/api/v1/pod/util.go` (`FindPort`).

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::labels::Selector;
use naru_api::time::{from_meta, meta_time, rfc3339};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::Cache;
use naru_sim::Time;
use std::cell::LazyCell;
use std::collections::BTreeMap;

/// The annotation that tells when the change happened which led to this state.
pub const LAST_CHANGE_TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// The label of what belongs to a headless Service.
pub const HEADLESS: &str = "service.kubernetes.io/headless";

/// The pods that each Service selects, kept up by the watch, so that a reconcile need not look at
/// all pods.
#[derive(Clone, Debug, Default)]
pub struct Members {
    services: BTreeMap<Key, Selected>,
}

#[derive(Clone, Debug)]
struct Selected {
    selector: Selector,
    /// As they were delivered last.
    pods: BTreeMap<Key, Object>,
}

impl Members {
    /// Takes over a delivery; returns the Services whose endpoints may have changed.
    pub fn observe(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == Service::kind() {
            self.observe_service(event, cache);
            return vec![event.object.key()];
        }
        if event.object.kind() == Pod::kind() {
            return self.observe_pod(event, old);
        }
        Vec::new()
    }

    /// The pods that the Service selects, by name.
    pub fn pods<'a>(&'a self, service: &Key) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let selected = self.services.get(service).into_iter();
        selected.flat_map(|selected| selected.pods.values()).filter_map(Object::get)
    }

    fn observe_service(&mut self, event: &WatchEvent, cache: &Cache) {
        let key = event.object.key();
        let spec = event.object.get::<Service>().and_then(|service| service.spec.as_ref());
        let selector = spec.and_then(|spec| spec.selector.as_ref());
        let Some(selector) = selector.filter(|_| event.kind != WatchEventType::Deleted) else {
            self.services.remove(&key);
            return;
        };
        let selector = Selector::from_map(selector);
        if self.services.get(&key).is_some_and(|selected| selected.selector == selector) {
            return;
        }
        let all = cache.objects(&Pod::kind(), &key.namespace);
        let pods = all
            .filter(|pod| selector.matches(pod.meta().labels.as_ref()))
            .map(|pod| (pod.key(), pod.clone()))
            .collect();
        self.services.insert(key, Selected { selector, pods });
    }

    fn observe_pod(&mut self, event: &WatchEvent, old: Option<&Object>) -> Vec<Key> {
        let (pod, key) = (&event.object, event.object.key());
        let gone = event.kind == WatchEventType::Deleted;
        let changed = LazyCell::new(|| gone || old.is_none_or(|old| endpoint_changed(old, pod)));
        let mut concerned = Vec::new();
        let start = Key::new(pod.namespace(), "");
        let services = self.services.range_mut(start..);
        for (service, selected) in services.take_while(|(key, _)| key.namespace == pod.namespace())
        {
            let now = !gone && selected.selector.matches(pod.meta().labels.as_ref());
            let before = match now {
                true => selected.pods.insert(key.clone(), pod.clone()),
                false => selected.pods.remove(&key),
            };
            let before = before.is_some();
            if now != before || (now && *changed) {
                concerned.push(service.clone());
            }
        }
        concerned
    }
}

/// Whether a change of a pod changes its endpoint.
fn endpoint_changed(old: &Object, new: &Object) -> bool {
    let (Some(old), Some(new)) = (old.get::<Pod>(), new.get::<Pod>()) else { return true };
    endpoint_of(old) != endpoint_of(new)
}

/// What of a pod its endpoint tells.
fn endpoint_of<'a>(pod: &'a Pod) -> impl PartialEq + use<'a> {
    let spec = pod.spec.as_ref();
    (
        pods::is_terminating(pod),
        pods::is_terminal(pod),
        pods::is_ready(pod),
        pods::node_name(pod),
        pod.status.as_ref().and_then(|status| status.pod_ips.as_ref()),
        spec.and_then(|spec| spec.hostname.as_ref()),
        spec.and_then(|spec| spec.subdomain.as_ref()),
    )
}

/// The pod's address of a family, `IPv4` or `IPv6`.
pub fn pod_ip<'a>(pod: &'a Pod, family: &str) -> Option<&'a str> {
    let ips = pod.status.as_ref()?.pod_ips.as_ref()?;
    let wanted = |ip: &&str| !ip.is_empty() && (family == "IPv6") == ip.contains(':');
    ips.iter().map(|ip| ip.ip.as_str()).find(wanted)
}

/// The families of a Service's addresses; `IPv4` when it does not say.
pub fn families(service: &Service) -> Vec<String> {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.clone());
    families.filter(|all| !all.is_empty()).unwrap_or_else(|| vec!["IPv4".to_owned()])
}

/// Whether the pod may be an endpoint at all: it has not ended and has an address. Pods that are
/// going count only if `terminating`.
pub fn may_be_endpoint(pod: &Pod, terminating: bool) -> bool {
    let has_ip = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.as_deref())
        .is_some_and(|ip| !ip.is_empty());
    !pods::is_terminal(pod) && has_ip && (terminating || !pods::is_terminating(pod))
}

/// The hostname by which DNS tells the pod, if it belongs to the Service's subdomain.
pub fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let hostname = spec.hostname.clone().filter(|name| !name.is_empty())?;
    (spec.subdomain == service.metadata.name
        && pod.metadata.namespace == service.metadata.namespace)
        .then_some(hostname)
}

/// The number of the pod's port that a port of a Service leads to.
pub fn find_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match port.target_port.as_ref() {
        None => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::String(name)) => name,
    };
    let spec = pod.spec.as_ref()?;
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars =
        sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .find(|candidate| {
            candidate.name.as_deref() == Some(name)
                && candidate.protocol.as_deref().unwrap_or("TCP") == protocol
        })
        .map(|found| found.container_port)
}

/// Whether a Service's ports lead to the same numbers in all its pods.
pub fn has_same_ports(ports: &[ServicePort]) -> bool {
    !ports.iter().any(|port| matches!(port.target_port, Some(IntOrString::String(_))))
}

/// Whether the Service has no address of its own.
pub fn is_headless(service: &Service) -> bool {
    let ip = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref());
    matches!(ip, None | Some("" | "None"))
}

/// Whether endpoints are made for the Service: it selects pods, and is no mere other name.
pub fn has_endpoints(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    spec.selector.is_some() && spec.type_.as_deref() != Some("ExternalName")
}

/// Remembers which changes were told of, to tell when the next one happened.
///
/// Upstream: `staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go`.
#[derive(Clone, Debug, Default)]
pub struct TriggerTimes {
    services: BTreeMap<Key, Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    service: Option<Time>,
    /// By name.
    pods: Vec<(String, Time)>,
}

impl TriggerTimes {
    /// The earliest change since the last call, as the annotation's value. Pods come in the order of
    /// their names.
    pub fn compute<'a>(
        &mut self,
        key: &Key,
        service: &Service,
        pods: impl Iterator<Item = &'a Pod>,
    ) -> Option<String> {
        let told = self.services.remove(key).unwrap_or_default();
        let mut now_told = Told { service: None, pods: Vec::with_capacity(told.pods.len()) };
        let mut earliest: Option<Time> = None;
        let mut changed = |at: Time| earliest = Some(earliest.map_or(at, |least| least.min(at)));
        now_told.service = service.metadata.creation_timestamp.as_ref().map(from_meta);
        if let Some(at) = now_told.service.filter(|at| told.service.is_none_or(|last| *at > last)) {
            changed(at);
        }
        let mut known = told.pods.into_iter().peekable();
        for pod in pods {
            let ready = pods::condition(pod, "Ready");
            let Some(at) = ready.and_then(|ready| ready.last_transition_time.as_ref()) else {
                continue;
            };
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            while known.next_if(|(other, _)| other.as_str() < name).is_some() {}
            let (at, last) = (from_meta(at), known.next_if(|(other, _)| other == name));
            if last.as_ref().is_none_or(|(_, last)| at > *last) {
                changed(at);
            }
            now_told.pods.push((last.map_or_else(|| name.to_owned(), |(name, _)| name), at));
        }
        self.services.insert(key.clone(), now_told);
        earliest.map(|at| rfc3339(Some(&meta_time(at))))
    }

    /// The Service is gone.
    pub fn forget(&mut self, key: &Key) {
        self.services.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec};

    #[test]
    fn named_ports_are_found_in_the_pod() {
        let port = |name: &str, protocol: &str, number| ContainerPort {
            name: Some(name.to_owned()),
            protocol: Some(protocol.to_owned()),
            container_port: number,
            ..ContainerPort::default()
        };
        let ports = vec![port("dns", "UDP", 53), port("web", "TCP", 8080)];
        let container = Container { ports: Some(ports), ..Container::default() };
        let spec = PodSpec { containers: vec![container], ..PodSpec::default() };
        let pod = Pod { spec: Some(spec.into()), ..Pod::default() };
        let cases = [
            (None, Some(80)),
            (Some(IntOrString::Int(9)), Some(9)),
            (Some(IntOrString::String("web".to_owned())), Some(8080)),
            (Some(IntOrString::String("dns".to_owned())), None),
            (Some(IntOrString::String("other".to_owned())), None),
        ];
        for (target_port, expected) in cases {
            let service_port = ServicePort { port: 80, target_port, ..ServicePort::default() };
            assert_eq!(find_port(&pod, &service_port), expected);
        }
    }
}
