//! APIServices: one for each group and version that is served here, and those of others, whose
//! availability is looked after.
//!
//! Upstream: `pkg/controlplane/apiserver/aggregator.go`,
//! `pkg/controlplane/controller/crdregistration`, `kube-aggregator/pkg/controllers/autoregister`
//! and `kube-aggregator/pkg/controllers/status/remote`.

use crate::aggregated::{Told, is_aggregated};
use crate::server::loopback;
use crate::store::Change;
use crate::{ApiServer, keys};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::{Endpoints, Service};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceSpec, ServiceReference,
};
use naru_api::kinds::apiservice::{available, set_available};
use naru_api::measured::Metric;
use naru_api::request::{Body, DeleteOptions};
use naru_api::{Key, KindRef, Kube, Object, Op, Request, StrategyRef, status::ApiResult};
use naru_sim::CauseId;
use std::collections::{BTreeMap, BTreeSet};

/// Marks what the API server registers itself: `onstart` once, `true` as long as it is served.
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
/// Priorities of groups, and of their versions where it is not [`VERSION_PRIORITY`].
///
/// Upstream: `DefaultGenericAPIServicePriorities` and `apiVersionPriorities`.
const PRIORITIES: [(&str, &str, i32, i32); 20] = [
    ("", "v1", 18_000, 1),
    ("apps", "v1", 17_800, 15),
    ("events.k8s.io", "v1", 17_750, 15),
    ("authentication.k8s.io", "v1", 17_700, 15),
    ("authorization.k8s.io", "v1", 17_600, 15),
    ("autoscaling", "v1", 17_500, 15),
    ("autoscaling", "v2", 17_500, 30),
    ("batch", "v1", 17_400, 15),
    ("certificates.k8s.io", "v1", 17_300, 15),
    ("networking.k8s.io", "v1", 17_200, 15),
    ("policy", "v1", 17_100, 15),
    ("rbac.authorization.k8s.io", "v1", 17_000, 15),
    ("storage.k8s.io", "v1", 16_800, 15),
    ("admissionregistration.k8s.io", "v1", 16_700, 15),
    ("apiextensions.k8s.io", "v1", 16_700, 15),
    ("scheduling.k8s.io", "v1", 16_600, 15),
    ("coordination.k8s.io", "v1", 16_500, 15),
    ("node.k8s.io", "v1", 16_300, 15),
    ("discovery.k8s.io", "v1", 16_200, 15),
    ("flowcontrol.apiserver.k8s.io", "v1", 16_100, 21),
];
/// Of the groups of CustomResourceDefinitions.
const CUSTOM_PRIORITIES: (i32, i32) = (1_000, 100);
/// The group that registers others is not registered itself.
const SELF: &str = "apiregistration.k8s.io";
/// Steps after one request.
const STEPS_MAX: usize = 10_000;

/// The APIServices that lead to a service in the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aggregation {
    remote: BTreeMap<String, Key>,
    due: BTreeMap<String, CauseId>,
    /// The kinds that are answered for.
    pub(crate) kinds: Vec<KindRef>,
    /// What there is of them, by group and resource.
    pub(crate) told: BTreeMap<(String, String), Told>,
    /// What adapters have measured, by group.
    pub(crate) metrics: BTreeMap<&'static str, Vec<Metric>>,
}

impl Aggregation {
    /// Learns from a committed change whose availability has to be looked at.
    pub(crate) fn observe(&mut self, change: &Change) {
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return };
        if let Some(registered) = object.get::<APIService>() {
            let name = object.name().to_owned();
            match service_of(registered).filter(|_| change.after.is_some()) {
                None if self.remote.remove(&name).is_some() => {
                    self.due.insert(name, change.cause);
                }
                None => {}
                Some(service) => {
                    self.remote.insert(name.clone(), key_of(service));
                    self.due.insert(name, change.cause);
                }
            }
        } else if !self.remote.is_empty()
            && (object.get::<Service>().is_some() || object.get::<Endpoints>().is_some())
        {
            let key = object.key();
            let led = self.remote.iter().filter(|(_, service)| **service == key);
            self.due.extend(led.map(|(name, _)| (name.clone(), change.cause)));
        }
    }
}

fn service_of(registered: &APIService) -> Option<&ServiceReference> {
    registered.spec.as_ref()?.service.as_ref()
}

fn key_of(service: &ServiceReference) -> Key {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Key::new(text(&service.namespace), text(&service.name))
}

impl ApiServer {
    /// Registers the groups and versions that are served, and takes back what was registered for
    /// definitions that are gone.
    pub(crate) fn register_groups(&mut self, cause: CauseId) {
        let served: BTreeSet<(String, String, bool)> = self
            .kinds
            .iter()
            .filter(|kind| kind.group != SELF && !is_aggregated(kind))
            .map(|kind| {
                let custom = matches!(kind.strategy, StrategyRef::Custom(_));
                (kind.group.to_string(), kind.version.to_string(), custom)
            })
            .collect();
        let names: BTreeSet<String> =
            served.iter().map(|(group, version, _)| format!("{version}.{group}")).collect();
        let kind = APIService::kind();
        let managed = |object: &&Object| object.label(MANAGED) == Some("true");
        let stale: Vec<Object> = self
            .store
            .range(&keys::of_kind(&kind))
            .filter(managed)
            .filter(|object| !names.contains(object.name()))
            .cloned()
            .collect();
        for object in stale {
            let request = own_request(&kind, object.name(), "", cause);
            // Nobody else writes between the look and the deletion.
            let _ = self.delete_object(&request, &object, &DeleteOptions::default(), cause);
        }
        for (group, version, custom) in served {
            let name = format!("{version}.{group}");
            if self.store.get(&keys::of_object(&kind, "", &name)).is_none() {
                let object = Object::new(local(&group, &version, custom));
                let request = own_request(&kind, "", "", cause);
                let made = self.create(&request, Body::Object(object));
                debug_assert!(made.is_ok(), "{made:?}");
            }
        }
    }

    /// Looks at the availability of those whose turn it is.
    pub(crate) fn follow_apiservices(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some((name, cause)) = self.aggregation.due.pop_first() else { return };
            let warnings = std::mem::take(&mut self.warnings);
            // A step that fails was overtaken by another change, which is due itself.
            let _ = self.check_available(&name, cause);
            if self.choose_aggregated() {
                self.list_kinds(cause);
            }
            self.warnings = warnings;
        }
    }

    fn check_available(&mut self, name: &str, cause: CauseId) -> ApiResult<()> {
        let kind = APIService::kind();
        let mut object = self.find(&kind, "", name)?;
        let Some(registered) = object.edit::<APIService>() else { return Ok(()) };
        let Some(service) = service_of(registered).cloned() else { return Ok(()) };
        let (status, reason, message) = match self.unavailable(registered, &service) {
            Some((reason, message)) => ("False", reason, message),
            None => ("True", "Passed", "all checks passed".to_owned()),
        };
        let before = available(registered).cloned();
        set_available(registered, status, reason, &message, self.now);
        if before.as_ref() == available(registered) {
            return Ok(());
        }
        let request = own_request(&kind, name, "status", cause);
        self.update(&request, Body::Object(object)).map(drop)
    }

    /// Why the service behind a version of a group cannot be asked.
    fn unavailable(
        &self,
        registered: &APIService,
        reference: &ServiceReference,
    ) -> Option<(&'static str, String)> {
        let key = key_of(reference);
        let place = format!("service/{} in {}", key.name, quote(&key.namespace));
        let Ok(found) = self.find(&Service::kind(), &key.namespace, &key.name) else {
            return Some(("ServiceNotFound", format!("{place} is not present")));
        };
        let spec = found.get::<Service>().and_then(|service| service.spec.clone());
        let spec = spec.unwrap_or_default();
        let number = reference.port.unwrap_or_default();
        if spec.type_.as_deref() == Some("ClusterIP") {
            let port = spec.ports.iter().flatten().find(|port| port.port == number);
            let Some(port) = port else {
                let message = format!("{place} is not listening on port {number}");
                return Some(("ServicePortError", message));
            };
            let Ok(endpoints) = self.find(&Endpoints::kind(), &key.namespace, &key.name) else {
                return Some(("EndpointsNotFound", format!("cannot find endpoints for {place}")));
            };
            let name = port.name.clone().unwrap_or_default();
            if !endpoints.get::<Endpoints>().is_some_and(|endpoints| has_port(endpoints, &name)) {
                let quoted = quote(&name);
                let message =
                    format!("endpoints for {place} have no addresses with port name {quoted}");
                return Some(("MissingEndpoints", message));
            }
        }
        let group = registered.spec.as_ref().and_then(|spec| spec.group.clone());
        let version = registered.spec.as_ref().and_then(|spec| spec.version.clone());
        let (group, version) = (group.unwrap_or_default(), version.unwrap_or_default());
        if is_answered(&group) {
            return None;
        }
        // No other server answers in this cluster.
        let address = spec.cluster_ip.unwrap_or_default();
        let url = format!("https://{address}:{number}/apis/{group}/{version}");
        let message = format!("failing or missing response from {url}: bad status from {url}: 404");
        Some(("FailedDiscoveryCheck", message))
    }
}

/// Whether somebody in this cluster can answer for a group.
fn is_answered(group: &str) -> bool {
    naru_api::scheme::metrics().iter().any(|kind: &KindRef| kind.group == group)
        || !naru_api::measured::versions(group).is_empty()
}

fn has_port(endpoints: &Endpoints, name: &str) -> bool {
    endpoints.subsets.iter().flatten().any(|subset| {
        subset.addresses.as_ref().is_some_and(|addresses| !addresses.is_empty())
            && subset.ports.iter().flatten().any(|p| p.name.as_deref().unwrap_or_default() == name)
    })
}

/// The APIService of what is served here.
fn local(group: &str, version: &str, custom: bool) -> APIService {
    let known = PRIORITIES.iter().find(|(g, v, ..)| *g == group && *v == version);
    let (minimum, priority) =
        known.map_or(CUSTOM_PRIORITIES, |(_, _, group, version)| (*group, *version));
    let managed = if custom { "true" } else { "onstart" };
    APIService {
        metadata: ObjectMeta {
            name: Some(format!("{version}.{group}")),
            labels: Some([(MANAGED.to_owned(), managed.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(APIServiceSpec {
            group: Some(group.to_owned()).filter(|group| !group.is_empty()),
            version: Some(version.to_owned()),
            group_priority_minimum: minimum,
            version_priority: priority,
            ..APIServiceSpec::default()
        }),
        status: None,
    }
}

/// A request of the API server to itself.
fn own_request(kind: &KindRef, name: &str, subresource: &'static str, cause: CauseId) -> Request {
    Request {
        name: name.to_owned(),
        subresource,
        cause,
        ..Request::new(loopback(), "kube-apiserver".into(), kind.clone(), Op::Get)
    }
}
