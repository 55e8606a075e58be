//! NetworkPolicies as rules and sets of addresses, for the pods of one node.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::labels::Selector;
use naru_network::netfilter::TableName;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How the names of sets begin.
pub const SET_PREFIX: &str = "knp-";

/// What the plugin sees of the cluster.
pub struct Seen<'a> {
    /// The node whose pods are guarded.
    pub node: &'a str,
    pub policies: Vec<&'a NetworkPolicy>,
    pub namespaces: Vec<&'a Namespace>,
    pub pods: Vec<&'a Pod>,
}

/// Rules for `iptables-restore`, and the sets that they ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub text: String,
    pub sets: BTreeMap<String, BTreeSet<IpAddr>>,
}

/// Which way a connection goes, seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Ingress,
    Egress,
}

impl Way {
    const BOTH: [Way; 2] = [Way::Egress, Way::Ingress];

    fn name(self) -> &'static str {
        match self {
            Way::Ingress => "Ingress",
            Way::Egress => "Egress",
        }
    }

    /// The option and the side of a set that name the pod itself, and those that name its peer.
    fn own(self) -> &'static str {
        if self == Way::Ingress { "-d" } else { "-s" }
    }

    fn peer(self) -> (&'static str, &'static str) {
        if self == Way::Ingress { ("-s", "src") } else { ("-d", "dst") }
    }
}

/// The address of a pod that has a network of its own and has not ended.
pub fn ip(pod: &Pod) -> Option<IpAddr> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if spec.host_network == Some(true) || ended {
        return None;
    }
    status.pod_ip.as_deref()?.parse().ok()
}

/// The rules of all policies.
pub fn of(seen: &Seen<'_>) -> Written {
    let mut writer =
        Writer { seen, chains: String::new(), rules: String::new(), sets: BTreeMap::new() };
    let local = |pod: &&&Pod| {
        pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(seen.node)
    };
    let mut jumps = String::new();
    for way in Way::BOTH {
        for pod in seen.pods.iter().filter(local) {
            let Some(ip) = ip(pod) else { continue };
            if let Some(chain) = writer.pod(pod, way) {
                jumps += &format!("-A POSTROUTING {} {ip} -j {chain}\n", way.own());
            }
        }
    }
    if jumps.is_empty() {
        return Written { text: format!("*{}\nCOMMIT\n", TableName::Nft), sets: BTreeMap::new() };
    }
    // What the node itself sends is let through, so that probes reach the pods.
    let text = format!(
        "*{}\n{}-A POSTROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A POSTROUTING -m addrtype --src-type LOCAL -j ACCEPT\n{jumps}{}COMMIT\n",
        TableName::Nft,
        writer.chains,
        writer.rules
    );
    Written { text, sets: writer.sets }
}

struct Writer<'a> {
    seen: &'a Seen<'a>,
    chains: String,
    rules: String,
    sets: BTreeMap<String, BTreeSet<IpAddr>>,
}

/// A rule of a policy, of either way.
struct Allowed<'a> {
    peers: Option<&'a Vec<NetworkPolicyPeer>>,
    ports: Option<&'a Vec<NetworkPolicyPort>>,
}

impl<'a> Writer<'a> {
    /// Writes the chain of a pod for one way; `None` if no policy isolates it that way.
    fn pod(&mut self, pod: &Pod, way: Way) -> Option<String> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let seen = self.seen;
        let policies: Vec<&NetworkPolicy> =
            seen.policies.iter().filter(|policy| isolates(policy, pod, way)).copied().collect();
        if policies.is_empty() {
            return None;
        }
        let chain = format!("KNP-{}-{}", way.name().to_uppercase(), hash(&[namespace, name]));
        self.chains += &format!(":{chain} - [0:0]\n");
        for policy in &policies {
            for (index, allowed) in allowed(policy, way).iter().enumerate() {
                self.allow(&chain, policy, (way, index), allowed, pod);
            }
        }
        let names: Vec<&str> =
            policies.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
        let between = if way == Way::Egress { "from" } else { "to" };
        self.rules += &format!(
            "-A {chain} -m comment --comment \"NetworkPolicy {}: no {} {between} \
             {namespace}/{name}\" -j DROP\n",
            names.join(","),
            way.name(),
        );
        Some(chain)
    }

    /// Writes what one rule of a policy allows: every peer with every port.
    fn allow(
        &mut self,
        chain: &str,
        policy: &NetworkPolicy,
        (way, index): (Way, usize),
        allowed: &Allowed<'_>,
        pod: &Pod,
    ) {
        let own = policy.metadata.namespace.as_deref().unwrap_or_default();
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        let comment = format!("-m comment --comment \"NetworkPolicy {own}/{name}\"");
        let peers = allowed.peers.filter(|peers| !peers.is_empty());
        let ports = allowed.ports.filter(|ports| !ports.is_empty());
        let id = hash(&[own, name, way.name(), &index.to_string()]);
        let pods = peers.map(|peers| self.selected(peers, own)).unwrap_or_default();
        let sources = match peers {
            None => vec![String::new()],
            Some(peers) => self.sources(&id, way, peers, &pods),
        };
        for port in ports.map_or_else(|| vec![None], |ports| ports.iter().map(Some).collect()) {
            let number = port.and_then(|port| port.port.as_ref());
            if let (Way::Egress, Some(IntOrString::String(named))) = (way, number) {
                // The name means another number in each pod that is spoken to.
                let pods = if peers.is_some() { pods.clone() } else { self.seen.pods.clone() };
                self.named(chain, &comment, &id, port, named, &pods);
                continue;
            }
            let Some(port) = port_match(port, pod) else { continue };
            for source in &sources {
                self.rules += &format!("-A {chain}{source}{port} {comment} -j RETURN\n");
            }
        }
    }

    /// The conditions that name the peers: pods by a set, each block of addresses by itself.
    fn sources(
        &mut self,
        id: &str,
        way: Way,
        peers: &[NetworkPolicyPeer],
        pods: &[&Pod],
    ) -> Vec<String> {
        let (option, side) = way.peer();
        let mut sources = Vec::new();
        if peers.iter().any(|peer| peer.ip_block.is_none()) {
            let set = format!("{SET_PREFIX}{id}");
            sources.push(format!(" -m set --match-set {set} {side}"));
            self.sets.insert(set, pods.iter().filter_map(|pod| ip(pod)).collect());
        }
        let blocks = peers.iter().filter_map(|peer| peer.ip_block.as_ref());
        sources.extend(blocks.filter(|block| !block.cidr.contains(':')).flat_map(|block| {
            pieces(block).into_iter().map(move |piece| format!(" {option} {piece}"))
        }));
        sources
    }

    /// Rules for a named port of the pods that are spoken to, one for each number that it has.
    fn named(
        &mut self,
        chain: &str,
        comment: &str,
        id: &str,
        port: Option<&NetworkPolicyPort>,
        named: &str,
        pods: &[&Pod],
    ) {
        let protocol = protocol(port);
        let mut numbers: BTreeMap<i32, BTreeSet<IpAddr>> = BTreeMap::new();
        for pod in pods {
            if let (Some(number), Some(ip)) = (container_port(pod, named, &protocol), ip(pod)) {
                numbers.entry(number).or_default().insert(ip);
            }
        }
        for (number, members) in numbers {
            let set = format!("{SET_PREFIX}{id}-{number}");
            self.rules += &format!(
                "-A {chain} -p {protocol} -m set --match-set {set} dst -m {protocol} --dport \
                 {number} {comment} -j RETURN\n"
            );
            self.sets.entry(set).or_default().extend(members);
        }
    }

    /// The pods that peers select; `own` is the policy's namespace.
    fn selected(&self, peers: &[NetworkPolicyPeer], own: &str) -> Vec<&'a Pod> {
        let seen = self.seen;
        let wanted = |pod: &&&Pod| peers.iter().any(|peer| selects(seen, peer, own, pod));
        seen.pods.iter().filter(|pod| ip(pod).is_some()).filter(wanted).copied().collect()
    }
}

fn selects(seen: &Seen<'_>, peer: &NetworkPolicyPeer, own: &str, pod: &Pod) -> bool {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let fits = |selector, labels| {
        Selector::from_label_selector(selector).is_ok_and(|selector| selector.matches(labels))
    };
    let in_namespace = match &peer.namespace_selector {
        None => peer.pod_selector.is_some() && namespace == own,
        Some(selector) => {
            let mut all = seen.namespaces.iter();
            all.find(|it| it.metadata.name.as_deref() == Some(namespace))
                .is_some_and(|it| fits(Some(selector), it.metadata.labels.as_ref()))
        }
    };
    in_namespace
        && peer
            .pod_selector
            .as_ref()
            .is_none_or(|selector| fits(Some(selector), pod.metadata.labels.as_ref()))
}

/// Whether a policy says something about connections of this pod that go this way.
fn isolates(policy: &NetworkPolicy, pod: &Pod, way: Way) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let types = spec.policy_types.as_deref().unwrap_or_default();
    policy.metadata.namespace == pod.metadata.namespace
        && types.iter().any(|kind| kind == way.name())
        && match &spec.pod_selector {
            None => true,
            selector => Selector::from_label_selector(selector.as_ref())
                .is_ok_and(|selector| selector.matches(pod.metadata.labels.as_ref())),
        }
}

fn allowed(policy: &NetworkPolicy, way: Way) -> Vec<Allowed<'_>> {
    let Some(spec) = &policy.spec else { return Vec::new() };
    match way {
        Way::Ingress => {
            let rules = spec.ingress.iter().flatten();
            rules.map(|it| Allowed { peers: it.from.as_ref(), ports: it.ports.as_ref() }).collect()
        }
        Way::Egress => {
            let rules = spec.egress.iter().flatten();
            rules.map(|it| Allowed { peers: it.to.as_ref(), ports: it.ports.as_ref() }).collect()
        }
    }
}

/// A block of addresses without its exceptions, as the fewest blocks that cover the rest.
fn pieces(block: &IPBlock) -> Vec<ipnet::Ipv4Net> {
    let Ok(whole) = block.cidr.parse::<ipnet::Ipv4Net>() else { return Vec::new() };
    let except = block.except.iter().flatten().filter_map(|text| text.parse().ok());
    let mut pieces = vec![whole.trunc()];
    for hole in except {
        pieces = pieces.into_iter().flat_map(|piece| without(piece, hole)).collect();
    }
    pieces
}

/// A block without another.
fn without(block: ipnet::Ipv4Net, hole: ipnet::Ipv4Net) -> Vec<ipnet::Ipv4Net> {
    if hole.contains(&block) {
        return Vec::new();
    }
    if !block.contains(&hole) {
        return vec![block];
    }
    let halves = block.subnets(block.prefix_len() + 1).into_iter().flatten();
    halves.flat_map(|half| without(half, hole)).collect()
}

fn protocol(port: Option<&NetworkPolicyPort>) -> String {
    let protocol = port.and_then(|port| port.protocol.as_deref()).unwrap_or("TCP");
    protocol.to_ascii_lowercase()
}

/// The number of a container's port of this name.
fn container_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let containers = &pod.spec.as_ref()?.containers;
    let mut ports = containers.iter().flat_map(|container| container.ports.iter().flatten());
    let found = ports.find(|port| {
        port.name.as_deref() == Some(name)
            && port.protocol.as_deref().unwrap_or("TCP").eq_ignore_ascii_case(protocol)
    })?;
    Some(found.container_port)
}

/// ` -p tcp -m tcp --dport 80:90`; "" for every port; `None` for a name that the pod does not know.
fn port_match(port: Option<&NetworkPolicyPort>, pod: &Pod) -> Option<String> {
    let Some(known) = port else { return Some(String::new()) };
    let protocol = protocol(port);
    let number = match &known.port {
        None => return Some(format!(" -p {protocol}")),
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => container_port(pod, name, &protocol)?,
    };
    let range = match known.end_port {
        Some(end) => format!("{number}:{end}"),
        None => number.to_string(),
    };
    Some(format!(" -p {protocol} -m {protocol} --dport {range}"))
}

/// Sixteen letters that stand for names of any length.
fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
