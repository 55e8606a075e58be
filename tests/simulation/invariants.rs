//! Laws that hold at every moment, whatever breaks.

use crate::replaced::{Pods, Replaced};
use crate::rollouts::Rollouts;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use naru_api::{Key, Object, labels, pods};
use naru_cluster::{Change, Cluster};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a controller need not know yet.
pub const LAG: Duration = Duration::from_millis(100);

/// Follows every change of a cluster's store.
pub struct Observer {
    revision: u64,
    /// Whether nothing is broken on purpose.
    calm: bool,
    pods: Pods,
    now: Time,
    /// Who has an address: pods that run and have no node's address.
    addresses: BTreeMap<String, Key>,
    budgets: BTreeMap<Key, Object>,
    rollouts: Rollouts,
    replaced: Replaced,
}

impl Observer {
    /// Begins with what is there.
    pub fn new(cluster: &mut Cluster, calm: bool) -> Observer {
        let mut replaced = Replaced::default();
        let nodes = cluster.objects("v1", "Node", "", "");
        nodes.iter().for_each(|node| replaced.begin_with(node));
        Observer {
            revision: cluster.revision(),
            calm,
            pods: Pods::default(),
            now: cluster.now(),
            addresses: BTreeMap::new(),
            budgets: BTreeMap::new(),
            rollouts: Rollouts::default(),
            replaced,
        }
    }

    /// Looks at what has changed since the last look; says what law was broken.
    pub fn look(&mut self, cluster: &mut Cluster) -> Result<(), String> {
        if cluster.revision() == self.revision {
            return Ok(());
        }
        self.now = cluster.now();
        let changes = cluster.changes_since(self.revision).ok_or("history was forgotten")?;
        for change in changes {
            self.take(change).map_err(|broken| format!("{}: {broken}", change.key))?;
        }
        Ok(())
    }

    fn take(&mut self, change: &Change) -> Result<(), String> {
        if change.revision != self.revision + 1 {
            return Err(format!("revision {} after {}", change.revision, self.revision));
        }
        self.revision = change.revision;
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            versions_grow(before, after)?;
        }
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(()) };
        if object.get::<Pod>().is_some() {
            self.pod(change, object.key())?;
        } else if object.get::<PodDisruptionBudget>().is_some() {
            self.budget(change, object.key())?;
        } else if object.get::<PersistentVolumeClaim>().is_some() {
            claims_bind_once(change)?;
        } else if self.calm && is_of_rollout(object) {
            self.rollouts.take(change, object.key(), self.now)?;
        } else {
            self.replaced.take(change, object, self.now);
        }
        Ok(())
    }

    fn pod(&mut self, change: &Change, key: Key) -> Result<(), String> {
        let before = change.before.as_ref().and_then(Object::get::<Pod>);
        if let Some(ip) = before.and_then(own_address)
            && self.addresses.get(ip) == Some(&key)
        {
            self.addresses.remove(ip);
        }
        let goes = change.after.as_ref().filter(|after| is_going(after));
        if let Some(after) = goes.filter(|_| self.calm && !before.is_some_and(pods::is_terminating))
        {
            self.replaced.goes(&key, after, &self.pods, self.now)?;
        }
        self.pods.changed.insert(key.clone(), self.now);
        let Some(after) = &change.after else {
            self.pods.there.remove(&key);
            return Ok(());
        };
        if self.calm && before.is_none() {
            self.comes_in_order(&key, after)?;
        }
        let Some(pod) = after.get::<Pod>() else { return Ok(()) };
        stays_on_its_node(before, pod)?;
        if let Some(ip) = own_address(pod) {
            let other = self.addresses.insert(ip.to_owned(), key.clone());
            if let Some(other) = other.filter(|other| *other != key) {
                return Err(format!("has the address {ip} of {other}"));
            }
        }
        if self.calm && is_evicted(pod) && !before.is_some_and(is_evicted) {
            self.may_be_evicted(&key, pod)?;
        }
        self.pods.there.insert(key, after.clone());
        Ok(())
    }

    /// A pod of a StatefulSet is made when all before it are ready, as far as its controller can
    /// know.
    fn comes_in_order(&self, key: &Key, object: &Object) -> Result<(), String> {
        let owner = object.controller().filter(|owner| owner.kind == "StatefulSet");
        let Some((set, ordinal)) = owner.and_then(|_| key.name.rsplit_once('-')) else {
            return Ok(());
        };
        for lower in 0..ordinal.parse::<u32>().unwrap_or(0) {
            let before = Key::new(key.namespace.as_str(), format!("{set}-{lower}"));
            if !self.pods.may_work(&before, self.now) {
                return Err(format!("was made before {before} was ready"));
            }
        }
        Ok(())
    }

    fn budget(&mut self, change: &Change, key: Key) -> Result<(), String> {
        let Some(after) = &change.after else {
            self.budgets.remove(&key);
            return Ok(());
        };
        let status = after.get::<PodDisruptionBudget>().and_then(|budget| budget.status.as_ref());
        if let Some(status) = status.filter(|status| status.disruptions_allowed < 0) {
            return Err(format!("allows {} disruptions", status.disruptions_allowed));
        }
        self.budgets.insert(key, after.clone());
        Ok(())
    }

    /// Every budget that counts an evicted pod has given its leave before.
    fn may_be_evicted(&self, key: &Key, pod: &Pod) -> Result<(), String> {
        if !pods::is_ready(pod) {
            return Ok(());
        }
        for (name, object) in
            self.budgets.iter().filter(|(name, _)| name.namespace == key.namespace)
        {
            let Some(budget) = object.get::<PodDisruptionBudget>() else { continue };
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            let selects = labels::Selector::from_label_selector(selector)
                .is_ok_and(|selector| selector.matches(pod.metadata.labels.as_ref()));
            let known = budget.status.as_ref().and_then(|status| status.disrupted_pods.as_ref());
            if selects && !known.is_some_and(|known| known.contains_key(&key.name)) {
                return Err(format!("was evicted without leave of {name}"));
            }
        }
        Ok(())
    }
}

fn is_going(object: &Object) -> bool {
    object.meta().deletion_timestamp.is_some()
}

fn is_of_rollout(object: &Object) -> bool {
    object.get::<Deployment>().is_some() || object.get::<ReplicaSet>().is_some()
}

fn versions_grow(before: &Object, after: &Object) -> Result<(), String> {
    let version = |object: &Object| {
        object.meta().resource_version.as_deref().and_then(|text| text.parse::<u64>().ok())
    };
    if version(before) >= version(after) {
        let (before, after) = (version(before), version(after));
        return Err(format!("resourceVersion {after:?} after {before:?}"));
    }
    if before.uid() != after.uid() {
        return Err(format!("uid {} after {}", after.uid(), before.uid()));
    }
    if before.meta().generation > after.meta().generation {
        let (before, after) = (before.meta().generation, after.meta().generation);
        return Err(format!("generation {after:?} after {before:?}"));
    }
    Ok(())
}

fn stays_on_its_node(before: Option<&Pod>, pod: &Pod) -> Result<(), String> {
    let (was, is) = (before.map_or("", pods::node_name), pods::node_name(pod));
    match was.is_empty() || was == is {
        true => Ok(()),
        false => Err(format!("went from {was} to {is}")),
    }
}

/// The address of a pod that runs by what is known, and has not its node's.
fn own_address(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?;
    let hosts = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
    let address = status.pod_ip.as_deref().filter(|ip| !ip.is_empty());
    address.filter(|_| !hosts && !pods::is_terminal(pod) && pods::is_ready(pod))
}

fn is_evicted(pod: &Pod) -> bool {
    pods::condition(pod, "DisruptionTarget")
        .is_some_and(|condition| condition.reason.as_deref() == Some("EvictionByEvictionAPI"))
}

fn claims_bind_once(change: &Change) -> Result<(), String> {
    let volume = |object: &Option<Object>| {
        let claim = object.as_ref()?.get::<PersistentVolumeClaim>()?;
        claim.spec.as_ref()?.volume_name.clone().filter(|name| !name.is_empty())
    };
    match (volume(&change.before), volume(&change.after)) {
        (Some(before), after) if change.after.is_some() && after.as_ref() != Some(&before) => {
            Err(format!("was bound to {before}, then to {after:?}"))
        }
        _ => Ok(()),
    }
}
