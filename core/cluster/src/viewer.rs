//! Turns commits, causes and packets into [`ViewDelta`]s: one more watcher of the API server.

use crate::view::{
    ActivityView, ClaimView, ClockView, IngressView, NodeView, OwnerView, PodView, ResourcesView,
    ServiceView, ViewDelta, WorkloadView,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Node, PersistentVolumeClaim, Pod, PodSpec, PodTemplateSpec, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use naru_api::quantity::Amount;
use naru_api::resources::{self, Amounts, Side};
use naru_api::service::WatchRequest;
use naru_api::status::ApiResult;
use naru_api::{
    ApiService, Key, KindRef, Kube, Object, UserInfo, WatchEvent, WatchEventType, WatchId, time,
};
use naru_sim::{Cause, CauseId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The pods behind one service: uid and readiness, by the slice that tells of them.
type Slices = BTreeMap<String, Vec<(String, bool)>>;

/// Follows the cluster for the page.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    watches: Vec<(KindRef, WatchId)>,
    services: BTreeMap<Key, Object>,
    slices: BTreeMap<Key, Slices>,
    last_cause: CauseId,
}

impl Viewer {
    /// Causes told in one view at most; older ones are left out.
    const ACTIVITY_MAX: usize = 400;

    /// Makes the next view whole, with what is remembered of what happened before.
    pub fn forget(&mut self, api: &mut dyn ApiService) {
        self.reset(api);
        self.last_cause = CauseId::default();
    }

    /// Makes the next view whole.
    fn reset(&mut self, api: &mut dyn ApiService) {
        for (_, watch) in self.watches.drain(..) {
            api.unwatch(watch);
        }
        let last_cause = self.last_cause;
        *self = Viewer { last_cause, ..Viewer::default() };
    }

    /// What changed since the last view; packets are added by the caller.
    pub fn view(&mut self, api: &mut dyn ApiService, user: &UserInfo) -> ApiResult<ViewDelta> {
        let mut delta = ViewDelta::default();
        if self.watches.is_empty() {
            self.open(api, user)?;
            delta.reset = true;
        }
        let mut touched = BTreeSet::new();
        for (_, watch) in self.watches.clone() {
            match api.poll(watch) {
                Ok(events) => {
                    for event in events {
                        self.take(&event, api.now(), &mut delta, &mut touched);
                    }
                }
                // Too much happened since the last look: look at everything anew.
                Err(_expired) => {
                    self.reset(api);
                    return self.view(api, user);
                }
            }
        }
        for key in touched {
            let service = self.services.get(&key).and_then(|object| self.service(&key, object));
            delta.services.extend(service);
        }
        delta.activity = self.activity(api);
        let now = api.now();
        delta.clock =
            ClockView { micros: now.as_micros(), unix_micros: now.unix_micros(), revision: 0 };
        Ok(delta)
    }

    fn open(&mut self, api: &mut dyn ApiService, user: &UserInfo) -> ApiResult<()> {
        let kinds = [
            Node::kind(),
            Pod::kind(),
            Service::kind(),
            EndpointSlice::kind(),
            ReplicaSet::kind(),
            Deployment::kind(),
            DaemonSet::kind(),
            StatefulSet::kind(),
            Job::kind(),
            Ingress::kind(),
            PersistentVolumeClaim::kind(),
        ];
        for kind in kinds {
            let watch =
                api.watch(WatchRequest::new(user.clone(), "naru-viewer".into(), kind.clone()))?;
            self.watches.push((kind, watch));
        }
        Ok(())
    }

    fn take(
        &mut self,
        event: &WatchEvent,
        now: Time,
        delta: &mut ViewDelta,
        touched: &mut BTreeSet<Key>,
    ) {
        let object = &event.object;
        let gone = event.kind == WatchEventType::Deleted;
        if let Some(slice) = object.get::<EndpointSlice>() {
            touched.extend(self.take_slice(slice, object, gone));
            return;
        }
        if object.get::<Service>().is_some() {
            if gone {
                self.services.remove(&object.key());
            } else {
                self.services.insert(object.key(), object.clone());
                touched.insert(object.key());
            }
        }
        if gone {
            forget(delta, object.uid());
            delta.removed.push(object.uid().to_owned());
        } else if let Some(node) = object.get::<Node>() {
            put(&mut delta.nodes, node_view(object, node), |view| &view.uid);
        } else if let Some(pod) = object.get::<Pod>() {
            put(&mut delta.pods, pod_view(object, pod, now), |view| &view.uid);
        } else if let Some(workload) = workload_view(object) {
            put(&mut delta.workloads, workload, |view| &view.uid);
        } else if let Some(ingress) = object.get::<Ingress>() {
            put(&mut delta.ingresses, ingress_view(object, ingress), |view| &view.uid);
        } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
            put(&mut delta.claims, claim_view(object, claim), |view| &view.uid);
        }
    }

    /// Takes over an EndpointSlice; returns the key of its service.
    fn take_slice(&mut self, slice: &EndpointSlice, object: &Object, gone: bool) -> Option<Key> {
        let service = object.label("kubernetes.io/service-name")?;
        let key = Key::new(object.namespace(), service);
        let slices = self.slices.entry(key.clone()).or_default();
        if gone {
            slices.remove(object.name());
        } else {
            let pods = slice.endpoints.iter().filter_map(|endpoint| {
                let uid = endpoint.target_ref.as_ref()?.uid.clone()?;
                let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
                Some((uid, ready.unwrap_or(true)))
            });
            slices.insert(object.name().to_owned(), pods.collect());
        }
        Some(key)
    }

    fn service(&self, key: &Key, object: &Object) -> Option<ServiceView> {
        let spec = object.get::<Service>()?.spec.as_ref()?;
        let slices = self.slices.get(key);
        Some(ServiceView {
            uid: object.uid().to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            service_type: spec.type_.clone().unwrap_or_default(),
            cluster_ip: spec.cluster_ip.clone().unwrap_or_default(),
            ports: spec.ports.iter().flatten().map(port_text).collect(),
            endpoints: slices.into_iter().flat_map(|all| all.values()).flatten().cloned().collect(),
        })
    }

    fn activity(&mut self, api: &mut dyn ApiService) -> Vec<ActivityView> {
        let causes = api.causes();
        // What is read for the page is no part of the cluster's life, and leases that are renewed
        // all the time would leave no room for anything else.
        let tells = |cause: &&Cause| {
            !cause.actor.starts_with("naru") && !cause.subject.starts_with("leases/")
        };
        let fresh: Vec<&Cause> = causes.after(self.last_cause).filter(tells).collect();
        let skip = fresh.len().saturating_sub(Self::ACTIVITY_MAX);
        let activity = fresh.into_iter().skip(skip).map(activity_view).collect();
        self.last_cause = causes.last();
        activity
    }
}

/// A cause as the page shows it.
pub fn activity_view(cause: &Cause) -> ActivityView {
    ActivityView {
        id: cause.id.0,
        parent: cause.parent.0,
        micros: cause.at.as_micros(),
        actor: cause.actor.to_string(),
        verb: cause.verb.to_owned(),
        subject: cause.subject.to_string(),
        code: cause.outcome.as_ref().map_or(0, |outcome| outcome.code),
    }
}

/// The controller of an object, as the page shows it.
pub fn owner_view(object: &Object) -> Option<OwnerView> {
    let owner = object.controller()?;
    Some(OwnerView { uid: owner.uid.clone(), kind: owner.kind.clone(), name: owner.name.clone() })
}

/// Replaces what was told of the same object earlier in this view.
fn put<T>(list: &mut Vec<T>, item: T, uid: fn(&T) -> &String) {
    match list.iter_mut().find(|old| uid(old) == uid(&item)) {
        Some(old) => *old = item,
        None => list.push(item),
    }
}

/// Takes back what was told of an object that has gone within the same view.
fn forget(delta: &mut ViewDelta, uid: &str) {
    delta.nodes.retain(|view| view.uid != uid);
    delta.pods.retain(|view| view.uid != uid);
    delta.workloads.retain(|view| view.uid != uid);
    delta.ingresses.retain(|view| view.uid != uid);
    delta.claims.retain(|view| view.uid != uid);
}

fn node_view(object: &Object, node: &Node) -> NodeView {
    const ROLE: &str = "node-role.kubernetes.io/";
    let status = node.status.as_ref();
    let labels = object.meta().labels.iter().flatten();
    let mut conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
    let mut addresses = status.into_iter().flat_map(|status| status.addresses.iter().flatten());
    let spec = node.spec.as_ref();
    NodeView {
        uid: object.uid().to_owned(),
        name: object.name().to_owned(),
        roles: labels.filter_map(|(key, _)| Some(key.strip_prefix(ROLE)?.to_owned())).collect(),
        ready: conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        internal_ip: addresses
            .find(|address| address.type_ == "InternalIP")
            .map(|address| address.address.clone())
            .unwrap_or_default(),
        pod_cidr: spec.and_then(|spec| spec.pod_cidr.clone()).unwrap_or_default(),
        allocatable: resources_view(&resources::amounts(
            status.and_then(|status| status.allocatable.as_ref()),
        )),
    }
}

fn resources_view(amounts: &Amounts) -> ResourcesView {
    let of = |name: &str| amounts.get(name).copied().unwrap_or(Amount::ZERO);
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    ResourcesView {
        cpu_millis: count(of("cpu").milli_value()),
        memory_bytes: count(of("memory").value()),
        pods: count(of("pods").value()),
    }
}

fn side(spec: Option<&PodSpec>, side: Side) -> ResourcesView {
    let amounts = spec.map(|spec| resources::of_pod_with_overhead(spec, side)).unwrap_or_default();
    ResourcesView { pods: 1, ..resources_view(&amounts) }
}

fn pod_view(object: &Object, pod: &Pod, now: Time) -> PodView {
    let status = pod.status.as_ref();
    let statuses = status.and_then(|status| status.container_statuses.as_deref());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let created = object.meta().creation_timestamp.as_ref().map(time::from_meta);
    PodView {
        uid: object.uid().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        ip: status.and_then(|status| status.pod_ip.clone()),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        status: column(object, "Status", now),
        ready: (
            count(statuses.iter().copied().flatten().filter(|status| status.ready).count()),
            count(containers.clone().count()),
        ),
        restarts: statuses
            .iter()
            .copied()
            .flatten()
            .map(|status| u32::try_from(status.restart_count).unwrap_or(0))
            .fold(0, u32::saturating_add),
        labels: object.meta().labels.clone().unwrap_or_default(),
        owner: owner_view(object),
        containers: containers
            .map(|container| (container.name.clone(), container.image.clone().unwrap_or_default()))
            .collect(),
        created_micros: created.unwrap_or_default().as_micros(),
        requests: side(pod.spec.as_deref(), Side::Requests),
        limits: side(pod.spec.as_deref(), Side::Limits),
        claims: pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten())
            .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()))
            .collect(),
    }
}

fn ingress_view(object: &Object, ingress: &Ingress) -> IngressView {
    let name = |backend: &IngressBackend| Some(backend.service.as_ref()?.name.clone());
    let spec = ingress.spec.as_ref();
    let rules = || spec.into_iter().flat_map(|spec| spec.rules.iter().flatten());
    let paths = rules().flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths));
    let default = spec.and_then(|spec| spec.default_backend.as_ref());
    let services: BTreeSet<String> =
        paths.map(|path| &path.backend).chain(default).filter_map(name).collect();
    IngressView {
        uid: object.uid().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        hosts: rules().map(|rule| rule.host.clone().unwrap_or_else(|| "*".to_owned())).collect(),
        services: services.into_iter().collect(),
    }
}

fn claim_view(object: &Object, claim: &PersistentVolumeClaim) -> ClaimView {
    let (spec, status) = (claim.spec.as_ref(), claim.status.as_ref());
    let asked = || spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let capacity = status.and_then(|status| status.capacity.as_ref()).or_else(asked);
    ClaimView {
        uid: object.uid().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        capacity: capacity
            .and_then(|list| list.get("storage"))
            .map(|quantity| quantity.0.clone())
            .unwrap_or_default(),
        class: spec.and_then(|spec| spec.storage_class_name.clone()).unwrap_or_default(),
    }
}

/// The cell that kubectl prints under this header.
fn column(object: &Object, header: &str, now: Time) -> String {
    let strategy = object.strategy();
    let index = strategy.columns().iter().position(|column| column.name == header);
    let cell = index.and_then(|index| strategy.row(object, now).into_iter().nth(index));
    cell.map(|cell| cell.to_string()).unwrap_or_default()
}

fn workload_view(object: &Object) -> Option<WorkloadView> {
    let (desired, ready, template) = counts(object)?;
    let count = |number: Option<i32>| u32::try_from(number.unwrap_or(0)).unwrap_or(0);
    let created = object.meta().creation_timestamp.as_ref().map(time::from_meta);
    let containers = template.and_then(|it| it.spec.as_ref()).map(|spec| spec.containers.iter());
    Some(WorkloadView {
        uid: object.uid().to_owned(),
        kind: object.kind().kind.to_string(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        desired: count(desired),
        ready: count(ready),
        images: containers.into_iter().flatten().filter_map(|it| it.image.clone()).collect(),
        created_micros: created.unwrap_or_default().as_micros(),
        owner: owner_view(object),
    })
}

/// Pods wanted, pods ready, and what pods are made by.
type Counts<'a> = (Option<i32>, Option<i32>, Option<&'a PodTemplateSpec>);

fn counts(object: &Object) -> Option<Counts<'_>> {
    if let Some(set) = object.get::<ReplicaSet>() {
        let spec = set.spec.as_ref();
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas);
        let template = spec.and_then(|spec| spec.template.as_ref());
        return Some((spec.and_then(|spec| spec.replicas), ready, template));
    }
    if let Some(deployment) = object.get::<Deployment>() {
        let spec = deployment.spec.as_ref();
        let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas);
        return Some((spec.and_then(|spec| spec.replicas), ready, spec.map(|spec| &spec.template)));
    }
    if let Some(set) = object.get::<StatefulSet>() {
        let spec = set.spec.as_ref();
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas);
        return Some((spec.and_then(|spec| spec.replicas), ready, spec.map(|spec| &spec.template)));
    }
    if let Some(job) = object.get::<Job>() {
        let spec = job.spec.as_ref();
        let done = job.status.as_ref().and_then(|status| status.succeeded);
        return Some((
            spec.and_then(|spec| spec.completions),
            done,
            spec.map(|spec| &spec.template),
        ));
    }
    let set = object.get::<DaemonSet>()?;
    let status = set.status.as_ref();
    let desired = status.map(|status| status.desired_number_scheduled);
    let template = set.spec.as_ref().map(|spec| &spec.template);
    Some((desired, status.map(|status| status.number_ready), template))
}

/// `80/TCP`, or `80:30080/TCP` with a node port.
fn port_text(port: &k8s_openapi::api::core::v1::ServicePort) -> String {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    match port.node_port {
        Some(node_port) => format!("{}:{node_port}/{protocol}", port.port),
        None => format!("{}/{protocol}", port.port),
    }
}
