//! The laws of rolling updates of StatefulSets and DaemonSets: a pod that works is taken away for a
//! new one only while enough others work.

use crate::invariants::LAG;
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::intstr::scaled;
use naru_api::scheduling::taints;
use naru_api::{Key, Object, pods};
use naru_cluster::Change;
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What a DaemonSet's pods bear by themselves.
const CORDONED: &str = "node.kubernetes.io/unschedulable";

/// The pods of a cluster, and when each was last seen to change or to go.
#[derive(Default)]
pub struct Pods {
    pub there: BTreeMap<Key, Object>,
    pub changed: BTreeMap<Key, Time>,
}

impl Pods {
    pub fn get(&self, key: &Key) -> Option<&Pod> {
        self.there.get(key).and_then(|object| object.get::<Pod>())
    }

    /// Whether a pod works, as far as a controller can know.
    pub fn may_work(&self, key: &Key, now: Time) -> bool {
        self.get(key).is_some_and(works) || self.is_news(key, now)
    }

    /// Whether a controller need not know yet how the pod is.
    pub fn is_news(&self, key: &Key, now: Time) -> bool {
        self.changed.get(key).is_some_and(|at| *at + LAG > now)
    }

    fn of<'a>(&'a self, owner: &'a Object) -> impl Iterator<Item = (&'a Key, &'a Pod)> {
        let own = |object: &Object| {
            object.controller().is_some_and(|controller| controller.uid == owner.uid())
        };
        let all = self.there.iter().filter(move |(_, object)| own(object));
        all.filter_map(|(key, object)| Some((key, object.get::<Pod>()?)))
    }
}

fn works(pod: &Pod) -> bool {
    pods::is_ready(pod) && !pods::is_terminating(pod)
}

/// StatefulSets, DaemonSets and nodes, and since when they are as they are.
#[derive(Default)]
pub struct Replaced {
    sets: BTreeMap<Key, (Object, Time)>,
    daemons: BTreeMap<Key, (Object, Time)>,
    nodes: BTreeMap<Key, (Object, Time)>,
}

impl Replaced {
    /// A node that is there from the start.
    pub fn begin_with(&mut self, node: &Object) {
        self.nodes.insert(node.key(), (node.clone(), Time::ZERO));
    }

    /// Takes a change of something that is not a pod over.
    pub fn take(&mut self, change: &Change, object: &Object, now: Time) {
        let known = match object {
            object if object.get::<StatefulSet>().is_some() => &mut self.sets,
            object if object.get::<DaemonSet>().is_some() => &mut self.daemons,
            object if object.get::<Node>().is_some() => &mut self.nodes,
            _ => return,
        };
        // A status says nothing of what is wanted, and a node's heartbeat nothing of its taints.
        let is_same = |old: &Object| match (old.get::<Node>(), object.get::<Node>()) {
            (Some(old), Some(new)) => taints(old) == taints(new),
            _ => old.meta().generation == object.meta().generation,
        };
        let since = known.get(&object.key()).filter(|(old, _)| is_same(old)).map(|(_, at)| *at);
        match &change.after {
            Some(after) => {
                known.insert(object.key(), (after.clone(), since.unwrap_or(now)));
            }
            None => drop(known.remove(&object.key())),
        }
    }

    /// A pod that works begins to go; says if it goes too early. One that is evicted goes when
    /// whoever evicts it wants it to.
    pub fn goes(&self, key: &Key, object: &Object, pods: &Pods, now: Time) -> Result<(), String> {
        let works = pods.get(key).is_some_and(works) && !pods.is_news(key, now);
        let pod = object.get::<Pod>();
        let evicted = pod.and_then(|pod| pods::condition(pod, "DisruptionTarget")).is_some();
        let Some(owner) = object.controller().filter(|_| works && !evicted) else {
            return Ok(());
        };
        let name = Key::new(key.namespace.as_str(), owner.name.as_str());
        let known = if owner.kind == "DaemonSet" { &self.daemons } else { &self.sets };
        let Some((owner, _)) = known.get(&name).filter(|(known, since)| {
            let stays = known.meta().deletion_timestamp.is_none();
            known.uid() == owner.uid && stays && *since + LAG <= now
        }) else {
            return Ok(());
        };
        if let Some(set) = owner.get::<StatefulSet>() {
            return ordered(set, key, pods, now);
        }
        match (owner.get::<DaemonSet>(), pod) {
            (Some(daemon), Some(pod)) => self.daemon(owner, daemon, pod, pods, now),
            _ => Ok(()),
        }
    }

    /// Not more nodes than `maxUnavailable` are without a pod that works.
    fn daemon(
        &self,
        owner: &Object,
        daemon: &DaemonSet,
        pod: &Pod,
        pods: &Pods,
        now: Time,
    ) -> Result<(), String> {
        let bearable = |node: &Node| {
            let mut taints = taints(node).iter();
            taints.all(|it| it.effect == "PreferNoSchedule" || it.key == CORDONED)
        };
        let of_it = |node: &str| {
            let (node, since) = self.nodes.get(&Key::new("", node))?;
            node.get::<Node>().filter(|node| bearable(node) && *since + LAG <= now)
        };
        if of_it(pods::node_name(pod)).is_none() {
            return Ok(());
        }
        let wanted: BTreeSet<&str> = self.nodes.keys().map(|key| key.name.as_str()).collect();
        let wanted: BTreeSet<&str> =
            wanted.into_iter().filter(|node| of_it(node).is_some()).collect();
        let own: BTreeMap<&str, &Key> =
            pods.of(owner).map(|(key, pod)| (pods::node_name(pod), key)).collect();
        let without = |node: &&&str| match own.get(**node) {
            Some(key) => !pods.may_work(key, now),
            None => true,
        };
        let others = wanted.iter().filter(|node| **node != pods::node_name(pod));
        let missing = 1 + i32::try_from(others.filter(without).count()).unwrap_or(i32::MAX);
        let count = i32::try_from(wanted.len()).unwrap_or(i32::MAX);
        let strategy = daemon.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let most = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        let most = most.and_then(|most| scaled(most, count, true)).unwrap_or(1).max(1);
        match missing > most {
            true => Err(format!("leaves {missing} of {count} nodes without a pod, not {most}")),
            false => Ok(()),
        }
    }
}

/// One pod of a StatefulSet after the other, and all others work.
fn ordered(set: &StatefulSet, key: &Key, pods: &Pods, now: Time) -> Result<(), String> {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let Some((name, ordinal)) = key.name.rsplit_once('-') else { return Ok(()) };
    if ordinal.parse::<i32>().is_ok_and(|ordinal| ordinal >= wanted) {
        return Ok(());
    }
    for other in 0..wanted {
        let other = Key::new(key.namespace.as_str(), format!("{name}-{other}"));
        if other != *key && !pods.may_work(&other, now) {
            return Err(format!("was taken away while {other} did not work"));
        }
    }
    Ok(())
}
