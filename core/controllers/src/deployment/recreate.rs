//! Recreate: all old pods go before the first new one comes.
//!
//! Upstream: `pkg/controller/deployment/recreate.go`.

use super::sync::{Rollout, Sets};
use super::util;
use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_client::{Action, Error};

impl Rollout<'_, '_> {
    pub fn rollout_recreate(&mut self) -> Result<Action, Error> {
        let mut sets = self.find_sets(false)?;
        let mut scaled = false;
        for rs in sets.old.iter_mut().filter(|rs| util::rs_replicas(rs) > 0) {
            scaled |= self.scale(rs, 0)?;
        }
        if scaled || self.old_pods_running(&sets) {
            return self.sync_rollout_status(&sets);
        }
        if sets.new.is_none() {
            sets = self.find_sets(true)?;
        }
        let wanted = util::replicas(&self.deployment);
        if let Some(new) = &mut sets.new {
            self.scale(new, wanted)?;
        }
        let status = self.deployment.status.clone().unwrap_or_default();
        if util::is_complete(&self.deployment, &status) {
            self.clean_up(&sets.old)?;
        }
        self.sync_rollout_status(&sets)
    }

    fn old_pods_running(&self, sets: &Sets) -> bool {
        let cache = self.context.cache;
        let uids = sets.old.iter().filter_map(|rs| rs.metadata.uid.as_deref());
        util::sum(sets.old.iter(), util::rs_actual) > 0
            || uids.flat_map(|uid| cache.controlled::<Pod>(uid)).any(|pod| !pods::is_terminal(pod))
    }
}
