//! Which pods a PodDisruptionBudget protects from preemption.
//!
//! Upstream: `filterPodsWithPDBViolation` in
//! `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go`.

use crate::nodes::PodInfo;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use naru_api::labels::Selector;
use naru_client::Cache;
use std::sync::Arc;

/// A budget, and how many of its pods may still go.
struct Budget<'a> {
    budget: &'a PodDisruptionBudget,
    selector: Selector,
    allowed: i32,
}

impl<'a> Budget<'a> {
    /// A budget whose selector is empty or cannot be read protects nothing.
    fn read(budget: &'a PodDisruptionBudget) -> Option<Self> {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let selector = Selector::from_label_selector(selector).ok()?;
        let allowed = budget.status.as_ref().map_or(0, |status| status.disruptions_allowed);
        (!selector.is_everything()).then_some(Budget { budget, selector, allowed })
    }

    /// Counts the pod as one that goes. Tells whether that is one too many.
    fn count(&mut self, pod: &Pod) -> bool {
        let meta = &pod.metadata;
        if self.budget.metadata.namespace != meta.namespace
            || !self.selector.matches(meta.labels.as_ref())
            || self.is_disrupted(meta.name.as_deref().unwrap_or_default())
        {
            return false;
        }
        self.allowed -= 1;
        self.allowed < 0
    }

    /// Whether the API server has already counted the pod as one that goes.
    fn is_disrupted(&self, name: &str) -> bool {
        let disrupted = self.budget.status.as_ref().and_then(|s| s.disrupted_pods.as_ref());
        disrupted.is_some_and(|disrupted| disrupted.contains_key(name))
    }
}

/// The pods, in their order: those whose going would break a budget, and the others.
pub fn split(pods: Vec<Arc<PodInfo>>, cache: &Cache) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
    let budgets = cache.list::<PodDisruptionBudget>("");
    let mut budgets: Vec<Budget<'_>> = budgets.filter_map(Budget::read).collect();
    pods.into_iter().partition(|pod| {
        let labelled = pod.pod.metadata.labels.as_ref().is_some_and(|labels| !labels.is_empty());
        // Every budget counts the pod, so that this must not stop at the first.
        labelled && budgets.iter_mut().fold(false, |broken, b| b.count(&pod.pod) | broken)
    })
}
