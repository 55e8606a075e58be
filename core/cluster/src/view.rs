//! What a picture of the cluster needs to know, as plain data: sent from the worker to the page.
//!
//! These types hold no behaviour, so that a page which only draws links nothing of the core.

mod study;

pub use study::{
    ChainRule, ChainView, ChainsView, ChartOf, ChartView, ConditionLine, GrantView, KeyView,
    LineOf, NodeUseView, RegistryEntry, RegistryView, RightsRow, RightsView, Study, StudyView,
    SubjectView, UsageView,
};

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
    /// Objects that control pods or other such objects, new or changed.
    pub workloads: Vec<WorkloadView>,
    /// Ingresses that are new or changed.
    pub ingresses: Vec<IngressView>,
    /// Claims of volumes that are new or changed.
    pub claims: Vec<ClaimView>,
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
    /// What it has for pods.
    pub allocatable: ResourcesView,
}

/// Amounts of what a node has and pods ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcesView {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Pods.
    pub pods: u64,
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
    /// What its containers ask for.
    pub requests: ResourcesView,
    /// What they may use.
    pub limits: ResourcesView,
    /// The names of the claims that it mounts.
    pub claims: Vec<String>,
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
    /// `Deployment`, `ReplicaSet`, `DaemonSet`, `StatefulSet`, `Job`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Pods wanted.
    pub desired: u32,
    /// Pods ready.
    pub ready: u32,
    /// Its pods' images.
    pub images: Vec<String>,
    /// When it was created, in microseconds since the start.
    pub created_micros: u64,
    /// The object that controls it.
    pub owner: Option<OwnerView>,
}

/// An ingress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngressView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The hosts of its rules; `*` for all.
    pub hosts: Vec<String>,
    /// The names of the services behind it.
    pub services: Vec<String>,
}

/// A claim of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimView {
    /// `metadata.uid`.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Pending`, `Bound`, `Lost`.
    pub phase: String,
    /// The volume's capacity, or what is asked for.
    pub capacity: String,
    /// The storage class.
    pub class: String,
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
    /// The HTTP status of a request's answer; 0 for what is no request.
    pub code: u16,
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
    /// `status.conditions`, in the object's order.
    pub conditions: Vec<ConditionView>,
    /// Of a pod: how its node was chosen, or why there is none.
    pub decision: Option<DecisionView>,
    /// How it has changed, oldest first, as far back as the store keeps it.
    pub revisions: Vec<RevisionView>,
    /// `metadata.uid`.
    pub uid: String,
    /// Of some kinds: numbers over time, as far back as the store keeps them.
    pub charts: Vec<ChartView>,
    /// How its conditions have changed, as far back as the store keeps it.
    pub condition_lines: Vec<ConditionLine>,
}

/// A condition of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionView {
    /// `Ready`.
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// `ContainersNotReady`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Since when, as the object says it.
    pub since: String,
}

/// How the scheduler chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    /// When, in microseconds since the start.
    pub micros: u64,
    /// The node.
    pub chosen: Option<String>,
    /// Why there is none.
    pub message: String,
    /// Nodes that filters took out: the node, the plugin, why.
    pub filtered: Vec<(String, String, String)>,
    /// The nodes that were left, the best first.
    pub scores: Vec<ScoreView>,
}

/// The points of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreView {
    /// The node.
    pub node: String,
    /// Points by plugin, times its weight.
    pub plugins: Vec<(String, i64)>,
    /// Their sum.
    pub total: i64,
}

/// A change of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionView {
    /// The store's revision.
    pub revision: u64,
    /// Of what: `pods/default/web`.
    pub subject: String,
    /// The request that made it, as far as it is remembered.
    pub cause: Option<ActivityView>,
    /// What changed, with some lines around.
    pub lines: Vec<LineView>,
}

/// A line of a changed text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineView {
    /// Is there before and after.
    Same(String),
    /// Was there before.
    Gone(String),
    /// Is there after.
    New(String),
    /// So many lines are left out.
    Skipped(u32),
}

/// Objects of a kind as `kubectl get` shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableView {
    /// `Pod`.
    pub kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The headers, and whether `-o wide` only shows the column.
    pub columns: Vec<(String, bool)>,
    /// The objects.
    pub rows: Vec<RowView>,
    /// Objects that found no room.
    pub more: u64,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowView {
    /// The namespace, or "".
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The object that controls it: kind and name.
    pub owner: Option<(String, String)>,
    /// One for each column.
    pub cells: Vec<String>,
}

/// A kind that has objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindView {
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// `apps`, or "".
    pub group: String,
    /// How many objects there are.
    pub count: u64,
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
