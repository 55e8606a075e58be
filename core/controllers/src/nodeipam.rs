//! Gives each node the range of its pods' addresses.
//!
//! Upstream: `pkg/controller/nodeipam/ipam/range_allocator.go`, `ipam/cidrset/cidr_set.go`.

use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::Node;
use naru_api::request::Patch;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Upstream: `--node-cidr-mask-size`.
const NODE_PREFIX: u8 = 24;

/// The range allocator of the node IPAM controller.
#[derive(Clone, Debug)]
pub struct NodeIpamController {
    ranges: CidrSet,
    /// What nodes were given that the cache may not show yet.
    given: BTreeMap<String, Ipv4Net>,
}

impl NodeIpamController {
    /// Gives out parts of `cluster_range`, but none that lies in the range of Services.
    pub fn new(cluster_range: Ipv4Net, service_range: Ipv4Net) -> Self {
        let mut ranges = CidrSet::new(cluster_range, NODE_PREFIX);
        ranges.occupy(service_range);
        NodeIpamController { ranges, given: BTreeMap::new() }
    }

    fn assign(
        &mut self,
        range: Ipv4Net,
        object: &Object,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let text = range.to_string();
        let patch = Patch::Strategic(json!({"spec": {"podCIDR": text, "podCIDRs": [text]}}));
        match context.client.patch::<Node>("", object.name(), "", patch) {
            Ok(_) => {
                self.given.insert(object.name().to_owned(), range);
                Ok(())
            }
            Err(error) => {
                self.ranges.release(range);
                if !error.is_not_found() {
                    status_event(object, context, "CIDRAssignmentFailed");
                }
                Err(error.into())
            }
        }
    }
}

fn status_event(node: &Object, context: &mut Context<'_>, what: &str) {
    let message = format!("Node {} status is now: {what}", node.name());
    context.event(node, EventType::Normal, what, &message);
}

fn range_of(node: &Node) -> Option<Ipv4Net> {
    node.spec.as_ref()?.pod_cidr.as_deref()?.parse().ok()
}

impl Controller for NodeIpamController {
    /// The name by which its events are known.
    fn name(&self) -> &str {
        "cidrAllocator"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let Some(node) = event.object.get::<Node>() else { return Vec::new() };
        let given = self.given.get(event.object.name()).copied();
        let range = range_of(node).or(given);
        if event.kind == WatchEventType::Deleted {
            self.given.remove(event.object.name());
            if let Some(range) = range {
                self.ranges.release(range);
            }
            return Vec::new();
        }
        match range {
            Some(range) => {
                self.ranges.occupy(range);
                Vec::new()
            }
            None => vec![event.object.key()],
        }
    }
}

impl Reconcile for NodeIpamController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(object) = context.cache.object(&Node::kind(), key) else {
            return Ok(Action::await_change());
        };
        let has_range = object.get::<Node>().and_then(range_of).is_some();
        if has_range || self.given.contains_key(&key.name) {
            return Ok(Action::await_change());
        }
        let Some(range) = self.ranges.allocate_next() else {
            status_event(object, context, "CIDRNotAvailable");
            let why = "failed to allocate cidr from cluster cidr at idx:0: CIDR allocation failed; \
                       there are no remaining CIDRs left to allocate in the accepted range";
            return Err(Error::Other(why.to_owned()));
        };
        self.assign(range, object, context)?;
        Ok(Action::await_change())
    }
}

/// The equal parts of a range, and which of them are taken.
#[derive(Clone, Debug)]
struct CidrSet {
    cluster: Ipv4Net,
    node_prefix: u8,
    taken: BTreeSet<u32>,
    next: u32,
}

impl CidrSet {
    fn new(cluster: Ipv4Net, node_prefix: u8) -> Self {
        let node_prefix = node_prefix.max(cluster.prefix_len());
        CidrSet { cluster, node_prefix, taken: BTreeSet::new(), next: 0 }
    }

    fn count(&self) -> u32 {
        1_u32.checked_shl(u32::from(self.node_prefix - self.cluster.prefix_len())).unwrap_or(0)
    }

    fn part(&self, index: u32) -> Option<Ipv4Net> {
        let size = 1_u32.checked_shl(u32::from(32 - self.node_prefix))?;
        let start = u32::from(self.cluster.network()).checked_add(index.checked_mul(size)?)?;
        Ipv4Net::new(start.into(), self.node_prefix).ok()
    }

    /// The parts that `range` touches.
    fn parts(&self, range: Ipv4Net) -> std::ops::Range<u32> {
        let size = (u64::from(u32::MAX) + 1) >> self.node_prefix;
        let base = u64::from(u32::from(self.cluster.network()));
        let end = base + u64::from(self.count()) * size;
        let first = u64::from(u32::from(range.network())).clamp(base, end);
        let last = (u64::from(u32::from(range.broadcast())) + 1).clamp(base, end);
        let index = |address: u64| u32::try_from((address - base).div_ceil(size)).unwrap_or(0);
        let floor = u32::try_from((first - base) / size).unwrap_or(0);
        floor..index(last)
    }

    fn occupy(&mut self, range: Ipv4Net) {
        self.taken.extend(self.parts(range));
    }

    fn release(&mut self, range: Ipv4Net) {
        for part in self.parts(range) {
            self.taken.remove(&part);
        }
    }

    /// The next free part, after the one given last.
    fn allocate_next(&mut self) -> Option<Ipv4Net> {
        let count = self.count();
        let mut places = (self.next..count).chain(0..self.next.min(count));
        let index = places.find(|index| !self.taken.contains(index))?;
        self.taken.insert(index);
        self.next = (index + 1) % count;
        self.part(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cluster: &str, prefix: u8) -> CidrSet {
        CidrSet::new(cluster.parse().unwrap(), prefix)
    }

    fn next(set: &mut CidrSet) -> String {
        set.allocate_next().map(|range| range.to_string()).unwrap_or_default()
    }

    #[test]
    fn parts_are_given_in_order_and_come_back() {
        let mut set = set("10.0.0.0/22", 24);
        set.occupy("10.0.1.0/24".parse().unwrap());
        assert_eq!(next(&mut set), "10.0.0.0/24");
        assert_eq!(next(&mut set), "10.0.2.0/24");
        set.release("10.0.0.0/24".parse().unwrap());
        assert_eq!(next(&mut set), "10.0.3.0/24");
        assert_eq!(next(&mut set), "10.0.0.0/24");
        assert_eq!(next(&mut set), "");
    }

    #[test]
    fn a_range_takes_every_part_that_it_touches() {
        let cases = [
            ("10.96.0.0/16", 0..0),
            ("10.0.0.0/16", 0..4),
            ("10.0.1.0/25", 1..2),
            ("10.0.2.128/25", 2..3),
            ("10.0.2.0/23", 2..4),
            ("9.0.0.0/8", 0..0),
        ];
        for (range, expected) in cases {
            let parts = set("10.0.0.0/22", 24).parts(range.parse().unwrap());
            let (parts, expected) = (parts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            assert_eq!(parts, expected, "{range}");
        }
    }
}
