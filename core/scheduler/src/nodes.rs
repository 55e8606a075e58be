//! What the scheduler knows of nodes and of the pods on them, kept up by difference.
//!
//! Upstream: `pkg/scheduler/framework/types.go` (`NodeInfo`, `PodInfo`) and
//! `pkg/scheduler/backend/cache`. Upstream takes a snapshot of its cache for each cycle, since
//! watches go on meanwhile; here nothing happens during a cycle, and the cache is the snapshot.

use crate::affinity::PodAffinity;
use crate::nominator::Nominator;
use crate::resources::{DEFAULT_MEMORY, DEFAULT_MILLI_CPU, Resources};
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::Key;
use naru_api::pods::node_name;
use naru_api::quantity::Amount;
use naru_api::scheduling::taints;
use naru_api::volumes::pod_claims;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pod and what is computed of it once.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Its namespace and name.
    pub key: Key,
    /// What it asks for.
    pub requests: Resources,
    /// What it counts as when nodes are compared: CPU in thousandths of a core, memory in bytes.
    pub counted: (i64, i64),
    /// Ports of the node that it takes.
    pub ports: Vec<HostPort>,
    /// What it wants of other pods.
    pub affinity: Option<Box<PodAffinity>>,
    /// The claims of its volumes.
    pub claims: Vec<Key>,
}

impl PodInfo {
    /// Reads a pod.
    pub fn new(pod: Arc<Pod>) -> Self {
        let counted = Resources::of_pod(&pod, DEFAULT_MILLI_CPU, DEFAULT_MEMORY);
        PodInfo {
            key: key_of(&pod),
            requests: Resources::of_pod(&pod, 0, 0),
            counted: (counted.milli_cpu, counted.memory),
            ports: host_ports(&pod),
            affinity: PodAffinity::of(&pod).map(Box::new),
            claims: claims(&pod),
            pod,
        }
    }

    /// The pod's priority.
    pub fn priority(&self) -> i32 {
        self.pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0)
    }

    /// The same with another state of the pod; `None` if something of it has to be computed anew.
    fn with_state(&self, pod: &Arc<Pod>) -> Option<Self> {
        let (old, new) = (self.pod.spec.as_ref()?, pod.spec.as_ref()?);
        let same = old.containers == new.containers
            && old.init_containers == new.init_containers
            && old.overhead == new.overhead
            && old.affinity == new.affinity
            && old.volumes == new.volumes
            && old.host_network == new.host_network
            && self.pod.metadata.labels == pod.metadata.labels;
        same.then(|| PodInfo { pod: Arc::clone(pod), ..self.clone() })
    }

    fn has_required_anti_affinity(&self) -> bool {
        self.affinity.as_ref().is_some_and(|affinity| !affinity.required_anti.is_empty())
    }
}

/// A port of a node: address, protocol, number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The address, `0.0.0.0` for all.
    pub ip: String,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The number.
    pub port: i32,
}

impl HostPort {
    /// Whether both cannot be had at once.
    pub fn conflicts(&self, other: &HostPort) -> bool {
        const ANY: &str = "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || self.ip == ANY || other.ip == ANY)
    }
}

fn claims(pod: &Pod) -> Vec<Key> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    pod_claims(pod).map(|claim| Key::new(namespace, claim.name)).collect()
}

fn key_of(pod: &Pod) -> Key {
    let meta = &pod.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Key::new(text(&meta.namespace), text(&meta.name))
}

fn host_ports(pod: &Pod) -> Vec<HostPort> {
    let spec = pod.spec.as_ref();
    let ports = spec.into_iter().flat_map(|spec| &spec.containers).flat_map(|c| &c.ports);
    ports
        .flatten()
        .filter_map(|port| {
            let number = port.host_port.filter(|number| *number > 0)?;
            let or = |text: &Option<String>, default: &str| {
                text.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
            };
            Some(HostPort {
                ip: or(&port.host_ip, "0.0.0.0"),
                protocol: or(&port.protocol, "TCP"),
                port: number,
            })
        })
        .collect()
}

/// The number of an image's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageId(usize);

/// The names of images that nodes hold: as numbers they are compared at once.
#[derive(Clone, Debug, Default)]
struct Images {
    ids: BTreeMap<Arc<str>, ImageId>,
    /// By number, the name and how many nodes hold it.
    holders: Vec<(Arc<str>, usize)>,
    /// Numbers that no node holds.
    free: Vec<ImageId>,
}

impl Images {
    /// The images of a node: their numbers and sizes, in order.
    fn of(&mut self, node: &Node) -> Vec<(ImageId, i64)> {
        let images = node.status.iter().flat_map(|status| status.images.iter().flatten());
        let mut all = Vec::new();
        for image in images {
            let size = image.size_bytes.unwrap_or(0);
            all.extend(image.names.iter().flatten().map(|name| (self.id(name), size)));
        }
        // Of two sizes the later one counts.
        all.reverse();
        all.sort_by_key(|(id, _)| *id);
        all.dedup_by_key(|(id, _)| *id);
        all
    }

    fn id(&mut self, name: &str) -> ImageId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let name: Arc<str> = name.into();
        let id = self.free.pop().unwrap_or(ImageId(self.holders.len()));
        match self.holders.get_mut(id.0) {
            Some(place) => *place = (Arc::clone(&name), 0),
            None => self.holders.push((Arc::clone(&name), 0)),
        }
        self.ids.insert(name, id);
        id
    }

    /// A node holds these in the place of those.
    fn count(&mut self, before: &[(ImageId, i64)], after: &[(ImageId, i64)]) {
        for (id, _) in after {
            if let Some((_, count)) = self.holders.get_mut(id.0) {
                *count += 1;
            }
        }
        for (id, _) in before {
            let Some((name, count)) = self.holders.get_mut(id.0) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.ids.remove(name);
                self.free.push(*id);
            }
        }
    }
}

/// A node and the pods on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node's name.
    pub name: Arc<str>,
    /// The node.
    pub node: Arc<Node>,
    /// The pods on it, those on their way included.
    pub pods: Vec<Arc<PodInfo>>,
    /// What they ask for.
    pub requested: Resources,
    /// What they count as when nodes are compared: CPU, memory.
    pub counted: (i64, i64),
    /// What the node has to give.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub pods_max: i64,
    /// Whether it is cordoned.
    pub is_unschedulable: bool,
    /// Whether it has taints at all.
    pub is_tainted: bool,
    /// The images it holds, in the order of their numbers, and their sizes in bytes.
    images: Vec<(ImageId, i64)>,
}

impl NodeInfo {
    /// A node without pods.
    pub fn new(node: Arc<Node>) -> Self {
        let mut info = NodeInfo {
            name: node.metadata.name.as_deref().unwrap_or_default().into(),
            node: Arc::clone(&node),
            pods: Vec::new(),
            requested: Resources::default(),
            counted: (0, 0),
            allocatable: Resources::default(),
            pods_max: 0,
            is_unschedulable: false,
            is_tainted: false,
            images: Vec::new(),
        };
        info.set_node(node);
        info
    }

    /// The size of an image in bytes, if the node holds it.
    pub fn image_bytes(&self, image: ImageId) -> Option<i64> {
        let found = self.images.binary_search_by_key(&image, |(id, _)| *id).ok()?;
        self.images.get(found).map(|(_, bytes)| *bytes)
    }

    /// The value of a label of the node.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.node.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// Puts a pod on the node.
    pub fn add_pod(&mut self, pod: Arc<PodInfo>) {
        self.requested.add(&pod.requests);
        self.counted.0 += pod.counted.0;
        self.counted.1 += pod.counted.1;
        self.pods.push(pod);
    }

    /// Takes a pod from the node.
    pub fn remove_pod(&mut self, pod: &Arc<PodInfo>) {
        let Some(index) = self.position(pod) else { return };
        let pod = self.pods.remove(index);
        self.requested.subtract(&pod.requests);
        self.counted.0 -= pod.counted.0;
        self.counted.1 -= pod.counted.1;
    }

    /// Puts another state of a pod, which asks for as much, in the place of this one.
    fn replace_pod(&mut self, pod: &Arc<PodInfo>, new: Arc<PodInfo>) {
        if let Some(place) = self.position(pod).and_then(|index| self.pods.get_mut(index)) {
            *place = new;
        }
    }

    fn position(&self, pod: &Arc<PodInfo>) -> Option<usize> {
        self.pods.iter().position(|other| Arc::ptr_eq(other, pod))
    }

    fn set_node(&mut self, node: Arc<Node>) {
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        self.allocatable = Resources::from_quantities(allocatable);
        self.pods_max = allocatable
            .and_then(|list| list.get("pods"))
            .map_or(0, |quantity| Amount::of(quantity).value());
        let spec = node.spec.as_ref();
        self.is_unschedulable = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
        self.is_tainted = !taints(&node).is_empty();
        self.node = node;
    }
}

/// All nodes, in the order in which they joined, and all pods that have one.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    nodes: Vec<NodeInfo>,
    /// What each node is now; no two states of nodes have the same number.
    versions: Vec<u64>,
    last_version: u64,
    /// The place of each in `nodes`. No order of it matters anywhere.
    index: FxHashMap<Arc<str>, usize>,
    /// Nobody goes through what is found by hash.
    placed: FxHashMap<Key, Placed>,
    /// Pods whose binding was asked for and not seen yet.
    assumed: FxHashSet<Key>,
    /// Pods on nodes that are not known (yet).
    homeless: BTreeMap<String, Vec<Arc<PodInfo>>>,
    images: Images,
    with_affinity: BTreeSet<Key>,
    with_required_anti_affinity: BTreeSet<Key>,
    /// How many placed pods use a claim.
    claim_users: FxHashMap<Key, usize>,
    /// Pods for which room is being made.
    pub nominator: Nominator,
}

/// A pod that has a node, or will have it as soon as its binding is seen.
#[derive(Clone, Debug)]
struct Placed {
    info: Arc<PodInfo>,
    node: Arc<str>,
}

impl Nodes {
    /// All nodes.
    pub fn all(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// A number for the node at a place as it is now, which no other state of any node has.
    pub fn version(&self, place: usize) -> u64 {
        self.versions.get(place).copied().unwrap_or_default()
    }

    fn node_mut(&mut self, place: usize) -> Option<&mut NodeInfo> {
        self.last_version += 1;
        *self.versions.get_mut(place)? = self.last_version;
        self.nodes.get_mut(place)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// One node.
    pub fn get(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(*self.index.get(name)?)
    }

    /// The number of an image, and how many nodes hold it, if any does.
    pub fn image(&self, name: &str) -> Option<(ImageId, usize)> {
        let id = *self.images.ids.get(name)?;
        Some((id, self.images.holders.get(id.0)?.1))
    }

    /// Whether any placed pod wants something of the pods around it.
    pub fn any_affinity(&self) -> bool {
        !self.with_affinity.is_empty()
    }

    /// The placed pods that must not be near others.
    pub fn required_anti_affinity(&self) -> impl Iterator<Item = (&PodInfo, &NodeInfo)> {
        self.with_required_anti_affinity.iter().filter_map(|key| self.placed_on(key))
    }

    /// The placed pods that want something of the pods around them.
    pub fn affinity(&self) -> impl Iterator<Item = (&PodInfo, &NodeInfo)> {
        self.with_affinity.iter().filter_map(|key| self.placed_on(key))
    }

    fn placed_on(&self, key: &Key) -> Option<(&PodInfo, &NodeInfo)> {
        let placed = self.placed.get(key)?;
        Some((&*placed.info, self.get(&placed.node)?))
    }

    /// How many placed pods use a claim.
    pub fn claim_users(&self, claim: &Key) -> usize {
        self.claim_users.get(claim).copied().unwrap_or(0)
    }

    /// Whether the pod has a node here.
    pub fn is_placed(&self, key: &Key) -> bool {
        self.placed.contains_key(key)
    }

    /// Takes over a node's new state.
    pub fn set_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let images = self.images.of(&node);
        if let Some(place) = self.index.get(name).copied()
            && let Some(info) = self.node_mut(place)
        {
            info.set_node(node);
            let before = std::mem::replace(&mut info.images, images.clone());
            self.images.count(&before, &images);
            return;
        }
        let mut info = NodeInfo::new(Arc::clone(&node));
        for pod in self.homeless.remove(name).unwrap_or_default() {
            info.add_pod(pod);
        }
        self.images.count(&[], &images);
        info.images = images;
        self.index.insert(Arc::clone(&info.name), self.nodes.len());
        self.nodes.push(info);
        self.last_version += 1;
        self.versions.push(self.last_version);
    }

    /// Forgets a node; its pods wait for it to come back or to be deleted.
    pub fn remove_node(&mut self, name: &str) {
        let Some(index) = self.index.remove(name) else { return };
        if index >= self.nodes.len() {
            return;
        }
        let info = self.nodes.remove(index);
        self.versions.remove(index);
        self.images.count(&info.images, &[]);
        for position in self.index.values_mut().filter(|position| **position > index) {
            *position -= 1;
        }
        if !info.pods.is_empty() {
            self.homeless.insert(name.to_owned(), info.pods);
        }
    }

    /// Takes over the state of a pod that has a node.
    pub fn set_pod(&mut self, pod: Arc<Pod>) {
        let key = &key_of(&pod);
        let node = node_name(&pod);
        let before = self.placed.get_mut(key).filter(|placed| *placed.node == *node);
        let like = before.and_then(|placed| Some((placed.info.with_state(&pod)?, placed)));
        let Some((info, placed)) = like else {
            let node = node.into();
            return self.place(Arc::new(PodInfo::new(pod)), node);
        };
        self.assumed.remove(key);
        let info = Arc::new(info);
        let before = std::mem::replace(&mut placed.info, Arc::clone(&info));
        let index = self.index.get(&placed.node).copied();
        if let Some(node) = index.and_then(|index| self.nodes.get_mut(index)) {
            node.replace_pod(&before, info);
        } else if let Some(pods) = self.homeless.get_mut(&*placed.node)
            && let Some(place) = pods.iter_mut().find(|other| Arc::ptr_eq(other, &before))
        {
            *place = info;
        }
    }

    /// Places a pod whose binding is being asked for.
    pub fn assume(&mut self, info: Arc<PodInfo>, node: &str) {
        let key = info.key.clone();
        self.place(info, node.into());
        self.assumed.insert(key);
    }

    /// Takes an assumed pod back: it was not bound.
    pub fn forget(&mut self, key: &Key) {
        if self.assumed.contains(key) {
            self.remove_pod(key);
        }
    }

    /// Takes a pod from its node.
    pub fn remove_pod(&mut self, key: &Key) {
        self.assumed.remove(key);
        let Some(Placed { info, node }) = self.placed.remove(key) else { return };
        self.with_affinity.remove(key);
        self.with_required_anti_affinity.remove(key);
        for claim in &info.claims {
            match self.claim_users.get_mut(claim) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.claim_users.remove(claim)),
            }
        }
        if let Some(index) = self.index.get(&node).copied() {
            if let Some(node) = self.node_mut(index) {
                node.remove_pod(&info);
            }
        } else if let Some(pods) = self.homeless.get_mut(&*node) {
            pods.retain(|pod| pod.key != *key);
            if pods.is_empty() {
                self.homeless.remove(&*node);
            }
        }
    }

    fn place(&mut self, info: Arc<PodInfo>, node: Arc<str>) {
        self.remove_pod(&info.key);
        self.nominator.remove(&info.key);
        if info.affinity.is_some() {
            self.with_affinity.insert(info.key.clone());
        }
        if info.has_required_anti_affinity() {
            self.with_required_anti_affinity.insert(info.key.clone());
        }
        for claim in &info.claims {
            *self.claim_users.entry(claim.clone()).or_default() += 1;
        }
        let placed = Placed { info: Arc::clone(&info), node: Arc::clone(&node) };
        self.placed.insert(info.key.clone(), placed);
        let place = self.index.get(&node).copied();
        match place.and_then(|place| self.node_mut(place)) {
            Some(node) => node.add_pod(info),
            None => self.homeless.entry(node.to_string()).or_default().push(info),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, pod};
    use k8s_openapi::api::core::v1::ContainerImage;

    #[test]
    fn pods_count_on_their_node_whichever_comes_first() {
        let mut nodes = Nodes::default();
        nodes.set_pod(Arc::new(pod("early", "n1", "100m")));
        nodes.set_node(Arc::new(node("n1", "4")));
        nodes.set_pod(Arc::new(pod("late", "n1", "200m")));
        assert_eq!(nodes.get("n1").unwrap().requested.milli_cpu, 300);

        nodes.remove_node("n1");
        nodes.remove_pod(&Key::new("default", "late"));
        nodes.set_node(Arc::new(node("n1", "4")));
        assert_eq!(nodes.get("n1").unwrap().requested.milli_cpu, 100);
    }

    #[test]
    fn an_image_has_a_number_while_a_node_holds_it() {
        let holding = |name: &str, images: &[(&str, i64)]| {
            let image = |(name, bytes): &(&str, i64)| ContainerImage {
                names: Some(vec![(*name).to_owned()]),
                size_bytes: Some(*bytes),
            };
            let mut node = node(name, "4");
            let status = node.status.get_or_insert_default();
            status.images = Some(images.iter().map(image).collect());
            Arc::new(node)
        };
        let mut nodes = Nodes::default();
        nodes.set_node(holding("n1", &[("a", 1), ("b", 2), ("a", 3)]));
        nodes.set_node(holding("n2", &[("b", 4)]));
        let bytes = |nodes: &Nodes, node: &str, image: &str| {
            let (id, holders) = nodes.image(image)?;
            Some((holders, nodes.get(node)?.image_bytes(id)))
        };
        assert_eq!(bytes(&nodes, "n1", "a"), Some((1, Some(3))));
        assert_eq!(bytes(&nodes, "n2", "a"), Some((1, None)));
        assert_eq!(bytes(&nodes, "n2", "b"), Some((2, Some(4))));
        nodes.set_node(holding("n1", &[("c", 5)]));
        assert_eq!(bytes(&nodes, "n1", "a"), None);
        assert_eq!(bytes(&nodes, "n1", "c"), Some((1, Some(5))));
        nodes.remove_node("n2");
        assert_eq!(bytes(&nodes, "n1", "b"), None);
        assert_eq!(bytes(&nodes, "n1", "c"), Some((1, Some(5))));
    }

    #[test]
    fn an_assumed_pod_can_be_taken_back_until_it_is_seen() {
        let mut nodes = Nodes::default();
        nodes.set_node(Arc::new(node("n1", "4")));
        let info = Arc::new(PodInfo::new(Arc::new(pod("a", "", "100m"))));
        nodes.assume(Arc::clone(&info), "n1");
        assert_eq!(nodes.get("n1").unwrap().requested.milli_cpu, 100);
        nodes.forget(&info.key);
        assert_eq!(nodes.get("n1").unwrap().requested.milli_cpu, 0);

        nodes.assume(Arc::clone(&info), "n1");
        nodes.set_pod(Arc::new(pod("a", "n1", "100m")));
        nodes.forget(&info.key);
        assert_eq!(nodes.get("n1").unwrap().requested.milli_cpu, 100);
    }

    #[test]
    fn what_is_new_of_a_pod_is_seen_on_its_node() {
        let mut nodes = Nodes::default();
        nodes.set_pod(Arc::new(pod("a", "n1", "100m")));
        nodes.set_node(Arc::new(node("n1", "4")));
        let mut running = pod("a", "n1", "100m");
        running.status.get_or_insert_default().phase = Some("Running".to_owned());
        nodes.set_pod(Arc::new(running.clone()));
        let n1 = nodes.get("n1").unwrap();
        assert_eq!((n1.pods.len(), n1.requested.milli_cpu), (1, 100));
        assert_eq!(*n1.pods[0].pod, running);

        nodes.set_pod(Arc::new(pod("a", "n1", "300m")));
        let n1 = nodes.get("n1").unwrap();
        assert_eq!((n1.pods.len(), n1.requested.milli_cpu), (1, 300));
    }
}
