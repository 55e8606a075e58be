//! Makes room for a pod by taking away pods of lower priority.
//!
//! Upstream: `pkg/scheduler/framework/plugins/defaultpreemption` and
//! `pkg/scheduler/framework/preemption`.

mod budgets;

use crate::cycle::PreparedFilters;
use crate::framework::{
    Attempt, Diagnosis, Nomination, Plugin, PostFilter, PostFilterPlugin, Rejection,
};
use crate::nodes::{NodeInfo, PodInfo};
use crate::nominator::Nominator;
use naru_api::pods;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::cmp::Reverse;
use std::sync::Arc;

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
/// At least this share of the nodes is looked at, in percent, once one has been found that breaks
/// no budget. Upstream: `MinCandidateNodesPercentage`.
const CANDIDATES_PERCENT: usize = 10;
/// And at least so many. Upstream: `MinCandidateNodesAbsolute`.
const CANDIDATES_MIN: usize = 100;

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
    victims: Victims,
}

/// Pods that would have to go, the most important first.
struct Victims {
    pods: Vec<Arc<PodInfo>>,
    /// How many of them a disruption budget protects.
    violations: usize,
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
        let candidates = self.candidates(attempt, &mut failed);
        match candidates.into_iter().min_by_key(Candidate::cost) {
            Some(best) => PostFilter {
                message: String::new(),
                nomination: Nomination::Node(Arc::clone(&best.node.name)),
                victims: best.victims.pods,
            },
            None => PostFilter {
                message: format!("preemption: {failed}"),
                nomination: Nomination::Clear,
                victims: Vec::new(),
            },
        }
    }
}

impl DefaultPreemption {
    /// The nodes where it could be done, those first that break no budget; what speaks against the
    /// others is added to `failed`. Upstream: `DryRunPreemption`.
    fn candidates<'a>(&self, attempt: &Attempt<'a>, failed: &mut Diagnosis) -> Vec<Candidate<'a>> {
        let potential: Vec<&NodeInfo> = potential_nodes(attempt).collect();
        let enough = potential.len() * CANDIDATES_PERCENT / 100;
        let enough = enough.max(CANDIDATES_MIN);
        let (mut candidates, mut violating) = (Vec::new(), Vec::new());
        for node in potential {
            match victims_on(attempt, node) {
                Ok(victims) if victims.violations == 0 => {
                    candidates.push(Candidate { node, victims });
                }
                Ok(victims) => violating.push(Candidate { node, victims }),
                Err(rejection) => {
                    failed.rejected.push((Arc::clone(&node.name), self.name(), rejection));
                }
            }
            if !candidates.is_empty() && candidates.len() + violating.len() >= enough {
                break;
            }
        }
        candidates.append(&mut violating);
        candidates
    }
}

/// The nodes where taking pods away could help.
fn potential_nodes<'a>(attempt: &Attempt<'a>) -> impl Iterator<Item = &'a NodeInfo> {
    let nodes = attempt.view.nodes;
    let resolvable = attempt.diagnosis.rejected.iter().filter(|(_, _, why)| why.resolvable);
    resolvable.filter_map(move |(name, _, _)| nodes.get(name))
}

/// Why the pod may not take others' place at all. Upstream: `PodEligibleToPreemptOthers`.
fn not_eligible(attempt: &Attempt<'_>) -> Option<&'static str> {
    let spec = attempt.pod.pod.spec.as_ref();
    if spec.and_then(|spec| spec.preemption_policy.as_deref()) == Some("Never") {
        return Some("not eligible due to preemptionPolicy=Never.");
    }
    let status = attempt.pod.pod.status.as_ref();
    let nominated = status.and_then(|status| status.nominated_node_name.as_deref())?;
    // A node that cannot take the pod any more, whoever leaves, is not waited for.
    let node = potential_nodes(attempt).find(|node| *node.name == *nominated)?;
    let leaving = |pod: &Arc<PodInfo>| pod.priority() < attempt.pod.priority() && is_leaving(pod);
    node.pods
        .iter()
        .any(leaving)
        .then_some("not eligible due to a terminating pod on the nominated node.")
}

/// Whether the pod is being taken away to make room. Upstream: `podTerminatingByPreemption`.
fn is_leaving(pod: &PodInfo) -> bool {
    let disrupted = pods::condition(&pod.pod, "DisruptionTarget");
    pods::is_terminating(&pod.pod)
        && disrupted.is_some_and(|condition| {
            condition.status == "True"
                && condition.reason.as_deref() == Some("PreemptionByScheduler")
        })
}

/// The fewest pods of lower priority without which the pod fits on the node.
/// Upstream: `SelectVictimsOnNode`.
fn victims_on(attempt: &Attempt<'_>, node: &NodeInfo) -> Result<Victims, Rejection> {
    let lower = |pod: &&Arc<PodInfo>| pod.priority() < attempt.pod.priority();
    let mut potential: Vec<Arc<PodInfo>> = node.pods.iter().filter(lower).cloned().collect();
    if potential.is_empty() {
        return Err(Rejection::unresolvable(NO_VICTIMS));
    }
    let mut trial = Trial {
        pod: attempt.pod,
        filters: PreparedFilters::new(attempt.pod, attempt.view)?,
        node: node.clone(),
        nominator: &attempt.view.nodes.nominator,
    };
    potential.iter().for_each(|pod| trial.remove(pod));
    trial.check()?;
    // The most important ones may stay if there is room for them, those first that are protected.
    potential.sort_by_key(importance);
    let (protected, free) = budgets::split(potential, attempt.view.cache);
    let mut pods: Vec<_> = protected.into_iter().filter(|pod| !trial.reprieve(pod)).collect();
    let violations = pods.len();
    pods.extend(free.into_iter().filter(|pod| !trial.reprieve(pod)));
    pods.sort_by_key(importance);
    Ok(Victims { pods, violations })
}

/// A node with other pods on it than there are.
struct Trial<'a> {
    pod: &'a PodInfo,
    filters: PreparedFilters<'a>,
    node: NodeInfo,
    nominator: &'a Nominator,
}

impl Trial<'_> {
    fn remove(&mut self, pod: &Arc<PodInfo>) {
        self.node.remove_pod(pod);
        self.filters.remove_pod(pod, &self.node);
    }

    fn check(&mut self) -> Result<(), Rejection> {
        let result = self.filters.check_among_nominated(self.pod, &self.node, self.nominator);
        result.map_err(|(_, rejection)| rejection)
    }

    /// Lets a pod stay, if that is possible.
    fn reprieve(&mut self, pod: &Arc<PodInfo>) -> bool {
        self.node.add_pod(Arc::clone(pod));
        self.filters.add_pod(pod, &self.node);
        let fits = self.check().is_ok();
        if !fits {
            self.remove(pod);
        }
        fits
    }
}

impl Candidate<'_> {
    /// The node with the least is chosen: the fewest budgets broken, the lowest greatest priority,
    /// the lowest sum, the fewest pods, the latest start of the most important ones.
    /// Upstream: `pickOneNodeForPreemption`.
    fn cost(&self) -> (usize, i32, i64, usize, Reverse<Time>) {
        // Upstream's offset keeps few important pods dearer than many unimportant ones.
        let weight = |pod: &Arc<PodInfo>| i64::from(pod.priority()) + i64::from(i32::MAX) + 1;
        let Victims { pods, violations } = &self.victims;
        let greatest = pods.iter().map(|pod| pod.priority()).max().unwrap_or(i32::MIN);
        let important = pods.iter().filter(|pod| pod.priority() == greatest);
        let start = important.map(|pod| started(pod)).min().unwrap_or(Time::MAX);
        let sum = pods.iter().map(weight).sum();
        (*violations, greatest, sum, pods.len(), Reverse(start))
    }
}

/// The order of importance. Upstream: `MoreImportantPod`.
fn importance(pod: &Arc<PodInfo>) -> (Reverse<i32>, Time) {
    (Reverse(pod.priority()), started(pod))
}

fn started(pod: &PodInfo) -> Time {
    let start = pod.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    start.map_or(Time::MAX, from_meta)
}
