//! What a network plugin does about NetworkPolicies: rules on each node for the pods there.
//!
//! kindnetd asks the policies for the first packet of each connection, as it leaves the node's IP
//! layer, after its destination is translated and before its source is. Here the answers are
//! written down beforehand, as rules in the table of that place.
//!
//! Upstream: `kubernetes-sigs/kube-network-policies`, `pkg/networkpolicy`, as kindnetd has it since
//! kind v0.24.

mod rules;
#[cfg(test)]
mod tests;

use crate::kindnet::HostRoutes;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use naru_api::{Key, Kube, Object, UserInfo, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Process, Reconcile, Watch};
use naru_network::netfilter::TableName;
use naru_sim::Rng;

/// The part of a network plugin that enforces policies on one node.
#[derive(Clone, Debug)]
pub struct NetworkPolicies {
    node: String,
}

impl NetworkPolicies {
    /// The part as it runs on a node, in the daemon that has this account.
    pub fn process(node: &str, account: &str, rng: &Rng) -> Process<NetworkPolicies> {
        let user = UserInfo::service_account("kube-system", account);
        let policies = NetworkPolicies { node: node.to_owned() };
        Process::new("kube-network-policies", user, rng).with(policies)
    }

    /// All rules are written together.
    fn key() -> Key {
        Key::new("", "network-policies")
    }
}

impl Controller for NetworkPolicies {
    fn name(&self) -> &str {
        "kube-network-policies"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<NetworkPolicy>(), Watch::all::<Namespace>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        let gone = event.kind == WatchEventType::Deleted;
        let same = match (object.get::<Pod>(), old.and_then(Object::get::<Pod>)) {
            (Some(new), Some(old)) if !gone => {
                new.metadata.labels == old.metadata.labels && rules::ip(new) == rules::ip(old)
            }
            _ if object.kind() == Namespace::kind() && !gone => {
                old.is_some_and(|old| old.meta().labels == object.meta().labels)
            }
            _ => false,
        };
        if same { Vec::new() } else { vec![NetworkPolicies::key()] }
    }

    fn initial(&self) -> Vec<Key> {
        vec![NetworkPolicies::key()]
    }
}

impl Reconcile<HostRoutes<'_>> for NetworkPolicies {
    fn reconcile(
        &mut self,
        _key: &Key,
        context: &mut Context<'_>,
        world: &mut HostRoutes<'_>,
    ) -> Result<Action, Error> {
        let seen = rules::Seen {
            node: &self.node,
            policies: context.cache.list::<NetworkPolicy>("").collect(),
            namespaces: context.cache.list::<Namespace>("").collect(),
            pods: context.cache.list::<Pod>("").collect(),
        };
        let written = rules::of(&seen);
        let missing = || Error::Other(format!("node {} has no network", self.node));
        let netfilter = world.network.netfilter(world.host).ok_or_else(missing)?;
        for (name, members) in &written.sets {
            if !netfilter.set_put(name, members.clone()) {
                return Err(Error::Other(format!("set {name}: too many addresses")));
            }
        }
        let restored = netfilter.restore(&written.text, true);
        restored.map_err(|error| Error::Other(error.to_string()))?;
        netfilter.set_retain(|name| {
            !name.starts_with(rules::SET_PREFIX) || written.sets.contains_key(name)
        });
        Ok(Action::await_change())
    }
}

/// Takes the rules away: nobody is there to keep them.
pub fn clear(network: &mut naru_network::Network, host: naru_network::NsId) {
    let Some(netfilter) = network.netfilter(host) else { return };
    let table = TableName::Nft;
    // An empty table always fits.
    let _ = netfilter.restore(&format!("*{table}\nCOMMIT\n"), true);
    netfilter.set_retain(|name| !name.starts_with(rules::SET_PREFIX));
}
