//! RollingUpdate: new pods come and old ones go, a few at a time.
//!
//! Upstream: `pkg/controller/deployment/rolling.go`.

use super::sync::{Rollout, Sets};
use super::util;
use naru_client::{Action, Error};

impl Rollout<'_, '_> {
    pub fn rollout_rolling(&mut self) -> Result<Action, Error> {
        let mut sets = self.find_sets(true)?;
        if self.scale_up_new(&mut sets)? {
            return self.sync_rollout_status(&sets);
        }
        if self.scale_down_old(&mut sets)? {
            return self.sync_rollout_status(&sets);
        }
        let status = self.deployment.status.clone().unwrap_or_default();
        if util::is_complete(&self.deployment, &status) {
            self.clean_up(&sets.old)?;
        }
        self.sync_rollout_status(&sets)
    }

    fn scale_up_new(&mut self, sets: &mut Sets) -> Result<bool, Error> {
        let total = util::sum(sets.all(), util::rs_replicas);
        let Some(new) = &mut sets.new else { return Ok(false) };
        let (wanted, size) = (util::replicas(&self.deployment), util::rs_replicas(new));
        if size >= wanted {
            return self.scale(new, wanted);
        }
        let next = util::new_rs_new_replicas(&self.deployment, total, size);
        self.scale(new, next)
    }

    fn scale_down_old(&mut self, sets: &mut Sets) -> Result<bool, Error> {
        if util::sum(sets.old.iter(), util::rs_replicas) == 0 {
            return Ok(false);
        }
        let least = util::replicas(&self.deployment) - util::max_unavailable(&self.deployment);
        let total = util::sum(sets.all(), util::rs_replicas);
        let new_unavailable =
            sets.new.as_ref().map_or(0, |new| util::rs_replicas(new) - util::rs_available(new));
        let most = total - least - new_unavailable;
        if most <= 0 {
            return Ok(false);
        }
        sets.old.sort_by(util::by_creation);
        // Pods that do not work anyway go first.
        let cleaned = self.clean_up_unhealthy(sets, most)?;
        let scaled = self.scale_down_available(sets, least)?;
        Ok(cleaned + scaled > 0)
    }

    fn clean_up_unhealthy(&mut self, sets: &mut Sets, most: i32) -> Result<i32, Error> {
        let mut total = 0;
        for rs in &mut sets.old {
            let (size, available) = (util::rs_replicas(rs), util::rs_available(rs));
            let count = (most - total).min(size - available);
            if size == 0 || count <= 0 {
                continue;
            }
            self.scale(rs, size - count)?;
            total += count;
        }
        Ok(total)
    }

    fn scale_down_available(&mut self, sets: &mut Sets, least: i32) -> Result<i32, Error> {
        let most = util::sum(sets.all(), util::rs_available) - least;
        let mut total = 0;
        for rs in &mut sets.old {
            let size = util::rs_replicas(rs);
            let count = (most - total).min(size);
            if count <= 0 {
                continue;
            }
            self.scale(rs, size - count)?;
            total += count;
        }
        Ok(total)
    }
}
