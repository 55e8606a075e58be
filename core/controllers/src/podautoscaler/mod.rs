//! Scales workloads by what their pods use.
//!
//! Upstream: `pkg/controller/podautoscaler/horizontal.go`.

mod calculator;
mod metrics;
mod normalize;
mod proposals;
mod reconcile;

use crate::util::key_of;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use naru_api::labels::Selector;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use normalize::Memory;
use reconcile::Sync;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often each autoscaler is looked at. Upstream:
/// `--horizontal-pod-autoscaler-sync-period`.
const SYNC_PERIOD: Duration = Duration::from_secs(15);

/// The horizontal pod autoscaler.
#[derive(Clone, Debug, Default)]
pub struct HorizontalController {
    known: BTreeMap<Key, Known>,
}

/// What is remembered of an autoscaler.
#[derive(Clone, Debug, Default)]
struct Known {
    /// It is not looked at before.
    next: Time,
    /// The pods of its workload.
    selector: Option<Selector>,
    memory: Memory,
}

impl Controller for HorizontalController {
    fn name(&self) -> &str {
        "horizontal-pod-autoscaler-controller"
    }

    fn event_source(&self) -> &str {
        "horizontal-pod-autoscaler"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<HorizontalPodAutoscaler>(), Watch::all::<Pod>()]
    }

    /// A change has to wait for the next look.
    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let ours = event.object.kind() == HorizontalPodAutoscaler::kind();
        let gone = event.kind == WatchEventType::Deleted;
        if ours && (gone || old.is_none()) { vec![event.object.key()] } else { Vec::new() }
    }

    fn delay(&self, event: &WatchEvent, _old: Option<&Object>) -> Duration {
        match event.kind {
            WatchEventType::Deleted => Duration::ZERO,
            _ => SYNC_PERIOD,
        }
    }
}

impl Reconcile for HorizontalController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let found = cache.object(&HorizontalPodAutoscaler::kind(), key);
        let Some((object, autoscaler)) =
            found.and_then(|o| Some((o, o.get::<HorizontalPodAutoscaler>()?)))
        else {
            self.known.remove(key);
            return Ok(Action::await_change());
        };
        let known = self.known.entry(key.clone()).or_default();
        // One that was deleted and made anew within the period is looked at by one chain only.
        if context.now < known.next {
            return Ok(Action::await_change());
        }
        known.next = context.now + SYNC_PERIOD;
        // What went wrong is told by events and conditions; the next look is the next try.
        let _ = Sync::new(object, autoscaler, context.now).run(self, context, key);
        Ok(Action::requeue_after(SYNC_PERIOD))
    }
}

impl HorizontalController {
    /// The autoscalers that scale the pods of a selector.
    fn scalers_of(&self, cache: &Cache, namespace: &str, selector: &Selector) -> Vec<Key> {
        let pods: Vec<&Pod> = cache
            .list::<Pod>(namespace)
            .filter(|pod| selector.matches(pod.metadata.labels.as_ref()))
            .collect();
        let scales = |known: &Known| {
            let selector = known.selector.as_ref();
            let matches = |pod: &&&Pod| {
                selector.is_some_and(|selector| selector.matches(pod.metadata.labels.as_ref()))
            };
            pods.iter().any(|pod| matches(&pod))
        };
        self.known
            .iter()
            .filter(|(key, known)| key.namespace == namespace && scales(known))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// The pods of a namespace that a selector selects, by name.
fn pods_by_name<'c>(
    cache: &'c Cache,
    namespace: &str,
    selector: &Selector,
) -> BTreeMap<String, &'c Pod> {
    cache
        .list::<Pod>(namespace)
        .filter(|pod| selector.matches(pod.metadata.labels.as_ref()))
        .map(|pod| (key_of(pod).name, pod))
        .collect()
}
