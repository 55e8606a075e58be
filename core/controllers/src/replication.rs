//! Keeps as many pods as each ReplicationController asks for: the ReplicaSet controller by other
//! words.
//!
//! Upstream: `pkg/controller/replication`.

use crate::replicaset::{Replication, Replicator};
use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{
    PodTemplateSpec, ReplicationController, ReplicationControllerCondition,
    ReplicationControllerStatus,
};
use naru_api::labels::Selector;
use naru_client::Error;

/// The ReplicationController controller.
pub type ReplicationManager = Replication<ReplicationController>;

impl Replicator for ReplicationController {
    const CONTROLLER: &'static str = "replication-controller";

    fn replicas(&self) -> Option<i32> {
        self.spec.as_ref()?.replicas
    }

    fn min_ready_seconds(&self) -> Option<i32> {
        self.spec.as_ref()?.min_ready_seconds
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn selector(&self) -> Result<Selector, Error> {
        let selector = self.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        Ok(Selector::from_map(selector.unwrap_or(&Default::default())))
    }

    fn status(&self) -> ReplicaSetStatus {
        let Some(status) = &self.status else { return ReplicaSetStatus::default() };
        let condition = |condition: &ReplicationControllerCondition| ReplicaSetCondition {
            type_: condition.type_.clone(),
            status: condition.status.clone(),
            last_transition_time: condition.last_transition_time.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        };
        ReplicaSetStatus {
            replicas: status.replicas,
            fully_labeled_replicas: status.fully_labeled_replicas,
            ready_replicas: status.ready_replicas,
            available_replicas: status.available_replicas,
            observed_generation: status.observed_generation,
            conditions: status.conditions.as_ref().map(|all| all.iter().map(condition).collect()),
            terminating_replicas: None,
        }
    }

    fn set_status(&mut self, status: ReplicaSetStatus) {
        let condition = |condition: ReplicaSetCondition| ReplicationControllerCondition {
            type_: condition.type_,
            status: condition.status,
            last_transition_time: condition.last_transition_time,
            reason: condition.reason,
            message: condition.message,
        };
        self.status = Some(ReplicationControllerStatus {
            replicas: status.replicas,
            fully_labeled_replicas: status.fully_labeled_replicas,
            ready_replicas: status.ready_replicas,
            available_replicas: status.available_replicas,
            observed_generation: status.observed_generation,
            conditions: status.conditions.map(|all| all.into_iter().map(condition).collect()),
        });
    }
}
