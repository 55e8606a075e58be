//! Deletes pods that nobody else will: of nodes that are gone, of old, and never started.
//!
//! Upstream: `pkg/controller/podgc/gc_controller.go`.

use crate::util::{is_out_of_service, is_ready, key_of};
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::request::{DeleteOptions, Patch};
use naru_api::time::{from_meta, meta_time, rfc3339};
use naru_api::{Key, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often upstream looks. Upstream: `gcCheckPeriod`.
const PERIOD: Duration = Duration::from_secs(20);
/// How long a node must be gone. Upstream: `quarantineTime`.
const QUARANTINE: Duration = Duration::from_secs(40);
/// Ended pods that are kept. Upstream: `--terminated-pod-gc-threshold`.
const TERMINATED_MAX: usize = 12_500;

/// The pod garbage collector.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    /// Nodes that pods name and that are not there, and since when that is known.
    missing: BTreeMap<String, Time>,
    terminated: usize,
}

impl Controller for PodGc {
    fn name(&self) -> &str {
        "pod-garbage-collector-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Pod>(), Watch::all::<Node>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let gone = event.kind == WatchEventType::Deleted;
        let look = match event.object.get::<Pod>() {
            Some(pod) => {
                self.count_terminated(pod, old.and_then(Object::get::<Pod>), gone);
                let node = pods::node_name(pod);
                let homeless = match cache.get::<Node>(&Key::new("", node)) {
                    Some(node) => pods::is_terminating(pod) && is_out_of_service(node),
                    None => !node.is_empty() || pods::is_terminating(pod),
                };
                !gone && (homeless || self.terminated > TERMINATED_MAX)
            }
            None => event.object.get::<Node>().is_some_and(|node| gone || is_out_of_service(node)),
        };
        if look { vec![Key::new("", "gc")] } else { Vec::new() }
    }
}

impl PodGc {
    fn count_terminated(&mut self, pod: &Pod, old: Option<&Pod>, gone: bool) {
        let before = old.is_some_and(pods::is_terminal);
        let after = !gone && pods::is_terminal(pod);
        self.terminated =
            (self.terminated + usize::from(after)).saturating_sub(usize::from(before));
    }
}

impl Reconcile for PodGc {
    fn reconcile(
        &mut self,
        _key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let next = Duration::from_micros(
            PERIOD.as_micros() as u64 - context.now.as_micros() % PERIOD.as_micros() as u64,
        );
        let on_time = next == PERIOD;
        if !on_time {
            self.find_missing(context.cache, context.now);
            return Ok(Action::requeue_after(next));
        }
        self.collect_terminated(context)?;
        collect_out_of_service(context)?;
        self.find_missing(context.cache, context.now);
        self.collect_orphaned(context)?;
        collect_unscheduled(context)?;
        if self.missing.is_empty() {
            Ok(Action::await_change())
        } else {
            Ok(Action::requeue_after(PERIOD))
        }
    }
}

impl PodGc {
    fn find_missing(&mut self, cache: &Cache, now: Time) {
        let there = |name: &str| cache.get::<Node>(&Key::new("", name)).is_some();
        let mut missing = BTreeMap::new();
        for name in cache.list::<Pod>("").map(pods::node_name).filter(|name| !name.is_empty()) {
            if !missing.contains_key(name) && !there(name) {
                let since = self.missing.get(name).copied().unwrap_or(now);
                missing.insert(name.to_owned(), since);
            }
        }
        self.missing = missing;
    }

    /// The oldest of too many ended pods go.
    fn collect_terminated(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        if self.terminated <= TERMINATED_MAX {
            return Ok(());
        }
        let cache = context.cache;
        let ended = cache.list::<Pod>("").filter(|pod| pods::is_terminal(pod)).collect();
        for pod in surplus(ended, TERMINATED_MAX) {
            delete(context, pod, None)?;
        }
        Ok(())
    }

    /// Pods of nodes that are gone for long enough go.
    fn collect_orphaned(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        let now = context.now;
        let overdue =
            self.missing.iter().filter(|(_, since)| **since + QUARANTINE <= now).map(|(n, _)| n);
        for name in overdue {
            match context.client.get::<Node>("", name) {
                Ok(_) => continue,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
            let cache = context.cache;
            for pod in cache.list::<Pod>("").filter(|pod| pods::node_name(pod) == name) {
                delete(context, pod, Some("PodGC: node no longer exists"))?;
            }
        }
        Ok(())
    }
}

/// The oldest of these pods, if more than `kept`. Those that a kubelet has evicted go first.
///
/// Upstream: `byEvictionAndCreationTimestamp`.
fn surplus(mut ended: Vec<&Pod>, kept: usize) -> impl Iterator<Item = &Pod> {
    ended.sort_by_key(|pod| {
        let reason = pod.status.as_ref().and_then(|status| status.reason.as_deref());
        let created = pod.metadata.creation_timestamp.as_ref().map(from_meta);
        (reason != Some("Evicted"), created, pod.metadata.name.clone())
    });
    let surplus = ended.len().saturating_sub(kept);
    ended.into_iter().take(surplus)
}

/// Pods that are deleted and whose node is out of service have nobody to end them.
/// Upstream: `gcTerminating`.
fn collect_out_of_service(context: &mut Context<'_>) -> Result<(), Error> {
    let cache = context.cache;
    let lost = |pod: &&Pod| {
        let node = cache.get::<Node>(&Key::new("", pods::node_name(pod)));
        node.is_some_and(|node| !is_ready(node) && is_out_of_service(node))
    };
    let going = cache.list::<Pod>("").filter(|pod| pods::is_terminating(pod));
    for pod in going.filter(lost) {
        delete(context, pod, None)?;
    }
    Ok(())
}

/// Pods that are deleted before they got a node have no kubelet to end them.
fn collect_unscheduled(context: &mut Context<'_>) -> Result<(), Error> {
    let cache = context.cache;
    let going = cache.list::<Pod>("").filter(|pod| pods::is_terminating(pod));
    for pod in going.filter(|pod| pods::node_name(pod).is_empty()) {
        delete(context, pod, None)?;
    }
    Ok(())
}

/// Marks a pod that has not ended as failed, and deletes it at once.
fn delete(context: &mut Context<'_>, pod: &Pod, why: Option<&str>) -> Result<(), Error> {
    let key = key_of(pod);
    if !pods::is_terminal(pod) {
        let mut status = json!({"phase": "Failed"});
        if let Some(why) = why {
            status["conditions"] = json!([{
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "DeletionByPodGC",
                "message": why,
                "lastTransitionTime": rfc3339(Some(&meta_time(context.now))),
            }]);
        }
        let patch = Patch::Strategic(json!({"status": status}));
        match context.client.patch::<Pod>(&key.namespace, &key.name, "status", patch) {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other.map(drop)?,
        }
    }
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    match context.client.delete::<Pod>(&key.namespace, &key.name, options) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evicted_and_the_oldest_go() {
        let pod = |name: &str, second: u64, reason: Option<&str>| {
            let created = rfc3339(Some(&meta_time(Time::ZERO + Duration::from_secs(second))));
            serde_json::from_value::<Pod>(json!({
                "metadata": {"name": name, "creationTimestamp": created},
                "status": {"phase": "Failed", "reason": reason},
            }))
            .unwrap()
        };
        let pods = [
            pod("young", 30, None),
            pod("evicted", 40, Some("Evicted")),
            pod("twin-b", 10, None),
            pod("twin-a", 10, None),
        ];
        for (kept, expected) in
            [(4, ""), (3, "evicted"), (2, "evicted twin-a"), (0, "evicted twin-a twin-b young")]
        {
            let gone = surplus(pods.iter().collect(), kept);
            let names: Vec<&str> = gone.filter_map(|pod| pod.metadata.name.as_deref()).collect();
            assert_eq!(names.join(" "), expected);
        }
    }
}
