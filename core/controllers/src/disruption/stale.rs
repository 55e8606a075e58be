//! Takes back the word that a pod is going to be disrupted, when it was not.
//!
//! Upstream: `syncStalePodDisruption` in `pkg/controller/disruption/disruption.go`.

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use naru_api::time::from_meta;
use naru_api::{Key, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use std::time::Duration;

/// Upstream: `stalePodDisruptionTimeout`.
const TIMEOUT: Duration = Duration::from_secs(120);
const TARGET: &str = "DisruptionTarget";

/// The part of the disruption controller that looks after conditions of pods.
#[derive(Clone, Debug, Default)]
pub struct StalePodDisruptions;

impl Controller for StalePodDisruptions {
    fn name(&self) -> &str {
        "disruption-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let pod = event.object.get::<Pod>().filter(|_| event.kind != WatchEventType::Deleted);
        pod.and_then(stale_from).map(|_| event.object.key()).into_iter().collect()
    }
}

impl Reconcile for StalePodDisruptions {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some((pod, at)) = cache.get::<Pod>(key).and_then(|pod| Some((pod, stale_from(pod)?)))
        else {
            return Ok(Action::await_change());
        };
        if at > context.now {
            return Ok(Action::requeue_after(at.since(context.now)));
        }
        let mut pod = pod.clone();
        let condition = PodCondition {
            type_: TARGET.to_owned(),
            status: "False".to_owned(),
            ..PodCondition::default()
        };
        if pods::set_condition(&mut pod, condition, context.now) {
            context.client.update_status(pod)?;
        }
        Ok(Action::await_change())
    }
}

/// From when on the condition of a pod that stays is stale; `None` if it has none, or if its
/// kubelet is at work on it.
fn stale_from(pod: &Pod) -> Option<Time> {
    let condition = pods::condition(pod, TARGET).filter(|condition| condition.status == "True")?;
    let by_kubelet = condition.reason.as_deref() == Some("TerminationByKubelet");
    if by_kubelet || pods::is_terminating(pod) || pods::is_terminal(pod) {
        return None;
    }
    let since = condition.last_transition_time.as_ref().map_or(Time::ZERO, from_meta);
    Some(since + TIMEOUT)
}
