//! Which pods go first when there are too many.
//!
//! Upstream: `ActivePodsWithRanks` in `pkg/controller/controller_utils.go`.

use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The pods in the order in which they should go. `related` are the pods whose neighbourhood
/// counts: of two equal pods, the one that shares its node with more of them goes first.
pub fn in_order<'a>(
    pods: &[&'a Pod],
    related: impl Iterator<Item = &'a Pod>,
    now: Time,
) -> Vec<&'a Pod> {
    let mut neighbours: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in related.filter(|pod| pods::is_active(pod)) {
        *neighbours.entry(pods::node_name(pod)).or_default() += 1;
    }
    let rank = |pod: &Pod| neighbours.get(pods::node_name(pod)).copied().unwrap_or(0);
    let mut sorted = pods.to_vec();
    sorted.sort_by(|a, b| {
        by_state(a)
            .cmp(&by_state(b))
            .then_with(|| rank(b).cmp(&rank(a)))
            .then_with(|| by_age(a, b, now))
    });
    sorted
}

/// Unassigned, then pending, then not ready, then cheap to delete.
fn by_state(pod: &Pod) -> (bool, u8, bool, i32) {
    let assigned = !pods::node_name(pod).is_empty();
    let phase = match pods::phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    (assigned, phase, pods::is_ready(pod), deletion_cost(pod))
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get(DELETION_COST));
    annotation.and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// Shorter ready, then restarted more often, then younger. Ages are compared by their order of
/// magnitude; within one the uid decides, which spreads the loss.
fn by_age(a: &Pod, b: &Pod, now: Time) -> Ordering {
    let ready = |pod: &Pod| pods::ready_since(pod);
    if let (Some(since_a), Some(since_b)) = (ready(a), ready(b))
        && since_a != since_b
    {
        return by_magnitude(since_a, since_b, now).then_with(|| by_uid(a, b));
    }
    let restarts = Reverse(restarts(a)).cmp(&Reverse(restarts(b)));
    restarts.then_with(|| {
        let created = |pod: &Pod| pod.metadata.creation_timestamp.as_ref().map(from_meta);
        match (created(a), created(b)) {
            (Some(since_a), Some(since_b)) if since_a != since_b => {
                by_magnitude(since_a, since_b, now).then_with(|| by_uid(a, b))
            }
            // Upstream leaves these as the sort finds them; a fixed order replays.
            _ => by_uid(a, b),
        }
    })
}

fn by_uid(a: &Pod, b: &Pod) -> Ordering {
    a.metadata.uid.cmp(&b.metadata.uid)
}

fn by_magnitude(a: Time, b: Time, now: Time) -> Ordering {
    // Upstream takes whole parts of log2 of nanoseconds.
    let magnitude = |since: Time| now.since(since).as_nanos().checked_ilog2();
    magnitude(a).cmp(&magnitude(b))
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|status| status.restart_count).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{ContainerStatus, PodCondition, PodSpec, PodStatus};
    use naru_api::time::meta_time;

    fn pod(name: &str, node: &str, phase: &str, ready_at: Option<u64>) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.uid = Some(name.to_owned());
        pod.metadata.creation_timestamp = Some(meta_time(Time::ZERO));
        pod.spec = Some(PodSpec { node_name: Some(node.to_owned()), ..PodSpec::default() }.into());
        pod.status = Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() });
        if let Some(at) = ready_at {
            pod.status.as_mut().unwrap().conditions = Some(vec![PodCondition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(meta_time(Time::from_secs(at))),
                ..PodCondition::default()
            }]);
        }
        pod
    }

    fn restarted(mut pod: Pod, count: i32) -> Pod {
        let status = ContainerStatus { restart_count: count, ..ContainerStatus::default() };
        pod.status.as_mut().unwrap().container_statuses = Some(vec![status]);
        pod
    }

    fn cost(mut pod: Pod, cost: &str) -> Pod {
        pod.metadata.annotations = Some([(DELETION_COST.to_owned(), cost.to_owned())].into());
        pod
    }

    #[test]
    fn upstreams_order() {
        let running = |name| pod(name, "n1", "Running", Some(10));
        // Each case: the first of the two goes first.
        let cases = [
            ("unassigned", pod("b", "", "Running", None), pod("a", "n1", "Pending", None)),
            ("pending", pod("b", "n1", "Pending", None), pod("a", "n1", "Running", None)),
            ("not ready", pod("b", "n1", "Running", None), running("a")),
            ("cheaper", cost(running("b"), "-5"), running("a")),
            ("bad cost is 0", cost(running("a"), "x"), cost(running("b"), "1")),
            ("ready for less time", pod("b", "n1", "Running", Some(990)), running("a")),
            ("equal magnitude: uid", pod("a", "n1", "Running", Some(10)), running("b")),
            ("restarts", restarted(running("b"), 3), running("a")),
        ];
        for (why, first, second) in cases {
            let order = in_order(&[&second, &first], [].into_iter(), Time::from_secs(1000));
            assert_eq!(order[0].metadata.name, first.metadata.name, "{why}");
        }
    }

    #[test]
    fn crowded_nodes_lose_first() {
        let (a, b) = (pod("a", "n1", "Running", Some(10)), pod("b", "n2", "Running", Some(10)));
        let other = pod("c", "n2", "Running", Some(10));
        let order = in_order(&[&a, &b], [&a, &b, &other].into_iter(), Time::from_secs(1000));
        assert_eq!(order[0].metadata.name.as_deref(), Some("b"));
    }
}
