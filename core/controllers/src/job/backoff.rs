//! How long a job waits before it replaces a pod that failed.
//!
//! Upstream: `pkg/controller/job/backoff_utils.go`.

use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::time::Duration;

/// Upstream: `DefaultJobPodFailureBackOff`.
const BASE: Duration = Duration::from_secs(10);
/// Upstream: `MaxJobPodFailureBackOff`.
const MAX: Duration = Duration::from_secs(600);

/// The failures of a job since one of its pods succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
    last: Time,
}

impl Backoff {
    /// After pods that have ended and are not counted yet.
    pub fn after(self, succeeded: &[&Pod], failed: &[&Pod]) -> Self {
        let last = failed.iter().map(|pod| finished_at(pod)).max();
        let Some(success) = succeeded.iter().map(|pod| finished_at(pod)).max() else {
            let Some(last) = last else { return self };
            let failures = self.failures.saturating_add(failed.len() as u32);
            return Backoff { failures, last };
        };
        let later = failed.iter().filter(|pod| finished_at(pod) > success).count() as u32;
        Backoff { failures: later, last: last.filter(|_| later > 0).unwrap_or_default() }
    }

    /// How long the next pod has to wait.
    pub fn remaining(self, now: Time) -> Duration {
        remaining(self.failures, self.last, now)
    }
}

/// How long the replacement of a pod has to wait that failed as the `failures`th in a row.
pub(super) fn remaining(failures: u32, last: Time, now: Time) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    BASE.saturating_mul(factor).min(MAX).saturating_sub(now.since(last))
}

/// When a pod ended, as far as can be told.
pub(super) fn finished_at(pod: &Pod) -> Time {
    containers_finished(pod)
        .or_else(|| {
            let ready = pods::condition(pod, "Ready").filter(|ready| ready.status == "False")?;
            ready.last_transition_time.as_ref().map(from_meta)
        })
        .or_else(|| {
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            let deletion = from_meta(pod.metadata.deletion_timestamp.as_ref()?);
            let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
            Some(Time::ZERO + deletion.since(Time::ZERO).saturating_sub(grace))
        })
        .or_else(|| pod.metadata.creation_timestamp.as_ref().map(from_meta))
        .unwrap_or_default()
}

/// When the last container ended; `None` while one runs.
fn containers_finished(pod: &Pod) -> Option<Time> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ends = statuses.iter().map(|status| {
        let ended = status.state.as_ref()?.terminated.as_ref()?;
        ended.finished_at.as_ref().map(from_meta)
    });
    ends.collect::<Option<Vec<Time>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(finished: &str) -> Pod {
        let state = json!({"terminated": {"exitCode": 1, "finishedAt": finished}});
        let status = json!({"name": "a", "image": "b", "imageID": "", "ready": false,
            "restartCount": 0, "state": state});
        serde_json::from_value(json!({"status": {"containerStatuses": [status]}})).unwrap()
    }

    #[test]
    fn doubles_up_to_ten_minutes() {
        let seconds = |failures| remaining(failures, Time::ZERO, Time::ZERO).as_secs();
        let table = [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (50, 600)];
        for (failures, wanted) in table {
            assert_eq!(seconds(failures), wanted, "{failures}");
        }
        assert_eq!(remaining(1, Time::ZERO, Time::from_secs(7)).as_secs(), 3);
        assert_eq!(remaining(1, Time::ZERO, Time::from_secs(70)).as_secs(), 0);
    }

    #[test]
    fn a_success_makes_up_for_failures_before_it() {
        let (one, two, three) =
            (pod("2025-06-02T00:00:01Z"), pod("2025-06-02T00:00:02Z"), pod("2025-06-02T00:00:03Z"));
        let none = Backoff::default();
        let twice = Backoff { failures: 2, last: Time::from_secs(2) };
        assert_eq!(none.after(&[], &[&two, &one]), twice);
        assert_eq!(twice.after(&[], &[]), twice);
        assert_eq!(twice.after(&[&three], &[]), none);
        let late = Backoff { failures: 1, last: Time::from_secs(3) };
        assert_eq!(twice.after(&[&two], &[&one, &three]), late);
    }
}
