//! Whether a rollout gets on.
//!
//! Upstream: `pkg/controller/deployment/progress.go`.

use super::sync::{Rollout, Sets};
use super::util::{self, NEW_RS_AVAILABLE, PROGRESSING, REPLICA_FAILURE, TIMED_OUT};
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus, ReplicaSet};
use naru_api::time::from_meta;
use naru_client::{Action, Error};
use naru_sim::Time;
use std::time::Duration;

impl Rollout<'_, '_> {
    /// Writes the status of a rollout, with the progress it makes.
    pub fn sync_rollout_status(&mut self, sets: &Sets) -> Result<Action, Error> {
        let mut status = self.calculate_status(sets);
        if util::progress_deadline(&self.deployment).is_none() {
            util::remove_condition(&mut status, PROGRESSING);
        } else if !was_complete(&status) {
            self.estimate_progress(&mut status, sets.new.as_ref());
        }
        match replica_failure(sets) {
            Some(failure) => util::set_condition(&mut status, failure),
            None => util::remove_condition(&mut status, REPLICA_FAILURE),
        }
        if self.deployment.status.as_ref() == Some(&status) {
            return Ok(self.look_again(&status));
        }
        self.deployment.status = Some(status);
        self.write_status()?;
        Ok(Action::await_change())
    }

    fn estimate_progress(&self, status: &mut DeploymentStatus, new: Option<&ReplicaSet>) {
        let now = self.context.now;
        let what = match new.and_then(|rs| rs.metadata.name.as_deref()) {
            Some(name) => format!("ReplicaSet {name:?}"),
            None => {
                let name = self.deployment.metadata.name.as_deref().unwrap_or_default();
                format!("Deployment {name:?}")
            }
        };
        let condition = |state: &str, reason: &str, text: &str| {
            util::new_condition(PROGRESSING, state, reason, format!("{what} {text}"), now)
        };
        if util::is_complete(&self.deployment, status) {
            let text = "has successfully progressed.";
            util::set_condition(status, condition("True", NEW_RS_AVAILABLE, text));
        } else if util::is_progressing(&self.deployment, status) {
            let mut new = condition("True", "ReplicaSetUpdated", "is progressing.");
            // The time of the last update moves with each step, so the old condition must go.
            if let Some(old) = util::condition(status, PROGRESSING) {
                if old.status == new.status {
                    new.last_transition_time = old.last_transition_time.clone();
                }
                util::remove_condition(status, PROGRESSING);
            }
            util::set_condition(status, new);
        } else if util::is_timed_out(&self.deployment, status, now) {
            let text = "has timed out progressing.";
            util::set_condition(status, condition("False", TIMED_OUT, text));
        }
    }

    /// A rollout that is stuck is looked at again when its deadline is over.
    fn look_again(&self, status: &DeploymentStatus) -> Action {
        let deadline = util::progress_deadline(&self.deployment);
        let (Some(deadline), Some(progressing)) = (deadline, util::condition(status, PROGRESSING))
        else {
            return Action::await_change();
        };
        let timed_out = progressing.reason.as_deref() == Some(TIMED_OUT);
        if timed_out || util::is_complete(&self.deployment, status) {
            return Action::await_change();
        }
        let since = progressing.last_update_time.as_ref().map_or(Time::ZERO, from_meta);
        // A second more: the times in the status are cut to whole seconds.
        let left = (since + deadline).since(self.context.now) + Duration::from_secs(1);
        Action::requeue_after(left)
    }
}

/// The rollout was complete before, and nothing has begun since.
fn was_complete(status: &DeploymentStatus) -> bool {
    let progressing = util::condition(status, PROGRESSING);
    status.replicas.unwrap_or(0) == status.updated_replicas.unwrap_or(0)
        && progressing.is_some_and(|c| c.reason.as_deref() == Some(NEW_RS_AVAILABLE))
}

/// The failure of the newest ReplicaSet that has one.
fn replica_failure(sets: &Sets) -> Option<DeploymentCondition> {
    let failure = |rs: &ReplicaSet| {
        let conditions = rs.status.as_ref()?.conditions.as_ref()?;
        let failure = conditions.iter().find(|condition| condition.type_ == REPLICA_FAILURE)?;
        Some(DeploymentCondition {
            type_: failure.type_.clone(),
            status: failure.status.clone(),
            reason: failure.reason.clone(),
            message: failure.message.clone(),
            last_update_time: failure.last_transition_time.clone(),
            last_transition_time: failure.last_transition_time.clone(),
        })
    };
    sets.new.iter().find_map(failure).or_else(|| sets.old.iter().find_map(failure))
}
