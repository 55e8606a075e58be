//! Deletes pods from nodes with `NoExecute` taints, as soon as their tolerations end.
//!
//! Upstream: `pkg/controller/tainteviction/taint_eviction.go`.

use crate::util::key_of;
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use naru_api::request::{DeleteOptions, Patch};
use naru_api::scheduling::{taints, tolerates};
use naru_api::time::{meta_time, rfc3339};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The taint eviction controller.
#[derive(Clone, Debug, Default)]
pub struct TaintEvictionController {
    /// Pods that are to go, and since when that is known.
    planned: BTreeMap<Key, Time>,
}

/// How long a pod bears the taints of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bears {
    For(Duration),
    Forever,
}

impl Controller for TaintEvictionController {
    fn name(&self) -> &str {
        "taint-eviction-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Node>(), Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if let Some(node) = event.object.get::<Node>() {
            let before = old.and_then(Object::get::<Node>).into_iter().flat_map(no_execute);
            if event.kind == WatchEventType::Deleted || no_execute(node).eq(before) {
                return Vec::new();
            }
            let name = event.object.name();
            let there = cache.list::<Pod>("").filter(|pod| pods::node_name(pod) == name);
            return there.map(key_of).collect();
        }
        let Some(pod) = event.object.get::<Pod>() else { return Vec::new() };
        let gone = event.kind == WatchEventType::Deleted;
        let node = cache.get::<Node>(&Key::new("", pods::node_name(pod)));
        let tainted = node.is_some_and(|node| no_execute(node).next().is_some());
        let planned = self.planned.contains_key(&event.object.key());
        if (tainted && !gone) || planned { vec![event.object.key()] } else { Vec::new() }
    }
}

impl Reconcile for TaintEvictionController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let object = cache.object(&Pod::kind(), key);
        let pod = object.and_then(Object::get::<Pod>).filter(|pod| !pods::is_terminating(pod));
        let (Some(object), Some(pod)) = (object, pod) else {
            self.planned.remove(key);
            return Ok(Action::await_change());
        };
        let node = cache.get::<Node>(&Key::new("", pods::node_name(pod)));
        let taints: Vec<Taint> = node.into_iter().flat_map(no_execute).cloned().collect();
        let bears = match taints.is_empty() {
            true => Bears::Forever,
            false => bears(&taints, tolerations(pod)),
        };
        let Bears::For(time) = bears else {
            if self.planned.remove(key).is_some() {
                let text = format!("Cancelling deletion of Pod {key}");
                context.event(object, EventType::Normal, "TaintManagerEviction", &text);
            }
            return Ok(Action::await_change());
        };
        let since = self.planned.get(key).copied().unwrap_or(context.now);
        let due = since + time;
        if context.now < due {
            self.planned.insert(key.clone(), since);
            return Ok(Action::requeue_after(due.since(context.now)));
        }
        self.planned.remove(key);
        evict(context, key, object)?;
        Ok(Action::await_change())
    }
}

fn evict(context: &mut Context<'_>, key: &Key, object: &Object) -> Result<(), Error> {
    let text = format!("Marking for deletion Pod {key}");
    context.event(object, EventType::Normal, "TaintManagerEviction", &text);
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": rfc3339(Some(&meta_time(context.now))),
    });
    let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
    let told = context.client.patch::<Pod>(&key.namespace, &key.name, "status", patch);
    let gone = told.and_then(|_| {
        context.client.delete::<Pod>(&key.namespace, &key.name, DeleteOptions::default())
    });
    match gone {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

fn no_execute(node: &Node) -> impl Iterator<Item = &Taint> {
    taints(node).iter().filter(|taint| taint.effect == "NoExecute")
}

fn tolerations(pod: &Pod) -> &[Toleration] {
    pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default()
}

fn bears(taints: &[Taint], tolerations: &[Toleration]) -> Bears {
    let mut least: Option<u64> = None;
    for taint in taints {
        let mut bearing = tolerations.iter().filter(|toleration| tolerates(toleration, taint));
        let Some(first) = bearing.next() else { return Bears::For(Duration::ZERO) };
        if let Some(seconds) = first.toleration_seconds {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            least = Some(least.map_or(seconds, |least| least.min(seconds)));
        }
    }
    least.map_or(Bears::Forever, |seconds| Bears::For(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_toleration_counts() {
        let taint = |key: &str| Taint {
            key: key.to_owned(),
            effect: "NoExecute".to_owned(),
            ..Taint::default()
        };
        let toleration = |key: &str, seconds: Option<i64>| Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            toleration_seconds: seconds,
            ..Toleration::default()
        };
        let secs = |secs| Bears::For(Duration::from_secs(secs));
        let cases = [
            (vec![], secs(0)),
            (vec![toleration("a", None)], secs(0)),
            (vec![toleration("a", None), toleration("b", None)], Bears::Forever),
            (vec![toleration("a", Some(300)), toleration("b", None)], secs(300)),
            (vec![toleration("a", Some(300)), toleration("b", Some(20))], secs(20)),
            (vec![toleration("a", Some(-5)), toleration("b", Some(20))], secs(0)),
        ];
        for (tolerations, expected) in cases {
            assert_eq!(bears(&[taint("a"), taint("b")], &tolerations), expected);
        }
    }
}
