//! The iptables rules by which a service's packets go on a node, as a graph of chains.

use crate::Cluster;
use crate::view::{ChainRule, ChainView, ChainsView};
use k8s_openapi::api::core::v1::Pod;
use naru_api::Kube;
use naru_network::Netfilter;
use naru_network::netfilter::{Match, Rule, TableName, Target};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Chains told at most.
const CHAINS_MAX: usize = 120;
/// Where packets for services come in, by table.
const ENTRANCES: [(TableName, &str); 5] = [
    (TableName::Nat, "KUBE-SERVICES"),
    (TableName::Nat, "KUBE-NODEPORTS"),
    (TableName::Filter, "KUBE-SERVICES"),
    (TableName::Filter, "KUBE-EXTERNAL-SERVICES"),
    (TableName::Filter, "KUBE-PROXY-FIREWALL"),
];
/// `--probability` is kept in these units.
const PROBABILITY_UNITS: f64 = (1u64 << 31) as f64;

/// Pods by their address: namespace and name.
type Addresses = BTreeMap<String, (String, String)>;

impl Cluster {
    /// The chains of a service on a node.
    pub(super) fn chains_of(&mut self, namespace: &str, name: &str, node: &str) -> ChainsView {
        let nodes: Vec<String> = self.nodes.iter().map(|node| node.name().to_owned()).collect();
        let index = nodes.iter().position(|it| it == node).unwrap_or(0);
        let mut view = ChainsView { nodes, ..ChainsView::default() };
        let Some(chosen) = self.nodes.get(index) else { return view };
        view.node = chosen.name().to_owned();
        let host = chosen.host_namespace();
        let addresses = self.pod_addresses(namespace);
        if let Some(rules) = self.net.netfilter(host) {
            view.chains = follow(rules, &format!("{namespace}/{name}"), &addresses);
        }
        view
    }

    fn pod_addresses(&mut self, namespace: &str) -> Addresses {
        let pods = self.list(&Pod::kind(), namespace, "", "");
        let address = |object: &naru_api::Object| {
            let ip = object.get::<Pod>()?.status.as_ref()?.pod_ip.clone()?;
            Some((ip, (object.namespace().to_owned(), object.name().to_owned())))
        };
        pods.iter().filter_map(address).collect()
    }
}

/// The chains that can be reached from where packets come in by rules for this service.
fn follow(rules: &Netfilter, service: &str, addresses: &Addresses) -> Vec<ChainView> {
    let mut chains: Vec<ChainView> = Vec::new();
    let mut open: VecDeque<(TableName, String, u32)> = VecDeque::new();
    for (table, name) in ENTRANCES {
        let Some(all) = rules.rules(table, name) else { continue };
        let (own, others): (Vec<&Rule>, Vec<&Rule>) =
            all.iter().map(AsRef::as_ref).partition(|rule| speaks_of(rule, service));
        if own.is_empty() {
            continue;
        }
        let told = own.into_iter().map(|rule| rule_view(rule, None, addresses)).collect();
        let others = u32::try_from(others.len()).unwrap_or(u32::MAX);
        chains.push(chain_view(table, name, 0, told, others));
    }
    let first = chains.iter().map(|chain| (table_of(chain), targets(chain)));
    for (table, names) in first.collect::<Vec<_>>() {
        open.extend(names.into_iter().map(|name| (table, name, 1)));
    }
    while let Some((table, name, depth)) = open.pop_front() {
        let known = chains.iter().any(|it| it.name == name && table_of(it) == table);
        if known || chains.len() >= CHAINS_MAX {
            continue;
        }
        let Some(all) = rules.rules(table, &name).filter(|_| name != "KUBE-MARK-MASQ") else {
            continue;
        };
        let told = with_shares(all, addresses);
        let chain = chain_view(table, &name, depth, told, 0);
        open.extend(targets(&chain).into_iter().map(|name| (table, name, depth + 1)));
        chains.push(chain);
    }
    let names: Vec<(String, String)> =
        chains.iter().map(|it| (it.table.clone(), it.name.clone())).collect();
    for chain in &mut chains {
        let table = chain.table.clone();
        for rule in &mut chain.rules {
            rule.jumps = names.iter().any(|(of, name)| *of == table && *name == rule.target);
        }
    }
    chains
}

fn chain_view(
    table: TableName,
    name: &str,
    depth: u32,
    rules: Vec<ChainRule>,
    others: u32,
) -> ChainView {
    ChainView { table: table.as_str().to_owned(), name: name.to_owned(), depth, rules, others }
}

fn table_of(chain: &ChainView) -> TableName {
    TableName::parse(&chain.table).unwrap_or(TableName::Nat)
}

fn targets(chain: &ChainView) -> Vec<String> {
    chain.rules.iter().map(|rule| rule.target.clone()).collect()
}

/// Whether a rule's comment names the service: `default/web`, `default/web:http cluster IP`.
fn speaks_of(rule: &Rule, service: &str) -> bool {
    let comment = comment(rule);
    comment.split_whitespace().any(|word| {
        word.strip_prefix(service).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })
}

fn comment(rule: &Rule) -> String {
    let texts = rule.matches.iter().filter_map(|it| match it {
        Match::Comment(text) => Some(text.to_string()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// Rules with the share of packets that each takes of those that are spread by chance.
fn with_shares(rules: &[Arc<Rule>], addresses: &Addresses) -> Vec<ChainRule> {
    let mut left = 1.0;
    let spreads = rules.iter().any(|rule| probability(rule).is_some());
    let mut views = Vec::new();
    for rule in rules {
        let chance = probability(rule);
        let is_last = spreads && chance.is_none() && is_endpoint(rule);
        let share = chance.map(|chance| left * chance).or(is_last.then_some(left));
        left -= share.unwrap_or(0.0);
        views.push(rule_view(rule, share, addresses));
    }
    views
}

/// Whether a rule leads to an endpoint without looking at where a packet comes from.
fn is_endpoint(rule: &Rule) -> bool {
    let to = match &rule.target {
        Some(Target::Jump(chain) | Target::Goto(chain)) => chain.starts_with("KUBE-SEP-"),
        _ => false,
    };
    let recent = rule.matches.iter().any(|it| matches!(it, Match::Recent(_)));
    to && !recent && rule.source.is_none()
}

fn probability(rule: &Rule) -> Option<f64> {
    rule.matches.iter().find_map(|it| match it {
        Match::Random(cond) => Some(f64::from(cond.value) / PROBABILITY_UNITS),
        _ => None,
    })
}

fn rule_view(rule: &Rule, share: Option<f64>, addresses: &Addresses) -> ChainRule {
    let (target, destination) = match &rule.target {
        Some(Target::Jump(chain) | Target::Goto(chain)) => (chain.to_string(), String::new()),
        Some(Target::Dnat(range)) => {
            let ip = range.ips.as_ref().map(|ips| ips.start().to_string()).unwrap_or_default();
            let port = range.ports.as_ref().map(|ports| format!(":{}", ports.start()));
            ("DNAT".to_owned(), ip + &port.unwrap_or_default())
        }
        Some(Target::Reject(_)) => ("REJECT".to_owned(), String::new()),
        Some(Target::Drop) => ("DROP".to_owned(), String::new()),
        Some(Target::Accept) => ("ACCEPT".to_owned(), String::new()),
        Some(Target::Return) => ("RETURN".to_owned(), String::new()),
        _ => (String::new(), String::new()),
    };
    let ip = destination.rsplit_once(':').map_or(destination.as_str(), |(ip, _)| ip);
    ChainRule {
        text: rule.text.to_string(),
        comment: comment(rule),
        target,
        jumps: false,
        pod: addresses.get(ip).cloned(),
        destination,
        probability: probability(rule),
        share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn packets_are_spread_evenly_over_the_pods() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        let script = "kubectl create deployment web --image=nginx --replicas=3
kubectl expose deployment web --port=80; sleep 20";
        cluster.exec(script, Duration::from_secs(60));
        let view = cluster.chains_of("default", "web", "");
        assert_eq!(view.nodes.len(), 3);
        let chain = |start: &str| view.chains.iter().find(|it| it.name.starts_with(start)).unwrap();
        let entrance = chain("KUBE-SERVICES");
        assert_eq!((entrance.rules.len(), entrance.depth), (1, 0), "{entrance:?}");
        assert!(entrance.others > 3 && entrance.rules[0].jumps);
        let service = chain("KUBE-SVC-");
        let shares: Vec<f64> = service.rules.iter().filter_map(|it| it.share).collect();
        assert_eq!(shares.len(), 3, "{service:?}");
        assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.001), "{shares:?}");
        let endpoints = view.chains.iter().filter(|it| it.name.starts_with("KUBE-SEP-"));
        let pods: Vec<_> =
            endpoints.flat_map(|it| &it.rules).filter_map(|it| it.pod.as_ref()).collect();
        assert_eq!(pods.len(), 3, "{view:?}");
        cluster
            .exec("kubectl scale deployment web --replicas=0; sleep 40", Duration::from_secs(90));
        let empty = cluster.chains_of("default", "web", "worker");
        let refuses = |it: &ChainView| it.rules.iter().any(|rule| rule.target == "REJECT");
        assert!(empty.chains.iter().any(refuses), "{empty:?}");
    }
}
