//! Questions that several components ask of a pod.
//!
//! Upstream: `pkg/api/v1/pod/util.go`, `pkg/controller/controller_utils.go`.

use crate::time::{from_meta, meta_time};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use naru_sim::Time;
use std::time::Duration;

/// `status.phase`, or "" before it is set.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The pod's containers have ended and will not start again.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// A deletion of the pod was asked for.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// The pod counts as a replica: neither ended nor going.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// The node the pod was bound to, or "".
pub fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// A condition of the pod: `Ready`, `PodScheduled`.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The pod's condition `Ready` is true.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when the pod is ready; `None` when it is not.
pub fn ready_since(pod: &Pod) -> Option<Time> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    Some(ready.last_transition_time.as_ref().map_or(Time::ZERO, from_meta))
}

/// From when on the pod counts as available; `None` while it is not ready.
pub fn available_from(pod: &Pod, min_ready_seconds: i32) -> Option<Time> {
    let wait = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    Some(ready_since(pod)? + wait)
}

/// The pod was ready for at least `min_ready_seconds` at the moment `now`.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Time) -> bool {
    available_from(pod, min_ready_seconds).is_some_and(|from| from <= now)
}

/// Sets a condition. Its transition time becomes `now` when its status changes, and stays as it
/// was otherwise. Answers whether anything changed.
///
/// Upstream: `UpdatePodCondition` in `pkg/api/v1/pod/util.go`.
pub fn set_condition(pod: &mut Pod, mut condition: PodCondition, now: Time) -> bool {
    let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
    match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
        Some(old) => {
            condition.last_transition_time = match old.status == condition.status {
                true => old.last_transition_time.clone(),
                false => Some(meta_time(now)),
            };
            let changed = *old != condition;
            *old = condition;
            changed
        }
        None => {
            condition.last_transition_time = Some(meta_time(now));
            conditions.push(condition);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodStatus;

    fn pod(phase: &str, ready: &str) -> Pod {
        let ready = PodCondition {
            type_: "Ready".to_owned(),
            status: ready.to_owned(),
            last_transition_time: Some(meta_time(Time::from_secs(10))),
            ..PodCondition::default()
        };
        Pod {
            status: Some(PodStatus {
                phase: Some(phase.to_owned()),
                conditions: Some(vec![ready]),
                ..PodStatus::default()
            }),
            ..Pod::default()
        }
    }

    #[test]
    fn available_after_min_ready_seconds() {
        let cases = [("True", 0, 10, true), ("True", 5, 14, false), ("True", 5, 15, true)];
        for (ready, min_ready, now, expected) in cases {
            let pod = pod("Running", ready);
            assert_eq!(is_available(&pod, min_ready, Time::from_secs(now)), expected);
        }
        assert!(!is_available(&pod("Running", "False"), 0, Time::MAX));
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut pod = pod("Running", "True");
        let ready = |status: &str, reason: &str| PodCondition {
            type_: "Ready".to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            ..PodCondition::default()
        };
        assert!(set_condition(&mut pod, ready("True", "a"), Time::from_secs(20)));
        assert_eq!(ready_since(&pod), Some(Time::from_secs(10)));
        assert!(!set_condition(&mut pod, ready("True", "a"), Time::from_secs(30)));
        assert!(set_condition(&mut pod, ready("False", "b"), Time::from_secs(40)));
        let time = condition(&pod, "Ready").and_then(|c| c.last_transition_time.clone());
        assert_eq!(time, Some(meta_time(Time::from_secs(40))));
    }

    #[test]
    fn ended_and_going_pods_are_not_active() {
        assert!(is_active(&pod("Running", "True")));
        assert!(!is_active(&pod("Failed", "False")));
        let mut going = pod("Running", "True");
        going.metadata.deletion_timestamp = Some(meta_time(Time::ZERO));
        assert!(!is_active(&going));
    }
}
