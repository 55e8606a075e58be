//! What is looked at beside objects and their tables: the store's keys, rights, rules, use.

use super::RevisionView;
use serde::{Deserialize, Serialize};

/// What somebody wants to be told about as long as they look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Study {
    /// The keys of the store below a prefix, and one key closely.
    Registry {
        /// `/registry/`, `/registry/pods/`.
        prefix: String,
        /// `/registry/pods/default/web`, or "".
        key: String,
    },
    /// What somebody may do.
    Rights {
        /// Who; nobody chosen yet is the first that there is.
        subject: Option<SubjectView>,
        /// Where; "" is the whole cluster.
        namespace: String,
    },
    /// The rules of a node by which a service's packets go.
    Chains {
        /// The service's namespace.
        namespace: String,
        /// The service's name.
        name: String,
        /// The node; "" is the first.
        node: String,
    },
    /// What nodes and pods use.
    Usage,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StudyView {
    /// Of [`Study::Registry`].
    Registry(RegistryView),
    /// Of [`Study::Rights`].
    Rights(RightsView),
    /// Of [`Study::Chains`].
    Chains(ChainsView),
    /// Of [`Study::Usage`].
    Usage(UsageView),
}

/// Keys of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryView {
    /// The prefix below which was looked.
    pub prefix: String,
    /// The store's revision.
    pub revision: u64,
    /// The revision up to which the past is forgotten.
    pub compacted: u64,
    /// What is directly below the prefix, in order.
    pub entries: Vec<RegistryEntry>,
    /// Entries that found no room.
    pub more: u64,
    /// The key looked at closely.
    pub key: Option<KeyView>,
}

/// A key, or all keys that go on in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryEntry {
    /// `/registry/pods/`, with the slash where there is more below; `/registry/pods/default/web`.
    pub path: String,
    /// How many keys it stands for.
    pub keys: u64,
    /// The latest revision among them.
    pub modified: u64,
}

/// A key of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyView {
    /// The key.
    pub key: String,
    /// `create_revision`.
    pub created: u64,
    /// `mod_revision`.
    pub modified: u64,
    /// How many changes it has seen.
    pub version: u64,
    /// When it goes by itself, in microseconds since the start.
    pub expires: Option<u64>,
    /// The value as YAML; "" when the key is gone.
    pub value: String,
    /// Its changes, oldest first, as far back as they are kept.
    pub revisions: Vec<RevisionView>,
}

/// Somebody who asks the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubjectView {
    /// `User`, `Group`, `ServiceAccount`.
    pub kind: String,
    /// A service account's namespace, or "".
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RightsView {
    /// Who.
    pub subject: Option<SubjectView>,
    /// Where; "" is the whole cluster.
    pub namespace: String,
    /// The groups that come with being that.
    pub groups: Vec<String>,
    /// Everybody whom one can ask about.
    pub subjects: Vec<SubjectView>,
    /// The namespaces there are.
    pub namespaces: Vec<String>,
    /// The columns: `get`, `list`, ….
    pub verbs: Vec<String>,
    /// The rows.
    pub rows: Vec<RightsRow>,
    /// The reasons that cells name by their place here.
    pub grants: Vec<GrantView>,
}

/// A resource, and what may be done with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RightsRow {
    /// `apps`, or "".
    pub group: String,
    /// `deployments`.
    pub resource: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// One for each verb: by which grant; `None` is not allowed.
    pub cells: Vec<Option<u32>>,
    /// The verbs that the resource has at all, as one bit each.
    pub has: u32,
}

/// Why something is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// The binding: kind, namespace, name; `None` where none is needed.
    pub binding: Option<(String, String, String)>,
    /// The role: kind and name.
    pub role: (String, String),
    /// Whom the binding names: kind and name.
    pub subject: (String, String),
    /// Only objects of these names; empty is all.
    pub names: Vec<String>,
}

/// The rules by which a service's packets go on a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainsView {
    /// The node.
    pub node: String,
    /// The nodes there are.
    pub nodes: Vec<String>,
    /// The chains, those where packets come in first.
    pub chains: Vec<ChainView>,
}

/// A chain, as far as it has to do with the service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainView {
    /// `nat`, `filter`.
    pub table: String,
    /// `KUBE-SVC-XPGD46QRK7WJZT7O`.
    pub name: String,
    /// How many chains lie between this and where packets come in.
    pub depth: u32,
    /// Its rules.
    pub rules: Vec<ChainRule>,
    /// Rules of it that have to do with something else.
    pub others: u32,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChainRule {
    /// As `iptables-save` writes it.
    pub text: String,
    /// What its comment says.
    pub comment: String,
    /// The chain that it leads to, or what it does: `DNAT`, `REJECT`.
    pub target: String,
    /// It leads to a chain that is told too.
    pub jumps: bool,
    /// Of a DNAT: the new destination, `10.244.1.2:8080`.
    pub destination: String,
    /// The pod at that address: namespace and name.
    pub pod: Option<(String, String)>,
    /// `--probability`: of the packets that come to this rule.
    pub probability: Option<f64>,
    /// Of the packets that come to the chain and are not taken by a rule for special cases.
    pub share: Option<f64>,
}

/// What nodes use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageView {
    /// When, in microseconds since the start.
    pub micros: u64,
    /// The nodes whose kubelets run.
    pub nodes: Vec<NodeUseView>,
}

/// What a node uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeUseView {
    /// Its name.
    pub name: String,
    /// Processor time since it was switched on, in microseconds.
    pub cpu_micros: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Its pods: uid, processor time in microseconds, memory in bytes.
    pub pods: Vec<(String, u64, u64)>,
}

/// Lines over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChartView {
    /// What is drawn.
    pub of: ChartOf,
    /// The lines.
    pub lines: Vec<LineOf>,
}

/// What a chart is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChartOf {
    /// Replicas that an autoscaler wants and sees.
    #[default]
    Replicas,
    /// A metric and its target.
    Metric,
    /// Ready pods of each ReplicaSet of a Deployment.
    ReplicaSets,
}

/// A line of a chart. Its value holds until the next point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineOf {
    /// What it is: a field (`currentReplicas`), a metric's name, a ReplicaSet's name.
    pub name: String,
    /// It is what is wanted, not what is.
    pub wanted: bool,
    /// Of the values: `%`, `m`, or "".
    pub unit: String,
    /// When (in microseconds since the start), and how much.
    pub points: Vec<(u64, f64)>,
}

/// How a condition has changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConditionLine {
    /// `Ready`.
    pub kind: String,
    /// Since when (in microseconds since the start), its status and its reason; oldest first.
    pub spans: Vec<(u64, String, String)>,
}
