//! What a picture of the cluster needs to know, as plain data: sent from the worker to the page.
//!
//! These types hold no behaviour, so that a page which only draws links nothing of the core.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What changed since the last view: the objects that are new or changed, those that are gone,
/// and what happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewDelta {
    /// The clock.
    pub clock: ClockView,
    /// Forget everything known before: the cluster was started anew or set back in time.
    pub reset: bool,
    /// Nodes that are new or changed.
    pub nodes: Vec<NodeView>,
    /// Pods that are new or changed.
    pub pods: Vec<PodView>,
    /// Services that are new or changed, with their endpoints.
    pub services: Vec<ServiceView>,
    /// Deployments, ReplicaSets, DaemonSets that are new or changed.
    pub workloads: Vec<WorkloadView>,
    /// The uids of objects that are gone.
    pub removed: Vec<String>,
    /// The latest things that happened, oldest first.
    pub activity: Vec<ActivityView>,
    /// Packets that finished their way, or took a step, since the last view. A packet that is
    /// told again replaces its earlier self.
    pub packets: Vec<PacketView>,
}

/// The time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockView {
    /// Microseconds of virtual time since the cluster was switched on.
    pub micros: u64,
    /// Microseconds of the Unix epoch by the cluster's calendar.
    pub unix_micros: i64,
    /// The store's revision.
    pub revision: u64,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// `control-plane`, or empty.
    pub roles: Vec<String>,
    /// Whether its Ready condition is True.
    pub ready: bool,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Its address.
    pub internal_ip: String,
    /// Where its pods' addresses come from.
    pub pod_cidr: String,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The node it is bound to.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// What kubectl shows as STATUS: `ContainerCreating`, `CrashLoopBackOff`, `Terminating`.
    pub status: String,
    /// Containers that are ready, and all containers.
    pub ready: (u32, u32),
    /// Restarts of all containers.
    pub restarts: u32,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The object that controls it.
    pub owner: Option<OwnerView>,
    /// Its containers' names and images.
    pub containers: Vec<(String, String)>,
    /// When it was created, in microseconds since the start.
    pub created_micros: u64,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `ClusterIP`, `NodePort`, ….
    pub service_type: String,
    /// Its address.
    pub cluster_ip: String,
    /// `80/TCP`, `80:30080/TCP`.
    pub ports: Vec<String>,
    /// The uids of the pods behind it, and whether each is ready.
    pub endpoints: Vec<(String, bool)>,
}

/// An object that controls pods or other workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadView {
    /// `metadata.uid`.
    pub uid: String,
    /// `Deployment`, `ReplicaSet`, `DaemonSet`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Pods wanted.
    pub desired: u32,
    /// Pods ready.
    pub ready: u32,
    /// The object that controls it.
    pub owner: Option<OwnerView>,
}

/// The object that controls another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnerView {
    /// Its uid.
    pub uid: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Something that happened, and what made it happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityView {
    /// Its number.
    pub id: u64,
    /// The number of what caused it; 0 is the start.
    pub parent: u64,
    /// When, in microseconds since the start.
    pub micros: u64,
    /// Who: `kubectl`, `kube-scheduler`, `kubelet worker`.
    pub actor: String,
    /// Did what: `create`, `patch`, `reconcile`.
    pub verb: String,
    /// To what: `pods/default/web`.
    pub subject: String,
}

/// A packet and its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PacketView {
    /// Its number.
    pub id: u64,
    /// Packets of one exchange (request and answer) share a flow.
    pub flow: u64,
    /// `TCP`, `UDP`, `ICMP`.
    pub protocol: String,
    /// `SYN`, `GET / HTTP/1.1`, `A? app-service.default.svc.cluster.local`.
    pub summary: String,
    /// The hops so far.
    pub hops: Vec<HopView>,
    /// `delivered`, `dropped: …`; empty while it travels.
    pub outcome: String,
}

/// One hop of a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HopView {
    /// When, in microseconds since the start.
    pub micros: u64,
    /// Where: `node/worker`, `pod/default/app-node`.
    pub place: String,
    /// The interface.
    pub interface: String,
    /// `OUTPUT`, `PREROUTING`, `FORWARD`, `POSTROUTING`, `INPUT`, `route`, `link`.
    pub stage: String,
    /// The rule or route that acted.
    pub rule: Option<String>,
    /// Source and destination before: `10.244.1.5:40312 > 10.96.7.1:80`.
    pub before: String,
    /// Source and destination after.
    pub after: String,
}

/// An object looked at closely.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// `Pod`.
    pub kind: String,
    /// The namespace, or "".
    pub namespace: String,
    /// The name.
    pub name: String,
    /// As `kubectl get -o yaml` prints it.
    pub yaml: String,
    /// The events about it, oldest first.
    pub events: Vec<EventView>,
    /// From its controller up to the topmost owner.
    pub owners: Vec<OwnerView>,
    /// The chain of causes of its creation: the effect first.
    pub why: Vec<ActivityView>,
}

/// An event about an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// `Normal` or `Warning`.
    pub kind: String,
    /// `Scheduled`, ….
    pub reason: String,
    /// Who saw it.
    pub from: String,
    /// In words.
    pub message: String,
    /// How often.
    pub count: u32,
    /// The last time, in microseconds since the start.
    pub micros: u64,
}
