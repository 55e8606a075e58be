//! Rolls a new template out, node by node.
//!
//! Upstream: `rollingUpdate` in `pkg/controller/daemon/update.go`, and the part of
//! `podsShouldBeOnNode` that is for surges.

use super::State;
use super::manage::Plan;
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::{Key, intstr, pods};
use naru_client::Cache;
use naru_sim::Time;
use std::collections::BTreeSet;

/// The pods of one node that are not going.
enum OnNode<'a> {
    /// At most one of each.
    Pods { new: Option<&'a Pod>, old: Option<&'a Pod> },
    /// More than one of a kind, of which the surplus goes first.
    TooMany,
}

/// How many nodes may be without a pod, and how many may have two.
struct Allowance {
    surge: i32,
    unavailable: i32,
    desired: i32,
}

impl<'a> State<'a> {
    /// Whether a node may have two pods during a rollout.
    pub(super) fn allows_surge(&self) -> bool {
        self.surge(1) > 0
    }

    fn surge(&self, nodes: i32) -> i32 {
        let rolling = self.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
        surge.and_then(|surge| intstr::scaled(surge, nodes, true)).unwrap_or(0)
    }

    fn allowance(&self, cache: &Cache) -> Allowance {
        let desired = cache.list::<Node>("").filter(|node| self.should_run(node).0).count();
        let desired = i32::try_from(desired).unwrap_or(i32::MAX);
        let rolling = self.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        let unavailable =
            unavailable.and_then(|value| intstr::scaled(value, desired, true)).unwrap_or(0);
        let surge = self.surge(desired);
        let stuck = desired > 0 && unavailable == 0 && surge == 0;
        Allowance { surge, unavailable: if stuck { 1 } else { unavailable }, desired }
    }

    fn on_node(&self, node: &str) -> OnNode<'a> {
        let (mut new, mut old) = (None, None);
        for pod in self.pods_on(node).iter().filter(|pod| !pods::is_terminating(pod)) {
            let slot = if self.is_updated(pod) { &mut new } else { &mut old };
            if slot.replace(*pod).is_some() {
                return OnNode::TooMany;
            }
        }
        OnNode::Pods { new, old }
    }

    /// The nodes that have pods or should have one.
    fn nodes(&self, cache: &Cache) -> BTreeSet<String> {
        let wanted = cache.list::<Node>("").filter(|node| self.should_run(node).0);
        let wanted = wanted.filter_map(|node| node.metadata.name.clone());
        wanted.chain(self.by_node.keys().cloned()).collect()
    }

    /// What the rollout does next.
    pub(super) fn rolling_update(&self, cache: &Cache, now: Time) -> Plan<'a> {
        let allowance = self.allowance(cache);
        if allowance.surge == 0 {
            self.replace(cache, now, allowance.unavailable)
        } else {
            self.surge_and_replace(cache, now, &allowance)
        }
    }

    /// Old pods go, so that new ones come: those that do not work at once, others as far as not
    /// more nodes than `most` are without one.
    fn replace(&self, cache: &Cache, now: Time, most: i32) -> Plan<'a> {
        let (mut unavailable, mut broken, mut candidates) = (0, Vec::new(), Vec::new());
        for node in self.nodes(cache) {
            match self.on_node(&node) {
                OnNode::Pods { new: Some(new), old: None } => {
                    unavailable += i32::from(!self.is_available(new, now));
                }
                OnNode::Pods { new: None, old: Some(old) } if self.is_available(old, now) => {
                    candidates.push(old);
                }
                OnNode::Pods { new: None, old: Some(old) } => {
                    broken.push(old);
                    unavailable += 1;
                }
                OnNode::Pods { .. } | OnNode::TooMany => unavailable += 1,
            }
        }
        let room = usize::try_from(most - unavailable).unwrap_or(0);
        broken.extend(candidates.into_iter().take(room));
        Plan { delete: broken, ..Plan::default() }
    }

    /// New pods come beside old ones, and old ones go once the new ones work.
    fn surge_and_replace(&self, cache: &Cache, now: Time, allowance: &Allowance) -> Plan<'a> {
        let mut plan = Plan::default();
        let (mut leaving, mut candidates) = (Vec::new(), Vec::new());
        let (mut surging, mut available) = (0, 0);
        for name in self.nodes(cache) {
            let OnNode::Pods { new, old } = self.on_node(&name) else {
                surging += 1;
                continue;
            };
            let works = |pod: &Pod| self.is_available(pod, now);
            available += i32::from(old.or(new).is_some_and(works));
            let node = cache.get::<Node>(&Key::new("", &name));
            let wanted = node.is_some_and(|node| self.should_run(node).0);
            match (old, new) {
                (None, _) => {}
                (Some(old), None) if !works(old) && !wanted => plan.delete.push(old),
                (Some(old), None) if !works(old) => plan.create.push(name),
                (Some(old), None) if !wanted => leaving.push(old),
                (Some(_), None) => candidates.push(name),
                (Some(_), Some(new)) if !works(new) => surging += 1,
                (Some(old), Some(_)) => plan.delete.push(old),
            }
        }
        // A pod on a node that is to have none stays until another one has taken its place.
        let spare = usize::try_from(available - allowance.desired).unwrap_or(0);
        plan.delete.extend(leaving.into_iter().take(spare));
        let room = usize::try_from(allowance.surge - surging).unwrap_or(0);
        plan.create.extend(candidates.into_iter().take(room));
        plan
    }

    /// Of the pods that run on one node those that go, where two may be there: the oldest new one
    /// and the oldest old one stay, until one of the two has done its part.
    pub(super) fn surplus(&self, running: &[&'a Pod], now: Time) -> Vec<&'a Pod> {
        if running.len() < 2 {
            return Vec::new();
        }
        let (new, old): (Vec<&Pod>, Vec<&Pod>) =
            running.iter().copied().partition(|pod| self.has_hash(pod));
        let mut surplus: Vec<&Pod> = new.iter().chain(&old).copied().collect();
        let (new, old) = (new.first().copied(), old.first().copied());
        surplus.retain(|pod| {
            let is = |kept: Option<&Pod>| kept.is_some_and(|kept| std::ptr::eq(kept, *pod));
            !is(new) && !is(old)
        });
        if let (Some(new), Some(old)) = (new, old)
            && (!pods::is_ready(old) || self.is_available(new, now))
        {
            surplus.push(old);
        }
        surplus
    }
}
