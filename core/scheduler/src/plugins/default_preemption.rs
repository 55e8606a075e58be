//! Makes room for a pod by taking away pods of lower priority.
//!
//! Upstream: `pkg/scheduler/framework/plugins/defaultpreemption` and
//! `pkg/scheduler/framework/preemption`.

use crate::cycle::PreparedFilters;
use crate::framework::{Attempt, Diagnosis, Plugin, PostFilter, PostFilterPlugin, Rejection};
use crate::nodes::{NodeInfo, PodInfo};
use naru_api::pods;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::cmp::Reverse;
use std::sync::Arc;

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// The plugin.
#[derive(Debug)]
pub struct DefaultPreemption;

impl Plugin for DefaultPreemption {
    fn name(&self) -> &'static str {
        "DefaultPreemption"
    }
}

/// A node where the pod would fit without these pods.
struct Candidate<'a> {
    node: &'a NodeInfo,
    victims: Vec<Arc<PodInfo>>,
}

impl PostFilterPlugin for DefaultPreemption {
    fn post_filter(&self, attempt: &Attempt<'_>) -> PostFilter {
        if let Some(why) = not_eligible(attempt) {
            return PostFilter { message: format!("preemption: {why}"), ..PostFilter::default() };
        }
        let mut failed = Diagnosis {
            nodes: attempt.diagnosis.nodes,
            absent: Some(Rejection::unresolvable(NOT_HELPFUL)),
            ..Diagnosis::default()
        };
        let mut candidates = Vec::new();
        for (name, _, rejection) in &attempt.diagnosis.rejected {
            let Some(node) = attempt.view.nodes.get(name).filter(|_| rejection.resolvable) else {
                continue;
            };
            match victims_on(attempt, node) {
                Ok(victims) => candidates.push(Candidate { node, victims }),
                Err(rejection) => {
                    failed.rejected.push((Arc::clone(name), self.name(), rejection));
                }
            }
        }
        match candidates.into_iter().min_by_key(Candidate::cost) {
            Some(best) => PostFilter {
                message: String::new(),
                nominated: Some(best.node.name.to_string()),
                victims: best.victims,
            },
            None => {
                PostFilter { message: format!("preemption: {failed}"), ..PostFilter::default() }
            }
        }
    }
}

/// Why the pod may not take others' place at all.
fn not_eligible(attempt: &Attempt<'_>) -> Option<&'static str> {
    let spec = attempt.pod.pod.spec.as_ref();
    if spec.and_then(|spec| spec.preemption_policy.as_deref()) == Some("Never") {
        return Some("not eligible due to preemptionPolicy=Never.");
    }
    let status = attempt.pod.pod.status.as_ref();
    let nominated = status.and_then(|status| status.nominated_node_name.as_deref());
    let node = attempt.view.nodes.get(nominated?)?;
    let leaving = |pod: &Arc<PodInfo>| {
        pods::is_terminating(&pod.pod) && pod.priority() < attempt.pod.priority()
    };
    node.pods
        .iter()
        .any(leaving)
        .then_some("not eligible due to a terminating pod on the nominated node.")
}

/// The fewest pods of lower priority without which the pod fits on the node.
fn victims_on(attempt: &Attempt<'_>, node: &NodeInfo) -> Result<Vec<Arc<PodInfo>>, Rejection> {
    let lower = |pod: &&Arc<PodInfo>| pod.priority() < attempt.pod.priority();
    let mut candidates: Vec<Arc<PodInfo>> = node.pods.iter().filter(lower).cloned().collect();
    if candidates.is_empty() {
        return Err(Rejection::unresolvable(NO_VICTIMS));
    }
    let mut filters = PreparedFilters::new(attempt.pod, attempt.view)?;
    let mut node = node.clone();
    for pod in &candidates {
        node.remove_pod(pod);
        filters.remove_pod(pod, &node);
    }
    filters.check(&node).map_err(|(_, rejection)| rejection)?;
    // The most important ones may stay if there is room for them.
    candidates.sort_by_key(|pod| (Reverse(pod.priority()), started(pod)));
    let mut victims = Vec::new();
    for pod in candidates {
        node.add_pod(Arc::clone(&pod));
        filters.add_pod(&pod, &node);
        if filters.check(&node).is_err() {
            node.remove_pod(&pod);
            filters.remove_pod(&pod, &node);
            victims.push(pod);
        }
    }
    Ok(victims)
}

impl Candidate<'_> {
    /// The node with the least is chosen: the lowest greatest priority, the lowest sum, the fewest
    /// pods, the latest start of the most important ones.
    fn cost(&self) -> (i32, i64, usize, Reverse<Time>) {
        // Upstream's offset keeps few important pods dearer than many unimportant ones.
        let weight = |pod: &Arc<PodInfo>| i64::from(pod.priority()) + i64::from(i32::MAX) + 1;
        let greatest = self.victims.iter().map(|pod| pod.priority()).max().unwrap_or(i32::MIN);
        let important = self.victims.iter().filter(|pod| pod.priority() == greatest);
        let start = important.map(|pod| started(pod)).min().unwrap_or(Time::MAX);
        (greatest, self.victims.iter().map(weight).sum(), self.victims.len(), Reverse(start))
    }
}

fn started(pod: &PodInfo) -> Time {
    let start = pod.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    start.map_or(Time::MAX, from_meta)
}
