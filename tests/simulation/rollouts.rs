//! The law of rolling updates: a Deployment takes pods from its old ReplicaSets only as far as
//! `maxUnavailable` allows.

use crate::invariants::LAG;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use naru_api::Key;
use naru_api::intstr::scaled;
use naru_cluster::Change;
use naru_sim::Time;
use std::collections::BTreeMap;

/// Deployments and their ReplicaSets, as they are and as they may still be thought to be.
#[derive(Default)]
pub struct Rollouts {
    /// The fewest pods that a Deployment had to have available.
    least: BTreeMap<Key, Recent>,
    sets: BTreeMap<Key, Set>,
}

#[derive(Default)]
struct Set {
    deployment: Key,
    wanted: Recent,
    available: Recent,
}

impl Set {
    /// The pods that stay available of this set when it is made smaller by so many, by the best
    /// that the controller may believe: what it has made smaller just now may not have lost pods
    /// yet, and what is not available may go first.
    fn available(&self, less: i32, now: Time) -> i32 {
        let most = |recent: &Recent| recent.values(now).max().unwrap_or(0);
        most(&self.available).min(most(&self.wanted) - less)
    }
}

/// A number, and what it was not long ago.
#[derive(Default)]
struct Recent(Vec<(Time, i32)>);

impl Recent {
    /// From now on it is this.
    fn set(&mut self, now: Time, value: i32) {
        self.0.drain(..self.ended(now));
        self.0.push((now, value));
    }

    fn latest(&self) -> Option<i32> {
        self.0.last().map(|(_, value)| *value)
    }

    /// What it is, and what it was within the lag.
    fn values(&self, now: Time) -> impl Iterator<Item = i32> {
        self.0.iter().skip(self.ended(now)).map(|(_, value)| *value)
    }

    /// How many of the values were replaced too long ago.
    fn ended(&self, now: Time) -> usize {
        self.0.iter().skip(1).take_while(|(since, _)| *since + LAG <= now).count()
    }
}

impl Rollouts {
    /// Takes a change over; says if it breaks the law.
    pub fn take(&mut self, change: &Change, key: Key, now: Time) -> Result<(), String> {
        let Some(after) = &change.after else {
            self.least.remove(&key);
            self.sets.remove(&key);
            return Ok(());
        };
        if let Some(deployment) = after.get::<Deployment>() {
            self.least.entry(key).or_default().set(now, least_available(deployment));
        } else if let Some(set) = after.get::<ReplicaSet>() {
            let owner = after.controller().filter(|owner| owner.kind == "Deployment");
            let Some(owner) = owner else { return Ok(()) };
            let deployment = Key::new(after.namespace(), owner.name.as_str());
            return self.set(key, deployment, set, now);
        }
        Ok(())
    }

    fn set(
        &mut self,
        key: Key,
        deployment: Key,
        object: &ReplicaSet,
        now: Time,
    ) -> Result<(), String> {
        let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = object.status.as_ref();
        let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
        let all = self.sets.values().filter(|set| set.deployment == deployment);
        let before: i32 = all.map(|set| set.available(0, now)).sum();
        let set = self.sets.entry(key).or_default();
        let less = set.wanted.latest().map_or(0, |before| before - wanted);
        let after = before - set.available(0, now) + set.available(less, now);
        set.deployment.clone_from(&deployment);
        set.wanted.set(now, wanted);
        set.available.set(now, available);
        let least = self.least.get(&deployment).and_then(|least| least.values(now).min());
        let least = least.unwrap_or(0);
        match less > 0 && after < least.min(before) {
            true => Err(format!(
                "{deployment} keeps {after} pods available of {before}, and must keep {least}"
            )),
            false => Ok(()),
        }
    }
}

/// Upstream: `MinAvailable` and `MaxUnavailable` in
/// `pkg/controller/deployment/util/deployment_util.go`, for the strategy RollingUpdate.
fn least_available(deployment: &Deployment) -> i32 {
    let Some(spec) = &deployment.spec else { return 0 };
    let wanted = spec.replicas.unwrap_or(1);
    let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let Some(rolling) = rolling else { return 0 };
    let part = |value: &Option<_>, up| {
        value.as_ref().and_then(|value| scaled(value, wanted, up)).unwrap_or(0)
    };
    let (surge, missing) = (part(&rolling.max_surge, true), part(&rolling.max_unavailable, false));
    let missing = if surge == 0 && missing == 0 { 1 } else { missing };
    (wanted - missing).max(0)
}
